"""What other engines get of an export: its parts' URIs, and a table."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from airflow_batch_provider import libraries
from airflow_batch_provider.apis.columns import INTEGER, TEXT, columns
from airflow_batch_provider.apis.page import Row, Rows
from airflow_batch_provider.apis.shown import harmless
from airflow_batch_provider.exceptions import DestinationError, ExportDamagedError, InvalidParameterError
from airflow_batch_provider.export import export_uris, read_export, read_table
from airflow_batch_provider.export.spec import ExportSpec
from airflow_batch_provider.formats import arrow
from airflow_batch_provider.formats.format import Format
from airflow_batch_provider.formats.registry import FORMATS
from airflow_batch_provider.listing.pages import NewRows
from airflow_batch_provider.stores.destination import open_store
from airflow_batch_provider.stores.object_store import ObjectStore
from airflow_batch_provider.vendors import talkifai
from tests.unit.export.exported import TASK_RUN, export, manifest_of

JOBS: list[dict[str, Any]] = [
    {"id": "a", "name": "one", "failedCalls": 3, "createdAt": "2026-03-01T10:00:00Z"},
    {"id": "b", "name": None, "retryPolicy": {"maxAttempts": 3}, "new": 1.5},
    {"id": "c", "failedCalls": "many"},
]
ACME = columns(id=TEXT, minutes=INTEGER)


def export_jobs(
    folder: Path, name: str, jobs: list[dict[str, Any]], listing: str = "talkifai.batch_jobs", known: Any = None
) -> None:
    rows = [Row(job["id"], "done", json.dumps(job).encode()) for job in jobs]
    file_format = Format(name, columns=known or talkifai.BATCH_JOBS.columns)
    spec = ExportSpec(
        show=harmless, listing=listing, params={}, file_format=file_format, rows_per_part=2, task_run=TASK_RUN
    )
    export([NewRows(Rows.of(rows), 0, None)], open_store(str(folder)), spec)


@pytest.mark.parametrize("name", FORMATS)
def test_the_uris_are_those_of_the_parts_in_order(name: str, tmp_path: Path) -> None:
    export_jobs(tmp_path / "a b%20ü", name, JOBS)
    (tmp_path / "a b%20ü" / "part-00000-ffffffffffff.jsonl.gz").touch()  # of no export
    uris = export_uris(str(tmp_path / "a b%20ü"))
    assert uris == [f"file://{tmp_path}/a b%20ü/{part['path']}" for part in manifest_of(tmp_path / "a b%20ü")["parts"]]
    assert len(uris) == 2


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("s3://aws_default@raw/a/b", "s3://raw/a/b/x"),
        ("s3://raw", "s3://raw/x"),
        ("abfs://wasb@container/a@b", "abfs://container/a@b/x"),
    ],
)
def test_a_uri_names_no_connection(uri: str, expected: str) -> None:
    assert ObjectStore(MemoryFileSystem(), "/x", uri).uri_of("x") == expected


def test_the_uris_need_no_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    export_jobs(tmp_path, "parquet", JOBS)
    monkeypatch.setattr(libraries, "is_installed", lambda name: False)
    assert len(export_uris(str(tmp_path))) == 2
    with pytest.raises(InvalidParameterError, match="read_table needs pyarrow; install it with"):
        read_table(str(tmp_path))


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("count", [0, 1, 3])
def test_a_table_has_the_documented_types_in_every_format(name: str, count: int, tmp_path: Path) -> None:
    export_jobs(tmp_path, name, JOBS[:count])
    table = read_table(str(tmp_path))
    assert table.schema.equals(arrow.schema_of(talkifai.BATCH_JOBS.columns))
    assert table.schema.field("createdAt").type == pa.timestamp("us", "UTC")
    assert table["failedCalls"].to_pylist() == [3, None, None][:count]
    assert table["_extra"].to_pylist() == [None, '{"new":1.5}', '{"failedCalls":"many"}'][:count]
    assert table["id"].to_pylist() == [row["id"] for row in read_export(str(tmp_path))]


@pytest.mark.parametrize("name", FORMATS)
def test_a_listing_of_somebody_else_brings_its_columns(name: str, tmp_path: Path) -> None:
    export_jobs(tmp_path, name, [{"id": "a", "minutes": 1}], "acme.jobs", ACME)
    assert read_table(str(tmp_path), columns=ACME).to_pylist() == [{"id": "a", "minutes": 1, "_extra": None}]
    if name == "parquet":
        assert read_table(str(tmp_path)).schema.equals(arrow.schema_of(ACME))
        return
    with pytest.raises(InvalidParameterError, match=r"The columns of acme\.jobs are not known"):
        read_table(str(tmp_path))


@pytest.mark.parametrize("name", FORMATS)
def test_damage_is_found_before_a_table_is_given(name: str, tmp_path: Path) -> None:
    export_jobs(tmp_path, name, JOBS)
    part = tmp_path / manifest_of(tmp_path)["parts"][1]["path"]
    part.write_bytes(part.read_bytes()[:-1])
    with pytest.raises(ExportDamagedError, match="bytes instead of"):
        read_table(str(tmp_path))


@pytest.mark.parametrize("function", [export_uris, read_table])
def test_where_no_export_is_that_is_said(function: Any, tmp_path: Path) -> None:
    with pytest.raises(ExportDamagedError, match="so no export"):
        function(str(tmp_path))
    with pytest.raises(DestinationError):
        function("relative/path")
