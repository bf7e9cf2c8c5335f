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
from airflow_batch_provider.exceptions import (
    BatchProviderError,
    IncompleteListingError,
    NotFoundError,
    RequestRefusedError,
    UnexpectedResponseError,
)
from airflow_batch_provider.listing.lines import read_lines
from airflow_batch_provider.listing.passes import MOST_PASSES, OnDrift, Pass, PassMemory
from airflow_batch_provider.listing.positions import Bookmark, read_position
from airflow_batch_provider.listing.prefetch import Prefetcher
from airflow_batch_provider.listing.progress import Progress
from airflow_batch_provider.listing.seen import DIGEST_SIZE, SeenRows, digests_of

log = logging.getLogger(__name__)


class NewRows(msgspec.Struct, frozen=True):
    """The new rows of a page.

    :param rows: its rows that no page before it had, in the vendor's order
    :param duplicates: how many of its rows were read before, if no overlap explains it
    :param total: how many rows the vendor reports for the whole listing
    :param position: where this very page is read again, for :func:`read_pages`; JSON by its fields
    :param passes: how often the listing was read, this time included
    :param digests: the hashes of the rows' ids
    :param doubt: on the last page, why rows may be missing nevertheless
    :param left_out: the hashes of the ids of rows that were read, but are not wanted
    :param pages: how many pages have been used up with these rows: none, if more of the same page follow
    :param requests: how many requests it took
    """

    rows: Rows
    duplicates: int
    total: int | None
    position: Bookmark | None = None
    passes: int = 1
    digests: Sequence[bytes] = ()
    doubt: str | None = None
    left_out: Sequence[bytes] = ()
    pages: int = 1
    requests: int = 1


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
    :param on_drift: what to do if rows may be missing because the listing moved; ``ignore`` is ``warn`` without a word
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
    bookmark = read_position(position, listing, request)
    if listing.is_stream:
        return _stream(client, listing, request, SeenRows() if seen is None else seen)
    return _ListingReader(client, listing, request, limits, bookmark, SeenRows() if seen is None else seen).pages()


def _stream(client: Client, listing: Listing, request: Request, seen: SeenRows) -> Iterator[NewRows]:
    """Yield the new rows of a body of JSON lines; it has one position, so it is resumed by what was seen."""
    bookmark, is_resumed = Bookmark(listing.paging.first(request)), len(seen) > 0
    last: NewRows | None = None
    for page in read_lines(client, listing, request):
        if last:
            yield replace(last, pages=0, requests=0)
        digests = digests_of(page.rows.ids)
        new = seen.add(digests)
        duplicates = 0 if is_resumed else len(digests) - len(new)
        rows = page.rows.at(new)
        last = NewRows(rows, duplicates, None, bookmark, digests=[digests[index] for index in new])
    if last:
        yield last


