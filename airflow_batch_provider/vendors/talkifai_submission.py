"""TalkifAI: how a batch calling job is submitted, so that nobody is called twice.

The vendor has no idempotency key and refuses no second job. So a job is made in two steps: it is created for a time far
ahead, with the key of the piece of work in its name, found again in the listing, and only then started. Until it is
started, a copy can be cancelled without anybody having been called.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow_batch_provider.apis.batch_state import Outcome
from airflow_batch_provider.apis.body import count_of
from airflow_batch_provider.apis.endpoint import Found
from airflow_batch_provider.apis.moment import Clock, read_moment
from airflow_batch_provider.apis.page import Row
from airflow_batch_provider.apis.parameter import Identifier, Integer, Parameter, Text, Timestamp
from airflow_batch_provider.apis.plans import NEVER, Plan, Refused, need, need_some, pause
from airflow_batch_provider.apis.raw_json import read_json
from airflow_batch_provider.apis.submissions import (
    PAUSES,
    Ambiguous,
    Copy,
    Existing,
    Know,
    Once,
    Preflight,
    Standing,
    Stopped,
    Submission,
    Tell,
    Work,
    cancel,
    cancel_others,
    copy_of,
    create,
    kept_first,
    once,
)
from airflow_batch_provider.vendors import talkifai

SAFETY = timedelta(hours=24)
"""How far ahead a job is created. It is more than all tries of a task take; no longest time is documented."""


MOST_SHOWN = 10

_E164 = re.compile(r"\+[1-9][0-9]{6,14}", re.ASCII)


def with_row(number: int, contact: Mapping[str, Any]) -> dict[str, Any]:
    """Return a contact as it is sent.

    :param number: of its row, from 1
    :param contact: the row
    """
    others = {name: value for name, value in contact.items() if not _is_phone(name)}
    return {"phone": phone_of(contact), **others, talkifai.ROW_KEY: str(number)}


def phone_of(contact: Mapping[str, Any]) -> object:
    """Return the number of a contact; case does not matter in the field's name, as in the vendor's CSV files."""
    return next((value for name, value in contact.items() if _is_phone(name)), None)


def _is_phone(name: object) -> bool:
    return str(name).strip().casefold() == "phone"


def _inspect(work: Work) -> Preflight | Stopped:
    contacts: Sequence[tuple[int, Mapping[str, Any]]] = work.items
    tagged = len(_name(work))
    if tagged > talkifai.MOST_NAME:
        most = talkifai.MOST_NAME - len(_tag(work))
        return Stopped(
            f"name has {len(str(work.values['name']))} characters; {most} are allowed, since a tag is added."
        )
    if contacts and (problem := problem_with(contacts)):
        return Stopped(problem)
    attempts = int(work.values.get("max_attempts") or 3)
    return Preflight(items=len(contacts), facts={"calls_at_most": len(contacts) * attempts})


def problem_with(contacts: Sequence[tuple[int, Mapping[str, Any]]]) -> str | None:
    """Return why contacts cannot be called, None if they can; names rows, since numbers are personal data.

    :param contacts: the numbers of the rows, and the rows
    """
    if not 1 <= len(contacts) <= talkifai.MOST_CONTACTS:
        count = "no" if not contacts else f"more than {talkifai.MOST_CONTACTS}"
        return f"There are {count} contacts; allowed is 1 to {talkifai.MOST_CONTACTS}."
    if not any(_is_phone(name) for _, contact in contacts for name in contact):
        return f"None of {len(contacts)} contacts has a phone; name the column with the numbers 'phone'."
    wrong = [number for number, contact in contacts if not _E164.fullmatch(str(phone_of(contact)))]
    if wrong:
        return (
            f"{len(wrong)} of {len(contacts)} contacts have no phone in the form of E.164, such as +14155550123: "
            f"{_rows(wrong)}."
        )
    first: dict[object, int] = {}
    twice = [number for number, contact in contacts if first.setdefault(phone_of(contact), number) != number]
    if twice:
        return f"{len(twice)} of {len(contacts)} contacts have the phone of one before them: {_rows(twice)}."
    return None


def _rows(numbers: Sequence[int]) -> str:
    shown = ", ".join(map(str, numbers[:MOST_SHOWN]))
    return f"rows {shown}" + (f" and {len(numbers) - MOST_SHOWN} more" if len(numbers) > MOST_SHOWN else "")


def _tag(work: Work) -> str:
    return f" [af:{work.key}]"


def _name(work: Work) -> str:
    return f"{work.values['name']}{_tag(work)}"


def _find(work: Work) -> Plan[Existing]:
    return Existing((yield from _find_jobs(work)))


def _find_jobs(work: Work) -> Plan[Sequence[Copy]]:
    return (yield from need_some(talkifai.BATCH_JOBS, _picker(work)))


def _find_waiting(work: Work) -> Plan[Sequence[Copy]]:
    found: list[Copy] = []
    for status in ("pending", "scheduled"):
        found += yield from need_some(talkifai.BATCH_JOBS, _picker(work), status=status)
    return found


def _picker(work: Work) -> Callable[[Row], Copy | None]:
    tag = _tag(work).strip()

    def pick(row: Row) -> Copy | None:
        if tag.encode() not in row.json:
            return None
        copy = copy_of(talkifai.BATCH_JOB_KIND, row, created="createdAt")
        assert copy
        named = any(str(copy.document.get(name) or "").endswith(tag) for name in ("name", "description"))
        return copy if named and not _is_void(copy.document) else None

    return pick


def _is_void(job: Mapping[str, Any]) -> bool:
    """Return whether a job was cancelled before anybody was called."""
    has_called = bool(job.get("actualStartTime")) or bool(count_of(job.get("contactsProcessed")))
    return talkifai.BATCH_JOB_KIND.state(job).outcome is Outcome.CANCELLED and not has_called


def _submit(work: Work, existing: Existing) -> Plan[Copy | Stopped]:
    copies, is_new = existing.batches, False
    if not copies:
        made: Once | Stopped = yield from once(
            lambda: _find_jobs(work),
            lambda: _create(work),
            what=f"job with {_tag(work).strip()} in its name",
            was_sent=work.may_be_sent,
            is_absent=True,
        )
        if isinstance(made, Stopped):
            if not made.may_pass:
                return made
            return Stopped(
                f"{made.reason} If the job was created after all, it starts by itself at "
                f"{_far(work):%Y-%m-%d %H:%M:%S} UTC, unless a later try takes it over, or you cancel it in Studio: "
                f"its name ends in {_tag(work).strip()}.",
                made.cause,
            )
        copies, is_new = made.copies, made.is_new
    kept = _kept(copies)
    yield Know(kept.id)
    if kept.outcome is Outcome.PENDING:
        yield _scheduled_far_ahead(kept.id)
    problem = yield from cancel_others(talkifai.BATCH_JOB_KIND, kept, copies)
    problem = problem or (yield from _check(work, kept, is_new))
    if problem is None and kept.outcome is Outcome.PENDING:
        problem = yield from (_reschedule(work, kept) if _is_later(work) else start(kept.id))
    return problem or kept


def _scheduled_far_ahead(job_id: str) -> Standing:
    return Standing(
        f"The job {job_id} is scheduled for a time far ahead and nobody has been called; another try of this task "
        "starts it. Without one it starts by itself, unless you cancel it in Studio."
    )


def _kept(copies: Sequence[Copy]) -> Copy:
    """Return the job that calls already, if there is one, else the oldest."""
    ordered = kept_first(copies)
    return next((copy for copy in ordered if copy.outcome is not Outcome.PENDING), ordered[0])


def _starts_at(work: Work) -> datetime | None:
    start_at = work.values.get("start_at")
    return None if start_at is None else read_moment(Timestamp().encode(start_at), Clock.ISO)


def _is_later(work: Work) -> bool:
    starts_at = _starts_at(work)
    return starts_at is not None and starts_at > work.now


def _far(work: Work) -> datetime:
    """Return when a job starts unless it is started: far ahead, or when it shall."""
    far = work.now + SAFETY
    starts_at = _starts_at(work)
    return (starts_at if starts_at and starts_at > far else far).astimezone(UTC).replace(microsecond=0)


def _create(work: Work) -> Plan[Copy | Ambiguous | Stopped]:
    given = work.values.get("description")
    description = f"{given} ({work.text})" if given else work.text  # Airflow's ids may be long
    answer = yield from create(
        talkifai.CREATE_BATCH_JOB,
        {
            "name": _name(work),
            "description": description[: talkifai.MOST_DESCRIPTION],
            "contacts": [with_row(number, contact) for number, contact in work.items],
            "scheduled_start_time": _far(work),
        },
        clashes=("404",),
        is_paid=True,
    )
    if isinstance(answer, Refused):
        # The vendor's own words are left out, since they may repeat a number that was to be called.
        number = work.values["from_phone_number_id"]
        return Stopped(f"TalkifAI knows no phone number with the id {number!r} (from_phone_number_id).", answer.cause)
    if not isinstance(answer, Found):
        return answer
    made = answer.document
    yield Know(str(made["batchJobId"]))
    yield _scheduled_far_ahead(str(made["batchJobId"]))
    yield Tell(
        f"TalkifAI: created {made['batchJobId']} with {made.get('totalContacts')} contacts; it estimates "
        f"{made.get('estimatedCost')} and {made.get('estimatedDuration')}"
    )
    return Copy(id=str(made["batchJobId"]), state=talkifai.BATCH_JOB_KIND.state({**made, "id": made["batchJobId"]}))


def _check(work: Work, kept: Copy, is_new: bool) -> Plan[Stopped | None]:
    """Check that the job has our contacts: the vendor leaves out those that it does not take."""
    job = (yield from need(talkifai.BATCH_JOB, batch_job_id=kept.id)).document
    total, expected = count_of(job.get("totalContacts")), len(work.items)
    if total in {None, expected}:
        return None
    if talkifai.BATCH_JOB_KIND.state(job).outcome is not Outcome.PENDING:
        return Stopped(
            f"The job {kept.id} of this piece of work has {total} contacts, not {expected}: it was submitted with "
            "other contacts."
        )
    taken = yield from need_some(talkifai.CONTACTS, _row_of, batch_job_id=kept.id)
    left_out = sorted({number for number, _ in work.items} - set(taken))
    end = yield from cancel(talkifai.BATCH_JOB_KIND, kept.id)
    yield Standing("")  # the reason says it all
    which = f": it left out {_rows(left_out)}" if left_out else ""
    took = f"TalkifAI took {total} of {expected} contacts{which}."
    if not is_new:
        took = f"The job {kept.id} of this piece of work was created with {total} contacts, not {expected}."
    if isinstance(end, Stopped):
        return Stopped(f"{took} The job {kept.id} could not be cancelled; cancel it in Studio.", end.cause)
    return Stopped(f"{took} The job {kept.id} was cancelled before anybody was called.")


def _row_of(row: Row) -> int | None:
    contact = read_json(row.json)
    data = contact.get("contactData")
    text = str(data.get(talkifai.ROW_KEY)) if isinstance(data, dict) else ""
    return int(text) if text.isascii() and text.isdecimal() else None


def start(job_id: str) -> Plan[Stopped | None]:
    """Start a job, and make sure that it has started; one that was started before is left alone.

    :param job_id: the job
    """
    answer = yield from create(talkifai.START_BATCH_JOB, {"batch_job_id": job_id}, clashes=("400", "409"), is_paid=True)
    for seconds in (0.0, *PAUSES[:2]):
        if seconds:
            yield from pause(seconds, NEVER)
        job = (yield from need(talkifai.BATCH_JOB, batch_job_id=job_id)).document
        if talkifai.BATCH_JOB_KIND.state(job).outcome is not Outcome.PENDING:
            return None
        if not isinstance(answer, Found):
            return Stopped(f"The job {job_id} was not started.", answer.cause)
    yield Tell(f"TalkifAI: {job_id} was started, and still has the status {job.get('status')!r}")
    return None


def _reschedule(work: Work, kept: Copy) -> Plan[Stopped | None]:
    starts_at = _starts_at(work)
    assert starts_at
    wanted = starts_at.replace(microsecond=0)
    job = (yield from need(talkifai.BATCH_JOB, batch_job_id=kept.id)).document
    if _scheduled(job) == wanted:
        return None
    answer = yield from create(
        talkifai.RESCHEDULE_BATCH_JOB,
        {"batch_job_id": kept.id, "scheduled_start_time": wanted},
        clashes=("400", "409"),
        is_paid=True,
    )
    job = (yield from need(talkifai.BATCH_JOB, batch_job_id=kept.id)).document
    is_pending = talkifai.BATCH_JOB_KIND.state(job).outcome is Outcome.PENDING
    if not is_pending or _scheduled(job) == wanted:
        return None
    cause = None if isinstance(answer, Found) else answer.cause
    return Stopped(f"The job {kept.id} is scheduled for {job.get('scheduledStartTime')}, not for {wanted}.", cause)


def _scheduled(job: Mapping[str, Any]) -> datetime | None:
    try:
        return read_moment(job.get("scheduledStartTime"), Clock.ISO).replace(microsecond=0)
    except ValueError:
        return None


SUBMISSION = Submission(
    vendor=talkifai.VENDOR,
    name="talkifai.batch_job",
    kind=talkifai.BATCH_JOB_KIND,
    parameters=(
        Parameter("name", Text(talkifai.MOST_NAME), "name", required=True, in_body=True),
        Parameter("from_phone_number_id", Identifier(), "fromPhoneNumberId", required=True, in_body=True),
        Parameter("organization_id", Identifier(), "organizationId", required=True),
        Parameter("description", Text(600), "description", in_body=True),
        Parameter("concurrent_call_limit", Integer(1, 50), "concurrentCallLimit", in_body=True),
        Parameter("max_attempts", Integer(1, 10), "maxAttempts", in_body=True),
        Parameter("start_at", Timestamp(), "scheduledStartTime", in_body=True),
    ),
    inspect=_inspect,
    find=_find,
    submit=_submit,
    most_items=talkifai.MOST_CONTACTS,
    what="contacts",
    is_void=_is_void,
    find_waiting=_find_waiting,
)
