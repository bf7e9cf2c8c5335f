"""The memory of one wait: the last state, when it last moved, how many polls failed; and what ends the wait."""

from __future__ import annotations

from typing import Any

import msgspec

from airflow_batch_provider import codec
from airflow_batch_provider.apis.batch_state import ShownState
from airflow_batch_provider.exceptions import BatchProviderError
from airflow_batch_provider.waiting import verdict
from airflow_batch_provider.waiting.changes import Log, log_changes

MAX_POLL_FAILURES = 10
"""Polls in a row that may fail before a wait gives up."""


class KeptWatch(msgspec.Struct, frozen=True, kw_only=True):
    """What another process needs to continue a wait.

    :param try_number: the try of the task that waits; another try starts over
    :param failures: how many polls in a row have failed
    :param mark: what was seen of the batch when it last moved, None if it was not seen
    :param since: Unix seconds of that moment
    """

    version: int = 1
    try_number: int | None = None
    failures: int = 0
    mark: str | None = None
    since: float | None = None


class Watch:
    """Judges one batch, poll by poll.

    :param title: the vendor, for messages
    :param log: where changes are logged
    :param fail_on_item_failures: whether failed files or calls make a finished batch a failed one
    :param stalled_after: seconds without any movement that end the wait, None for never
    :param max_poll_failures: polls in a row that may fail
    :param movement: when the batch last moved, if that is known from before
    """

    def __init__(
        self,
        title: str,
        log: Log,
        *,
        fail_on_item_failures: bool = False,
        stalled_after: float | None = None,
        max_poll_failures: int = MAX_POLL_FAILURES,
        movement: verdict.Movement | None = None,
    ) -> None:
        self._title = title
        self._log = log
        self._fail_on_item_failures = fail_on_item_failures
        self._stalled_after = stalled_after
        self._max_poll_failures = max_poll_failures
        self._failures = 0
        self._has_looked = False
        self.movement = movement
        self.state: ShownState | None = None

    def see(self, state: ShownState, now: float) -> verdict.Verdict | None:
        """Take the state that a poll brought.

        :param state: the state
        :param now: Unix seconds
        :return: what ends the wait, or None if it continues
        """
        self._failures = 0
        if state is not self.state:  # a reader returns the same object if nothing has changed
            log_changes(self._log, self._title, self.movement.mark if self.movement else None, state)
            movement = self.movement or verdict.Movement(state.mark, now)
            self.movement = movement.after(state, now, is_first=not self._has_looked)
            self._has_looked = True
            self.state = state
            end = verdict.of_state(self._title, state, fail_on_item_failures=self._fail_on_item_failures)
            if end:
                return end
        assert self.movement
        return self.movement.stalled(self._title, state, now, self._stalled_after)

    def miss(self, error: BatchProviderError) -> verdict.Verdict | None:
        """Take the error of a poll that failed.

        :return: what ends the wait, or None if it continues
        """
        self._failures += 1
        return verdict.of_error(error, self._failures, self._max_poll_failures)

    def keep(self, try_number: int | None = None) -> dict[str, Any]:
        """Return what another process of the same try needs to continue this wait, as JSON.

        :param try_number: the try of the task
        """
        moved = self.movement
        kept = KeptWatch(
            try_number=try_number,
            failures=self._failures,
            mark=moved.mark if moved else None,
            since=moved.since if moved else None,
        )
        return dict(msgspec.to_builtins(kept))

    def resume(self, kept: object, try_number: int | None = None) -> None:
        """Continue from what :meth:`keep` returned; what cannot be read, or is of another try, is ignored."""
        try:
            watch = codec.convert(kept, KeptWatch, version=1, unversioned=1)  # release 0.1.0 kept no version
        except codec.UnreadableError:
            return
        if watch.try_number != try_number:
            return
        self._failures = watch.failures
        if watch.mark is not None and watch.since is not None:
            self._has_looked = True  # at the poke before
            self.movement = verdict.Movement(watch.mark, watch.since)
