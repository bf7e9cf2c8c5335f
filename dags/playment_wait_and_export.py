"""Wait for a TELUS/Playment batch, then export its annotations and masks.

The wait is deferred, so it takes no worker.

It needs

* the connection `playment_default` to TELUS/Playment, with a project
* the variable `exports`: the folder of all your exports, such as `file:///data/exports`
* the parameter `batch_id`: the batch; if it is empty, the largest batch of the project is exported
"""

from __future__ import annotations

import pendulum
from airflow.sdk import DAG, Param, get_current_context, task

from airflow_batch_provider.hooks.playment import PlaymentHook
from airflow_batch_provider.operators.playment import PlaymentExportJobResultsOperator
from airflow_batch_provider.sensors.playment import PlaymentBatchSensor

with DAG(
    "playment_wait_and_export",
    schedule="@daily",
    start_date=pendulum.datetime(2026, 1, 1),
    catchup=False,
    params={"batch_id": Param(None, type=["null", "string"], description="Empty for the largest batch")},
    default_args={"retries": 3},
    tags=["playment", "wait", "results"],
    doc_md=__doc__,
):

    @task
    def choose_batch() -> str:
        """Return the id of the batch to wait for."""
        given: str | None = get_current_context()["params"]["batch_id"]
        return given or max(PlaymentHook().iter_batches(), key=lambda batch: batch["total_jobs"])["id"]

    batch_id = choose_batch()
    wait = PlaymentBatchSensor(task_id="wait", batch_id=batch_id, deferrable=True, poke_interval=10)
    wait >> PlaymentExportJobResultsOperator(
        task_id="export",
        batch_id=batch_id,
        files=["result", "masks"],
        destination="{{ var.value.exports }}/playment/results/{{ ds | default(dag_run.run_after | ds) }}",
    )
