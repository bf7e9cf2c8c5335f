"""An export reads back as it was written, or what is wrong with it is said."""

from __future__ import annotations

import json
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from airflow_batch_provider import libraries
from airflow_batch_provider.apis.page import Row, Rows
from airflow_batch_provider.apis.shown import harmless
from airflow_batch_provider.exceptions import (
    DestinationError,
    ExportDamagedError,
    ExportReplacedError,
    InvalidParameterError,
)
from airflow_batch_provider.export import read_export, verify_export
from airflow_batch_provider.export.manifest import Manifest
from airflow_batch_provider.export.spec import ExportSpec
from airflow_batch_provider.formats.format import Format
from airflow_batch_provider.formats.registry import FORMATS
from airflow_batch_provider.listing.pages import NewRows
from airflow_batch_provider.vendors import talkifai
from tests.unit.export.exported import MANIFEST, TASK_RUN, export, ids, local, manifest_of, pages_of, work

COMBINATIONS = [(name, compression) for name, known in FORMATS.items() for compression in known.compressions]
JOBS = [
    {
        "id": "a",
        "name": 'two\r\nlines, "quoted"',
        "description": "",
        "failedCalls": 3,
        "createdAt": "2026-03-01T10:00:00Z",
    },
    {"id": "b", "name": None, "description": "ä東", "retryPolicy": {"maxAttempts": 3}, "new": 1.5},
    {"id": "c", "name": "=1", "failedCalls": -1},
]


def export_jobs(folder: Path, name: str, compression: str | None, jobs: list[dict[str, Any]] = JOBS) -> Manifest:
    rows = [Row(job["id"], "done", json.dumps(job).encode()) for job in jobs]
    file_format = Format(name, compression, talkifai.BATCH_JOBS.columns)
    task = ExportSpec(
        show=harmless,
        listing="talkifai.batch_jobs",
        params={},
        file_format=file_format,
        rows_per_part=2,
        task_run=TASK_RUN,
    )
    return export([NewRows(Rows.of(rows), 0, None)], local(folder), task)


def whole(row: dict[str, Any]) -> dict[str, Any]:
    """Leave out the columns that hold nothing."""
    return {name: value for name, value in row.items() if value is not None}


@pytest.mark.parametrize(("name", "compression"), COMBINATIONS)
def test_rows_read_back_from_every_format(name: str, compression: str | None, tmp_path: Path) -> None:
    manifest = export_jobs(tmp_path, name, compression)
    assert verify_export(tmp_path.as_uri()).to_json() == manifest.to_json()
    read = list(read_export(tmp_path.as_uri()))
    if name == "jsonl":
        assert read == JOBS
        return
    assert list(read[0]) == [*(column.name for column in talkifai.BATCH_JOBS.columns), "_extra"]
    expected = [dict(job) for job in JOBS]
    expected[1]["_extra"] = json.dumps({"new": expected[1].pop("new")}, separators=(",", ":"))
    if name == "parquet":
        expected[0]["createdAt"] = datetime(2026, 3, 1, 10, tzinfo=UTC)
        expected[1]["retryPolicy"] = {"maxAttempts": 3, "retryableStatuses": None}
    else:
        expected[0]["failedCalls"], expected[2]["failedCalls"] = "3", "-1"
        expected[1]["retryPolicy"] = '{"maxAttempts": 3}'
    assert [whole(row) for row in read] == [whole(row) for row in expected]


@pytest.mark.parametrize("name", FORMATS)
def test_an_export_of_nothing_is_whole_and_has_no_rows(name: str, tmp_path: Path) -> None:
    export_jobs(tmp_path, name, "default", [])
    assert verify_export(str(tmp_path)).rows == 0
    assert list(read_export(str(tmp_path))) == []


def change_manifest(folder: Path, change: Callable[[dict[str, Any]], None]) -> None:
    manifest = manifest_of(folder)
    change(manifest)
    (folder / MANIFEST).write_text(json.dumps(manifest))


