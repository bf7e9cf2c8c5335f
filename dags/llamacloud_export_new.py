"""Every hour, export the results of LlamaCloud batches (v2) that have finished or changed since their last export.

It does not matter who started a batch.

It needs

* the connection `llamacloud_default` to LlamaCloud
* the variable `exports`: the folder of all your exports, such as `file:///data/exports`
"""

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
    catchup=False,  # one run exports everything that is new, so missed runs need no repeating
    default_args={"retries": 3},
    tags=["llamacloud", "results", "only-new"],
    doc_md=__doc__,
):
    # Batches are compared with the exports below this folder, so every run must use the same one.
    find = LlamaCloudFinishedBatchesOperator(
        task_id="find", exports="{{ var.value.exports }}/llamacloud/new_results", limit=10
    )
    LlamaCloudExportBatchResultsOperator.partial(
        task_id="export", if_exists="refresh", max_active_tis_per_dag=4
    ).expand_kwargs(find.output)
