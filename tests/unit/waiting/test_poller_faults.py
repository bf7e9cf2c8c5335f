"""Polling that behaves when the vendor does not: what fails is waited out, passed on, or ends the wait it concerns."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any
from unittest import mock

import pytest

from airflow_batch_provider.client.rate_limit import shared_rate_limiter
from airflow_batch_provider.client.retry import LONGEST_RETRY_AFTER
from airflow_batch_provider.exceptions import AuthenticationError, NotFoundError
from airflow_batch_provider.triggers.batch import BatchStatusTrigger
from airflow_batch_provider.waiting import verdict
from airflow_batch_provider.waiting.poll import MOST_FAILURES, SINGLES_AT_ONCE
from airflow_batch_provider.waiting.watch import MAX_POLL_FAILURES
from tests.unit.waiting.fake_vendor import (
    BATCH,
    LISTED,
    PLAYMENT,
    PROCESSING_JOB,
    TALKIFAI,
    background,
    connected,
    event_of,
    is_listing,
    joined,
    poller,
    said,
    serving,
    states,
    trigger,
    until,
)
from tests.vendor_server import Answer, How

MANY = [f"b{number}" for number in range(12)]
UNWELL = {
    "an HTML page": Answer(200, b"<html><body>Sign in</body></html>", {"Content-Type": "text/html"}),
    "an HTML page as an error": Answer(502, b"<html>Bad Gateway</html>", {"Content-Type": "text/html"}),
    "an overload": said(503),
    "an error of its own": said(500),
    "a rate limit without a time": said(429),
    "a body cut short": Answer(body=b'{"id": "a"', how=How.BROKEN_OFF),
    "no answer": Answer(how=How.CLOSE),
}


@pytest.mark.parametrize("answer", UNWELL.values(), ids=UNWELL)
def test_a_wait_goes_on_after_a_fault_that_passes(answer: Answer) -> None:
    with serving(TALKIFAI, "a") as vendor:
        vendor.finish("a")
        faults = [answer, answer]
        vendor.fault = lambda path, query: faults.pop() if faults else None
        event = asyncio.run(event_of(trigger("a")))
    assert event["error"] is None
    assert not faults


@pytest.mark.parametrize("answer", UNWELL.values(), ids=UNWELL)
def test_a_fault_that_persists_ends_a_wait_after_the_configured_number_of_polls(answer: Answer) -> None:
    with serving(TALKIFAI, "a") as vendor:
        vendor.fault = lambda path, query: answer
        event = asyncio.run(event_of(trigger("a", max_poll_failures=3)))
        assert event["error"] == "TransientError"
        assert len(vendor.server.asked) == 3


def test_failures_count_anew_after_a_poll_that_worked() -> None:
    with serving(TALKIFAI, "a") as vendor:
        script = [said(503), None, said(503), None, said(503), None]
        vendor.fault = lambda path, query: script.pop(0) if script else vendor.finish("a")
        event = asyncio.run(event_of(trigger("a", max_poll_failures=2)))
    assert event["error"] is None


def test_a_vendor_that_is_unwell_is_not_asked_for_the_other_waits_of_the_tick() -> None:
    ids = [f"b{number}" for number in range(40)]
    with serving(TALKIFAI, *ids) as vendor:
        vendor.fault = lambda path, query: said(503)

        async def wait_for_all() -> None:
            async with background(*(event_of(trigger(id_, scope={}, poll_interval=1)) for id_ in ids)):
                await until(lambda: poller(TALKIFAI, {})._not_before > 0)
                assert len(vendor.server.asked) < MOST_FAILURES + SINGLES_AT_ONCE

        asyncio.run(wait_for_all())


def test_the_order_rotates_so_that_each_wait_is_asked_for_while_many_fail() -> None:
    broken, well = [f"x{number}" for number in range(2 * MOST_FAILURES)], [f"b{number}" for number in range(20)]
    with serving(TALKIFAI, *broken, *well) as vendor:
        vendor.fault = lambda path, query: said(500) if "/x" in path else None

        async def wait_for_all() -> list[dict[str, Any]]:
            async with background(*(event_of(trigger(id_, scope={})) for id_ in broken)):
                waiting = [asyncio.create_task(event_of(trigger(id_, scope={}))) for id_ in well]
                await until(lambda: set(well) <= set(vendor.singles))
                vendor.finish(*well)
                return await asyncio.gather(*waiting)

        assert {event["error"] for event in asyncio.run(wait_for_all())} == {None}


def test_a_batch_whose_own_endpoint_always_fails_ends_its_own_wait_only() -> None:
    with serving(TALKIFAI, *MANY) as vendor:
        vendor.fault = lambda path, query: said(500) if path.endswith("/b4") else None

        async def wait_for_all() -> tuple[dict[str, Any], list[dict[str, Any]]]:
            waiting = {id_: asyncio.create_task(event_of(trigger(id_, scope={}))) for id_ in MANY}
            failed = await waiting.pop("b4")
            assert not any(task.done() for task in waiting.values())
            vendor.finish(*waiting)
            return failed, await asyncio.gather(*waiting.values())

        failed, others = asyncio.run(wait_for_all())
        assert failed["error"] == "TransientError"
        assert vendor.singles.count("b4") == MAX_POLL_FAILURES
        assert {event["error"] for event in others} == {None}


def test_each_failure_in_a_row_makes_the_next_poll_wait_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("random.uniform", lambda low, high: high)
    with serving(TALKIFAI, "a") as vendor:
        vendor.fault = lambda path, query: said(503)

        async def wait() -> list[float]:
            shared, gaps = poller(), []
            with joined(shared, "a", 0.02) as place:
                for _ in range(4):
                    with pytest.raises(Exception, match="503"):
                        await place.next()
                    before = asyncio.get_running_loop().time()
                    (wait,) = shared._each()
                    await until(lambda before=before, wait=wait: wait.due > before + 0.03)
                    gaps.append(round(wait.due - before, 2))
            return gaps

        gaps = asyncio.run(wait())
    assert gaps == sorted(gaps)
    assert gaps[-1] > 4 * gaps[0]


RETRY_AFTER = {
    "seconds": lambda: "90",
    "a date": lambda: format_datetime(datetime.now(UTC) + timedelta(seconds=90), usegmt=True),
}


def test_a_batch_that_asks_for_patience_delays_its_own_wait_only() -> None:
    with serving(TALKIFAI, "a", "b") as vendor:
        vendor.fault = lambda path, query: said(503, Retry_After="90") if path.endswith("a") else None

        async def wait() -> None:
            async with background(event_of(trigger("a"))):
                await states(poller(), "b", 10)

        asyncio.run(wait())
        assert vendor.singles.count("a") == 1


@pytest.mark.parametrize("written", RETRY_AFTER.values(), ids=RETRY_AFTER)
def test_retry_after_holds_all_pollers_of_the_connection_and_no_other(written: Any) -> None:
    with serving(TALKIFAI, "a", "b") as vendor, serving(PROCESSING_JOB, "c"):
        vendor.fault = lambda path, query: said(429, Retry_After=written()) if path.endswith("a") else None

        async def wait() -> None:
            rate_limiter = shared_rate_limiter("talkifai_default", None)
            async with background(event_of(trigger("a"))):
                await until(lambda: rate_limiter.held_for() > 0)
                assert 60 < rate_limiter.held_for() <= 90
                asked = len(vendor.server.asked)
                async with background(event_of(trigger("b", scope={}))):
                    await states(poller(PROCESSING_JOB), "c", 10)
                assert len(vendor.server.asked) == asked

        asyncio.run(wait())


def test_a_hold_that_begins_while_another_poller_polls_blocks_no_thread(pauses: list[float]) -> None:
    ids = [f"b{number}" for number in range(20)]
    with serving(TALKIFAI, *ids) as vendor:

        def hold(path: str, query: Any) -> None:
            if len(vendor.server.asked) == 1:
                shared_rate_limiter("talkifai_default", None).hold(3600)

        vendor.fault = hold

        async def wait() -> None:
            shared = poller(TALKIFAI, {})
            async with background(*(states(shared, id_, 10**6) for id_ in ids)):
                await until(lambda: pauses or len(vendor.server.asked) >= len(ids))

        asyncio.run(wait())
    assert max(pauses, default=0) <= LONGEST_RETRY_AFTER


def test_a_retry_after_without_measure_does_not_hold_the_connection_forever() -> None:
    with serving(TALKIFAI, "a") as vendor:
        vendor.fault = lambda path, query: said(429, Retry_After="9" * 400)

        async def wait() -> None:
            rate_limiter = shared_rate_limiter("talkifai_default", None)
            async with background(event_of(trigger("a"))):
                await until(lambda: rate_limiter.held_for() > 0)
                assert rate_limiter.held_for() <= 24 * 3600

        asyncio.run(wait())


@pytest.mark.parametrize("kind", LISTED)
def test_a_key_that_is_refused_after_a_while_ends_every_wait(kind: str) -> None:
    with serving(kind, *MANY) as vendor:

        async def wait_for_all() -> list[dict[str, Any]]:
            waiting = [asyncio.create_task(event_of(trigger(id_, kind))) for id_ in MANY]
            await states(poller(kind), MANY[0], 2)
            vendor.fault = lambda path, query: said(401, "Invalid API key the-secret-key")
            return await asyncio.gather(*waiting)

        events = asyncio.run(wait_for_all())
    assert {event["error"] for event in events} == {"AuthenticationError"}
    assert "the-secret-key" not in json.dumps(events)
    with pytest.raises(AuthenticationError):
        verdict.read_event(events[0]).result()


@pytest.mark.parametrize("kind", LISTED)
def test_a_batch_that_is_deleted_while_others_are_waited_for_ends_its_own_wait_only(kind: str) -> None:
    with serving(kind, *MANY) as vendor:

        async def wait_for_all() -> list[dict[str, Any]]:
            waiting = [asyncio.create_task(event_of(trigger(id_, kind))) for id_ in MANY]
            await states(poller(kind), MANY[0], 2)
            del vendor.batches[MANY[5]]
            gone = await waiting.pop(5)
            await states(poller(kind), MANY[0], 3)
            assert not any(task.done() for task in waiting)
            vendor.finish(*vendor.batches)
            assert {event["error"] for event in await asyncio.gather(*waiting)} == {None}
            return [gone]

        (event,) = asyncio.run(wait_for_all())
    assert event["error"] == "NotFoundError"
    with pytest.raises(NotFoundError):
        verdict.read_event(event).result()


def test_a_playment_batch_that_is_deleted_ends_its_own_wait_only() -> None:
    with serving(PLAYMENT, "a", "b") as vendor:

        async def wait_for_both() -> tuple[dict[str, Any], dict[str, Any]]:
            kept, gone = (asyncio.create_task(event_of(trigger(id_, PLAYMENT))) for id_ in "ab")
            await until(lambda: vendor.server.asked)
            del vendor.batches["b"]
            first = await gone
            vendor.finish("a")
            return first, await kept

        gone, kept = asyncio.run(wait_for_both())
    assert gone["error"] == "NotFoundError"
    assert kept["error"] is None


def test_a_listing_that_is_refused_gives_way_to_single_reads() -> None:
    with serving(TALKIFAI, *MANY) as vendor:
        vendor.fault = lambda path, query: said(403) if is_listing(TALKIFAI, path) else None

        async def wait_for_all() -> list[dict[str, Any]]:
            waiting = [asyncio.create_task(event_of(trigger(id_))) for id_ in MANY]
            await states(poller(), MANY[0], 3)
            vendor.finish(*MANY)
            return await asyncio.gather(*waiting)

        events = asyncio.run(wait_for_all())
        assert {event["error"] for event in events} == {None}
        assert 10 * len(vendor.listings) < len(vendor.singles)


def test_a_word_that_is_not_documented_is_polled_singly_and_said_once(monkeypatch: pytest.MonkeyPatch) -> None:
    log = mock.Mock()
    monkeypatch.setattr(BatchStatusTrigger, "log", log)
    with serving(TALKIFAI, *MANY) as vendor:
        vendor.batches["b4"]["status"] = "paused"

        async def wait_for_all() -> dict[str, Any]:
            async with background(*(event_of(trigger(id_)) for id_ in MANY if id_ != "b4")):
                waiting = asyncio.create_task(event_of(trigger("b4")))
                await until(lambda: vendor.singles.count("b4") >= 3)
                assert not waiting.done()
                vendor.finish("b4")
                return await waiting

        event = asyncio.run(wait_for_all())
        assert set(vendor.singles) == {"b4"}
    assert event["error"] is None
    (warning,) = log.warning.call_args_list
    assert "paused" in warning.args


def test_a_fault_while_the_reader_is_opened_is_waited_out(monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow_batch_provider.waiting import pollers

    faults = [ConnectionResetError("the API server restarts")]
    real = pollers.get_async_connection

    async def flaky(*args: Any, **kwargs: Any) -> Any:
        if faults:
            raise faults.pop()
        return await real(*args, **kwargs)

    monkeypatch.setattr(pollers, "get_async_connection", flaky)
    with serving(TALKIFAI, "a") as vendor:
        vendor.finish("a")
        assert asyncio.run(event_of(trigger("a")))["error"] is None


def test_a_timeout_of_the_connection_lookup_is_not_the_timeout_of_the_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow_batch_provider.waiting import pollers

    async def slow(*args: Any, **kwargs: Any) -> Any:
        raise TimeoutError("the API server did not answer")

    monkeypatch.setattr(pollers, "get_async_connection", slow)
    with connected("llamacloud", "http://127.0.0.1:9"):
        try:
            event = asyncio.run(event_of(trigger("a", BATCH, max_poll_failures=1)))
        except TimeoutError:
            return  # the trigger failed, and the task with it: retried by Airflow
    assert event["error"] != "BatchTimeoutError"
