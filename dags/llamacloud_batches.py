"""Every day, all LlamaCloud batches (v2) that the key may see."""

from __future__ import annotations

import pendulum
from airflow.sdk import DAG

from airflow_batch_provider.operators.llamacloud import LlamaCloudExportBatchesOperator

with DAG("llamacloud_batches", schedule="@daily", start_date=pendulum.datetime(2026, 1, 1), catchup=False):
    LlamaCloudExportBatchesOperator(
        task_id="export",
        # A run triggered by hand has no logical date, so no `ds`.
        destination="{{ var.value.exports }}/llamacloud/batches/{{ ds | default(dag_run.run_after | ds) }}",
    )
