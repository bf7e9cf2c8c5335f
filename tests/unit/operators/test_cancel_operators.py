"""The operators that cancel and start batches that are there."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from airflow_batch_provider.exceptions import AuthenticationError, InvalidParameterError, NotFoundError
from airflow_batch_provider.hooks.talkifai import TalkifAIHook
from airflow_batch_provider.operators.cancel import BatchActionOperator
from airflow_batch_provider.operators.llamacloud import (
    LlamaCloudCancelBatchOperator,
    LlamaCloudCancelBatchProcessingJobOperator,
)
from airflow_batch_provider.operators.talkifai import TalkifAICancelBatchJobOperator, TalkifAIStartBatchJobOperator
from tests.unit.operators.run_cases import (
    PHONES,
    Case,
    TaskInstance,
    Vendors,
    cases,
    context_of,
    deferred,
    trigger_of,
    vendors,
)

CANCELS: dict[str, tuple[type[BatchActionOperator], str]] = {
    "llamacloud": (LlamaCloudCancelBatchOperator, "batch_id"),
    "processing": (LlamaCloudCancelBatchProcessingJobOperator, "job_id"),
    "talkifai": (TalkifAICancelBatchJobOperator, "batch_job_id"),
}
EACH = pytest.mark.parametrize("name", CANCELS)


@pytest.fixture
def world() -> Iterator[Vendors]:
    with vendors() as served:
        yield served


@pytest.fixture
def case(name: str, tmp_path: Path) -> Case:
    return cases(tmp_path)[name]


def running(case: Case) -> str:
    """Submit a batch, and return its id."""
    instance = TaskInstance()
    deferred(case.make(deferrable=True), context_of(instance))
    return str(instance.xcoms["batch_id"])


def cancel(name: str, batch_id: object, **parameters: Any) -> BatchActionOperator:
    operator, field = CANCELS[name]
    return operator(**{"task_id": "cancel", field: batch_id, **parameters})


@EACH
def test_a_batch_is_cancelled_and_its_state_returned(name: str, case: Case, world: Vendors) -> None:
    batch_id = running(case)
    result = cancel(name, batch_id).execute({})
    assert (result["id"], result["outcome"]) == (batch_id, "cancelled")
    assert world.journal(case).cancels.total == 1


@EACH
def test_a_batch_that_has_ended_stays_as_it_is(name: str, case: Case, world: Vendors) -> None:
    batch_id = running(case)
    world.finish()
    assert cancel(name, batch_id).execute({})["outcome"] == "succeeded"


@EACH
def test_cancelling_twice_is_no_error(name: str, case: Case, world: Vendors) -> None:
    batch_id = running(case)
    results = [cancel(name, batch_id).execute({})["outcome"] for _ in range(2)]
    assert results == ["cancelled", "cancelled"]


@EACH
def test_a_batch_that_does_not_exist_fails(name: str, world: Vendors) -> None:
    with pytest.raises(NotFoundError):
        cancel(name, "nobodys").execute({})


@EACH
@pytest.mark.parametrize("batch_id", ["", " ", "..", None, True])
def test_an_id_that_is_none_is_refused_without_a_request(name: str, batch_id: object, world: Vendors) -> None:
    before = len(world.running.requests)
    with pytest.raises(InvalidParameterError, match=f"{CANCELS[name][1]}( is missing|=.* is not allowed); allowed is"):
        cancel(name, batch_id).execute({})
    assert len(world.running.requests) == before


@pytest.mark.parametrize("name", ["llamacloud", "processing"])
def test_a_cancel_is_sent_where_the_task_says(name: str, case: Case, world: Vendors) -> None:
    operator = cancel(name, running(case), project_id="p1", organization_id="o1")
    with pytest.raises(AuthenticationError, match="has no access to this project_id"):
        operator.execute({})
    assert world.running.requests[-1].endswith("/cancel?project_id=p1&organization_id=o1")


@EACH
def test_everything_that_a_cancel_takes_is_a_template(name: str) -> None:
    operator, field = CANCELS[name]
    assert {field, *operator.kind.scope, operator.hook_class.conn_name_attr} == set(operator.template_fields)


# Starting.


def scheduled() -> str:
    """Create a job that starts in a thousand years."""
    made = TalkifAIHook().create_batch_job(
        name="n",
        contacts=[{"phone": phone} for phone in PHONES],
        from_phone_number_id="phone_0",
        scheduled_start_time="2999-01-01T00:00:00",
    )
    return str(made["batchJobId"])


def start(job_id: str) -> dict[str, Any]:
    return TalkifAIStartBatchJobOperator(task_id="start", batch_job_id=job_id).execute({})


def test_a_job_is_started_once(world: Vendors) -> None:
    job_id = scheduled()
    assert [start(job_id)["outcome"] for _ in range(2)] == ["running", "running"]
    assert world.running.journal.talkifai.starts.total == 1


def test_a_job_that_was_cancelled_is_not_started(world: Vendors) -> None:
    job_id = scheduled()
    cancel("talkifai", job_id).execute({})
    assert start(job_id)["outcome"] == "cancelled"
    world.finish()
    assert world.running.journal.talkifai.calls.total == 0


def test_what_is_started_and_cancelled_has_the_fields_of_a_sensor(world: Vendors) -> None:
    job_id = scheduled()
    assert set(start(job_id)) == set(cancel("talkifai", job_id).execute({})) >= {"id", "status", "outcome", "counts"}


# The trigger.


def test_a_trigger_of_an_older_release_cancels_nothing(tmp_path: Path, world: Vendors) -> None:
    case = cases(tmp_path)["talkifai"]
    instance = TaskInstance()
    trigger = trigger_of(deferred(case.make(deferrable=True), context_of(instance)))
    _, kwargs = trigger.serialize()
    del kwargs["cancel_on_kill"]
    asyncio.run(type(trigger)(**kwargs).on_kill())
    assert world.journal(case).cancels.total == 0
