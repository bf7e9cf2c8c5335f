"""Has LlamaCloud parse the files of a folder, and exports their Markdown; what failed is submitted once more."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from airflow.sdk import DAG, Param

from airflow_batch_provider.export.failed_items import FailedItems
from airflow_batch_provider.operators.llamacloud import (
    LlamaCloudExportBatchResultsOperator,
    LlamaCloudRunBatchOperator,
)
from airflow_batch_provider.operators.verify import VerifyExportOperator

SAMPLES = str(Path(__file__).parent / "samples" / "documents")
EXPORTS = "{{ var.value.exports }}/llamacloud/markdown/{{ ds | default(dag_run.run_after | ds) }}"
PARSE = {"job_type": "parse_v2", "configuration_id": "cfg-PARSE_AGENTIC", "deferrable": True, "poll_interval": 10}

with DAG(
    "llamacloud_files_to_markdown",
    schedule=None,
    params={"files": Param(SAMPLES, type="string", description="A folder of files: a path or a URI")},
    default_args={"retries": 3, "retry_delay": timedelta(minutes=5)},
):
    run = LlamaCloudRunBatchOperator(task_id="run", files="{{ params.files }}", **PARSE)
    first = f"{EXPORTS}/first"
    export = LlamaCloudExportBatchResultsOperator(task_id="export", batch_id=run.output["id"], destination=first)
    again = LlamaCloudRunBatchOperator(
        task_id="again", files=FailedItems(first), if_empty="skip", continues=run.output["id"], **PARSE
    )
    second = f"{EXPORTS}/second"
    export_again = LlamaCloudExportBatchResultsOperator(
        task_id="export_again", batch_id=again.output["id"], destination=second
    )
    export >> [VerifyExportOperator(task_id="verify", destination=first), again]
    export_again >> VerifyExportOperator(task_id="verify_again", destination=second)
