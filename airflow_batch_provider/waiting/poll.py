"""One poll for the waits that are due: the listing if that takes fewer requests, and single reads for the rest."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from typing import Any, TypeVar

from airflow_batch_provider.apis.batch_state import ShownState
from airflow_batch_provider.exceptions import (
    AuthenticationError,
    BatchProviderError,
    FatalError,
    RateLimitedError,
    TransientError,
    UnexpectedResponseError,
)
from airflow_batch_provider.waiting import threads
from airflow_batch_provider.waiting.reader import ListedStates, StateReader
from airflow_batch_provider.waiting.threads import ConnectionThreads

log = logging.getLogger(__name__)

T = TypeVar("T")

Seen = ShownState | Exception
"""What a poll delivers to a wait: a state, or why there is none."""

SINGLES_AT_ONCE = 4
DELIVERED_AT_ONCE = 25

MOST_FAILURES = 8
"""Single reads in a row that fail, after which a poll asks no more: the vendor seems to be down."""

MOST_HANGING = 8
"""Single reads that do not answer, after which a poll ends: the next one takes those that joined meanwhile."""

SINGLES_INSTEAD = 100
"""Single reads of a poll whose listing failed: they may show more, but a vendor in trouble gets no flood of them."""

POLLS_UNTIL_LISTING_IS_TRIED_AGAIN = 20

TOO_MANY_REQUESTS = 429


class ListingCost:
    """Whether the listing takes fewer requests than single reads, going by its last cost."""

    def __init__(self) -> None:
        self._requests = 0
        self._polls_without = 0

    def pays(self, reader: StateReader, wanted: int) -> bool:
        """Return whether to read the listing for so many batches."""
        self._polls_without += 1
        if self._polls_without > POLLS_UNTIL_LISTING_IS_TRIED_AGAIN:
            self._requests = 0
        pays = reader.can_list and wanted > max(self._requests, len(reader.kind.unfinished))
        if pays:
            self._polls_without = 0
        return pays

    def note(self, requests: int) -> None:
        """Note what the listing took."""
        self._requests = requests


class Poll:
    """Asks for batches once, and delivers what is seen of each, or why nothing is.

    What was not asked for gets nothing: it has not failed.

    :param reader: reads states
    :param connection_threads: the threads of the connection
    :param cost: what the listing took the last time
    :param in_flight: the batches of which an earlier poll still awaits the answer; slow ones join them
    :param deliver: takes a batch's id and what was seen of it
    :param renew: takes the reader whose key was refused, and returns another if the connection has another key now
    """

    def __init__(
        self,
        reader: StateReader,
        connection_threads: ConnectionThreads,
        cost: ListingCost,
        in_flight: dict[str, asyncio.Task[None]],
        deliver: Callable[[str, Seen], None],
        renew: Callable[[StateReader], Awaitable[StateReader | None]],
    ) -> None:
        self.reader = reader
        self.asked: set[str] = set()
        self.failure: TransientError | None = None
        self.has_failures = False
        self._threads = connection_threads
        self._cost = cost
        self._in_flight = in_flight
        self._deliver = deliver
        self._renew = renew
        self._renewing: asyncio.Task[StateReader | None] | None = None
        self._refused: StateReader | None = None
        self._hanging = 0
        self._has_answers = False
        self._failures = 0
        self._stop: BatchProviderError | None = None

    async def run(self, wanted: Iterable[str]) -> None:
        """Ask for batches.

        Afterwards ``asked`` has those that a request was about, ``has_failures`` whether one of them failed,
        ``failure`` whether the vendor as a whole is in trouble, and ``reader`` is another one if the key is new.

        :param wanted: their ids, first those that were not asked for the longest
        """
        left = [batch_id for batch_id in dict.fromkeys(wanted) if batch_id not in self._in_flight]
        if self.reader.kind.single is None:
            await self._read_whole_listing(left)
            return
        if _LISTING in self._in_flight:
            await self._read_each(left[:SINGLES_INSTEAD])
            return
        if not self._cost.pays(self.reader, len(left)):
            await self._read_each(left)
            return
        try:
            listed = await self._read_unfinished(set(left))
        except FatalError as error:
            # Perhaps only the listing is refused; single reads show which waits it concerns.
            log.warning("%s cannot be listed, so each wait is polled singly: %s", self.reader.kind.name, error)
            self._cost.note(len(left) + 1)
            await self._read_each(left, refused=error)
            return
        await self._take_each(listed.states)
        left = [batch_id for batch_id in left if batch_id not in listed.states]
        if listed.failure is None:
            await self._read_each(left)
            return
        self._has_answers = bool(listed.states)
        if isinstance(listed.failure, RateLimitedError):
            self.failure, unasked = listed.failure, left
        else:
            unasked = left[SINGLES_INSTEAD:] + await self._read_each(left[:SINGLES_INSTEAD])
        await self._take_each(dict.fromkeys(unasked, listed.failure))

    async def _read_whole_listing(self, wanted: list[str]) -> None:
        try:
            states = await self._read_listing(StateReader.read_all)
        except BatchProviderError as error:
            self.failure = error if isinstance(error, TransientError) else None
            await self._take_each(dict.fromkeys(wanted, error))
            return
        seen: dict[str, Seen] = {}
        for batch_id in wanted:
            try:
                seen[batch_id] = self.reader.pick(batch_id, states)
            except FatalError as error:
                seen[batch_id] = error
        await self._take_each(seen)

    async def _read_unfinished(self, wanted: set[str]) -> ListedStates:
        def read(reader: StateReader) -> ListedStates:
            return reader.read_unfinished(wanted)

        try:
            listed = await self._read_listing(read, may_leave=True)
        except TransientError as error:  # no page came
            listed = ListedStates(failure=error)
        if listed.failure is None:
            self._cost.note(listed.requests)
        else:
            log.warning("%s could not be listed to the end: %s", self.reader.kind.name, listed.failure)
        return listed

    async def _read_listing(self, read: Callable[[StateReader], T], *, may_leave: bool = False) -> T:
        """Read the listing.

        :param may_leave: whether to give up waiting for it if no page of it comes
        """
        await self._wait_for_turn()
        reader = self.reader
        try:
            return await self._listed(read, reader, may_leave=may_leave)
        except AuthenticationError:
            if not await self._is_renewed(reader):
                raise
        return await self._listed(read, self.reader, may_leave=may_leave)

    async def _listed(self, read: Callable[[StateReader], T], reader: StateReader, *, may_leave: bool) -> T:
        pages = reader.pages_read
        answer = await self._threads.begin(read, reader)
        while not answer.done() and (not may_leave or reader.pages_read > pages):
            pages = reader.pages_read
            await asyncio.wait([answer], timeout=threads.SLOW)
        if not answer.done():
            self._remember(_LISTING, asyncio.create_task(_forget(answer)))
            raise _no_answer(reader)
        try:
            return answer.result()
        except BatchProviderError:
            raise
        except Exception as error:  # it concerns the listing, and perhaps no single read
            log.exception("%s cannot be read", reader.kind.name)
            raise UnexpectedResponseError(
                f"{reader.kind.name} cannot be read: {reader.client.show(repr(error))}."
            ) from None

    def _remember(self, batch_id: str, settling: asyncio.Task[None]) -> None:
        self._in_flight[batch_id] = settling

        def forget(done: asyncio.Task[None]) -> None:
            if self._in_flight.get(batch_id) is done:
                del self._in_flight[batch_id]

        settling.add_done_callback(forget)

    async def _read_each(self, batch_ids: list[str], refused: FatalError | None = None) -> list[str]:
        """Read each alone; return those that were not asked for.

        :param refused: how the vendor refused the listing; if it refuses a batch alike, it does so for all
        """
        queue = iter(batch_ids)

        async def work() -> None:
            while self._goes_on() and (batch_id := next(queue, None)) is not None:
                await self._read_one(batch_id, refused)

        await asyncio.gather(*(work() for _ in range(SINGLES_AT_ONCE)))
        unasked = list(queue)
        if isinstance(self._stop, FatalError):
            await self._take_each(dict.fromkeys(unasked, self._stop))
            return []
        if isinstance(self._stop, TransientError) and (_is_for_all(self._stop) or not self._has_answers):
            self.failure = self._stop
        return unasked

    def _goes_on(self) -> bool:
        return self._stop is None and self._hanging < MOST_HANGING

    async def _read_one(self, batch_id: str, refused: FatalError | None) -> None:
        await self._wait_for_turn()
        self.asked.add(batch_id)
        reader = self.reader
        answer = await self._threads.begin(reader.read_one, batch_id)
        if answer.done():
            await self._settle(batch_id, reader, answer, refused)
            return
        self._hanging += 1
        if len(self._in_flight) >= threads.MOST_THREADS // 2:
            self._stop = _no_answer(reader)
        self._remember(batch_id, asyncio.create_task(self._settle(batch_id, reader, answer, refused)))

    async def _settle(
        self, batch_id: str, reader: StateReader, answer: asyncio.Future[ShownState], refused: FatalError | None
    ) -> None:
        seen: Seen
        try:
            seen = await answer
        except AuthenticationError as error:
            seen = error
            if await self._is_renewed(reader):
                seen = await self._read_again(batch_id)
        except Exception as error:  # noqa: BLE001 - it ends the waits for this batch, and no other
            seen = error
        if isinstance(seen, TransientError):
            self._count_failure(seen)
        elif isinstance(seen, FatalError) and type(seen) is type(refused):
            self._stop = seen
        elif not isinstance(seen, Exception):
            self._has_answers, self._failures = True, 0
        self._take(batch_id, seen)

    async def _read_again(self, batch_id: str) -> Seen:
        try:
            return await self._threads.call(self.reader.read_one, batch_id)
        except Exception as error:  # noqa: BLE001 - as above
            return error

    def _count_failure(self, error: TransientError) -> None:
        self._failures += 1
        if _is_for_all(error) or self._failures >= MOST_FAILURES:
            self._stop = error

    async def _is_renewed(self, refused: StateReader) -> bool:
        """Return whether the connection has another key than the one refused; it is read again once for each."""
        if refused is not self.reader:
            return True
        if self._renewing is None or self._refused is not refused:
            self._refused, self._renewing = refused, asyncio.ensure_future(self._renew(refused))
        reader = await asyncio.shield(self._renewing)
        if reader is not None:
            self.reader = reader
        return reader is not None

    def cancel(self) -> None:
        """Stop reading the connection again."""
        if self._renewing:
            self._renewing.cancel()

    async def _wait_for_turn(self) -> None:
        """Wait in the event loop, where that blocks no thread."""
        while (seconds := self.reader.client.rate_limiter.turn_in()) > 0:
            await asyncio.sleep(seconds)

    async def _take_each(self, seen: Mapping[str, Seen]) -> None:
        for number, (batch_id, one) in enumerate(seen.items(), 1):
            self._take(batch_id, one)
            if number % DELIVERED_AT_ONCE == 0:
                await asyncio.sleep(0)  # let others use the event loop

    def _take(self, batch_id: str, seen: Seen) -> None:
        self.asked.add(batch_id)
        self.has_failures = self.has_failures or isinstance(seen, TransientError)
        self._deliver(batch_id, seen)


_LISTING = "(listing)"
"""Stands for the listing among what is in flight."""


async def _forget(answer: asyncio.Future[Any]) -> None:
    with suppress(Exception):
        await answer


def _no_answer(reader: StateReader) -> TransientError:
    return TransientError(f"{reader.client.vendor.title} does not answer.", vendor=reader.client.vendor.name)


def _is_for_all(error: BatchProviderError) -> bool:
    """Return whether a single read's failure is about the whole connection."""
    return isinstance(error, RateLimitedError) and error.status == TOO_MANY_REQUESTS
