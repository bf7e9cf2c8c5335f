"""Export the jobs of every batch of a TELUS/Playment project, every day, with one mapped task for each batch.

It needs

* the connection `playment_default` to TELUS/Playment, with a project
* the variable `exports`: the folder of all your exports, such as `file:///data/exports`
"""

from __future__ import annotations

import pendulum
from airflow.sdk import DAG, task

from airflow_batch_provider.hooks.playment import PlaymentHook
from airflow_batch_provider.operators.playment import PlaymentExportBatchJobsOperator

with DAG(
    "playment_project_jobs",
    schedule="@daily",
    start_date=pendulum.datetime(2026, 1, 1),
    catchup=False,
    default_args={"retries": 3},
    tags=["playment", "listing", "mapped"],
    doc_md=__doc__,
):

    @task
    def list_batches() -> list[dict[str, str]]:
        """Return the batch and the destination of each export; folders are named after the batches."""
        from airflow_batch_provider.export import folder_name

        # The day is a template, so that the asset of these exports is the folder above the days.
        day = "{{ ds | default(dag_run.run_after | ds) }}"
        folder = f"{{{{ var.value.exports }}}}/playment/project_jobs/{day}"
        return [
            {"batch_id": batch["id"], "destination": f"{folder}/{folder_name(batch['id'])}"}
            for batch in PlaymentHook().iter_batches()
        ]

    PlaymentExportBatchJobsOperator.partial(task_id="export").expand_kwargs(list_batches())
