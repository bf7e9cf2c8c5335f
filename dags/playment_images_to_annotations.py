"""Has TELUS/Playment annotate images, and exports the annotations."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from airflow.sdk import DAG, Param

from airflow_batch_provider.operators.playment import PlaymentExportJobResultsOperator, PlaymentRunBatchOperator
from airflow_batch_provider.operators.verify import VerifyExportOperator

SAMPLES = str(Path(__file__).parent / "samples" / "images.jsonl")
SANDBOX_WORKFLOW = "14e02f60-e1a5-40bc-8d00-000000000000"

with DAG(
    "playment_images_to_annotations",
    schedule=None,
    params={
        "jobs": Param(SAMPLES, type="string", description="A JSONL file of jobs: a path or a URI"),
        "work_flow_id": Param(SANDBOX_WORKFLOW, type="string", description="The workflow; by default the sandbox's"),
    },
    default_args={"retries": 3, "retry_delay": timedelta(minutes=5)},
):
    annotate = PlaymentRunBatchOperator(
        task_id="annotate",
        name="Street scenes {{ ds | default(dag_run.run_after | ds) }}",
        jobs="{{ params.jobs }}",
        work_flow_id="{{ params.work_flow_id }}",
        deferrable=True,
        poll_interval=10,
    )
    destination = "{{ var.value.exports }}/playment/annotations/{{ ds | default(dag_run.run_after | ds) }}"
    export = PlaymentExportJobResultsOperator(task_id="export", batch_id=annotate.output["id"], destination=destination)
    export >> VerifyExportOperator(task_id="verify", destination=destination)
