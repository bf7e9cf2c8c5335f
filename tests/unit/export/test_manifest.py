"""A manifest is read strictly, its version first; that of release 0.1.0 reads as before."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from airflow_batch_provider.exceptions import DestinationError, ExportDamagedError
from airflow_batch_provider.export import read_export, verify_export
from airflow_batch_provider.export.manifest import MANIFEST_NAME, read_manifest
from tests.unit.export.exported import export, local, pages_of, work

SAMPLE = (Path(__file__).parent / "samples/manifest-0.1.0.json").read_bytes()


def test_a_manifest_of_the_release_before_reads_and_is_written_with_what_results_add() -> None:
    manifest = read_manifest(SAMPLE)
    assert (manifest.rows, manifest.parts[0].sha256, manifest.dag_id) == (2, "a" * 64, "d")
    assert manifest.status_counts == {"completed": 1, "\ud83d": 1}
    written = json.loads(manifest.to_json())
    assert (written.pop("files"), written.pop("outcomes")) == ({"count": 0, "bytes": 0}, {})
    assert written.pop("source_version") is None
    assert json.dumps(written, indent=1).encode() + b"\n" == SAMPLE


@pytest.mark.parametrize("missing", ["drift", "unexpected_values", "dag_id", "logical_date"])
def test_a_field_with_a_default_may_be_missing(missing: str) -> None:
    document = json.loads(SAMPLE)
    del document[missing]
    read_manifest(json.dumps(document).encode())


def test_a_field_of_a_later_release_is_ignored() -> None:
    assert read_manifest(json.dumps({**json.loads(SAMPLE), "later": [1]}).encode()) == read_manifest(SAMPLE)


BROKEN: dict[str, tuple[dict[str, Any], str]] = {
    "version": ({"version": 99}, "version 99; this release reads version 1"),
    "version as text": ({"version": "1"}, "Expected `int`, got `str`"),
    "format as list": ({"format": ["x"]}, r"Expected `str`, got `array` - at `\$\.format`"),
    "unknown format": ({"format": "orc"}, "format 'orc' is not known to this release"),
    "rows as text": ({"rows": "1"}, r"Expected `int`, got `str` - at `\$\.rows`"),
    "negative rows": ({"rows": -1}, r">= 0 - at `\$\.rows`"),
    "fractional rows": ({"rows": 1.5}, r"Expected `int`"),
    "time as number": ({"started_at": 5}, r"Expected `str`, got `int` - at `\$\.started_at`"),
    "time as prose": ({"finished_at": "yesterday"}, r"matching regex .* - at `\$\.finished_at`"),
    "parts as object": ({"parts": {}}, r"Expected `array`"),
    "path elsewhere": ({"parts": [{"path": "../x", "rows": 1, "bytes": 1, "sha256": ""}]}, "not the name of a part"),
    "replaces elsewhere": ({"replaces": ["/etc/passwd"]}, "'/etc/passwd' is not the name of a part"),
    "status count as text": ({"status_counts": {"a": "1"}}, "Expected `int`"),
    "nothing": ({"export_id": None}, "Expected `str`, got `null`"),
}
DEEP = b'{"version":1,"x":' + b"[" * 10_000 + b"]" * 10_000 + b"}"
READERS: dict[str, tuple[Callable[[Path], object], type[Exception]]] = {
    "verify": (lambda folder: verify_export(folder.as_uri()), ExportDamagedError),
    "read": (lambda folder: list(read_export(folder.as_uri())), ExportDamagedError),
    "export": (lambda folder: export(pages_of(3), local(folder), work(10)), DestinationError),
}


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("case", [*BROKEN, "deep", "cut", "empty", "binary"])
def test_a_broken_manifest_is_a_clear_error_and_left_alone(case: str, reader: str, tmp_path: Path) -> None:
    changes, message = BROKEN.get(case, ({}, "nested too deeply" if case == "deep" else "it is not JSON"))
    contents = {"deep": DEEP, "cut": SAMPLE[:-9], "empty": b"", "binary": b"\xff\x00"}
    content = contents.get(case, json.dumps({**json.loads(SAMPLE), **changes}).encode())
    (tmp_path / MANIFEST_NAME).write_bytes(content)
    read, raised = READERS[reader]
    with pytest.raises(raised, match=message):
        read(tmp_path)
    assert (tmp_path / MANIFEST_NAME).read_bytes() == content
