"""Start when a TELUS/Playment batch finishes, and export its results.

A run may be for several batches; a run that you trigger yourself is for none.

It needs

* the connection `playment_default` to TELUS/Playment, with a project
* the variable `exports`: the folder of all your exports, such as `file:///data/exports`
* a running triggerer, which watches the project
"""

from __future__ import annotations

import pendulum
from airflow.sdk import DAG, Asset, AssetWatcher, get_current_context, task

from airflow_batch_provider.operators.playment import PlaymentExportJobResultsOperator
from airflow_batch_provider.triggers.batch import BatchFinishedEventTrigger

finished = Asset(
    "playment_finished_batches",
    watchers=[
        AssetWatcher(
            name="playment_batches",
            trigger=BatchFinishedEventTrigger(
                kind="playment.batch", connection_id="playment_default", poll_interval=30
            ),
        )
    ],
)

with DAG(
    "playment_on_finished_batch",
    schedule=[finished],
    start_date=pendulum.datetime(2026, 1, 1),
    catchup=False,
    default_args={"retries": 3},
    tags=["playment", "results", "event", "mapped"],
    doc_md=__doc__,
):

    @task
    def finished_batches() -> list[dict[str, str]]:
        """Return the batch and the destination of each export; one run may have several events, also of one batch."""
        from airflow_batch_provider.export import folder_name

        context = get_current_context()
        folder = "{{ var.value.exports }}/playment/finished/{{ dag_run.run_after | ts_nodash }}"
        batches = dict.fromkeys(event.extra["payload"]["id"] for event in context["triggering_asset_events"][finished])
        return [{"batch_id": batch_id, "destination": f"{folder}/{folder_name(batch_id)}"} for batch_id in batches]

    PlaymentExportJobResultsOperator.partial(task_id="export").expand_kwargs(finished_batches())
