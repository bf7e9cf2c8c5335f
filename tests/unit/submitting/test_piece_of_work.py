"""The key of a piece of work, which every try computes anew, and what Airflow remembers of it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from airflow_batch_provider.submitting.piece_of_work import SUBMITTED_KEY, Memory, piece_of_work

STARTED = datetime(2026, 3, 1, 13, tzinfo=timezone(timedelta(hours=1)))


@dataclass
class TaskInstance:
    """What a piece of work uses of Airflow's."""

    dag_id: str = "d"
    run_id: str = "r"
    task_id: str = "t"
    map_index: int | None = -1
    try_number: int | None = 1
    max_tries: int | None = 2


@dataclass
class Run:
    start_date: Any = STARTED


def key(submit_key: str | None = None, **fields: Any) -> str:
    context: Any = {"ti": TaskInstance(**fields), "dag_run": Run()}
    return piece_of_work(context, submit_key).key


def piece(**fields: Any) -> Any:
    context: Any = {"ti": TaskInstance(**fields), "dag_run": Run()}
    return piece_of_work(context, None)


def test_the_key_is_the_same_in_every_version() -> None:
    """Another would submit once more what an earlier version has submitted."""
    assert key() == "5683677353012942"
    assert key("x") == "2f3825e84b1b0398"
    assert key(map_index=3) == "f8abbe8ae3ca77f2"


@pytest.mark.parametrize("other", [{"try_number": 5}, {"max_tries": 9}, {"map_index": None}])
def test_another_try_has_the_same_key(other: dict[str, Any]) -> None:
    assert key(**other) == key()


def test_whatever_tells_pieces_of_work_apart_changes_the_key() -> None:
    keys = [
        *(key(), key(dag_id="d2"), key(run_id="r2"), key(task_id="t2"), key(map_index=0), key(map_index=1)),
        *(key("x"), key("y"), key(""), key("x", map_index=0), key(dag_id="d", run_id='r", "t')),
        *(key(dag_id="dr", run_id=""), key(dag_id="", run_id="dr")),
    ]
    assert len(set(keys)) == len(keys)
    assert all(re.fullmatch("[0-9a-f]{16}", each) for each in keys)


def test_without_a_task_each_call_is_another_piece_of_work_unless_it_is_named() -> None:
    first, second = (piece_of_work({}, None) for _ in range(2))
    assert first.key != second.key
    assert (first.description, first.is_retry, first.is_last_try, first.began) == ("Airflow", False, False, None)
    assert piece_of_work({}, "x").key == piece_of_work({}, "x").key != piece_of_work({}, "y").key


@pytest.mark.parametrize(
    ("index", "expected"),
    [
        (-1, "Airflow: DAG d, run r, task t"),
        (None, "Airflow: DAG d, run r, task t"),
        (0, "Airflow: DAG d, run r, task t, map index 0"),
    ],
)
def test_the_description_names_the_task(index: int | None, expected: str) -> None:
    assert piece(map_index=index).description == expected


@pytest.mark.parametrize(
    ("number", "most", "is_retry", "is_last"),
    [(1, 2, False, False), (2, 2, True, False), (3, 2, True, True), (1, 0, False, True), (None, None, False, False)],
)
def test_a_try_knows_whether_it_is_the_last(number: Any, most: Any, is_retry: bool, is_last: bool) -> None:
    its_piece = piece(try_number=number, max_tries=most)
    assert (its_piece.is_retry, its_piece.is_last_try) == (is_retry, is_last)


@pytest.mark.parametrize(("run", "began"), [(Run(), STARTED), (Run(None), None), (Run("then"), None), (None, None)])
def test_the_beginning_is_that_of_the_run(run: Run | None, began: datetime | None) -> None:
    context: Any = {"ti": TaskInstance(), "dag_run": run}
    its_piece = piece_of_work(context, None)
    assert its_piece.began == began
    assert its_piece.began is None or its_piece.began.tzinfo is UTC


def test_a_piece_of_work_can_be_named_anew() -> None:
    renamed = piece().named("k.2")
    assert (renamed.key, renamed.description, renamed.began) == ("k.2", piece().description, piece().began)


# What Airflow remembers.


class Store(dict[str, Any]):
    """Airflow's task state store, which keeps what was written."""

    def set(self, name: str, value: Any) -> None:
        self[name] = dict(value)


def memory(store: Store | None, key: str = "k") -> Memory:
    context: Any = {} if store is None else {"task_state_store": store}
    return Memory(context, key)


def test_a_batch_is_remembered_by_the_next_try() -> None:
    store = Store()
    memory(store).note_batch("k", "b1")
    assert store == {SUBMITTED_KEY: {"work": "k", "key": "k", "batch_id": "b1"}}
    assert memory(store).batch_id("k") == "b1"
    assert memory(store).batch_id("k.2") is None


def test_what_was_sent_is_remembered_before_its_batch_is_known() -> None:
    store = Store()
    assert memory(store).was_sent("k") is False
    memory(store).note_sending("k")
    assert store == {SUBMITTED_KEY: {"work": "k", "key": "k"}}
    assert memory(store).was_sent("k") is True
    assert memory(store).was_sent("k.2") is False
    assert memory(store).batch_id("k") is None


def test_sending_again_keeps_the_batch_that_is_known() -> None:
    store = Store()
    its_memory = memory(store)
    its_memory.note_batch("k", "b1")
    its_memory.note_sending("k")
    assert its_memory.batch_id("k") == memory(store).batch_id("k") == "b1"


def test_a_batch_of_another_key_does_not_count() -> None:
    store = Store()
    its_memory = memory(store)
    its_memory.note_batch("k", "b1")
    its_memory.note_sending("k.2")
    assert its_memory.batch_id("k.2") is None


def test_the_same_batch_is_stored_once() -> None:
    store = Store()
    its_memory = memory(store)
    its_memory.note_batch("k", "b1")
    store.clear()
    its_memory.note_batch("k", "b1")
    assert not store
    its_memory.note_batch("k", "b2")
    assert store[SUBMITTED_KEY]["batch_id"] == "b2"


@pytest.mark.parametrize(
    "stored", [None, "k", [], {}, {"work": "other", "key": "k", "batch_id": "b"}, {"key": "k", "batch_id": "b"}]
)
def test_what_another_piece_of_work_has_stored_does_not_count(stored: Any) -> None:
    store = Store({SUBMITTED_KEY: stored})
    assert memory(store).batch_id("k") is None
    assert memory(store).was_sent("k") is False


def test_an_airflow_without_a_memory_does_not_know() -> None:
    its_memory = memory(None)
    its_memory.note_sending("k")
    its_memory.note_batch("k", "b")
    assert its_memory.was_sent("k") is None
    assert its_memory.batch_id("k") is None
