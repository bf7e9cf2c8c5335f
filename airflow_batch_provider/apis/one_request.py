"""The submission of batches that one request makes, by declaration."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import partial
from typing import Any

from airflow_batch_provider.apis.batch_state import BatchKind
from airflow_batch_provider.apis.body import count_of
from airflow_batch_provider.apis.declaration import check_known, check_path
from airflow_batch_provider.apis.endpoint import Found, look_up
from airflow_batch_provider.apis.page import Row
from airflow_batch_provider.apis.parameter import Parameter
from airflow_batch_provider.apis.plans import Plan, Refused, need_some
from airflow_batch_provider.apis.raw_json import read_json
from airflow_batch_provider.apis.rows_to_submit import check_rows
from airflow_batch_provider.apis.submissions import (
    Ambiguous,
    Copy,
    Existing,
    Know,
    Preflight,
    Stopped,
    Submission,
    Work,
    cancel_others,
    copy_of,
    kept_first,
    look_again,
    once,
)

Creates = Callable[[Work], Plan[Found | Refused | Ambiguous]]

CLOCKS = timedelta(minutes=5)
"""How far the vendor's clock may be behind ours."""


def submission(
    kind: BatchKind,
    *,
    name: str,
    what: str,
    rows: tuple[Parameter, ...],
    unique: str,
    most_items: int,
    create: Creates,
    key: str | None = None,
    counts: Sequence[str] = (),
    parameters: tuple[Parameter, ...] = (),
) -> Submission:
    """Return how batches are submitted that one request makes, with a row for each item.

    Where the vendor's listing shows a text that the task gave a batch, ``key`` is its place: a batch whose answer was
    lost is found by it, and adopted. Where it shows none, a batch that was created since the run began, with as many
    items, may be the one whose answer was lost, or another task's: the task fails and names it, and nothing is
    submitted twice.

    :param kind: the kind of batch
    :param name: its name in messages
    :param what: what the rows are called
    :param rows: the fields that a row may have
    :param unique: the field in which no two rows may be the same
    :param most_items: rows at most
    :param create: the plan that makes the batch, by a request that is sent once; the answer has the batch
    :param key: the dotted path of the key in a listed batch; None if a listed batch shows no text of ours
    :param counts: without a key, the counters of a listed batch that add up to its items, if there are any
    :param parameters: what a task says
    """
    check_known(name, "field", [unique], [field.name for field in rows])
    for path in (*counts, *([] if key is None else [key])):
        check_path(name, path)

    def inspect(work: Work) -> Preflight | Stopped:
        return check_rows(work.items, rows, unique=unique, most=most_items, what=what)

    return Submission(
        vendor=kind.listing.vendor,
        name=name,
        kind=kind,
        parameters=parameters,
        inspect=inspect,
        find=partial(_find, kind, key) if key else _find_none,
        submit=partial(_submit_marked, kind, key, create) if key else partial(_submit_unmarked, kind, counts, create),
        most_items=most_items,
        what=what,
    )


def _find(kind: BatchKind, key: str, work: Work) -> Plan[Existing]:
    return Existing((yield from _marked(kind, key, work)))


def _find_none(work: Work) -> Plan[Existing]:
    """Find nothing: what Airflow remembers of the work is added to it."""
    return Existing()
    yield


def _marked(kind: BatchKind, key: str, work: Work) -> Plan[Sequence[Copy]]:
    created = kind.listing.created_field or "created_at"
    marks: dict[str, Any] = {key: work.key}
    return (yield from need_some(kind.listing, lambda row: copy_of(kind, row, created=created, **marks)))


def _make(kind: BatchKind, create: Creates, work: Work) -> Plan[Copy | Refused | Ambiguous]:
    answer = yield from create(work)
    if not isinstance(answer, Found):
        return answer
    state = kind.state(answer.document)
    yield Know(state.id)
    return Copy(id=state.id, document=answer.document, state=state)


def _submit_marked(kind: BatchKind, key: str, create: Creates, work: Work, existing: Existing) -> Plan[Copy | Stopped]:
    copies = existing.batches
    if not copies:
        made = yield from once(
            partial(_marked, kind, key, work),
            partial(_make, kind, create, work),
            what=f"batch with {key} {work.key}",
            was_sent=work.may_be_sent,
            is_absent=True,
        )
        if isinstance(made, Stopped):
            return made
        copies = made.copies
    kept = kept_first(copies)[0]
    yield Know(kept.id)
    problem = (yield from cancel_others(kind, kept, copies)) if kind.cancel else None
    return problem or kept


def _submit_unmarked(
    kind: BatchKind, counts: Sequence[str], create: Creates, work: Work, existing: Existing
) -> Plan[Copy | Stopped]:
    if existing.batches:
        kept = kept_first(existing.batches)[0]
        yield Know(kept.id)
        return kept
    find, cause = partial(_alike, kind, counts, work), None
    found = (yield from look_again(find)) if work.may_be_sent else ()
    if not found:
        made = yield from _make(kind, create, work)
        if isinstance(made, Copy):
            return made
        cause = made.cause
        found = yield from look_again(find)
    if not found:
        return Stopped(
            "No batch like it was listed in the minutes after that; it is not sent again in this try. The next try "
            "looks for it first.",
            cause,
            may_pass=True,
        )
    return Stopped(
        f"It may have been submitted: {', '.join(copy.id for copy in found)} looks like it, and the vendor does not "
        "show which task submitted a batch. If it is this task's, wait for it and export it by its id; if not, set "
        "another submit_key to submit the rows, before Airflow 3.3 in another run.",
        cause,
    )


def _alike(kind: BatchKind, counts: Sequence[str], work: Work) -> Plan[Sequence[Copy]]:
    size, began = sum(1 for _ in work.items), work.began

    def pick(row: Row) -> Copy | None:
        if began is not None and kind.listing.existed(row, began - CLOCKS):
            return None
        batch = read_json(row.json)
        numbers = [count_of(look_up(batch, path)) or 0 for path in counts]
        return copy_of(kind, row) if not counts or sum(numbers) == size else None

    return (yield from need_some(kind.listing, pick))
