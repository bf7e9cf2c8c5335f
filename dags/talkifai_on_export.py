"""Runs when ``talkifai_batch_jobs`` has exported; checks that very export, then counts the calls that failed in it."""

from __future__ import annotations

from typing import Any

import pendulum
from airflow.sdk import DAG, AssetAlias, get_current_context, task

from airflow_batch_provider.operators.verify import VerifyExportOperator

# The DAG and the task that export. The alias stands for each folder that the task has written.
exported = AssetAlias("talkifai_batch_jobs/export")

with DAG("talkifai_on_export", schedule=[exported], start_date=pendulum.datetime(2026, 1, 1), catchup=False):

    @task(inlets=[exported])
    def exports() -> list[str]:
        """Return the destinations of the exports that this run is for; run by hand, of the latest."""
        context = get_current_context()
        events = context["triggering_asset_events"][exported]
        events = events or [*context["inlet_events"][exported]][-1:]
        return [event.extra["destination"] for event in events]

    @task
    def count_failed_calls(export: dict[str, Any]) -> int:
        """Return how many calls failed in all jobs of an export."""
        from airflow_batch_provider.export import read_export

        return sum(job["failedCalls"] for job in read_export(export["destination"]))

    verify = VerifyExportOperator.partial(task_id="verify").expand(destination=exports())
    count_failed_calls.expand(export=verify.output)
