"""Runs one thing at a time beside the reading."""

from __future__ import annotations

import contextvars
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress


class Uploads:
    """Finishes files while the next one is filled; never more than one at a time, so that memory stays bounded.

    :param beside: whether that pays: a local file is finished in no time, so that is done immediately
    """

    def __init__(self, beside: bool) -> None:
        self._executor = ThreadPoolExecutor(1, "upload") if beside else None
        self._running: Future[None] | None = None

    def run(self, job: Callable[[], None]) -> None:
        """Run a job when the one before is done; that one's exception is raised here."""
        self.wait()
        if self._executor:
            self._running = self._executor.submit(contextvars.copy_context().run, job)
        else:
            job()

    def wait(self) -> None:
        """Wait until all is done, and raise what went wrong."""
        running, self._running = self._running, None
        if running:
            running.result()

    def close(self) -> None:
        """End, whatever went wrong."""
        with suppress(Exception):
            self.wait()
        if self._executor:
            self._executor.shutdown()
