"""The five sensors, and how each mode of waiting is driven without Airflow's scheduler."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from airflow.providers.common.compat.sdk import TaskDeferred
from airflow.sdk.bases.sensor import AirflowRescheduleException  # where it is in every version

from airflow_batch_provider.sensors.batch import BatchSensor
from airflow_batch_provider.sensors.llamacloud import LlamaCloudBatchProcessingJobSensor, LlamaCloudBatchSensor
from airflow_batch_provider.sensors.playment import PlaymentBatchSensor, PlaymentProjectSensor
from airflow_batch_provider.sensors.talkifai import TalkifAIBatchJobSensor
from airflow_batch_provider.triggers.batch import BatchStatusTrigger
from tests.unit.waiting.fake_vendor import (
    BATCH,
    PLAYMENT,
    PROCESSING_JOB,
    TALKIFAI,
    FakeVendor,
    event_of,
)


@dataclass(frozen=True)
class Case:
    """A sensor that waits for batch ``a``."""

    sensor: type[BatchSensor]
    kind: str
    parameters: dict[str, Any]

    def make(self, **parameters: Any) -> BatchSensor:
        """Return the sensor, with a short interval."""
        return self.sensor(**{"task_id": "wait", "poke_interval": 0.02, **self.parameters, **parameters})


CASES = {
    case.sensor.__name__: case
    for case in (
        Case(PlaymentBatchSensor, PLAYMENT, {"project_id": "p/1", "batch_id": "a"}),
        Case(PlaymentProjectSensor, PLAYMENT, {"project_id": "p/1"}),
        Case(LlamaCloudBatchSensor, BATCH, {"batch_id": "a"}),
        Case(LlamaCloudBatchProcessingJobSensor, PROCESSING_JOB, {"job_id": "a"}),
        Case(TalkifAIBatchJobSensor, TALKIFAI, {"batch_job_id": "a", "organization_id": "org"}),
    )
}


class _Store(dict[str, Any]):
    set = dict.__setitem__


class TaskInstance:
    """What a sensor uses of Airflow's."""

    def __init__(self) -> None:
        self.started = datetime.now(UTC)
        self.xcoms: dict[str, Any] = {}

    def xcom_push(self, key: str, value: Any) -> None:
        self.xcoms[key] = value

    def get_first_reschedule_date(self, context: Any) -> datetime:
        return self.started


def _poke(case: Case, parameters: dict[str, Any]) -> Any:
    return case.make(**parameters).execute({})


def _reschedule(case: Case, parameters: dict[str, Any]) -> Any:
    context: Any = {"ti": TaskInstance(), "task_state_store": _Store()}
    while True:
        try:
            # Each poke is a process of its own.
            return case.make(mode="reschedule", **parameters).execute(context)
        except AirflowRescheduleException:
            continue


def _defer(case: Case, parameters: dict[str, Any]) -> Any:
    try:
        return case.make(deferrable=True, **parameters).execute({})
    except TaskDeferred as signal:
        deferred = signal
    path, kwargs = deferred.trigger.serialize()
    method, method_kwargs = deferred.method_name, deferred.kwargs or {}
    assert path == "airflow_batch_provider.triggers.batch.BatchStatusTrigger"
    event = asyncio.run(event_of(BatchStatusTrigger(**json.loads(json.dumps(kwargs)))))
    sent = json.loads(json.dumps(event))
    return case.make(deferrable=True, **parameters).resume_execution(method, {**method_kwargs, "event": sent}, {})


MODES: dict[str, Callable[[Case, dict[str, Any]], Any]] = {"poke": _poke, "reschedule": _reschedule, "defer": _defer}


def wait(mode: str, case: Case, **parameters: Any) -> Any:
    """Run a sensor to its end, and return or raise what its task would."""
    return MODES[mode](case, parameters)


def at_request(vendor: FakeVendor, number: int, change: Callable[[], None]) -> None:
    """Change something when a request comes, counted from 1; the change may set another fault."""

    def fault(path: str, query: Any) -> Any:
        if len(vendor.server.asked) == number:
            change()
        return None if vendor.fault in (None, fault) else vendor.fault(path, query)

    vendor.fault = fault
