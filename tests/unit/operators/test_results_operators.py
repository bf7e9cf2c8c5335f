"""The operators that export what batches produced, run against the sandbox: rows, files, shards, secrets."""

from __future__ import annotations

import json
import logging
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from airflow.providers.common.compat.sdk import AirflowSkipException

from airflow_batch_provider.exceptions import (
    AuthenticationError,
    BatchItemsFailedError,
    BatchUnfinishedError,
    InvalidParameterError,
    NotFoundError,
)
from airflow_batch_provider.export import read_export, verify_export
from airflow_batch_provider.operators.llamacloud import (
    LlamaCloudExportBatchProcessingResultsOperator,
    LlamaCloudExportBatchResultsOperator,
)
from airflow_batch_provider.operators.playment import PlaymentExportJobResultsOperator
from airflow_batch_provider.operators.results import ResultsExportOperator
from airflow_batch_provider.operators.talkifai import (
    TalkifAIExportContactsOperator,
    TalkifAIExportConversationsOperator,
)
from airflow_batch_provider.sandbox import Sandbox, Settings, annotation, conversations, documents
from airflow_batch_provider.testing import no_backoff, sandbox
from tests.unit.export.exported import manifest_of

NUMBER_OF_AREA = "+1555"  # of every number that the sandbox calls


@pytest.fixture(scope="module")
def vendors() -> Iterator[Sandbox]:
    with sandbox(Settings(jobs=60, large_bytes=20_000, late=0)) as running, no_backoff():
        yield running


Make = tuple[type[ResultsExportOperator], str, str]
"""An operator, the parameter with its batch, and where the landing page says which."""

OPERATORS: dict[str, Make] = {
    "playment": (PlaymentExportJobResultsOperator, "batch_id", "playment.batch_jobs"),
    "parse": (LlamaCloudExportBatchResultsOperator, "batch_id", "llamacloud.batches (parse)"),
    "extract": (LlamaCloudExportBatchResultsOperator, "batch_id", "llamacloud.batches (extract)"),
    "items": (LlamaCloudExportBatchProcessingResultsOperator, "job_id", "llamacloud.batch_processing_jobs"),
    "conversations": (TalkifAIExportConversationsOperator, "batch_job_id", "talkifai.batch_jobs"),
}
EACH = pytest.mark.parametrize("name", OPERATORS)


def batch_of(name: str, vendors: Sandbox) -> str:
    page = vendors.how_to["results"][OPERATORS[name][2]]
    return str(page.get("batch_id") or page.get("batch_job_id") or page["id"])


def operator(name: str, vendors: Sandbox, folder: Path, **parameters: Any) -> ResultsExportOperator:
    operator_class, batch, _ = OPERATORS[name]
    values = {batch: batch_of(name, vendors), "destination": folder.as_uri(), **parameters}
    return operator_class(task_id="export", **values)


def run(name: str, vendors: Sandbox, folder: Path, **parameters: Any) -> dict[str, Any]:
    return operator(name, vendors, folder, **parameters).execute({})


def rows_of(folder: Path) -> list[dict[str, Any]]:
    verify_export(str(folder))
    return list(read_export(str(folder)))


def content(folder: Path, row: dict[str, Any], kind: str) -> bytes:
    (file,) = [file for file in row["files"] if file["kind"] == kind]
    return (folder / file["path"]).read_bytes()


@EACH
def test_every_item_of_a_batch_is_a_row_and_the_outcomes_add_up(name: str, vendors: Sandbox, tmp_path: Path) -> None:
    summary = run(name, vendors, tmp_path)
    rows = rows_of(tmp_path)
    assert len(rows) == summary["rows"] == sum(summary["outcomes"].values()) > 10
    assert summary["outcomes"]["ok"] > summary["rows"] / 2
    assert summary["drift"] is None
    for row in rows:
        assert [*row] == ["id", "status", "outcome", "error", "item", "result", "files"]
        assert (row["error"] is None) == (row["outcome"] == "ok")
    assert json.loads(json.dumps(summary)) == summary


