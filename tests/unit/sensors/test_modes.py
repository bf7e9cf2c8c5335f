"""Every mode and every try the same: failures, movement, patience, time and what is logged."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowException, AirflowSkipException, TaskDeferred
from airflow.sdk.bases.sensor import AirflowRescheduleException
from msgspec.structs import replace
from pytest_mock import MockerFixture

from airflow_batch_provider import exceptions
from airflow_batch_provider.apis.request import Request
from airflow_batch_provider.exceptions import (
    BatchProviderError,
    BatchTimeoutError,
    InvalidParameterError,
    TransientError,
)
from airflow_batch_provider.hooks.talkifai import TalkifAIHook
from airflow_batch_provider.sensors.batch import BatchSensor
from airflow_batch_provider.sensors.playment import PlaymentBatchSensor
from airflow_batch_provider.triggers.batch import BatchStatusTrigger
from tests.unit.sensors.cases import CASES, MODES, TaskInstance, _Store, wait
from tests.unit.waiting.fake_vendor import PATIENCE, PLAYMENT, TALKIFAI, event_of, said, serving
from tests.vendor_server import Answer

CASE = CASES["TalkifAIBatchJobSensor"]
TIMED_OUT = {"error": "Trigger timeout", "traceback": None}
"""What Airflow's scheduler resumes a task with whose trigger did not fire in time."""


def tries(count: int, **parameters: Any) -> list[int]:
    """Run tries of a task in reschedule mode until each fails; return the polls of each."""
    store, polls = _Store(), []
    for number in range(1, count + 1):
        ti = TaskInstance()
        ti.try_number = number  # type: ignore[attr-defined]
        polls.append(0)
        while True:
            try:
                polls[-1] += 1
                CASE.make(mode="reschedule", **parameters).execute({"ti": ti, "task_state_store": store})
            except AirflowRescheduleException:
                continue
            except AirflowException:
                break
    return polls


def test_failures_count_for_their_own_try() -> None:
    with serving(TALKIFAI, "a") as vendor:
        vendor.fault = lambda path, query: said(503)
        assert tries(3, max_poll_failures=3) == [3, 3, 3]


def test_movement_counts_for_its_own_try(mocker: MockerFixture) -> None:
    clock = mocker.patch("airflow_batch_provider.sensors.batch.time")
    clock.monotonic = time.monotonic
    clock.time.side_effect = (float(second) for second in range(10**6))
    with serving(TALKIFAI, "a"):
        assert tries(3, stalled_after=5) == [6, 6, 6]


def test_max_poll_failures_counts_in_reschedule_mode_with_deferrable() -> None:
    with serving(TALKIFAI, "a") as vendor:
        vendor.fault = lambda path, query: said(503)
        sensor = CASE.make(mode="reschedule", deferrable=True)
        with pytest.raises(TaskDeferred):
            sensor.execute({"ti": TaskInstance(), "task_state_store": _Store()})


@pytest.mark.parametrize("answer", [said(503), said(429, Retry_After="7"), Answer(200, b"<html>")], ids=str)
def test_a_first_poll_that_fails_for_now_leaves_the_worker(answer: Answer) -> None:
    with serving(TALKIFAI, "a") as vendor:
        vendor.fault = lambda path, query: answer
        with pytest.raises(TaskDeferred) as deferred:
            CASE.make(deferrable=True).execute({})
        assert len(vendor.server.asked) == 1
    arguments = deferred.value.trigger.serialize()[1]
    assert (arguments["batch_id"], arguments["scope"]) == ("a", {"organization_id": "org"})


def test_a_connection_that_is_not_found_at_first_leaves_the_worker() -> None:
    with pytest.raises(TaskDeferred) as deferred:
        CASE.make(deferrable=True, talkifai_conn_id="nowhere").execute({})
    assert deferred.value.trigger.serialize()[1]["scope"] == {"organization_id": "org"}


