"""Let TELUS/Playment annotate images, export the annotations and verify the export.

A project accepts each `reference_id` once. A second run with the same file fails and names those that exist.

It needs

* the connection `playment_default` to TELUS/Playment, with a project
* the variable `exports`: the folder of all your exports, such as `file:///data/exports`
* the variable `playment_work_flow_id`: the workflow of your project; without it, the sandbox's
* the parameter `jobs`: a JSONL file of jobs, by default `dags/samples/images.jsonl`
"""

from __future__ import annotations

from pathlib import Path

from airflow.sdk import DAG, Param

from airflow_batch_provider.operators.playment import PlaymentExportJobResultsOperator, PlaymentRunBatchOperator
from airflow_batch_provider.operators.verify import VerifyExportOperator

SAMPLES = str(Path(__file__).parent / "samples" / "images.jsonl")
DESTINATION = "{{ var.value.exports }}/playment/annotations/{{ ds | default(dag_run.run_after | ds) }}"
SANDBOX = "14e02f60-e1a5-40bc-8d00-000000000000"

with DAG(
    "playment_images_to_annotations",
    params={"jobs": Param(SAMPLES, type="string", description="A JSONL file of jobs: a path or a URI")},
    default_args={"retries": 3},
    tags=["playment", "submit", "results"],
    doc_md=__doc__,
):
    annotate = PlaymentRunBatchOperator(
        task_id="annotate",
        name="Street scenes {{ ds | default(dag_run.run_after | ds) }}",
        jobs="{{ params.jobs }}",
        work_flow_id="{{ var.value.get('playment_work_flow_id', '" + SANDBOX + "') }}",
        deferrable=True,
        poll_interval=10,
    )
    results = PlaymentExportJobResultsOperator(
        task_id="results", batch_id=annotate.output["batch_id"], destination=DESTINATION
    )
    results >> VerifyExportOperator(task_id="verify", destination=DESTINATION)
