"""Reads a listing page by page: every row, once, or an error."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from airflow_batch_provider.apis.endpoint import Listing
from airflow_batch_provider.apis.page import Row
from airflow_batch_provider.apis.request import Request
from airflow_batch_provider.client.client import Client
from airflow_batch_provider.exceptions import IncompleteListingError, NotFoundError, RequestRefusedError

MOST_BARREN_PAGES = 100
"""Pages in a row without a new row, after which a listing is taken to go on forever."""


@dataclass(frozen=True)
class NewRows:
    """What a page brought.

    :param rows: its rows that no page before it held, in the vendor's order
    :param duplicates: how many rows it held that were read before
    :param total: how many rows the vendor reports for the whole listing
    """

    rows: Sequence[Row]
    duplicates: int
    total: int | None


def read_pages(client: Client, listing: Listing, request: Request) -> Iterator[NewRows]:
    """Read a listing from a request on to its end.

    Rows that come twice are dropped by their id, for which a 16-byte hash of each is kept; beside that only the
    current page is held.

    :param client: where to ask
    :param listing: what to read
    :param request: the first request
    :raises IncompleteListingError: the listing repeats itself, does not end, or is shorter than the vendor says
    """
    seen: set[bytes] = set()
    asked: set[bytes] = set()
    barren = 0
    next_request: Request | None = request
    expected = 0
    while next_request:
        asked.add(_digest(next_request.target))
        try:
            page = client.get(next_request, partial(listing.page, next_request, len(seen)))
        except (NotFoundError, RequestRefusedError):
            if 0 < expected <= len(seen):
                return  # some servers refuse the page after the last one
            raise
        known = len(seen)
        new = [row for row in page.rows if _add(seen, _digest(repr(row.id)))]
        yield NewRows(new, len(page.rows) - len(new), page.total)
        barren = 0 if len(seen) > known else barren + 1
        next_request = page.following
        expected = max(listing.rows_expected(request, page) or 0, expected)
        if next_request is None:
            if len(seen) < expected:
                raise _incomplete(client, listing, f"ended after {len(seen)} rows of {expected} that it reports")
        elif _digest(next_request.target) in asked:
            raise _incomplete(client, listing, f"repeats a page after {len(seen)} rows")
        elif barren == MOST_BARREN_PAGES:
            raise _incomplete(client, listing, f"brought nothing new in {barren} pages after {len(seen)} rows")


def _digest(text: str) -> bytes:
    return hashlib.blake2b(text.encode(), digest_size=16).digest()


def _add(seen: set[bytes], digest: bytes) -> bool:
    known = len(seen)
    seen.add(digest)
    return len(seen) > known


def _incomplete(client: Client, listing: Listing, happened: str) -> IncompleteListingError:
    return IncompleteListingError(
        f"{client.vendor.title}: the listing {listing.name} {happened}, so it cannot be read whole now.",
        vendor=client.vendor.name,
        endpoint=f"GET {listing.path}",
    )
