"""Event loops: each has its own pollers, and none is blocked."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from airflow_batch_provider.waiting.poller import Poller
from tests.unit.waiting.fake_vendor import PATIENCE, TALKIFAI, event_of, joined, poller, serving, states, trigger, until


async def _poller_that_told() -> Poller:
    shared = poller()
    await states(shared, "a")
    return shared


def test_waits_of_one_loop_share_a_poller_and_those_of_the_next_loop_do_not() -> None:
    with serving(TALKIFAI, "a"):

        async def twice() -> list[Poller]:
            with joined(poller(), "a", 3600):
                return [poller(), poller()]

        one, same = asyncio.run(twice())
        assert one is same
        assert asyncio.run(_poller_that_told()) is not one


def test_waits_that_differ_in_scope_do_not_share_a_poller() -> None:
    with serving(TALKIFAI, "a"):

        async def ask() -> None:
            other = {"organization_id": "other"}
            with joined(poller(), "a", 3600), joined(poller(TALKIFAI, other), "a", 3600):
                assert poller() is not poller(TALKIFAI, other)

        asyncio.run(ask())


def test_two_loops_at_once_in_two_threads_wait_undisturbed() -> None:
    with serving(TALKIFAI, "a", "b") as vendor:

        def wait(batch_id: str) -> dict[str, Any]:
            return asyncio.run(event_of(trigger(batch_id)))

        with ThreadPoolExecutor(2) as threads:
            waiting = [threads.submit(wait, batch_id) for batch_id in "ab"]
            asyncio.run(until(lambda: {"a", "b"} <= set(vendor.singles)))
            vendor.finish("a", "b")
            events = [one.result(timeout=30) for one in waiting]
    assert [event["state"]["id"] for event in events] == ["a", "b"]


def test_the_event_loop_runs_on_while_a_thousand_waits_are_without_an_answer() -> None:
    ids = [f"b{number}" for number in range(1000)]
    answers = threading.Event()
    with serving(TALKIFAI, *ids) as vendor:

        def hold_back(path: str, query: Mapping[str, str]) -> None:
            assert answers.wait(PATIENCE), "the event loop did not get to let the answers go"

        vendor.fault = hold_back

        async def wait() -> None:
            waiting = [asyncio.create_task(event_of(trigger(id_))) for id_ in ids]
            await until(lambda: vendor.server.asked)
            assert not any(task.done() for task in waiting)
            answers.set()  # by the loop: it would wait for ever if a read had stopped it
            await until(lambda: len(vendor.listings) > 20)
            for task in waiting:
                task.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)

        asyncio.run(wait())
