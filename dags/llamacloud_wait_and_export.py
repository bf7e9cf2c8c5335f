"""Wait for a LlamaCloud batch (v2), then export its results and verify the export.

The wait is deferred, so it takes no worker.

It needs

* the connection `llamacloud_default` to LlamaCloud
* the variable `exports`: the folder of all your exports, such as `file:///data/exports`
* the parameter `batch_id`: the batch; if it is empty, the newest completed batch is exported
"""

from __future__ import annotations

import pendulum
from airflow.sdk import DAG, Param, get_current_context, task

from airflow_batch_provider.hooks.llamacloud import LlamaCloudHook
from airflow_batch_provider.operators.llamacloud import LlamaCloudExportBatchResultsOperator
from airflow_batch_provider.operators.verify import VerifyExportOperator
from airflow_batch_provider.sensors.llamacloud import LlamaCloudBatchSensor

with DAG(
    "llamacloud_wait_and_export",
    schedule="@daily",
    start_date=pendulum.datetime(2026, 1, 1),
    catchup=False,
    params={"batch_id": Param(None, type=["null", "string"], description="Empty for the newest completed one")},
    default_args={"retries": 3},
    tags=["llamacloud", "wait", "results"],
    doc_md=__doc__,
):

    @task
    def choose_batch() -> str:
        """Return the id of the batch to wait for."""
        given: str | None = get_current_context()["params"]["batch_id"]
        return given or next(LlamaCloudHook().iter_batches(status="COMPLETED"))["id"]

    batch_id = choose_batch()
    destination = "{{ var.value.exports }}/llamacloud/results/{{ ds | default(dag_run.run_after | ds) }}"
    wait = LlamaCloudBatchSensor(task_id="wait", batch_id=batch_id, deferrable=True, poke_interval=10)
    # Markdown is written to files beside the table; extracted fields are in the rows.
    export = LlamaCloudExportBatchResultsOperator(task_id="export", batch_id=batch_id, destination=destination)
    wait >> export >> VerifyExportOperator(task_id="verify", destination=destination)
