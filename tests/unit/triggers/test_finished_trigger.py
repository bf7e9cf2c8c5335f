"""An asset watcher hears of each batch that finishes, once, also across a restart."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import product
from typing import Any

import pytest
from pytest_mock import MockerFixture

from airflow_batch_provider.exceptions import InvalidParameterError
from airflow_batch_provider.hooks.playment import PlaymentHook
from airflow_batch_provider.sandbox import Sandbox, Settings, serve
from airflow_batch_provider.testing import connections
from airflow_batch_provider.triggers import batch
from airflow_batch_provider.triggers.batch import BatchFinishedEventTrigger
from airflow_batch_provider.waiting.fired import digest_of
from airflow_batch_provider.waiting.kinds import KINDS
from tests.airflow_versions import queues_of_event_triggers

DURATION = 100


@dataclass
class Clock:
    """Moved by hand, so that batches finish without anybody waiting for them."""

    now: float = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Store:
    """What Airflow keeps for an asset."""

    values: dict[str, Any] = field(default_factory=dict)

    async def aget(self, key: str, default: Any = None) -> Any:
        return json.loads(self.values[key]) if key in self.values else default

    async def aset(self, key: str, value: Any) -> None:
        self.values[key] = json.dumps(value)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def vendors(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    with serve(Settings(jobs=120, duration=DURATION), clock=clock) as running:
        for name, connection in connections(running).items():
            monkeypatch.setenv(name, connection)
        yield running


def trigger(kind: str, store: Store | None = None) -> BatchFinishedEventTrigger:
    connection_id = f"{kind.partition('.')[0]}_default"
    made = BatchFinishedEventTrigger(kind=kind, connection_id=connection_id, poll_interval=0.01, event_interval=0)
    made.asset_state_store = store  # type: ignore[assignment]
    return made


async def looks(watcher: BatchFinishedEventTrigger, between: Any, count: int = 3) -> AsyncIterator[Any]:
    """Give the watcher so many looks, with something happening before each but the first."""
    stream = watcher.open_shared_stream(watcher.serialize()[1])
    for number in range(count):
        if number:
            between()
        yield await anext(stream)
    await stream.aclose()  # type: ignore[attr-defined]


def heard(watcher: BatchFinishedEventTrigger, between: Any = lambda: None, count: int = 3) -> list[dict[str, Any]]:
    async def listen() -> list[dict[str, Any]]:
        return [event.payload async for event in watcher.filter_shared_stream(looks(watcher, between, count))]

    return asyncio.run(listen())


@pytest.mark.parametrize("kind", KINDS)
def test_each_batch_that_finishes_is_told_once(kind: str, vendors: Sandbox, clock: Clock) -> None:
    def finish_some() -> None:
        clock.now += DURATION / 2

    events = heard(trigger(kind, Store()), finish_some, count=5)
    ids = [event["id"] for event in events]
    assert ids
    assert len(set(ids)) == len(ids)
    assert {event["outcome"] for event in events} <= {"succeeded", "failed", "cancelled"}
    assert all(event["status"] and isinstance(event["counts"], dict) for event in events)
    assert json.loads(json.dumps(events)) == events


def test_what_was_finished_before_the_first_look_is_not_told(vendors: Sandbox) -> None:
    assert heard(trigger("talkifai.batch_job", Store())) == []


def test_after_a_restart_those_that_finished_meanwhile_are_told_and_no_other(vendors: Sandbox, clock: Clock) -> None:
    def finish_some() -> None:
        clock.now += DURATION / 2

    store = Store()
    before = heard(trigger("talkifai.batch_job", store), finish_some, count=2)
    finish_some()
    after = heard(trigger("talkifai.batch_job", store), count=2)
    assert before
    assert after
    assert not {event["id"] for event in before} & {event["id"] for event in after}


def test_without_a_store_a_restart_begins_anew(vendors: Sandbox, clock: Clock) -> None:
    heard(trigger("talkifai.batch_job"), count=1)
    clock.now += DURATION
    assert heard(trigger("talkifai.batch_job"), count=2) == []


def test_a_batch_that_runs_again_is_not_told_again(vendors: Sandbox, clock: Clock) -> None:
    steps = iter([DURATION, -DURATION, DURATION])

    def back_and_forth() -> None:
        clock.now += next(steps)

    ids = [event["id"] for event in heard(trigger("talkifai.batch_job", Store()), back_and_forth, count=4)]
    assert len(set(ids)) == len(ids) > 0


def test_the_default_batch_and_the_project_itself_are_not_told(vendors: Sandbox, clock: Clock) -> None:
    def finish_all() -> None:
        clock.now += DURATION * 2

    events = heard(trigger("playment.batch", Store()), finish_all, count=2)
    assert {event["status"] for event in events} == {"Complete"}
    finished = {event["id"] for event in events}
    batches = {batch["id"]: batch for batch in PlaymentHook().iter_batches()}
    assert finished < set(batches)
    assert not any(batches[batch_id]["is_default"] for batch_id in finished)


WRONG_FOR_NOW: dict[str, tuple[dict[str, Any], str]] = {
    "an expired key": ({"password": "expired"}, "HTTP 401"),
    "a scope that neither trigger nor connection completes": ({"extra": None}, "organization_id is missing"),
    "a connection of another type": ({"conn_type": "http"}, "is of type 'http'"),
}


@pytest.mark.parametrize("wrong", WRONG_FOR_NOW)
def test_a_poll_that_fails_is_made_again(
    wrong: str, vendors: Sandbox, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(batch, "LONGEST_PAUSE", 0.01)
    name = "AIRFLOW_CONN_TALKIFAI_DEFAULT"
    right = json.loads(connections(vendors)[name])
    changes, reason = WRONG_FOR_NOW[wrong]
    watcher = trigger("talkifai.batch_job", Store())

    async def listen() -> Any:
        monkeypatch.setenv(name, json.dumps({**right, **changes}))
        stream = watcher.open_shared_stream(watcher.serialize()[1])
        poll = asyncio.ensure_future(anext(stream))
        while "Polling again" not in caplog.text:
            await asyncio.sleep(0)
        monkeypatch.setenv(name, json.dumps(right))
        return await poll

    assert asyncio.run(listen())
    assert reason in caplog.text
    assert "expired" not in caplog.text


def test_watchers_of_one_scope_share_their_looks() -> None:
    def key(**changes: Any) -> Any:
        arguments: dict[str, Any] = {"kind": "talkifai.batch_job", "connection_id": "c", "poll_interval": 30}
        return BatchFinishedEventTrigger(**{**arguments, **changes}).shared_stream_key()

    assert key() == key()
    others = [key(kind="playment.batch"), key(connection_id="d"), key(scope={"organization_id": "o"})]
    assert len({key(), key(poll_interval=60), *others}) == 5


def test_a_watcher_is_made_again_from_json() -> None:
    made = BatchFinishedEventTrigger(kind="playment.batch", connection_id="c", scope={"project_id": "p"})
    path, arguments = made.serialize()
    again = BatchFinishedEventTrigger(**json.loads(json.dumps(arguments)), of_a_later_version=1)
    assert path == "airflow_batch_provider.triggers.batch.BatchFinishedEventTrigger"
    assert again.serialize() == (path, arguments)


def test_an_unknown_kind_is_an_error_where_the_dag_is_parsed() -> None:
    with pytest.raises(ValueError, match=r"kind='x' is not allowed; allowed is one of 'playment.batch'"):
        BatchFinishedEventTrigger(kind="x", connection_id="c")


def test_events_of_one_look_are_kept_apart_and_remembered_one_by_one(
    vendors: Sandbox, clock: Clock, mocker: MockerFixture
) -> None:
    def finish_all() -> None:
        clock.now += DURATION * 2

    store = Store()
    watcher = trigger("playment.batch", store)
    watcher.event_interval = 7
    sleep, slept = asyncio.sleep, []

    async def skip_the_interval(seconds: float) -> None:
        slept.append(seconds)
        await sleep(0 if seconds == watcher.event_interval else seconds)

    mocker.patch.object(batch.asyncio, "sleep", skip_the_interval)

    async def hear_two() -> list[str]:
        stream = watcher.filter_shared_stream(looks(watcher, finish_all, 2))
        return [(await anext(stream)).payload["id"] for _ in range(2)]

    first, second = asyncio.run(hear_two())
    assert 7 in slept
    rest = [event["id"] for event in heard(trigger("playment.batch", store), count=1)]
    assert first not in rest
    assert second in rest  # it was killed right after that event
    assert len(rest) == 2


@pytest.mark.parametrize(
    "arguments",
    [
        {"poll_interval": "60"},
        {"poll_interval": 0},
        {"poll_interval": 1e-9},
        {"hook": 5},
        {"hook": "os.path"},
        {"kind": None},
        {"scope": {1: "p", "b": "c"}},
        {"poll_interval": -1},
        {"poll_interval": True},
        {"poll_interval": float("nan")},
        {"poll_interval": float("inf")},
        {"poll_interval": timedelta()},
        {"event_interval": "3"},
        {"event_interval": -1},
        {"pol_interval": 60},
        {"scope": {"projectid": "p"}},
        {"scope": {"project_id": " "}},
        {"scope": "p"},
        {"connection_id": ""},
        {"connection_id": None},
    ],
    ids=repr,
)
def test_an_argument_that_is_wrong_is_an_error_where_the_dag_is_parsed(arguments: dict[str, Any]) -> None:
    with pytest.raises(InvalidParameterError):
        BatchFinishedEventTrigger(**{"kind": "playment.batch", "connection_id": "c", **arguments})


def test_seconds_may_be_a_timedelta() -> None:
    made = BatchFinishedEventTrigger(
        kind="playment.batch", connection_id="c", poll_interval=timedelta(minutes=2), event_interval=timedelta()
    )
    assert (made.poll_interval, made.event_interval) == (120.0, 0.0)


QUEUED: dict[str, Any] = {"kind": "playment.batch", "connection_id": "c", "queue": "vendors"}


def test_a_queue_is_refused_if_airflow_has_no_trigger_queues(mocker: MockerFixture) -> None:
    def init(self: Any, **kwargs: Any) -> None:
        pass

    mocker.patch.object(batch.BaseEventTrigger, "__init__", init)  # as Airflow 3.3 has it
    with pytest.raises(InvalidParameterError, match=r"before Airflow 3\.4"):
        BatchFinishedEventTrigger(**QUEUED)


@queues_of_event_triggers
def test_a_queue_is_passed_on_to_airflow() -> None:
    assert BatchFinishedEventTrigger(**QUEUED).queue == "vendors"
    assert BatchFinishedEventTrigger(kind="playment.batch", connection_id="c").queue is None


class Failing(Store):
    """A store that fails now and then."""

    def __init__(self, *failures: bool) -> None:
        super().__init__()
        self.failures = list(failures)

    def _fail(self) -> None:
        if self.failures and self.failures.pop(0):
            raise RuntimeError("the API server restarts")

    async def aget(self, key: str, default: Any = None) -> Any:
        self._fail()
        return await super().aget(key, default)

    async def aset(self, key: str, value: Any) -> None:
        self._fail()
        await super().aset(key, value)


@pytest.mark.parametrize("failures", [list(case) for case in product([False, True], repeat=5)], ids=str)
def test_a_store_that_fails_delays_events_and_loses_none(failures: list[bool], vendors: Sandbox, clock: Clock) -> None:
    def finish_all() -> None:
        clock.now += DURATION * 2

    heard(trigger("playment.batch", store := Failing()), count=1)
    finish_all()
    store.failures = failures
    events = heard(trigger("playment.batch", store), count=6)
    assert len({event["id"] for event in events}) == len(events) == 3
    assert heard(trigger("playment.batch", store), count=2) == []


def test_what_release_0_1_0_kept_is_understood(vendors: Sandbox, clock: Clock) -> None:
    store = Store()
    heard(trigger("playment.batch", store), count=1)
    (key,) = [key for key in store.values if not key.endswith("-recent")]
    clock.now += DURATION * 2
    finished = [batch["id"] for batch in PlaymentHook().iter_batches() if not batch["is_default"]]
    store.values = {key: json.dumps(sorted(digest_of(batch_id).hex() for batch_id in finished[:2]))}
    assert {event["id"] for event in heard(trigger("playment.batch", store), count=1)} == set(finished[2:])


def test_events_cost_writes_of_what_is_new_and_not_of_all() -> None:
    class Counting(Store):
        written = 0

        async def aset(self, key: str, value: Any) -> None:
            self.written += len(json.dumps(value))
            await super().aset(key, value)

    store = Counting()
    states = [(f"batch-{number}", {"id": "shown"}) for number in range(10_040)]

    async def listings() -> AsyncIterator[Any]:
        yield states[:10_000]
        store.written = 0
        yield states

    async def listen() -> int:
        return len([event async for event in trigger("playment.batch", store).filter_shared_stream(listings())])

    assert asyncio.run(listen()) == 40
    assert store.written < 20_000
    assert sum(map(len, store.values.values())) < 120_000


def test_more_than_are_kept_beside_the_others_are_kept_at_once() -> None:
    store = Store()
    states = [(f"batch-{number}", {}) for number in range(600)]

    async def listings() -> AsyncIterator[Any]:
        yield []
        yield states

    async def killed_after(count: int) -> None:
        stream = trigger("playment.batch", store).filter_shared_stream(listings())
        for _ in range(count):
            await anext(stream)

    async def all_at_once() -> AsyncIterator[Any]:
        yield states

    async def restarted() -> int:
        return len([event async for event in trigger("playment.batch", store).filter_shared_stream(all_at_once())])

    asyncio.run(killed_after(500))
    assert asyncio.run(restarted()) == 101  # the one that it was killed at may fire once more


def test_what_one_poll_does_not_list_is_not_forgotten() -> None:
    store = Store()
    first = [(f"batch-{number}", {}) for number in range(300)]

    async def listings() -> AsyncIterator[Any]:
        yield []
        yield first[:1]
        yield first[1:]
        yield first

    async def listen() -> int:
        return len([event async for event in trigger("playment.batch", store).filter_shared_stream(listings())])

    assert asyncio.run(listen()) == 300


@pytest.mark.parametrize("damaged", ["!", "QUI=", 5, {"a": 1}, [1], ["xyz"]], ids=repr)
def test_a_kept_value_that_cannot_be_read_fires_nothing_for_what_is_finished(damaged: Any) -> None:
    store = Store()
    states = [(f"batch-{number}", {}) for number in range(5)]

    async def one_listing() -> AsyncIterator[Any]:
        yield states

    async def listen() -> int:
        return len([event async for event in trigger("playment.batch", store).filter_shared_stream(one_listing())])

    asyncio.run(listen())
    (key,) = [key for key in store.values if not key.endswith("-recent")]
    store.values = {key: json.dumps(damaged)}
    assert asyncio.run(listen()) == 0