def test_results_of_playment_are_as_the_sandbox_made_them(vendors: Sandbox, tmp_path: Path) -> None:
    run("playment", vendors, tmp_path, files="result, masks")
    checked = 0
    for row in rows_of(tmp_path):
        if annotation.is_gone(row["id"]):
            assert row["outcome"] == "partial"  # there is a result, but nothing at its address
            continue
        assert row["outcome"] == "ok"
        assert row["result"]["job_id"] == row["id"]
        result = json.loads(content(tmp_path, row, "result"))
        if annotation.shape_of(row["id"]) == "image":
            assert result == annotation.result_of(row["id"])
        masks = [(tmp_path / file["path"]).read_bytes() for file in row["files"] if file["kind"] == "masks"]
        if annotation.shape_of(row["id"]) == "segmentation":
            count = annotation.annotation_count(int(row["id"].rpartition("-")[2], 16))
            assert masks == [annotation.mask_of(row["id"], number) for number in range(count)]
            checked += len(masks)
    assert checked > 5


def test_documents_of_llamacloud_are_as_the_sandbox_made_them(vendors: Sandbox, tmp_path: Path) -> None:
    kinds = ["markdown", "text", "items", "images", "xlsx", "pdf"]
    run("parse", vendors, tmp_path, files=kinds)
    outcomes = set()
    for row in rows_of(tmp_path):
        reference = row["item"]["job_reference"]
        kind = documents.kind_of(reference["id"]) if reference else "unmapped"
        outcomes.add((kind, row["outcome"]))
        if kind not in ("plain", "large", "unlisted", "failed_pages"):
            continue
        job = reference["id"]
        assert content(tmp_path, row, "markdown").decode() == documents.markdown_of(job)
        assert content(tmp_path, row, "text").decode() == documents.text_of(job)
        assert json.loads(content(tmp_path, row, "items")) == documents.inline_of(job, "items")
        if documents.has_files(job):
            assert content(tmp_path, row, "xlsx") == documents.xlsx_of(job)
            images = [(tmp_path / file["path"]).read_bytes() for file in row["files"] if file["kind"] == "images"]
            assert images == [documents.image_of(job, image) for image in documents.image_names(job)]
    assert {
        ("failed_pages", "partial"),
        ("failed", "failed"),
        ("cancelled", "failed"),
        ("expired", "missing"),
    } <= outcomes


def test_extracted_fields_are_exact(vendors: Sandbox, tmp_path: Path) -> None:
    run("extract", vendors, tmp_path)
    exact = 0
    for row in rows_of(tmp_path):
        if row["outcome"] == "ok":
            fields = row["result"]["extract_result"]
            first = fields if isinstance(fields, dict) else fields[0]
            assert first["account"] == documents.NOT_IN_A_DOUBLE
            exact += 1
    assert exact > 5


def test_digits_of_decimals_are_kept(vendors: Sandbox, tmp_path: Path) -> None:
    run("extract", vendors, tmp_path, compression=None)
    text = "".join(path.read_text() for path in tmp_path.glob("part-*"))
    assert f'"rate":{documents.LONG_DECIMAL}' in text.replace('": ', '":')


def test_conversations_have_their_transcripts_and_recordings(vendors: Sandbox, tmp_path: Path) -> None:
    run("conversations", vendors, tmp_path, files=["transcript", "recording"])
    outcomes = set()
    for row in rows_of(tmp_path):
        if row["status"] != "completed":
            assert row["outcome"] == "failed"
            continue
        kind = conversations.kind_of(row["id"])
        outcomes.add((kind, row["outcome"]))
        if kind in ("plain", "large", "late"):
            assert json.loads(content(tmp_path, row, "transcript")) == conversations.transcript_of(row["id"])
            size = conversations.recording_of(row["id"], 20_000).size
            assert len(content(tmp_path, row, "recording")) == size
            assert row["result"]["conversation"]["recordingUrl"] is None
    assert outcomes >= {("plain", "ok"), ("no_recording", "partial"), ("no_transcript", "partial"), ("gone", "missing")}


@EACH
def test_the_shards_of_a_batch_together_are_the_batch(name: str, vendors: Sandbox, tmp_path: Path) -> None:
    run(name, vendors, tmp_path / "all", files=[])
    whole = [row["id"] for row in rows_of(tmp_path / "all")]
    ids: list[str] = []
    for number in ("1/3", "2/3", "0/3"):
        summary = run(name, vendors, tmp_path / number[0], files=[], shard=number)
        ids += (share := [row["id"] for row in rows_of(tmp_path / number[0])])
        assert share == [one for one in whole if one in set(share)]
        assert summary["params"]["shard"] == number.replace("0", "3", 1)
    assert sorted(ids) == sorted(whole)


