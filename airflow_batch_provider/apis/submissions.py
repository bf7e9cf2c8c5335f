"""How a batch is submitted, declared by its vendor: what is made in which order, and how it is found again.

No vendor takes an idempotency key. So the key of the piece of work is written into what the vendor can be asked for,
the name of a batch or of a directory, and each thing is looked up before it is made, and again whenever it is not known
whether it was. Nothing here sends a request: a vendor writes plans, as for :mod:`~airflow_batch_provider.apis.results`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar

import msgspec

from airflow_batch_provider.apis.batch_state import BatchKind, BatchState, Outcome
from airflow_batch_provider.apis.endpoint import Found, Resource, look_up
from airflow_batch_provider.apis.page import Row
from airflow_batch_provider.apis.parameter import Parameter
from airflow_batch_provider.apis.plans import NEVER, Plan, Refused, ask, pause
from airflow_batch_provider.apis.raw_json import read_json
from airflow_batch_provider.apis.request import Part
from airflow_batch_provider.apis.vendor import Vendor

T = TypeVar("T")

PAUSES = (5.0, 15.0, 30.0, 60.0, 120.0)
"""Seconds between the times that something is looked up which was perhaps made: no vendor promises that its listings
show immediately what it has made."""


class Create(msgspec.Struct, frozen=True, kw_only=True):
    """Send a request that makes or changes something.

    :param resource: what to send it to
    :param values: the values that this request needs beside those of the task
    :param json: what else is in the JSON body
    :param parts: the parts of a multipart body
    :param clashes: the statuses and codes of an answer that may mean that it was made already; any other error response
        fails the submission
    :param is_paid: whether it is what costs, so that it is noted before it is sent
    """

    resource: Resource
    values: Mapping[str, Any] = {}
    json: Mapping[str, Any] | None = None
    parts: tuple[Part, ...] = ()
    clashes: tuple[str, ...] = ()
    is_paid: bool = False


class Each(msgspec.Struct, frozen=True):
    """Run many plans, some at a time; the answer lists what they returned, without those that returned None.

    :param plans: makes each plan
    :param most: how many run at a time
    """

    plans: Iterable[Callable[[], Plan[Any]]]
    most: int


class Know(msgspec.Struct, frozen=True):
    """The batch's id is known, so that it can be stored."""

    batch_id: str


class Standing(msgspec.Struct, frozen=True):
    """What is there by now, and what comes of it: a sentence that follows any error from here on."""

    sentence: str


class Tell(msgspec.Struct, frozen=True):
    """A sentence for the log."""

    sentence: str


class Ambiguous(msgspec.Struct, frozen=True):
    """It is not known whether what was asked for was made.

    :param cause: what to raise if that stays so
    """

    cause: Any


class Stopped(msgspec.Struct, frozen=True):
    """A submission that cannot continue in this try.

    :param reason: why, and what to look at, in a sentence or more
    :param cause: what was refused or is not known, if that is why
    :param may_pass: whether another try may get further
    """

    reason: str
    cause: Any = None
    may_pass: bool = False


class Copy(msgspec.Struct, frozen=True, kw_only=True):
    """Something that was made for a piece of work: there should be one, and may be several.

    :param id: the vendor's id
    :param created: when it was made, as the vendor writes it
    :param document: the vendor's object
    :param state: its state, if it is a batch
    """

    id: str
    created: str = ""
    document: Mapping[str, Any] = {}
    state: BatchState | None = None

    @property
    def outcome(self) -> Outcome:
        """What its status means."""
        return self.state.outcome if self.state else Outcome.UNKNOWN


def copy_of(kind: BatchKind | None, row: Row, *, created: str = "created_at", **fields: object) -> Copy | None:
    """Return a row of a listing as a copy, None if its fields have other values.

    :param kind: what it is, if it is a batch
    :param row: the row
    :param created: the field with the time when it was made
    :param fields: the values that fields must have; a name may be a dotted path, as in ``**{"metadata.key": key}``
    """
    document = read_json(row.json)
    if any(look_up(document, path) != value for path, value in fields.items()):
        return None
    return Copy(
        id=str(row.id),
        created=str(document.get(created) or ""),
        document=document,
        state=kind.state(document) if kind else None,
    )


