"""Has contacts called, each once, and exports the transcripts: what the example does, over a connection of its own."""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG

from airflow_batch_provider.operators.talkifai import TalkifAIExportConversationsOperator, TalkifAIRunBatchJobOperator

CONTACTS = [{"phone": f"+1415555{number:04d}", "name": f"Contact {number}"} for number in range(1000, 1020)]
AGAIN = {"retries": 3, "retry_delay": timedelta(seconds=5)}

with DAG("submitting", schedule=None, default_args={**AGAIN, "talkifai_conn_id": "submitting"}):
    call = TalkifAIRunBatchJobOperator(
        task_id="call",
        name="Renewals",
        contacts=CONTACTS,
        from_phone_number_id="phone_0",
        deferrable=True,
        poll_interval=2,
    )
    TalkifAIExportConversationsOperator(
        task_id="results", batch_job_id=call.output["batch_id"], destination="{{ var.value.exports }}/submitted"
    )
