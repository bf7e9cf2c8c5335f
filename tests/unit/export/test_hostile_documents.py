"""A checkpoint or a manifest is input that anybody may have written."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from airflow_batch_provider.export import documents
from airflow_batch_provider.export.manifest import Manifest
from tests.unit.export.exported import left_over, rows_of, work
from tests.unit.export.test_resume import killed_at, run
from tests.unit.export.vendor import VendorOf, rows

NAME = "llamacloud.batches"
OUTSIDE = "../OUTSIDE.txt"
DEEP = json.loads("[" * 900 + "]" * 900)
Change = Callable[[dict[str, Any]], object]


def first_part(**changes: Any) -> Change:
    return lambda document: document["parts"][0].update(changes)


def stats(**changes: Any) -> Change:
    return lambda document: document["stats"].update(changes)


CHECKPOINTS: dict[str, Change] = {
    "a part outside": first_part(name=OUTSIDE),
    "a part at an absolute path": first_part(name="/etc/passwd"),
    "a part of another export": first_part(name=f"_staging/{'0' * 32}/{'0' * 12}-00000.jsonl.gz"),
    "a part in the folder above": first_part(name=f"_staging/{'0' * 32}/../../{'0' * 12}-00000.jsonl.gz"),
    "a part with a lone surrogate": first_part(name="_staging/\ud800"),
    "a part with an endless name": first_part(name=f"_staging/{'0' * 32}/{'0' * 12}-" + "0" * 1_000_000),
    "a published name, as releases before had": first_part(path=OUTSIDE, name=OUTSIDE),
    "a part with negative rows": first_part(rows=-1),
    "a part with more rows than it has": first_part(rows=10**6),
    "a part with rows of no number": first_part(rows="15"),
    "a part with 10^400 bytes": first_part(bytes=10**400),
    "a part with fewer bytes than it has": first_part(bytes=1),
    "a part without a digest": first_part(sha256=""),
    "a part whose digest is a path": first_part(sha256=OUTSIDE),
    "negative mismatches": first_part(mismatches={"a": -1}),
    "hashes outside": lambda document: document["digests"][0].update(name=OUTSIDE),
    "hashes of fewer parts": lambda document: document["digests"].pop(),
    "hashes of another file": lambda document: document["digests"][0].update(document["digests"][1]),
    "negative rows": stats(rows=-5),
    "other rows than its parts": stats(rows=7),
    "negative pages": stats(pages=-1),
    "a negative status": stats(statuses={"done": -3}),
    "a thousand statuses": stats(statuses={str(number): 1 for number in range(1000)}),
    "a long status": stats(statuses={"x" * 1000: 1}),
    "a time without a zone": stats(started_at="2026-03-01T00:00:00"),
    "no time": stats(started_at="yesterday"),
    "counts that are a lone surrogate": lambda document: document.update(stats="\ud800"),
    "counts of another type": lambda document: document.update(stats=[1, 2]),
    "a deep position": lambda document: document.update(position=DEEP),
    "a position of no listing": lambda document: document.update(position={"step": 5}),
    "a position of another type": lambda document: document.update(position="\ud800"),
    "another version": lambda document: document.update(version=99),
    "a version of no number": lambda document: document.update(version=[]),
}
CONTENTS: dict[str, bytes] = {
    "empty": b"",
    "binary": b"\xff\x00\xfe",
    "cut": b'{"version": 3, "parts": [',
    "a list": b"[]",
    "nested without end": b"[" * 200_000,
    "a number without end": b'{"version": ' + b"9" * 100_000 + b"}",
    "a thousand megabytes": b"",
}


def forge(folder: Path, change: Change) -> None:
    for path in folder.rglob("*.checkpoint.json"):
        document = json.loads(path.read_text())
        change(document)
        path.write_text(json.dumps(document))


def expect_read_from_the_beginning(folder: Path, outside: Path) -> None:
    manifest = run(VendorOf(NAME, rows(100)), folder)
    assert not manifest.resumed
    assert rows_of(folder) == [*range(100)]
    assert left_over(folder) == set()
    assert {path.name: path.read_text() for path in outside.iterdir() if path.is_file()} == {"OUTSIDE.txt": "untouched"}


@pytest.mark.parametrize("case", CHECKPOINTS)
def test_a_forged_checkpoint_is_ignored_and_its_work_is_done(case: str, tmp_path: Path) -> None:
    (tmp_path / "OUTSIDE.txt").write_text("untouched")
    folder = tmp_path / "export"
    killed_at(NAME, folder, requests=7)
    forge(folder, CHECKPOINTS[case])
    expect_read_from_the_beginning(folder, tmp_path)


@pytest.mark.parametrize("case", CONTENTS)
def test_what_is_no_checkpoint_is_ignored_and_said(case: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "OUTSIDE.txt").write_text("untouched")
    folder = tmp_path / "export"
    killed_at(NAME, folder, requests=7)
    for path in folder.rglob("*.checkpoint.json"):
        path.write_bytes(CONTENTS[case])
        if case == "a thousand megabytes":
            with path.open("r+b") as file:
                file.truncate(10**9)
    expect_read_from_the_beginning(folder, tmp_path)
    assert "is ignored: " in caplog.text


def test_files_of_foreign_names_are_neither_read_nor_removed(tmp_path: Path) -> None:
    killed_at(NAME, tmp_path, requests=7)
    staged = next(tmp_path.rglob("*.checkpoint.json")).parent
    foreign = [staged / "notes.txt", staged / "x.checkpoint.json", tmp_path / "_staging" / "notes.txt"]
    for path in foreign:
        path.write_text("{}")
    assert run(VendorOf(NAME, rows(100)), tmp_path).resumed
    assert all(path.read_text() == "{}" for path in foreign)


def published(folder: Path) -> Manifest:
    return run(VendorOf(NAME, rows(20)), folder)


@pytest.mark.parametrize("key", ["parts", "replaces"])
def test_a_forged_manifest_cannot_make_the_next_export_remove_its_own_parts(key: str, tmp_path: Path) -> None:
    """Whatever it names: what is published afterwards is whole, and what has not the name of a part is left alone."""
    published(tmp_path)
    others = tmp_path / "part-00000-0123456789ab.jsonl.gz"
    others.write_text("of somebody else")
    document = json.loads((tmp_path / "_MANIFEST.json").read_text())
    if key == "replaces":
        document["replaces"] = ["part-00007-ffffffffffff.jsonl.gz"] * 10_000
    else:
        document["parts"] *= 1000
    (tmp_path / "_MANIFEST.json").write_text(json.dumps(document))
    run(VendorOf(NAME, rows(30)), tmp_path)
    assert rows_of(tmp_path) == [*range(30)]
    assert others.exists()


def test_a_manifest_that_could_not_be_read_again_is_not_published(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow_batch_provider.exceptions import InvalidParameterError
    from airflow_batch_provider.export import publishing

    assert documents.MOST_BYTES > 100_000 * 250
    monkeypatch.setattr(publishing, "MOST_BYTES", 1000)
    with pytest.raises(InvalidParameterError, match="raise rows_per_part"):
        run(VendorOf(NAME, rows(100)), tmp_path, 1)
    assert not [path for path in tmp_path.iterdir() if path.name != "_staging"]
    assert work(1).id
