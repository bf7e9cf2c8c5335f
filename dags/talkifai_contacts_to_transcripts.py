"""Let TalkifAI call the contacts of a file, export the transcripts and verify the export.

Each contact is called once, even if the task is killed and retried.

It needs

* the connection `talkifai_default` to TalkifAI, with an organization
* the variable `exports`: the folder of all your exports, such as `file:///data/exports`
* the variable `talkifai_phone_number_id`: the number that calls; without it, the sandbox's
* the parameter `contacts`: a CSV or JSONL file, by default `dags/samples/contacts.csv`
"""

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
    tags=["talkifai", "submit", "results"],
    doc_md=__doc__,
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
