"""The same done to many files, several at a time."""

from __future__ import annotations

import contextvars
import threading
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any, cast

import pytest

from airflow_batch_provider.stores.destination import Store
from airflow_batch_provider.stores.parallel import for_each

SECONDS_UNTIL_STUCK = 20


def store(at_once: int) -> Store:
    return cast(Store, SimpleNamespace(operations_at_once=at_once))


@pytest.mark.parametrize("at_once", [1, 3])
@pytest.mark.parametrize("count", [0, 1, 10])
def test_each_item_has_its_turn_once(at_once: int, count: int) -> None:
    done: list[int] = []
    for_each(store(at_once), done.append, range(count))
    assert sorted(done) == list(range(count))


def test_as_many_run_at_once_as_the_store_takes() -> None:
    together = threading.Barrier(3)
    for_each(store(3), lambda _: cast(Any, together.wait(SECONDS_UNTIL_STUCK)), range(3))


def test_a_store_that_takes_one_at_a_time_is_used_by_this_thread_alone() -> None:
    threads: list[threading.Thread] = []
    for_each(store(1), lambda _: threads.append(threading.current_thread()), range(5))
    assert set(threads) == {threading.current_thread()}


@pytest.mark.parametrize("failure", [ValueError("second"), KeyboardInterrupt()], ids=repr)
def test_a_failure_is_raised_when_nothing_runs_any_more_and_what_had_not_begun_is_left(
    failure: BaseException, monkeypatch: pytest.MonkeyPatch
) -> None:
    shut, done = threading.Event(), list[int]()
    shutdown = ThreadPoolExecutor.shutdown

    def tell(executor: ThreadPoolExecutor, *args: Any, **options: Any) -> None:
        shut.set()
        shutdown(executor, *args, **options)

    def operation(item: int) -> None:
        if item == 0:
            raise failure
        assert shut.wait(SECONDS_UNTIL_STUCK)
        done.append(item)

    monkeypatch.setattr(ThreadPoolExecutor, "shutdown", tell)
    with pytest.raises(type(failure)):
        for_each(store(2), operation, range(100))
    assert set(done) <= {1, 2}


def test_the_context_of_the_task_is_there() -> None:
    task = contextvars.ContextVar("task", default="none")
    task.set("export")
    seen: list[str] = []
    for_each(store(2), lambda _: seen.append(task.get()), range(4))
    assert seen == ["export"] * 4
