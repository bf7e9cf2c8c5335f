"""How long to wait before a request is sent again, and between requests."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from tenacity import RetryCallState, wait_random_exponential

from airflow_batch_provider.exceptions import RateLimitedError

LONGEST_RETRY_AFTER = 60.0
"""Seconds of Retry-After that are waited for; a vendor that asks for more gets a failed task that says so."""

LONGEST_HOLD = 3600.0
"""Seconds that a vendor may keep polls from going on."""

LONGEST_BACKOFF = 30.0
"""Seconds between two attempts where the vendor does not say how long."""

_jittered = wait_random_exponential(multiplier=1, max=LONGEST_BACKOFF)


def pause(seconds: float) -> None:
    """Sleep; :mod:`airflow_batch_provider.testing` puts something quicker in its place."""
    time.sleep(seconds)


def wait(state: RetryCallState) -> float:
    """Return the seconds before the next attempt: what the vendor asked for, else exponential with full jitter."""
    error = state.outcome.exception() if state.outcome else None
    if isinstance(error, RateLimitedError) and error.retry_after:  # 0 asks for nothing
        return error.retry_after
    return _jittered(state)


def parse_retry_after(value: str | None, now: datetime | None = None) -> float | None:
    """Read a Retry-After header, in either of HTTP's forms.

    :param value: seconds, or an HTTP date
    :param now: the moment to count from, for a date
    :return: seconds from now, never negative; None where there is no header or it makes no sense
    """
    if value is None:
        return None
    text = value.strip()
    if text.replace(".", "", 1).isdecimal() and text.isascii():
        return float(text)
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - (now or datetime.now(UTC))).total_seconds())


class RateLimiter:
    """Spaces requests evenly, over all threads that share it.

    :param requests_per_minute: the most requests per minute, None for no limit
    """

    def __init__(self, requests_per_minute: int | None) -> None:
        self._interval = 60.0 / requests_per_minute if requests_per_minute else 0.0
        self._lock = threading.Lock()
        self._next = 0.0
        self._held_until = 0.0

    def wait_for_turn(self) -> None:
        """Return when the next request may be sent."""
        if not self._interval:
            return
        with self._lock:
            now = time.monotonic()
            turn = max(now, self._next)
            self._next = turn + self._interval
        if turn > now:
            pause(turn - now)

    def hold(self, seconds: float) -> None:
        """Ask those who poll to wait for a while, as the vendor wants it; an hour at most.

        :param seconds: from now on
        """
        self._held_until = max(self._held_until, time.monotonic() + min(seconds, LONGEST_HOLD))

    def held_for(self) -> float:
        """Return the seconds until polls may go on, 0 or less where they may now."""
        return self._held_until - time.monotonic()


_shared_rate_limiters: dict[tuple[str, int | None], RateLimiter] = {}


def shared_rate_limiter(connection_id: str, requests_per_minute: int | None) -> RateLimiter:
    """Return the one pace of a connection in this process.

    :param connection_id: the Airflow connection
    :param requests_per_minute: what it allows; another number begins another pace
    """
    return _shared_rate_limiters.setdefault((connection_id, requests_per_minute), RateLimiter(requests_per_minute))
