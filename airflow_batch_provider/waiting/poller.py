"""One poll for many waits: all waits of an event loop that watch the same connection and listing share a poller."""

from __future__ import annotations

import asyncio
import contextvars
import logging
import math
import random
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, Generic, TypeVar

from airflow.providers.common.compat.sdk import Stats

from airflow_batch_provider.apis.batch_state import BatchState
from airflow_batch_provider.backoff import delay
from airflow_batch_provider.client.rate_limit import LONGEST_HOLD
from airflow_batch_provider.exceptions import BatchProviderError, FatalError, RateLimitedError, TransientError
from airflow_batch_provider.waiting.reader import ListedStates, StateReader

log = logging.getLogger(__name__)

Seen = BatchState | Exception
"""What a poll delivers to a wait: a state, or why there is none."""

LONGEST_BACKOFF = 300.0
"""Seconds between polls of a vendor that fails and does not say for how long."""

SHORTEST_INTERVAL = 0.01
SINGLES_AT_ONCE = 4
DELIVERED_AT_ONCE = 25
POLLS_UNTIL_LISTING_IS_TRIED_AGAIN = 20


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


class Poller:
    """Polls for waits of one kind, scope and connection, as long as there are any.

    Ticks lie on a grid that is shifted by chance: waits of one interval share each tick, whenever they joined, and the
    pollers of many processes do not ask all at once.

    :param open_reader: makes the reader, when the first wait joins
    """

    def __init__(self, open_reader: Callable[[], Awaitable[StateReader]]) -> None:
        self._open_reader = open_reader
        self._waits: set[Wait[Any]] = set()
        self._changed = asyncio.Event()
        self._sleeps_until = math.inf
        self._task: asyncio.Task[None] | None = None
        self._origin = -random.random() * 3600  # noqa: S311 - jitter, no secret
        self._failures = 0
        self._not_before = 0.0
        self._listing_cost = 0
        self._polls_without_listing = 0

    @property
    def is_idle(self) -> bool:
        """Whether there are no waits."""
        return not self._waits

    @contextmanager
    def join(self, batch_id: str, interval: float, judge: Callable[[Seen], T | None]) -> Iterator[asyncio.Future[T]]:
        """Take part, until the block is left.

        :param batch_id: the batch to poll
        :param interval: seconds between two polls
        :param judge: takes a state or an error, and returns what ends the wait, or None
        :return: what ended the wait, once something did
        """
        wait = Wait(batch_id, interval, judge)
        wait.due = self._next_tick(wait.interval)
        self._waits.add(wait)
        if wait.due < self._sleeps_until:
            self._changed.set()
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run(), context=contextvars.Context())
        try:
            yield wait.ended
        finally:
            self._waits.discard(wait)
            if not self._waits and self._task:
                self._task.cancel()
                self._task = None

    def _next_tick(self, interval: float) -> float:
        now = asyncio.get_running_loop().time()
        return self._origin + (math.floor((now - self._origin) / interval) + 1) * interval

    async def _run(self) -> None:
        reader: StateReader | None = None
        try:
            while True:
                await self._until_due(reader)
                if reader:
                    await self._poll(reader)
                    continue
                try:
                    reader = await self._open_reader()  # and wait again: its connection may be held
                except TransientError as error:
                    due = self._take_due()
                    await self._deliver(due, error)
                    self._back_off(error, due)
        except Exception as error:  # noqa: BLE001 - a poller that ends must notify its waits, whatever ended it
            self._task = None  # the next wait starts a new task
            await self._deliver(self._waits, error)
        finally:
            if reader:
                reader.client.close()

    async def _until_due(self, reader: StateReader | None) -> None:
        loop = asyncio.get_running_loop()
        while True:
            self._changed.clear()
            due = max(min((wait.due for wait in self._waits), default=math.inf), self._not_before)
            seconds = max(due - loop.time(), reader.client.rate_limiter.held_for() if reader else 0.0)
            if seconds <= 0:
                return
            self._sleeps_until = loop.time() + seconds
            # The wait that was due may have left meanwhile, so check again.
            with suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), None if math.isinf(seconds) else seconds)

    def _take_due(self) -> list[Wait[Any]]:
        """Return the waits that are due, and schedule their next poll."""
        now = asyncio.get_running_loop().time()
        due = [wait for wait in self._waits if wait.due <= now]
        for wait in due:
            wait.due = self._next_tick(wait.interval)
        return due

    async def _poll(self, reader: StateReader) -> None:
        due = self._take_due()
        Stats.incr("batch_provider.polls", tags={"kind": reader.kind.name})
        Stats.gauge("batch_provider.waits", len(self._waits), tags={"kind": reader.kind.name})
        self._back_off(await self._poll_states(reader, due), due)

    async def _poll_states(self, reader: StateReader, due: list[Wait[Any]]) -> BatchProviderError | None:
        """Poll for the waits that are due; return the failure that is the vendor's, not a batch's."""
        wanted = {wait.batch_id for wait in due}
        if reader.kind.single is None:
            return await self._poll_whole_listing(reader, due)
        listed, refused = ListedStates(), None
        if self._listing_pays(reader, len(wanted)):
            try:
                listed = await asyncio.to_thread(reader.read_unfinished, wanted)
                self._listing_cost = listed.requests
            except FatalError as error:
                # Perhaps only the listing is refused; single reads show which waits it concerns.
                log.warning("%s cannot be listed, so each wait is polled singly: %s", reader.kind.name, error)
                refused = error
                self._listing_cost = len(wanted) + 1
            except BatchProviderError as error:
                self._hold(reader, error)
                await self._deliver(due, error)
                return error
        await self._deliver_each(due, listed.states)
        return await self._confirm(reader, [wait for wait in due if wait.batch_id not in listed.states], refused)

    async def _poll_whole_listing(self, reader: StateReader, due: list[Wait[Any]]) -> BatchProviderError | None:
        try:
            listed = await asyncio.to_thread(reader.read_all)
        except BatchProviderError as error:
            self._hold(reader, error)
            await self._deliver(due, error)
            return None if isinstance(error, FatalError) else error
        seen: dict[str, Seen] = {}
        for batch_id in {wait.batch_id for wait in due}:
            try:
                seen[batch_id] = reader.pick(batch_id, listed.states)
            except FatalError as error:
                seen[batch_id] = error
        await self._deliver_each(due, seen)
        return None

    def _listing_pays(self, reader: StateReader, wanted: int) -> bool:
        """Whether the listing takes fewer requests than single reads, going by its last cost."""
        self._polls_without_listing += 1
        if self._polls_without_listing > POLLS_UNTIL_LISTING_IS_TRIED_AGAIN:
            self._listing_cost = 0
        pays = reader.can_list and wanted > max(self._listing_cost, len(reader.kind.unfinished))
        if pays:
            self._polls_without_listing = 0
        return pays

    async def _confirm(
        self, reader: StateReader, waits: list[Wait[Any]], refused: FatalError | None
    ) -> BatchProviderError | None:
        """Read each alone; a batch that a listing does not show may have ended, or slipped past between two pages."""
        by_id: dict[str, list[Wait[Any]]] = {}
        for wait in waits:
            by_id.setdefault(wait.batch_id, []).append(wait)
        gate = asyncio.Semaphore(SINGLES_AT_ONCE)
        failures: list[BatchProviderError] = []

        async def read(batch_id: str) -> None:
            async with gate:
                if failures:
                    await self._deliver(
                        by_id[batch_id], failures[0]
                    )  # the vendor would answer the same: send no more requests now
                    return
                try:
                    seen: Seen = await asyncio.to_thread(reader.read_one, batch_id)
                except BatchProviderError as error:
                    seen = error
                    self._hold(reader, error)
                    if isinstance(error, TransientError) or type(error) is type(refused):
                        failures.append(error)
            await self._deliver(by_id[batch_id], seen)

        await asyncio.gather(*map(read, by_id))
        return next((error for error in failures if isinstance(error, TransientError)), None)

    def _hold(self, reader: StateReader, error: BatchProviderError) -> None:
        """Hold all pollers of the connection if the vendor asks for it."""
        if isinstance(error, RateLimitedError) and error.retry_after is not None:
            reader.client.rate_limiter.hold(error.retry_after)

    async def _deliver_each(self, waits: Iterable[Wait[Any]], seen: Mapping[str, Seen]) -> None:
        for number, wait in enumerate(waits, 1):
            if wait.batch_id in seen:
                wait.deliver(seen[wait.batch_id])
            if number % DELIVERED_AT_ONCE == 0:
                await asyncio.sleep(0)  # let others use the event loop

    async def _deliver(self, waits: Iterable[Wait[Any]], seen: Seen) -> None:
        waits = list(waits)
        await self._deliver_each(waits, {wait.batch_id: seen for wait in waits})

    def _back_off(self, failure: BatchProviderError | None, due: list[Wait[Any]]) -> None:
        if failure is None:
            self._failures = 0
            return
        Stats.incr("batch_provider.poll_failures")
        self._failures += 1
        interval = min((wait.interval for wait in due), default=1.0)
        seconds = delay(self._failures, 2 * interval, LONGEST_BACKOFF)
        if isinstance(failure, RateLimitedError) and failure.retry_after is not None:
            seconds = min(failure.retry_after, LONGEST_HOLD)
        self._not_before = asyncio.get_running_loop().time() + seconds
        log.warning("Polling again in %.0f s at the earliest: %s", seconds, failure)
