"""Waits for a LlamaCloud batch (v2), in the triggerer, exports all completed batches, and reads the export back."""

from __future__ import annotations

import pendulum
from airflow.sdk import DAG, Param, get_current_context, task

from airflow_batch_provider.hooks.llamacloud import LlamaCloudHook
from airflow_batch_provider.operators.llamacloud import LlamaCloudExportBatchesOperator
from airflow_batch_provider.operators.verify import VerifyExportOperator
from airflow_batch_provider.sensors.llamacloud import LlamaCloudBatchSensor

with DAG(
    "llamacloud_wait_and_export",
    schedule="@daily",
    start_date=pendulum.datetime(2026, 1, 1),
    catchup=False,
    params={"batch_id": Param(None, type=["null", "string"], description="Empty for the first one listed")},
):

    @task
    def choose_batch() -> str:
        """Return the id of the batch to wait for."""
        given: str | None = get_current_context()["params"]["batch_id"]
        return given or next(LlamaCloudHook().iter_batches())["id"]

    wait = LlamaCloudBatchSensor(task_id="wait", batch_id=choose_batch(), deferrable=True, poke_interval=10)
    export = LlamaCloudExportBatchesOperator(
        task_id="export",
        status="COMPLETED",
        destination="{{ var.value.exports }}/llamacloud/completed/{{ ds | default(dag_run.run_after | ds) }}",
    )
    verify = VerifyExportOperator(task_id="verify", destination="{{ ti.xcom_pull(task_ids='export')['destination'] }}")
    wait >> export >> verify
