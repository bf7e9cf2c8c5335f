"""Every day, the jobs of one TELUS/Playment batch: the one given when triggered, else the project's largest."""

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
):

    @task
    def choose_batch() -> str:
        """Return the id of the batch to export."""
        given: str | None = get_current_context()["params"]["batch_id"]
        return given or max(PlaymentHook().iter_batches(), key=lambda batch: batch["total_jobs"])["id"]

    PlaymentExportBatchJobsOperator(
        task_id="export",
        batch_id=choose_batch(),
        # A run triggered by hand has no logical date, so no `ds`.
        destination="{{ var.value.exports }}/playment/batch_jobs/{{ ds | default(dag_run.run_after | ds) }}",
    )
