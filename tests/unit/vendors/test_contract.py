"""The three vendors pass the contract that vendors of other packages are given."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

from airflow_batch_provider.get_provider_info import get_provider_info
from airflow_batch_provider.hooks import llamacloud as llamacloud_hook
from airflow_batch_provider.hooks import playment as playment_hook
from airflow_batch_provider.hooks import talkifai as talkifai_hook
from airflow_batch_provider.operators import llamacloud as llamacloud_operators
from airflow_batch_provider.operators import playment as playment_operators
from airflow_batch_provider.operators import talkifai as talkifai_operators
from airflow_batch_provider.sandbox import Settings, serve
from airflow_batch_provider.sensors import llamacloud as llamacloud_sensors
from airflow_batch_provider.sensors import playment as playment_sensors
from airflow_batch_provider.sensors import talkifai as talkifai_sensors
from airflow_batch_provider.testing import connections, vendor_contract
from airflow_batch_provider.vendors import (
    llamacloud,
    llamacloud_directories,
    llamacloud_parse,
    llamacloud_results,
    llamacloud_submission,
    playment,
    playment_results,
    playment_submission,
    talkifai,
    talkifai_results,
    talkifai_submission,
)
from tests.unit.vendors.samples import ANSWERS, ERRORS

ROOT = Path(__file__).parents[3]
DOCUMENT = str(ROOT / "dags/samples/documents/letter.txt")
JOBS = [{"reference_id": f"r{number}", "data": {"image_url": "https://x.example/1.png"}} for number in (1, 2)]
CONTACTS = [{"phone": "+14155550101", "name": "N"}, {"phone": "+14155550102", "name": "M"}]
PARSE = {"job_name": "parse_raw_file_job", "partitions": {}, "parameters": {"type": "parse"}}
LANDING: dict[str, Any] = {}
"""What the sandbox that runs now says of itself: the ids of finished batches."""


def fake(vendor: str) -> Callable[[], AbstractContextManager[Mapping[str, Any]]]:
    """Return what runs a new sandbox, as one vendor's server."""

    @contextmanager
    def sandbox() -> Iterator[Mapping[str, Any]]:
        with serve(Settings(jobs=12, run_seconds=0, late=0)) as running:
            LANDING.update(running.how_to["results"])
            yield json.loads(connections(running)[f"AIRFLOW_CONN_{vendor.upper()}_DEFAULT"])

    return sandbox


def given(vendor: str) -> dict[str, Any]:
    return {
        "answers": ANSWERS[vendor],
        "errors": ERRORS[vendor],
        "provider_info": get_provider_info,
        "serve": fake(vendor),
    }


TestPlayment = vendor_contract(
    playment.VENDOR,
    playment,
    playment_results,
    playment_submission,
    playment_hook,
    playment_operators,
    playment_sensors,
    runs=[
        lambda: playment_operators.PlaymentRunBatchOperator(task_id="run", name="Cats", jobs=JOBS, work_flow_id="w"),
    ],
    exports=[
        lambda folder: playment_operators.PlaymentExportBatchesOperator(task_id="export", destination=folder),
        lambda folder: playment_operators.PlaymentExportJobResultsOperator(
            task_id="export", batch_id=LANDING["playment.batch_jobs"]["batch_id"], destination=folder
        ),
    ],
    **given("playment"),
)
TestLlamaCloud = vendor_contract(
    llamacloud.VENDOR,
    llamacloud,
    llamacloud_directories,
    llamacloud_parse,
    llamacloud_results,
    llamacloud_submission,
    llamacloud_hook,
    llamacloud_operators,
    llamacloud_sensors,
    runs=[
        lambda: llamacloud_operators.LlamaCloudRunBatchOperator(
            task_id="run", files=[DOCUMENT], job_type="parse_v2", configuration_id="cfg-PARSE_AGENTIC"
        ),
        lambda: llamacloud_operators.LlamaCloudRunBatchProcessingJobOperator(
            task_id="run", files=[DOCUMENT], job_config=PARSE
        ),
    ],
    exports=[
        lambda folder: llamacloud_operators.LlamaCloudExportBatchesOperator(task_id="export", destination=folder),
        lambda folder: llamacloud_operators.LlamaCloudExportBatchProcessingJobsOperator(
            task_id="export", destination=folder
        ),
        lambda folder: llamacloud_operators.LlamaCloudExportBatchResultsOperator(
            task_id="export", batch_id=LANDING["llamacloud.batches (parse)"]["batch_id"], destination=folder
        ),
        lambda folder: llamacloud_operators.LlamaCloudExportBatchProcessingResultsOperator(
            task_id="export", job_id=LANDING["llamacloud.batch_processing_jobs"]["id"], destination=folder
        ),
    ],
    **given("llamacloud"),
)
TestTalkifAI = vendor_contract(
    talkifai.VENDOR,
    talkifai,
    talkifai_results,
    talkifai_submission,
    talkifai_hook,
    talkifai_operators,
    talkifai_sensors,
    runs=[
        lambda: talkifai_operators.TalkifAIRunBatchJobOperator(
            task_id="run", name="Renewals", contacts=CONTACTS, from_phone_number_id="phone_0"
        ),
    ],
    exports=[
        lambda folder: talkifai_operators.TalkifAIExportBatchJobsOperator(task_id="export", destination=folder),
        lambda folder: talkifai_operators.TalkifAIExportConversationsOperator(
            task_id="export", batch_job_id=LANDING["talkifai.batch_jobs"]["batch_job_id"], destination=folder
        ),
    ],
    **given("talkifai"),
)