def parts_of(folder: Path) -> list[Path]:
    return [folder / part["path"] for part in manifest_of(folder)["parts"]]


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def miscount(manifest: dict[str, Any]) -> None:
    manifest["parts"][0]["rows"] += 1
    manifest["rows"] += 1


DAMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "no manifest": (lambda folder: (folder / MANIFEST).unlink(), f"there is no {MANIFEST}, so no export"),
    "no manifest of ours": (lambda folder: (folder / MANIFEST).write_text("{}"), f"{MANIFEST} cannot be read"),
    "half a manifest": (lambda folder: (folder / MANIFEST).write_text('{"version'), f"{MANIFEST} cannot be read"),
    "a changed byte": (lambda folder: flip(parts_of(folder)[1]), "was changed: its SHA-256 is "),
    "too long": (lambda folder: parts_of(folder)[0].open("ab").write(b"x"), " bytes instead of "),
    "too short": (lambda folder: parts_of(folder)[0].write_bytes(b""), "has 0 bytes instead of "),
    "missing": (lambda folder: parts_of(folder)[1].unlink(), " is missing"),
    "wrong number of rows": (lambda folder: change_manifest(folder, miscount), "contains 2 rows instead of 3"),
    "wrong sum of rows": (
        lambda folder: change_manifest(folder, lambda m: m.update(rows=9)),
        "says 9 rows, but its parts have 3",
    ),
    "wrong sum of bytes": (
        lambda folder: change_manifest(folder, lambda m: m.update(bytes=9)),
        "says 9 bytes, but its",
    ),
    "another format": (
        lambda folder: change_manifest(folder, lambda m: m.update(format="orc")),
        "format 'orc' is not known to this release",
    ),
}


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_is_found_by_who_verifies_and_by_who_reads(damage: str, name: str, tmp_path: Path) -> None:
    export_jobs(tmp_path, name, "default")
    cause, finding = DAMAGES[damage]
    cause(tmp_path)
    with pytest.raises(ExportDamagedError) as raised:
        verify_export(str(tmp_path))
    found = raised.value.findings
    assert len(found) == 1
    assert finding in found[0]
    assert found[0] in str(raised.value)
    with pytest.raises(ExportDamagedError) as raised:
        list(read_export(str(tmp_path)))
    assert raised.value.findings == found[:1]


def test_all_that_is_wrong_is_said_at_once(tmp_path: Path) -> None:
    export(pages_of(50), local(tmp_path), work(10))
    parts = parts_of(tmp_path)
    flip(parts[0])
    parts[2].unlink()
    parts[4].write_bytes(b"")
    foreign = tmp_path / "part-00007-0123456789ab.jsonl.gz"
    foreign.write_bytes(b"")
    change_manifest(tmp_path, lambda manifest: manifest.update(rows=51))
    with pytest.raises(ExportDamagedError) as raised:
        verify_export(str(tmp_path))
    findings = raised.value.findings
    assert [finding.split()[0] for finding in findings] == [MANIFEST, *(parts[i].name for i in (0, 2, 4)), foreign.name]


def test_a_long_list_of_findings_is_cut_in_the_message_alone(tmp_path: Path) -> None:
    export(pages_of(60), local(tmp_path), work(2))
    for part in parts_of(tmp_path):
        part.unlink()
    with pytest.raises(ExportDamagedError, match="and 10 more") as raised:
        verify_export(str(tmp_path))
    assert len(raised.value.findings) == 30


def test_no_row_of_a_damaged_part_is_given_and_all_of_those_before(tmp_path: Path) -> None:
    export(pages_of(30), local(tmp_path), work(10))
    flip(parts_of(tmp_path)[1])
    given = []
    with pytest.raises(ExportDamagedError):
        given += [row["id"] for row in iter_into(given, tmp_path)]
    assert given == ids([10])


def iter_into(given: list[int], folder: Path) -> Any:
    for row in read_export(str(folder)):
        given.append(row["id"])
    return ()