def test_poke_mode_asks_no_more_for_as_long_as_the_vendor_wants_it() -> None:
    with serving(TALKIFAI, "a") as vendor:
        vendor.fault = lambda path, query: said(429, Retry_After="300")
        with pytest.raises(BatchTimeoutError):
            wait("poke", CASE, timeout=0.3)
        assert len(vendor.server.asked) == 1


def test_reschedule_mode_comes_back_when_the_vendor_wants_it() -> None:
    with serving(TALKIFAI, "a") as vendor:
        vendor.fault = lambda path, query: said(429, Retry_After="300")
        sensor = CASE.make(mode="reschedule")
        with pytest.raises(AirflowRescheduleException) as rescheduled:
            sensor.execute({"ti": TaskInstance(), "task_state_store": _Store()})
    assert 290 < rescheduled.value.reschedule_date.timestamp() - time.time() <= 300


@pytest.mark.parametrize("drips", [False, True], ids=["silent", "dripping"])
@pytest.mark.parametrize("mode", ["poke", "reschedule"])
def test_a_waits_timeout_bounds_its_polls(mode: str, drips: bool, mocker: MockerFixture) -> None:
    mocker.patch("airflow_batch_provider.sensors.batch.SHORTEST_POLL", 0.2)
    released = threading.Event()
    patience = threading.Timer(PATIENCE / 2, released.set)
    patience.start()

    def hang(path: str, query: Any) -> Answer | None:
        released.wait(PATIENCE)
        return None

    def drip(path: str, query: Any) -> Answer:
        return Answer(body=(b" " for _ in iter(lambda: released.wait(0.05), True)))  # type: ignore[arg-type]

    with serving(TALKIFAI, "a") as vendor:
        vendor.fault = drip if drips else hang
        try:
            with pytest.raises((BatchTimeoutError, TransientError)):
                wait(mode, CASE, timeout=0.2)
            assert not released.is_set()
        finally:
            patience.cancel()
            released.set()


def test_exponential_backoff_is_refused_where_it_would_have_no_effect() -> None:
    CASE.make(exponential_backoff=True)
    with pytest.raises(InvalidParameterError, match="exponential_backoff has no effect with deferrable=True"):
        CASE.make(exponential_backoff=True, deferrable=True)


