"""Waits for a TalkifAI batch calling job, in the triggerer, then exports all completed jobs."""

from __future__ import annotations

import pendulum
from airflow.sdk import DAG, Param, get_current_context, task

from airflow_batch_provider.hooks.talkifai import TalkifAIHook
from airflow_batch_provider.operators.talkifai import TalkifAIExportBatchJobsOperator
from airflow_batch_provider.sensors.talkifai import TalkifAIBatchJobSensor

with DAG(
    "talkifai_wait_and_export",
    schedule="@daily",
    start_date=pendulum.datetime(2026, 1, 1),
    catchup=False,
    params={"job_id": Param(None, type=["null", "string"], description="Empty for the first one listed")},
):

    @task
    def choose_job() -> str:
        """Return the id of the job to wait for."""
        given: str | None = get_current_context()["params"]["job_id"]
        return given or next(TalkifAIHook().iter_batch_jobs())["id"]

    wait = TalkifAIBatchJobSensor(task_id="wait", batch_job_id=choose_job(), deferrable=True, poke_interval=10)
    wait >> TalkifAIExportBatchJobsOperator(
        task_id="export",
        status="completed",
        destination="{{ var.value.exports }}/talkifai/completed/{{ ds | default(dag_run.run_after | ds) }}",
    )
