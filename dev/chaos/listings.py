"""Listings that move while they are read: what plain pages lose, and what ours lose."""

from __future__ import annotations

import random
from dataclasses import dataclass

from msgspec.structs import replace

from airflow_batch_provider.exceptions import IncompleteListingError
from tests.unit.listing.test_moving_listings import LISTINGS, PlainPages, Vendor, move, read

RUNS = 400
JOBS = 300
PAGE = 25
KINDS = (("leave",), ("join",), ("leave", "join"), ("jump",), ("leave", "join", "jump"))


@dataclass(frozen=True)
class Moving:
    """The outcome of one case.

    :param name: the listing
    :param kinds: how its jobs move
    :param lost_by_plain: runs in which plain pages lacked a job that was there all the time
    :param lost_by_ours: the same with ours, without an error
    :param refused_by_ours: runs in which ours failed with an error
    :param requests_of_plain: on average
    :param requests_of_ours: on average
    """

    name: str
    kinds: tuple[str, ...]
    lost_by_plain: int
    lost_by_ours: int
    refused_by_ours: int
    requests_of_plain: float
    requests_of_ours: float


def simulate(seed: int) -> list[Moving]:
    """Read moving listings, each both ways."""
    drawn = random.Random(seed)
    return [_case(name, kinds, drawn) for name in LISTINGS for kinds in KINDS]


def _case(name: str, kinds: tuple[str, ...], drawn: random.Random) -> Moving:
    lost, requests, refused = {"plain": 0, "ours": 0}, {"plain": 0, "ours": 0}, 0
    for _ in range(RUNS):
        moving = {number: [move(drawn.choice(kinds), drawn.random())] for number in drawn.sample(range(1, 20), 4)}
        jobs = [f"j{number}" for number in range(JOBS)]
        for which, listing in (
            ("plain", replace(LISTINGS[name], paging=PlainPages(), total_is_exact=False)),
            ("ours", None),
        ):
            vendor = Vendor(name, list(jobs), moving)
            try:
                found = read(vendor, PAGE, listing=listing)
                lost[which] += not set(found) >= set(jobs) - vendor.left
            except IncompleteListingError:
                refused += 1
            requests[which] += vendor.requests
    return Moving(name, kinds, lost["plain"], lost["ours"], refused, requests["plain"] / RUNS, requests["ours"] / RUNS)
