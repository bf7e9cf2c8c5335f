"""One wait's trouble is its own: what hangs, fails or is paced delays no other wait."""

from __future__ import annotations

import asyncio
import json
import random
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from airflow_batch_provider.exceptions import TransientError
from airflow_batch_provider.waiting import poll, threads
from airflow_batch_provider.waiting.kinds import KINDS
from airflow_batch_provider.waiting.pollers import open_reader
from airflow_batch_provider.waiting.reader import StateReader
from tests.unit.waiting.fake_vendor import (
    BATCH,
    PATIENCE,
    PLAYMENT,
    SCOPES,
    TALKIFAI,
    FakeVendor,
    background,
    event_of,
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
    import time

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
