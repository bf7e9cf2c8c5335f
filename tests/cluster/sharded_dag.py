"""Exports the results of one batch by several tasks, each a share of its items."""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG

from airflow_batch_provider.operators.llamacloud import LlamaCloudExportBatchResultsOperator
from dev.bench.batch import BATCH_ID

SHARDS = 4

with DAG("sharded", schedule=None):
    LlamaCloudExportBatchResultsOperator.partial(
        task_id="export",
        batch_id=BATCH_ID,
        destination="{{ var.value.exports }}/sharded/{{ ti.map_index }}",
        llamacloud_conn_id="sharded",
        rows_per_part=50,
        retries=3,
        retry_delay=timedelta(seconds=5),
    ).expand(shard=[f"{number}/{SHARDS}" for number in range(1, SHARDS + 1)])
