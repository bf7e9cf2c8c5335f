"""The export operators: parameters, templates, checks, what they return and leave behind."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException, AirflowSkipException

from airflow_batch_provider.exceptions import EmptyExportError, ExportExistsError, InvalidParameterError, NotFoundError
from airflow_batch_provider.export import read_export, read_table, verify_export
from airflow_batch_provider.operators.export import ListingExportOperator
from airflow_batch_provider.operators.llamacloud import (
    LlamaCloudExportBatchesOperator,
    LlamaCloudExportBatchProcessingJobsOperator,
)
from airflow_batch_provider.operators.playment import PlaymentExportBatchesOperator, PlaymentExportBatchJobsOperator
from airflow_batch_provider.operators.talkifai import TalkifAIExportBatchJobsOperator
from airflow_batch_provider.sandbox import Sandbox, Settings
from airflow_batch_provider.testing import sandbox
from airflow_batch_provider.vendors import LISTINGS
from tests.unit.export.exported import left_over, manifest_of

OPERATORS: dict[type[ListingExportOperator], dict[str, Any]] = {
    PlaymentExportBatchesOperator: {"project_id": "p"},
    PlaymentExportBatchJobsOperator: {"project_id": "p", "batch_id": "b"},
    LlamaCloudExportBatchesOperator: {
        "status": "COMPLETED",
        "source_directory_id": "d",
        "created_at_on_or_after": datetime(2026, 1, 1, tzinfo=UTC),
        "created_at_on_or_before": "2026-01-02",
        "project_id": "p",
        "organization_id": "o",
        "page_size": 10,
    },
    LlamaCloudExportBatchProcessingJobsOperator: {
        "directory_id": "d",
        "job_type": "parse",
        "status": "completed",
        "project_id": "p",
        "organization_id": "o",
        "limit": 10,
    },
    TalkifAIExportBatchJobsOperator: {"organization_id": "o", "status": "completed", "page_size": 10},
}


@pytest.fixture(scope="module")
def vendors() -> Iterator[Sandbox]:
    with sandbox(Settings(jobs=120)) as running:
        yield running


def talkifai(folder: Path, **parameters: Any) -> TalkifAIExportBatchJobsOperator:
    return TalkifAIExportBatchJobsOperator(task_id="export", destination=folder.as_uri(), **parameters)


def test_the_package_knows_the_listings_that_it_exports() -> None:
    assert {operator.listing.name: operator.listing for operator in OPERATORS} == LISTINGS


@pytest.mark.parametrize("operator", OPERATORS)
def test_every_parameter_is_a_template_and_belongs_to_the_listing(operator: type[ListingExportOperator]) -> None:
    parameters = OPERATORS[operator]
    task = operator(task_id="t", destination="file:///x", **parameters)
    vendor = task.listing.vendor.name
    shared = {
        "destination",
        "destination_conn_id",
        "file_format",
        "compression",
        "add_params",
        "rows_per_part",
        "escape_formulas",
        "if_exists",
        "if_empty",
        "expect",
        "on_drift",
        "resume",
        f"{vendor}_conn_id",
    }
    assert set(task.template_fields) == {*shared, *parameters}
    assert set(parameters) <= {parameter.name for parameter in task.listing.parameters}
    assert {name: getattr(task, name) for name in parameters} == parameters
    assert getattr(task, f"{vendor}_conn_id") == f"{vendor}_default"


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"status": "done"}, "status='done' is not allowed; allowed is one of 'pending'"),
        ({"page_size": "101"}, "page_size='101' is not allowed; allowed is a whole number from 1 to 100"),
        ({"organization_id": ""}, "organization_id='' is not allowed"),
        ({"rows_per_part": 0}, "rows_per_part=0 is not allowed; allowed is a whole number from 1 up"),
        ({"file_format": "xml"}, "file_format='xml' is not allowed; allowed is one of 'jsonl', 'csv', 'parquet'"),
        ({"compression": "rar"}, "compression='rar' is not allowed; allowed is one of 'default', 'gzip', 'zstd'"),
        ({"file_format": "parquet", "compression": "gzip"}, "compression='gzip' is not allowed for parquet"),
        ({"file_format": "parquet", "compression": None}, "compression=None is not allowed for parquet"),
        ({"escape_formulas": "maybe"}, "escape_formulas='maybe' is not allowed; allowed is true or false"),
        (
            {"file_format": "csv", "add_params": ["job_id"]},
            "add_params='job_id' is not allowed; allowed is one of 'organization_id'",
        ),
        ({"file_format": "csv", "add_params": "status"}, "add_params='status' is not allowed"),
        ({"file_format": "csv", "add_params": 5}, "add_params=5 is not allowed"),
        (
            {"add_params": "organization_id"},
            "add_params needs a format with columns, such as csv or parquet",
        ),
        (
            {"file_format": "csv", "add_params": "status", "status": "running"},
            "add_params='status' is not needed: there is such a column already",
        ),
        ({"if_empty": "ignore"}, "if_empty='ignore' is not allowed; allowed is one of 'publish', 'fail', 'skip'"),
        ({"if_exists": "append"}, "if_exists='append' is not allowed; allowed is one of 'replace'"),
    ],
)
def test_a_bad_value_is_named_when_the_task_runs_before_a_request_is_sent(
    parameters: dict[str, Any], message: str, vendors: Sandbox, tmp_path: Path
) -> None:
    before = len(vendors.requests)
    with pytest.raises(InvalidParameterError, match=message) as raised:
        talkifai(tmp_path, **parameters).execute({})
    assert isinstance(raised.value, AirflowFailException)
    assert len(vendors.requests) == before
    assert not list(tmp_path.iterdir())


def test_numbers_may_be_text_as_templates_render_them(vendors: Sandbox, tmp_path: Path) -> None:
    summary = talkifai(tmp_path, rows_per_part="50", page_size="60").execute({})
    assert (summary["rows"], summary["parts"]) == (120, 3)
    assert "pageSize=60" in vendors.requests[-1]


def test_the_summary_is_small_json_about_the_manifest(vendors: Sandbox, tmp_path: Path) -> None:
    summary = talkifai(tmp_path).execute({})
    manifest = manifest_of(tmp_path)
    assert len(json.dumps(summary)) < 2000
    assert summary == {
        "destination": tmp_path.as_uri(),
        "manifest": f"{tmp_path.as_uri()}/_MANIFEST.json",
        "parts": 1,
        **{
            name: manifest[name]
            for name in (
                *("export_id", "listing", "params", "format", "rows", "bytes"),
                *("status_counts", "drift", "finished_at"),
            )
        },
    }


def test_the_manifest_names_the_organization_of_the_connection(vendors: Sandbox, tmp_path: Path) -> None:
    talkifai(tmp_path, status="running").execute({})
    organization = vendors.how_to["talkifai"]["organization_id"]
    assert manifest_of(tmp_path)["params"] == {"organization_id": organization, "status": "running"}


def test_files_without_compression(vendors: Sandbox, tmp_path: Path) -> None:
    talkifai(tmp_path, compression=None).execute({})
    (part,) = manifest_of(tmp_path)["parts"]
    assert part["path"].endswith(".jsonl")
    assert len((tmp_path / part["path"]).read_text().splitlines()) == 120


@pytest.mark.parametrize(
    ("parameters", "ending", "compression"),
    [
        ({}, ".jsonl.gz", "gzip"),
        ({"compression": "zstd"}, ".jsonl.zst", "zstd"),
        ({"file_format": "csv"}, ".csv.gz", "gzip"),
        ({"file_format": "csv", "compression": "", "escape_formulas": "True"}, ".csv", None),
        ({"file_format": "parquet"}, ".parquet", "zstd"),
    ],
)
def test_every_format_holds_the_same_rows(
    parameters: dict[str, Any], ending: str, compression: str | None, vendors: Sandbox, tmp_path: Path
) -> None:
    talkifai(tmp_path / "other", **parameters).execute({})
    talkifai(tmp_path / "plain", compression=None).execute({})
    manifest = verify_export(str(tmp_path / "other"))
    assert (manifest.format, manifest.compression) == (parameters.get("file_format", "jsonl"), compression)
    assert manifest.parts[0].path.endswith(ending)
    ids = [row["id"] for row in read_export(str(tmp_path / "other"))]
    assert ids == [row["id"] for row in read_export(str(tmp_path / "plain"))]
    assert len(ids) == 120


@pytest.mark.parametrize("operator", OPERATORS)
def test_the_documented_columns_hold_all_that_a_vendor_sends(
    operator: type[ListingExportOperator], vendors: Sandbox, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    given = {name: vendors.how_to["playment"][name] for name in OPERATORS[operator] if name == "batch_id"}
    operator(task_id="t", destination=str(tmp_path), file_format="parquet", **given).execute({})
    rows = list(read_export(str(tmp_path)))
    assert rows
    assert all(row["_extra"] is None and row["id"] for row in rows)
    assert "another type than documented" not in caplog.text


@pytest.mark.parametrize("file_format", ["csv", "parquet"])
@pytest.mark.parametrize("add_params", [("batch_id",), ["project_id", "batch_id"], "batch_id", ""])
def test_rows_can_be_attributed_to_what_was_asked_for(
    add_params: Any, file_format: str, vendors: Sandbox, tmp_path: Path
) -> None:
    batch_id = vendors.how_to["playment"]["batch_id"]
    parameters = {"batch_id": batch_id, "file_format": file_format, "destination": str(tmp_path)}
    PlaymentExportBatchJobsOperator(task_id="t", add_params=add_params, **parameters).execute({})
    names = [name for name in ("project_id", "batch_id") if name in add_params]
    expected = {"project_id": vendors.how_to["playment"]["project_id"], "batch_id": batch_id}
    rows = list(read_export(str(tmp_path)))
    assert len(rows) > 10
    for row in rows:
        assert list(row)[: len(names) + 1] == [*names, "id"]
        assert {name: row[name] for name in names} == {name: expected[name] for name in names}
    table = read_table(str(tmp_path))
    assert table.column_names == list(rows[0])
    assert table["id"].to_pylist() == [row["id"] for row in rows]
    assert manifest_of(tmp_path)["params"] == expected


def test_skip_leaves_an_export_as_it_is_and_asks_nobody(vendors: Sandbox, tmp_path: Path) -> None:
    first = talkifai(tmp_path, if_exists="skip").execute({})
    before = len(vendors.requests)
    assert talkifai(tmp_path, if_exists="skip").execute({}) == first
    assert len(vendors.requests) == before


def test_error_fails_where_there_is_an_export_and_asks_nobody(vendors: Sandbox, tmp_path: Path) -> None:
    talkifai(tmp_path, if_exists="error").execute({})
    before = len(vendors.requests)
    with pytest.raises(ExportExistsError, match="contains an export of"):
        talkifai(tmp_path, if_exists="error").execute({})
    assert len(vendors.requests) == before


@pytest.fixture
def nothing() -> Iterator[Sandbox]:
    with sandbox(Settings(jobs=0)) as running:
        yield running


@pytest.mark.parametrize("file_format", ["jsonl", "csv", "parquet"])
def test_an_export_without_rows_is_published_by_default(file_format: str, nothing: Sandbox, tmp_path: Path) -> None:
    assert talkifai(tmp_path, file_format=file_format).execute({})["rows"] == 0
    assert verify_export(str(tmp_path)).rows == 0


@pytest.mark.parametrize(("if_empty", "error"), [("fail", EmptyExportError), ("skip", AirflowSkipException)])
def test_an_export_without_rows_fails_or_is_skipped_if_asked_for(
    if_empty: str, error: type[Exception], nothing: Sandbox, tmp_path: Path
) -> None:
    with pytest.raises(error, match="has no rows, so nothing was published"):
        talkifai(tmp_path, if_empty=if_empty).execute({})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("if_empty", ["fail", "skip"])
def test_an_export_with_rows_is_published_whatever_is_done_with_empty_ones(
    if_empty: str, vendors: Sandbox, tmp_path: Path
) -> None:
    assert talkifai(tmp_path, if_empty=if_empty).execute({})["rows"] == 120


def test_a_batch_that_does_not_exist_leaves_the_export_before_whole(vendors: Sandbox, tmp_path: Path) -> None:
    def export(batch_id: str) -> None:
        PlaymentExportBatchJobsOperator(task_id="t", destination=tmp_path.as_uri(), batch_id=batch_id).execute({})

    export(vendors.how_to["playment"]["batch_id"])
    before = manifest_of(tmp_path)
    with pytest.raises(NotFoundError):
        export("11111111-2222-4333-8444-555555555555")
    assert manifest_of(tmp_path) == before
    assert left_over(tmp_path) == set()
