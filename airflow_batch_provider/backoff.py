"""How long to wait before something is tried again, and how it is tried again: by the client and by the stores."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tenacity import RetryCallState, Retrying

_MOST_DOUBLINGS = 40


def pause(seconds: float) -> None:
    """Sleep; :mod:`airflow_batch_provider.testing` replaces it."""
    time.sleep(seconds)


def delay(attempt: int, base: float, cap: float, *, least: float = 0.5) -> float:
    """Return the seconds after a failed attempt: they double each time, and chance takes a part off.

    :param attempt: which attempt failed, from 1
    :param base: the longest pause after the first
    :param cap: the longest pause after any
    :param least: the share that is left at least: 0 is full jitter, 1 is none
    """
    longest = min(base * 2.0 ** min(max(attempt - 1, 0), _MOST_DOUBLINGS), cap)
    return longest * random.uniform(least, 1.0)  # noqa: S311 - jitter, no secret


def retrying(
    *,
    attempts: int,
    may_pass: Callable[[BaseException], bool],
    wait: Callable[[int, BaseException], float],
    log: Callable[[int, float, BaseException], None],
    seconds: float | None = None,
) -> Retrying:
    """Return what calls a function until it succeeds or there is no hope; then its last exception is raised.

    :param attempts: how often it is called at most
    :param may_pass: whether an exception may pass by itself
    :param wait: the pause in seconds after an attempt, counted from 1, and its exception
    :param log: called before each pause, with the attempt, the pause and the exception
    :param seconds: no attempt begins after so many seconds
    """
    import tenacity  # not needed to parse a DAG

    def failure(state: RetryCallState) -> BaseException:
        error = state.outcome.exception() if state.outcome else None
        assert error
        return error

    def before_sleep(state: RetryCallState) -> None:
        log(state.attempt_number, state.next_action.sleep if state.next_action else 0.0, failure(state))

    stop = tenacity.stop_after_attempt(attempts)
    return tenacity.Retrying(
        retry=tenacity.retry_if_exception(may_pass),
        stop=stop | tenacity.stop_before_delay(seconds) if seconds is not None else stop,
        wait=lambda state: wait(state.attempt_number, failure(state)),
        sleep=lambda seconds: pause(seconds),
        before_sleep=before_sleep,
        reraise=True,
    )
