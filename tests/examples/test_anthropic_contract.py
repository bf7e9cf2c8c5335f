"""Anthropic's message batches pass the vendor contract."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from airflow_batch_provider.exceptions import AuthenticationError, PaymentRequiredError
from airflow_batch_provider.testing import vendor_contract
from anthropic_batches import batches
from anthropic_batches.provider_info import VENDOR, get_provider_info
from tests.examples import anthropic_api
from tests.examples.cases import CASES, IDS

CASE = CASES["anthropic"]
BATCH = {
    "id": "msgbatch_1",
    "type": "message_batch",
    "processing_status": "ended",
    "request_counts": {"processing": 0, "succeeded": 2, "errored": 1, "canceled": 0, "expired": 1},
    "created_at": "2026-03-01T18:37:24.100435Z",
    "ended_at": "2026-03-01T18:40:24.100435Z",
    "results_url": "https://api.anthropic.com/v1/messages/batches/msgbatch_1/results",
}


@contextmanager
def fake() -> Iterator[Mapping[str, Any]]:
    """Run a fake of the API that has a batch, whose results are there."""
    with anthropic_api.serving() as workspace:
        workspace.end(workspace.add(CASE.rows(*IDS)))
        yield {"host": workspace.server.url, "password": anthropic_api.KEY}


def error(kind: str, message: str) -> dict[str, Any]:
    return {"type": "error", "error": {"type": kind, "message": message}}


TestAnthropic = vendor_contract(
    VENDOR,
    batches,
    answers={
        "anthropic_batches.batches": [{"data": [BATCH], "has_more": True, "last_id": "msgbatch_1"}],
        "anthropic_batches.batch": [BATCH],
        "anthropic_batches.answers": [
            b'{"custom_id": "row-1", "result": {"type": "succeeded", "message": {"id": "msg_1"}}}\n'
        ],
    },
    errors=[
        (401, error("authentication_error", "invalid x-api-key"), AuthenticationError),
        (403, error("billing_error", "Your credit balance is too low"), PaymentRequiredError),
    ],
    provider_info=get_provider_info,
    serve=fake,
    runs=[lambda: batches.AnthropicRunBatchOperator(task_id="run", requests=CASE.rows("row-1"))],
    exports=[
        lambda folder: batches.AnthropicExportBatchesOperator(task_id="export", destination=folder),
        lambda folder: batches.AnthropicExportResultsOperator(
            task_id="export", batch_id="msgbatch_0000", destination=folder
        ),
    ],
)
