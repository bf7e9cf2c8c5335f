"""Triggers that wait for a batch of a task, or for any batch, to start DAGs."""

from __future__ import annotations

import asyncio
import importlib
import inspect
import json
import logging
import time
from collections.abc import AsyncIterator, Hashable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from types import ModuleType
from typing import Any, TypeVar

from airflow.triggers.base import BaseEventTrigger, BaseTrigger, TriggerEvent

from airflow_batch_provider.apis.batch_state import BatchKind, ShownState
from airflow_batch_provider.apis.parameter import first_violation
from airflow_batch_provider.apis.shown import harmless
from airflow_batch_provider.backoff import delay
from airflow_batch_provider.client.rate_limit import LONGEST_HOLD
from airflow_batch_provider.exceptions import BatchProviderError, InvalidParameterError
from airflow_batch_provider.waiting import verdict
from airflow_batch_provider.waiting.fired import FiredBatches, digest_of
from airflow_batch_provider.waiting.kinds import KINDS, hook_named, kind_named
from airflow_batch_provider.waiting.watch import MAX_POLL_FAILURES, Watch

log = logging.getLogger(__name__)

T = TypeVar("T")

SHORTEST_POLL_INTERVAL = 0.01
"""Seconds between two polls of a watcher at least."""

SERIALIZED = 1
"""Marks the arguments of a trigger as written by this package: another release may have written more of them."""

LONGEST_PAUSE = 300.0
"""Seconds between two polls of a watcher whose polls fail."""

LATE_POLL = 30.0
"""Seconds for a last poll when the time is up: the batch may have finished since the one before, if there was one."""

LONGEST_CANCEL = 25.0
"""Seconds for the requests that cancel a batch; Airflow gives 30."""

LATE_POLL_INTERVAL = 2.0
"""Seconds between two such polls, if they fail."""


