"""TELUS/Playment: how a batch of jobs is submitted.

The vendor refuses a second batch of the same name, and a second job with the same ``reference_id``, so nothing can be
made twice. There is no way back: neither a batch nor a job can be cancelled or deleted by API.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from airflow_batch_provider.apis.endpoint import Found
from airflow_batch_provider.apis.page import Row
from airflow_batch_provider.apis.parameter import Identifier, Parameter
from airflow_batch_provider.apis.plans import NEVER, Plan, Refused, need_some, pause
from airflow_batch_provider.apis.raw_json import read_json
from airflow_batch_provider.apis.rows_to_submit import check_rows
from airflow_batch_provider.apis.submissions import (
    PAUSES,
    Ambiguous,
    Copy,
    Existing,
    Know,
    Preflight,
    Standing,
    Stopped,
    Submission,
    Tell,
    Work,
    copy_of,
    create,
    each,
    once,
)
from airflow_batch_provider.vendors import playment

MOST_JOBS = 100_000
"""Jobs that are submitted as one batch at most; the vendor names no limit."""

MOST_AT_ONCE = 4
"""Jobs that are created at a time at most; the vendor names no limit of its rate."""

_TRIES = 5
_MOST_SHOWN = 5
_PARAMETERS = {parameter.name: parameter for parameter in playment.CREATE_JOB.parameters}
_FIELDS = tuple(_PARAMETERS[name] for name in ("reference_id", "data", "work_flow_id", "priority_weight"))

Jobs = Iterable[tuple[int, Mapping[str, Any]]]
"""The jobs with the numbers of their rows; they are read again each time."""


def _inspect(work: Work) -> Preflight | Stopped:
    jobs: Jobs = work.items
    shared = {"work_flow_id": work.values.get("work_flow_id")}
    return check_rows(jobs, _FIELDS, unique="reference_id", most=MOST_JOBS, what="jobs", shared=shared)


def _values(work: Work, job: Mapping[str, Any]) -> dict[str, Any]:
    return {"work_flow_id": work.values.get("work_flow_id"), **job}


def _name(work: Work) -> str:
    return f"{work.values['name']} [af {work.key}]"


def _find(work: Work) -> Plan[Existing]:
    return Existing((yield from _find_batches(work)))


def _find_batches(work: Work) -> Plan[Sequence[Copy]]:
    return (yield from need_some(playment.BATCHES, partial(copy_of, playment.BATCH_KIND, name=_name(work))))


def _submit(work: Work, existing: Existing) -> Plan[Copy | Stopped]:
    copies = existing.batches
    if not copies:
        made = yield from once(
            lambda: _find_batches(work),
            lambda: _create_batch(work),
            what=f"batch named {_name(work)!r}",
            was_sent=False,  # a second one would be refused
            is_absent=True,
        )
        if isinstance(made, Stopped):
            return made
        copies = made.copies
    batch = copies[0]
    yield Know(batch.id)
    return (yield from _create_jobs(work, batch)) or batch


def _create_batch(work: Work) -> Plan[Copy | Refused | Ambiguous]:
    given = work.values.get("description")
    answer = yield from create(
        playment.CREATE_BATCH,
        {"name": _name(work), "description": f"{given} ({work.text})" if given else work.text},
        clashes=(playment.NAME_IS_TAKEN,),
    )
    if not isinstance(answer, Found):
        return answer
    yield Know(str(answer.document["batch_id"]))
    return Copy(id=str(answer.document["batch_id"]))


def _create_jobs(work: Work, batch: Copy) -> Plan[Stopped | None]:
    jobs: Jobs = work.items
    there = set((yield from _references(batch)))
    expected = {str(job["reference_id"]) for _, job in jobs}
    if foreign := there - expected:
        return Stopped(
            f"The batch {batch.id} of this piece of work has {len(foreign)} jobs that are not in jobs, such as "
            f"{_shown(foreign)}: it was submitted with other jobs."
        )
    missing = len(expected) - len(there)
    if not missing:
        return None
    yield Tell(
        f"Playment: {missing} jobs will be created in batch {batch.id}, and cannot be withdrawn by API; "
        f"{len(there)} are there already"
    )
    yield Standing(
        f"Some of the {len(expected)} jobs may be in batch {batch.id}, and cannot be withdrawn by API; another try of "
        "this task creates those that are missing."
    )
    taken = yield from each(_plans(work, batch, jobs, there), most=MOST_AT_ONCE)
    missing_now = expected - set((yield from _references(batch)))
    for seconds in PAUSES:
        if not missing_now:
            return None
        yield from pause(seconds, NEVER)
        missing_now = expected - set((yield from _references(batch)))
    if not missing_now:
        return None
    elsewhere = missing_now & set(taken)
    if elsewhere:
        return Stopped(
            f"{len(elsewhere)} of {len(expected)} reference ids belong to jobs of other batches of the project, such "
            f"as {_shown(elsewhere)}; the vendor takes each once. Leave them out, or give them other reference ids."
        )
    return Stopped(
        f"{len(missing_now)} jobs were created and are not listed, such as {_shown(missing_now)}.", may_pass=True
    )


def _shown(references: Iterable[str]) -> str:
    return ", ".join(map(repr, sorted(references)[:_MOST_SHOWN]))


def _references(batch: Copy) -> Plan[list[str]]:
    return (yield from need_some(playment.BATCH_JOBS, _reference_of, batch_id=batch.id))


def _reference_of(row: Row) -> str | None:
    reference = read_json(row.json).get("reference_id")
    return None if reference is None else str(reference)


def _plans(work: Work, batch: Copy, jobs: Jobs, there: set[str]) -> Iterator[Callable[[], Plan[str | None]]]:
    for _, job in jobs:
        if str(job["reference_id"]) not in there:
            yield partial(_create_job, {**_values(work, job), "batch_id": batch.id})


def _create_job(values: Mapping[str, Any]) -> Plan[str | None]:
    """Create a job; return its reference id if the vendor says that there was one with it before."""
    for number in range(_TRIES):
        if number:
            yield from pause(PAUSES[min(number - 1, 1)], NEVER)
        answer = yield from create(playment.CREATE_JOB, values, clashes=(playment.REFERENCE_IS_TAKEN,), is_paid=True)
        if not isinstance(answer, Ambiguous):
            # After an unanswered request it may be ours: the listing shows whether it is.
            return str(values["reference_id"]) if isinstance(answer, Refused) and number == 0 else None
    return None


SUBMISSION = Submission(
    vendor=playment.VENDOR,
    name="playment.batch",
    kind=playment.BATCH_KIND,
    parameters=(
        *playment.CREATE_BATCH.parameters,
        Parameter("work_flow_id", Identifier(), "work_flow_id", in_body=True),
    ),
    inspect=_inspect,
    find=_find,
    submit=_submit,
    most_items=MOST_JOBS,
    what="jobs",
)
