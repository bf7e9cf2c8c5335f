"""How fast requests may be sent."""

from __future__ import annotations

import threading
import time

from airflow_batch_provider import backoff

LONGEST_HOLD = 3600.0
"""Seconds for which a vendor may stop polling."""


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
            backoff.pause(turn - now)

    def turn_in(self) -> float:
        """Return the seconds until a request would have its turn; 0 or less if it has it now."""
        return self._next - time.monotonic() if self._interval else 0.0

    def hold(self, seconds: float) -> None:
        """Ask those who poll to wait for a while, as the vendor wants it; an hour at most.

        :param seconds: from now on
        """
        self._held_until = max(self._held_until, time.monotonic() + min(seconds, LONGEST_HOLD))

    def held_for(self) -> float:
        """Return the seconds until polls may continue; 0 or less if they may now."""
        return self._held_until - time.monotonic()


_shared_rate_limiters: dict[tuple[str, int | None], RateLimiter] = {}


def shared_rate_limiter(connection_id: str, requests_per_minute: int | None) -> RateLimiter:
    """Return the one pace of a connection in this process.

    :param connection_id: the Airflow connection
    :param requests_per_minute: what it allows; another number begins another pace
    """
    return _shared_rate_limiters.setdefault((connection_id, requests_per_minute), RateLimiter(requests_per_minute))
