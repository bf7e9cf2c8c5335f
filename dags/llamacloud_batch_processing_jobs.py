"""Every day, all LlamaCloud batch processing jobs (v1 beta) that the key may see."""

from __future__ import annotations

import pendulum
from airflow.sdk import DAG

from airflow_batch_provider.operators.llamacloud import LlamaCloudExportBatchProcessingJobsOperator

with DAG(
    "llamacloud_batch_processing_jobs",
    schedule="@daily",
    start_date=pendulum.datetime(2026, 1, 1),
    catchup=False,
):
    LlamaCloudExportBatchProcessingJobsOperator(
        task_id="export",
        # A run triggered by hand has no logical date, so no `ds`.
        destination=(
            "{{ var.value.exports }}/llamacloud/batch_processing_jobs/{{ ds | default(dag_run.run_after | ds) }}"
        ),
    )
