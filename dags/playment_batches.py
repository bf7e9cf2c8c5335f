"""Every day, all batches of a TELUS/Playment project; the project is that of the connection."""

from __future__ import annotations

import pendulum
from airflow.sdk import DAG

from airflow_batch_provider.operators.playment import PlaymentExportBatchesOperator

with DAG("playment_batches", schedule="@daily", start_date=pendulum.datetime(2026, 1, 1), catchup=False):
    PlaymentExportBatchesOperator(
        task_id="export",
        # A run triggered by hand has no logical date, so no `ds`.
        destination="{{ var.value.exports }}/playment/batches/{{ ds | default(dag_run.run_after | ds) }}",
    )
