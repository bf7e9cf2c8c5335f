"""What ends a wait, as a value that a trigger can send and a task can raise; no I/O here."""

from __future__ import annotations

from typing import Any

import msgspec

from airflow_batch_provider import codec, exceptions
from airflow_batch_provider.apis.batch_state import Outcome, ShownState
from airflow_batch_provider.apis.moment import Clock, read_moment
from airflow_batch_provider.apis.shown import harmless
from airflow_batch_provider.exceptions import LONGEST_MESSAGE, BatchProviderError, FatalError, TransientError

EVENT_VERSION = 2

_ERRORS = {
    error.__name__: error
    for error in vars(exceptions).values()
    if isinstance(error, type) and issubclass(error, BatchProviderError)
}


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """The end of a wait; a trigger's event has the same fields.

    :param version: of the event
    :param error: the name of the exception that the task raises; None if the wait succeeded
    :param message: one sentence for people
    :param state: the last known state of the batch, None if there is none
    """

    version: int = EVENT_VERSION
    error: str | None
    message: str
    state: dict[str, Any] | None

    def to_event(self) -> dict[str, Any]:
        """Return the payload of a trigger's event."""
        event: dict[str, Any] = msgspec.to_builtins(self)
        return {**event, "message": harmless(self.message, LONGEST_MESSAGE)}

    def result(self) -> dict[str, Any]:
        """Return what the sensor returns, or raise what it fails with.

        :raises BatchProviderError: the exception that is named; FatalError if a newer release knows more of them
        """
        if self.error is None:
            return {**(self.state or {}), "message": self.message}
        raise _ERRORS.get(self.error, FatalError)(self.message)


class _EventOfVersion1(msgspec.Struct, frozen=True):
    """What release 0.1.0 fired: triggers that it deferred may still be waiting for their tasks."""

    version: int
    reason: str
    message: str
    state: dict[str, Any] | None
    error: str | None

    def verdict(self) -> Verdict:
        named = self.error if issubclass(_ERRORS.get(self.error or "", TransientError), FatalError) else None
        error = None if self.reason == "succeeded" else named or _ERRORS_OF_VERSION_1[self.reason]
        return Verdict(error=error, message=self.message, state=self.state)


_ERRORS_OF_VERSION_1 = {
    "items_failed": "BatchItemsFailedError",
    "failed": "BatchFailedError",
    "cancelled": "BatchCancelledError",
    "stalled": "BatchStalledError",
    "timed_out": "BatchTimeoutError",
    "unreachable": "TransientError",
    "refused": "FatalError",
}


def read_event(event: object) -> Verdict:
    """Read a trigger's event, of this release or of the one before.

    :raises TransientError: it is none of ours, so nothing is known; another try will find out
    """
    try:
        if isinstance(event, dict) and event.get("version") == 1:
            return codec.convert(event, _EventOfVersion1, version=1).verdict()
        return codec.convert(event, Verdict, version=EVENT_VERSION)
    except (codec.UnreadableError, KeyError) as error:
        raise TransientError(f"The wait was resumed with an event that is not understood: {error!r}.") from error


def summary(state: ShownState) -> dict[str, Any]:
    """Return a state as small JSON."""
    return {
        "id": state.id,
        "status": state.status,
        "outcome": state.outcome.value,
        "counts": dict(state.counts),
        "failed_items": state.failed_items,
    }


def of_state(title: str, state: ShownState, *, fail_on_item_failures: bool) -> Verdict | None:
    """Return how a state ends a wait, or None if it does not.

    :param title: the vendor, for the message
    :param state: what was seen
    :param fail_on_item_failures: whether failed files or calls make a finished batch a failed one
    """
    seen = f"{title}: {state}"
    if state.reason:
        seen += f": {state.reason}"
    errors = {Outcome.FAILED: "BatchFailedError", Outcome.CANCELLED: "BatchCancelledError"}
    if state.outcome in errors:
        return Verdict(error=errors[state.outcome], message=f"{seen}.", state=summary(state))
    if state.outcome is not Outcome.SUCCEEDED:
        if state.endless is None:
            return None
        return Verdict(error="InvalidParameterError", message=f"{seen}. {state.endless}", state=summary(state))
    if state.failed_items and fail_on_item_failures:
        message = f"{seen}; {state.failed_items} items of it failed."
        return Verdict(error="BatchItemsFailedError", message=message, state=summary(state))
    return Verdict(error=None, message=f"{seen}.", state=summary(state))


def of_error(error: BatchProviderError, failures: int, most_failures: int) -> Verdict | None:
    """Return how a failed poll ends a wait, or None if the wait continues.

    :param error: what failed
    :param failures: how many polls have failed in a row, this one included
    :param most_failures: how many may
    """
    if isinstance(error, FatalError):
        return of_permanent(error)
    if failures >= most_failures:
        message = f"{failures} polls in a row failed, the last one: {error}"
        return Verdict(error="TransientError", message=message, state=None)
    return None


def of_permanent(error: FatalError) -> Verdict:
    """Return the verdict of a wait that would fail again."""
    return Verdict(error=type(error).__name__, message=str(error), state=None)


def of_timeout(title: str, state: ShownState | None, timeout: float, *, was_seen: bool = False) -> Verdict:
    """Return the verdict of a wait whose time is up.

    :param state: what was seen last, None if that is not known any more
    :param was_seen: whether it was seen before, by another process
    """
    unseen = "; it could not be polled in the end" if was_seen else ", and not seen once"
    seen = f"; last seen: {state}" if state else unseen
    message = f"{title}: not finished within {timeout:.0f} s{seen}."
    return Verdict(error="BatchTimeoutError", message=message, state=summary(state) if state else None)


class Movement(msgspec.Struct, frozen=True):
    """When a batch last moved.

    :param mark: what was seen then, see :attr:`~airflow_batch_provider.apis.batch_state.BatchState.mark`
    :param since: Unix seconds
    """

    mark: str
    since: float

    def after(self, state: ShownState, now: float, *, is_first: bool) -> Movement:
        """Return the movement after another poll.

        :param state: what was seen
        :param now: Unix seconds
        :param is_first: whether there was no poll a moment ago. Then it moved at the time that the
            vendor reports, if it reports a new one: a triggerer that was down does not take what happened meanwhile for
            news. Otherwise it moved now, because a vendor's clock or time zone may be wrong.
        """
        mark = state.mark
        if mark == self.mark:
            return self
        is_new = is_first and state.updated_at != self.mark.rpartition("|")[2]
        reported = _unix_seconds(state.updated_at) if is_new else None
        if reported is None:
            return Movement(mark, now)
        return Movement(mark, max(self.since, min(reported, now)))

    def stalled(self, title: str, state: ShownState, now: float, stalled_after: float | None) -> Verdict | None:
        """Return the verdict of a wait whose batch has not moved for too long."""
        still = now - self.since
        if stalled_after is None or still < stalled_after:
            return None
        message = f"{title}: {state}, and it has not changed for {still:.0f} s."
        return Verdict(error="BatchStalledError", message=message, state=summary(state))


def _unix_seconds(moment: str | None) -> float | None:
    """Return a vendor's time, or None if it makes no sense."""
    try:
        return read_moment(moment, Clock.ISO).timestamp()
    except ValueError:
        return None
