"""Has TalkifAI call the contacts of a file, each once, and exports the transcripts of their conversations."""

from __future__ import annotations

from pathlib import Path

from airflow.sdk import DAG, Param

from airflow_batch_provider.operators.talkifai import TalkifAIExportConversationsOperator, TalkifAIRunBatchJobOperator
from airflow_batch_provider.operators.verify import VerifyExportOperator

SAMPLES = str(Path(__file__).parent / "samples" / "contacts.csv")
DESTINATION = "{{ var.value.exports }}/talkifai/transcripts/{{ ds | default(dag_run.run_after | ds) }}"

with DAG(
    "talkifai_contacts_to_transcripts",
    params={"contacts": Param(SAMPLES, type="string", description="A CSV or JSONL file: a path or a URI")},
    default_args={"retries": 3},
):
    call = TalkifAIRunBatchJobOperator(
        task_id="call",
        name="Renewals",
        contacts="{{ params.contacts }}",
        from_phone_number_id="{{ var.value.get('talkifai_phone_number_id', 'phone_0') }}",
        max_items=1000,
        deferrable=True,
        poll_interval=10,
    )
    results = TalkifAIExportConversationsOperator(
        task_id="results", batch_job_id=call.output["batch_id"], destination=DESTINATION
    )
    results >> VerifyExportOperator(task_id="verify", destination=DESTINATION)
