"""Waits for batches in the triggerer: for one that a task waits for, or for any, to start DAGs."""

from __future__ import annotations

import asyncio
import hashlib
import importlib
import json
import logging
import time
from collections.abc import AsyncIterator, Hashable, Mapping
from types import ModuleType
from typing import Any

from airflow.triggers.base import BaseEventTrigger, BaseTrigger, TriggerEvent

from airflow_batch_provider.apis.batch_state import BatchState
from airflow_batch_provider.backoff import delay
from airflow_batch_provider.exceptions import BatchProviderError, InvalidParameterError
from airflow_batch_provider.waiting import verdict
from airflow_batch_provider.waiting.kinds import KINDS, kind_named
from airflow_batch_provider.waiting.watch import MAX_POLL_FAILURES, Watch

log = logging.getLogger(__name__)

LONGEST_PAUSE = 300.0
"""Seconds between two polls of a watcher whose polls fail."""

LATE_POLL = 30.0
"""Seconds for polling a batch whose deadline passed before this process began with it: it may have finished in time."""

LATE_POLL_INTERVAL = 2.0
"""Seconds between two such polls, if they fail."""


class BatchStatusTrigger(BaseTrigger):
    """Fires once, when a wait for a batch ends, for whatever reason.

    It never touches the batch itself: neither its cancellation nor that of the task reaches the vendor.

    :param kind: ``playment.batch``, ``llamacloud.batch``, ``llamacloud.batch_processing_job``, ``talkifai.batch_job``,
        or the import path of another package's ``BatchKind``
    :param connection_id: the Airflow connection
    :param batch_id: what to wait for
    :param scope: project or organization, as the kind's listing takes them
    :param poll_interval: seconds between two polls
    :param end_time: Unix seconds at which the wait times out, None for never
    :param timeout: seconds that the wait may take in all, for the message
    :param fail_on_item_failures: whether failed files or calls make a finished batch a failed one
    :param stalled_after: seconds without any movement that fail the wait, None for never
    :param mark: what was seen of the batch when it last moved
    :param moved_at: Unix seconds of that moment; now if left out
    :param max_poll_failures: polls in a row that may fail
    :param hook: the import path of the hook that makes the client; the vendor's own by default
    """

    def __init__(
        self,
        *,
        kind: str,
        connection_id: str,
        batch_id: str,
        scope: Mapping[str, str],
        poll_interval: float,
        end_time: float | None = None,
        timeout: float | None = None,
        fail_on_item_failures: bool = False,
        stalled_after: float | None = None,
        mark: str = "",
        moved_at: float | None = None,
        max_poll_failures: int = MAX_POLL_FAILURES,
        hook: str | None = None,
        **_from_other_versions: Any,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.kind = kind
        self.connection_id = connection_id
        self.batch_id = batch_id
        self.scope = dict(scope)
        self.poll_interval = poll_interval
        self.end_time = end_time
        self.timeout = timeout
        self.fail_on_item_failures = fail_on_item_failures
        self.stalled_after = stalled_after
        self.mark = mark
        self.moved_at = moved_at
        self.max_poll_failures = max_poll_failures
        self.hook = hook

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return what is needed to make this trigger again, in another process."""
        names = (
            *("kind", "connection_id", "batch_id", "scope", "poll_interval", "end_time", "timeout"),
            *("fail_on_item_failures", "stalled_after", "mark", "moved_at", "max_poll_failures", "hook"),
        )
        return f"{__name__}.{type(self).__name__}", {name: getattr(self, name) for name in names}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait, then fire."""
        yield TriggerEvent((await self._wait()).to_event())  # type: ignore[no-untyped-call]

    async def _wait(self) -> verdict.Verdict:
        pollers = await _import_pollers()
        try:
            kind = KINDS[self.kind] if self.kind in KINDS else await asyncio.to_thread(kind_named, self.kind)
        except InvalidParameterError as error:
            return verdict.of_permanent(error)
        title = kind.listing.vendor.title
        loop = asyncio.get_running_loop()
        # From here on only the loop's clock counts, which does not jump.
        offset = time.time() - loop.time()
        watch = Watch(
            title,
            self.log,
            fail_on_item_failures=self.fail_on_item_failures,
            stalled_after=self.stalled_after,
            max_poll_failures=self.max_poll_failures,
            movement=None if self.moved_at is None else verdict.Movement(self.mark, self.moved_at),
        )

        def judge(seen: BatchState | Exception) -> verdict.Verdict | None:
            if isinstance(seen, BatchState):
                now = loop.time() + offset
                end = watch.see(seen, now)
                is_late = self.end_time is not None and now >= self.end_time
                return end or (verdict.of_timeout(title, seen, self.timeout or 0) if is_late else None)
            if isinstance(seen, BatchProviderError):
                return watch.miss(seen)
            raise seen

        interval, latest = self.poll_interval, None if self.end_time is None else self.end_time - offset
        if latest is not None and latest <= loop.time():
            interval, latest = min(interval, LATE_POLL_INTERVAL), loop.time() + LATE_POLL
        poller = pollers.poller_for(kind, self.connection_id, self.scope, self.hook)
        with poller.join(self.batch_id, interval, judge) as ended:
            try:
                async with asyncio.timeout_at(latest) as limit:
                    end: verdict.Verdict = await ended
            except TimeoutError:
                if not limit.expired():
                    raise
                end = verdict.of_timeout(title, watch.state, self.timeout or 0)
        return end


class BatchFinishedEventTrigger(BaseEventTrigger):
    """Fires for each batch that finishes, with its id, status and counters; for an ``AssetWatcher``.

    Each poll reads the whole listing, so that a batch which began and finished between two polls is seen as well. What
    was finished before the first poll fires nothing. Which batches fired is kept in Airflow's asset state store
    (Airflow 3.3): after a restart of the triggerer, those that finished meanwhile fire. Watchers of one connection and
    scope share their polls. A triggerer that is killed right after an event may fire it once more.

    :param kind: ``playment.batch``, ``llamacloud.batch``, ``llamacloud.batch_processing_job``, ``talkifai.batch_job``,
        or the import path of a kind of another package
    :param connection_id: the Airflow connection
    :param scope: project or organization, as the kind's listing takes them; those of the connection if left out
    :param poll_interval: seconds between two polls
    :param event_interval: seconds between the events of one poll. Airflow's scheduler starts a run for the first event
        that it finds, and leaves others that came before that until the next one comes (seen on 3.3.2).
    :param hook: the import path of the hook that makes the client; the vendor's own by default
    """

    def __init__(
        self,
        *,
        kind: str,
        connection_id: str,
        scope: Mapping[str, str] | None = None,
        poll_interval: float = 60.0,
        event_interval: float = 3.0,
        hook: str | None = None,
        **_from_other_versions: Any,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.kind = kind_named(kind).name
        self.connection_id = connection_id
        self.scope = dict(scope or {})
        self.poll_interval = poll_interval
        self.event_interval = event_interval
        self.hook = hook

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return what is needed to make this trigger again, in another process."""
        names = ("kind", "connection_id", "scope", "poll_interval", "event_interval", "hook")
        return f"{__name__}.{type(self).__name__}", {name: getattr(self, name) for name in names}

    def shared_stream_key(self) -> Hashable:
        """Return what triggers must have in common to share their polls."""
        return (
            *(type(self).__name__, self.kind, self.connection_id, self.hook),
            *sorted(self.scope.items()),
            self.poll_interval,
        )

    @classmethod
    async def open_shared_stream(cls, kwargs: dict[str, Any]) -> AsyncIterator[list[dict[str, Any]]]:
        """Yield all finished batches, poll by poll; a poll that fails is repeated, with back-off."""
        pollers = await _import_pollers()
        failures = 0
        while True:
            try:
                kind, hook = kind_named(kwargs["kind"]), kwargs.get("hook")
                reader = await pollers.open_reader(kind, kwargs["connection_id"], kwargs["scope"], hook)
                while True:
                    finished = await asyncio.to_thread(reader.read_finished)
                    failures = 0
                    yield [verdict.summary(state) for state in finished]
                    await asyncio.sleep(kwargs["poll_interval"])
            except BatchProviderError as error:
                # Even a refused key may be replaced; a watcher that ends would never fire again.
                failures += 1
                seconds = delay(failures, 2 * kwargs["poll_interval"], LONGEST_PAUSE, least=1.0)
                log.error("Polling again in %.0f s: %s", seconds, error)
                await asyncio.sleep(seconds)

    async def filter_shared_stream(self, shared_stream: AsyncIterator[Any]) -> AsyncIterator[TriggerEvent]:
        """Fire for those that have not fired yet."""
        store: Any = getattr(self, "asset_state_store", None)
        key = "finished-" + _digest(json.dumps([self.kind, self.connection_id, sorted(self.scope.items())]))
        kept = await store.aget(key) if store is not None else None
        fired = set(map(str, kept)) if isinstance(kept, list) else None
        async for finished in shared_stream:
            now = {_digest(state["id"]): state for state in finished}
            new = [] if fired is None else [state for digest, state in now.items() if digest not in fired]
            if fired is None:
                fired = set(now)
                await self._keep(store, key, fired)
            for number, state in enumerate(new):
                if number:
                    await asyncio.sleep(self.event_interval)
                yield TriggerEvent(state)  # type: ignore[no-untyped-call]
                fired.add(_digest(state["id"]))
                await self._keep(store, key, fired)

    async def _keep(self, store: Any, key: str, fired: set[str]) -> None:
        if store is not None:
            await store.aset(key, sorted(fired))

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Fire without sharing, as before Airflow 3.3."""
        async for event in self.filter_shared_stream(self.open_shared_stream(self.serialize()[1])):
            yield event


_pollers: ModuleType | None = None


async def _import_pollers() -> Any:
    """Import what polls, and with it the HTTP library, which takes longer than the event loop may stand still."""
    global _pollers
    if _pollers is None:
        _pollers = await asyncio.to_thread(importlib.import_module, "airflow_batch_provider.waiting.pollers")
    return _pollers


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
