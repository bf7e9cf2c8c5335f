"""Every day, all batch calling jobs of a TalkifAI organization; the organization is that of the connection."""

from __future__ import annotations

import pendulum
from airflow.sdk import DAG

from airflow_batch_provider.operators.talkifai import TalkifAIExportBatchJobsOperator

with DAG("talkifai_batch_jobs", schedule="@daily", start_date=pendulum.datetime(2026, 1, 1), catchup=False):
    TalkifAIExportBatchJobsOperator(
        task_id="export",
        # A run triggered by hand has no logical date, so no `ds`.
        destination="{{ var.value.exports }}/talkifai/batch_jobs/{{ ds | default(dag_run.run_after | ds) }}",
    )
