"""Ids, tokens and parameters are data: no name of a file is made of them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fsspec.implementations.memory import MemoryFileSystem

from airflow_batch_provider.apis.shown import harmless
from airflow_batch_provider.exceptions import DestinationError
from airflow_batch_provider.export.export import export
from airflow_batch_provider.export.manifest import TaskRun
from airflow_batch_provider.export.spec import ExportSpec
from airflow_batch_provider.formats.format import Format
from airflow_batch_provider.stores.destination import open_store
from airflow_batch_provider.stores.object_store import ObjectStore
from tests.unit.export.vendor import LISTINGS, VendorOf

HOSTILE = [
    *("../" * 8 + "etc/passwd", "/etc/passwd", "..", ".", "a/b", "a\\b", "C:\\x", "%2e%2e%2f", "..%2f", "~", "$HOME"),
    *("a\x00b", "a\nb", "\u202e", "\ud800", "{0}", "{project_id}", "%s", "*", "?", "#", "_MANIFEST.json", "_staging"),
    *("http://x.invalid/?sig=a", "x" * 5000, " x ", "con", "part-00000-000000000000.jsonl.gz"),
]
PUBLISHED = r"part-[0-9]{5}-[0-9a-f]{12}\.(jsonl\.gz|csv\.gz|parquet)|_MANIFEST\.json"
STAGED = (
    r"_staging/[0-9a-f]{32}/[0-9a-f]{12}-"
    r"(begun(\.[0-9]+)?|[0-9]{5}\.(staged|ids)|([0-9]{5}|all)\.checkpoint\.json)"
)


def work(name: str, file_format: str) -> ExportSpec:
    return ExportSpec(
        show=harmless,
        listing=name,
        params={f"p{number}": value for number, value in enumerate(HOSTILE)},
        file_format=Format(file_format, columns=LISTINGS[name].columns),
        rows_per_part=7,
        task_run=TaskRun("../dag", "../task", "../run", None, 1),
    )


@pytest.mark.parametrize("file_format", ["jsonl", "csv", "parquet"])
@pytest.mark.parametrize("name", LISTINGS)
@pytest.mark.parametrize("kind", ["local", "memory"])
def test_only_names_of_the_documented_form_appear(kind: str, name: str, file_format: str, tmp_path: Path) -> None:
    if kind == "local":
        store = open_store(str(tmp_path / "a" / "b" / "exports"))
        found: Callable[[], list[str]] = lambda: [str(path) for path in tmp_path.rglob("*") if path.is_file()]  # noqa: E731
        root = f"{tmp_path}/a/b/exports/"
    else:
        fs = MemoryFileSystem()
        fs.store.clear()
        store, root = ObjectStore(fs, "/a/b/exports", "memory://a/b/exports"), "/a/b/exports/"
        found = lambda: list(fs.store)  # noqa: E731
    during: set[str] = set()
    rows = [json.dumps({"id": hostile, "status": hostile, "name": hostile}) for hostile in HOSTILE]
    vendor = VendorOf(name, rows, cap=5, before=lambda: during.update(found()))
    export(vendor.source(on_drift="warn"), store, work(name, file_format))
    assert all(path.startswith(root) for path in {*during, *found()})
    assert all(re.fullmatch(STAGED, path.removeprefix(root)) for path in during)
    assert len(found()) == 1 + -(-len(HOSTILE) // 7)
    assert all(re.fullmatch(PUBLISHED, path.removeprefix(root)) for path in found())


@pytest.mark.parametrize("key", ["parts", "replaces"])
def test_a_forged_manifest_removes_nothing_outside_the_destination(key: str, tmp_path: Path) -> None:
    destination, other = tmp_path / "exports", tmp_path / "other.txt"
    other.write_text("of somebody else")
    first = VendorOf("playment.batches", [json.dumps({"id": 1})])
    export(first.source(), open_store(str(destination)), work("playment.batches", "jsonl"))
    manifest: dict[str, Any] = json.loads((destination / "_MANIFEST.json").read_text())
    part = {**manifest["parts"][0], "path": "../other.txt"}
    manifest |= {"parts": [part]} if key == "parts" else {"replaces": ["../other.txt"]}
    (destination / "_MANIFEST.json").write_text(json.dumps(manifest))
    second = VendorOf("playment.batches", [json.dumps({"id": 2})])
    with pytest.raises(DestinationError, match=r"'\.\./other\.txt' is not the name of a part"):
        export(second.source(), open_store(str(destination)), work("playment.batches", "csv"))
    assert other.read_text() == "of somebody else"


def test_status_words_cannot_blow_up_what_a_task_hands_on(tmp_path: Path) -> None:
    rows = [json.dumps({"id": number, "status": f"{number}" + "x" * 1000}) for number in range(1000)]
    vendor = VendorOf("playment.batches", rows)
    manifest = export(vendor.source(), open_store(str(tmp_path)), work("playment.batches", "jsonl"))
    assert len(json.dumps(manifest.summary("here"))) < 50_000
