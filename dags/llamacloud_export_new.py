"""Exports each hour what finished since: LlamaCloud batches (v2) that were not exported yet, or changed after that."""

from __future__ import annotations

import pendulum
from airflow.sdk import DAG

from airflow_batch_provider.operators.llamacloud import (
    LlamaCloudExportBatchResultsOperator,
    LlamaCloudFinishedBatchesOperator,
)

with DAG(
    "llamacloud_export_new",
    schedule="@hourly",
    start_date=pendulum.datetime(2026, 1, 1),
    catchup=False,  # a run exports whatever is new, however long ago it finished
):
    # The manifests below this folder are the memory, so it is the same for every run.
    find = LlamaCloudFinishedBatchesOperator(
        task_id="find", exports="{{ var.value.exports }}/llamacloud/new_results", limit=10
    )
    LlamaCloudExportBatchResultsOperator.partial(
        task_id="export", if_exists="refresh", retries=3, max_active_tis_per_dag=4
    ).expand_kwargs(find.output)
