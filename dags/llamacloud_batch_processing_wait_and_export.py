"""Wait for a LlamaCloud batch processing job (v1 beta), then export its results.

The wait is deferred, so it takes no worker.

It needs

* the connection `llamacloud_default` to LlamaCloud
* the variable `exports`: the folder of all your exports, such as `file:///data/exports`
* the parameter `job_id`: the job; if it is empty, the newest completed job is exported
"""

from __future__ import annotations

import pendulum
from airflow.sdk import DAG, Param, get_current_context, task

from airflow_batch_provider.hooks.llamacloud import LlamaCloudHook
from airflow_batch_provider.operators.llamacloud import LlamaCloudExportBatchProcessingResultsOperator
from airflow_batch_provider.sensors.llamacloud import LlamaCloudBatchProcessingJobSensor

with DAG(
    "llamacloud_batch_processing_wait_and_export",
    schedule="@daily",
    start_date=pendulum.datetime(2026, 1, 1),
    catchup=False,
    params={"job_id": Param(None, type=["null", "string"], description="Empty for the newest completed one")},
    default_args={"retries": 3},
    tags=["llamacloud", "wait", "results"],
    doc_md=__doc__,
):

    @task
    def choose_job() -> str:
        """Return the id of the job to wait for."""
        given: str | None = get_current_context()["params"]["job_id"]
        return given or next(LlamaCloudHook().iter_batch_processing_jobs(status="completed"))["id"]

    job_id = choose_job()
    wait = LlamaCloudBatchProcessingJobSensor(task_id="wait", job_id=job_id, deferrable=True, poke_interval=10)
    wait >> LlamaCloudExportBatchProcessingResultsOperator(
        task_id="export",
        job_id=job_id,
        destination=(
            "{{ var.value.exports }}/llamacloud/processing_results/{{ ds | default(dag_run.run_after | ds) }}"
        ),
    )
