"""What an export has met so far; it goes into the manifest, and into checkpoints."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime

from airflow_batch_provider.apis.page import Rows
from airflow_batch_provider.apis.shown import Show, Shown, harmless
from airflow_batch_provider.listing.pages import NewRows

LONGEST_STATUS = 100
MOST_STATUSES = 100
"""The vendors have six words; counts go into XCom, so whatever a server sends, they stay small."""
OTHER_STATUSES = Shown("(others)")


@dataclass
class Stats:
    """What an export has met so far.

    :param started_at: when its first try began to read
    :param rows: rows in parts, or in the part that is being written
    :param pages: pages read
    :param duplicates: rows that came again
    :param total: how many rows the vendor reports
    :param statuses: rows by the vendor's status word, as it may be shown
    :param passes: how often the listing was read
    :param doubt: why rows may be missing nevertheless
    :param outcomes: items by what became of them, if the rows are results
    :param requests: how many requests it took
    """

    started_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    rows: int = 0
    pages: int = 0
    duplicates: int = 0
    total: int | None = None
    statuses: dict[Shown, int] = field(default_factory=dict)
    passes: int = 1
    doubt: str | None = None
    outcomes: dict[str, int] = field(default_factory=dict)
    requests: int = 0

    def count(self, rows: Rows, show: Show) -> None:
        """Note rows that go into a part.

        :param show: makes the vendor's words harmless
        """
        self.rows += len(rows)
        for word, count in Counter(rows.statuses).items():
            status = harmless(show(word), LONGEST_STATUS)
            if status not in self.statuses and len(self.statuses) >= MOST_STATUSES:
                status = OTHER_STATUSES
            self.statuses[status] = self.statuses.get(status, 0) + count
        for outcome, count in Counter(rows.outcomes).items():
            self.outcomes[outcome] = self.outcomes.get(outcome, 0) + count

    def count_page(self, page: NewRows) -> None:
        """Note that a page was used up."""
        self.pages += page.pages
        self.requests += page.requests
        self.duplicates += page.duplicates
        self.total = self.total if page.total is None else page.total
        self.passes = page.passes
        self.doubt = page.doubt
