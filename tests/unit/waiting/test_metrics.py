"""Polls, waits and failed polls are counted in Airflow's metrics."""

from __future__ import annotations

import asyncio

from pytest_mock import MockerFixture

from tests.unit.waiting.fake_vendor import TALKIFAI, event_of, poller, said, serving, states, trigger


def test_polls_and_waits_are_counted(mocker: MockerFixture) -> None:
    stats = mocker.patch("airflow_batch_provider.waiting.poller.Stats")

    async def look() -> None:
        await states(poller(), "a", 3)

    with serving(TALKIFAI, "a"):
        asyncio.run(look())
    assert stats.incr.call_args_list[:3] == [mocker.call("batch_provider.polls", tags={"kind": TALKIFAI})] * 3
    assert mocker.call("batch_provider.waits", 1, tags={"kind": TALKIFAI}) in stats.gauge.call_args_list


def test_failed_polls_are_counted(mocker: MockerFixture) -> None:
    stats = mocker.patch("airflow_batch_provider.waiting.poller.Stats")
    with serving(TALKIFAI, "a") as vendor:
        vendor.fault = lambda path, query: said(503)
        event = asyncio.run(event_of(trigger("a", max_poll_failures=2)))
    assert event["error"] == "TransientError"
    assert mocker.call("batch_provider.poll_failures") in stats.incr.call_args_list
