"""Export the jobs of one TELUS/Playment batch, every day.

It needs

* the connection `playment_default` to TELUS/Playment, with a project
* the variable `exports`: the folder of all your exports, such as `file:///data/exports`
* the parameter `batch_id`: the batch; if it is empty, the largest batch of the project is exported
"""

from __future__ import annotations

import pendulum
from airflow.sdk import DAG, Param, get_current_context, task

from airflow_batch_provider.hooks.playment import PlaymentHook
from airflow_batch_provider.operators.playment import PlaymentExportBatchJobsOperator

with DAG(
    "playment_batch_jobs",
    schedule="@daily",
    start_date=pendulum.datetime(2026, 1, 1),
    catchup=False,
    params={"batch_id": Param(None, type=["null", "string"], description="Empty for the largest batch")},
    default_args={"retries": 3},
    tags=["playment", "listing"],
    doc_md=__doc__,
):

    @task
    def choose_batch() -> str:
        """Return the id of the batch to export."""
        given: str | None = get_current_context()["params"]["batch_id"]
        return given or max(PlaymentHook().iter_batches(), key=lambda batch: batch["total_jobs"])["id"]

    PlaymentExportBatchJobsOperator(
        task_id="export",
        batch_id=choose_batch(),
        # A run that was triggered without a logical date has no `ds`.
        destination="{{ var.value.exports }}/playment/batch_jobs/{{ ds | default(dag_run.run_after | ds) }}",
    )
