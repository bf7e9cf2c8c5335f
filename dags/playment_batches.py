"""Export all batches of a TELUS/Playment project, every day.

It needs

* the connection `playment_default` to TELUS/Playment, with a project
* the variable `exports`: the folder of all your exports, such as `file:///data/exports`
"""

from __future__ import annotations

import pendulum
from airflow.sdk import DAG

from airflow_batch_provider.operators.playment import PlaymentExportBatchesOperator

with DAG(
    "playment_batches",
    schedule="@daily",
    start_date=pendulum.datetime(2026, 1, 1),
    catchup=False,
    default_args={"retries": 3},
    tags=["playment", "listing"],
    doc_md=__doc__,
):
    PlaymentExportBatchesOperator(
        task_id="export",
        # A run that was triggered without a logical date has no `ds`.
        destination="{{ var.value.exports }}/playment/batches/{{ ds | default(dag_run.run_after | ds) }}",
    )
