"""What a sensor fails with: the same exception in each mode, skipped or not by the same rule."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from unittest import mock

import pytest
from airflow.providers.common.compat.sdk import (
    AirflowException,
    AirflowFailException,
    AirflowSensorTimeout,
    AirflowSkipException,
)

from airflow_batch_provider import exceptions
from airflow_batch_provider.exceptions import BatchProviderError, FatalError, TransientError
from tests.unit.sensors.cases import CASES, MODES, Case, at_request, wait
from tests.unit.sensors.test_sensors import FAILED_ITEMS
from tests.unit.waiting.fake_vendor import PLAYMENT, PROCESSING_JOB, TALKIFAI, WORDS, FakeVendor, said, serving
from tests.vendor_server import Answer


@dataclass(frozen=True)
class Ending:
    """A way for a wait to end badly."""

    happens: Callable[[FakeVendor], None]
    error: type[BatchProviderError]
    parameters: dict[str, Any] = field(default_factory=dict)
    sensors: tuple[str, ...] = tuple(CASES)


def _status(place: int) -> Callable[[FakeVendor], None]:
    return lambda vendor: vendor.batches["a"].update(status=WORDS[vendor.kind][place])


def _wrong_key(vendor: FakeVendor) -> None:
    refusal = {"error": {"code": "auth-failure", "message": "no"}, "success": False}
    answer = Answer(400, json.dumps(refusal).encode()) if vendor.kind == PLAYMENT else said(401)
    vendor.fault = lambda path, query: answer


def _unwell(vendor: FakeVendor) -> None:
    vendor.fault = lambda path, query: said(503)


WITH_FAILURES = tuple(name for name, case in CASES.items() if case.kind != PLAYMENT)
ENDINGS = {
    "failed": Ending(_status(2), exceptions.BatchFailedError, sensors=WITH_FAILURES),
    "cancelled": Ending(_status(3), exceptions.BatchCancelledError, sensors=WITH_FAILURES),
    "items failed": Ending(
        lambda vendor: vendor.finish("a", **FAILED_ITEMS[vendor.kind]),
        exceptions.BatchItemsFailedError,
        {"fail_on_item_failures": True},
        WITH_FAILURES,
    ),
    "not found": Ending(
        lambda vendor: vendor.batches.clear(),
        exceptions.NotFoundError,
        sensors=tuple(name for name in CASES if "Project" not in name),
    ),
    "wrong key": Ending(_wrong_key, exceptions.AuthenticationError),
    "stalled": Ending(lambda vendor: None, exceptions.BatchStalledError, {"stalled_after": 0.05}),
}
each_ending = pytest.mark.parametrize(
    ("case", "ending"),
    [
        pytest.param(CASES[name], ending, id=f"{name}-{what}")
        for what, ending in ENDINGS.items()
        for name in ending.sensors
    ],
)
each_mode = pytest.mark.parametrize("mode", MODES)
early_or_late = pytest.mark.parametrize("request_number", [1, 2], ids=["at first sight", "later"])


@each_mode
@early_or_late
@each_ending
def test_a_wait_that_ends_badly_fails_at_once_with_the_documented_exception(
    case: Case, ending: Ending, request_number: int, mode: str
) -> None:
    with serving(case.kind, "a") as vendor:
        at_request(vendor, request_number, lambda: ending.happens(vendor))
        with pytest.raises(ending.error) as failure:
            wait(mode, case, **ending.parameters)
    assert type(failure.value) is ending.error
    assert isinstance(failure.value, FatalError)
    assert isinstance(failure.value, AirflowFailException)
    assert "the-secret-key" not in str(failure.value)


@each_mode
@early_or_late
@each_ending
def test_with_soft_fail_a_wait_that_ends_badly_is_skipped(
    case: Case, ending: Ending, request_number: int, mode: str
) -> None:
    with serving(case.kind, "a") as vendor:
        at_request(vendor, request_number, lambda: ending.happens(vendor))
        with pytest.raises(AirflowSkipException):
            wait(mode, case, soft_fail=True, **ending.parameters)


@each_mode
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_with_soft_fail_a_timeout_is_skipped(case: Case, mode: str) -> None:
    with serving(case.kind, "a"), pytest.raises(AirflowSkipException):
        wait(mode, case, soft_fail=True, timeout=0.05)


@each_mode
@pytest.mark.parametrize("soft_fail", [False, True])
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_fault_that_persists_fails_the_try_and_is_never_skipped(case: Case, soft_fail: bool, mode: str) -> None:
    with serving(case.kind, "a") as vendor:
        at_request(vendor, 2, lambda: _unwell(vendor))
        with pytest.raises(TransientError) as failure:
            wait(mode, case, soft_fail=soft_fail, max_poll_failures=1)
    assert not isinstance(failure.value, AirflowFailException | AirflowSensorTimeout)


@each_mode
def test_faults_that_persist_end_a_wait_after_max_poll_failures_in_each_mode(mode: str) -> None:
    with serving(TALKIFAI, "a") as vendor:
        at_request(vendor, 2, lambda: _unwell(vendor))
        with pytest.raises(TransientError):
            wait(
                mode, CASES["TalkifAIBatchJobSensor"], max_poll_failures=2, timeout=0.5 if mode == "reschedule" else 60
            )


@each_mode
def test_the_vendors_own_reason_is_in_the_message(mode: str) -> None:
    case = CASES["LlamaCloudBatchProcessingJobSensor"]
    with serving(PROCESSING_JOB, "a", total_items=5, processed_items=3) as vendor:
        vendor.batches["a"] |= {"status": "failed", "error_message": "Worker lost:\n attempt 3 of 3" + "x" * 5000}
        with pytest.raises(exceptions.BatchFailedError, match="Worker lost: attempt 3 of 3") as failure:
            wait(mode, case)
    assert "processed_items 3" in str(failure.value)
    assert len(str(failure.value)) < 1000


def test_a_reason_that_is_no_text_is_told_all_the_same() -> None:
    with serving(PROCESSING_JOB, "a") as vendor:
        vendor.batches["a"] |= {"status": "failed", "error_message": {"code": 7}}
        with pytest.raises(exceptions.BatchFailedError):
            wait("poke", CASES["LlamaCloudBatchProcessingJobSensor"])


def test_a_trigger_that_crashed_is_skipped_with_soft_fail_and_fails_without() -> None:
    case = CASES["TalkifAIBatchJobSensor"]
    crash = {"error": "Trigger failure", "traceback": None}
    with pytest.raises(AirflowException, match="Trigger failure"):
        case.make(deferrable=True).resume_execution("__fail__", crash, {})
    with pytest.raises(AirflowSkipException):
        case.make(deferrable=True, soft_fail=True).resume_execution("__fail__", crash, {})


@pytest.mark.parametrize("event", [None, {}, {"version": 99}], ids=str)
@pytest.mark.parametrize("soft_fail", [False, True])
def test_an_event_that_is_not_understood_fails_the_try_so_that_another_finds_out(event: Any, soft_fail: bool) -> None:
    sensor = CASES["TalkifAIBatchJobSensor"].make(deferrable=True, soft_fail=soft_fail)
    with pytest.raises(TransientError):
        sensor.resume_execution("execute_complete", {"event": event}, {})


@each_mode
def test_a_batch_that_moves_is_not_stalled(mode: str) -> None:
    with serving(TALKIFAI, "a") as vendor:

        def moves(path: str, query: Any) -> None:
            vendor.batches["a"]["contactsProcessed"] = len(vendor.server.asked)
            if len(vendor.server.asked) == 8:
                vendor.finish("a")

        vendor.fault = moves
        with mock.patch("airflow_batch_provider.waiting.verdict.Movement.after", _a_minute_later):
            assert wait(mode, CASES["TalkifAIBatchJobSensor"], stalled_after=3600)["outcome"] == "succeeded"


def _a_minute_later(movement: Any, state: Any, now: float, *, is_first: bool) -> Any:
    assert movement.mark != state.mark or not movement.mark or state.counts["contactsProcessed"] == 1
    return type(movement)(state.mark, now)
