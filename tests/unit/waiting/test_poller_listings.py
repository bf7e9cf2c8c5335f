"""Listings that move while they are read: no wait ends, fails or goes wrong because of it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from airflow_batch_provider.waiting.reader import StateReader
from tests.unit.waiting.fake_vendor import (
    BATCH,
    LISTED,
    PROCESSING_JOB,
    TALKIFAI,
    WORDS,
    FakeVendor,
    event_of,
    poller,
    serving,
    states,
    trigger,
    until,
)

MANY = [f"b{number}" for number in range(12)]


def ends_after_each_page(vendor: FakeVendor, *ids: str) -> None:
    left = list(ids)
    vendor.after_page = lambda: vendor.finish(left.pop(0)) if left else None


def test_a_batch_that_is_pulled_over_a_page_boundary_is_found_by_the_overlap() -> None:
    with serving(PROCESSING_JOB, *MANY) as vendor:
        vendor.cap = 4
        ends_after_each_page(vendor, MANY[0])  # pulls b4 into the page that was read

        async def wait_for_all() -> list[dict[str, Any]]:
            waiting = [asyncio.create_task(event_of(trigger(id_, PROCESSING_JOB))) for id_ in MANY]
            assert (await waiting[0])["error"] is None
            assert "b4" not in vendor.singles
            assert not any(task.done() for task in waiting[1:])
            vendor.finish(*MANY)
            return await asyncio.gather(*waiting)

        events = asyncio.run(wait_for_all())
    assert [event["error"] for event in events] == [None] * len(MANY)


def test_a_listing_that_shrinks_while_it_is_read_is_no_failure() -> None:
    with serving(TALKIFAI, *MANY) as vendor:
        vendor.cap = 4
        ends_after_each_page(vendor, MANY[0], MANY[1])

        async def wait_for_all() -> list[str]:
            shared = poller()
            seen = await asyncio.gather(*(states(shared, id_) for id_ in MANY))
            return [state.id for (state,) in seen]

        assert asyncio.run(wait_for_all()) == MANY


def test_a_listing_that_shrinks_at_every_poll_ends_no_wait() -> None:
    ids = [f"b{number}" for number in range(40)]
    with serving(TALKIFAI, *ids) as vendor:
        vendor.cap = 10
        ends_after_each_page(vendor, *ids[:-10])

        async def wait_for_the_last() -> list[dict[str, Any]]:
            waiting = [asyncio.create_task(event_of(trigger(id_, max_poll_failures=3))) for id_ in ids]
            await asyncio.gather(*waiting[:-10])
            vendor.finish(*ids)
            return await asyncio.gather(*waiting)

        events = asyncio.run(wait_for_the_last())
    assert {event["error"] for event in events} == {None}


@pytest.mark.parametrize("kind", LISTED)
def test_a_batch_that_the_listing_shows_as_finished_is_confirmed_by_a_single_read(kind: str) -> None:
    """It ran when the filter looked and had ended when the row was written, or the vendor ignores the filter."""
    with serving(kind, *MANY) as vendor:
        vendor.fault = lambda path, query: query.pop("status", None) and None  # type: ignore[attr-defined]
        vendor.finish(*MANY)

        async def wait_for_all() -> None:
            await asyncio.gather(*(event_of(trigger(id_, kind)) for id_ in MANY))

        asyncio.run(wait_for_all())
        assert sorted(vendor.singles) == sorted(MANY)


def test_failed_files_are_not_overlooked_when_the_listing_shows_a_batch_as_completed() -> None:
    files = [{"error_message": "corrupt"}, {"error_message": None}]
    with serving(BATCH, *MANY) as vendor:

        def answer(path: str, query: Any) -> None:
            query.pop("status", None)
            for batch in vendor.batches.values():
                batch["results"] = files if "expand" in query else None

        vendor.fault = answer
        vendor.finish(*MANY)

        async def wait_for_all() -> list[dict[str, Any]]:
            return await asyncio.gather(*(event_of(trigger(i, BATCH, fail_on_item_failures=True)) for i in MANY))

        events = asyncio.run(wait_for_all())
    assert {event["error"] for event in events} == {"BatchItemsFailedError"}


@pytest.mark.parametrize("kind", LISTED)
def test_a_batch_that_left_the_listing_and_runs_again_at_the_confirmation_is_waited_on(kind: str) -> None:
    with serving(kind, *MANY) as vendor:
        back: list[str] = []

        def goes_back(path: str, query: Any) -> None:
            if path.endswith("b7") and not back:
                back.append(path)
                vendor.batches["b7"]["status"] = WORDS[kind][0]

        async def wait_for_all() -> dict[str, Any]:
            waiting = [asyncio.create_task(event_of(trigger(id_, kind))) for id_ in MANY]
            await states(poller(kind), MANY[0], 2)
            vendor.fault = goes_back
            vendor.finish("b7")
            await until(lambda: back)
            await states(poller(kind), MANY[0], 3)
            assert not any(task.done() for task in waiting)
            vendor.finish(*MANY)
            return (await asyncio.gather(*waiting))[7]

        event = asyncio.run(wait_for_all())
    assert event["error"] is None


def test_the_listing_is_never_read_further_than_single_reads_would_cost() -> None:
    others = [f"other{number}" for number in range(200)]
    with serving(PROCESSING_JOB, *others, *MANY) as vendor:
        vendor.cap = 2

        async def look() -> None:
            shared = poller(PROCESSING_JOB)
            await asyncio.gather(*(states(shared, id_) for id_ in MANY))

        asyncio.run(look())
        assert len(vendor.listings) <= len(MANY)


def test_a_listing_that_cost_more_than_single_reads_is_not_read_at_the_next_poll() -> None:
    others = [f"other{number}" for number in range(200)]
    with serving(PROCESSING_JOB, *others, *MANY) as vendor:
        vendor.cap = 2

        async def look() -> None:
            shared = poller(PROCESSING_JOB)
            await asyncio.gather(*(states(shared, id_, 5) for id_ in MANY))

        asyncio.run(look())
        assert len(vendor.listings) <= len(MANY)
        assert StateReader.can_list