class _Limits(msgspec.Struct, frozen=True):
    on_drift: OnDrift
    passes: int
    begun: datetime
    connections: int


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
        number, has_begun = self._bookmark.current.number, self._bookmark.step is not self._first
        self._memory = PassMemory(seen if number == 1 else SeenRows(), has_begun=has_begun)
        self._begin_progress()
        self._prefetcher = Prefetcher(self._ask, listing.paging, limits.connections) if limits.connections else None

    def _begin_progress(self) -> None:
        self._progress = Progress(rereads=self._listing.paging.shifts, pages=self._bookmark.current.pages)
        self._requested: set[bytes] = set()
        self._refusal: BatchProviderError | None = None

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
            brought, following = self._take(following, self._get(following))
            doubt = None
            if following is None:
                doubt = self._doubt()
                if doubt is None and self._may_have_moved_unseen():
                    yield brought
                    brought, doubt = self._read_first_page_again()
                if doubt and self._may_read_again(doubt):
                    following = self._begin_next_pass(doubt)
                    doubt = None
                elif doubt is None:
                    doubt = self._missing_of_estimate()
            yield replace(brought, doubt=doubt) if doubt else brought

    def _get(self, step: Step) -> Page | None:
        """Return the page of a step, None if the server refuses it although rows were read before it."""
        if not self._listing.paging.shifts:
            self._requested.add(_digest(step.request.target.encode()))
        try:
            return self._prefetcher.get(step) if self._prefetcher else self._ask(step)
        except (NotFoundError, RequestRefusedError) as error:
            is_behind_all = self._listing.paging.overlap(step, Page(Rows())) < step.reached - step.origin
            if not self._listing.paging.shifts or self._memory.page is None or not is_behind_all:
                raise
            self._refusal = error
            return None

    def _ask(self, step: Step) -> Page:
        return self._client.send(step.request, self._listing.page)

    def _take(self, step: Step, page: Page | None) -> tuple[NewRows, Step | None]:
        bookmark, current, paging = self._bookmark, self._bookmark.current, self._listing.paging
        if page is None and current.has_all_reported(self._listing, self._first.origin):
            return NewRows(Rows(), 0, current.total, bookmark, current.number), None
        digests = digests_of(page.rows.ids) if page else []
        if page is None or not self._continues(step, digests):
            # Some servers refuse a page behind the last row; if the listing shrank, stepping back finds that row.
            if paging.overlap(step, Page(Rows())):  # a page that begins behind all rows need not continue them
                self._bookmark = replace(bookmark, current=replace(current, moved=True, fell=True))
            self._progress.fall()
            self._check_progress()
            total = page.total if page else None
            return NewRows(Rows(), 0, total, bookmark, current.number), paging.back(step)
        new = self._seen.add(digests)
        fresh = new if self._memory.seen is self._seen else self._memory.seen.add(digests)
        overlap = paging.overlap(step, page)
        is_resumed = self._memory.page is None and bookmark.step is not self._first and current.number == 1
        duplicates = 0 if current.number > 1 or is_resumed else max(0, len(digests) - len(fresh) - overlap)
        fit = self._memory.add(digests, fresh, overlap=overlap, size=step.size)
        rows = page.rows.at(new)
        digests_of_rows = digests if len(new) == len(digests) else [digests[index] for index in new]
        missed = sum(self._listing.existed(row, self._limits.begun) for row in rows) if current.number > 1 else 0
        current = current.after(page, fit, missed)
        first_page = bookmark.first_page if step != self._first else _digest(b"".join(digests))
        self._bookmark = replace(bookmark, current=current, first_page=first_page)
        following = paging.following(step, Taken(page, len(digests), len(fresh), current.read))
        self._advance(len(fresh), following)
        return NewRows(rows, duplicates, page.total, bookmark, current.number, digests_of_rows), following

    def _continues(self, step: Step, digests: list[bytes]) -> bool:
        number = self._bookmark.current.number
        if self._memory.page is None and (number > 1 or not len(self._seen)):
            return True  # nothing was read that it could continue
        if not self._listing.paging.shifts:
            return True
        return self._listing.paging.takes(step, len(digests), self._memory.seen.any(digests))

    def _advance(self, fresh: int, following: Step | None) -> None:
        if fresh:
            self._refusal = None
        if following is None:
            return
        read, shifts = self._bookmark.current.read, self._listing.paging.shifts
        if not shifts and _digest(following.request.target.encode()) in self._requested:
            raise self._incomplete(f"repeats a page after {read} rows")
        self._progress.advance(fresh, is_beyond=not shifts or following.reached - following.origin > read)
        self._check_progress()

    def _check_progress(self) -> None:
        """Fail if the listing goes in circles, never ends, or refuses what it has."""
        if problem := self._progress.problem(self._bookmark.current.read):
            raise self._refusal or self._incomplete(problem)

    def _doubt(self) -> str | None:
        """Return why rows may be missing after this pass, or None."""
        if self._bookmark.current.number > 1 and self._bookmark.current.moved:
            self._explain_by_joined_rows()
        current, origin = self._bookmark.current, self._first.origin
        return current.doubt(self._listing, origin, len(self._seen), self._memory)

    def _explain_by_joined_rows(self) -> None:
        """Look which rows are in front of those that this pass began with, and pushed them back.

        New ones are no reason for doubt. Others jumped there, maybe past the reader.
        """
        current, joined, listing = self._bookmark.current, 0, self._listing
        looked_at = SeenRows()
        step: Step | None = self._first
        while step:
            page = self._ask(step)
            digests = digests_of(page.rows.ids)
            fresh = looked_at.add(digests)
            unknown = [place for place in fresh if not self._memory.seen.any([digests[place]])]
            if any(listing.existed(row, self._limits.begun) for row in page.rows.at(unknown)):
                current = replace(current, shuffled=True)
            joined += len(unknown)
            is_enough = joined >= current.pushed or len(unknown) < len(fresh)
            taken = Taken(page, len(digests), len(fresh), len(looked_at))
            step = None if is_enough or not fresh else listing.paging.following(step, taken)
        self._bookmark = replace(self._bookmark, current=replace(current, pushed=max(0, current.pushed - joined)))

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
        # Without a total or overlapping pages there is nothing to compare with but another pass.
        is_due = current.number == 1 and not current.moved and (current.disjoint or not self._listing.total_is_exact)
        if limits.on_drift == "fail" and not is_due:
            raise self._incomplete(doubt)
        if current.number < limits.passes:
            return True
        if limits.on_drift not in {"warn", "ignore"}:
            raise self._incomplete(doubt)
        self._warn(doubt)
        return False

    def _missing_of_estimate(self) -> str | None:
        """Return what is missing of a total that the vendor calls an estimate: worth a warning, not a failure."""
        missing = self._bookmark.current.shortfall(self._first.origin, len(self._seen))
        if missing and self._limits.on_drift == "fail":
            raise self._incomplete(missing)
        if missing:
            self._warn(missing)
        return missing

    def _warn(self, doubt: str) -> None:
        if self._limits.on_drift != "ignore":
            log.warning("The listing %s may lack rows: it %s", self._listing.name, doubt)

    def _begin_next_pass(self, doubt: str) -> Step:
        number = self._bookmark.current.number + 1
        log.info(
            "Reading %s again, pass %d of at most %d: it %s", self._listing.name, number, self._limits.passes, doubt
        )
        self._bookmark = Bookmark(self._first, Pass(number=number, largest_total=self._bookmark.current.largest_total))
        self._memory = PassMemory(SeenRows(), self._memory)
        self._begin_progress()
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
