"""Runs two pieces of code by turns, so many operations on the local store each time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from airflow_batch_provider.stores.destination import LocalStore

OPERATIONS = ("create", "open", "read", "version", "put", "put_if", "publish", "size", "names_below", "remove")
SECONDS_UNTIL_STUCK = 60


class _Turns:
    def __init__(self, moments: Sequence[tuple[int, int]]) -> None:
        self._moments = [*moments, (0, 10**9), (1, 10**9)]
        self._ended: set[int] = set()
        self._changed = threading.Condition()
        self._own = threading.local()

    def begin(self, number: int) -> None:
        self._own.number = number

    def step(self) -> None:
        """Wait for a turn, and use up one step of it."""
        number = self._own.number
        with self._changed:
            assert self._changed.wait_for(lambda: self._whose() == number, SECONDS_UNTIL_STUCK), "stuck"
            _, left = self._moments[0]
            self._moments[0] = (number, left - 1)
            self._changed.notify_all()

    def end(self) -> None:
        with self._changed:
            self._ended.add(self._own.number)
            self._changed.notify_all()

    def _whose(self) -> int:
        while self._moments[0][1] == 0 or self._moments[0][0] in self._ended:
            self._moments.pop(0)
        return self._moments[0][0]


def by_turns(codes: Sequence[Callable[[], Any]], moments: Sequence[tuple[int, int]]) -> list[Exception]:
    """Run two pieces of code and return what they raised.

    :param moments: which of them has the turn for how many operations; then the first ends, and then the other
    """
    turns = _Turns(moments)
    failures: list[Exception] = []

    def run(number: int, code: Callable[[], Any]) -> None:
        turns.begin(number)
        try:
            code()
        except Exception as error:  # noqa: BLE001 - the test looks at it
            failures.append(error)
        finally:
            turns.end()

    def by_turn(method: Callable[..., Any]) -> Callable[..., Any]:
        def operation(*args: Any, **kwargs: Any) -> Any:
            turns.step()
            return method(*args, **kwargs)

        return operation

    with pytest.MonkeyPatch.context() as patch:
        for name in OPERATIONS:
            patch.setattr(LocalStore, name, by_turn(getattr(LocalStore, name)))
        threads = [threading.Thread(target=run, args=numbered) for numbered in enumerate(codes)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    return failures