def test_other_files_are_nobodys_business(tmp_path: Path) -> None:
    export(pages_of(3), local(tmp_path), work())
    (tmp_path / "notes.txt").write_text("x")
    (tmp_path / "_SUCCESS").write_text("")
    (tmp_path / "part-00000-0123456789ab.jsonl.gz.tmp").mkdir()
    assert verify_export(str(tmp_path)).rows == 3


def test_parts_of_a_running_export_are_not_foreign(tmp_path: Path) -> None:
    export(pages_of(3), local(tmp_path), work())
    name = "part-00000-0123456789ab.jsonl.gz"
    (tmp_path / name).write_bytes(b"")
    mark = tmp_path / f"_staging/{'a' * 32}/0123456789ab-begun"
    mark.parent.mkdir(parents=True)
    mark.touch()
    assert verify_export(str(tmp_path)).rows == 3
    mark.rename(mark.with_name("0123456789ac-begun"))
    with pytest.raises(ExportDamagedError, match=f"{name} is beside the parts, but not of this export"):
        verify_export(str(tmp_path))


def test_replaced_parts_are_not_foreign_until_they_are_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    export(pages_of(3), local(tmp_path), work())
    verified = []

    def verify_first(store: Any, staging: Any, names: Any, gone: set[str], current: Any) -> None:
        assert gone
        verified.append(verify_export(str(tmp_path)).rows)

    monkeypatch.setattr("airflow_batch_provider.export.publishing._clean", verify_first)
    export(pages_of(5), local(tmp_path), work())
    assert verified == [5]


def test_an_export_that_is_replaced_while_it_is_read_is_said_to_be(tmp_path: Path) -> None:
    export(pages_of(30), local(tmp_path), work(10))
    rows = read_export(str(tmp_path))
    assert next(rows)["id"] == 0
    export(pages_of(40), local(tmp_path), work(15))
    assert [next(rows)["id"] for _ in range(9)] == list(range(1, 10))
    with pytest.raises(ExportReplacedError, match="was replaced or removed while it was read"):
        next(rows)


@pytest.mark.parametrize("function", [read_export, verify_export])
@pytest.mark.parametrize(("name", "extra"), [("parquet", "parquet"), ("csv", "zstd"), ("jsonl", "zstd")])
def test_a_whole_export_whose_library_is_missing_is_not_called_damaged(
    name: str, extra: str, function: Callable[[str], object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    export_jobs(tmp_path, name, "zstd")
    monkeypatch.setattr(libraries, "is_installed", lambda name: False)
    with pytest.raises(InvalidParameterError, match=rf"pip install 'airflow-batch-provider\[{extra}\]'"):
        function(tmp_path.as_uri())


def test_what_cannot_be_opened_is_said_at_the_call(tmp_path: Path) -> None:
    with pytest.raises(DestinationError):
        read_export("relative/path")
    with pytest.raises(ExportDamagedError):
        read_export(str(tmp_path))


def test_reading_holds_a_few_rows_not_the_export(tmp_path: Path) -> None:
    padding = "x" * 1000
    rows = [Row(str(number), "done", json.dumps({"id": number, "p": padding}).encode()) for number in range(20_000)]
    export([NewRows(Rows.of(rows), 0, None)], local(tmp_path), work(20_000))
    del rows
    tracemalloc.start()
    assert sum(1 for _ in read_export(str(tmp_path))) == 20_000
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 8_000_000


def test_the_functions_are_imported_without_heavy_libraries() -> None:
    def modules_after(statement: str) -> set[str]:
        script = f"{statement}\nimport sys; print(*sys.modules)"
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
        return set(done.stdout.splitlines()[-1].split())

    airflows_own = modules_after("import airflow_batch_provider.exceptions")
    added = modules_after("from airflow_batch_provider.export import read_export, verify_export") - airflows_own
    assert "airflow_batch_provider.export.verifying" in added
    assert not {"pyarrow", "fsspec", "isal", "zstandard", "requests", "msgspec"} & added