SIGNED = re.compile(r"X-Amz|Signature=|X-Sandbox|expires=\d|/playment/|/recordings/", re.IGNORECASE)


@pytest.mark.parametrize("failure_rate", [0.0, 0.05])
@EACH
def test_no_key_signed_url_number_or_room_is_logged_handed_on_or_named(
    name: str, failure_rate: float, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    for logger in ("urllib3", "requests", "airflow_batch_provider", "urllib3.connectionpool"):
        caplog.set_level(logging.DEBUG, logger)
    kinds = {"playment": "result,masks", "parse": "markdown,pdf,images", "conversations": "transcript,recording"}
    settings = Settings(jobs=40, large_bytes=5_000, late=0, failure_rate=failure_rate)
    with sandbox(settings) as running, no_backoff(), mock.patch.dict(os.environ):
        summary = run(name, running, tmp_path, files=kinds.get(name))
        keys = [running.how_to[vendor]["api_key"] for vendor in ("playment", "llamacloud", "talkifai")]
        assert running.file_requests or name in ("extract", "items")
    names = " ".join(path.as_posix() for path in tmp_path.rglob("*"))
    records = " ".join(f"{record.getMessage()} {record.exc_text}" for record in caplog.records if record.name != "root")
    for text in (json.dumps(summary), json.dumps(manifest_of(tmp_path)), names, records):
        for secret in (*keys, NUMBER_OF_AREA, "outbound_agent", "%2B1555"):
            assert secret not in text, secret
        assert not re.search(r"[?&](X-Amz-\w+|sig|signature|token)=", text, re.IGNORECASE)
    rows = "".join(json.dumps(row) for row in read_export(str(tmp_path)))
    assert not any(key in rows for key in keys)
    assert not re.search(r"[?&]X-Amz-Signature=", rows)


@EACH
def test_a_wrong_key_is_the_failure_of_the_task(
    name: str, vendors: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    vendor = {"playment": "playment", "conversations": "talkifai"}.get(name, "llamacloud")
    variable = f"AIRFLOW_CONN_{vendor.upper()}_DEFAULT"
    connection = {**json.loads(os.environ[variable]), "password": "wrong-key-of-nobody"}
    monkeypatch.setenv(variable, json.dumps(connection))
    with pytest.raises(AuthenticationError) as error:
        run(name, vendors, tmp_path)
    assert "wrong-key-of-nobody" not in str(error.value)
    assert list(tmp_path.iterdir()) == []


@EACH
def test_a_batch_that_is_not_there(name: str, vendors: Sandbox, tmp_path: Path) -> None:
    missing = "00000000-0000-4000-8000-000000000000"
    with pytest.raises(NotFoundError):
        run(name, vendors, tmp_path, **{OPERATORS[name][1]: missing})


@EACH
@pytest.mark.parametrize("files", ["video", ["video"], "result,video,transcript", ["markdown", "video"]])
def test_a_kind_of_file_that_the_vendor_does_not_have_is_refused_when_the_dag_is_parsed(
    name: str, files: Any, vendors: Sandbox, tmp_path: Path
) -> None:
    with pytest.raises(InvalidParameterError, match="files"):
        operator(name, vendors, tmp_path, files=files)


@pytest.mark.parametrize(
    ("parameters", "named"),
    [
        ({"shard": "17/16"}, "shard"),
        ({"shard": "x"}, "shard"),
        ({"unfinished": "wait"}, "unfinished"),
        ({"fail_on_item_failures": "maybe"}, "fail_on_item_failures"),
    ],
)
def test_a_value_that_is_not_allowed_is_named(
    parameters: dict[str, str], named: str, vendors: Sandbox, tmp_path: Path
) -> None:
    before = len(vendors.requests)
    with pytest.raises(InvalidParameterError, match=named):
        run("playment", vendors, tmp_path, **parameters)
    assert len(vendors.requests) == before


def test_a_template_may_render_to_kinds_of_files(vendors: Sandbox, tmp_path: Path) -> None:
    task = operator("playment", vendors, tmp_path, files="{{ params.kinds }}")
    task.files = "result,masks"  # as Airflow renders it
    assert task.execute({})["params"]["files"] == ["result", "masks"]
    task = operator("playment", vendors, tmp_path / "bad", files="{{ params.kinds }}")
    task.files = "video"
    with pytest.raises(InvalidParameterError, match="files"):
        task.execute({})


def test_items_that_failed_fail_the_task_if_they_must(vendors: Sandbox, tmp_path: Path) -> None:
    with pytest.raises(BatchItemsFailedError, match="of 60 items 3 are partial"):
        run("playment", vendors, tmp_path, fail_on_item_failures=True, files=["result"])
    assert list(tmp_path.iterdir()) == []


def test_an_unfinished_batch_is_refused_or_exported_as_far_as_it_is(vendors: Sandbox, tmp_path: Path) -> None:
    running = vendors.how_to["playment"]["batch_id"]
    with sandbox(Settings(jobs=60, duration=10_000)) as slow:
        running = slow.how_to["playment"]["batch_id"]
        with pytest.raises(BatchUnfinishedError):
            run("playment", slow, tmp_path, batch_id=running)
        summary = run("playment", slow, tmp_path, batch_id=running, unfinished="export", files=[])
    assert summary["params"]["unfinished"] == "export"
    assert summary["rows"] == 60
    assert 0 < summary["outcomes"]["missing"] < 60


def test_a_shard_without_items_may_be_skipped(vendors: Sandbox, tmp_path: Path) -> None:
    with pytest.raises(AirflowSkipException):
        run("playment", vendors, tmp_path, batch_id=batch_of("playment", vendors), shard="1/999999", if_empty="skip")


def contacts(vendors: Sandbox, folder: Path, **parameters: Any) -> list[dict[str, Any]]:
    values = {"batch_job_id": batch_of("conversations", vendors), "destination": folder.as_uri(), **parameters}
    TalkifAIExportContactsOperator(task_id="export", **values).execute({})
    return rows_of(folder)


@pytest.mark.parametrize("page_size", [3, 7, 500])
def test_contacts_are_exported_over_all_pages_each_once(page_size: int, vendors: Sandbox, tmp_path: Path) -> None:
    rows = contacts(vendors, tmp_path, page_size=page_size)
    assert len({row["id"] for row in rows}) == len(rows) > 20
    assert all(row["phoneNumber"].startswith(NUMBER_OF_AREA) for row in rows)


@pytest.mark.parametrize("page_size", [7, 500])
@pytest.mark.parametrize("file_format", ["jsonl", "csv", "parquet"])
def test_personal_fields_of_contacts_can_be_left_out(
    file_format: str, page_size: int, vendors: Sandbox, tmp_path: Path
) -> None:
    rows = contacts(vendors, tmp_path, personal_fields="omit", file_format=file_format, page_size=page_size)
    assert NUMBER_OF_AREA not in json.dumps(rows, default=str)
    for name in ("phoneNumber", "contactData", "roomName"):
        assert {row.get(name) for row in rows} == {None}
    assert manifest_of(tmp_path)["params"]["personal_fields"] == "omit"


def test_personal_fields_of_contacts_can_be_hashed_and_then_be_joined(vendors: Sandbox, tmp_path: Path) -> None:
    one = contacts(vendors, tmp_path / "one", personal_fields="hash", page_size=7)
    other = contacts(vendors, tmp_path / "other", personal_fields="hash", page_size=500)
    plain = contacts(vendors, tmp_path / "plain")
    assert one == other
    assert NUMBER_OF_AREA not in json.dumps(one)
    hashes = {row["phoneNumber"] for row in one}
    assert all(re.fullmatch("[0-9a-f]{64}", text) for text in hashes)
    assert len(hashes) == len({row["phoneNumber"] for row in plain})
    assert {row["id"] for row in one if row["roomName"] is None} == {
        row["id"] for row in plain if row["roomName"] is None
    }
    rest = [{name: row[name] for name in row if name not in ("phoneNumber", "contactData", "roomName")} for row in one]
    assert all(part.items() <= row.items() for part, row in zip(rest, plain, strict=True))
