"""One wait's trouble is its own: what hangs, fails or is paced delays no other wait."""

from __future__ import annotations

import asyncio
import json
import random
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests
from msgspec.structs import replace

from airflow_batch_provider.client.client import Client
from airflow_batch_provider.exceptions import TransientError
from airflow_batch_provider.hooks.llamacloud import LlamaCloudHook
from airflow_batch_provider.sensors.llamacloud import LlamaCloudBatchSensor
from airflow_batch_provider.triggers.batch import BatchStatusTrigger
from airflow_batch_provider.waiting import poll, pollers, threads
from airflow_batch_provider.waiting.kinds import KINDS
from airflow_batch_provider.waiting.pollers import open_reader
from airflow_batch_provider.waiting.reader import StateReader
from tests.unit.sensors.cases import Case
from tests.unit.sensors.cases import wait as wait_for
from tests.unit.waiting import fragile
from tests.unit.waiting.fake_vendor import (
    BATCH,
    PATIENCE,
    PLAYMENT,
    SCOPES,
    TALKIFAI,
    FakeVendor,
    background,
    event_of,
    joined,
    poller,
    said,
    serving,
    trigger,
    until,
)


@pytest.fixture
def released() -> Iterator[threading.Event]:
    """What hangs goes on when this is set, at the end of the test at the latest."""
    event = threading.Event()
    yield event
    event.set()


@pytest.fixture(autouse=True)
def _soon_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "SLOW", 0.05)


def hang(vendor: FakeVendor, released: threading.Event, *ids: str) -> None:
    """Let the vendor not answer about some batches."""
    vendor.fault = lambda path, query: released.wait(PATIENCE) and None if path.rpartition("/")[2] in ids else None


def test_batches_that_hang_delay_no_other_wait_of_the_connection(released: threading.Event) -> None:
    hanging, well = [f"x{number}" for number in range(30)], [f"b{number}" for number in range(5)]
    with serving(TALKIFAI, *hanging, *well) as vendor:
        hang(vendor, released, *hanging)

        async def wait() -> list[dict[str, Any]]:
            async with background(*(event_of(trigger(id_, scope={})) for id_ in hanging)):
                await until(lambda: any(id_ in vendor.singles for id_ in hanging))
                vendor.finish(*well)
                events = await asyncio.gather(*(event_of(trigger(id_, scope={})) for id_ in well))
                released.set()
                return events

        assert {event["error"] for event in asyncio.run(wait())} == {None}


def test_projects_that_hang_delay_no_other_project_of_the_connection(released: threading.Event) -> None:
    with serving(PLAYMENT, "a") as vendor:
        vendor.fault = lambda path, query: released.wait(PATIENCE) and None if "hanging" in path else None
        vendor.finish("a")

        async def wait() -> dict[str, Any]:
            hanging = [trigger("a", PLAYMENT, scope={"project_id": f"hanging-{number}"}) for number in range(12)]
            async with background(*map(event_of, hanging)):
                await until(lambda: len(vendor.server.asked) >= 8)
                event = await event_of(trigger("a", PLAYMENT))
                released.set()
                return event

        assert asyncio.run(wait())["error"] is None


