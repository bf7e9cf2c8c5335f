"""Export all LlamaCloud batches (v2) that the API key can see, every day.

It needs

* the connection `llamacloud_default` to LlamaCloud
* the variable `exports`: the folder of all your exports, such as `file:///data/exports`
"""

from __future__ import annotations

import pendulum
from airflow.sdk import DAG

from airflow_batch_provider.operators.llamacloud import LlamaCloudExportBatchesOperator

with DAG(
    "llamacloud_batches",
    schedule="@daily",
    start_date=pendulum.datetime(2026, 1, 1),
    catchup=False,
    default_args={"retries": 3},
    tags=["llamacloud", "listing"],
    doc_md=__doc__,
):
    LlamaCloudExportBatchesOperator(
        task_id="export",
        # A run that was triggered without a logical date has no `ds`.
        destination="{{ var.value.exports }}/llamacloud/batches/{{ ds | default(dag_run.run_after | ds) }}",
    )
