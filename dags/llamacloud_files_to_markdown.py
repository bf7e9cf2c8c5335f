"""Let LlamaCloud parse the files of a folder, export their Markdown and verify the export.

It needs

* the connection `llamacloud_default` to LlamaCloud
* the variable `exports`: the folder of all your exports, such as `file:///data/exports`
* the parameter `files`: a folder of files, by default the sample documents in `dags/samples`
"""

from __future__ import annotations

from pathlib import Path

from airflow.sdk import DAG, Param

from airflow_batch_provider.operators.llamacloud import LlamaCloudExportBatchResultsOperator, LlamaCloudRunBatchOperator
from airflow_batch_provider.operators.verify import VerifyExportOperator

SAMPLES = str(Path(__file__).parent / "samples" / "documents")
DESTINATION = "{{ var.value.exports }}/llamacloud/markdown/{{ ds | default(dag_run.run_after | ds) }}"

with DAG(
    "llamacloud_files_to_markdown",
    params={"files": Param(SAMPLES, type="string", description="A folder of files: a path or a URI")},
    default_args={"retries": 3},
    tags=["llamacloud", "submit", "results"],
    doc_md=__doc__,
):
    run = LlamaCloudRunBatchOperator(
        task_id="run",
        job_type="parse_v2",
        configuration_id="cfg-PARSE_AGENTIC",
        files="{{ params.files }}",
        deferrable=True,
        poll_interval=10,
    )
    results = LlamaCloudExportBatchResultsOperator(
        task_id="results", batch_id=run.output["batch_id"], destination=DESTINATION
    )
    results >> VerifyExportOperator(task_id="verify", destination=DESTINATION)
