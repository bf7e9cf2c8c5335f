"""``if_exists="refresh"`` of every operator that exports one batch, and ``source_version``, run against the sandbox."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from airflow_batch_provider.apis.batch_state import BatchKind
from airflow_batch_provider.apis.shown import harmless
from airflow_batch_provider.exceptions import ExportExistsError, InvalidParameterError, NotFoundError
from airflow_batch_provider.export import verify_export
from airflow_batch_provider.operators.export import ExportOperator
from airflow_batch_provider.operators.llamacloud import (
    LlamaCloudExportBatchesOperator,
    LlamaCloudExportBatchProcessingJobsOperator,
    LlamaCloudExportBatchProcessingResultsOperator,
    LlamaCloudExportBatchResultsOperator,
)
from airflow_batch_provider.operators.playment import (
    PlaymentExportBatchesOperator,
    PlaymentExportBatchJobsOperator,
    PlaymentExportJobResultsOperator,
)
from airflow_batch_provider.operators.talkifai import (
    TalkifAIExportBatchJobsOperator,
    TalkifAIExportContactsOperator,
    TalkifAIExportConversationsOperator,
)
from airflow_batch_provider.sandbox import Sandbox, Settings
from airflow_batch_provider.testing import no_backoff, sandbox
from airflow_batch_provider.vendors import llamacloud, playment, talkifai
from airflow_batch_provider.waiting.reader import StateReader
from tests.unit.connected import make_client
from tests.unit.export.exported import manifest_of
from tests.vendor_server import Answer, Served, listing, serve


@dataclass(frozen=True)
class OneBatch:
    """An operator that exports one batch.

    :param parameter: takes the batch
    :param page: where the landing page says which
    :param status: the status of that batch
    """

    operator: type[ExportOperator]
    parameter: str
    page: str
    status: str
    other: dict[str, Any]

    def batch(self, vendors: Sandbox) -> str:
        """Return its id."""
        facts = vendors.how_to["results"][self.page]
        return str(facts.get("batch_id") or facts.get("batch_job_id") or facts["id"])

    def run(self, vendors: Sandbox, folder: Path, **parameters: Any) -> dict[str, Any]:
        """Export it."""
        values = {self.parameter: self.batch(vendors), "destination": folder.as_uri(), **parameters}
        return dict(self.operator(task_id="export", **values).execute({}))


CASES = {
    case.operator.__name__: case
    for case in (
        OneBatch(PlaymentExportBatchJobsOperator, "batch_id", "playment.batch_jobs", "Complete", {}),
        OneBatch(PlaymentExportJobResultsOperator, "batch_id", "playment.batch_jobs", "Complete", {"files": []}),
        OneBatch(
            LlamaCloudExportBatchResultsOperator, "batch_id", "llamacloud.batches (parse)", "COMPLETED", {"files": []}
        ),
        OneBatch(
            LlamaCloudExportBatchProcessingResultsOperator,
            "job_id",
            "llamacloud.batch_processing_jobs",
            "completed",
            {"shard": "1/2"},
        ),
        OneBatch(
            TalkifAIExportContactsOperator,
            "batch_job_id",
            "talkifai.batch_jobs",
            "completed",
            {"contact_status": "completed"},
        ),
        OneBatch(
            TalkifAIExportConversationsOperator, "batch_job_id", "talkifai.batch_jobs", "completed", {"files": []}
        ),
    )
}
EACH = pytest.mark.parametrize("case", CASES.values(), ids=CASES)
OF_MANY = [
    PlaymentExportBatchesOperator,
    LlamaCloudExportBatchesOperator,
    LlamaCloudExportBatchProcessingJobsOperator,
    TalkifAIExportBatchJobsOperator,
]


@pytest.fixture(scope="module")
def vendors() -> Iterator[Sandbox]:
    with sandbox(Settings(jobs=60, late=0)) as running, no_backoff():
        yield running


def of_another_state(folder: Path) -> None:
    """Make an export one of a state that the batch had before."""
    document = manifest_of(folder)
    document["source_version"]["status"] = "RUNNING"
    (folder / "_MANIFEST.json").write_text(json.dumps(document))


@EACH
def test_the_manifest_has_the_state_of_the_batch(case: OneBatch, vendors: Sandbox, tmp_path: Path) -> None:
    summary = case.run(vendors, tmp_path)
    version = manifest_of(tmp_path)["source_version"]
    assert summary["source_version"] == version
    assert version["status"] == case.status
    assert [*version] == ["status", "counts", "updated_at"]
    assert version["counts"] or version["updated_at"]


@EACH
def test_the_same_state_is_left_as_it_is_for_at_most_two_requests(
    case: OneBatch, vendors: Sandbox, tmp_path: Path
) -> None:
    first = case.run(vendors, tmp_path, if_exists="refresh")
    content, before = (tmp_path / "_MANIFEST.json").read_bytes(), len(vendors.requests)
    assert case.run(vendors, tmp_path, if_exists="refresh") == first
    assert len(vendors.requests) - before <= 2
    assert (tmp_path / "_MANIFEST.json").read_bytes() == content


def test_what_somebody_wrote_into_a_manifest_is_harmless_in_the_summary(vendors: Sandbox, tmp_path: Path) -> None:
    case = CASES["PlaymentExportBatchJobsOperator"]
    case.run(vendors, tmp_path)
    document = manifest_of(tmp_path)
    hostile = "\0" + "x" * 1000
    document["source_version"] = {hostile: [hostile, {"status": hostile}], "counts": 3}
    (tmp_path / "_MANIFEST.json").write_text(json.dumps(document))
    shown = case.run(vendors, tmp_path, if_exists="skip")["source_version"]
    assert shown == {harmless(hostile): [harmless(hostile), {"status": harmless(hostile)}], "counts": 3}
    assert harmless(hostile) != hostile


@EACH
def test_another_state_is_exported_again(case: OneBatch, vendors: Sandbox, tmp_path: Path) -> None:
    first = case.run(vendors, tmp_path, if_exists="refresh")
    of_another_state(tmp_path)
    second = case.run(vendors, tmp_path, if_exists="refresh")
    assert second["export_id"] != first["export_id"]
    assert manifest_of(tmp_path)["source_version"]["status"] == case.status
    assert verify_export(str(tmp_path)).rows == first["rows"]


@EACH
@pytest.mark.parametrize("other", ["parameters", "format"])
def test_the_same_state_with_other_parameters_or_in_another_format_is_exported_again(
    other: str, case: OneBatch, vendors: Sandbox, tmp_path: Path
) -> None:
    first = case.run(vendors, tmp_path, if_exists="refresh")
    changes = {"file_format": "csv"} if other == "format" or not case.other else case.other
    second = case.run(vendors, tmp_path, if_exists="refresh", **changes)
    assert second["export_id"] != first["export_id"]
    assert case.run(vendors, tmp_path, if_exists="refresh", **changes) == second


@EACH
@pytest.mark.parametrize("if_exists", ["skip", "error"])
def test_no_request_is_sent_where_the_state_does_not_matter(
    if_exists: str, case: OneBatch, vendors: Sandbox, tmp_path: Path
) -> None:
    first = case.run(vendors, tmp_path)
    before = len(vendors.requests)
    if if_exists == "skip":
        assert case.run(vendors, tmp_path, if_exists=if_exists) == first
    else:
        with pytest.raises(ExportExistsError):
            case.run(vendors, tmp_path, if_exists=if_exists)
    assert len(vendors.requests) == before


@pytest.mark.parametrize("operator", OF_MANY)
def test_a_listing_of_many_batches_cannot_be_refreshed(operator: type[ExportOperator]) -> None:
    with pytest.raises(InvalidParameterError, match="if_exists='refresh' is for exports of one batch"):
        operator(task_id="export", destination="file:///x", if_exists="refresh")


@pytest.mark.parametrize("operator", OF_MANY)
def test_nor_if_a_template_says_so(operator: type[ExportOperator], vendors: Sandbox, tmp_path: Path) -> None:
    task = operator(task_id="export", destination=tmp_path.as_uri(), if_exists="{{ params.mode }}")
    task.if_exists = "refresh"
    before = len(vendors.requests)
    with pytest.raises(InvalidParameterError, match="allowed is one of 'replace', 'error', 'skip'"):
        task.execute({})
    assert len(vendors.requests) == before


@pytest.mark.parametrize("operator", OF_MANY)
def test_an_export_of_many_batches_has_no_state(
    operator: type[ExportOperator], vendors: Sandbox, tmp_path: Path
) -> None:
    operator(task_id="export", destination=tmp_path.as_uri()).execute({})
    assert manifest_of(tmp_path)["source_version"] is None


@EACH
def test_a_state_that_cannot_be_read_does_not_keep_the_rows_from_being_exported(
    case: OneBatch,
    vendors: Sandbox,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def gone(*args: object) -> None:
        raise NotFoundError("it is not there")

    monkeypatch.setattr(StateReader, "read_one", gone)
    caplog.set_level(logging.WARNING)
    assert case.run(vendors, tmp_path)["rows"] > 10
    assert manifest_of(tmp_path)["source_version"] is None
    assert "The state of the batch cannot be read" in caplog.text


KINDS: dict[str, tuple[BatchKind, type[ExportOperator], str]] = {
    "playment": (playment.BATCH_KIND, PlaymentExportBatchesOperator, "project_id"),
    "batches": (llamacloud.BATCH_KIND, LlamaCloudExportBatchesOperator, ""),
    "jobs": (llamacloud.BATCH_PROCESSING_JOB_KIND, LlamaCloudExportBatchProcessingJobsOperator, ""),
    "talkifai": (talkifai.BATCH_JOB_KIND, TalkifAIExportBatchJobsOperator, "organization_id"),
}


@pytest.mark.parametrize("name", KINDS)
def test_a_listed_batch_has_the_version_that_it_has_when_it_is_read_alone(name: str, vendors: Sandbox) -> None:
    kind, operator, needed = KINDS[name]
    hook = operator.hook_class(operator.hook_class.default_conn_name)
    facts = vendors.how_to[kind.listing.vendor.name]
    scope = hook.listing_scope(kind, {needed: facts[needed]} if needed else {})
    reader = StateReader(hook.connect(), kind, scope)
    finished = reader.read_finished()
    assert len(finished) >= 2
    for batch_id, state in finished:
        assert kind.version_of(state) == kind.version_of(reader.read_one(batch_id))


LC_BATCH = {
    "id": "bat-1",
    "status": "COMPLETED",
    "created_at": "2026-03-01T00:00:00Z",
    "updated_at": "2026-03-02T00:00:00Z",
}
LC_JOB = {
    "id": "bjb-1",
    "status": "completed",
    "total_items": 3,
    "processed_items": 3,
    "failed_items": 1,
    "skipped_items": None,
    "updated_at": "2026-03-02T00:00:00Z",
}
CALLS = {
    "id": "batch_1",
    "status": "completed",
    "totalContacts": 3,
    "contactsProcessed": 3,
    "successfulCalls": 2,
    "failedCalls": 1,
}
DOCUMENTED: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "batches": ("/api/v2/batches/bat-1", LC_BATCH, {**LC_BATCH, "results": [{"error_message": "x"}, {}]}),
    "jobs": ("/api/v1/beta/batch-processing/bjb-1", LC_JOB, {"job": LC_JOB, "progress_percentage": 100.0}),
    "talkifai": ("/batch/jobs/batch_1", CALLS, {**CALLS, "contacts": [], "statusBreakdown": {"failed": 1}}),
}
"""Where a batch is read alone, its row in the listing, and the answer, as the vendors document them."""


@pytest.mark.parametrize("name", DOCUMENTED)
def test_so_it_has_in_the_forms_that_the_vendors_document(name: str) -> None:
    kind, (path, row, answer) = KINDS[name][0], DOCUMENTED[name]
    listed = listing(kind.listing.name, Served([json.dumps(row)]))

    def script(method: str, asked: str, *rest: Any) -> Answer:
        return Answer(200, json.dumps(answer).encode()) if asked == path else listed(method, asked, *rest)

    with serve(script) as server, closing(make_client(kind.listing.vendor, server.url)) as client:
        scope = {"organization_id": "o"} if name == "talkifai" else {}
        reader = StateReader(client, kind, scope)
        [(batch_id, state)] = reader.read_finished()
        version = kind.version_of(reader.read_one(batch_id))
    assert version == kind.version_of(state)
    assert version["status"] == row["status"]


def test_a_batch_that_is_opened_again_has_another_version() -> None:
    state = talkifai.BATCH_JOB_KIND.state
    version_of = talkifai.BATCH_JOB_KIND.version_of
    assert version_of(state(CALLS)) != version_of(state({**CALLS, "status": "running"}))
    assert version_of(state(CALLS)) != version_of(state({**CALLS, "totalContacts": 4}))
