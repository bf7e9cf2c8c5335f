"""Wait for a TalkifAI batch calling job, then export its contacts and their conversations.

The wait is deferred, so it takes no worker.

It needs

* the connection `talkifai_default` to TalkifAI, with an organization
* the variable `exports`: the folder of all your exports, such as `file:///data/exports`
* the parameter `job_id`: the job; if it is empty, the newest completed job is exported
"""

from __future__ import annotations

import pendulum
from airflow.sdk import DAG, Param, get_current_context, task

from airflow_batch_provider.hooks.talkifai import TalkifAIHook
from airflow_batch_provider.operators.talkifai import (
    TalkifAIExportContactsOperator,
    TalkifAIExportConversationsOperator,
)
from airflow_batch_provider.sensors.talkifai import TalkifAIBatchJobSensor

with DAG(
    "talkifai_wait_and_export",
    schedule="@daily",
    start_date=pendulum.datetime(2026, 1, 1),
    catchup=False,
    params={"job_id": Param(None, type=["null", "string"], description="Empty for the newest completed one")},
    default_args={"retries": 3},
    tags=["talkifai", "wait", "results"],
    doc_md=__doc__,
):

    @task
    def choose_job() -> str:
        """Return the id of the job to wait for."""
        given: str | None = get_current_context()["params"]["job_id"]
        return given or next(TalkifAIHook().iter_batch_jobs(status="completed"))["id"]

    job_id = choose_job()
    wait = TalkifAIBatchJobSensor(task_id="wait", batch_job_id=job_id, deferrable=True, poke_interval=10)
    contacts = TalkifAIExportContactsOperator(
        task_id="export_contacts",
        batch_job_id=job_id,
        destination="{{ var.value.exports }}/talkifai/contacts/{{ ds | default(dag_run.run_after | ds) }}",
    )
    # Transcripts and analyses are ready some minutes after a call; the task asks for them until then.
    conversations = TalkifAIExportConversationsOperator(
        task_id="export",
        batch_job_id=job_id,
        destination="{{ var.value.exports }}/talkifai/conversations/{{ ds | default(dag_run.run_after | ds) }}",
    )
    wait >> [contacts, conversations]