class Existing(msgspec.Struct, frozen=True):
    """What there is of a piece of work.

    :param batches: its batches
    :param place: what they are made from, if that is made first
    """

    batches: Sequence[Copy] = ()
    place: Copy | None = None


class Work(msgspec.Struct, frozen=True, kw_only=True):
    """A piece of work to submit.

    :param key: what it can be found by, 16 hexadecimal digits, perhaps with the number of the attempt after a dot
    :param description: which task submits it, for people at the vendor
    :param values: the parameters of the task
    :param items: what it consists of: files, contacts or jobs; None if the vendor has them already
    :param was_sent: whether an earlier try may have sent what costs; None if nobody knows
    :param is_retry: whether there was an earlier try
    :param began: when the run began, if it is known
    :param now: when this try began
    :param continues: the batch whose failed items it consists of
    """

    key: str
    description: str
    values: Mapping[str, Any]
    items: Any = None
    was_sent: bool | None = None
    is_retry: bool = False
    began: datetime | None = None
    now: datetime
    continues: str | None = None

    @property
    def may_be_sent(self) -> bool:
        """Whether what costs may have been sent before."""
        return self.is_retry if self.was_sent is None else self.was_sent

    @property
    def text(self) -> str:
        """A sentence for people at the vendor."""
        return f"{self.description}; continues {self.continues}" if self.continues else self.description


class Preflight(msgspec.Struct, frozen=True, kw_only=True):
    """What a submission would cost, as far as that is known before.

    :param items: files, contacts or jobs
    :param facts: other numbers: bytes, calls at most
    """

    items: int
    facts: Mapping[str, int | str] = {}


class Submission(msgspec.Struct, frozen=True, kw_only=True):
    """How batches of a kind are submitted.

    :param vendor: whose they are
    :param name: its name in messages
    :param kind: what is waited for
    :param parameters: what a task says
    :param inspect: checks the work without a request, and says what it would cost or what is wrong with it
    :param find: looks up what there is of a piece of work
    :param submit: makes what is not there yet, and returns the batch
    :param most_items: items of a batch at most
    :param what: what the items are called
    :param is_void: whether a batch is as good as none, because it was cancelled before anything was done
    :param find_waiting: looks up the batches of a piece of work that were made and not started, where such ones start
        by themselves later unless they are cancelled
    """

    vendor: Vendor
    name: str
    kind: BatchKind
    parameters: tuple[Parameter, ...]
    inspect: Callable[[Work], Preflight | Stopped]
    find: Callable[[Work], Plan[Existing]]
    submit: Callable[[Work, Existing], Plan[Copy | Stopped]]
    most_items: int
    what: str
    is_void: Callable[[Mapping[str, Any]], bool] = lambda document: False
    find_waiting: Callable[[Work], Plan[Sequence[Copy]]] | None = None


class Once(msgspec.Struct, frozen=True):
    """What there is of something that is made once.

    :param copies: the oldest first
    :param is_new: whether this try made one
    :param made: which of them it made, if that is known
    """

    copies: Sequence[Copy]
    is_new: bool
    made: Copy | None = None


def create(
    resource: Resource,
    values: Mapping[str, Any] | None = None,
    *,
    json: Mapping[str, Any] | None = None,
    parts: tuple[Part, ...] = (),
    clashes: tuple[str, ...] = (),
    is_paid: bool = False,
) -> Plan[Found | Refused | Ambiguous]:
    """Send a request that makes or changes something; see :class:`Create`."""
    answer: Found | Refused | Ambiguous = yield Create(
        resource=resource, values=values or {}, json=json, parts=parts, clashes=clashes, is_paid=is_paid
    )
    return answer


def each(plans: Iterable[Callable[[], Plan[T | None]]], *, most: int) -> Plan[list[T]]:
    """Run many plans, some at a time."""
    answer: list[T] = yield Each(plans, most)
    return answer


