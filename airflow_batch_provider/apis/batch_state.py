"""What is seen of a batch at one moment, in one vocabulary over the vendors' status words."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import Any

import msgspec

from airflow_batch_provider.apis.body import whole_number
from airflow_batch_provider.apis.endpoint import Listing, Resource

ALL = "*"
"""Stands for all batches of a listing, where an id is expected."""


class Outcome(StrEnum):
    """What a status word means. ``UNKNOWN`` is neither terminal nor a success."""

    PENDING = "pending"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    UNKNOWN = "unknown"

    @property
    def is_terminal(self) -> bool:
        """Whether the batch will not change any more."""
        return self in {Outcome.SUCCEEDED, Outcome.FAILED, Outcome.CANCELLED}


PENDING = Outcome.PENDING
RUNNING = Outcome.RUNNING
SUCCEEDED = Outcome.SUCCEEDED
FAILED = Outcome.FAILED
CANCELLED = Outcome.CANCELLED


class BatchState(msgspec.Struct, frozen=True):
    """A batch at one moment.

    :param id: the vendor's id
    :param status: the vendor's status word, as it came
    :param outcome: what the word means
    :param counts: the vendor's counters, under the vendor's names
    :param failed_items: how many files or calls of it failed
    :param reason: the vendor's own words on a failure
    :param updated_at: when the vendor says that it last changed, as it came
    """

    id: str
    status: str
    outcome: Outcome
    counts: Mapping[str, int] = msgspec.field(default_factory=dict)
    failed_items: int = 0
    reason: str | None = None
    updated_at: str | None = None

    @property
    def mark(self) -> str:
        """A text that changes whenever anything moves; small enough to be kept."""
        return f"{self.status}|{'|'.join(map(str, self.counts.values()))}|{self.updated_at or ''}"

    def __str__(self) -> str:
        counts = ", ".join(f"{name} {count}" for name, count in self.counts.items())
        return f"{self.id} is {self.status}" + (f" ({counts})" if counts else "")


class BatchKind(msgspec.Struct, frozen=True, kw_only=True):
    """A kind of batch that can be waited for.

    :param name: its name in triggers: the import path of this very constant, ``package.module.CONSTANT``; those of
        :mod:`~airflow_batch_provider.waiting.kinds` have short ones
    :param listing: lists many of them at once
    :param scope: the listing's parameters that say which of them there are
    :param unfinished: the status words of those that still run, to filter the listing by, by its parameter ``status``;
        empty where it has no filter
    :param single: reads one of them; None where the vendor has no such endpoint and the listing holds them all
    :param id_parameter: the parameter of ``single`` that takes the id
    :param single_values: what else ``single`` is asked for
    :param state: reads the vendor's object
    :param together: reads all of them as one; its state is that of the id :data:`ALL`
    """

    name: str
    listing: Listing
    scope: tuple[str, ...]
    unfinished: tuple[str, ...] = ()
    single: Resource[dict[str, Any]] | None = None
    id_parameter: str = ""
    single_values: Mapping[str, Any] = msgspec.field(default_factory=dict)
    state: Callable[[Mapping[str, Any]], BatchState]
    together: Callable[[Sequence[Mapping[str, Any]]], BatchState] | None = None


def outcome_of(word: object, outcomes: Mapping[str, Outcome]) -> Outcome:
    """Return what a status word means; case is ignored, because the vendors' pages differ in it.

    :param word: the word, as it came
    :param outcomes: the documented words
    """
    folded = str(word).casefold()
    return next((outcome for known, outcome in outcomes.items() if known.casefold() == folded), Outcome.UNKNOWN)


class StateFields(msgspec.Struct, frozen=True):
    """Reads a state where an object says it in fields of its own.

    :param outcomes: the documented status words
    :param id: the field with the id
    :param status: the field with the status word
    :param counts: the fields with counters
    :param failed_items: the counter of files or calls that failed
    :param reason: the field with the vendor's words on a failure
    :param updated_at: the field that says when it last changed
    """

    outcomes: Mapping[str, Outcome]
    id: str = "id"
    status: str = "status"
    counts: Sequence[str] = ()
    failed_items: str | None = None
    reason: str | None = None
    updated_at: str | None = None

    def __call__(self, batch: Mapping[str, Any]) -> BatchState:
        """Read the vendor's object."""
        word, counts = batch.get(self.status), read_counts(batch, self.counts)
        return BatchState(
            str(batch[self.id]),
            str(word),
            outcome_of(word, self.outcomes),
            counts,
            failed_items=counts.get(self.failed_items, 0) if self.failed_items else 0,
            reason=batch.get(self.reason) if self.reason else None,
            updated_at=batch.get(self.updated_at) if self.updated_at else None,
        )


def read_counts(batch: Mapping[str, Any], names: Sequence[str]) -> dict[str, int]:
    """Return the counters that are there and are counts."""
    counts = {name: whole_number(batch.get(name)) for name in names}
    return {name: count for name, count in counts.items() if count is not None}
