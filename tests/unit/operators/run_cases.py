"""The four operators that run batches, against the sandbox whose clock is moved by hand."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from airflow.providers.common.compat.sdk import TaskDeferred

from airflow_batch_provider.operators.llamacloud import (
    LlamaCloudRunBatchOperator,
    LlamaCloudRunBatchProcessingJobOperator,
)
from airflow_batch_provider.operators.playment import PlaymentRunBatchOperator
from airflow_batch_provider.operators.run import RunBatchOperator
from airflow_batch_provider.operators.talkifai import TalkifAIRunBatchJobOperator
from airflow_batch_provider.sandbox import Sandbox, Settings
from airflow_batch_provider.sandbox.journal import VendorJournal
from airflow_batch_provider.sandbox.server import serve
from airflow_batch_provider.testing import connections, no_backoff
from airflow_batch_provider.triggers.batch import BatchStatusTrigger
from tests.unit.waiting.fake_vendor import event_of

PHONES = ("+14155550101", "+14155550102")
RUN_SECONDS = 1000.0


class Clock:
    """The sandbox's time, which a test moves."""

    ahead = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead


@dataclass(frozen=True)
class Vendors:
    """A sandbox and its clock."""

    running: Sandbox
    clock: Clock

    def journal(self, case: Case) -> VendorJournal:
        """What was written to a case's vendor."""
        journal: VendorJournal = getattr(self.running.journal, case.vendor)
        return journal

    def finish(self) -> None:
        """Let all batches end."""
        self.clock.ahead += 10 * RUN_SECONDS


@contextmanager
def vendors(**settings: Any) -> Iterator[Vendors]:
    """Serve the vendors; nothing pauses."""
    clock = Clock()
    chosen = Settings(**{"jobs": 3, "run_seconds": RUN_SECONDS, **settings})
    with serve(chosen, clock) as running, mock.patch.dict("os.environ", connections(running)), no_backoff():
        yield Vendors(running, clock)


@dataclass(frozen=True)
class Case:
    """An operator, and what it is told."""

    vendor: str
    operator: type[RunBatchOperator]
    values: dict[str, Any]
    items: str
    """The parameter that has what is submitted."""
    cancels: bool = True

    def make(self, **parameters: Any) -> RunBatchOperator:
        """Return the operator."""
        values = {"task_id": "run", "poll_interval": 0.01, "deferrable": False, **self.values, **parameters}
        return self.operator(**values)


def cases(folder: Path) -> dict[str, Case]:
    """Return the cases, with files of that folder."""
    files = [folder / name for name in ("a.pdf", "b.pdf")]
    for file in files:
        file.write_text(f"content of {file.name}")
    paths = [str(file) for file in files]
    jobs = [{"reference_id": f"r{number}", "data": {"image_url": "https://x/1.png"}} for number in (1, 2)]
    contacts = [{"phone": phone, "name": "N"} for phone in PHONES]
    config = {"job_name": "parse_raw_file_job", "partitions": {}, "parameters": {"type": "parse"}}
    return {
        "playment": Case(
            "playment",
            PlaymentRunBatchOperator,
            {"name": "Cats", "jobs": jobs, "work_flow_id": "w"},
            "jobs",
            cancels=False,
        ),
        "llamacloud": Case(
            "llamacloud",
            LlamaCloudRunBatchOperator,
            {"files": paths, "job_type": "parse_v2", "configuration_id": "cfg-PARSE_AGENTIC"},
            "files",
        ),
        "processing": Case(
            "llamacloud", LlamaCloudRunBatchProcessingJobOperator, {"files": paths, "job_config": config}, "files"
        ),
        "talkifai": Case(
            "talkifai",
            TalkifAIRunBatchJobOperator,
            {"name": "Reminder", "contacts": contacts, "from_phone_number_id": "phone_0"},
            "contacts",
        ),
    }


NAMES = ("playment", "llamacloud", "processing", "talkifai")


class Store(dict[str, Any]):
    """Airflow's task state store."""

    set = dict.__setitem__


@dataclass
class TaskInstance:
    """What the operators use of Airflow's."""

    dag_id: str = "d"
    run_id: str = "r"
    task_id: str = "run"
    map_index: int = -1
    try_number: int = 1
    max_tries: int = 2
    xcoms: dict[str, Any] = field(default_factory=dict)

    def xcom_push(self, key: str, value: Any) -> None:
        self.xcoms[key] = value

    def get_first_reschedule_date(self, context: Any) -> None:
        return None


def context_of(instance: TaskInstance | None = None, **more: Any) -> Any:
    """Return the context of a try."""
    return {"ti": instance or TaskInstance(), **more}


def deferred(operator: RunBatchOperator, context: Any) -> TaskDeferred:
    """Run a task until it is deferred."""
    with pytest.raises(TaskDeferred) as raised:
        operator.execute(context)
    return raised.value


def trigger_of(signal: TaskDeferred) -> BatchStatusTrigger:
    """Return the trigger as the triggerer makes it."""
    _, kwargs = signal.trigger.serialize()
    return BatchStatusTrigger(**json.loads(json.dumps(kwargs)))


def resumed(operator: RunBatchOperator, signal: TaskDeferred, context: Any, event: Any = None) -> Any:
    """Run the trigger, then the task in another process."""
    event = event or asyncio.run(event_of(trigger_of(signal)))
    kwargs = json.loads(json.dumps({**(signal.kwargs or {}), "event": event}))
    return operator.resume_execution(signal.method_name, kwargs, context)