def once(
    find: Callable[[], Plan[Sequence[Copy]]],
    make: Callable[[], Plan[Copy | Refused | Ambiguous | Stopped]],
    *,
    what: str,
    was_sent: bool,
    is_absent: bool = False,
) -> Plan[Once | Stopped]:
    """Make something unless it is there, and send the request for it once.

    Where two workers make it at the same time, each waits until the listing shows what it has made: then it shows what
    was made before too, and both keep the oldest.

    :param find: looks it up
    :param make: makes it
    :param what: what is made and how it is found, for the message
    :param was_sent: whether an earlier try may have made it, so that it is looked up for longer
    :param is_absent: whether it was looked up just now
    """
    copies: Sequence[Copy] = ()
    if was_sent or not is_absent:
        copies = yield from (look_again(find) if was_sent else find())
    if copies:
        return Once(oldest_first(copies), is_new=False)
    made = yield from make()
    if isinstance(made, Copy):
        return Once(oldest_first((yield from _until_listed(find, made))), is_new=True, made=made)
    if isinstance(made, Stopped):
        return made
    copies = yield from look_again(find)
    if copies:
        return Once(oldest_first(copies), is_new=isinstance(made, Ambiguous))
    if isinstance(made, Refused):
        return Stopped(f"No {what} is listed.", made.cause)
    return Stopped(
        f"No {what} was listed in the {sum(PAUSES):.0f} s after that; it is not sent again in this try. The next try "
        "looks for it first.",
        made.cause,
        may_pass=True,
    )


def oldest_first(copies: Iterable[Copy]) -> list[Copy]:
    """Return copies in the order in which they were made; every worker finds the same order.

    One without a time is not listed yet, so that it is newer than those that are.
    """
    return sorted(copies, key=lambda copy: (not copy.created, copy.created, copy.id))


def look_again(find: Callable[[], Plan[Sequence[Copy]]]) -> Plan[Sequence[Copy]]:
    """Look something up until it is found, or the pauses are over."""
    found = yield from find()
    for seconds in PAUSES:
        if found:
            break
        yield from pause(seconds, NEVER)
        found = yield from find()
    return found


def _until_listed(find: Callable[[], Plan[Sequence[Copy]]], made: Copy) -> Plan[Sequence[Copy]]:
    found = yield from find()
    for seconds in PAUSES:
        if any(copy.id == made.id for copy in found):
            return found
        yield from pause(seconds, NEVER)
        found = yield from find()
    return [*(copy for copy in found if copy.id != made.id), made]


def kept_first(copies: Iterable[Copy]) -> list[Copy]:
    """Return batches of a piece of work, the one to keep first: the oldest that was not cancelled, else the newest."""
    ordered = oldest_first(copies)
    live = [copy for copy in ordered if copy.outcome is not Outcome.CANCELLED]
    return live or ordered[-1:]


def cancel_others(kind: BatchKind, kept: Copy, copies: Iterable[Copy]) -> Plan[Stopped | None]:
    """Cancel the copies of a batch that are not kept; return why one of them continues, if it does."""
    problem: Stopped | None = None
    for copy in copies:
        if copy.id == kept.id or copy.outcome.is_terminal:
            continue
        yield Tell(f"{kind.name}: {copy.id} is a second copy of {kept.id}, so it is cancelled")
        end = yield from cancel(kind, copy.id)
        if isinstance(end, Stopped):
            problem = Stopped(
                f"{copy.id} is a second copy of {kept.id}, and could not be cancelled. {end.reason}".strip(),
                end.cause,
            )
    return problem


def cancel(kind: BatchKind, batch_id: str) -> Plan[BatchState | Stopped]:
    """Cancel a batch, and return its state; one that has ended already stays as it is.

    :param kind: a kind that can be cancelled
    :param batch_id: the batch
    """
    assert kind.cancel
    answer = yield Create(resource=kind.cancel, values={kind.id_parameter: batch_id}, clashes=("400", "409", "422"))
    single = yield from _read(kind, batch_id)
    if isinstance(single, Refused):
        return Stopped("", single.cause)
    state = kind.state(single.document)
    if isinstance(answer, Found) or state.outcome.is_terminal:
        return state
    return Stopped("It has not ended either.", answer.cause)


def _read(kind: BatchKind, batch_id: str) -> Plan[Found | Refused]:
    assert kind.single
    return (yield from ask(kind.single, **{kind.id_parameter: batch_id, **kind.single_values}))
