"""Listings whose rows come, go and change places while they are read."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from airflow_batch_provider.apis.endpoint import Listing
from airflow_batch_provider.apis.page import Row
from airflow_batch_provider.apis.paging import InOrder, Step, Taken
from airflow_batch_provider.apis.request import Answer, Request
from airflow_batch_provider.client.client import Client
from airflow_batch_provider.exceptions import IncompleteListingError
from airflow_batch_provider.listing.pages import read_pages
from airflow_batch_provider.listing.passes import OnDrift
from airflow_batch_provider.vendors.llamacloud import BATCH_PROCESSING_JOBS
from airflow_batch_provider.vendors.talkifai import BATCH_JOBS
from tests.vendor_server import PAGES, Served

BEGUN = datetime(2026, 3, 1, tzinfo=UTC)
LISTINGS = {known.name: known for known in (BATCH_PROCESSING_JOBS, BATCH_JOBS)}
SIZE_NAMES = {"llamacloud.batch_processing_jobs": "limit", "talkifai.batch_jobs": "page_size"}
EACH = pytest.mark.parametrize("name", LISTINGS)

Move = Callable[["Vendor"], None]


@dataclass
class Vendor:
    """Holds the jobs of a listing in order, and moves them before each request."""

    name: str
    jobs: list[str]
    moves: Mapping[int, list[Move]] = field(default_factory=dict)
    cap: int = 1000
    requests: int = 0
    joined: int = 0
    left: set[str] = field(default_factory=set)

    def send(self, request: Request, read: Callable[[Answer], Any]) -> Any:
        """Answer as a client does."""
        for move in self.moves.get(self.requests, ()):
            move(self)
        self.requests += 1
        rows = [_row(self.name, job) for job in self.jobs]
        return read(Answer(200, {}, PAGES[self.name](Served(rows, cap=self.cap), dict(request.query)).body))

    def join(self, place: float) -> None:
        """Create a job anywhere."""
        self.joined += 1
        self.jobs.insert(round(place * len(self.jobs)), f"new{self.joined}")

    def leave(self, place: float) -> None:
        """Delete a job anywhere."""
        if self.jobs:
            self.left.add(self.jobs.pop(round(place * (len(self.jobs) - 1))))

    def jump(self, place: float) -> None:
        """Put a job to the front, as a vendor does that sorts by time of change."""
        if self.jobs:
            self.jobs.insert(0, self.jobs.pop(round(place * (len(self.jobs) - 1))))

    @property
    def vendor(self) -> Any:
        """Who it is, for the messages."""
        return LISTINGS[self.name].vendor


@cache
def _row(name: str, job: str) -> str:
    created = BEGUN + timedelta(minutes=1 if job.startswith("new") else -1)
    return json.dumps({"id": job, LISTINGS[name].created_field: created.isoformat()})


def read(vendor: Vendor, size: int, on_drift: OnDrift = "retry", listing: Listing | None = None) -> list[str]:
    known = listing or LISTINGS[vendor.name]
    request = known.request({"organization_id": "o", SIZE_NAMES[vendor.name]: size})
    passes = 1 if listing else 3
    pages = read_pages(cast(Client, vendor), known, request, on_drift=on_drift, begun=BEGUN, most_passes=passes)
    return [str(row.id) for page in pages for row in page.rows]


def places() -> st.SearchStrategy[float]:
    return st.sampled_from([0.0, 1.0]) | st.floats(0, 1)


def move(kind: str, place: float) -> Move:
    return lambda vendor: getattr(vendor, kind)(place)


def moves(*kinds: str) -> st.SearchStrategy[Move]:
    return st.builds(move, st.sampled_from(kinds), places())


MOVING = st.dictionaries(st.integers(1, 12), st.lists(moves("join", "leave", "leave", "jump"), min_size=1, max_size=3))
JOBS = st.integers(0, 90)
PAGE_SIZES = st.integers(8, 25)


@EACH
@given(count=JOBS, size=PAGE_SIZES, moving=MOVING)
@settings(max_examples=300)
def test_no_job_that_was_there_all_the_time_is_missing_and_none_is_there_twice(
    name: str, count: int, size: int, moving: dict[int, list[Move]]
) -> None:
    jobs = [f"j{number}" for number in range(count)]
    vendor = Vendor(name, list(jobs), moving)
    try:
        found = read(vendor, size)
    except IncompleteListingError:
        return  # it says so
    assert len(found) == len(set(found))
    assert set(found) >= set(jobs) - vendor.left


class PlainPages(InOrder):
    """The same pages side by side, without overlap."""

    def following(self, step: Step, taken: Taken) -> Step | None:
        query = step.request.query
        if "offset" in query:
            return Step(step.request.asking(offset=str(int(query["offset"]) + taken.rows))) if taken.rows else None
        return Step(step.request.asking(page=str(int(query["page"]) + 1))) if taken.rows else None


@EACH
@pytest.mark.parametrize("kinds", [["leave"], ["leave", "join"], ["jump"]], ids="-".join)
def test_plain_pages_do_lose_jobs_where_overlapping_ones_and_further_passes_lose_none(
    name: str, kinds: list[str]
) -> None:
    drawn = random.Random(7)  # noqa: S311 - moves, not secrets
    lost = {"plain": 0, "ours": 0}
    for _ in range(60):
        moving = {number: [move(drawn.choice(kinds), drawn.random())] for number in drawn.sample(range(1, 20), 4)}
        jobs = [f"j{number}" for number in range(300)]
        for kind, listing in (("plain", replace(LISTINGS[name], paging=PlainPages())), ("ours", None)):
            vendor = Vendor(name, list(jobs), moving)
            found = read(vendor, 25, listing=listing)
            lost[kind] += not set(found) >= set(jobs) - vendor.left
    assert lost["ours"] == 0
    assert lost["plain"] > 20


def leaving_and_joining(vendor: Vendor) -> None:
    vendor.leave(0)
    vendor.join(1)


@EACH
def test_a_job_that_leaves_while_another_joins_hides_none_though_total_and_first_page_stay(name: str) -> None:
    jobs = [f"j{number}" for number in range(90)]
    vendor = Vendor(name, list(jobs), {2: [leaving_and_joining]})
    assert set(read(vendor, 20)) >= set(jobs[1:])


@EACH
def test_a_job_that_jumps_to_the_front_is_found_by_another_pass(name: str) -> None:
    jobs = [f"j{number}" for number in range(90)]
    vendor = Vendor(name, list(jobs), {2: [lambda vendor: vendor.jump(0.9)]})
    assert set(read(vendor, 20)) == set(jobs)


def test_a_jump_that_a_leaving_and_a_joining_job_hide_from_total_and_overlap_shows_on_the_first_page() -> None:
    jobs = [f"j{number}" for number in range(90)]

    def unseen(vendor: Vendor) -> None:
        vendor.leave(0.1)
        vendor.jump(0.9)
        vendor.join(1)

    vendor = Vendor("talkifai.batch_jobs", list(jobs), {2: [unseen]})
    assert set(read(vendor, 20)) >= set(jobs) - vendor.left


@EACH
def test_a_busy_listing_that_only_gains_new_jobs_is_settled_after_the_second_pass(name: str) -> None:
    jobs = [f"j{number}" for number in range(90)]
    joining: dict[int, list[Move]] = {number: [lambda vendor: vendor.join(0)] for number in range(1, 100)}
    vendor = Vendor(name, list(jobs), joining)
    assert set(read(vendor, 20)) >= set(jobs)
    assert vendor.requests <= 20


def hiding(count: int) -> dict[int, list[Move]]:
    """Show so many jobs of the end from the second, the third ... pass on only."""
    shown: dict[int, list[Move]] = {}
    for number in range(count):
        shown[4 + 7 * number] = [lambda vendor, number=number: vendor.jobs.insert(0, f"hidden{number}")]  # type: ignore[misc]
    return shown


@EACH
def test_jobs_that_every_pass_finds_anew_fail_the_listing_after_the_third(name: str) -> None:
    jobs = [f"j{number}" for number in range(90)]
    with pytest.raises(IncompleteListingError, match="pass 3"):
        read(Vendor(name, list(jobs), hiding(9)), 20)


@EACH
def test_drift_may_fail_at_the_first_doubt(name: str) -> None:
    jobs = [f"j{number}" for number in range(90)]
    vendor = Vendor(name, list(jobs), {2: [lambda vendor: vendor.leave(0)]})
    with pytest.raises(IncompleteListingError, match="moved"):
        read(vendor, 20, "fail")
    assert vendor.requests <= 10


@EACH
def test_drift_may_be_let_pass_with_a_warning(name: str, caplog: pytest.LogCaptureFixture) -> None:
    jobs = [f"j{number}" for number in range(90)]
    known = LISTINGS[name]
    request = known.request({"organization_id": "o", SIZE_NAMES[name]: 20})
    vendor = cast(Client, Vendor(name, list(jobs), hiding(9)))
    pages = list(read_pages(vendor, known, request, on_drift="warn", begun=BEGUN))
    assert pages[-1].passes == 3
    assert "pass 3" in str(pages[-1].doubt)
    assert not any(page.doubt for page in pages[:-1])
    assert "may lack rows" in caplog.text


def test_a_stable_listing_with_a_total_costs_14_percent_more_and_a_look_at_the_first_page() -> None:
    vendor = Vendor("talkifai.batch_jobs", [f"j{number}" for number in range(10_000)])
    assert read(vendor, 100) == vendor.jobs
    assert vendor.requests == 115


def test_a_stable_listing_without_a_total_costs_a_second_pass() -> None:
    vendor = Vendor("llamacloud.batch_processing_jobs", [f"j{number}" for number in range(10_500)])
    assert read(vendor, 1000) == vendor.jobs
    assert vendor.requests == 2 * 12


@EACH
@pytest.mark.parametrize("count", [0, 1, 19])
def test_a_listing_of_one_page_is_read_once(name: str, count: int) -> None:
    vendor = Vendor(name, [f"j{number}" for number in range(count)])
    assert read(vendor, 20) == vendor.jobs
    assert vendor.requests <= 2


@EACH
@pytest.mark.parametrize("leaving", [0.0, 1.0])
def test_a_row_that_jumps_from_behind_the_first_page_to_its_front_is_read(name: str, leaving: float) -> None:
    vendor = Vendor(name, [f"j{number}" for number in range(10)], {1: [move("leave", leaving), move("jump", 1.0)]})
    assert {*read(vendor, 9), *vendor.left} >= {f"j{number}" for number in range(10)}


@EACH
def test_a_row_that_python_cannot_hold_counts_as_one_that_was_there(name: str) -> None:
    listing = LISTINGS[name]
    huge = Row("a", "done", f'{{"id":"a","n":{"9" * 5000},"{listing.created_field}":"2999-01-01T00:00:00Z"}}'.encode())
    assert listing.existed(huge, BEGUN)
