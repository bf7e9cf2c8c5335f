"""Export all batch calling jobs of a TalkifAI organization, every day.

It needs

* the connection `talkifai_default` to TalkifAI, with an organization
* the variable `exports`: the folder of all your exports, such as `file:///data/exports`
"""

from __future__ import annotations

import pendulum
from airflow.sdk import DAG

from airflow_batch_provider.operators.talkifai import TalkifAIExportBatchJobsOperator

with DAG(
    "talkifai_batch_jobs",
    schedule="@daily",
    start_date=pendulum.datetime(2026, 1, 1),
    catchup=False,
    default_args={"retries": 3},
    tags=["talkifai", "listing"],
    doc_md=__doc__,
):
    TalkifAIExportBatchJobsOperator(
        task_id="export",
        # A run that was triggered without a logical date has no `ds`.
        destination="{{ var.value.exports }}/talkifai/batch_jobs/{{ ds | default(dag_run.run_after | ds) }}",
    )
