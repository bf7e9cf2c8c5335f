"""What release 0.1.0 stored or sent is still understood: waits may be deferred while the package is upgraded."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from airflow_batch_provider import exceptions
from airflow_batch_provider.triggers.batch import BatchFinishedEventTrigger, BatchStatusTrigger
from airflow_batch_provider.waiting.changes import Log
from airflow_batch_provider.waiting.verdict import read_event
from airflow_batch_provider.waiting.watch import Watch
from tests.unit.waiting.fake_vendor import event_of, serving

STATE = '{"id":"a","status":"x","outcome":"failed","counts":{"total_items":3},"failed_items":1}'
EVENTS: dict[str, tuple[str, type[Exception]]] = {
    "items_failed": ('"error":null', exceptions.BatchItemsFailedError),
    "failed": ('"error":null', exceptions.BatchFailedError),
    "cancelled": ('"error":null', exceptions.BatchCancelledError),
    "stalled": ('"error":null', exceptions.BatchStalledError),
    "timed_out": ('"error":null', exceptions.BatchTimeoutError),
    "unreachable": ('"error":null', exceptions.TransientError),
    "refused": ('"error":"AuthenticationError"', exceptions.AuthenticationError),
    "refused ": ('"error":"ErrorOfAnotherRelease"', exceptions.FatalError),
    "refused  ": ('"error":null', exceptions.FatalError),
}


def event(reason: str, error: str = '"error":null', state: str = STATE) -> Any:
    return json.loads(f'{{"version":1,"reason":"{reason.strip()}","message":"it ended","state":{state},{error}}}')


@pytest.mark.parametrize("reason", EVENTS)
@pytest.mark.parametrize("state", [STATE, "null"], ids=["with state", "without state"])
def test_an_event_raises_what_it_did(reason: str, state: str) -> None:
    error, raised = EVENTS[reason]
    with pytest.raises(raised, match="it ended") as failure:
        read_event(event(reason, error, state)).result()
    assert type(failure.value) is raised


def test_an_event_of_success_returns_what_it_did() -> None:
    assert read_event(event("succeeded")).result() == {**json.loads(STATE), "message": "it ended"}


TRIGGER = (
    '{"kind":"talkifai.batch_job","connection_id":"talkifai_default","batch_id":"a","scope":{"organization_id":"org"},'
    '"poll_interval":0.02,"end_time":null,"timeout":604800.0,"fail_on_item_failures":false,"stalled_after":null,'
    '"mark":"pending|3|0|0|0|","moved_at":1763900000.5,"max_poll_failures":10}'
)
WATCHER = (
    '{"kind":"talkifai.batch_job","connection_id":"talkifai_default","scope":{"organization_id":"org"},'
    '"poll_interval":0.02,"event_interval":3.0}'
)


def test_a_stored_wait_goes_on() -> None:
    with serving("talkifai.batch_job", "a") as vendor:
        vendor.finish("a")
        assert asyncio.run(event_of(BatchStatusTrigger(**json.loads(TRIGGER))))["error"] is None


def test_stored_arguments_are_written_as_they_were_with_the_hook_added() -> None:
    path, arguments = BatchStatusTrigger(**json.loads(TRIGGER)).serialize()
    assert path == "airflow_batch_provider.triggers.batch.BatchStatusTrigger"
    since = {"hook": None, "not_before": None, "cancel_on_kill": False}
    assert arguments == {**json.loads(TRIGGER), **since, "version": 1}
    path, arguments = BatchFinishedEventTrigger(**json.loads(WATCHER)).serialize()
    assert path == "airflow_batch_provider.triggers.batch.BatchFinishedEventTrigger"
    assert arguments == {**json.loads(WATCHER), "hook": None, "version": 1}


class Quiet:
    def info(self, message: str, /, *args: Any) -> None:
        """Log nothing."""

    warning = info


def kept_after(kept: object) -> dict[str, Any]:
    log: Log = Quiet()
    watch = Watch("T", log)
    watch.resume(kept)
    return watch.keep()


KEPT = {
    "moved": {"failures": 3, "mark": "running|1|", "since": 1763900000.5},
    "never seen": {"failures": 1, "mark": None, "since": None},
}


@pytest.mark.parametrize("case", KEPT)
def test_what_a_sensor_kept_between_pokes_is_continued(case: str) -> None:
    assert kept_after(KEPT[case]) == {"version": 1, "try_number": None, **KEPT[case]}
    assert kept_after(kept_after(KEPT[case])) == {"version": 1, "try_number": None, **KEPT[case]}


@pytest.mark.parametrize("kept", [None, "x", [], {"version": 2}, {"failures": "3"}, {"failures": 1, "since": "soon"}])
def test_what_cannot_be_read_is_ignored(kept: object) -> None:
    assert kept_after(kept) == {"version": 1, "try_number": None, "failures": 0, "mark": None, "since": None}