def test_reschedule_mode_logs_what_changed_and_not_every_poke(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(BatchSensor, "log", logging.getLogger("task"))
    with serving(TALKIFAI, "a", contactsProcessed=1) as vendor:

        def progress(path: str, query: Any) -> None:
            if len(vendor.server.asked) == 5:
                vendor.batches["a"]["contactsProcessed"] = 2
            if len(vendor.server.asked) == 10:
                vendor.finish("a")

        vendor.fault = progress
        with caplog.at_level(logging.INFO):
            wait("reschedule", CASE)
    said_so = [record for record in caplog.records if "has status 'running'" in record.getMessage()]
    assert len(said_so) == 2


Ending = Callable[[Any], None]
AFTER_THE_DEADLINE: dict[str, tuple[Ending, type[BaseException] | None]] = {
    "finished": (lambda vendor: vendor.finish("a"), None),
    "failed": (lambda vendor: vendor.batches["a"].update(status="failed"), exceptions.BatchFailedError),
    "running": (lambda vendor: None, BatchTimeoutError),
    "gone": (lambda vendor: vendor.batches.clear(), exceptions.NotFoundError),
    "unwell": (lambda vendor: setattr(vendor, "fault", lambda path, query: said(503)), BatchTimeoutError),
}


@pytest.mark.parametrize("what", AFTER_THE_DEADLINE)
@pytest.mark.parametrize("soft_fail", [False, True])
def test_a_wait_that_airflow_ends_is_looked_at_once_more(what: str, soft_fail: bool) -> None:
    happens, error = AFTER_THE_DEADLINE[what]
    with serving(TALKIFAI, "a") as vendor:
        happens(vendor)
        sensor = CASE.make(deferrable=True, soft_fail=soft_fail)
        if error is None:
            assert sensor.resume_execution("__fail__", TIMED_OUT, {})["outcome"] == "succeeded"
        else:
            with pytest.raises(AirflowSkipException if soft_fail else error):
                sensor.resume_execution("__fail__", TIMED_OUT, {})
        assert len(vendor.server.asked) == 1


@pytest.mark.parametrize("mode", MODES)
def test_a_star_is_no_batch(mode: str) -> None:
    with serving(PLAYMENT, "a"), pytest.raises(InvalidParameterError, match=r"batch_id='\*' names no batch"):
        wait(mode, CASES["PlaymentBatchSensor"], batch_id="*")


@pytest.mark.parametrize("mode", MODES)
def test_a_default_batch_is_refused_because_it_never_closes(mode: str) -> None:
    with (
        serving(PLAYMENT, "a", is_default=True),
        pytest.raises(InvalidParameterError, match=r"default batch.*wait for"),
    ):
        wait(mode, CASES["PlaymentBatchSensor"])


def test_playments_running_word_is_known(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(BatchSensor, "log", logging.getLogger("task"))
    with serving(PLAYMENT, "a") as vendor:
        sensor = PlaymentBatchSensor(task_id="t", project_id="p/1", batch_id="a")
        assert sensor.poke({}) is False
        assert len(vendor.server.asked) == 1
    assert "not documented" not in caplog.text


def test_reschedule_mode_does_not_take_a_vendors_clock_for_a_stall() -> None:
    store, ti = _Store(), TaskInstance()
    with serving(TALKIFAI, "a", contactsProcessed=0) as vendor:
        sensor_class = CASE.sensor
        with pytest.MonkeyPatch.context() as patch:
            kind = sensor_class.kind
            read = kind.state
            patch.setattr(
                sensor_class, "kind", replace(kind, state=lambda row: replace(read(row), updated_at=row["changed"]))
            )
            for poke in range(6):
                vendor.batches["a"] |= {"contactsProcessed": poke, "changed": f"2026-01-01T00:0{poke}:00"}
                with pytest.raises(AirflowRescheduleException):
                    CASE.make(mode="reschedule", stalled_after=600).execute({"ti": ti, "task_state_store": store})


def test_a_deferred_wait_asks_no_sooner_than_the_vendor_wants_it() -> None:
    with serving(TALKIFAI, "a") as vendor:
        vendor.fault = lambda path, query: said(429, Retry_After="300")
        with pytest.raises(TaskDeferred) as deferred:
            CASE.make(deferrable=True).execute({})
        arguments = deferred.value.trigger.serialize()[1]
        assert 290 < arguments["not_before"] - time.time() <= 300
        arguments |= {"end_time": time.time() + 0.2}

        async def wait_a_moment() -> None:
            waiting = asyncio.create_task(event_of(BatchStatusTrigger(**arguments)))
            await asyncio.sleep(0.1)
            assert len(vendor.server.asked) == 1
            waiting.cancel()

        asyncio.run(wait_a_moment())


@pytest.mark.parametrize("parameters", [{}, {"max_wait": 60}])
def test_reschedule_mode_with_backoff_comes_back_when_the_vendor_wants_it(parameters: dict[str, Any]) -> None:
    with serving(TALKIFAI, "a") as vendor:
        vendor.fault = lambda path, query: said(429, Retry_After="300")
        sensor = CASE.make(mode="reschedule", exponential_backoff=True, **parameters)
        with pytest.raises(AirflowRescheduleException) as rescheduled:
            sensor.execute({"ti": TaskInstance(), "task_state_store": _Store()})
    assert 290 < rescheduled.value.reschedule_date.timestamp() - time.time() <= 301


def test_redirects_do_not_prolong_a_poll() -> None:
    with serving(TALKIFAI, "a") as vendor:

        def redirect(path: str, query: Any) -> Answer:
            time.sleep(0.1)
            return Answer(302, b"", {"Location": f"{path}?again={len(vendor.server.asked)}"})

        vendor.fault = redirect
        with pytest.raises(BatchProviderError):
            list(TalkifAIHook().get_conn().within(0.3).send(Request("/x"), lambda answer: []))
        assert len(vendor.server.asked) < 6