def test_a_vendor_that_hangs_or_is_paced_delays_no_wait_on_another(
    released: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = [f"x{number}" for number in range(50)]
    with serving(BATCH, *ids) as slow, serving(TALKIFAI, "a") as vendor:
        paced = {
            "conn_type": "llamacloud",
            "host": slow.server.url,
            "password": "k",
            "extra": {"requests_per_minute": 1},
        }
        monkeypatch.setenv("AIRFLOW_CONN_PACED", json.dumps({**paced, "extra": json.dumps(paced["extra"])}))
        hang(slow, released, *ids)
        vendor.finish("a")

        async def wait() -> dict[str, Any]:
            async with background(
                *(event_of(trigger(id_, BATCH)) for id_ in ids),
                *(event_of(trigger(id_, BATCH, connection_id="paced")) for id_ in ids),
            ):
                await until(lambda: len(slow.server.asked) > 2)
                event = await event_of(trigger("a"))
                released.set()
                return event

        assert asyncio.run(wait())["error"] is None


def test_what_hangs_is_asked_for_once_at_a_time(released: threading.Event) -> None:
    with serving(TALKIFAI, "a", "b") as vendor:
        hang(vendor, released, "a")

        async def wait() -> list[dict[str, Any]]:
            both = [asyncio.create_task(event_of(trigger(id_, scope={}))) for id_ in "ab"]
            await until(lambda: vendor.singles.count("b") > 20)
            assert vendor.singles.count("a") == 1
            vendor.finish("a", "b")
            released.set()
            return await asyncio.gather(*both)

        assert {event["error"] for event in asyncio.run(wait())} == {None}


def test_a_wait_whose_time_is_up_is_looked_at_once_more(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(TALKIFAI, "a") as vendor:

        async def wait() -> dict[str, Any]:
            waiting = trigger("a", poll_interval=3600, end_time=1.0, timeout=5)
            vendor.finish("a")
            return await event_of(waiting)

        assert asyncio.run(wait())["error"] is None
        assert vendor.singles == ["a"]


def test_a_wait_between_two_far_polls_sees_what_finished_in_time() -> None:
    with serving(TALKIFAI, "a") as vendor:

        async def wait() -> dict[str, Any]:
            now = time.time()
            waiting = asyncio.create_task(event_of(trigger("a", poll_interval=3600, end_time=now + 0.2, timeout=0.2)))
            vendor.finish("a")
            return await waiting

        assert asyncio.run(wait())["error"] is None


def test_three_thousand_waits_end_though_one_request_in_fifty_fails() -> None:
    ids = [f"b{number}" for number in range(3000)]
    chance = random.Random(7)  # noqa: S311 - a fault now and then, no secret
    requests: dict[bool, int] = {}
    for fails in (False, True):
        with serving(TALKIFAI, *ids) as vendor:
            vendor.finish(*ids)
            vendor.fault = (lambda path, query: said(502) if chance.random() < 0.02 else None) if fails else None

            async def wait() -> list[dict[str, Any]]:
                return await asyncio.gather(*(event_of(trigger(id_, poll_interval=0.5)) for id_ in ids))

            assert {event["error"] for event in asyncio.run(wait())} == {None}
            requests[fails] = len(vendor.server.asked)
    assert requests[True] < 1.1 * requests[False]


def test_a_listing_that_always_fails_gives_way_to_single_reads() -> None:
    ids = [f"b{number}" for number in range(2 * poll.SINGLES_INSTEAD)]
    with serving(TALKIFAI, *ids) as vendor:
        vendor.fault = lambda path, query: said(500) if path == "/batch/jobs" else None
        vendor.finish(*ids)

        async def wait() -> list[dict[str, Any]]:
            return await asyncio.gather(*(event_of(trigger(id_, poll_interval=0.2)) for id_ in ids))

        assert {event["error"] for event in asyncio.run(wait())} == {None}


def test_nothing_is_sent_for_waits_that_have_ended() -> None:
    with serving(PLAYMENT, "a") as vendor:
        vendor.finish("a")

        async def wait() -> StateReader:
            reader = await open_reader(KINDS[PLAYMENT], "playment_default", SCOPES[PLAYMENT])
            reader.client.close()
            return reader

        reader = asyncio.run(wait())
        with pytest.raises(TransientError):
            reader.read_all()
        assert vendor.server.asked == []


def test_forty_batches_that_hang_do_not_hide_a_healthy_one(released: threading.Event) -> None:
    hanging = [f"x{number}" for number in range(40)]
    with serving(TALKIFAI, *hanging, "a") as vendor:
        hang(vendor, released, *hanging)
        vendor.finish("a")

        async def wait() -> dict[str, Any]:
            async with background(*(event_of(trigger(id_, scope={}, poll_interval=1)) for id_ in hanging)):
                event = await event_of(trigger("a", scope={}, poll_interval=1))
                released.set()
                return event

        assert asyncio.run(wait())["error"] is None


@pytest.mark.parametrize("page", [1, 2])
def test_a_listing_that_hangs_gives_way_to_single_reads(released: threading.Event, page: int) -> None:
    ids = [f"b{number:03d}" for number in range(150)]
    with serving(TALKIFAI, *ids) as vendor:

        def fault(path: str, query: Any) -> None:
            if path == "/batch/jobs" and query.get("page", "1") == str(page):
                released.wait(PATIENCE)

        vendor.fault = fault
        vendor.finish(*ids)
        for id_ in ids[:120]:
            vendor.batches[id_]["status"] = "running"

        async def wait() -> list[dict[str, Any]]:
            async with background(*(event_of(trigger(id_)) for id_ in ids[:120])):
                events = await asyncio.gather(*(event_of(trigger(id_)) for id_ in ids[120:]))
                released.set()
                return events

        assert {event["error"] for event in asyncio.run(wait())} == {None}


def test_a_request_that_hangs_when_time_is_up_does_not_keep_the_batch_from_its_last_poll(
    released: threading.Event,
) -> None:
    with serving(TALKIFAI, "a") as vendor:

        def fault(path: str, query: Any) -> None:
            if len(vendor.server.asked) == 2:
                vendor.finish("a")
                released.wait(PATIENCE)

        vendor.fault = fault

        async def wait() -> dict[str, Any]:
            event = await event_of(trigger("a", end_time=time.time() + 0.5, timeout=0.5))
            released.set()
            return event

        assert asyncio.run(wait())["error"] is None


@pytest.mark.parametrize("retry_after", ["0", "Mon, 01 Jan 2001 00:00:00 GMT"])
def test_a_retry_after_of_nothing_leaves_the_back_off_on(retry_after: str) -> None:
    ids = [f"b{number}" for number in range(50)]
    with serving(TALKIFAI, *ids) as vendor:
        vendor.fault = lambda path, query: said(429, Retry_After=retry_after)

        async def wait() -> None:
            shared = poller()
            with joined(shared, ids[0], 1):
                async with background(*(event_of(trigger(id_, poll_interval=1)) for id_ in ids)):
                    await until(lambda: shared._not_before > asyncio.get_running_loop().time())

        asyncio.run(wait())


@pytest.mark.parametrize("kind", [BATCH, fragile.KIND.name], ids=["ours", "of another package"])
def test_a_wait_needs_no_thread_of_those_that_all_triggers_share(
    kind: str, released: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("airflow_batch_provider.triggers.batch._pollers", None)
    with serving(BATCH, "a") as vendor, ThreadPoolExecutor(1) as shared:
        vendor.finish("a")

        async def wait() -> dict[str, Any]:
            loop = asyncio.get_running_loop()
            loop.set_default_executor(shared)
            blocked = loop.run_in_executor(None, released.wait, PATIENCE)
            event = await event_of(
                BatchStatusTrigger(
                    kind=kind, connection_id="llamacloud_default", batch_id="a", scope={}, poll_interval=0.02
                )
            )
            assert not blocked.done()
            released.set()
            return event

        assert asyncio.run(wait())["error"] is None


class FailingHook(LlamaCloudHook):
    """Asks somebody else for a token, who is away now and then."""

    failures = 0

    def get_conn(self) -> Client:
        if type(self).failures:
            type(self).failures -= 1
            raise requests.ConnectionError("token server for the-secret-key is away")
        return super().get_conn()


def test_a_hook_that_fails_now_and_then_ends_no_wait(caplog: pytest.LogCaptureFixture) -> None:
    FailingHook.failures = 3
    path = f"{__name__}.{FailingHook.__name__}"
    with serving(BATCH, "a", "b") as vendor:
        vendor.finish("a", "b")

        async def wait() -> list[dict[str, Any]]:
            return await asyncio.gather(*(event_of(trigger(id_, BATCH, hook=path)) for id_ in "ab"))

        assert {event["error"] for event in asyncio.run(wait())} == {None}
    assert FailingHook.failures == 0
    assert "the-secret-key" not in caplog.text


class FailingSensor(LlamaCloudBatchSensor):
    hook_class = FailingHook


@pytest.mark.parametrize("mode", ["poke", "reschedule"])
def test_a_hook_that_fails_now_and_then_ends_no_wait_on_a_worker(mode: str, pauses: list[float]) -> None:
    FailingHook.failures = 3
    case = Case(FailingSensor, BATCH, {"batch_id": "a"})
    with serving(BATCH, "a") as vendor:
        vendor.finish("a")
        assert wait_for(mode, case)["outcome"] == "succeeded"
    assert FailingHook.failures == 0


def test_a_hook_that_fails_is_an_error_without_its_secret_in_listings() -> None:
    FailingHook.failures = 1
    with serving(BATCH, "a"), pytest.raises(TransientError, match="cannot be used now") as failure:
        list(FailingHook().iter_batches())
    assert "the-secret-key" not in str(failure.value)


def test_a_hook_that_fails_while_a_key_is_renewed_ends_only_what_was_refused() -> None:
    FailingHook.failures = 0
    path = f"{__name__}.{FailingHook.__name__}"
    with serving(BATCH, "a", "b") as vendor:

        async def wait() -> tuple[dict[str, Any], dict[str, Any]]:
            refused, healthy = (asyncio.create_task(event_of(trigger(id_, BATCH, hook=path))) for id_ in "ab")
            await until(lambda: {"a", "b"} <= set(vendor.singles))
            FailingHook.failures = 1
            vendor.fault = lambda path, query: said(401) if path.endswith("/a") else None
            ended = await refused
            vendor.finish("b")
            return ended, await healthy

        refused, healthy = asyncio.run(wait())
    assert (refused["error"], healthy["error"]) == ("AuthenticationError", None)


def _auth(request: Any, credentials: Any, renew: bool) -> dict[str, str]:
    if AuthFailing.failures:
        AuthFailing.failures -= 1
        raise KeyError("access_token")
    return {"Authorization": "Bearer token"}


class AuthFailing(LlamaCloudHook):
    """Authenticates by a function that fails now and then."""

    failures = 0
    vendor = replace(LlamaCloudHook.vendor, auth=_auth)


@pytest.mark.parametrize("count", [1, 8])
def test_an_authentication_that_fails_now_and_then_ends_no_wait(count: int) -> None:
    AuthFailing.failures = 3
    ids = [f"b{number}" for number in range(count)]
    with serving(BATCH, *ids) as vendor:
        vendor.finish(*ids)

        async def wait() -> list[dict[str, Any]]:
            path = f"{__name__}.{AuthFailing.__name__}"
            return await asyncio.gather(*(event_of(trigger(id_, BATCH, hook=path)) for id_ in ids))

        assert {event["error"] for event in asyncio.run(wait())} == {None}


def test_a_slow_answer_to_the_old_key_is_asked_again_with_the_new_one(
    released: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(TALKIFAI, "slow", "fast") as vendor:
        replaced = threading.Event()

        def fault(path: str, query: Any) -> Any:
            if "new-key" in str(vendor.server.asked[-1].headers):
                return None
            if path.endswith("slow"):
                released.wait(PATIENCE)
            return said(401) if replaced.is_set() else None

        async def wait() -> list[dict[str, Any]]:
            both = [asyncio.create_task(event_of(trigger(id_, scope={}))) for id_ in ("slow", "fast")]
            await until(lambda: {"slow", "fast"} <= set(vendor.singles))
            vendor.fault = fault
            await until(lambda: vendor.singles.count("slow") > 1)
            connection = {"conn_type": "talkifai", "host": vendor.server.url, "password": "new-key"}
            monkeypatch.setenv("AIRFLOW_CONN_TALKIFAI_DEFAULT", json.dumps(connection))
            vendor.finish("slow", "fast")
            replaced.set()
            first = await both[1]
            released.set()
            return [first, await both[0]]

        assert {event["error"] for event in asyncio.run(wait())} == {None}


def test_event_loops_that_have_ended_are_forgotten() -> None:
    with serving(TALKIFAI, "a") as vendor:
        vendor.finish("a")
        for _ in range(3):
            asyncio.run(event_of(trigger("a")))
    assert sum(loop.is_closed() for loop in pollers._shared) <= 1
