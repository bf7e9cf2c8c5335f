"""One poll for many waits: all waits of an event loop that watch the same connection and listing share a poller."""

from __future__ import annotations

import asyncio
import contextvars
import logging
import math
import random
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Generic, TypeVar

from airflow.providers.common.compat.sdk import Stats

from airflow_batch_provider.backoff import delay
from airflow_batch_provider.client.rate_limit import LONGEST_HOLD
from airflow_batch_provider.exceptions import BatchProviderError, RateLimitedError, TransientError
from airflow_batch_provider.waiting.poll import ListingCost, Poll, Seen
from airflow_batch_provider.waiting.reader import StateReader
from airflow_batch_provider.waiting.threads import ConnectionThreads

log = logging.getLogger(__name__)

LONGEST_BACKOFF = 300.0
"""Seconds between polls of a vendor that fails and does not say for how long."""

SHORTEST_INTERVAL = 0.01

T = TypeVar("T")


class Wait(Generic[T]):
    """One wait at a poller.

    :param batch_id: what it waits for
    :param interval: seconds between two polls
    :param judge: takes what a poll delivers and returns what ends the wait, or None
    """

    def __init__(self, batch_id: str, interval: float, judge: Callable[[Seen], T | None]) -> None:
        self.batch_id = batch_id
        self.interval = max(interval, SHORTEST_INTERVAL)
        self.due = 0.0
        self.asked_at = 0.0
        self.hangs = False
        self._failures = 0
        self.ended: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._judge = judge
        # Airflow finds a trigger's log by the context that it runs in; the poller runs in none of them.
        self._context = contextvars.copy_context()

    def deliver(self, seen: Seen) -> None:
        """Judge in the poller's task, so that a wait that continues costs no task switch."""
        if self.ended.done():
            return
        try:
            end = self._context.run(self._judge, seen)
        except Exception as error:  # noqa: BLE001 - it ends this wait, and no other
            self.ended.set_exception(error)
            return
        if end is not None:
            self.ended.set_result(end)

    def defer(self, failure: TransientError) -> None:
        """Let the next poll wait longer with each failure in a row, or as long as the vendor wants it."""
        self._failures += 1
        self.due = max(self.due, asyncio.get_running_loop().time() + _pause(failure, self._failures, self.interval))

    def recover(self) -> None:
        """Note that a poll did not fail."""
        self._failures = 0


