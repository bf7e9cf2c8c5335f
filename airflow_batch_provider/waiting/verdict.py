"""What ends a wait, as a value that a trigger can send and a task can raise; no I/O here."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from types import NoneType
from typing import Any

import msgspec

from airflow_batch_provider import exceptions
from airflow_batch_provider.apis.batch_state import BatchState, Outcome
from airflow_batch_provider.exceptions import BatchProviderError, FatalError, TransientError

EVENT_VERSION = 1
LONGEST_REASON = 300


class Reason(StrEnum):
    """Why a wait ended."""

    SUCCEEDED = "succeeded"
    ITEMS_FAILED = "items_failed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    STALLED = "stalled"
    TIMED_OUT = "timed_out"
    UNREACHABLE = "unreachable"
    REFUSED = "refused"


ERRORS: Mapping[Reason, type[BatchProviderError]] = {
    Reason.ITEMS_FAILED: exceptions.BatchItemsFailedError,
    Reason.FAILED: exceptions.BatchFailedError,
    Reason.CANCELLED: exceptions.BatchCancelledError,
    Reason.STALLED: exceptions.BatchStalledError,
    Reason.TIMED_OUT: exceptions.BatchTimeoutError,
    Reason.UNREACHABLE: TransientError,
    Reason.REFUSED: FatalError,
}
"""What a task raises for each reason but success."""

_FATAL_ERRORS = {
    error.__name__: error
    for error in vars(exceptions).values()
    if isinstance(error, type) and issubclass(error, FatalError)
}


class Verdict(msgspec.Struct, frozen=True):
    """The end of a wait.

    :param reason: why it ended
    :param message: one sentence for people
    :param state: what was last seen of the batch, None if nothing was
    :param error: the name of the exception where the vendor refused
    """

    reason: Reason
    message: str
    state: Mapping[str, Any] | None = None
    error: str | None = None

    def to_event(self) -> dict[str, Any]:
        """Return the payload of a trigger's event."""
        state = dict(self.state) if self.state else None
        return {
            "version": EVENT_VERSION,
            "reason": self.reason.value,
            "message": self.message,
            "state": state,
            "error": self.error,
        }

    def result(self) -> dict[str, Any]:
        """Return what the sensor returns, or raise what it fails with.

        :raises BatchProviderError: the class that belongs to the reason
        """
        if self.reason is Reason.SUCCEEDED:
            return {**(self.state or {}), "message": self.message}
        raise _FATAL_ERRORS.get(self.error or "", ERRORS[self.reason])(self.message)


def read_event(event: object) -> Verdict:
    """Read a trigger's event.

    :raises TransientError: it is none of ours, so nothing is known; another try will find out
    """
    try:
        if not isinstance(event, dict) or event["version"] != EVENT_VERSION:
            raise ValueError("unknown version")
        state, error = event["state"], event["error"]
        if not isinstance(state, (dict, NoneType)) or not isinstance(error, (str, NoneType)):
            raise ValueError("a part of another type")
        return Verdict(Reason(event["reason"]), str(event["message"]), state, error)
    except (LookupError, ValueError) as failure:
        raise TransientError(f"The wait was resumed with an event that is not understood: {failure!r}.") from failure


def summary(state: BatchState) -> dict[str, Any]:
    """Return a state as small JSON."""
    return {
        "id": state.id,
        "status": state.status,
        "outcome": state.outcome.value,
        "counts": dict(state.counts),
        "failed_items": state.failed_items,
    }


def of_state(title: str, state: BatchState, *, fail_on_item_failures: bool) -> Verdict | None:
    """Return how a state ends a wait, or None where it does not.

    :param title: the vendor, for the message
    :param state: what was seen
    :param fail_on_item_failures: whether failed files or calls make a finished batch a failed one
    """
    seen = f"{title}: {state}"
    if state.reason:
        seen += f": {' '.join(str(state.reason).split())[:LONGEST_REASON]}"
    reasons = {Outcome.FAILED: Reason.FAILED, Outcome.CANCELLED: Reason.CANCELLED}
    if state.outcome in reasons:
        return Verdict(reasons[state.outcome], f"{seen}.", summary(state))
    if state.outcome is not Outcome.SUCCEEDED:
        return None
    if state.failed_items and fail_on_item_failures:
        return Verdict(Reason.ITEMS_FAILED, f"{seen}; {state.failed_items} items of it failed.", summary(state))
    return Verdict(Reason.SUCCEEDED, f"{seen}.", summary(state))


def of_error(error: BatchProviderError, failures: int, most_failures: int) -> Verdict | None:
    """Return how a failed poll ends a wait, or None where it goes on.

    :param error: what failed
    :param failures: how many polls have failed in a row, this one included
    :param most_failures: how many may
    """
    if isinstance(error, FatalError):
        return of_refusal(error)
    if failures >= most_failures:
        return Verdict(Reason.UNREACHABLE, f"{failures} polls in a row failed, the last one: {error}")
    return None


def of_refusal(error: FatalError) -> Verdict:
    """Return the verdict of a wait that would fail again."""
    return Verdict(Reason.REFUSED, str(error), error=type(error).__name__)


def of_timeout(title: str, state: BatchState | None, timeout: float) -> Verdict:
    """Return the verdict of a wait whose time is up."""
    seen = f"; last seen: {state}" if state else ", and not seen once"
    message = f"{title}: not finished within {timeout:.0f} s{seen}."
    return Verdict(Reason.TIMED_OUT, message, summary(state) if state else None)


class Movement(msgspec.Struct, frozen=True):
    """When a batch last moved.

    :param mark: what was seen then, see :attr:`BatchState.mark`
    :param since: Unix seconds
    """

    mark: str
    since: float

    def after(self, state: BatchState, now: float) -> Movement:
        """Return the movement after another look at the batch.

        It moved when the vendor says so, where it says it anew, else now. So a triggerer that was down does not count
        what happened meanwhile as just having happened.
        """
        if state.mark == self.mark:
            return self
        told = _unix_seconds(state.updated_at) if state.updated_at != self.mark.rpartition("|")[2] else None
        return Movement(state.mark, now if told is None else max(self.since, min(told, now)))

    def stalled(self, title: str, state: BatchState, now: float, stalled_after: float | None) -> Verdict | None:
        """Return the verdict of a wait whose batch has not moved for too long."""
        still = now - self.since
        if stalled_after is None or still < stalled_after:
            return None
        message = f"{title}: {state}, and nothing of it has moved for {still:.0f} s."
        return Verdict(Reason.STALLED, message, summary(state))


def _unix_seconds(moment: str | None) -> float | None:
    """Return a vendor's time, taken as UTC if it names no offset; None where it makes no sense."""
    try:
        parsed = datetime.fromisoformat(moment or "")
    except (ValueError, TypeError):
        return None
    return (parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).timestamp()