class BatchStatusTrigger(BaseTrigger):
    """Waits for a batch, and fires one event when the wait ends for any reason.

    With ``cancel_on_kill`` it cancels the batch if the task is stopped, but not if the triggerer stops.

    :param kind: ``playment.batch``, ``llamacloud.batch``, ``llamacloud.batch_processing_job``, ``talkifai.batch_job``,
        or the import path of another package's ``BatchKind``
    :param connection_id: the id of the Airflow connection
    :param batch_id: the id of the batch
    :param scope: the project or organization, by the names of the kind's listing
    :param poll_interval: seconds between two polls
    :param end_time: the time at which the wait times out, in Unix seconds; default: None, never
    :param timeout: the seconds of the whole wait, for the message
    :param fail_on_item_failures: whether the wait fails if items of a finished batch failed; default: false
    :param stalled_after: seconds without a change after which the wait fails; default: None, never
    :param mark: the state of the batch at its last change
    :param moved_at: the time of its last change, in Unix seconds; default: now
    :param max_poll_failures: the number of failed polls in a row after which the wait fails; default: 10
    :param hook: the import path of the hook that makes the client; default: the vendor's hook
    :param not_before: the time of the first poll, in Unix seconds, if the vendor asked for a pause
    :param cancel_on_kill: whether to cancel the batch if the task is marked as failed or cleared (Airflow 3.3);
        default: false
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
        not_before: float | None = None,
        cancel_on_kill: bool = False,
        version: int | None = None,
        **from_other_versions: Any,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        _check_known(type(self), from_other_versions, version)
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
        self.not_before = not_before
        self.cancel_on_kill = cancel_on_kill

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return what is needed to create this trigger in another process."""
        names = (
            *("kind", "connection_id", "batch_id", "scope", "poll_interval", "end_time", "timeout"),
            *("fail_on_item_failures", "stalled_after", "mark", "moved_at", "max_poll_failures", "hook", "not_before"),
            "cancel_on_kill",
        )
        return f"{__name__}.{type(self).__name__}", {
            **{name: getattr(self, name) for name in names},
            "version": SERIALIZED,
        }

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait, then fire."""
        yield TriggerEvent((await self._wait()).to_event())  # type: ignore[no-untyped-call]

    async def _wait(self) -> verdict.Verdict:
        pollers = await _import_pollers()
        threads = pollers.threads_of(self.connection_id)
        try:
            kind = KINDS[self.kind] if self.kind in KINDS else await threads.call(kind_named, self.kind)
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

        def judge(seen: ShownState | Exception) -> verdict.Verdict | None:
            if isinstance(seen, ShownState):
                now = loop.time() + offset
                end = watch.see(seen, now)
                is_late = self.end_time is not None and now >= self.end_time
                return end or (verdict.of_timeout(title, seen, self.timeout or 0) if is_late else None)
            if isinstance(seen, BatchProviderError):
                return watch.miss(seen)
            raise seen

        latest = None if self.end_time is None else self.end_time - offset
        poller = pollers.poller_for(kind, self.connection_id, self.scope, self.hook)
        pause = 0.0 if self.not_before is None else min(self.not_before - time.time(), LONGEST_HOLD)
        with poller.join(self.batch_id, self.poll_interval, judge, pause=pause) as wait:
            end: verdict.Verdict | None = await _within(latest, wait.ended)
            if end is None:
                poller.ask_now(wait, every=LATE_POLL_INTERVAL)
                end = await _within(loop.time() + LATE_POLL, wait.ended)
        return end or verdict.of_timeout(title, watch.state, self.timeout or 0, was_seen=bool(self.mark))

    async def on_kill(self) -> None:
        """Cancel the batch if ``cancel_on_kill`` is set."""
        if not self.cancel_on_kill:
            return
        pollers = await _import_pollers()
        threads = pollers.threads_of(self.connection_id)
        kind = await threads.call(kind_named, self.kind)
        reader = await pollers.open_reader(kind, self.connection_id, self.scope, self.hook)
        await threads.call(_cancel, reader.client, kind, self.batch_id, self.scope)


def _cancel(client: Any, kind: BatchKind, batch_id: str, scope: Mapping[str, str]) -> None:
    from airflow_batch_provider.submitting.submit import cancel_batch  # with the HTTP library

    cancel_batch(client.within(LONGEST_CANCEL), kind, batch_id, scope)


class BatchFinishedEventTrigger(BaseEventTrigger):
    """Fires an event with id, status and counters for each batch that finishes; use it in an ``AssetWatcher``.

    Batches that were finished before the first poll fire no event. Each poll reads the whole listing, so it also finds
    batches that start and finish between two polls. From Airflow 3.3 on, the asset state store remembers which batches
    have fired, so batches that finish while the triggerer is down fire after its restart. A triggerer that is killed
    right after an event may fire it again. Watchers of the same connection and scope share their polls. Errors are
    logged, and the trigger continues.

    :param kind: ``playment.batch``, ``llamacloud.batch``, ``llamacloud.batch_processing_job``, ``talkifai.batch_job``,
        or the import path of a kind of another package
    :param connection_id: the id of the Airflow connection
    :param scope: the project or organization, by the names of the kind's listing; default: that of the connection
    :param poll_interval: seconds between two polls, a number or a timedelta; default: 60
    :param event_interval: seconds between the events of one poll, a number or a timedelta; default: 3. Before Airflow
        3.4, the scheduler may combine events that arrive close together into one run. From 3.4 on you can use 0, unless
        ``batch_asset_events`` is set.
    :param hook: the import path of the hook that makes the client; default: the vendor's hook
    :param queue: the trigger queue, from Airflow 3.4 on
    :raises InvalidParameterError: an argument is unknown or not allowed
    """

    def __init__(
        self,
        *,
        kind: str,
        connection_id: str,
        scope: Mapping[str, str] | None = None,
        poll_interval: float | timedelta = 60.0,
        event_interval: float | timedelta = 3.0,
        hook: str | None = None,
        queue: str | None = None,
        version: int | None = None,
        **from_other_versions: Any,
    ) -> None:
        super().__init__(**self._queue_argument(queue))  # type: ignore[no-untyped-call]
        _check_known(type(self), from_other_versions, version)
        self.kind = kind_named(kind).name
        if not isinstance(connection_id, str) or not connection_id.strip():
            raise self._invalid("connection_id", connection_id, "the id of a connection")
        self.connection_id = connection_id
        self.scope = self._checked_scope(scope or {}, is_stored=version is not None)
        self.poll_interval = self._seconds("poll_interval", poll_interval)
        self.event_interval = self._seconds("event_interval", event_interval, may_be_zero=True)
        self.hook = None if hook is None else _checked_hook(hook)

    def _queue_argument(self, queue: str | None) -> dict[str, str]:
        if queue is None:
            return {}
        if "queue" not in inspect.signature(BaseEventTrigger.__init__).parameters:
            raise self._invalid("queue", queue, "only None before Airflow 3.4, which brought trigger queues for events")
        return {"queue": queue}

    def _checked_scope(self, scope: Mapping[str, str], *, is_stored: bool) -> dict[str, str]:
        kind = kind_named(self.kind)
        names = ", ".join(map(repr, kind.scope)) or "none"
        if not isinstance(scope, Mapping):
            raise self._invalid("scope", scope, f"a dict with the keys {names}")
        if is_stored:  # a later release may know more
            scope = {name: scope[name] for name in kind.scope if name in scope}
        if unknown := sorted(map(str, scope.keys() - set(kind.scope))):
            raise self._invalid("scope", unknown[0], f"a dict with the keys {names}")
        if violation := first_violation(kind.listing.parameters, scope):
            raise InvalidParameterError(f"{type(self).__name__}: {violation}.")
        return kind.listing.given(scope)

    def _seconds(self, name: str, value: float | timedelta, *, may_be_zero: bool = False) -> float:
        seconds = value.total_seconds() if isinstance(value, timedelta) else value
        is_number = isinstance(seconds, (int, float)) and not isinstance(seconds, bool)
        least = 0.0 if may_be_zero else SHORTEST_POLL_INTERVAL
        if not is_number or not least <= seconds < float("inf"):
            what = f"seconds, {least:g} or more"
            raise self._invalid(name, value, f"a number of {what}, or a timedelta")
        return float(seconds)

    def _invalid(self, name: str, value: object, allowed: str) -> InvalidParameterError:
        return InvalidParameterError(f"{type(self).__name__}: {name}={value!r} is not allowed; allowed is {allowed}.")

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return what is needed to create this trigger in another process."""
        names = ("kind", "connection_id", "scope", "poll_interval", "event_interval", "hook")
        return f"{__name__}.{type(self).__name__}", {
            **{name: getattr(self, name) for name in names},
            "version": SERIALIZED,
        }

    def shared_stream_key(self) -> Hashable:
        """Return a key; triggers with the same key share their polls."""
        return (
            *(type(self).__name__, self.kind, self.connection_id, self.hook),
            *sorted(self.scope.items()),
            self.poll_interval,
        )

    @classmethod
    async def open_shared_stream(cls, kwargs: dict[str, Any]) -> AsyncIterator[list[tuple[str, dict[str, Any]]]]:
        """Yield the finished batches of each poll; a failed poll is repeated with back-off."""
        pollers = await _import_pollers()
        connection_id, interval = kwargs["connection_id"], kwargs["poll_interval"]
        threads = pollers.threads_of(connection_id)
        failures, finished = 0, None
        while True:
            try:
                kind, hook = await threads.call(kind_named, kwargs["kind"]), kwargs.get("hook")
                reader = await pollers.open_reader(kind, connection_id, kwargs["scope"], hook)
                while True:
                    await asyncio.sleep(max(0.0, reader.client.rate_limiter.held_for()))
                    found = await threads.call(reader.read_finished)
                    failures = 0
                    now = [(batch_id, verdict.summary(state)) for batch_id, state in found]
                    # The same list if nothing is new: it may wait in the queues of many watchers.
                    finished = finished if now == finished else now
                    yield finished
                    await asyncio.sleep(interval)
            except Exception as error:  # noqa: BLE001 - even a refused key may be replaced; one that ends never fires again
                failures += 1
                seconds = delay(failures, 2 * interval, LONGEST_PAUSE, least=1.0)
                seconds = max(seconds, min(getattr(error, "retry_after", None) or 0.0, LONGEST_HOLD))
                said = error if isinstance(error, BatchProviderError) else harmless(repr(error))
                log.error("Polling again in %.0f s: %s", seconds, said)
                await asyncio.sleep(seconds)

    async def filter_shared_stream(self, shared_stream: AsyncIterator[Any]) -> AsyncIterator[TriggerEvent]:
        """Fire for the batches that have not fired yet."""
        watched = json.dumps([self.kind, self.connection_id, sorted(self.scope.items())])
        fired = FiredBatches(getattr(self, "asset_state_store", None), f"finished-{digest_of(watched).hex()}")
        async for finished in shared_stream:
            ids = [batch_id for batch_id, _ in finished]
            if not fired.is_known:
                await fired.load(ids)
            new = [(batch_id, state) for batch_id, state in finished if fired.is_known and not fired.has(batch_id)]
            for number, (batch_id, state) in enumerate(new):
                if number:
                    await asyncio.sleep(self.event_interval)
                yield TriggerEvent(state)  # type: ignore[no-untyped-call]
                await fired.add(batch_id)
            await fired.settle(ids)

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Fire without sharing, as before Airflow 3.3."""
        async for event in self.filter_shared_stream(self.open_shared_stream(self.serialize()[1])):
            yield event


async def _within(latest: float | None, future: asyncio.Future[T]) -> T | None:
    """Return what a future brings until a moment of the loop's clock, None if nothing has come."""
    try:
        async with asyncio.timeout_at(latest) as limit:
            return await asyncio.shield(future)
    except TimeoutError:
        if not limit.expired():
            raise
        return None


def _check_known(trigger: type, unknown: Iterable[str], version: int | None) -> None:
    """Refuse misspelt arguments; those that another release has serialized are no mistake, and left out.

    :raises InvalidParameterError: an argument is unknown
    """
    if version is None and (names := sorted(unknown)):
        raise InvalidParameterError(f"{trigger.__name__} takes no argument {names[0]!r}.")


def _checked_hook(path: str) -> str:
    hook_named(path)
    return path


_pollers: ModuleType | None = None
_importer = ThreadPoolExecutor(1, "batch-imports")  # its thread starts when it is needed


async def _import_pollers() -> Any:
    """Import what polls, and with it the HTTP library, which takes longer than the event loop may stand still.

    In a thread of its own: all triggers of the process share the event loop's threads, and may have blocked them.
    """
    global _pollers
    if _pollers is None:
        loop, name = asyncio.get_running_loop(), "airflow_batch_provider.waiting.pollers"
        _pollers = await loop.run_in_executor(_importer, importlib.import_module, name)
    return _pollers
