"""Waits for a batch in the triggerer."""

from __future__ import annotations

import asyncio
import importlib
import time
from collections.abc import AsyncIterator, Mapping
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_batch_provider.apis.batch_state import BatchState, Outcome
from airflow_batch_provider.exceptions import BatchProviderError
from airflow_batch_provider.waiting import verdict
from airflow_batch_provider.waiting.kinds import KINDS

MAX_POLL_FAILURES = 10
"""Polls in a row that may fail before a wait gives up."""


class BatchStatusTrigger(BaseTrigger):
    """Fires once, when a wait for a batch ends, for whatever :class:`~airflow_batch_provider.waiting.verdict.Reason`.

    It never touches the batch itself: neither its cancellation nor that of the task reaches the vendor.

    :param kind: a key of :data:`~airflow_batch_provider.waiting.kinds.KINDS`
    :param connection_id: the Airflow connection
    :param batch_id: what to wait for
    :param scope: project or organization, as the kind's listing takes them
    :param poll_interval: seconds between two looks
    :param end_time: Unix seconds at which the wait times out, None for never
    :param timeout: the seconds that the whole wait had, for the message
    :param fail_on_item_failures: whether failed files or calls make a finished batch a failed one
    :param stalled_after: seconds without any movement that fail the wait, None for never
    :param mark: what was seen of the batch when it last moved
    :param moved_at: Unix seconds of that moment; now if left out
    :param max_poll_failures: polls in a row that may fail
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

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return what is needed to make this trigger again, in another process."""
        names = (
            *("kind", "connection_id", "batch_id", "scope", "poll_interval", "end_time", "timeout"),
            *("fail_on_item_failures", "stalled_after", "mark", "moved_at", "max_poll_failures"),
        )
        return f"{__name__}.{type(self).__name__}", {name: getattr(self, name) for name in names}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait, then fire."""
        yield TriggerEvent((await self._wait()).to_event())  # type: ignore[no-untyped-call]

    async def _wait(self) -> verdict.Verdict:
        # It imports the HTTP library, which takes longer than the event loop may stand still.
        pollers = await asyncio.to_thread(importlib.import_module, "airflow_batch_provider.waiting.pollers")
        kind = KINDS[self.kind]
        title = kind.listing.vendor.title
        loop = asyncio.get_running_loop()
        # From here on only the loop's clock counts, which does not jump.
        ahead = time.time() - loop.time()
        deadline = None if self.end_time is None else self.end_time - ahead
        movement = verdict.Movement(self.mark, self.moved_at if self.moved_at is not None else time.time())
        state: BatchState | None = None
        failures = 0
        async with pollers.poller_for(kind, self.connection_id, self.scope).join(
            self.batch_id, self.poll_interval
        ) as wait:
            while True:
                try:
                    async with asyncio.timeout_at(deadline):
                        seen = await wait.next()
                except TimeoutError:
                    return verdict.of_timeout(title, state, self.timeout or 0)
                except BatchProviderError as error:
                    failures += 1
                    end = verdict.of_error(error, failures, self.max_poll_failures)
                    if end:
                        return end
                    continue
                failures = 0
                self._log_changes(title, state, seen)
                state, now = seen, loop.time() + ahead
                movement = movement.after(state, now)
                end = verdict.of_state(
                    title, state, fail_on_item_failures=self.fail_on_item_failures
                ) or movement.stalled(title, state, now, self.stalled_after)
                if end:
                    return end

    def _log_changes(self, title: str, before: BatchState | None, state: BatchState) -> None:
        if before is None or before.mark != state.mark:
            self.log.info("%s: %s", title, state)
        if state.outcome is Outcome.UNKNOWN and (before is None or before.status != state.status):
            self.log.warning("%s: %r is no status that is documented; waiting goes on", title, state.status)
