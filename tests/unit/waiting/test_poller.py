"""One poll for many waits: what it costs, and that waits come and go as they like."""

from __future__ import annotations

import asyncio
import math
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from airflow_batch_provider.hooks.llamacloud import LlamaCloudHook
from airflow_batch_provider.hooks.talkifai import TalkifAIHook
from airflow_batch_provider.sandbox import Sandbox, Settings, serve
from airflow_batch_provider.testing import connections
from airflow_batch_provider.waiting.kinds import KINDS
from tests.unit.waiting.fake_vendor import (
    BATCH,
    LISTED,
    PLAYMENT,
    PROCESSING_JOB,
    SCOPES,
    TALKIFAI,
    background,
    event_of,
    joined,
    poller,
    serving,
    states,
    trigger,
    until,
    until_quiet,
)

DURATION = 1000.0
LISTINGS: dict[str, Any] = {
    TALKIFAI: lambda: TalkifAIHook().iter_batch_jobs(),
    BATCH: lambda: LlamaCloudHook().iter_batches(),
    PROCESSING_JOB: lambda: LlamaCloudHook().iter_batch_processing_jobs(),
}
PAGE_SIZES = {TALKIFAI: 100, BATCH: 100, PROCESSING_JOB: 1000}


class Clock:
    """Moved by hand."""

    now = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def vendors(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    with serve(Settings(jobs=700, duration=DURATION), clock=clock) as running:
        for name, value in connections(running).items():
            monkeypatch.setenv(name, value)
        clock.now += 0.01 * DURATION
        yield running


def scope_of(kind: str, vendors: Sandbox) -> dict[str, str]:
    return {"organization_id": vendors.how_to["talkifai"]["organization_id"]} if kind == TALKIFAI else {}


@pytest.mark.parametrize("kind", LISTED)
def test_a_tick_of_many_waits_costs_no_more_than_the_pages_of_the_unfinished(kind: str, vendors: Sandbox) -> None:
    rows = list(LISTINGS[kind]())
    words = Counter(row["status"] for row in rows)
    ids = [row["id"] for row in rows if row["status"] in KINDS[kind].unfinished][:300]
    assert len(ids) == 300
    vendors.requests.clear()

    async def wait_for_all() -> None:
        shared = poller(kind, scope_of(kind, vendors))
        seen = await asyncio.gather(*(states(shared, id_, interval=3) for id_ in ids))
        assert all(not state.outcome.is_terminal for (state,) in seen)

    with pytest.MonkeyPatch.context() as patch:
        # By chance, the next tick of the three seconds is in a moment: all are due then, and have left by the next.
        chance = lambda: ((2.7 - time.monotonic()) % 3) / 3600  # noqa: E731
        patch.setattr("airflow_batch_provider.waiting.poller.random.random", chance)
        asyncio.run(wait_for_all())
    pages = sum(math.ceil(words[word] / PAGE_SIZES[kind]) for word in KINDS[kind].unfinished)
    # An offset listing says nothing of its end: one more request each shows it, unless all waits were found before.
    ends = len(KINDS[kind].unfinished) if kind == PROCESSING_JOB else 0
    assert 0 < len(vendors.requests) <= pages + ends
    assert all("status=" in request for request in vendors.requests)


@pytest.mark.parametrize("kind", LISTED)
def test_each_wait_that_ends_costs_one_single_read_more(kind: str, vendors: Sandbox, clock: Clock) -> None:
    rows = list(LISTINGS[kind]())
    ids = [row["id"] for row in rows if row["status"] in KINDS[kind].unfinished][:60]

    async def wait_for_all() -> list[dict[str, Any]]:
        waiting = [
            asyncio.create_task(event_of(trigger(id_, kind, scope=scope_of(kind, vendors), poll_interval=0.1)))
            for id_ in ids
        ]
        await until(lambda: any("status=" in request for request in list(vendors.requests)))
        clock.now += 2 * DURATION
        return await asyncio.gather(*waiting)

    vendors.requests.clear()
    events = asyncio.run(wait_for_all())
    singles = [request for request in vendors.requests if "status=" not in request]
    assert len(singles) == len(ids)
    assert sorted(event["state"]["id"] for event in events) == sorted(ids)


@pytest.mark.parametrize("kind", LISTED)
def test_few_waits_are_read_one_by_one(kind: str) -> None:
    with serving(kind, "a", "b") as vendor:

        async def wait_for_both() -> None:
            shared = poller(kind)
            await asyncio.gather(states(shared, "a", 2), states(shared, "b", 2))

        asyncio.run(wait_for_both())
        assert vendor.listings == []
        assert set(vendor.singles) == {"a", "b"}


def test_a_talkifai_wait_without_an_organization_is_read_alone_even_among_many() -> None:
    with serving(TALKIFAI, *map(str, range(20))) as vendor:

        async def wait_for_all() -> None:
            shared = poller(TALKIFAI, {})
            await asyncio.gather(*(states(shared, str(number)) for number in range(20)))

        asyncio.run(wait_for_all())
        assert vendor.listings == []


def test_waits_for_one_batch_share_its_read() -> None:
    with serving(TALKIFAI, "a") as vendor:

        async def wait_together() -> None:
            shared = poller()
            with joined(shared, "a", 0.02) as one, joined(shared, "a", 0.02) as other:
                await one.next()
                read = len(vendor.server.asked)
                await other.next()
                assert read == 1

        asyncio.run(wait_together())


def test_all_waits_on_a_playment_project_share_one_read() -> None:
    with serving(PLAYMENT, *map(str, range(5))) as vendor:

        async def wait_together() -> None:
            shared = poller(PLAYMENT)
            with joined(shared, "0", 30) as one, joined(shared, "4", 30) as other:
                await one.next()
                assert len(vendor.server.asked) == 1
                await other.next()

        asyncio.run(wait_together())


def test_a_wait_that_joins_late_is_told() -> None:
    with serving(TALKIFAI, "a", "b"):

        async def join_late() -> None:
            shared = poller()
            async with background(states(shared, "a", 10**6)):
                await states(shared, "b", 2)

        asyncio.run(join_late())


def test_a_wait_that_leaves_is_not_read_any_more() -> None:
    with serving(TALKIFAI, "a", "b") as vendor:

        async def leave() -> None:
            shared = poller()
            async with background(states(shared, "b", 10**6)):
                await states(shared, "a")
                await until(lambda: vendor.singles[-2:] == ["b", "b"])  # what was under way has come
                read = vendor.singles.count("a")
                await states(shared, "b", 3)
                assert vendor.singles.count("a") == read

        asyncio.run(leave())


def test_a_wait_that_joins_as_the_last_one_leaves_is_told() -> None:
    with serving(TALKIFAI, "a", "b"):

        async def relay() -> None:
            shared = poller()
            for batch_id in "abababab":
                (state,) = await states(shared, batch_id)
                assert state.id == batch_id

        asyncio.run(relay())


def test_nothing_runs_once_nobody_waits() -> None:
    with serving(TALKIFAI, "a") as vendor:

        async def come_and_go() -> None:
            await states(poller(), "a")
            await until_quiet()
            assert poller().is_idle

        asyncio.run(come_and_go())
        assert vendor.singles


def test_no_request_is_made_for_a_wait_that_left_before_it_was_due() -> None:
    with serving(PLAYMENT, "a") as vendor:

        async def leave_early() -> None:
            shared = poller(PLAYMENT)
            shared._origin = asyncio.get_running_loop().time()
            with joined(shared, "a", 3600) as slow:
                with joined(shared, "a", 0.05):
                    await until(lambda: shared._task and not shared._changed.is_set())
                await until(lambda: asyncio.get_running_loop().time() > shared._origin + 0.5)
                assert slow.seen.empty()

        asyncio.run(leave_early())
        assert vendor.server.asked == []


def test_a_slow_wait_is_not_told_at_every_tick_of_a_fast_one() -> None:
    with serving(TALKIFAI, "fast", "slow") as vendor:

        async def wait_for_both() -> None:
            shared = poller()
            shared._origin = asyncio.get_running_loop().time()
            with joined(shared, "slow", 3600) as slow:
                await states(shared, "fast", 10)
                assert slow.seen.empty()

        asyncio.run(wait_for_both())
        assert "slow" not in vendor.singles


def test_cancelling_one_wait_does_not_touch_another() -> None:
    with serving(TALKIFAI, *map(str, range(10))) as vendor:

        async def cancel_one() -> None:
            waiting = [asyncio.create_task(event_of(trigger(str(number)))) for number in range(10)]
            await until(lambda: vendor.server.asked)
            waiting[3].cancel()
            vendor.finish(*vendor.batches)
            results = await asyncio.gather(*waiting, return_exceptions=True)
            assert isinstance(results.pop(3), asyncio.CancelledError)
            assert [result["error"] for result in results] == [None] * 9
            await until_quiet()

        asyncio.run(cancel_one())


def test_a_thousand_waits_cancelled_at_once_leave_nothing_behind() -> None:
    with serving(TALKIFAI, *map(str, range(1000))) as vendor:

        async def cancel_all() -> None:
            waiting = [asyncio.create_task(event_of(trigger(str(number)))) for number in range(1000)]
            await until(lambda: vendor.server.asked)
            for task in waiting:
                task.cancel()
            results = await asyncio.gather(*waiting, return_exceptions=True)
            assert all(isinstance(result, asyncio.CancelledError) for result in results)
            await until_quiet()
            assert poller(TALKIFAI, SCOPES[TALKIFAI]).is_idle

        asyncio.run(cancel_all())
