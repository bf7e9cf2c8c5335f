"""Waits for every batch of a TELUS/Playment project and exports the jobs of each, by dynamic mapping."""

from __future__ import annotations

import pendulum
from airflow.sdk import DAG, get_current_context, task

from airflow_batch_provider.hooks.playment import PlaymentHook
from airflow_batch_provider.operators.playment import PlaymentExportBatchJobsOperator
from airflow_batch_provider.sensors.playment import PlaymentBatchSensor

with DAG(
    "playment_project_wait_and_export", schedule="@daily", start_date=pendulum.datetime(2026, 1, 1), catchup=False
):

    @task
    def list_batches() -> list[str]:
        """Return the ids of all batches but the default one, which is never closed."""
        return [batch["id"] for batch in PlaymentHook().iter_batches() if not batch["is_default"]]

    @task
    def place(batch_ids: list[str]) -> list[dict[str, str]]:
        """Return batch and destination of each export; the batches are numbered, their ids stay out of paths."""
        context = get_current_context()
        day = context.get("ds") or context["dag_run"].run_after.strftime("%Y-%m-%d")
        folder = f"{{{{ var.value.exports }}}}/playment/project_waited_for/{day}"
        return [
            {"batch_id": batch_id, "destination": f"{folder}/{number:03d}"} for number, batch_id in enumerate(batch_ids)
        ]

    batch_ids = list_batches()
    # A thousand of these take one request per interval: the project's details tell of all its batches.
    wait = PlaymentBatchSensor.partial(task_id="wait", deferrable=True, poke_interval=10).expand(batch_id=batch_ids)
    wait >> PlaymentExportBatchJobsOperator.partial(task_id="export").expand_kwargs(place(batch_ids))
