"""Has TalkifAI call the contacts of a CSV file, each once, and exports the transcripts of their conversations."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from airflow.sdk import DAG, Param

from airflow_batch_provider.operators.talkifai import TalkifAIExportConversationsOperator, TalkifAIRunBatchJobOperator
from airflow_batch_provider.operators.verify import VerifyExportOperator

SAMPLES = str(Path(__file__).parent / "samples" / "contacts.csv")

with DAG(
    "talkifai_contacts_to_transcripts",
    schedule=None,
    params={
        "contacts": Param(SAMPLES, type="string", description="A CSV or JSONL file: a path or a URI"),
        "from_phone_number_id": Param("phone_0", type="string", description="The number to call from"),
    },
    default_args={"retries": 3, "retry_delay": timedelta(minutes=5)},
):
    call = TalkifAIRunBatchJobOperator(
        task_id="call",
        name="Renewals",
        contacts="{{ params.contacts }}",
        from_phone_number_id="{{ params.from_phone_number_id }}",
        max_items=1000,
        deferrable=True,
        poll_interval=10,
    )
    destination = "{{ var.value.exports }}/talkifai/transcripts/{{ ds | default(dag_run.run_after | ds) }}"
    export = TalkifAIExportConversationsOperator(
        task_id="export", batch_job_id=call.output["id"], destination=destination
    )
    export >> VerifyExportOperator(task_id="verify", destination=destination)
