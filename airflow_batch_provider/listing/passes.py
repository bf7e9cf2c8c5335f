"""Whether a listing was read whole."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Literal

import msgspec
from msgspec.structs import replace

from airflow_batch_provider.apis.endpoint import Listing
from airflow_batch_provider.apis.page import Page
from airflow_batch_provider.listing.seen import DIGEST_SIZE, SeenRows

MOST_PASSES = 3

OnDrift = Literal["retry", "fail", "warn", "ignore"]
"""What to do about a listing that moved while it was read: read it again, three passes at most (``retry``), ``fail`` at
the first doubt, or continue with what was read and report it (``warn``)."""


class Fit(msgspec.Struct, frozen=True):
    """How a page fits the pages before it.

    :param fresh: how many of its rows the pass had not read
    :param pushed: how many rows further back than expected it begins, which rows that joined in front explain
    :param is_shuffled: whether its rows moved in a way that neither joining nor leaving rows explain
    :param overlaps: whether it shows that nothing is between it and the page before
    """

    fresh: int
    pushed: int = 0
    is_shuffled: bool = False
    overlaps: bool = True


class PassMemory:
    """What is remembered from page to page within one pass.

    :param seen: the rows that this pass has read
    :param before: the pass before
    :param has_begun: whether an earlier try has read a part of it
    """

    def __init__(self, seen: SeenRows, before: PassMemory | None = None, *, has_begun: bool = False) -> None:
        self.seen = seen
        self.page: Sequence[bytes] | None = None
        """The ids of the page before, as hashes."""
        self.last: bytes | None = None
        """The id of the last row that was new."""
        self._has_begun = has_begun
        self._order = hashlib.blake2b(digest_size=DIGEST_SIZE)
        self._before = (before.order, before.agreeing, before.last) if before else (None, 0, None)

    @property
    def order(self) -> bytes | None:
        """The rows in the order of this pass, as a hash; None if they are not known."""
        return None if self._has_begun else self._order.digest()

    @property
    def agreeing(self) -> int:
        """How many passes in a row, up to this one, read the same rows in the same order."""
        order, agreeing, _ = self._before
        return 1 + (agreeing if order is not None and order == self.order else 0)

    @property
    def has_come_as_far(self) -> bool:
        """Whether this pass has read the last row of the one before."""
        last = self._before[2]
        return last is None or self.seen.any([last])

    def add(self, digests: Sequence[bytes], fresh: Sequence[int], *, overlap: int, size: int) -> Fit:
        """Add a page, and return how it fits.

        :param digests: the ids of its rows, as hashes
        :param fresh: the places of those that the pass had not read
        :param overlap: how many of its rows were read before, if nothing moved
        :param size: the most rows that it may have, by the pages before
        """
        before, is_first = self.page, self.page is None and not self._has_begun
        known = len(digests) - len(fresh)
        if before is None and self._has_begun:
            overlap = known  # how much of this page the earlier try used is not known
        self._order.update(b"".join([digests[place] for place in fresh]))
        if fresh:
            self.last = digests[fresh[-1]]
        elif overlap > known:
            return Fit(0)  # it lies within what was read, behind a page that shows more
        self.page = digests
        compared = min(known, len(before or ()))
        is_shuffled = bool(fresh and fresh[0] != known) or bool(
            before and compared and before[-compared:] != digests[known - compared : known]
        )
        # If the server gives more rows than before, a short page was no sign of the end.
        overlaps = is_first or not digests or (known > 0 and len(digests) <= size)
        return Fit(len(fresh), known - overlap, is_shuffled, overlaps)


class Pass(msgspec.Struct, frozen=True, kw_only=True):
    """What a pass from the first row to the last has met so far.

    :param number: which one it is, from 1
    :param pages: pages that brought rows
    :param read: different rows
    :param total: how many rows the latest page reports
    :param largest_total: the largest total that a page reports, of this pass or one before
    :param least_total: the smallest total that a page of this pass reports
    :param moved: whether anything was seen to change, the total included
    :param fell: whether the reader had to step back
    :param shuffled: whether rows moved in a way that neither joining nor leaving rows explain
    :param pushed: by how many rows those that joined in front, or jumped there, pushed back the others
    :param disjoint: whether a page could not overlap the one before
    :param missed: rows that no pass before found, although they existed when the first try began
    """

    number: int = 1
    pages: int = 0
    read: int = 0
    total: int | None = None
    largest_total: int | None = None
    least_total: int | None = None
    moved: bool = False
    fell: bool = False
    shuffled: bool = False
    pushed: int = 0
    disjoint: bool = False
    missed: int = 0

    def after(self, page: Page, fit: Fit, missed: int) -> Pass:
        """Return the pass after one page more."""
        total = self.total if page.total is None else page.total
        largest = max((known for known in (self.largest_total, page.total) if known is not None), default=None)
        least = min((known for known in (self.least_total, page.total) if known is not None), default=None)
        has_moved = fit.is_shuffled or fit.pushed != 0 or (self.pages > 0 and total != self.total)
        return replace(
            self,
            pages=self.pages + bool(page.rows),
            read=self.read + fit.fresh,
            total=total,
            largest_total=largest,
            least_total=least,
            moved=self.moved or has_moved,
            shuffled=self.shuffled or fit.is_shuffled,
            pushed=self.pushed + max(0, fit.pushed),
            disjoint=self.disjoint or not fit.overlaps,
            missed=self.missed + missed,
        )

    def has_all_reported(self, listing: Listing, before: int) -> bool:
        """Return whether every row that the vendor reports was read.

        :param listing: what is read
        :param before: how many rows of the listing are before the first that was wanted
        """
        if self.total is None:
            return False
        missing = self.total - before - self.read
        # An estimate below what came shows only that it is wrong.
        return missing <= 0 if listing.total_is_exact else missing == 0

    def shortfall(self, before: int, read: int) -> str | None:
        """Return what to say of a total that is larger than what was read, or None."""
        # What joins in the course of a later pass is new, and need not be read.
        expected = self.largest_total if self.number == 1 or self.least_total is None else self.least_total
        if expected is None or read >= expected - before:
            return None
        return f"ended after {read} rows of {expected - before} that it reports"

    def doubt(self, listing: Listing, before: int, read: int, memory: PassMemory) -> str | None:
        """Return why rows may be missing after this pass, as the end of a sentence on the listing, or None.

        :param listing: what was read
        :param before: how many rows of the listing are before the first that was wanted
        :param read: how many different rows all passes read
        :param memory: what this pass has read
        """
        if self.missed:
            return f"had {self.missed} rows in pass {self.number} that the previous pass had missed"
        if listing.total_is_exact and (shortfall := self.shortfall(before, read)):
            return shortfall
        if not listing.paging.shifts:
            return None
        # A second pass that agrees is proof if nothing moved. Rows that a vendor lists twice look like moves: they take
        # a third one. If the reader had to step back, servers that differ could have answered in the same turn again.
        agrees = not self.fell and memory.agreeing >= (MOST_PASSES if self.moved else 2)
        if self.pages <= 1 or agrees:
            return None
        if not memory.has_come_as_far:
            return "ended before the last row of the previous pass"
        return self._unproven(listing)

    def _unproven(self, listing: Listing) -> str | None:
        """Return what lets this pass prove nothing on its own."""
        # Overlapping pages show rows that leave and join. A row that jumps to the front pushes others back, as one
        # that joins there does, and takes a second pass to be found.
        if self.shuffled or self.pushed or (self.number == 1 and self.moved):
            return "moved while it was read"
        if self.disjoint:
            return "has pages that do not overlap"
        if self.number == 1 and (not listing.total_is_exact or self.largest_total is None):
            return "has several pages and reports no total"
        return None
