"""Repeats an operation on a store that is unavailable for a while, and explains why one cannot succeed."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeVar

from airflow_batch_provider import backoff
from airflow_batch_provider.exceptions import BatchProviderError, DestinationError, TransientError
from airflow_batch_provider.stores.errors import Cause, advice, classify, holds_secrets
from airflow_batch_provider.stores.role import DESTINATION, Role

log = logging.getLogger(__name__)

MOST_ATTEMPTS = 8
SECONDS_OF_ATTEMPTS = 30.0
"""After so long no further attempt begins; each attempt is bounded by itself."""

FIRST_PAUSE, LONGEST_PAUSE = 1.0, 16.0
"""The shortest pauses add up to 15 s after five attempts: a store that is away for ten seconds is survived."""

Result = TypeVar("Result")


class ConflictError(DestinationError):
    """The store has another file than a conditional put expects, or does not let a file be replaced."""


class _FullError(TransientError):
    """The store is full; half a minute will not change that."""


@dataclass(frozen=True)
class DestinationName:
    """A destination, or a source, as errors name it.

    :param uri: its URI
    :param conn_id: the Airflow connection, None if there is none
    :param on_disk: whether what fails is a local disk
    :param role: what it is to the task
    """

    uri: str
    conn_id: str | None = None
    on_disk: bool = False
    role: Role = DESTINATION

    def via_disk(self) -> DestinationName:
        """Return the name for the errors of a temporary file, which is on a local disk before it is uploaded."""
        return replace(self, on_disk=True)

    def advice(self, kind: Cause) -> str:
        """Return what a person can do about a failure there."""
        return advice(kind, self.role.rights, on_disk=self.on_disk)

    def __str__(self) -> str:
        # Who reads it knows the connection by its id alone.
        return f"{self.role} {self.uri!r}" + (f" with connection {self.conn_id!r}" if self.conn_id else "")


def attempt(operation: Callable[[], Result], what: str, destination: DestinationName) -> Result:
    """Run an operation until it succeeds or there is no hope.

    :param operation: may be repeated: if it fails, it leaves nothing behind that a repetition trips over
    :param what: what it does, to follow "Cannot"
    :param destination: the destination
    :raises FileNotFoundError: the file is not there
    :raises ConflictError: the condition of a put does not hold
    :raises DestinationError: a repetition would fail again; of a source, its role's error
    :raises TransientError: the store failed for too long, or is full
    """
    began = time.monotonic()
    try:
        return run_once(operation, what, destination)  # without tenacity, which costs ten times what a rename does
    except TransientError as error:
        first = [error]

    def again() -> Result:
        if first:
            raise first.pop()
        return run_once(operation, what, destination)

    retrying = backoff.retrying(
        attempts=MOST_ATTEMPTS,
        may_pass=_may_pass,
        wait=lambda number, error: backoff.delay(number, FIRST_PAUSE, LONGEST_PAUSE),
        log=lambda number, seconds, error: log.warning(
            "%s Trying again in %.1f s (attempt %d)", error, seconds, number + 1
        ),
        seconds=SECONDS_OF_ATTEMPTS - (time.monotonic() - began),
    )
    result: Result = retrying(again)
    return result


def run_once(operation: Callable[[], Result], what: str, destination: DestinationName) -> Result:
    """Run an operation that cannot be repeated; parameters and errors as for :func:`attempt`."""
    try:
        return operation()
    except BatchProviderError:
        raise
    except Exception as error:  # noqa: BLE001 (whatever the store raises)
        ours = _read(error, what, destination)
        raise ours from (None if holds_secrets(error) else error)


def _read(error: Exception, what: str, destination: DestinationName) -> Exception:
    failure = classify(error)
    message = f"Cannot {what} at {destination}: {failure.reason}."
    if failure.kind is Cause.NO_FILE:
        return FileNotFoundError(message)
    message = f"{message} {destination.advice(failure.kind)}".rstrip()
    if failure.kind is Cause.CONFLICT:
        return ConflictError(message)
    if failure.kind is Cause.FULL:
        return _FullError(message)
    if failure.kind is Cause.AWAY:
        return TransientError(message)
    return destination.role.error(message)


def _may_pass(error: BaseException) -> bool:
    return isinstance(error, TransientError) and not isinstance(error, _FullError)
