"""Wait until a TELUS/Playment project is complete, then export the jobs of each of its batches and verify each export.

The wait is deferred, so it takes no worker.

It needs

* the connection `playment_default` to TELUS/Playment, with a project
* the variable `exports`: the folder of all your exports, such as `file:///data/exports`
"""

from __future__ import annotations

import pendulum
from airflow.sdk import DAG, Asset, Variable, get_current_context, task, task_group

from airflow_batch_provider.hooks.playment import PlaymentHook
from airflow_batch_provider.operators.playment import PlaymentExportBatchJobsOperator
from airflow_batch_provider.operators.verify import VerifyExportOperator
from airflow_batch_provider.sensors.playment import PlaymentProjectSensor

# One asset for all exports; without it there would be one for each day, whose folder is chosen below in Python.
jobs = Asset("playment_pipeline_jobs")

with DAG(
    "playment_pipeline",
    schedule="@daily",
    start_date=pendulum.datetime(2026, 1, 1),
    catchup=False,
    # If a worker dies, the retry resumes the export.
    default_args={"retries": 3},
    tags=["playment", "wait", "listing", "mapped"],
    doc_md=__doc__,
):
    wait = PlaymentProjectSensor(task_id="wait", deferrable=True, poke_interval=10)

    @task
    def list_batches() -> list[dict[str, str]]:
        """Return the batch and the destination of each export; folders are named after the batches."""
        from airflow_batch_provider.export import folder_name

        context = get_current_context()
        day = context.get("ds") or context["dag_run"].run_after.strftime("%Y-%m-%d")
        folder = f"{Variable.get('exports')}/playment/pipeline/{day}"
        batches = [batch["id"] for batch in PlaymentHook().iter_batches() if not batch["is_default"]]
        return [{"batch_id": batch_id, "destination": f"{folder}/{folder_name(batch_id)}"} for batch_id in batches]

    # A mapped group: each export is verified as soon as it is done, even if others fail.
    @task_group
    def batch(batch_id: str, destination: str) -> None:
        """Export a batch, then check the export."""
        export = PlaymentExportBatchJobsOperator(
            task_id="export", batch_id=batch_id, destination=destination, outlets=[jobs]
        )
        export >> VerifyExportOperator(task_id="verify", destination=destination)

    batches = list_batches()
    wait >> batches
    batch.expand_kwargs(batches)