class Poller:
    """Polls for waits of one kind, scope and connection, as long as there are any.

    Ticks are on a grid that is shifted by chance: waits of one interval share each tick, whenever they joined, and the
    pollers of many processes do not all ask at the same time.

    :param open_reader: makes the reader, when the first wait joins, and again if the vendor refuses the key
    :param threads: the threads of the connection
    """

    def __init__(self, open_reader: Callable[[], Awaitable[StateReader]], threads: ConnectionThreads) -> None:
        self._open_reader = open_reader
        self._threads = threads
        self._reader: StateReader | None = None
        self._waits: dict[str, set[Wait[Any]]] = {}
        self._in_flight: dict[str, asyncio.Task[None]] = {}
        self._cost = ListingCost()
        self._changed = asyncio.Event()
        self._sleeps_until = math.inf
        self._task: asyncio.Task[None] | None = None
        self._origin = -random.random() * 3600  # noqa: S311 - jitter, no secret
        self._failures = 0
        self._not_before = 0.0
        self._poll_now: Poll | None = None

    @property
    def is_idle(self) -> bool:
        """Whether there are no waits."""
        return not self._waits

    @contextmanager
    def join(
        self, batch_id: str, interval: float, judge: Callable[[Seen], T | None], *, pause: float = 0.0
    ) -> Iterator[Wait[T]]:
        """Take part, until the block is left.

        :param batch_id: the batch to poll
        :param interval: seconds between two polls
        :param judge: takes a state or an error, and returns what ends the wait, or None
        :param pause: seconds until the first poll at least
        :return: the wait, whose ``ended`` has what ended it, once something did
        """
        wait = Wait(batch_id, interval, judge)
        self._waits.setdefault(batch_id, set()).add(wait)
        self._schedule(wait, max(self._next_tick(wait.interval), asyncio.get_running_loop().time() + pause))
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run(), context=contextvars.Context())
        try:
            yield wait
        finally:
            self._waits[batch_id].discard(wait)
            if not self._waits[batch_id]:
                del self._waits[batch_id]
            if not self._waits:
                self._stop()

    def ask_now(self, wait: Wait[Any], *, every: float) -> None:
        """Let the next poll of a wait be now, if the vendor may be asked now.

        :param every: seconds between the polls from then on, if they were farther apart
        """
        wait.interval = min(wait.interval, every)
        self._in_flight.pop(wait.batch_id, None)  # what does not answer may do so now
        self._schedule(wait, asyncio.get_running_loop().time())

    def _schedule(self, wait: Wait[Any], due: float) -> None:
        wait.due = due
        if due < self._sleeps_until:
            self._changed.set()

    def _next_tick(self, interval: float) -> float:
        now = asyncio.get_running_loop().time()
        return self._origin + (math.floor((now - self._origin) / interval) + 1) * interval

    def _each(self) -> Iterator[Wait[Any]]:
        return (wait for waits in self._waits.values() for wait in waits)

    async def _run(self) -> None:
        try:
            while True:
                await self._until_due()
                await (self._poll(self._reader) if self._reader else self._open())
        except Exception as error:  # noqa: BLE001 - a poller that ends must notify its waits, whatever ended it
            self._task = None  # the next wait starts a new task
            for wait in list(self._each()):
                wait.deliver(error)
            self._stop()

    def _stop(self) -> None:
        if self._task:
            self._task.cancel()
        for settling in list(self._in_flight.values()):
            settling.cancel()
        if self._poll_now:
            self._poll_now.cancel()
        if self._reader:
            self._reader.client.close()
        self._task = self._reader = self._poll_now = None

    async def _open(self) -> None:
        """Read the connection; the poll follows when it may, since the connection may be held."""
        try:
            self._reader = await self._open_reader()
        except TransientError as error:
            due = self._take_due()
            for wait in due:
                wait.deliver(error)
            self._back_off(error, due)

    async def _renew(self, refused: StateReader) -> StateReader | None:
        if self._reader and self._reader is not refused:
            return self._reader  # another poll has done it
        try:
            renewed = await self._open_reader()
        except BatchProviderError as error:
            log.warning("The key was refused, and the connection cannot be read again: %s", error)
            return None
        if renewed.client.settings.source == refused.client.settings.source:
            renewed.client.close()
            return None
        renewed.client.hide([refused.client.settings.credentials.secret])
        log.info("The key of connection %r was replaced; polling continues", renewed.client.settings.connection_id)
        self._reader = renewed  # the old one may still be asking in other threads, so it is not closed
        return renewed

    async def _until_due(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            self._changed.clear()
            due = max(min((wait.due for wait in self._each()), default=math.inf), self._not_before)
            held = self._reader.client.rate_limiter.held_for() if self._reader else 0.0
            seconds = max(due - loop.time(), held)
            if seconds <= 0:
                return
            self._sleeps_until = loop.time() + seconds
            # The wait that was due may have left meanwhile, so check again.
            with suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), None if math.isinf(seconds) else seconds)

    def _take_due(self) -> list[Wait[Any]]:
        """Return the waits that are due, and schedule their next poll.

        First those that were not asked for the longest, last those that did not answer.
        """
        now = asyncio.get_running_loop().time()
        due = sorted((wait for wait in self._each() if wait.due <= now), key=lambda wait: (wait.hangs, wait.asked_at))
        for wait in due:
            wait.due = self._next_tick(wait.interval)
        return due

    async def _poll(self, reader: StateReader) -> None:
        due = self._take_due()
        tags = {"kind": reader.kind.name}
        Stats.incr("batch_provider.polls", tags=tags)
        Stats.gauge("batch_provider.waits", sum(map(len, self._waits.values())), tags=tags)
        by_id: dict[str, list[Wait[Any]]] = {}
        for wait in due:
            by_id.setdefault(wait.batch_id, []).append(wait)

        def deliver(batch_id: str, seen: Seen) -> None:
            for wait in by_id[batch_id]:
                wait.deliver(seen)
                if isinstance(seen, TransientError):
                    wait.defer(seen)
                else:
                    wait.recover()

        loop = asyncio.get_running_loop()
        poll = self._poll_now = Poll(reader, self._threads, self._cost, self._in_flight, deliver, self._renew)
        await poll.run(by_id)
        for wait in due:
            wait.hangs = wait.batch_id in self._in_flight
            if wait.batch_id in poll.asked:
                wait.asked_at = loop.time()
            elif wait.batch_id not in self._in_flight:
                wait.due = loop.time()  # it still is, and comes first
        if poll.has_failures:
            Stats.incr("batch_provider.poll_failures")
        self._back_off(poll.failure, due)

    def _back_off(self, failure: TransientError | None, due: list[Wait[Any]]) -> None:
        """Ask nothing for a while if the vendor as a whole is in trouble."""
        if failure is None:
            self._failures = 0
            return
        self._failures += 1
        seconds = _pause(failure, self._failures, min((wait.interval for wait in due), default=1.0))
        if self._reader and isinstance(failure, RateLimitedError) and failure.retry_after:
            self._reader.client.rate_limiter.hold(seconds)  # holds all pollers of the connection
        self._not_before = asyncio.get_running_loop().time() + seconds
        log.warning("Polling again in %.0f s at the earliest: %s", seconds, failure)


def _pause(failure: TransientError, failures: int, interval: float) -> float:
    """Return the seconds before the next poll.

    :param failure: how the last one failed
    :param failures: how many in a row did
    :param interval: seconds between polls that do not fail
    """
    if isinstance(failure, RateLimitedError) and failure.retry_after:  # 0 asks for nothing
        return min(failure.retry_after, LONGEST_HOLD)
    return delay(failures, 2 * interval, LONGEST_BACKOFF)
