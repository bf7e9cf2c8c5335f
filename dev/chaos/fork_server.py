"""The process that forks attempts at exports."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from types import FrameType, SimpleNamespace
from typing import Any

# All that a task needs, imported before the forks; none of it starts a thread.
import adlfs  # noqa: F401
import airflow.providers.amazon.aws.fs.s3
import airflow.providers.microsoft.azure.fs.adls  # noqa: F401
import pyarrow.json
import pyarrow.parquet  # noqa: F401
import s3fs  # noqa: F401
from airflow.sdk import ObjectStoragePath  # noqa: F401
from airflow.sdk.exceptions import AirflowTaskTimeout

import airflow_batch_provider.client.client
import airflow_batch_provider.export.export
import airflow_batch_provider.export.publishing
import airflow_batch_provider.listing.results
import airflow_batch_provider.stores.destination  # noqa: F401
from airflow_batch_provider.export import journal
from airflow_batch_provider.operators.llamacloud import (
    LlamaCloudExportBatchesOperator,
    LlamaCloudExportBatchProcessingJobsOperator,
    LlamaCloudExportBatchResultsOperator,
)
from airflow_batch_provider.operators.playment import PlaymentExportBatchesOperator, PlaymentExportBatchJobsOperator
from airflow_batch_provider.operators.talkifai import TalkifAIExportBatchJobsOperator
from dev.chaos.forking import serve
from dev.chaos.steps import Fault, Steps

OPERATORS: dict[str, Any] = {
    operator.listing.name: operator
    for operator in (
        PlaymentExportBatchesOperator,
        PlaymentExportBatchJobsOperator,
        LlamaCloudExportBatchesOperator,
        LlamaCloudExportBatchProcessingJobsOperator,
        TalkifAIExportBatchJobsOperator,
    )
} | {LlamaCloudExportBatchResultsOperator.results.name: LlamaCloudExportBatchResultsOperator}


def _run(one: Mapping[str, Any]) -> dict[str, Any]:
    os.environ.update(one["environment"])
    tempfile.tempdir = None
    signal.signal(signal.SIGALRM, _time_out)
    steps = Steps(Fault(**one["fault"]) if one["fault"] else None)
    steps.watch()
    if seconds := os.environ.get("SECONDS_BETWEEN_CHECKPOINTS"):
        journal.SECONDS_BETWEEN_CHECKPOINTS = float(seconds)
    result: dict[str, Any] = {}
    try:
        operator = OPERATORS[one["listing"]](task_id="export", **one["parameters"])
        result["summary"] = operator.execute(_context(one["task_run"]))
    except BaseException as error:  # noqa: BLE001 - whatever ends the task is its result
        result["error"], result["message"] = type(error).__name__, str(error)
    result["steps"] = dict(steps.counts)
    return result


def _context(task_run: Mapping[str, Any]) -> Any:
    facts = {"dag_id": "dag", "task_id": "export", "run_id": "run", "map_index": -1, **task_run}
    logical_date = datetime.fromisoformat(facts.pop("logical_date", "2026-03-01T00:00:00+00:00"))
    return {"ti": SimpleNamespace(**facts), "logical_date": logical_date}


def _time_out(number: int, frame: FrameType | None) -> None:
    raise AirflowTaskTimeout("Timeout")


if __name__ == "__main__":
    serve(Path(sys.argv[1]), _run)
