"""Requests the pages that will probably come next while the ones before are processed."""

from __future__ import annotations

import contextvars
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Event

from airflow_batch_provider.apis.page import Page
from airflow_batch_provider.apis.paging import Paging, Step

PAGES_PER_CONNECTION = 2
"""Pages that are requested or ready for each connection, so that one that is done early need not wait."""

SLOW_ANSWER = 0.005
"""Seconds. If answers come faster, a thread costs more than it saves."""

LONGEST_HANDOVER = 0.05
"""Seconds that a page waits for the next request to begin; a connection may be busy with an abandoned request."""


class Prefetcher:
    """Gets pages over many connections, in order, in bounded memory.

    :param get: gets a page, from any thread
    :param paging: which pages come next
    :param connections: how many requests to run at the same time
    """

    def __init__(self, get: Callable[[Step], Page], paging: Paging, connections: int) -> None:
        self._get = get
        self._paging = paging
        self._connections = connections
        self._most = connections * PAGES_PER_CONNECTION
        self._executor = ThreadPoolExecutor(connections, "prefetch")
        self._ready: deque[tuple[Step, Future[Page]]] = deque()
        self._upcoming: Iterator[Step] = iter(())
        self._is_slow = False

    def get(self, step: Step) -> Page:
        """Return the page of a step, and request those after it."""
        if self._ready and self._ready[0][0].request == step.request:
            page = self._ready.popleft()[1].result()
        else:
            self._abandon()
            page = self._ask(step)
        if not self._ready:
            self._upcoming = self._paging.upcoming(step, page)
        while self._is_slow and len(self._ready) < self._most and (following := next(self._upcoming, None)):
            self._begin(following)
        return page

    def _begin(self, step: Step) -> None:
        """Request a page.

        If a connection is free, its thread gets the interpreter immediately: otherwise it, and its request, would wait
        while the previous page is processed.
        """
        has_begun = Event()

        def ask() -> Page:
            has_begun.set()
            return self._ask(step)

        self._ready.append((step, self._executor.submit(contextvars.copy_context().run, ask)))
        if sum(not future.done() for _, future in self._ready) <= self._connections:
            has_begun.wait(LONGEST_HANDOVER)

    def _ask(self, step: Step) -> Page:
        began = time.monotonic()
        page = self._get(step)
        self._is_slow = time.monotonic() - began > SLOW_ANSWER
        return page

    def _abandon(self) -> None:
        """Drop what was asked for: the listing went another way."""
        for _, future in self._ready:
            future.cancel()
        self._ready.clear()

    def close(self) -> None:
        """Send no further request; those under way end by themselves."""
        self._abandon()
        self._executor.shutdown(wait=False, cancel_futures=True)
