"""What ends a wait, and what a task raises for it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_batch_provider import exceptions
from airflow_batch_provider.apis.batch_state import Outcome, ShownState
from airflow_batch_provider.exceptions import BatchProviderError, FatalError, RateLimitedError, TransientError
from airflow_batch_provider.waiting.verdict import (
    Movement,
    Verdict,
    of_error,
    of_state,
    of_timeout,
    read_event,
    summary,
)

ERRORS = [
    exceptions.BatchItemsFailedError,
    exceptions.BatchFailedError,
    exceptions.BatchCancelledError,
    exceptions.BatchStalledError,
    exceptions.BatchTimeoutError,
    exceptions.NotFoundError,
    TransientError,
    FatalError,
]
FATAL = [error for error in vars(exceptions).values() if isinstance(error, type) and issubclass(error, FatalError)]
STATE = ShownState("a", "running", Outcome.RUNNING, {"total": 3, "done": 1}, failed_items=1)


def seen(outcome: Outcome, **facts: Any) -> ShownState:
    return ShownState("a", outcome.value, outcome, **facts)


@pytest.mark.parametrize("error", ERRORS)
def test_a_verdict_raises_the_exception_that_it_names(error: type[BatchProviderError]) -> None:
    with pytest.raises(error, match="it ended") as failure:
        Verdict(error=error.__name__, message="it ended", state=None).result()
    assert type(failure.value) is error


@pytest.mark.parametrize("error", [None, *(error.__name__ for error in ERRORS)])
def test_a_verdict_survives_the_way_from_trigger_to_task(error: str | None) -> None:
    verdict = Verdict(error=error, message="it ended", state=summary(STATE))
    assert read_event(json.loads(json.dumps(verdict.to_event()))) == verdict


def test_success_returns_what_was_seen_and_the_message() -> None:
    result = Verdict(error=None, message="done", state=summary(STATE)).result()
    assert result == {
        "id": "a",
        "status": "running",
        "outcome": "running",
        "counts": {"total": 3, "done": 1},
        "failed_items": 1,
        "message": "done",
    }


@pytest.mark.parametrize("error", FATAL)
def test_what_a_vendor_refused_is_raised_as_the_class_it_was(error: type[FatalError]) -> None:
    verdict = of_error(error("no"), 1, 10)
    assert verdict
    with pytest.raises(error) as failure:
        read_event(json.loads(json.dumps(verdict.to_event()))).result()
    assert type(failure.value) is error


@pytest.mark.parametrize("name", ["", "Exception", "ErrorOfAnotherVersion"])
def test_an_exception_that_is_not_known_here_is_fatal(name: str) -> None:
    with pytest.raises(FatalError) as failure:
        Verdict(error=name, message="no", state=None).result()
    assert type(failure.value) is FatalError


GOOD = Verdict(error=None, message="done", state=summary(STATE)).to_event()
GARBAGE: dict[str, Any] = {
    "nothing": None,
    "empty": {},
    "a list": [],
    "text": "succeeded",
    "another version": {**GOOD, "version": 3},
    "no version": {name: value for name, value in GOOD.items() if name != "version"},
    "no state": {name: value for name, value in GOOD.items() if name != "state"},
    "no error": {name: value for name, value in GOOD.items() if name != "error"},
    "an error of another type": {**GOOD, "error": ["TransientError"]},
    "an unknown reason of version 1": {**GOOD, "version": 1, "reason": "vanished"},
    "no reason of version 1": {**GOOD, "version": 1, "reason": None},
}


@pytest.mark.parametrize("event", GARBAGE.values(), ids=GARBAGE)
def test_an_event_that_is_not_understood_is_a_fault_that_may_pass(event: object) -> None:
    with pytest.raises(TransientError):
        read_event(event)


@pytest.mark.parametrize("wrong", [{"state": "text"}, {"state": [1]}, {"error": ["x"]}], ids=repr)
def test_parts_of_an_event_that_are_of_another_type_are_not_understood(wrong: dict[str, Any]) -> None:
    with pytest.raises(TransientError):
        read_event({**GOOD, **wrong}).result()


@pytest.mark.parametrize("outcome", [Outcome.PENDING, Outcome.RUNNING, Outcome.UNKNOWN])
def test_a_batch_that_is_not_finished_is_waited_on(outcome: Outcome) -> None:
    assert of_state("T", seen(outcome, failed_items=3, reason="x"), fail_on_item_failures=True) is None


@pytest.mark.parametrize(
    ("outcome", "failed_items", "fails", "error"),
    [
        (Outcome.SUCCEEDED, 0, True, None),
        (Outcome.SUCCEEDED, 2, False, None),
        (Outcome.SUCCEEDED, 2, True, "BatchItemsFailedError"),
        (Outcome.FAILED, 2, True, "BatchFailedError"),
        (Outcome.FAILED, 0, False, "BatchFailedError"),
        (Outcome.CANCELLED, 2, True, "BatchCancelledError"),
    ],
)
def test_a_finished_batch_ends_the_wait(outcome: Outcome, failed_items: int, fails: bool, error: str | None) -> None:
    verdict = of_state("T", seen(outcome, failed_items=failed_items), fail_on_item_failures=fails)
    assert verdict
    assert verdict.error == error


def test_the_vendors_reason_is_told() -> None:
    verdict = of_state("T", seen(Outcome.FAILED, reason="lost a worker"), fail_on_item_failures=False)
    assert verdict
    assert verdict.message == "T: a has status 'failed': lost a worker."


def test_a_batch_that_never_ends_is_refused_until_it_does_end() -> None:
    endless = "It is never closed."
    verdict = of_state("T", seen(Outcome.RUNNING, endless=endless), fail_on_item_failures=False)
    assert verdict
    assert verdict.error == "InvalidParameterError"
    assert endless in verdict.message
    ended = of_state("T", seen(Outcome.SUCCEEDED, endless=endless), fail_on_item_failures=False)
    assert ended
    assert ended.error is None


def test_a_fault_ends_a_wait_only_when_it_persists() -> None:
    assert of_error(RateLimitedError("x"), 9, 10) is None
    verdict = of_error(RateLimitedError("slow down"), 10, 10)
    assert verdict
    assert verdict.error == "TransientError"
    assert "slow down" in verdict.message


def test_a_timeout_tells_what_was_last_seen() -> None:
    assert "a has status 'running' (total 3, done 1)" in of_timeout("T", STATE, 60).message
    assert "not seen once" in of_timeout("T", None, 60).message


def test_a_batch_stalls_after_the_whole_time_without_movement() -> None:
    movement = Movement(STATE.mark, 100.0)
    assert movement.stalled("T", STATE, 159.9, 60) is None
    verdict = movement.stalled("T", STATE, 160.0, 60)
    assert verdict
    assert verdict.error == "BatchStalledError"
    assert "a has status 'running' (total 3, done 1)" in verdict.message


def test_a_batch_never_stalls_where_no_time_is_set() -> None:
    assert Movement(STATE.mark, 0.0).stalled("T", STATE, 10.0**9, None) is None


def test_movement_begins_anew_when_something_moves_and_only_then() -> None:
    movement = Movement(STATE.mark, 100.0)
    assert movement.after(STATE, 150.0, is_first=True) == movement
    moved = ShownState("a", "running", Outcome.RUNNING, {"total": 3, "done": 2})
    assert movement.after(moved, 150.0, is_first=True) == Movement(moved.mark, 150.0)


@pytest.mark.parametrize(
    ("updated_at", "since"),
    [
        ("1970-01-01T00:05:00Z", 300.0),
        ("1970-01-01T05:35:00+05:30", 300.0),
        ("1970-01-01T00:05:00.1234567", 300.123456),
        ("1970-01-01T00:01:00Z", 100.0),  # before it was last seen moving
        ("2070-01-01T00:00:00Z", 1000.0),  # a clock that is ahead
        ("soon", 1000.0),
        (None, 1000.0),
    ],
)
def test_a_batch_moved_when_the_vendor_says_so_after_the_triggerer_was_down(updated_at: Any, since: float) -> None:
    before = Movement("running|1|1970-01-01T00:00:50Z", 100.0)
    state = ShownState("a", "running", Outcome.RUNNING, {"done": 2}, updated_at=updated_at)
    assert before.after(state, 1000.0, is_first=True) == Movement(state.mark, pytest.approx(since))


def test_a_move_that_the_vendor_gives_no_new_time_for_happened_now() -> None:
    before = Movement("running|1|1970-01-01T00:05:00Z", 310.0)
    state = ShownState("a", "running", Outcome.RUNNING, {"done": 2}, updated_at="1970-01-01T00:05:00Z")
    assert before.after(state, 1000.0, is_first=True).since == 1000.0


def test_what_this_process_saw_move_has_moved_now_whatever_the_vendors_clock_says() -> None:
    before = Movement("running|1|1970-01-01T00:05:00", 310.0)
    state = ShownState("a", "running", Outcome.RUNNING, {"done": 2}, updated_at="1970-01-01T00:06:00")
    assert before.after(state, 1000.0, is_first=False).since == 1000.0
