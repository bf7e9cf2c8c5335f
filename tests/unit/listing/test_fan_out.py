"""Whatever order the work is done in, the results come in the order of the tasks, each once, in bounded memory."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_batch_provider.listing import fan_out
from airflow_batch_provider.listing.fan_out import TASKS_PER_WORKER, FanOut

WORKERS = 2
SECONDS_UNTIL_STUCK = 30

Moments = Iterable[int]
"""What happens each time that the code looks whether something is done: nothing (0), or the n-th of the submitted jobs
that a worker has begun is done."""


class BrokenError(Exception):
    """A task or a group that fails."""


class Chosen:
    """Stands in for the thread pool and for ``wait``: a test chooses when each job is done."""

    def __init__(self, moments: Moments) -> None:
        self._moments = iter(moments)
        self._submitted: list[tuple[_Watched, Callable[[], Any]]] = []
        self.most_unfinished = 0

    def submit(self, function: Callable[..., Any], *args: Any) -> Future[Any]:
        future = _Watched(self)
        self._submitted.append((future, lambda: function(*args)))
        self.most_unfinished = max(self.most_unfinished, len(self._submitted))
        return future

    def look(self) -> None:
        chosen = next(self._moments, 0)
        if 0 < chosen <= min(WORKERS, len(self._submitted)):
            self._finish(chosen - 1)

    def wait(self, awaited: Sequence[Future[Any]], return_when: str) -> None:
        assert awaited
        while not any(Future.done(future) for future in awaited):
            self._finish(0)

    def shutdown(self, **options: bool) -> None:
        self._submitted.clear()

    def _finish(self, place: int) -> None:
        future, job = self._submitted.pop(place)
        try:
            future.set_result(job())
        except Exception as error:  # noqa: BLE001 - it belongs to the future
            future.set_exception(error)


class _Watched(Future[Any]):
    def __init__(self, chosen: Chosen) -> None:
        super().__init__()
        self._chosen = chosen

    def done(self) -> bool:
        self._chosen.look()
        return super().done()


def work(task: str) -> str:
    if task.startswith("bad"):
        raise BrokenError(task)
    return task.upper()


def groups_of(groups: Sequence[Sequence[str]]) -> Iterator[Sequence[str]]:
    for group in groups:
        if group == ["broken group"]:
            raise BrokenError("group")
        yield group


def run(groups: Sequence[Sequence[str]], moments: Moments) -> tuple[list[str], str | None]:
    """Return the results, and what failed."""
    chosen = Chosen(moments)
    results: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fan_out, "ThreadPoolExecutor", lambda *arguments: chosen)
        patch.setattr(fan_out, "wait", chosen.wait)
        try:
            for done in FanOut(work, WORKERS, len).results(groups_of(groups)):
                assert done
                results += [result for task, result in done if result == task.upper()]
        except BrokenError as error:
            return results, str(error)
    return results, None


CASES: dict[str, tuple[list[list[str]], list[str], str | None]] = {
    "two groups": ([["a", "b"], ["c"]], ["A", "B", "C"], None),
    "an empty group between": ([["a"], [], ["b"]], ["A", "B"], None),
    "nothing": ([], [], None),
    "a task that fails": ([["a", "bad", "b"]], ["A"], "bad"),
    "two tasks that fail": ([["a", "bad 1", "bad 2"]], ["A"], "bad 1"),
    "a group that fails": ([["a", "b"], ["broken group"]], ["A", "B"], "group"),
    "a group and a task before it that fail": ([["a", "bad"], ["broken group"]], ["A"], "bad"),
    "the first group fails": ([["broken group"]], [], "group"),
}


@pytest.mark.parametrize(("groups", "results", "failed"), CASES.values(), ids=CASES)
def test_in_every_order_of_events_the_results_come_in_order_and_a_failure_after_all_before_it(
    groups: list[list[str]], results: list[str], failed: str | None
) -> None:
    """Every choice at the first seven looks; a group that is done between two looks was once taken for the end."""
    for moments in itertools.product(range(WORKERS + 1), repeat=7):
        assert run(groups, moments) == (results, failed), moments


@given(
    sizes=st.lists(st.integers(0, 40), max_size=8),
    moments=st.lists(st.integers(0, WORKERS), max_size=400),
)
def test_any_number_of_tasks_in_any_groups_come_each_once_and_in_order(sizes: list[int], moments: list[int]) -> None:
    numbers = map(str, itertools.count())
    groups = [[next(numbers) for _ in range(size)] for size in sizes]
    assert run(groups, moments) == ([task for group in groups for task in group], None)


@given(moments=st.lists(st.integers(0, WORKERS), max_size=400))
def test_no_more_work_is_submitted_than_the_workers_need_ahead(moments: list[int]) -> None:
    chosen = Chosen(moments)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fan_out, "ThreadPoolExecutor", lambda *arguments: chosen)
        patch.setattr(fan_out, "wait", chosen.wait)
        tasks = FanOut(work, WORKERS, len).results(iter([["x"] * 100, ["x"] * 100]))
        assert sum(map(len, tasks)) == 200
    assert chosen.most_unfinished <= WORKERS * TASKS_PER_WORKER + 1  # and the next group


@given(moments=st.lists(st.integers(0, WORKERS), max_size=400))
def test_nothing_is_submitted_while_results_that_are_too_large_wait_for_one_before_them(moments: list[int]) -> None:
    done: list[str] = []
    taken: list[str] = []

    class Bounded(Chosen):
        def submit(self, function: Callable[..., Any], *args: Any) -> Future[Any]:
            assert args[0] is next or len(done) - len(taken) < 3
            return super().submit(function, *args)

    def large(task: str) -> str:
        done.append(task)
        return "x" * 10

    with pytest.MonkeyPatch.context() as patch:
        chosen = Bounded(moments)
        patch.setattr(fan_out, "MOST_BYTES_HELD", 30)
        patch.setattr(fan_out, "ThreadPoolExecutor", lambda *arguments: chosen)
        patch.setattr(fan_out, "wait", chosen.wait)
        tasks = [str(number) for number in range(60)]
        for some in FanOut(large, WORKERS, len).results(iter([tasks])):
            taken += [task for task, _ in some]
    assert taken == tasks


@pytest.mark.parametrize("workers", [1, 3])
def test_so_many_tasks_are_worked_on_at_once_as_there_are_workers(workers: int) -> None:
    together = threading.Barrier(workers)
    lock = threading.Lock()
    now = most = 0

    def meet(task: int) -> int:
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        together.wait(SECONDS_UNTIL_STUCK)  # passes only if so many are here
        with lock:
            now -= 1
        return task

    done = [task for some in FanOut(meet, workers, lambda _: 1).results(iter([range(30)])) for task, _ in some]
    assert done == [*range(30)]
    assert most == workers


def test_the_next_group_is_asked_for_before_the_one_before_is_done() -> None:
    is_asked = threading.Event()

    def groups() -> Iterator[list[int]]:
        yield [0]
        is_asked.set()
        yield [1]

    def wait_for_the_next_group(task: int) -> int:
        assert is_asked.wait(SECONDS_UNTIL_STUCK)
        return task

    results = FanOut(wait_for_the_next_group, WORKERS, lambda _: 1).results(groups())
    assert [task for done in results for task, _ in done] == [0, 1]


def test_what_was_not_begun_is_never_begun_once_the_consumer_stops() -> None:
    begun: list[int] = []
    goes_on = threading.Event()

    def record(task: int) -> int:
        begun.append(task)
        if task:
            assert goes_on.wait(SECONDS_UNTIL_STUCK)
        return task

    results = FanOut(record, WORKERS, lambda _: 1).results(iter([range(1000)]))
    next(results)
    results.close()  # type: ignore[attr-defined]
    goes_on.set()
    assert len(begun) <= 1 + 2 * WORKERS


def test_the_next_group_is_asked_for_before_the_tasks_of_this_one() -> None:
    """Behind them it would come when the workers have nothing left to do."""
    order: list[str] = []

    def groups() -> Iterator[Sequence[int]]:
        for number in range(3):
            order.append(f"group {number}")
            yield [number]

    fan_out: FanOut[int, None] = FanOut(lambda task: order.append(f"task {task}"), 1, lambda result: 0)
    assert [task for done in fan_out.results(groups()) for task, _ in done] == [0, 1, 2]
    assert order == ["group 0", "group 1", "task 0", "group 2", "task 1", "task 2"]
