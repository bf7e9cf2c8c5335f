"""Has LlamaCloud parse the files of a folder, and exports their Markdown."""

from __future__ import annotations

from pathlib import Path

from airflow.sdk import DAG, Param

from airflow_batch_provider.operators.llamacloud import LlamaCloudExportBatchResultsOperator, LlamaCloudRunBatchOperator
from airflow_batch_provider.operators.verify import VerifyExportOperator

SAMPLES = str(Path(__file__).parent / "samples" / "documents")
DESTINATION = "{{ var.value.exports }}/llamacloud/markdown/{{ ds | default(dag_run.run_after | ds) }}"

with DAG(
    "llamacloud_files_to_markdown",
    params={"files": Param(SAMPLES, type="string", description="A folder of files: a path or a URI")},
    default_args={"retries": 3},
):
    run = LlamaCloudRunBatchOperator(
        task_id="run",
        job_type="parse_v2",
        configuration_id="cfg-PARSE_AGENTIC",
        files="{{ params.files }}",
        deferrable=True,
        poll_interval=10,
    )
    results = LlamaCloudExportBatchResultsOperator(
        task_id="results", batch_id=run.output["batch_id"], destination=DESTINATION
    )
    results >> VerifyExportOperator(task_id="verify", destination=DESTINATION)
