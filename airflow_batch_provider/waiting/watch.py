"""One wait's memory: what it saw, when that last moved, how many looks failed; and what ends it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from airflow_batch_provider.apis.batch_state import BatchState
from airflow_batch_provider.exceptions import BatchProviderError
from airflow_batch_provider.waiting import verdict
from airflow_batch_provider.waiting.changes import Log, log_changes

MAX_POLL_FAILURES = 10
"""Polls in a row that may fail before a wait gives up."""


class WatchOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What ends a wait beside the batch's own end.

    :param fail_on_item_failures: whether failed files or calls make a finished batch a failed one
    :param stalled_after: seconds without any movement that end the wait, None for never
    :param max_poll_failures: looks in a row that may fail
    """

    fail_on_item_failures: bool
    stalled_after: float | None
    max_poll_failures: int


class Watch:
    """Judges what is seen of a batch, look by look.

    :param title: the vendor, for messages
    :param log: where changes are told
    :param options: what ends the wait
    :param movement: when the batch last moved, if that is known from before
    """

    def __init__(
        self,
        title: str,
        log: Log,
        options: WatchOptions,
        movement: verdict.Movement | None = None,
    ) -> None:
        self._title = title
        self._log = log
        self._options = options
        self._failures = 0
        self.movement = movement
        self.state: BatchState | None = None

    def see(self, state: BatchState, now: float) -> verdict.Verdict | None:
        """Take a look that succeeded.

        :param state: what was seen
        :param now: Unix seconds
        :return: what ends the wait, or None where it goes on
        """
        self._failures = 0
        if state is not self.state:  # a reader gives the same object where nothing of a batch changed
            log_changes(self._log, self._title, self.state, state)
            self.state = state
            self.movement = (self.movement or verdict.Movement(state.mark, now)).after(state, now)
            end = verdict.of_state(self._title, state, fail_on_item_failures=self._options.fail_on_item_failures)
            if end:
                return end
        assert self.movement
        return self.movement.stalled(self._title, state, now, self._options.stalled_after)

    def miss(self, error: BatchProviderError) -> verdict.Verdict | None:
        """Take a look that failed.

        :param error: why
        :return: what ends the wait, or None where it goes on
        """
        self._failures += 1
        return verdict.of_error(error, self._failures, self._options.max_poll_failures)

    def memory(self) -> dict[str, Any]:
        """Return what another process needs to go on with this wait, as JSON."""
        moved = self.movement
        return {
            "failures": self._failures,
            "mark": moved.mark if moved else None,
            "since": moved.since if moved else None,
        }

    def recall(self, memory: Mapping[str, Any]) -> None:
        """Go on from what :meth:`memory` returned."""
        self._failures = int(memory["failures"])
        if memory["mark"] is not None:
            self.movement = verdict.Movement(str(memory["mark"]), float(memory["since"]))
