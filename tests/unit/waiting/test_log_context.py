"""What a wait logs lands in its own task's log, which Airflow finds by context."""

from __future__ import annotations

import asyncio
import contextvars
import logging

import pytest

from airflow_batch_provider.apis.batch_state import Outcome, ShownState
from airflow_batch_provider.waiting.poller import Poller, Wait
from airflow_batch_provider.waiting.threads import ConnectionThreads

trigger_id: contextvars.ContextVar[str] = contextvars.ContextVar("trigger_id", default="nobody's")


def test_each_wait_is_judged_in_the_context_that_it_joined_in() -> None:
    judged: list[tuple[str, str]] = []

    async def join_both() -> None:
        waits = []
        for name in ("one", "other"):
            trigger_id.set(name)
            waits.append(Wait(name, 1, lambda seen, name=name: judged.append((name, trigger_id.get()))))
        trigger_id.set("third")
        for wait in waits:
            wait.deliver(ShownState(wait.batch_id, "running", Outcome.RUNNING))

    asyncio.run(join_both())
    assert judged == [("one", "one"), ("other", "other")]


def test_what_concerns_all_waits_is_logged_in_no_waits_context(caplog: pytest.LogCaptureFixture) -> None:
    contexts: list[str] = []

    async def open_reader() -> object:
        contexts.append(trigger_id.get())
        raise LookupError("no reader")

    async def join() -> None:
        trigger_id.set("one")
        poller = Poller(open_reader, ConnectionThreads())  # type: ignore[arg-type]
        with caplog.at_level(logging.WARNING), poller.join("a", 0.01, _raise) as wait, pytest.raises(LookupError):
            await asyncio.wait_for(wait.ended, 60)

    asyncio.run(join())
    assert contexts == ["nobody's"]


def _raise(seen: object) -> None:
    assert isinstance(seen, Exception)
    raise seen
