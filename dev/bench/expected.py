"""How many requests an export sends, and how many minutes they take at the limits that the vendors document.

Pages are walked with the paging code itself, as if a vendor's listing of so many jobs stood still.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from airflow_batch_provider.apis.endpoint import Listing
from airflow_batch_provider.apis.page import Page, Rows
from airflow_batch_provider.apis.paging import CursorPaging, Step, Taken, WholePaging
from airflow_batch_provider.apis.request import Request
from airflow_batch_provider.apis.windows import NumberPaging, OffsetPaging
from airflow_batch_provider.listing.passes import MOST_PASSES, Pass
from airflow_batch_provider.vendors import llamacloud, playment, talkifai
from dev.bench.tables import table

LATENCY = 0.2
"""Seconds that an answer is assumed to take."""

CONNECTIONS = 8
"""The default of ``max_concurrency``."""

JOBS = (10_000, 100_000, 1_000_000, 10_000_000)
LONGEST_IN_MINUTES = 120

PLAYMENT_PAGE = 100
SCOPE = {"project_id": "p", "batch_id": "b", "organization_id": "o"}


@dataclass(frozen=True)
class Row:
    """A listing as one may read it.

    :param listing: which
    :param per_minute: requests that the vendor allows in a minute; None where it documents no limit
    :param plan: for which of the vendor's plans that is
    """

    listing: Listing
    per_minute: int | None = None
    plan: str = ""


ROWS = (
    Row(playment.BATCH_JOBS),
    Row(llamacloud.BATCHES),
    Row(llamacloud.BATCH_PROCESSING_JOBS),
    Row(talkifai.BATCH_JOBS, 60, "Free"),
    Row(talkifai.BATCH_JOBS, 300, "Pro"),
    Row(talkifai.BATCH_JOBS, 1000, "Enterprise"),
)


class Vendor:
    """A vendor's side of a listing that stands still.

    :param listing: which
    :param jobs: how many rows it has
    """

    def __init__(self, listing: Listing, jobs: int) -> None:
        self.listing = listing
        self._jobs = jobs
        self._window = _window_of(listing)

    def answer(self, request: Request) -> Page:
        """Return a page whose rows are numbers."""
        start, size = self._window(request)
        stop = min(start + size, self._jobs)
        token = str(stop) if stop < self._jobs else None
        total = self._jobs if self.listing.total_is_exact else None
        return Page(Rows(range(start, max(start, stop))), token, total)


def _window_of(listing: Listing) -> Callable[[Request], tuple[int, int]]:
    """Return what tells the first row and the size of the page that a request asks for."""
    match listing.paging:
        case CursorPaging(parameter):
            return lambda request: (
                int(request.query.get(parameter, 0)),
                int(request.query.get("page_size", PLAYMENT_PAGE)),
            )
        case OffsetPaging(parameter, size):
            return lambda request: (int(request.query[parameter]), int(request.query[size]))
        case NumberPaging(parameter, size):
            return lambda request: (
                (int(request.query[parameter]) - 1) * int(request.query[size]),
                int(request.query[size]),
            )
        case WholePaging():
            return lambda request: (0, 1 << 63)
    raise TypeError(listing.paging)


def requests_of(listing: Listing, jobs: int) -> int:
    """Return how many requests an export of a listing that stands still sends.

    :param listing: which
    :param jobs: how many rows it has
    """
    vendor, first = Vendor(listing, jobs), listing.paging.first(listing.request(SCOPE))
    sent = 0
    for number in range(1, MOST_PASSES + 1):
        current, in_pass = _walk(vendor, first, Pass(number=number))
        sent += in_pass
        if not current.doubt(listing, first.origin, jobs):
            # What only the first pass can miss, a second look at the first page shows.
            return sent + (listing.paging.shifts and number == 1 and current.pages > 1)
    raise AssertionError(f"{listing.name} stands still, and yet is in doubt")


def _walk(vendor: Vendor, first: Step, current: Pass) -> tuple[Pass, int]:
    """Read once from the first row to the last; return what the pass met, and how many requests it sent."""
    paging, sent = vendor.listing.paging, 0
    step: Step | None = first
    while step:
        page = vendor.answer(step.request)
        rows = len(page.rows)
        sent += 1
        fresh = rows - min(rows, paging.overlap(step, page))
        current = current.after(page, fresh=fresh, missed=0, moved=False)
        step = paging.following(step, Taken(page, rows, fresh, current.read))
    return current, sent


def connections_of(listing: Listing) -> int:
    """Return how many requests can be under way at once: as many as allowed where the pages are known in advance."""
    return CONNECTIONS if isinstance(listing.paging, NumberPaging) else 1


def seconds(requests: int, per_minute: int | None, connections: int) -> float:
    """Return how long requests take: as the rate limit lets them, or as their latency.

    :param requests: how many
    :param per_minute: how many the vendor takes in a minute, None for no limit
    :param connections: how many are under way at once
    """
    return max(requests * 60 / per_minute if per_minute else 0, requests * LATENCY / connections)


def _cell(row: Row, requests: int) -> str:
    minutes = seconds(requests, row.per_minute, connections_of(row.listing)) / 60
    time = f"{minutes:.1f} min" if minutes < LONGEST_IN_MINUTES else f"{minutes / 60:.1f} h"
    return f"{time} ({requests:,})"


def _page_size(listing: Listing) -> int:
    return _window_of(listing)(listing.request(SCOPE))[1]


def expected() -> str:
    """Return the table of expected times, with the numbers of requests."""
    listings = {row.listing.name: row.listing for row in ROWS}
    requests = {name: [requests_of(listing, jobs) for jobs in JOBS] for name, listing in listings.items()}
    rows = [
        (
            f"`{row.listing.name}`" + (f", {row.plan}" if row.plan else ""),
            _page_size(row.listing),
            f"{row.per_minute:,}" if row.per_minute else "none documented",
            connections_of(row.listing),
            *(_cell(row, each) for each in requests[row.listing.name]),
        )
        for row in ROWS
    ]
    return table(" | ".join(["listing", "page", "per minute", "at once", *(f"{jobs:,} jobs" for jobs in JOBS)]), rows)
