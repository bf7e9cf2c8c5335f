"""The vendors' own SDKs drive the same fakes as the examples: so the fakes speak the vendors' language, not ours."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from airflow_batch_provider.export import read_export
from tests.examples.cases import CASES, IDS

OPENAI, ANTHROPIC = CASES["openai"], CASES["anthropic"]


@pytest.fixture
def openai() -> Iterator[tuple[Any, Any]]:
    """OpenAI's SDK, and the account that it leads to."""
    sdk = pytest.importorskip("openai")
    with (
        OPENAI.serving() as account,
        sdk.OpenAI(api_key=OPENAI.api.KEY, base_url=f"{account.server.url}/v1", max_retries=0) as client,
    ):
        yield client, account


@pytest.fixture
def anthropic() -> Iterator[tuple[Any, Any]]:
    """Anthropic's SDK, and the workspace that it leads to."""
    sdk = pytest.importorskip("anthropic")
    with (
        ANTHROPIC.serving() as account,
        sdk.Anthropic(api_key=ANTHROPIC.api.KEY, base_url=account.server.url, max_retries=0) as client,
    ):
        yield client, account


def test_openais_sdk_submits_what_our_classes_list_wait_for_and_export(openai: Any, tmp_path: Any) -> None:
    client, _ = openai
    content = OPENAI.api.lines_of(OPENAI.rows(*IDS))
    file = client.files.create(file=("requests.jsonl", content), purpose="batch")
    assert (file.purpose, file.bytes) == ("batch", len(content))
    batch = client.batches.create(
        input_file_id=file.id,
        endpoint="/v1/chat/completions",
        completion_window="24h",
        metadata={"airflow": "0123456789abcdef"},
    )
    assert batch.status == "validating"
    assert batch.metadata == {"airflow": "0123456789abcdef"}
    OPENAI.task("BatchSensor", batch_id=batch.id, poke_interval=0.01).execute({})
    batch = client.batches.retrieve(batch.id)
    assert (batch.status, batch.request_counts.completed, batch.request_counts.failed) == ("completed", 2, 2)
    export = OPENAI.task("ExportResultsOperator", batch_id=batch.id, destination=tmp_path.as_uri())
    export.execute({})
    lines = [
        json.loads(line)
        for file_id in (batch.output_file_id, batch.error_file_id)
        for line in client.files.content(file_id).text.splitlines()
    ]
    exported = {row["id"]: row["result"] for row in read_export(tmp_path.as_uri())}
    assert exported == {line["custom_id"]: line for line in lines}


def test_openais_sdk_sees_what_our_classes_submit_and_cancels_it(openai: Any) -> None:
    client, account = openai
    account.stays = True
    run = OPENAI.task("RunBatchOperator", requests=OPENAI.rows(*IDS), wait_for_completion=False)
    batch_id = run.execute({})["id"]
    batch = client.batches.retrieve(batch_id)
    assert len(batch.metadata["airflow"]) == 16
    sent = client.files.content(batch.input_file_id).text.splitlines()
    assert list(map(json.loads, sent)) == OPENAI.rows(*IDS)
    assert client.batches.cancel(batch_id).status == "cancelling"


def test_openais_sdk_lists_the_same_batches(openai: Any) -> None:
    client, account = openai
    for _ in range(7):
        OPENAI.add(account)
    ours = [row["id"] for row in OPENAI.module.OpenAIBatchesHook().iter_listing(OPENAI.module.BATCHES, page_size=3)]
    assert [batch.id for batch in client.batches.list(limit=3)] == ours


def test_anthropics_sdk_submits_what_our_classes_list_wait_for_and_export(anthropic: Any, tmp_path: Any) -> None:
    client, _ = anthropic
    batch = client.messages.batches.create(requests=ANTHROPIC.rows(*IDS))
    assert (batch.processing_status, batch.request_counts.processing) == ("in_progress", 4)
    ANTHROPIC.task("BatchSensor", batch_id=batch.id, poke_interval=0.01).execute({})
    batch = client.messages.batches.retrieve(batch.id)
    assert (batch.processing_status, batch.request_counts.succeeded, batch.request_counts.expired) == ("ended", 2, 1)
    ANTHROPIC.task("ExportResultsOperator", batch_id=batch.id, destination=tmp_path.as_uri()).execute({})
    lines = {line.custom_id: line.result for line in client.messages.batches.results(batch.id)}
    rows = {row["id"]: row for row in read_export(tmp_path.as_uri())}
    assert {row_id: row["status"] for row_id, row in rows.items()} == {
        custom_id: result.type for custom_id, result in lines.items()
    }
    assert rows["row-1"]["result"]["message"]["content"][0]["text"] == lines["row-1"].message.content[0].text


def test_anthropics_sdk_sees_what_our_classes_submit_and_cancels_it(anthropic: Any) -> None:
    client, account = anthropic
    account.stays = True
    run = ANTHROPIC.task("RunBatchOperator", requests=ANTHROPIC.rows(*IDS), wait_for_completion=False)
    batch_id = run.execute({})["id"]
    assert client.messages.batches.retrieve(batch_id).request_counts.processing == 4
    assert client.messages.batches.cancel(batch_id).processing_status == "canceling"


def test_anthropics_sdk_lists_the_same_batches(anthropic: Any) -> None:
    client, account = anthropic
    for _ in range(7):
        ANTHROPIC.add(account)
    hook = ANTHROPIC.module.AnthropicBatchesHook()
    ours = [row["id"] for row in hook.iter_listing(ANTHROPIC.module.BATCHES, page_size=3)]
    assert [batch.id for batch in client.messages.batches.list(limit=3)] == ours


@pytest.mark.parametrize("name", CASES)
def test_the_fakes_errors_are_the_sdks_errors(name: str, request: pytest.FixtureRequest) -> None:
    client, _ = request.getfixturevalue(name)
    sdk = pytest.importorskip(name)
    batches = client.batches if name == "openai" else client.messages.batches
    with pytest.raises(sdk.NotFoundError):
        batches.retrieve("none")
    client.api_key = "wrong"
    with pytest.raises(sdk.AuthenticationError):
        batches.retrieve("none")
