"""Let LlamaCloud parse the files of a folder, export their Markdown, and submit failed files once more.

It needs

* the connection `llamacloud_default` to LlamaCloud
* the variable `exports`: the folder of all your exports, such as `file:///data/exports`
* the parameter `files`: a folder of files, by default the sample documents in `dags/samples`
"""

from __future__ import annotations

from pathlib import Path

from airflow.sdk import DAG, Param

from airflow_batch_provider.export.failed_items import FailedItems
from airflow_batch_provider.operators.llamacloud import LlamaCloudExportBatchResultsOperator, LlamaCloudRunBatchOperator

SAMPLES = str(Path(__file__).parent / "samples" / "documents")
DESTINATION = "{{ var.value.exports }}/llamacloud/submitted_again/{{ ds | default(dag_run.run_after | ds) }}"
PARSE = {"job_type": "parse_v2", "configuration_id": "cfg-PARSE_AGENTIC", "deferrable": True, "poll_interval": 10}

with DAG(
    "llamacloud_submit_failed_again",
    params={"files": Param(SAMPLES, type="string", description="A folder of files: a path or a URI")},
    default_args={"retries": 3},
    tags=["llamacloud", "submit", "results"],
    doc_md=__doc__,
):
    run = LlamaCloudRunBatchOperator(task_id="run", files="{{ params.files }}", **PARSE)
    first, second = f"{DESTINATION}/first", f"{DESTINATION}/second"
    results = LlamaCloudExportBatchResultsOperator(
        task_id="results", batch_id=run.output["batch_id"], destination=first
    )
    # Skipped if no file failed. The description of the second batch's directory names the first batch.
    again = LlamaCloudRunBatchOperator(
        task_id="again", files=FailedItems(first), if_empty="skip", continues=run.output["batch_id"], **PARSE
    )
    results >> again
    LlamaCloudExportBatchResultsOperator(task_id="results_again", batch_id=again.output["batch_id"], destination=second)
