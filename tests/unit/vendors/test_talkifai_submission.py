"""How TalkifAI's jobs are submitted: created far ahead, found again, verified, and started once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from airflow_batch_provider.apis.parameter import first_violation
from airflow_batch_provider.apis.plans import Refused
from airflow_batch_provider.apis.submissions import PAUSES, Copy, Existing, Preflight, Standing, Stopped
from airflow_batch_provider.exceptions import NotFoundError
from airflow_batch_provider.vendors import talkifai
from airflow_batch_provider.vendors.talkifai_submission import SAFETY, SUBMISSION, problem_with, start, with_row
from tests.unit.submissions import CLASH, DESCRIPTION, KEY, LOST, NOW, Ran, run, work
from tests.unit.vendors.plans import found

LIST, CREATE, READ = "talkifai.batch_jobs", "talkifai.create_batch_job", "talkifai.batch_job"
START, RESCHEDULE, CANCEL = "talkifai.start_batch_job", "talkifai.reschedule_batch_job", "talkifai.cancel_batch_job"
CONTACTS = "talkifai.contacts"

PHONES = ("+14155550101", "+14155550102", "+14155550103")
ROWS = [(number, {"phone": phone, "name": "N"}) for number, phone in enumerate(PHONES, 1)]
VALUES = {"name": "Reminder", "from_phone_number_id": "phone_0", "organization_id": "org"}
TAG = f"[af:{KEY}]"
FAR = "2026-03-02T12:00:00"
LATER = datetime(2026, 3, 1, 18, tzinfo=UTC)
FURTHER = datetime(2026, 3, 9, 18, tzinfo=UTC)
UNKNOWN_NUMBER = Refused("HTTP 404", is_missing=True, cause=NotFoundError("no", status=404))


def job(identifier: str = "job-1", status: str = "scheduled", **fields: Any) -> dict[str, Any]:
    return {
        "id": identifier,
        "name": f"Reminder {TAG}",
        "status": status,
        "totalContacts": 3,
        "createdAt": f"2026-03-01T12:00:0{identifier[-1]}Z",
        "scheduledStartTime": f"{FAR}Z",
        **fields,
    }


CREATED = {"batchJobId": "job-1", "totalContacts": 3, "status": "scheduled", "estimatedCost": "$1"}
MAKE = [(CREATE, CREATED), (LIST, [job()])]
VERIFY = [(READ, job())]
GO = [(START, {}), (READ, job(status="running"))]


def submit(
    *script: tuple[str, Any], existing: Any = (), rows: Any = ROWS, was_sent: bool = False, **values: Any
) -> Ran:
    its_work = work({**VALUES, **values}, rows, was_sent=was_sent)
    ran = run(SUBMISSION.submit(its_work, Existing([copy_of(each) for each in existing])), script)
    assert not any(phone in ran.said for phone in PHONES)
    return ran


def copy_of(document: dict[str, Any]) -> Copy:
    state = talkifai.BATCH_JOB_KIND.state(document)
    return Copy(id=document["id"], created=document["createdAt"], document=document, state=state)


def reason(ran: Ran) -> str:
    assert isinstance(ran.end, Stopped)
    return ran.end.reason


# What is sent.


def test_a_job_is_created_far_ahead_found_verified_and_started() -> None:
    ran = submit(*MAKE, *VERIFY, *GO)
    assert ran.end.id == "job-1"
    assert ran.names == [CREATE, START]
    assert ran.known == ["job-1", "job-1"]
    assert ran.sent[0].values["scheduled_start_time"] == NOW.replace(microsecond=0) + SAFETY
    assert ran.sent[0].values["name"] == f"Reminder {TAG}"
    assert ran.sent[0].is_paid
    assert ran.sent[0].values["contacts"] == [
        {"phone": phone, "name": "N", "af_row": str(number)} for number, phone in enumerate(PHONES, 1)
    ]


@pytest.mark.parametrize(
    ("given", "continues", "expected"),
    [
        (None, None, DESCRIPTION),
        ("About it", None, f"About it ({DESCRIPTION})"),
        (None, "job-0", f"{DESCRIPTION}; continues job-0"),
        ("x" * 600, "y" * 600, f"{'x' * 600} ({DESCRIPTION}; continues {'y' * 600})"[:1000]),
    ],
)
def test_the_description_says_whose_work_it_is(given: str | None, continues: str | None, expected: str) -> None:
    values = {**VALUES, **({"description": given} if given else {})}
    plan = SUBMISSION.submit(work(values, ROWS, continues=continues), Existing())
    ran = run(plan, [*MAKE, *VERIFY, *GO])
    assert ran.sent[0].values["description"] == expected
    assert first_violation(talkifai.CREATE_BATCH_JOB.parameters, dict(ran.sent[0].values)) is None


def test_a_contact_is_sent_with_its_row_and_one_spelling_of_phone() -> None:
    assert with_row(7, {"name": "N", " Phone": "+1", "af_row": "9"}) == {"phone": "+1", "name": "N", "af_row": "7"}


def test_the_vendors_estimate_is_logged() -> None:
    assert "estimates $1" in submit(*MAKE, *VERIFY, *GO).told[0]


# What is found, and adopted.


@pytest.mark.parametrize(
    ("fields", "is_found"),
    [
        ({}, True),
        ({"name": f"Renamed {TAG}"}, True),
        ({"name": "Renamed", "description": f"x {TAG}"}, True),
        ({"name": f"{TAG} in front"}, False),
        ({"name": "Reminder [af:fedcba9876543210]"}, False),
        ({"name": f"Reminder [af:{KEY}.2]"}, False),
        ({"name": None, "description": None, "contactData": TAG}, False),
        ({"status": "running"}, True),
        ({"status": "cancelled"}, False),
        ({"status": "cancelled", "actualStartTime": "2026-03-01T12:00:00Z"}, True),
        ({"status": "cancelled", "contactsProcessed": 1}, True),
        ({"status": "cancelled", "contactsProcessed": 0, "actualStartTime": None}, False),
    ],
)
def test_a_job_is_found_by_its_tag_unless_it_was_cancelled_before_anybody_was_called(
    fields: dict[str, Any], is_found: bool
) -> None:
    document = job(**fields)
    ran = run(SUBMISSION.find(work(VALUES, ROWS)), [(LIST, [document])])
    assert ran.end == Existing([copy_of(document)] if is_found else [])
    assert SUBMISSION.is_void(document) is (not is_found and document["status"] == "cancelled")


@pytest.mark.parametrize("status", ["running", "completed", "failed", "paused"])
def test_a_job_that_has_begun_is_adopted_as_it_is(status: str) -> None:
    ran = submit((READ, job(status=status)), existing=[job(status=status)])
    assert (ran.end.id, ran.names) == ("job-1", [])


def test_a_job_that_waits_to_be_started_is_adopted_and_started() -> None:
    ran = submit(*VERIFY, *GO, existing=[job()])
    assert ran.names == [START]
    assert "job-1 is scheduled for a time far ahead" in ran.standing


def test_from_its_creation_on_an_error_says_that_the_job_is_there() -> None:
    plan = SUBMISSION.submit(work(VALUES, ROWS), Existing())
    steps: list[Any] = [next(plan)]
    for answer in (found(CREATED), None, None, True, True):
        steps.append(plan.send(answer))
        if isinstance(steps[-1], Standing):
            break
    assert [type(step).__name__ for step in steps] == ["Create", "Know", "Standing"]
    assert steps[-1].sentence.startswith("The job job-1 is scheduled for a time far ahead and nobody has been called")


def test_an_adopted_job_that_has_begun_says_nothing_of_a_start() -> None:
    assert submit((READ, job(status="running")), existing=[job(status="running")]).standing == ""


def test_surplus_copies_are_cancelled_before_the_oldest_is_started() -> None:
    ran = submit((CANCEL, {}), (READ, job("job-2", "cancelled")), *VERIFY, *GO, existing=[job("job-2"), job("job-1")])
    assert ran.names == [CANCEL, START]
    assert [step.values["batch_job_id"] for step in ran.sent] == ["job-2", "job-1"]


def test_a_copy_that_calls_already_is_kept_although_it_is_younger() -> None:
    ran = submit(
        (CANCEL, {}),
        (READ, job("job-1", "cancelled")),
        (READ, job("job-2", "running")),
        existing=[job("job-1"), job("job-2", "running")],
    )
    assert (ran.end.id, ran.names) == ("job-2", [CANCEL])
    assert ran.sent[0].values["batch_job_id"] == "job-1"


def test_nothing_is_started_while_a_second_copy_cannot_be_cancelled() -> None:
    ran = submit((CANCEL, CLASH), (READ, job("job-2")), existing=[job("job-1"), job("job-2")])
    assert ran.names == [CANCEL]
    assert reason(ran) == "job-2 is a second copy of job-1, and could not be cancelled. It has not ended either."


# What is not known.


def test_a_lost_answer_is_looked_for_and_the_job_is_started() -> None:
    ran = submit((CREATE, LOST), (LIST, []), (LIST, [job()]), *VERIFY, *GO)
    assert ran.names == [CREATE, START]
    assert ran.paused == [PAUSES[0]]


def test_a_lost_answer_without_a_trace_fails_and_says_when_it_would_start() -> None:
    ran = submit((CREATE, LOST), *[(LIST, [])] * 6)
    assert ran.names == [CREATE]
    assert reason(ran).endswith(
        f"If the job was created after all, it starts by itself at 2026-03-02 12:00:00 UTC, unless a later try "
        f"takes it over, or you cancel it in Studio: its name ends in {TAG}."
    )
    assert ran.end.cause is LOST.cause


def test_what_may_have_been_sent_is_looked_for_before_it_is_sent() -> None:
    ran = submit((LIST, []), (LIST, []), (LIST, [job()]), *VERIFY, *GO, was_sent=True)
    assert ran.names == [START]


def test_a_number_to_call_from_that_is_not_there_is_named() -> None:
    ran = submit((CREATE, UNKNOWN_NUMBER))
    assert reason(ran) == "TalkifAI knows no phone number with the id 'phone_0' (from_phone_number_id)."
    assert not ran.end.may_pass


# What the vendor took.


def contact(row: object) -> dict[str, Any]:
    return {"id": f"c{row}", "status": "pending", "phoneNumber": PHONES[0], "contactData": {"af_row": row}}


def test_a_job_that_lacks_contacts_is_cancelled_and_their_rows_are_named() -> None:
    ran = submit(
        *MAKE,
        (READ, job(totalContacts=1)),
        (CONTACTS, [contact("2"), {"id": "x", "status": "pending", "contactData": None}, contact("²")]),
        (CANCEL, {}),
        (READ, job(status="cancelled")),
    )
    assert ran.names == [CREATE, CANCEL]
    assert ran.standing == ""
    assert reason(ran) == (
        "TalkifAI took 1 of 3 contacts: it left out rows 1, 3. The job job-1 was cancelled before anybody was called."
    )


def test_a_job_of_an_earlier_try_that_lacks_contacts_is_cancelled_too() -> None:
    ran = submit(
        (READ, job(totalContacts=2)),
        (CONTACTS, [contact("2"), contact("3")]),
        (CANCEL, {}),
        (READ, job(status="cancelled")),
        existing=[job()],
    )
    assert ran.names == [CANCEL]
    assert reason(ran) == (
        "The job job-1 of this piece of work was created with 2 contacts, not 3. The job job-1 was cancelled before "
        "anybody was called."
    )


def test_a_job_that_lacks_contacts_and_cannot_be_cancelled_is_reported() -> None:
    ran = submit(*MAKE, (READ, job(totalContacts=1)), (CONTACTS, [contact("2")]), (CANCEL, CLASH), (READ, job()))
    assert reason(ran) == (
        "TalkifAI took 1 of 3 contacts: it left out rows 1, 3. The job job-1 could not be cancelled; cancel it in "
        "Studio."
    )


def test_a_running_job_with_other_contacts_is_left_alone_and_not_adopted() -> None:
    ran = submit((READ, job(status="running", totalContacts=9)), existing=[job(status="running")])
    assert ran.names == []
    assert (
        reason(ran)
        == "The job job-1 of this piece of work has 9 contacts, not 3: it was submitted with other contacts."
    )


def test_a_job_that_does_not_say_how_many_contacts_it_has_is_started() -> None:
    assert submit(*MAKE, (READ, job(totalContacts=None)), *GO).end.id == "job-1"


# Starting.


def test_a_job_is_started_although_the_vendor_says_so_late() -> None:
    ran = submit(*MAKE, *VERIFY, (START, {}), (READ, job()), (READ, job()), (READ, job(status="running")))
    assert ran.end.id == "job-1"
    assert ran.paused == list(PAUSES[:2])


def test_a_job_that_was_started_and_does_not_say_so_is_waited_for() -> None:
    ran = submit(*MAKE, *VERIFY, (START, {}), *[(READ, job())] * 3)
    assert ran.end.id == "job-1"
    assert ran.told[-1] == "TalkifAI: job-1 was started, and still has the status 'scheduled'"


def test_a_job_that_another_worker_has_started_is_taken() -> None:
    assert run(start("job-1"), [(START, CLASH), (READ, job(status="running"))]).end is None


def test_a_start_that_is_refused_fails_with_its_cause() -> None:
    ran = run(start("job-1"), [(START, CLASH), (READ, job())])
    assert ran.end == Stopped("The job job-1 was not started.", CLASH.cause)
    assert ran.sent[0].is_paid


# A time to start.


@pytest.mark.parametrize("start_at", [NOW - timedelta(seconds=1), "2026-03-01T11:00:00", NOW])
def test_a_time_to_start_that_is_over_starts_the_job_now(start_at: Any) -> None:
    assert submit(*MAKE, *VERIFY, *GO, start_at=start_at).names == [CREATE, START]


@pytest.mark.parametrize("start_at", [LATER, "2026-03-01T18:00:00", "2026-03-01T19:00:00+01:00"])
def test_a_later_time_reschedules_the_job_and_is_verified(start_at: Any) -> None:
    then = job(scheduledStartTime="2026-03-01T18:00:00Z")
    ran = submit(*MAKE, *VERIFY, (READ, job()), (RESCHEDULE, {}), (READ, then), start_at=start_at)
    assert (ran.end.id, ran.names) == ("job-1", [CREATE, RESCHEDULE])
    assert ran.sent[0].values["scheduled_start_time"] == NOW.replace(microsecond=0) + SAFETY
    assert ran.sent[1].values == {"batch_job_id": "job-1", "scheduled_start_time": LATER}


def test_a_time_beyond_the_safe_one_is_that_of_the_creation() -> None:
    then = job(scheduledStartTime="2026-03-09T18:00:00Z")
    ran = submit(*MAKE, (READ, then), (READ, then), start_at=FURTHER)
    assert ran.names == [CREATE]
    assert ran.sent[0].values["scheduled_start_time"] == FURTHER


def test_an_adopted_job_that_has_the_time_already_is_left_alone() -> None:
    then = job(scheduledStartTime="2026-03-01T18:00:00.000Z")
    assert submit((READ, then), (READ, then), existing=[then], start_at=LATER).names == []


@pytest.mark.parametrize("scheduled", [f"{FAR}Z", None, "soon"])
@pytest.mark.parametrize("answer", [{}, CLASH])
def test_a_time_that_is_not_taken_fails(scheduled: str | None, answer: Any) -> None:
    other = job(scheduledStartTime=scheduled)
    ran = submit(*MAKE, *VERIFY, (READ, other), (RESCHEDULE, answer), (READ, other), start_at=LATER)
    assert reason(ran) == f"The job job-1 is scheduled for {scheduled}, not for 2026-03-01 18:00:00+00:00."
    assert ran.end.cause is (CLASH.cause if answer is CLASH else None)


def test_a_job_that_started_while_it_was_rescheduled_is_taken() -> None:
    ran = submit(*MAKE, *VERIFY, (READ, job()), (RESCHEDULE, CLASH), (READ, job(status="running")), start_at=LATER)
    assert ran.end.id == "job-1"


# What is wrong before any request.


def many(count: int) -> list[tuple[int, dict[str, Any]]]:
    return [(number, {"phone": f"+1415{number:07d}"}) for number in range(1, count + 1)]


WRONG: dict[str, tuple[list[tuple[int, dict[str, Any]]], str]] = {
    "too many": (many(10_001), "There are more than 10000 contacts; allowed is 1 to 10000."),
    **{
        f"a number like {phone!r}": (
            [(1, {"phone": phone}), (2, {"phone": PHONES[1]})],
            "1 of 2 contacts have no phone in the form of E.164, such as +14155550123: rows 1.",
        )
        for phone in (
            *("14155550199", "+04155550199", "+491555", "+" + "1" * 16, "+1 415 555 0199"),
            "+1415555" + chr(0x661) * 4,  # digits that are not of ASCII
            *("", None, 14155550199, "+14155550199\n", "tel:+14155550199"),
        )
    },
    "no column of phones": (
        [(1, {"name": "Ada", "tel": "+14155550199"}), (2, {"name": "Bo"})],
        "None of 2 contacts has a phone; name the column with the numbers 'phone'.",
    ),
    "a contact without phone": ([*many(1), (5, {"name": "+14155550199"})], "1 of 2 contacts have no phone in the form"),
    "twice": ([*many(2), (7, {"Phone": "+14150000001"})], "1 of 3 contacts have the phone of one before them: rows 7."),
    "many wrong": (
        [(number, {"phone": "0199"}) for number in range(1, 15)],
        "rows 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 and 4 more.",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_contacts_that_cannot_be_called_are_refused_by_their_rows(case: str) -> None:
    rows, expected = WRONG[case]
    found = SUBMISSION.inspect(work(VALUES, rows))
    assert isinstance(found, Stopped)
    assert expected in found.reason
    assert found.reason == problem_with(rows)
    assert not any(str(row.get("phone")) in found.reason for _, row in rows if row.get("phone"))


@pytest.mark.parametrize("phone", ["+1415555", "+123456789012345", "+4930123456"])
def test_the_shortest_and_the_longest_number_are_taken(phone: str) -> None:
    assert problem_with([(1, {"PHONE ": phone})]) is None


def test_no_contacts_are_nothing_to_submit_and_nothing_to_create() -> None:
    assert SUBMISSION.inspect(work(VALUES, [])) == Preflight(items=0, facts={"calls_at_most": 0})
    assert problem_with([]) == "There are no contacts; allowed is 1 to 10000."


def test_the_most_contacts_are_taken_and_the_calls_are_bounded() -> None:
    found = SUBMISSION.inspect(work(VALUES, many(10_000)))
    assert found == Preflight(items=10_000, facts={"calls_at_most": 30_000})
    once = SUBMISSION.inspect(work({**VALUES, "max_attempts": "1"}, many(2)))
    assert once == Preflight(items=2, facts={"calls_at_most": 2})


@pytest.mark.parametrize(("key", "most"), [(KEY, 178), (f"{KEY}.2", 176)])
def test_a_name_may_be_as_long_as_its_tag_leaves_room_for(key: str, most: int) -> None:
    def inspected(length: int) -> Preflight | Stopped:
        return SUBMISSION.inspect(work({**VALUES, "name": "x" * length}, ROWS, key=key))

    assert isinstance(inspected(most), Preflight)
    assert inspected(most + 1) == Stopped(f"name has {most + 1} characters; {most} are allowed, since a tag is added.")


def test_a_job_starts_by_itself_so_that_it_must_be_cancelled_where_nobody_comes_back() -> None:
    assert SUBMISSION.find_waiting
    waiting, other = job(), job("job-2", name="Reminder [af:fedcba9876543210]")
    ran = run(
        SUBMISSION.find_waiting(work(VALUES, ROWS)), [(LIST, [job("job-3", "pending")]), (LIST, [waiting, other])]
    )
    assert [copy.id for copy in ran.end] == ["job-3", "job-1"]
    assert ran.asked == [{"status": "pending"}, {"status": "scheduled"}]
