"""The trigger of one wait: what it keeps over a restart, and that it fires once and leaves nothing behind."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from typing import Any

import pytest

from airflow_batch_provider.exceptions import InvalidParameterError
from airflow_batch_provider.triggers.batch import BatchStatusTrigger
from airflow_batch_provider.waiting.watch import MAX_POLL_FAILURES
from tests.unit.waiting.fake_vendor import (
    PLAYMENT,
    SCOPES,
    TALKIFAI,
    background,
    event_of,
    poller,
    serving,
    states,
    trigger,
    until,
    until_quiet,
)

ALL_SET = {
    "kind": TALKIFAI,
    "connection_id": "c",
    "batch_id": "b",
    "scope": {"organization_id": "o"},
    "poll_interval": 5.0,
    "end_time": 1e9,
    "timeout": 60.0,
    "fail_on_item_failures": True,
    "stalled_after": 30.0,
    "mark": "running|1|",
    "moved_at": 1e8,
    "max_poll_failures": 3,
    "hook": "package.module.Hook",
    "not_before": 1e9,
    "cancel_on_kill": True,
    "version": 1,
}
REQUIRED = ("kind", "connection_id", "batch_id", "scope", "poll_interval")


def restarted(waiting: BatchStatusTrigger) -> BatchStatusTrigger:
    _, kwargs = waiting.serialize()
    return BatchStatusTrigger(**json.loads(json.dumps(kwargs)))


def test_a_trigger_is_the_same_after_a_restart() -> None:
    path, kwargs = BatchStatusTrigger(**ALL_SET).serialize()
    assert path == "airflow_batch_provider.triggers.batch.BatchStatusTrigger"
    assert kwargs == ALL_SET
    assert restarted(BatchStatusTrigger(**ALL_SET)).serialize() == (path, kwargs)


def test_the_kwargs_of_another_version_are_taken() -> None:
    assert BatchStatusTrigger(**ALL_SET, of_a_later_version={"x": 1}).serialize()[1] == ALL_SET


def test_a_misspelt_argument_is_refused() -> None:
    with pytest.raises(InvalidParameterError, match="takes no argument 'poll_intervall'"):
        BatchStatusTrigger(**{name: ALL_SET[name] for name in REQUIRED}, poll_intervall=3)


def test_kwargs_that_an_earlier_version_did_not_have_get_defaults() -> None:
    waiting = BatchStatusTrigger(**{name: ALL_SET[name] for name in REQUIRED})
    assert waiting.serialize()[1] == {
        **{name: ALL_SET[name] for name in REQUIRED},
        "end_time": None,
        "timeout": None,
        "fail_on_item_failures": False,
        "stalled_after": None,
        "mark": "",
        "moved_at": None,
        "max_poll_failures": MAX_POLL_FAILURES,
        "hook": None,
        "not_before": None,
        "cancel_on_kill": False,
        "version": 1,
    }


def test_a_deadline_that_passed_while_the_triggerer_was_down_leaves_one_look() -> None:
    with serving(TALKIFAI, "a"):
        waiting = trigger("a", end_time=time.time() - 1, timeout=60, poll_interval=3600)
        event = asyncio.run(event_of(restarted(waiting)))
    assert event["error"] == "BatchTimeoutError"
    assert event["state"]["id"] == "a"


def test_a_batch_that_finished_while_the_triggerer_was_down_is_finished_though_the_deadline_passed() -> None:
    with serving(TALKIFAI, "a") as vendor:
        vendor.finish("a")
        waiting = trigger("a", end_time=time.time() - 3600, timeout=60)
        assert asyncio.run(event_of(restarted(waiting)))["error"] is None


def test_the_look_after_the_deadline_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("airflow_batch_provider.triggers.batch.LATE_POLL", 0.1)
    answered = threading.Event()
    with serving(TALKIFAI, "a") as vendor:
        vendor.fault = lambda path, query: answered.wait(20) and None

        async def wait() -> dict[str, Any]:
            try:
                return await event_of(trigger("a", end_time=time.time() - 1, timeout=60))
            finally:
                answered.set()

        assert asyncio.run(wait())["error"] == "BatchTimeoutError"


def test_a_wait_times_out_while_the_vendor_does_not_answer() -> None:
    answered = threading.Event()
    with serving(TALKIFAI, "a") as vendor:
        vendor.fault = lambda path, query: answered.wait(20) and None

        async def wait() -> dict[str, Any]:
            try:
                return await event_of(trigger("a", end_time=time.time() + 0.2, timeout=0.2))
            finally:
                answered.set()

        assert asyncio.run(wait())["error"] == "BatchTimeoutError"


def test_stillness_counts_across_a_restart() -> None:
    with serving(TALKIFAI, "a"):

        async def see() -> str:
            ((state,),) = await asyncio.gather(states(poller(), "a"))
            return state.mark

        facts = {"mark": asyncio.run(see()), "moved_at": time.time() - 3600, "stalled_after": 3000}
        assert asyncio.run(event_of(restarted(trigger("a", **facts))))["error"] == "BatchStalledError"


def test_a_batch_that_moved_while_the_triggerer_was_down_is_not_stalled() -> None:
    with serving(TALKIFAI, "a") as vendor:

        async def wait() -> None:
            waiting = trigger("a", mark="running|1|", moved_at=time.time() - 3600, stalled_after=3000)
            async with background(event_of(waiting)) as (task,):
                await until(lambda: len(vendor.server.asked) > 3)
                assert not task.done()

        asyncio.run(wait())


@pytest.mark.parametrize("jump", [86_400.0, -86_400.0])
def test_a_jump_of_the_wall_clock_ends_no_wait(jump: float, monkeypatch: pytest.MonkeyPatch) -> None:
    real = time.time
    with serving(TALKIFAI, "a") as vendor:

        async def wait() -> None:
            waiting = trigger("a", end_time=real() + 3600, timeout=3600, stalled_after=3600)
            async with background(event_of(waiting)) as (task,):
                await until(lambda: vendor.server.asked)
                monkeypatch.setattr(time, "time", lambda: real() + jump)
                asked = len(vendor.server.asked)
                await until(lambda: len(vendor.server.asked) > asked + 3)
                assert not task.done()
                vendor.finish("a")
                assert (await task)["error"] is None

        asyncio.run(wait())


@pytest.mark.parametrize("kind", SCOPES)
def test_a_trigger_fires_once(kind: str) -> None:
    with serving(kind, "a") as vendor:
        vendor.finish("a")

        async def run() -> list[Any]:
            async with asyncio.timeout(20):
                return [event.payload async for event in trigger("a", kind).run()]

        (event,) = asyncio.run(run())
    assert event["state"]["id"] == "a"
    assert len(json.dumps(event)) < 1000


def test_a_cancelled_trigger_leaves_no_task_and_sends_nothing() -> None:
    with serving(PLAYMENT, "a") as vendor:  # the vendor takes GET only, and fails the test otherwise

        async def cancel() -> int:
            waiting = trigger("a", PLAYMENT)
            task = asyncio.create_task(event_of(waiting))
            await until(lambda: vendor.server.asked)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await waiting.cleanup()
            await until_quiet()
            return len(vendor.server.asked)

        asked = asyncio.run(cancel())
        assert len(vendor.server.asked) == asked


def test_a_wait_cancelled_while_its_read_is_under_way_ends_at_once() -> None:
    held, came = threading.Event(), threading.Event()
    with serving(TALKIFAI, "a") as vendor:
        vendor.fault = lambda path, query: came.set() or (held.wait(20) and None)

        async def cancel() -> None:
            task = asyncio.create_task(event_of(trigger("a")))
            await until(came.is_set)
            task.cancel()
            try:
                with pytest.raises(asyncio.CancelledError):
                    await task
                await until_quiet()
            finally:
                held.set()

        asyncio.run(cancel())
        assert len(vendor.server.asked) == 1


def test_nothing_secret_is_in_what_a_trigger_keeps_or_fires() -> None:
    with serving(TALKIFAI, "a") as vendor:
        vendor.finish("a")
        waiting = trigger("a")
        kept = json.dumps([waiting.serialize(), asyncio.run(event_of(waiting))])
    assert "the-secret-key" not in kept
