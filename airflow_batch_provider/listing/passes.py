"""Whether a listing was read whole."""

from __future__ import annotations

from typing import Literal

import msgspec
from msgspec.structs import replace

from airflow_batch_provider.apis.endpoint import Listing
from airflow_batch_provider.apis.page import Page

MOST_PASSES = 3

OnDrift = Literal["retry", "fail", "warn"]
"""What to do about a listing that moved while it was read: read it again, three passes at most (``retry``), ``fail`` at
the first doubt, or continue with what was read and report it (``warn``)."""


class Pass(msgspec.Struct, frozen=True, kw_only=True):
    """What a pass from the first row to the last has met so far.

    :param number: which one it is, from 1
    :param pages: pages that brought rows
    :param read: different rows
    :param total: how many rows the latest page reports
    :param largest_total: the largest total that a page reports, of this pass or one before
    :param least_total: the smallest total that a page of this pass reports
    :param moved: whether a row was seen to change its place
    :param missed: rows that no pass before found, although they existed when the first try began
    """

    number: int = 1
    pages: int = 0
    read: int = 0
    total: int | None = None
    largest_total: int | None = None
    least_total: int | None = None
    moved: bool = False
    missed: int = 0

    def after(self, page: Page, *, fresh: int, missed: int, moved: bool) -> Pass:
        """Return the pass after one page more."""
        total = self.total if page.total is None else page.total
        largest = max((known for known in (self.largest_total, page.total) if known is not None), default=None)
        least = min((known for known in (self.least_total, page.total) if known is not None), default=None)
        return replace(
            self,
            pages=self.pages + bool(page.rows),
            read=self.read + fresh,
            total=total,
            largest_total=largest,
            least_total=least,
            moved=self.moved or moved or (self.pages > 0 and total != self.total),
            missed=self.missed + missed,
        )

    def doubt(self, listing: Listing, before: int, read: int) -> str | None:
        """Return why rows may be missing after this pass, as the end of a sentence on the listing, or None.

        :param listing: what was read
        :param before: how many rows of the listing lie before the first that was wanted
        :param read: how many different rows all passes read
        """
        if not listing.paging.shifts:
            return None
        if self.missed:
            return f"held {self.missed} rows in pass {self.number} that the one before had missed"
        # What joins in the course of a later pass is new, and need not be read.
        expected = self.largest_total if self.number == 1 or self.least_total is None else self.least_total
        if listing.total_is_exact and expected is not None and read < expected - before:
            return f"ended after {read} rows of {expected - before} that it reports"
        if self.number == 1 and self.pages > 1:
            if self.moved:
                return "moved while it was read"
            if not listing.total_is_exact or expected is None:
                return "has several pages and reports no total"
        return None
