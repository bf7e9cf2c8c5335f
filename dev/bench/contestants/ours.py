"""The export operators of this package."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterable
from typing import Any

from airflow_batch_provider.export import export as _export  # noqa: F401 - heavy, as the operator imports it
from airflow_batch_provider.export import read_export
from airflow_batch_provider.operators.llamacloud import (
    LlamaCloudExportBatchesOperator,
    LlamaCloudExportBatchProcessingJobsOperator,
)
from airflow_batch_provider.operators.talkifai import TalkifAIExportBatchJobsOperator
from dev.bench.contestants.files import ids_of_json_lines, ids_of_parquet
from dev.bench.task import Task

logging.disable(logging.INFO)

OPERATORS: dict[str, tuple[Any, dict[str, Any]]] = {
    "llamacloud.batches": (LlamaCloudExportBatchesOperator, {}),
    "llamacloud.batch_processing_jobs": (LlamaCloudExportBatchProcessingJobsOperator, {}),
    "talkifai.batch_jobs": (TalkifAIExportBatchJobsOperator, {"organization_id": "org_6f3a9c"}),
}


def export(task: Task) -> None:
    """Export with the operator's own defaults."""
    vendor = task.listing.partition(".")[0]
    extra = {"max_concurrency": task.connections}
    connection = {"conn_type": vendor, "host": task.base_url, "password": "benchmark", "extra": extra}
    os.environ[f"AIRFLOW_CONN_{vendor.upper()}_DEFAULT"] = json.dumps(connection)
    operator, scope = OPERATORS[task.listing]
    operator(
        task_id="export",
        destination=task.destination or f"file://{task.folder}",
        file_format=task.file_format,
        rows_per_part=task.rows_per_part,
        **scope,
    ).execute({})


def ids(task: Task) -> Iterable[str]:
    """See the package."""
    if task.destination:
        return (str(row["id"]) for row in read_export(task.destination))
    return (ids_of_json_lines if task.file_format == "jsonl" else ids_of_parquet)(task.folder)
