"""How Playment's batches are submitted: a batch by its name, then each job by its reference id."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from airflow_batch_provider.apis.batch_state import Outcome
from airflow_batch_provider.apis.plans import Refused
from airflow_batch_provider.apis.submissions import PAUSES, Existing, Preflight, Stopped
from airflow_batch_provider.exceptions import RequestRefusedError
from airflow_batch_provider.vendors import playment_submission
from airflow_batch_provider.vendors.playment_submission import SUBMISSION
from tests.unit.submissions import DESCRIPTION, KEY, LOST, Ran, run, work

LIST, CREATE, JOBS, JOB = "playment.batches", "playment.create_batch", "playment.batch_jobs", "playment.create_job"
NAME = f"Cats [af {KEY}]"
VALUES = {"name": "Cats", "project_id": "p", "work_flow_id": "w"}
BATCH = {"id": "b1", "name": NAME, "status": "In Progress"}
MADE = {"batch_id": "b1"}
CREATED = [(CREATE, MADE), (LIST, [BATCH])]
TAKEN = Refused("HTTP 400, code FS_0001", cause=RequestRefusedError("there is one", status=400, code="FS_0001"))
ROWS = [(number, {"reference_id": f"r{number}", "data": {"image_url": f"https://x/{number}"}}) for number in (1, 2, 3)]
OK = (JOB, {"job_id": "j"})


def listed(*references: str | None) -> tuple[str, list[dict[str, Any]]]:
    return JOBS, [{"id": f"j-{each}", "status": "created", "reference_id": each} for each in references]


ALL = listed("r1", "r2", "r3")


def submit(*script: tuple[str, Any], rows: Any = ROWS, existing: Any = (), **values: Any) -> Ran:
    its_work = work({**VALUES, **values}, rows)
    there = run(SUBMISSION.find(its_work), [(LIST, list(existing))]).end
    return run(SUBMISSION.submit(its_work, there), script)


def reason(ran: Ran) -> str:
    assert isinstance(ran.end, Stopped)
    return ran.end.reason


def test_a_batch_is_created_by_its_name_and_then_its_jobs() -> None:
    ran = submit(*CREATED, listed(), OK, OK, OK, ALL)
    assert (ran.end.id, ran.known) == ("b1", ["b1", "b1"])
    assert ran.names == [CREATE, JOB, JOB, JOB]
    assert ran.sent[0].values == {"name": NAME, "description": DESCRIPTION}
    assert ran.sent[0].clashes == ("BATCH_CREATION",)
    assert not ran.sent[0].is_paid
    assert ran.sent[1].values == {"work_flow_id": "w", "batch_id": "b1", **ROWS[0][1]}
    assert (ran.sent[1].clashes, ran.sent[1].is_paid) == (("FS_0001",), True)


def test_before_the_first_job_it_is_said_that_none_can_be_withdrawn() -> None:
    ran = submit(*CREATED, listed("r2"), OK, OK, ALL)
    assert ran.told == [
        "Playment: 2 jobs will be created in batch b1, and cannot be withdrawn by API; 1 are there already"
    ]
    assert ran.standing == (
        "Some of the 3 jobs may be in batch b1, and cannot be withdrawn by API; another try of this task creates those "
        "that are missing."
    )


def test_the_description_is_the_users_and_the_tasks() -> None:
    ran = submit(*CREATED, listed(), OK, OK, OK, ALL, description="About cats")
    assert ran.sent[0].values["description"] == f"About cats ({DESCRIPTION})"


def test_a_row_may_have_a_workflow_and_a_priority_of_its_own() -> None:
    rows = [(1, {**ROWS[0][1], "work_flow_id": "other", "priority_weight": 9})]
    ran = submit(*CREATED, listed(), OK, listed("r1"), rows=rows, work_flow_id=None)
    assert ran.sent[1].values == {**rows[0][1], "batch_id": "b1"}


# What is there already.


@pytest.mark.parametrize("name", ["Cats", f"Dogs [af {KEY}]", f"Cats [af {KEY}.2]", None])
def test_only_a_batch_of_exactly_this_name_is_taken(name: str | None) -> None:
    other = {**BATCH, "name": name}
    assert run(SUBMISSION.find(work(VALUES, ROWS)), [(LIST, [other])]).end == Existing([])


def test_a_batch_that_is_there_is_adopted_with_its_state() -> None:
    (copy,) = run(SUBMISSION.find(work(VALUES, ROWS)), [(LIST, [{**BATCH, "created_at": "2026-01-01"}])]).end.batches
    assert (copy.id, copy.created, copy.outcome) == ("b1", "2026-01-01", Outcome.RUNNING)


def test_a_batch_with_all_its_jobs_is_adopted_without_a_word() -> None:
    ran = submit(ALL, existing=[BATCH])
    assert (ran.end.id, ran.names, ran.told, ran.standing) == ("b1", [], [], "")


def test_jobs_that_an_earlier_try_did_not_create_are_created() -> None:
    ran = submit(listed("r1", "r3"), OK, ALL, existing=[BATCH])
    assert [step.values["reference_id"] for step in ran.sent] == ["r2"]


def test_a_batch_with_other_jobs_is_left_alone() -> None:
    ran = submit(listed("r1", "x", "y", None), existing=[BATCH])
    assert ran.names == []
    assert reason(ran) == (
        "The batch b1 of this piece of work has 2 jobs that are not in jobs, such as 'x', 'y': it was submitted with "
        "other jobs."
    )


def test_a_name_that_was_taken_meanwhile_is_found_and_adopted() -> None:
    clash = Refused("code BATCH_CREATION", cause=RequestRefusedError("there is one", code="BATCH_CREATION"))
    ran = submit((CREATE, clash), (LIST, []), (LIST, [BATCH]), ALL)
    assert (ran.end.id, ran.names) == ("b1", [CREATE])


def test_a_name_that_is_taken_by_what_is_not_listed_fails() -> None:
    clash = Refused("code BATCH_CREATION", cause=RequestRefusedError("there is one", code="BATCH_CREATION"))
    ran = submit((CREATE, clash), *[(LIST, [])] * 6)
    assert reason(ran) == f"No batch named '{NAME}' is listed."
    assert ran.end.cause is clash.cause


def test_a_lost_answer_to_the_batch_is_looked_for() -> None:
    ran = submit((CREATE, LOST), (LIST, [BATCH]), ALL)
    assert (ran.end.id, ran.names) == ("b1", [CREATE])


# What becomes of each job.


def test_a_job_without_an_answer_is_sent_again_since_a_second_one_is_refused() -> None:
    ran = submit(*CREATED, listed("r2", "r3"), (JOB, LOST), (JOB, LOST), (JOB, LOST), (JOB, TAKEN), ALL)
    assert ran.end.id == "b1"
    assert ran.names == [CREATE, JOB, JOB, JOB, JOB]
    assert ran.paused == [PAUSES[0], PAUSES[1], PAUSES[1]]


def test_a_job_that_is_listed_late_is_waited_for() -> None:
    ran = submit(*CREATED, listed("r2", "r3"), OK, listed("r2", "r3"), listed("r2"), ALL)
    assert ran.end.id == "b1"
    assert ran.paused == list(PAUSES[:2])


def test_the_last_listing_counts() -> None:
    assert submit(*CREATED, listed(), OK, OK, OK, *[listed()] * 5, ALL).end.id == "b1"


def test_a_reference_id_of_another_batch_is_named() -> None:
    ran = submit(*CREATED, listed(), OK, (JOB, TAKEN), OK, *[listed("r1", "r3")] * 6)
    assert reason(ran) == (
        "1 of 3 reference ids belong to jobs of other batches of the project, such as 'r2'; the vendor takes each "
        "once. Leave them out, or give them other reference ids."
    )
    assert not ran.end.may_pass


@pytest.mark.parametrize(
    "answers",
    [[OK], [(JOB, LOST)] * 5, [(JOB, LOST), (JOB, TAKEN)]],
    ids=["created", "never answered", "taken at the second time"],
)
def test_a_job_that_is_ours_and_not_listed_is_left_to_the_next_try(answers: list[tuple[str, Any]]) -> None:
    ran = submit(*CREATED, listed("r1", "r2"), *answers, *[listed("r1", "r2")] * 6)
    assert ran.end.may_pass
    assert reason(ran) == "1 jobs were created and are not listed, such as 'r3'."


def test_a_job_that_another_worker_has_created_in_this_batch_is_not_of_another_batch() -> None:
    ran = submit(*CREATED, listed("r1"), (JOB, TAKEN), OK, *[listed("r1", "r2")] * 6)
    assert reason(ran) == "1 jobs were created and are not listed, such as 'r3'."


def test_at_most_five_names_are_shown() -> None:
    there = [f"x{number}" for number in range(9)]
    assert "such as 'x0', 'x1', 'x2', 'x3', 'x4': it" in reason(submit(listed(*there), existing=[BATCH]))


# What is wrong before any request.


def job(**fields: Any) -> Mapping[str, Any]:
    fields = {"reference_id": "r", "data": {"a": 1}, **fields}
    return {name: value for name, value in fields.items() if value is not ...}


WRONG: dict[str, tuple[list[Mapping[str, Any]], str]] = {
    "an unknown field": (
        [job(), job(reference_id="s", tag="x")],
        "Row 2 of jobs has an unknown field 'tag'; known are reference_id, data, work_flow_id, priority_weight.",
    ),
    "no reference": ([job(reference_id=...)], "Row 1 of jobs: reference_id is missing; allowed is a text"),
    "a blank reference": ([job(reference_id=" ")], "Row 1 of jobs: reference_id is not allowed"),
    "no data": ([job(data=None)], "Row 1 of jobs: data is missing; allowed is a JSON object"),
    "data that is none": ([job(data="https://x")], "Row 1 of jobs: data is not allowed; allowed is a JSON object"),
    "a wrong priority": ([job(priority_weight=10)], "priority_weight is not allowed; allowed is a whole number from 1"),
    "a reference twice": (
        [job(), job(reference_id="s"), job()],
        "Row 3 of jobs has the reference_id 'r' of a row before it.",
    ),
    "a reference twice, as number and text": (
        [job(reference_id=7), job(reference_id="7")],
        "Row 2 of jobs has the reference_id '7' of a row before it.",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_jobs_that_would_be_refused_are_named_by_their_rows(case: str) -> None:
    jobs, expected = WRONG[case]
    found = SUBMISSION.inspect(work(VALUES, list(enumerate(jobs, 1))))
    assert isinstance(found, Stopped)
    assert expected in found.reason


def test_a_job_needs_a_workflow_of_its_own_or_the_tasks() -> None:
    without = {**VALUES, "work_flow_id": None}
    found = SUBMISSION.inspect(work(without, [(1, job())]))
    assert isinstance(found, Stopped)
    assert "Row 1 of jobs: work_flow_id is missing" in found.reason
    assert SUBMISSION.inspect(work(without, [(1, job(work_flow_id="w"))])) == Preflight(items=1)


def test_a_batch_has_a_hundred_thousand_jobs_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    assert playment_submission.MOST_JOBS == SUBMISSION.most_items == 100_000
    monkeypatch.setattr(playment_submission, "MOST_JOBS", 3)
    more = [*ROWS, (4, job())]
    assert SUBMISSION.inspect(work(VALUES, ROWS)) == Preflight(items=3)
    assert SUBMISSION.inspect(work(VALUES, [])) == Preflight(items=0)
    assert SUBMISSION.inspect(work(VALUES, more)) == Stopped("There are 4 jobs; allowed is 1 to 3.")


def test_a_batch_cannot_be_cancelled_and_none_starts_by_itself() -> None:
    assert SUBMISSION.kind.cancel is None
    assert SUBMISSION.find_waiting is None
    assert not SUBMISSION.is_void(BATCH)
