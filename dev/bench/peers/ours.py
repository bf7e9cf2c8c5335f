"""The export operators of this package."""

from __future__ import annotations

import json
import logging
import os
from typing import Any

from airflow_batch_provider.export import export as _export  # noqa: F401 - the operator imports it when it runs
from airflow_batch_provider.listing import results as _results  # noqa: F401 - likewise
from airflow_batch_provider.operators.llamacloud import (
    LlamaCloudExportBatchesOperator,
    LlamaCloudExportBatchResultsOperator,
)
from airflow_batch_provider.operators.talkifai import TalkifAIExportBatchJobsOperator
from dev.bench.measured import Export

logging.disable(logging.INFO)


def run(export: Export) -> None:
    vendor = export.listing.partition(".")[0]
    extra = {"max_concurrency": export.connections, "organization_id": "org_6f3a9c"}
    connection = {"conn_type": vendor, "host": export.url, "password": "benchmark", "extra": extra}
    os.environ[f"AIRFLOW_CONN_{vendor.upper()}_DEFAULT"] = json.dumps(connection)
    operator: Any = TalkifAIExportBatchJobsOperator if export.numbered else LlamaCloudExportBatchesOperator
    options: dict[str, Any] = {}
    if export.kind:
        operator = LlamaCloudExportBatchResultsOperator
        options = {"batch_id": export.path.rpartition("/")[2], "files": [export.kind]}
    destination = f"file://{export.folder}"
    operator(task_id="export", destination=destination, file_format=export.file_format, **options).execute({})
