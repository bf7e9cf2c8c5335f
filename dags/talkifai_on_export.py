"""Start when `talkifai_batch_jobs` has exported, verify that export, and count its failed calls.

A run that you trigger yourself takes the latest export.

It needs

* an export by the DAG `talkifai_batch_jobs`; if its destination names a connection, that connection
"""

from __future__ import annotations

from typing import Any

import pendulum
from airflow.sdk import DAG, AssetAlias, get_current_context, task

from airflow_batch_provider.operators.verify import VerifyExportOperator

# Named after the DAG and the task that export. It covers every folder that the task has written.
exported = AssetAlias("talkifai_batch_jobs/export")

with DAG(
    "talkifai_on_export",
    schedule=[exported],
    start_date=pendulum.datetime(2026, 1, 1),
    catchup=False,
    default_args={"retries": 3},
    tags=["talkifai", "event", "mapped"],
    doc_md=__doc__,
):

    @task(inlets=[exported])
    def exports() -> list[str]:
        """Return the destinations of the exports that started this run, or that of the latest export."""
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
