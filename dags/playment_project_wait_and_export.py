"""Wait for every batch of a TELUS/Playment project, and export the results of each as soon as it is complete.

The waits are deferred, so they take no worker.

It needs

* the connection `playment_default` to TELUS/Playment, with a project
* the variable `exports`: the folder of all your exports, such as `file:///data/exports`
"""

from __future__ import annotations

import pendulum
from airflow.sdk import DAG, Asset, Variable, get_current_context, task, task_group

from airflow_batch_provider.hooks.playment import PlaymentHook
from airflow_batch_provider.operators.playment import PlaymentExportJobResultsOperator
from airflow_batch_provider.operators.verify import VerifyExportOperator
from airflow_batch_provider.sensors.playment import PlaymentBatchSensor

# One asset for all exports; without it there would be one for each day, whose folder is chosen below in Python.
results = Asset("playment_project_results")

with DAG(
    "playment_project_wait_and_export",
    schedule="@daily",
    start_date=pendulum.datetime(2026, 1, 1),
    catchup=False,
    default_args={"retries": 3},
    tags=["playment", "wait", "results", "mapped"],
    doc_md=__doc__,
):

    @task
    def list_batches() -> list[dict[str, str]]:
        """Return batch and destination of each export, without the default batch, which is never closed."""
        from airflow_batch_provider.export import folder_name

        context = get_current_context()
        day = context.get("ds") or context["dag_run"].run_after.strftime("%Y-%m-%d")
        folder = f"{Variable.get('exports')}/playment/project_results/{day}"
        batches = [batch["id"] for batch in PlaymentHook().iter_batches() if not batch["is_default"]]
        return [{"batch_id": batch_id, "destination": f"{folder}/{folder_name(batch_id)}"} for batch_id in batches]

    # Mapped as one: the results of a batch are exported when it is complete, whatever becomes of the others.
    @task_group
    def batch(batch_id: str, destination: str) -> None:
        """Wait for a batch, export its results, and check the export."""
        # A thousand of these take one request per interval: the project's details tell of all its batches.
        wait = PlaymentBatchSensor(task_id="wait", batch_id=batch_id, deferrable=True, poke_interval=10)
        export = PlaymentExportJobResultsOperator(
            task_id="export", batch_id=batch_id, destination=destination, outlets=[results]
        )
        wait >> export >> VerifyExportOperator(task_id="verify", destination=destination)

    batch.expand_kwargs(list_batches())
