"""Does work for each of many tasks, many at a time, and gives the results in the order of the tasks."""

from __future__ import annotations

import contextvars
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Any, Generic, TypeVar

Task = TypeVar("Task")
Result = TypeVar("Result")

TASKS_PER_WORKER = 8
"""Tasks that are worked on or done for each worker: one that takes long does not stop the others immediately."""

MOST_BYTES_HELD = 64 << 20
"""Bytes of results that wait for one before them; no more work is begun beyond."""


class FanOut(Generic[Task, Result]):
    """Works on tasks in threads, in bounded memory.

    The groups of tasks are asked for in the same threads, one at a time and ahead of need: they may take requests too.

    :param work: works on one task, from any thread
    :param workers: how many threads
    :param size_of: bytes that a result takes
    """

    def __init__(self, work: Callable[[Task], Result], workers: int, size_of: Callable[[Result], int]) -> None:
        self._work = work
        self._size_of = size_of
        self._ahead = workers * TASKS_PER_WORKER
        self._executor = ThreadPoolExecutor(workers, "fan-out")
        self._groups: Iterator[Sequence[Task]] = iter(())
        self._upcoming: Future[Sequence[Task] | None] | None = None
        self._waiting: deque[Task] = deque()
        self._running: deque[tuple[Task, Future[Result]]] = deque()
        self._has_more = True
        self._lock = threading.Lock()
        self._held = 0

    def results(self, groups: Iterator[Sequence[Task]]) -> Iterator[list[tuple[Task, Result]]]:
        """Yield what became of tasks, in their order, as much at a time as is done.

        A failure is raised after all that was done before it.

        :param groups: the tasks
        """
        self._groups = groups
        self._upcoming = self._submit(next, groups, None)
        try:
            while True:
                self._take_group()
                self._begin_tasks()
                if done := self._take_done():
                    yield done
                elif awaited := self._awaited():
                    wait(awaited, return_when=FIRST_COMPLETED)
                else:
                    return
        finally:
            # What runs ends by itself: a request cannot be called back.
            self._executor.shutdown(wait=False, cancel_futures=True)

    def _submit(self, function: Callable[..., Any], *args: Any) -> Future[Any]:
        return self._executor.submit(contextvars.copy_context().run, function, *args)

    def _take_group(self) -> None:
        if self._upcoming is None or not self._upcoming.done():
            return
        if self._upcoming.exception() and (self._running or self._waiting):
            return
        group = self._upcoming.result()
        self._upcoming = None
        self._has_more = group is not None
        self._waiting.extend(group or ())

    def _begin_tasks(self) -> None:
        # The next group goes first: behind the tasks of this one, it would come when nothing is left to do.
        if self._upcoming is None and self._has_more and len(self._waiting) < self._ahead:
            self._upcoming = self._submit(next, self._groups, None)
        while self._waiting and len(self._running) < self._ahead and self._held < MOST_BYTES_HELD:
            task = self._waiting.popleft()
            self._running.append((task, self._submit(self._do, task)))

    def _do(self, task: Task) -> Result:
        result = self._work(task)
        with self._lock:
            self._held += self._size_of(result)
        return result

    def _take_done(self) -> list[tuple[Task, Result]]:
        done: list[tuple[Task, Result]] = []
        while self._running and self._running[0][1].done():
            task, future = self._running[0]
            if future.exception() and done:
                break  # first what was done before it
            result = future.result()
            self._running.popleft()
            done.append((task, result))
            with self._lock:
                self._held -= self._size_of(result)
        return done

    def _awaited(self) -> list[Future[Any]]:
        """Return what to wait for; nothing if all has been read."""
        upcoming = [self._upcoming] if self._upcoming else []
        if not self._running:
            return upcoming  # which may be done since it was looked at
        # A group that has failed has to wait for the results before it.
        due = [group for group in upcoming if not (group.done() and group.exception())]
        return [self._running[0][1], *due]
