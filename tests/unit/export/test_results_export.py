"""An export of results adds up: every item with what became of it, every file, and nothing that is not its own."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from airflow_batch_provider.apis.shard import Shard
from airflow_batch_provider.exceptions import (
    BatchItemsFailedError,
    BatchUnfinishedError,
    EmptyExportError,
    ExportDamagedError,
    IncompleteListingError,
    TransientError,
)
from airflow_batch_provider.export import read_export, verify_export
from airflow_batch_provider.export.manifest import TaskRun
from airflow_batch_provider.export.verifying import PublishedExport
from airflow_batch_provider.stores.destination import LocalStore
from tests.unit.export.exported import MANIFEST, left_over, local, manifest_of
from tests.unit.export.results_of import BatchOf, export, notes_of, work

OTHER_TASK = TaskRun("dag", "other", "other run", "2026-03-01T00:00:00+00:00", -1)


def rows_of(folder: Path) -> list[dict[str, Any]]:
    return list(read_export(str(folder)))


def files_in(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.glob("files/*/*")}


def test_manifest_and_summary_count_what_there_is(tmp_path: Path) -> None:
    vendor = BatchOf(20, gone=[3, 7])
    manifest = export(vendor, local(tmp_path))
    rows, written = rows_of(tmp_path), manifest_of(tmp_path)
    notes = {note for number in range(20) if number not in (3, 7) for note in notes_of(number)}
    assert written["rows"] == len(rows) == 20
    assert written["outcomes"] == {"ok": 18, "missing": 2}
    assert list(written["outcomes"]) == ["ok", "missing"]
    assert written["files"] == {
        "count": len(notes),
        "bytes": sum(len(note) for note in notes),
        "path": manifest.files.path,
    }
    assert written["requests"] == len(vendor.asked) == 3 + 20
    assert (written["pages"], written["passes"], written["reported_total"]) == (3, 1, 20)
    summary = manifest.summary("here")
    assert (summary["outcomes"], summary["requests"]) == (written["outcomes"], 23)
    assert summary["files"] == {"count": len(notes), "bytes": sum(map(len, notes))}
    assert files_in(tmp_path) == {file["path"] for row in rows for file in row["files"]}
    verify_export(str(tmp_path))


@pytest.mark.parametrize("workers", [1, 8])
@pytest.mark.parametrize("file_format", ["jsonl", "csv", "parquet"])
def test_a_row_has_seven_keys_and_is_exact(file_format: str, workers: int, tmp_path: Path) -> None:
    export(BatchOf(30, workers=workers), local(tmp_path), work(file_format=file_format))
    rows = rows_of(tmp_path)
    assert [row["id"] for row in rows] == [str(number) for number in range(30)]
    keys = ["id", "status", "outcome", "error", "item", "result", "files"]
    assert [*rows[0]] == (keys if file_format == "jsonl" else [*keys, "_extra"])
    result = rows[4]["result"] if file_format == "jsonl" else json.loads(rows[4]["result"])
    assert result["big"] == 2**70 + 4


def test_the_rows_of_a_part_are_in_one_line_each_however_they_were_written(tmp_path: Path) -> None:
    export(BatchOf(4), local(tmp_path))
    (part,) = manifest_of(tmp_path)["parts"]
    lines = gzip.decompress((tmp_path / part["path"]).read_bytes()).splitlines()
    assert len(lines) == 4
    assert b'"result":{"id":0,"run":"","notes":[],"big":1180591620717411303424},"files":[]}' in lines[0]


@pytest.mark.parametrize("on_drift", ["retry", "fail"])
def test_a_batch_that_counts_more_items_than_it_lists_is_not_published(on_drift: str, tmp_path: Path) -> None:
    with pytest.raises(IncompleteListingError, match="lists 20 items, but the batch counts 21"):
        export(BatchOf(20), local(tmp_path), expected=21, on_drift=on_drift)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("expected", [19, 21])
def test_with_a_warning_it_is_and_the_manifest_says_so(
    expected: int, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    manifest = export(BatchOf(20), local(tmp_path), expected=expected, on_drift="warn")
    assert manifest.drift == f"lists 20 items, but the batch counts {expected}"
    assert manifest.drift in caplog.text
    assert (manifest.rows, manifest.pages, manifest.passes, manifest.reported_total) == (20, 3, 1, 20)
    verify_export(str(tmp_path))


def test_a_batch_that_lists_more_items_than_it_counts_does_not_add_up_either(tmp_path: Path) -> None:
    with pytest.raises(IncompleteListingError, match="lists 20 items, but the batch counts 19"):
        export(BatchOf(20), local(tmp_path), expected=19)
    manifest = export(BatchOf(20), local(tmp_path), expected=19, on_drift="warn")
    assert (manifest.rows, manifest.drift) == (20, "lists 20 items, but the batch counts 19")


@pytest.mark.parametrize("expected", [None, 20])
def test_a_batch_that_adds_up_has_no_drift(expected: int | None, tmp_path: Path) -> None:
    assert export(BatchOf(20), local(tmp_path), expected=expected).drift is None


def test_the_shards_of_a_batch_together_are_the_batch(tmp_path: Path) -> None:
    """Each of them compares the whole batch with its count."""
    ids: list[str] = []
    for number in range(1, 5):
        folder = tmp_path / str(number)
        manifest = export(BatchOf(30), local(folder), work(shard=f"{number}/4"), shard=Shard(number, 4), expected=30)
        assert manifest.rows == sum(manifest.outcomes.values())
        verify_export(str(folder))
        ids += [row["id"] for row in rows_of(folder)]
    assert sorted(ids, key=int) == [str(number) for number in range(30)]
    with pytest.raises(IncompleteListingError):
        export(BatchOf(30), local(tmp_path / "5"), work(shard="1/4"), shard=Shard(1, 4), expected=31)


def test_a_batch_that_is_not_finished_is_refused_before_anything_is_asked_of_its_items(tmp_path: Path) -> None:
    vendor = BatchOf(20)
    with pytest.raises(BatchUnfinishedError, match="unfinished='export'"):
        export(vendor, local(tmp_path), outcome="running")
    assert vendor.asked == []


@pytest.mark.parametrize("outcome", ["running", "unknown"])
def test_what_is_there_of_it_can_be_exported_whatever_it_counts(outcome: str, tmp_path: Path) -> None:
    manifest = export(BatchOf(20), local(tmp_path), outcome=outcome, takes_unfinished=True, expected=99)
    assert manifest.rows == 20
    assert "before the batch was finished" in str(manifest.drift)


def test_items_that_failed_publish_nothing_if_they_must_not_and_the_next_try_asks_for_all_again(
    tmp_path: Path,
) -> None:
    spec = work(fails_on_items=True)
    with pytest.raises(BatchItemsFailedError, match="of 20 items 2 are missing"):
        export(BatchOf(20, gone=[3, 7]), local(tmp_path), spec)
    assert list(tmp_path.iterdir()) == []
    vendor = BatchOf(20)
    assert not export(vendor, local(tmp_path), spec).resumed
    assert len(vendor.results_asked) == 20


def test_an_empty_batch_is_an_empty_export_or_none(tmp_path: Path) -> None:
    with pytest.raises(EmptyExportError):
        export(BatchOf(0), local(tmp_path), may_be_empty=False)
    for file_format in ("jsonl", "parquet"):
        manifest = export(BatchOf(0), local(tmp_path), work(file_format=file_format), expected=0)
        assert (manifest.rows, manifest.outcomes, manifest.files.count) == (0, {}, 0)
        verify_export(str(tmp_path))


def test_the_files_of_a_replaced_export_are_removed_and_those_of_this_one_are_not(tmp_path: Path) -> None:
    first = export(BatchOf(20), local(tmp_path))
    before = files_in(tmp_path)
    second = export(BatchOf(30), local(tmp_path), work(task_run=OTHER_TASK))
    assert first.files.path != second.files.path
    assert before.isdisjoint(files_in(tmp_path))
    assert f"files/{str(first.files.path)[6:]}" in second.replaces
    verify_export(str(tmp_path))
    export(BatchOf(2), local(tmp_path), work(day="next"))
    assert len(files_in(tmp_path)) == 1
    assert {name for name in left_over(tmp_path) if "." in name} == files_in(tmp_path)
    export(BatchOf(1), local(tmp_path), work(day="after"))
    assert files_in(tmp_path) == set()


def test_a_task_that_is_cleared_exports_again(tmp_path: Path) -> None:
    """What it left once made it take its own export for that of a try that was killed."""
    export(BatchOf(20), local(tmp_path))
    assert not (tmp_path / "_staging").exists()
    vendor = BatchOf(20, run="again")
    export(vendor, local(tmp_path))
    assert len(vendor.results_asked) == 20
    assert rows_of(tmp_path)[0]["result"]["run"] == "again"


def change_manifest(folder: Path, change: Callable[[dict[str, Any]], None]) -> None:
    manifest = manifest_of(folder)
    change(manifest)
    (folder / MANIFEST).write_text(json.dumps(manifest))


def first_file(folder: Path) -> Path:
    return folder / min(files_in(folder))


def remove(folder: Path) -> None:
    first_file(folder).unlink()


def alter(folder: Path) -> None:
    content = first_file(folder).read_bytes()
    first_file(folder).write_bytes(content[:-1] + b"X" if content else b"X")


def cut(folder: Path) -> None:
    max((folder / name for name in files_in(folder)), key=lambda path: path.stat().st_size).write_bytes(b"no")


def add_foreign(folder: Path) -> None:
    first_file(folder).with_name(f"{'0' * 64}.txt").write_bytes(b"")


def add_folder(folder: Path) -> None:
    other = folder / "files" / ("f" * 12)
    other.mkdir()
    (other / f"{'0' * 64}.txt").write_bytes(b"")


DAMAGES: dict[str, tuple[Callable[[Path], None], str]] = {
    "a file is missing": (remove, r"files/.* is missing, or was changed"),
    "a file was changed": (alter, r"files/.* is missing, or was changed"),
    "a file was cut": (cut, r"files/.* is missing, or was changed"),
    "a foreign file": (add_foreign, r"is beside the parts, but not of this export"),
    "a foreign folder": (add_folder, r"files/ffffffffffff/.* is beside the parts, but not of this export"),
    "another number of files": (
        lambda folder: change_manifest(folder, lambda manifest: manifest["files"].update(count=1)),
        r"says 1 files with",
    ),
    "another number of bytes": (
        lambda folder: change_manifest(folder, lambda manifest: manifest["files"].update(bytes=1)),
        r"files with 1 bytes, but its rows name",
    ),
    "another folder": (
        lambda folder: change_manifest(folder, lambda manifest: manifest["files"].update(path="files/" + "e" * 12)),
        r"is not in the folder of this export",
    ),
    "outcomes that do not add up": (
        lambda folder: change_manifest(folder, lambda manifest: manifest["outcomes"].update(ok=5)),
        r"says 7 outcomes of 20 rows",
    ),
    "outcomes of other rows": (
        lambda folder: change_manifest(folder, lambda manifest: manifest.update(outcomes={"ok": 19, "failed": 1})),
        r"other outcomes than its rows have: 18 ok, 2 missing",
    ),
}


@pytest.mark.parametrize("file_format", ["jsonl", "csv", "parquet"])
@pytest.mark.parametrize(("damage", "finding"), DAMAGES.values(), ids=DAMAGES)
def test_verifying_finds_what_is_wrong_with_the_files_and_counts(
    damage: Callable[[Path], None], finding: str, file_format: str, tmp_path: Path
) -> None:
    export(BatchOf(20, gone=[3, 7]), local(tmp_path), work(file_format=file_format))
    verify_export(str(tmp_path))
    damage(tmp_path)
    with pytest.raises(ExportDamagedError) as damaged:
        verify_export(str(tmp_path))
    assert re.search(finding, "; ".join(damaged.value.findings))


def test_verifying_while_the_files_of_the_export_before_are_removed_finds_no_damage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    export(BatchOf(20), local(tmp_path))
    remove_from_store, verified = LocalStore.remove, []

    def verify_first(store: LocalStore, name: str) -> None:
        if name.startswith("files/"):
            PublishedExport(local(tmp_path)).verify()
            verified.append(name)
        remove_from_store(store, name)

    monkeypatch.setattr(LocalStore, "remove", verify_first)
    export(BatchOf(20, run="later"), local(tmp_path), work(task_run=OTHER_TASK))
    assert len(verified) > 3


def test_a_file_that_is_not_whole_once_it_is_published_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    publish = LocalStore.publish

    def torn(store: LocalStore, staged: str, name: str) -> None:
        publish(store, staged, name)
        if name.startswith("files/"):
            (tmp_path / name).write_bytes(b"torn")

    monkeypatch.setattr(LocalStore, "publish", torn)
    with pytest.raises(TransientError, match="bytes after publishing instead of"):
        export(BatchOf(20), local(tmp_path))
    assert not (tmp_path / MANIFEST).exists()
