"""Reads a listing page by page: every row, once, or an error."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
from msgspec.structs import replace

from airflow_batch_provider.apis.endpoint import Listing
from airflow_batch_provider.apis.page import Page, Rows
from airflow_batch_provider.apis.paging import Step, Taken
from airflow_batch_provider.apis.request import Request
from airflow_batch_provider.client.client import Client
from airflow_batch_provider.codec import UnreadableError
from airflow_batch_provider.exceptions import (
    IncompleteListingError,
    NotFoundError,
    RequestRefusedError,
    UnexpectedResponseError,
)
from airflow_batch_provider.listing.passes import MOST_PASSES, OnDrift, Pass
from airflow_batch_provider.listing.prefetch import Prefetcher
from airflow_batch_provider.listing.seen import DIGEST_SIZE, SeenRows, digests_of

log = logging.getLogger(__name__)

MOST_BARREN_PAGES = 100
"""Pages in a row without a new row, after which a listing is taken to be endless."""


class Bookmark(msgspec.Struct, frozen=True):
    """Where a listing can be read on, given the rows that were read before; JSON by its fields.

    :param step: the step whose page comes next
    :param current: the pass that it belongs to
    :param first_page: the ids of the first page, as hashes
    """

    step: Step
    current: Pass = msgspec.field(default_factory=Pass)
    first_page: bytes = b""


class NewRows(msgspec.Struct, frozen=True):
    """The new rows of a page.

    :param rows: its rows that no page before it had, in the vendor's order
    :param duplicates: how many of its rows were read before, if no overlap explains it
    :param total: how many rows the vendor reports for the whole listing
    :param position: where this very page is read again, for :func:`read_pages`; JSON by its fields
    :param passes: how often the listing was read, this time included
    :param digests: the hashes of the rows' ids
    :param doubt: on the last page, why rows may be missing all the same
    """

    rows: Rows
    duplicates: int
    total: int | None
    position: Bookmark | None = None
    passes: int = 1
    digests: Sequence[bytes] = ()
    doubt: str | None = None


def read_pages(
    client: Client,
    listing: Listing,
    request: Request,
    *,
    on_drift: OnDrift = "retry",
    most_passes: int = MOST_PASSES,
    prefetch: bool = False,
    begun: datetime | None = None,
    position: object = None,
    seen: SeenRows | None = None,
) -> Iterator[NewRows]:
    """Read a listing from a request on to its end.

    Rows that come twice are dropped by their id, for which a 16-byte hash of each is kept; beside that only the
    current page and the hashes of the one before are held.

    :param client: where to ask
    :param listing: what to read
    :param request: the first request
    :param on_drift: what to do if rows may be missing because the listing moved
    :param most_passes: how often the listing is read at most
    :param prefetch: whether to request pages before they are needed, over the connections that the settings allow;
        two pages for each connection are held then
    :param begun: when the first try began to read; now by default
    :param position: where to read on: the position of a page, or JSON made of it; None for the start
    :param seen: the rows that were read before
    :raises IncompleteListingError: the listing repeats itself, does not end, or may not have been read whole
    :raises UnreadableError: the position is of another release, or damaged
    """
    connections = client.settings.max_concurrency if prefetch else 0
    most_passes = most_passes if listing.paging.shifts else 1
    limits = _Limits(on_drift, most_passes, begun or datetime.now(UTC), connections)
    bookmark = _bookmark(position)
    return _ListingReader(client, listing, request, limits, bookmark, SeenRows() if seen is None else seen).pages()


def _bookmark(position: object) -> Bookmark | None:
    if position is None or isinstance(position, Bookmark):
        return position
    try:
        return msgspec.convert(position, Bookmark)
    except msgspec.ValidationError as error:
        raise UnreadableError(f"the position in the listing cannot be read: {error}") from None


class _Limits(msgspec.Struct, frozen=True):
    on_drift: OnDrift
    passes: int
    begun: datetime
    connections: int


class _PassMemory:
    """What is remembered from page to page within one pass; the next pass begins with another one.

    :param seen: the rows that this pass has read
    """

    def __init__(self, seen: SeenRows) -> None:
        self.seen = seen
        self.before: list[bytes] | None = None  # the ids of the page before, as hashes
        self.requested: set[bytes] = set()
        self.barren = 0  # pages in a row without a new row


class _ListingReader:
    def __init__(
        self,
        client: Client,
        listing: Listing,
        request: Request,
        limits: _Limits,
        bookmark: Bookmark | None,
        seen: SeenRows,
    ) -> None:
        self._client = client
        self._listing = listing
        self._first = listing.paging.first(request)
        self._limits = limits
        self._seen = seen
        self._bookmark = bookmark or Bookmark(self._first)
        if self._bookmark.current.number > 1:  # which rows it met before it broke off is not known any more
            self._bookmark = Bookmark(self._first, Pass(number=self._bookmark.current.number))
        self._pass = _PassMemory(seen if self._bookmark.current.number == 1 else SeenRows())
        self._prefetcher = Prefetcher(self._ask, listing.paging, limits.connections) if limits.connections else None

    def pages(self) -> Iterator[NewRows]:
        """Yield what each page brings, to the end of the last pass."""
        try:
            yield from self._pages()
        finally:
            if self._prefetcher:
                self._prefetcher.close()

    def _pages(self) -> Iterator[NewRows]:
        following: Step | None = self._bookmark.step
        while following:
            self._bookmark = replace(self._bookmark, step=following)
            page = self._get(following)
            brought, following = self._take(following, page)
            doubt = None
            if following is None:
                doubt = self._bookmark.current.doubt(self._listing, self._first.origin, len(self._seen))
                if doubt is None and self._may_have_moved_unseen():
                    yield brought
                    brought, doubt = self._read_first_page_again()
                if doubt and self._may_read_again(doubt):
                    following = self._begin_next_pass(doubt)
                    doubt = None
            yield replace(brought, doubt=doubt) if doubt else brought

    def _get(self, step: Step) -> Page:
        if not self._listing.paging.shifts:
            self._pass.requested.add(_digest(step.request.target.encode()))
        try:
            return self._prefetcher.get(step) if self._prefetcher else self._ask(step)
        except (NotFoundError, RequestRefusedError):
            # Some servers refuse a page behind the last row; if the listing shrank, that is no error yet.
            is_behind_all = self._listing.paging.overlap(step, Page(Rows())) < step.reached - step.origin
            if not self._listing.paging.shifts or self._pass.before is None or not is_behind_all:
                raise
            return Page(Rows())

    def _ask(self, step: Step) -> Page:
        return self._client.send(step.request, self._listing.page)

    def _take(self, step: Step, page: Page) -> tuple[NewRows, Step | None]:
        bookmark, current, paging = self._bookmark, self._bookmark.current, self._listing.paging
        digests = digests_of(page.rows.ids)
        if not self._continues(step, digests):
            self._bookmark = replace(bookmark, current=replace(current, moved=True))
            self._check_progress(0, paging.back(step))
            return NewRows(Rows(), 0, page.total, bookmark, current.number), paging.back(step)
        overlap = paging.overlap(step, page)
        moved = bool(overlap and self._pass.before is not None and self._pass.before[-overlap:] != digests[:overlap])
        new = self._seen.add(digests)
        fresh = len(new) if self._pass.seen is self._seen else len(self._pass.seen.add(digests))
        rows = page.rows.at(new)
        digests_of_rows = digests if len(new) == len(digests) else [digests[index] for index in new]
        missed = sum(self._listing.existed(row, self._limits.begun) for row in rows) if current.number > 1 else 0
        is_resumed = self._pass.before is None and bookmark.step is not self._first and current.number == 1
        duplicates = 0 if current.number > 1 or is_resumed else max(0, len(digests) - fresh - overlap)
        current = current.after(page, fresh=fresh, missed=missed, moved=moved)
        first_page = bookmark.first_page if step != self._first else _digest(b"".join(digests))
        self._bookmark = replace(bookmark, current=current, first_page=first_page)
        self._pass.before = digests
        following = paging.following(step, Taken(page, len(digests), fresh, current.read))
        self._check_progress(fresh, following)
        return NewRows(rows, duplicates, page.total, bookmark, current.number, digests_of_rows), following

    def _continues(self, step: Step, digests: list[bytes]) -> bool:
        number = self._bookmark.current.number
        if self._pass.before is None and (number > 1 or not len(self._seen)):
            return True  # nothing was read that it could continue
        if not self._listing.paging.shifts:
            return True
        return self._listing.paging.takes(step, len(digests), self._pass.seen.any(digests))

    def _check_progress(self, fresh: int, following: Step | None) -> None:
        """Fail if the listing goes in circles or never ends."""
        read = self._bookmark.current.read
        if fresh or following is None:
            self._pass.barren = 0
        elif not self._listing.paging.shifts or following.reached - following.origin > read:
            self._pass.barren += 1
        if following is None:
            return
        if not self._listing.paging.shifts and _digest(following.request.target.encode()) in self._pass.requested:
            raise self._incomplete(f"repeats a page after {read} rows")
        if self._pass.barren == MOST_BARREN_PAGES:
            raise self._incomplete(f"brought nothing new in {self._pass.barren} pages after {read} rows")

    def _may_have_moved_unseen(self) -> bool:
        """Return whether the first page may show what overlaps and totals do not: rows that jumped there."""
        return self._limits.passes > 1 and self._bookmark.current.number == 1 and self._bookmark.current.pages > 1

    def _read_first_page_again(self) -> tuple[NewRows, str | None]:
        page, bookmark = self._ask(self._first), self._bookmark
        is_same = (
            _digest(b"".join(digests_of(page.rows.ids))) == bookmark.first_page and page.total == bookmark.current.total
        )
        doubt = None if is_same else "changed its first page while it was read"
        return NewRows(Rows(), 0, page.total, bookmark), doubt

    def _may_read_again(self, doubt: str) -> bool:
        current, limits = self._bookmark.current, self._limits
        # Without a total there is nothing to compare with but another pass.
        is_due = current.number == 1 and not current.moved and not self._listing.total_is_exact
        if limits.on_drift == "fail" and not is_due:
            raise self._incomplete(doubt)
        if current.number < limits.passes:
            return True
        if limits.on_drift != "warn":
            raise self._incomplete(doubt)
        log.warning("The listing %s may lack rows: it %s", self._listing.name, doubt)
        return False

    def _begin_next_pass(self, doubt: str) -> Step:
        number = self._bookmark.current.number + 1
        log.info(
            "Reading %s again, pass %d of at most %d: it %s", self._listing.name, number, self._limits.passes, doubt
        )
        self._bookmark = Bookmark(self._first, Pass(number=number, largest_total=self._bookmark.current.largest_total))
        self._pass = _PassMemory(SeenRows())
        return self._first

    def _incomplete(self, happened: str) -> IncompleteListingError:
        return IncompleteListingError(
            f"{self._client.vendor.title}: the listing {self._listing.name} {happened}, "
            "so it cannot be read whole now.",
            vendor=self._client.vendor.name,
            endpoint=self._listing.address,
        )


def documents(rows: Rows) -> Iterator[dict[str, Any]]:
    """Yield the vendor's objects.

    :raises UnexpectedResponseError: Python cannot hold one; exports can, to the digit
    """
    for line in rows.lines:
        try:
            document: dict[str, Any] = json.loads(bytes(line))
        except ValueError as error:  # an integer of more than 4,300 digits
            raise UnexpectedResponseError(f"A row cannot be read: {error}.") from None
        yield document


def _digest(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=DIGEST_SIZE).digest()
