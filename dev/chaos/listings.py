"""Listings that move while they are read: what plain pages lose, and what ours lose."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

from msgspec.structs import replace

from airflow_batch_provider.exceptions import IncompleteListingError
from tests.unit.listing.test_moving_listings import LISTINGS, Move, PlainPages, Vendor, move, read

RUNS = 400
KINDS = (("leave",), ("join",), ("leave", "join"), ("jump",), ("leave", "join", "jump"), ("shuffle",))
_REQUESTS = 2000
"""Moves are drawn for so many requests; no run takes more."""


@dataclass(frozen=True)
class Case:
    """A way in which a listing is paged, and moves.

    :param name: the listing
    :param kinds: how its jobs move
    :param jobs: how many jobs it has
    :param pages: the page sizes that are asked for, one of them in each run
    :param lengths: the most rows that the server puts into a page, drawn for each request; empty for what is asked for
    """

    name: str
    kinds: tuple[str, ...]
    jobs: int
    pages: tuple[int, ...]
    lengths: tuple[int, ...] = ()

    def draw_moves(self, drawn: random.Random) -> dict[int, list[Move]]:
        """Return what moves before which request: four times, or again and again where pages are hard to read."""
        if len(self.pages) == 1:
            often = drawn.sample(range(1, 20), 4)
        else:
            chance = drawn.choice([0.01, 0.1, 0.5])
            often = [number for number in range(1, _REQUESTS) if drawn.random() < chance]
        return {number: [move(drawn.choice(self.kinds), drawn.random())] for number in often}

    def draw_lengths(self, drawn: random.Random) -> list[int]:
        """Return the most rows of one page after the other."""
        return drawn.choices(self.lengths, k=_REQUESTS) if self.lengths else [1000]


@dataclass(frozen=True)
class Moving:
    """The outcome of a case.

    :param case: which one it is
    :param lost_by_plain: runs in which plain pages lacked a job that was there all the time
    :param lost_by_ours: the same with ours, without an error
    :param refused_by_ours: runs in which ours failed with an error
    :param requests_of_plain: on average
    :param requests_of_ours: on average
    """

    case: Case
    lost_by_plain: int
    lost_by_ours: int
    refused_by_ours: int
    requests_of_plain: float
    requests_of_ours: float


def simulate(seed: int) -> list[Moving]:
    """Read moving listings, each both ways."""
    drawn = random.Random(seed)
    return [_run(case, drawn) for case in _cases()]


def _cases() -> Iterator[Case]:
    for name in LISTINGS:
        yield from (Case(name, kinds, 300, (25,)) for kinds in KINDS)
        yield from (Case(name, kinds, 40, (1, 2, 3)) for kinds in KINDS)
        yield from (Case(name, kinds, 60, (10, 20), (1, 3, 7, 20)) for kinds in KINDS)


def _run(case: Case, drawn: random.Random) -> Moving:
    lost, requests, refused = {"plain": 0, "ours": 0}, {"plain": 0, "ours": 0}, 0
    plain = replace(LISTINGS[case.name], paging=PlainPages(), total_is_exact=False)
    total = "exact" if LISTINGS[case.name].total_is_exact else "absent"
    for _ in range(RUNS):
        moving, lengths, page = case.draw_moves(drawn), case.draw_lengths(drawn), drawn.choice(case.pages)
        jobs = [f"j{number}" for number in range(case.jobs)]
        for which, listing in (("plain", plain), ("ours", None)):
            vendor = Vendor(case.name, list(jobs), moving, caps=lengths, total=total)
            try:
                found = read(vendor, page, listing=listing)
                lost[which] += not set(found) >= set(jobs) - vendor.left
            except IncompleteListingError:
                refused += which == "ours"
            requests[which] += vendor.requests
    return Moving(case, lost["plain"], lost["ours"], refused, requests["plain"] / RUNS, requests["ours"] / RUNS)
