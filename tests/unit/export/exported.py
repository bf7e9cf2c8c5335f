"""What a reader of an export sees, checked on the way."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from airflow_batch_provider.apis.page import Row, Rows
from airflow_batch_provider.apis.shown import harmless
from airflow_batch_provider.export import export as exporting
from airflow_batch_provider.export.manifest import Manifest, TaskRun
from airflow_batch_provider.export.spec import ExportSpec
from airflow_batch_provider.formats.format import Format
from airflow_batch_provider.listing.pages import NewRows
from airflow_batch_provider.stores.destination import Store, open_store

MANIFEST = "_MANIFEST.json"
TASK_RUN = TaskRun("dag", "task", "run", "2026-03-01T00:00:00+00:00", -1)


def pages_of(*sizes: int, status: str = "done") -> Iterator[NewRows]:
    """Yield pages of so many rows each."""
    number = 0
    for size in sizes:
        rows = []
        for _ in range(size):
            rows.append(Row(str(number), status, json.dumps({"id": number, "text": "ä" * (number % 7)}).encode()))
            number += 1
        yield NewRows(Rows.of(rows), 0, None)


def work(
    rows_per_part: int = 100, task_run: TaskRun = TASK_RUN, compression: str | None = "gzip", **params: str
) -> ExportSpec:
    """Return a piece of work."""
    return ExportSpec(
        show=harmless,
        listing="vendor.things",
        params=params,
        file_format=Format("jsonl", compression),
        rows_per_part=rows_per_part,
        task_run=task_run,
    )


def export(pages: Iterable[NewRows], store: Store, work: ExportSpec, *, resume: bool = True) -> Manifest:
    """Export pages, whatever is asked for."""
    return exporting.export(lambda **_: pages, store, work, resume=resume)


def local(folder: Path) -> Store:
    """Open a local folder as a destination."""
    return open_store(folder.as_uri())


def manifest_of(folder: Path) -> dict[str, Any]:
    """Return a folder's manifest."""
    return dict(json.loads((folder / MANIFEST).read_text()))


def rows_of(folder: Path) -> list[int]:
    """Read an export by its manifest, checking every number in it, and return the rows' ids."""
    manifest = manifest_of(folder)
    ids: list[int] = []
    for part in manifest["parts"]:
        content = (folder / part["path"]).read_bytes()
        assert len(content) == part["bytes"]
        assert hashlib.sha256(content).hexdigest() == part["sha256"]
        lines = (gzip.decompress(content) if part["path"].endswith(".gz") else content).splitlines()
        assert len(lines) == part["rows"]
        ids += [json.loads(line)["id"] for line in lines]
    assert len(ids) == manifest["rows"]
    assert sum(part["bytes"] for part in manifest["parts"]) == manifest["bytes"]
    return ids


def left_over(folder: Path) -> set[str]:
    """Return the files and folders that no manifest names."""
    named: set[str] = {MANIFEST, *(part["path"] for part in manifest_of(folder)["parts"])}
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*")} - named


def contents_of(manifest: Manifest) -> list[tuple[int, int, str]]:
    """Return what an export's files hold; their names are of the try that published them."""
    return [(part.rows, part.bytes, part.sha256) for part in manifest.parts]


def ids(sizes: Iterable[int]) -> list[int]:
    """Return the ids of the rows that :func:`pages_of` gives."""
    return list(range(sum(sizes)))
