"""OpenAI's batches pass the vendor contract."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from airflow_batch_provider.exceptions import AuthenticationError, PaymentRequiredError
from airflow_batch_provider.testing import vendor_contract
from openai_batches import batches
from openai_batches.provider_info import VENDOR, get_provider_info
from tests.examples import openai_api

REQUESTS = [
    {"custom_id": name, "method": "POST", "url": "/v1/chat/completions", "body": {"model": "gpt-5-mini"}}
    for name in ("row-1", "bad-2", "late-3")
]
BATCH = {
    "id": "batch_1",
    "status": "completed",
    "endpoint": "/v1/chat/completions",
    "created_at": 1767225600,
    "completed_at": 1767225660,
    "request_counts": {"total": 3, "completed": 2, "failed": 1},
    "metadata": {"team": "search"},
}


@contextmanager
def fake() -> Iterator[Mapping[str, Any]]:
    """Run a fake of the API that has a batch, whose results are there."""
    with openai_api.serving() as account:
        file_id = account.add_file(openai_api.lines_of(REQUESTS), "requests.jsonl")
        account.end(account.add(file_id), "completed")
        yield {"host": account.server.url, "password": openai_api.KEY}


TestOpenAI = vendor_contract(
    VENDOR,
    batches,
    answers={
        "openai_batches.batches": [{"data": [BATCH], "has_more": True}],
        "openai_batches.batch": [BATCH],
        "openai_batches.lines": [openai_api.lines_of(REQUESTS)],
    },
    errors=[
        (401, {"error": {"message": "Incorrect API key", "code": "invalid_api_key"}}, AuthenticationError),
        (429, {"error": {"message": "Check your plan", "code": "insufficient_quota"}}, PaymentRequiredError),
    ],
    provider_info=get_provider_info,
    serve=fake,
    runs=[lambda: batches.OpenAIRunBatchOperator(task_id="run", requests=REQUESTS)],
    exports=[
        lambda folder: batches.OpenAIExportBatchesOperator(task_id="export", destination=folder),
        lambda folder: batches.OpenAIExportResultsOperator(task_id="export", batch_id="batch_0000", destination=folder),
    ],
)
