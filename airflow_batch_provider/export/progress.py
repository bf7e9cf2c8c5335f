"""Says in the task's log how far an export is."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

SECONDS_BETWEEN_LINES = 10.0


class Progress:
    """Logs rows, pages, speed, and the share where the total is known, at most every ten seconds.

    :param log: where to
    :param clock: seconds that only go forward
    """

    def __init__(self, log: logging.Logger, clock: Callable[[], float] = time.monotonic) -> None:
        self._log = log
        self._clock = clock
        self._started = self._said = clock()

    def report(self, rows: int, pages: int, total: int | None) -> None:
        """Say how far it is, if it was not said just now."""
        now = self._clock()
        if now - self._said < SECONDS_BETWEEN_LINES:
            return
        self._said = now
        share = f", {100 * rows / total:.0f} % of {total}" if total else ""
        speed = rows / (now - self._started)
        self._log.info("%d rows in %d pages, %.0f rows/s%s", rows, pages, speed, share)
