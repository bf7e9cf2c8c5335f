"""The state of a batch, in one vocabulary for all vendors."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from itertools import islice
from typing import Any

import msgspec

from airflow_batch_provider.apis.body import count_of
from airflow_batch_provider.apis.declaration import DeclarationError, check_known, check_path
from airflow_batch_provider.apis.endpoint import Listing, Resource, look_up
from airflow_batch_provider.apis.moment import Clock, read_moment
from airflow_batch_provider.apis.shown import Show

FILTER = "status"
"""The parameter by which a listing is filtered for unfinished batches."""

MOST_COUNTS = 50
"""Counters of a batch that are shown; the vendors have six."""

ALL = "*"
"""Stands for all batches of a listing, in place of an id."""


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
        return self in _TERMINAL


_TERMINAL = frozenset({Outcome.SUCCEEDED, Outcome.FAILED, Outcome.CANCELLED})

PENDING = Outcome.PENDING
RUNNING = Outcome.RUNNING
SUCCEEDED = Outcome.SUCCEEDED
FAILED = Outcome.FAILED
CANCELLED = Outcome.CANCELLED


class BatchState(msgspec.Struct, frozen=True):
    """The state of a batch at one moment.

    :param id: the vendor's id
    :param status: the vendor's status word, as it came
    :param outcome: what the word means
    :param counts: the vendor's counters, under the vendor's names
    :param failed_items: how many files or calls of it failed
    :param reason: the vendor's own words on a failure
    :param updated_at: when the vendor says that it last changed, as it came
    :param endless: if it never finishes, a sentence on what to wait for instead
    """

    id: str
    status: str
    outcome: Outcome
    counts: Mapping[str, int] = msgspec.field(default_factory=dict)
    failed_items: int = 0
    reason: str | None = None
    updated_at: str | None = None
    endless: str | None = None

    @property
    def mark(self) -> str:
        """A text that changes whenever the batch changes; small enough to be stored."""
        changed = str(self.updated_at or "").replace("|", "/")
        return f"{self.status}|{'|'.join(map(str, self.counts.values()))}|{changed}"

    def __str__(self) -> str:
        counts = ", ".join(f"{name} {count}" for name, count in self.counts.items())
        return f"{self.id} has status {self.status!r}" + (f" ({counts})" if counts else "")


class ShownState(BatchState, frozen=True):
    """A state whose texts are harmless, as :func:`show_state` makes it: what waits, events and logs take."""


def show_state(state: BatchState, show: Show) -> ShownState:
    """Return a state with the vendor's texts made harmless, and only counts that are counts.

    :param state: as a declaration read it
    :param show: makes text harmless
    :raises Exception: it is no state
    """
    counts = {show(name): count_of(count) for name, count in islice(state.counts.items(), MOST_COUNTS)}
    return ShownState(
        show(state.id),
        show(state.status),
        Outcome(state.outcome),
        {name: count for name, count in counts.items() if count is not None},
        failed_items=count_of(state.failed_items) or 0,
        reason=None if state.reason is None else show(state.reason),
        updated_at=None if state.updated_at is None else show(state.updated_at),
        endless=None if state.endless is None else show(state.endless),
    )


class BatchKind(msgspec.Struct, frozen=True, kw_only=True):
    """A kind of batch that can be waited for.

    :param name: its name in triggers: the import path of this very constant, ``package.module.CONSTANT``; those of
        :mod:`~airflow_batch_provider.waiting.kinds` have short ones
    :param listing: lists many of them in one request
    :param scope: the listing's parameters that select the batches
    :param unfinished: the status words of those that still run, to filter the listing by, by its parameter ``status``;
        empty if it has no filter
    :param single: reads one of them; None if the vendor has no such endpoint, so that the listing is read
    :param id_parameter: the parameter of ``single`` that takes the id
    :param single_values: the other parameters of ``single``
    :param state: reads the vendor's object
    :param cancel: cancels one of them; it takes the id by ``id_parameter`` too
    :param lists_counts: whether the listing shows the counters that a single read shows
    :param together: reads all of them as one; its state is that of the id :data:`ALL`
    """

    name: str
    listing: Listing
    scope: tuple[str, ...] = ()
    unfinished: tuple[str, ...] = ()
    single: Resource | None = None
    id_parameter: str = ""
    single_values: Mapping[str, Any] = msgspec.field(default_factory=dict)
    state: Callable[[Mapping[str, Any]], BatchState]
    cancel: Resource | None = None
    lists_counts: bool = True
    together: Callable[[Sequence[Mapping[str, Any]]], BatchState] | None = None

    def version_of(self, state: BatchState) -> dict[str, Any]:
        """Return what differs between states of a batch: the same whether it was listed or read alone.

        :param state: a state whose texts are harmless
        """
        return {
            "status": state.status,
            "counts": dict(state.counts) if self.lists_counts else {},
            "updated_at": state.updated_at,
        }

    def __post_init__(self) -> None:
        listed = {parameter.name: parameter for parameter in self.listing.parameters}
        check_known(self.name, "scope", self.scope, listed)
        if self.unfinished:
            check_known(self.name, "parameter", [FILTER], listed)
            for word in self.unfinished:
                if listed[FILTER].encode(word) is None:
                    raise DeclarationError(f"{self.name}: the listing's {FILTER} does not take {word!r}")
        if self.single is None:
            if self.id_parameter or self.single_values or self.cancel:
                raise DeclarationError(f"{self.name}: id_parameter, single_values and cancel need single")
            return
        if self.cancel:
            cancelled = [parameter.name for parameter in self.cancel.parameters]
            check_known(self.name, "id_parameter", [self.id_parameter], cancelled)
        taken = {parameter.name: parameter for parameter in self.single.parameters}
        check_known(self.name, "id_parameter", [self.id_parameter], taken)
        check_known(self.name, "single value", self.single_values, taken)
        needed = {name for name, parameter in taken.items() if parameter.required}
        check_known(self.name, "scope", needed - {self.id_parameter}, self.scope)


def outcome_of(word: object, outcomes: Mapping[str, Outcome]) -> Outcome:
    """Return what a status word means; case is ignored, because the vendors' pages differ in it.

    :param word: the word, as it came
    :param outcomes: the documented words
    """
    folded = str(word).casefold()
    return next((outcome for known, outcome in outcomes.items() if known.casefold() == folded), Outcome.UNKNOWN)


class StateFields(msgspec.Struct, frozen=True):
    """Reads a state from an object's fields, each named by its dotted path.

    :param outcomes: the documented status words
    :param id: the id
    :param status: the status word
    :param counts: the counters
    :param failed_items: the counter of items that failed, or several that are added up; of ``counts``
    :param reason: the vendor's words on a failure
    :param updated_at: when it last changed
    :param clock: how that is written
    """

    outcomes: Mapping[str, Outcome]
    id: str = "id"
    status: str = "status"
    counts: Sequence[str] = ()
    failed_items: str | tuple[str, ...] | None = None
    reason: str | None = None
    updated_at: str | None = None
    clock: Clock = Clock.ISO

    def __post_init__(self) -> None:
        for path in (self.id, self.status, *self.counts, *filter(None, (self.reason, self.updated_at))):
            check_path("StateFields", path)
        check_known("StateFields", "counter", self._failed, self.counts)
        if not self.outcomes:
            raise DeclarationError("StateFields: outcomes is empty; declare what the status words mean")

    @property
    def _failed(self) -> tuple[str, ...]:
        return (self.failed_items,) if isinstance(self.failed_items, str) else self.failed_items or ()

    def __call__(self, batch: Mapping[str, Any]) -> BatchState:
        """Read the vendor's object.

        :raises KeyError: it has no id
        """
        identifier, word = look_up(batch, self.id), look_up(batch, self.status)
        if identifier is None:
            raise KeyError(self.id)
        counts = {path: count_of(look_up(batch, path)) for path in self.counts}
        known = {path: count for path, count in counts.items() if count is not None}
        return BatchState(
            str(identifier),
            str(word),
            outcome_of(word, self.outcomes),
            known,
            failed_items=sum(known.get(path, 0) for path in self._failed),
            reason=look_up(batch, self.reason) if self.reason else None,
            updated_at=self._changed(look_up(batch, self.updated_at)) if self.updated_at else None,
        )

    def _changed(self, value: Any) -> Any:
        if self.clock is Clock.ISO or value is None:
            return value
        try:
            return read_moment(value, self.clock).isoformat()
        except ValueError:
            return None
