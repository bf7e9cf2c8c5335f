"""Listings whose rows come, go and change places while they are read."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, Literal, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from airflow_batch_provider.apis.endpoint import Listing
from airflow_batch_provider.apis.page import Row
from airflow_batch_provider.apis.paging import InOrder, Step, Taken
from airflow_batch_provider.apis.request import Answer, Request
from airflow_batch_provider.client.client import Client
from airflow_batch_provider.exceptions import IncompleteListingError, NotFoundError, RequestRefusedError
from airflow_batch_provider.listing.pages import read_pages
from airflow_batch_provider.listing.passes import OnDrift
from airflow_batch_provider.vendors.llamacloud import BATCH_PROCESSING_JOBS
from airflow_batch_provider.vendors.talkifai import BATCH_JOBS
from tests.vendor_server import PAGES, Served

REFUSAL = "Result window is too large"
BEGUN = datetime(2026, 3, 1, tzinfo=UTC)
LISTINGS = {known.name: known for known in (BATCH_PROCESSING_JOBS, BATCH_JOBS)}
SIZE_NAMES = {"llamacloud.batch_processing_jobs": "limit", "talkifai.batch_jobs": "page_size"}
EACH = pytest.mark.parametrize("name", LISTINGS)

Move = Callable[["Vendor"], None]


@dataclass
class Vendor:
    """Holds the jobs of a listing in order, and moves them before each request.

    :param caps: the most rows in a page, for one request after the other, over and over
    :param total: what it reports as the number of jobs; by default what the vendor's documentation says
    :param error: returns why a page is refused: a status, 200 for an empty page, None if it is not
    """

    name: str
    jobs: list[str]
    moves: Mapping[int, list[Move]] = field(default_factory=dict)
    caps: Sequence[int] = (1000,)
    total: int | Literal["exact", "absent"] | None = "exact"
    echoes: bool = True
    error: Callable[[int, int], int | None] = lambda start, end: None
    requests: int = 0
    joined: int = 0
    left: set[str] = field(default_factory=set)

    def send(self, request: Request, read: Callable[[Answer], Any]) -> Any:
        """Answer as a client does."""
        for move in self.moves.get(self.requests, ()):
            move(self)
        self.requests += 1
        query = {key: str(value) for key, value in request.query.items()}
        size = int(query.get("limit") or query["pageSize"])
        start = int(query["offset"]) if "offset" in query else (int(query["page"]) - 1) * size
        status = self.error(start, start + size)
        if status == 404:
            raise NotFoundError(REFUSAL)
        if status and status != 200:
            raise RequestRefusedError(REFUSAL)
        total = len(self.jobs) if self.total == "exact" else self.total
        rows = [] if status else [_row(self.name, job) for job in self.jobs]
        cap = self.caps[(self.requests - 1) % len(self.caps)]
        return read(Answer(200, {}, PAGES[self.name](Served(rows, cap, total=total, echoes=self.echoes), query).body))

    def join(self, place: float) -> None:
        """Create a job anywhere."""
        self.joined += 1
        self.jobs.insert(round(place * len(self.jobs)), f"new{self.joined}")

    def leave(self, place: float) -> None:
        """Delete a job anywhere."""
        if self.jobs:
            self.left.add(self.jobs.pop(round(place * (len(self.jobs) - 1))))

    def shuffle(self, place: float) -> None:
        """Put all jobs into another order, as servers do that sort by what many jobs have in common."""
        random.Random(place).shuffle(self.jobs)  # noqa: S311 - moves, not secrets

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
        for kind, listing in (
            ("plain", replace(LISTINGS[name], paging=PlainPages(), total_is_exact=False)),
            ("ours", None),
        ):
            vendor = Vendor(name, list(jobs), moving)
            found = read(vendor, 25, listing=listing)
            lost[kind] += not set(found) >= set(jobs) - vendor.left
    assert lost["ours"] == 0
    assert lost["plain"] > 20


SMALL = [([1], (1000,)), ([2], (1000,)), ([3], (1000,)), ([4, 5, 6, 7, 8], (1000,)), ([10, 20], (1, 5, 20, 2, 7))]


@EACH
@pytest.mark.parametrize(("sizes", "caps"), SMALL)
@pytest.mark.parametrize("kinds", [["leave"], ["join"], ["leave", "join", "jump"], ["shuffle"]], ids="-".join)
def test_jobs_that_move_between_pages_that_cannot_overlap_are_all_read_or_the_listing_fails(
    name: str, sizes: list[int], caps: Sequence[int], kinds: list[str]
) -> None:
    drawn = random.Random(7)  # noqa: S311 - moves, not secrets
    read_whole = 0
    for run in range(60):
        first, often = drawn.randrange(1, 40), drawn.choice([2, 10, 100])
        moving = {number: [move(drawn.choice(kinds), drawn.random())] for number in range(first, 200, often)}
        jobs = [f"j{number}" for number in range(40)]
        total = "exact" if name == "talkifai.batch_jobs" else None
        vendor = Vendor(name, list(jobs), moving if run else {}, caps=caps, total=total)
        try:
            found = read(vendor, drawn.choice(sizes))
        except IncompleteListingError:
            continue
        assert len(found) == len(set(found))
        assert set(found) >= set(jobs) - vendor.left
        read_whole += 1
    assert read_whole


@pytest.mark.parametrize("size", [1, 2, 3, 20])
@pytest.mark.parametrize("servers", [2, 3])
def test_servers_that_answer_in_turn_and_order_rows_differently_hide_none(servers: int, size: int) -> None:
    drawn = random.Random(7)  # noqa: S311 - moves, not secrets
    for _ in range(60):
        jobs = [f"j{number}" for number in range(drawn.randrange(20, 80))]
        orders = [_nearly(jobs, drawn) for _ in range(servers)]

        def next_server(vendor: Vendor, orders: list[list[str]] = orders) -> None:
            vendor.jobs = orders[vendor.requests % servers]

        turns = {number: [next_server] for number in range(1000)}
        vendor = Vendor("llamacloud.batch_processing_jobs", jobs, turns, total=None)
        try:
            assert set(read(vendor, size)) == set(jobs)
        except IncompleteListingError:
            continue


def _nearly(jobs: list[str], drawn: random.Random) -> list[str]:
    """Return jobs with some neighbours exchanged."""
    jobs = list(jobs)
    for _ in range(drawn.choice([1, 2, 5, 50])):
        place = drawn.randrange(len(jobs) - 1)
        jobs[place], jobs[place + 1] = jobs[place + 1], jobs[place]
    return jobs


@pytest.mark.parametrize("lengths", [[1, 2, 3], [1, 20], [7, 8, 9]])
def test_new_jobs_that_push_others_over_the_edges_of_pages_of_changing_length_hide_none(lengths: list[int]) -> None:
    drawn = random.Random(7)  # noqa: S311 - moves, not secrets
    for _ in range(200):
        jobs = [f"j{number}" for number in range(drawn.choice([5, 40]))]
        joining = {number: [move("join", 0.0)] for number in range(1, 400) if drawn.random() < 0.3}
        caps = drawn.choices(lengths, k=400)
        vendor = Vendor("llamacloud.batch_processing_jobs", list(jobs), joining, caps=caps, total=None)
        try:
            assert set(read(vendor, 20)) >= set(jobs)
        except IncompleteListingError:
            continue


@pytest.mark.parametrize("size", [1, 2, 3])
def test_pages_that_cannot_overlap_take_a_second_pass(size: int) -> None:
    vendor = Vendor("talkifai.batch_jobs", [f"j{number}" for number in range(30)])
    assert read(vendor, size, "fail") == vendor.jobs
    assert vendor.requests <= 2 * (30 / size + 12)


def test_a_job_that_jumps_in_every_pass_fails_the_listing() -> None:
    jobs = [f"j{number}" for number in range(90)]
    vendor = Vendor("llamacloud.batch_processing_jobs", jobs, {number: [move("jump", 0.9)] for number in range(1, 100)})
    with pytest.raises(IncompleteListingError, match="moved"):
        read(vendor, 20)


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


@EACH
@pytest.mark.parametrize("count", [500, 1000])
def test_new_jobs_may_join_at_every_request_of_a_long_listing(name: str, count: int) -> None:
    jobs = [f"j{number}" for number in range(count)]
    joining: dict[int, list[Move]] = {number: [lambda vendor: vendor.join(0)] for number in range(1, 1000)}
    vendor = Vendor(name, list(jobs), joining)
    assert set(read(vendor, 25)) >= set(jobs)


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
