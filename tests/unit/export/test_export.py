"""An export is whole or not there, may be repeated, and leaves nothing over."""

from __future__ import annotations

import json
import logging
import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_batch_provider.apis.page import Rows
from airflow_batch_provider.exceptions import IncompleteListingError, TransientError
from airflow_batch_provider.export import progress
from airflow_batch_provider.export.manifest import TaskRun, read_manifest
from airflow_batch_provider.listing.pages import NewRows
from airflow_batch_provider.stores.destination import LocalStore, Store
from tests.unit.export.exported import (
    MANIFEST,
    contents_of,
    export,
    ids,
    left_over,
    local,
    manifest_of,
    pages_of,
    rows_of,
    work,
)

SIZES = st.lists(st.integers(0, 40), max_size=6)


@given(sizes=SIZES, rows_per_part=st.integers(1, 50), compression=st.sampled_from(["gzip", None]))
@settings(max_examples=60, deadline=None)
def test_every_row_is_exported_once_in_order_in_parts_of_the_size_asked_for(
    sizes: list[int], rows_per_part: int, compression: str | None
) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        manifest = export(pages_of(*sizes), local(folder), work(rows_per_part, compression=compression))
        assert rows_of(folder) == ids(sizes)
        assert left_over(folder) == set()
        assert all(part.rows == rows_per_part for part in manifest.parts[:-1])
        assert all(0 < part.rows <= rows_per_part for part in manifest.parts[-1:])
        assert manifest.pages == len(sizes)


@given(sizes=SIZES, split=st.lists(st.integers(1, 30), max_size=6))
@settings(max_examples=30, deadline=None)
def test_the_same_rows_give_the_same_bytes_however_they_are_paged(sizes: list[int], split: list[int]) -> None:
    rows = [row for page in pages_of(*sizes) for row in page.rows]
    other_pages, rest = [], rows
    for size in split:
        other_pages.append(NewRows(Rows.of(rest[:size]), 0, None))
        rest = rest[size:]
    other_pages.append(NewRows(Rows.of(rest), 0, None))
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
        first = export(pages_of(*sizes), local(Path(one)), work(17, compression=None))
        second = export(other_pages, local(Path(other)), work(17, compression=None))
        assert contents_of(first) == contents_of(second)


def test_a_repeated_export_gives_the_same_bytes_under_names_of_its_own(tmp_path: Path) -> None:
    first = export(pages_of(30, 20), local(tmp_path), work(20))
    again = export(pages_of(30, 20), local(tmp_path), work(20))
    assert contents_of(again) == contents_of(first)
    assert set(again.replaces) == {part.path for part in first.parts}
    assert not {part.path for part in again.parts} & set(again.replaces)
    assert rows_of(tmp_path) == ids([50])
    assert left_over(tmp_path) == set()


def test_an_export_names_and_removes_what_it_replaces(tmp_path: Path) -> None:
    first = export(pages_of(30), local(tmp_path), work(10, status="a"))
    second = export(pages_of(30, status="other"), local(tmp_path), work(25))
    assert set(second.replaces) == {part.path for part in first.parts}
    assert rows_of(tmp_path) == ids([30])
    assert left_over(tmp_path) == set()


def test_an_export_of_nothing_has_a_manifest_and_no_parts(tmp_path: Path) -> None:
    manifest = export(pages_of(0), local(tmp_path), work())
    assert (manifest.rows, manifest.parts, manifest.status_counts) == (0, (), {})
    assert [path.name for path in tmp_path.iterdir()] == [MANIFEST]


def test_the_manifest_has_the_documented_keys_in_order(tmp_path: Path) -> None:
    export(pages_of(3), local(tmp_path), work(batch_id="b"))
    manifest = manifest_of(tmp_path)
    assert list(manifest) == [
        *("version", "export_id", "listing", "params", "format", "compression", "rows", "bytes", "parts"),
        *(
            "files",
            "outcomes",
            "source_version",
            "status_counts",
            "pages",
            "duplicates_dropped",
            "passes",
            "reported_total",
            "resumed",
            "replaces",
        ),
        *("started_at", "finished_at", "dag_id", "task_id", "run_id", "logical_date"),
        *("drift", "unexpected_values", "map_index"),
    ]
    assert list(manifest["parts"][0]) == ["path", "rows", "bytes", "sha256"]
    assert re.fullmatch(r"part-00000-[0-9a-f]{12}\.jsonl\.gz", manifest["parts"][0]["path"])
    assert manifest["params"] == {"batch_id": "b"}
    assert (manifest["files"], manifest["outcomes"]) == ({"count": 0, "bytes": 0}, {})
    assert manifest["status_counts"] == {"done": 3}
    assert (manifest["dag_id"], manifest["logical_date"]) == ("dag", "2026-03-01T00:00:00+00:00")
    assert manifest["started_at"].endswith("Z")


def test_a_manifest_reads_back_as_it_was_written(tmp_path: Path) -> None:
    written = export(pages_of(3), local(tmp_path), work())
    read = read_manifest((tmp_path / MANIFEST).read_bytes())
    assert read.to_json() == written.to_json()


def test_status_words_of_any_kind_are_counted_as_they_may_be_shown(tmp_path: Path) -> None:
    export(pages_of(2, status="\ud800 läuft"), local(tmp_path), work())
    assert manifest_of(tmp_path)["status_counts"] == {"\\ud800 läuft": 2}


def test_a_listing_that_fails_in_the_middle_leaves_the_export_before_untouched(tmp_path: Path) -> None:
    export(pages_of(30), local(tmp_path), work(10))
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}

    def breaking() -> Iterator[NewRows]:
        yield from pages_of(25)
        raise IncompleteListingError("it ended early")

    with pytest.raises(IncompleteListingError):
        export(breaking(), local(tmp_path), work(10))
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


class Unreliable:
    """Lets the n-th operation on a store fail, before or after it took effect."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, fails_at: int, afterwards: bool) -> None:
        self.operations = 0
        for name in ("create", "read", "put", "publish", "size", "names_below", "remove"):
            monkeypatch.setattr(LocalStore, name, self._wrap(getattr(LocalStore, name), fails_at, afterwards))

    def _wrap(self, method: Any, fails_at: int, afterwards: bool) -> Any:
        def wrapped(*args: Any) -> Any:
            self.operations += 1
            fails = self.operations == fails_at
            if fails and not afterwards:
                raise OSError("the store is away")
            result = method(*args)
            if fails:
                raise OSError("the store is away")
            return result

        return wrapped


@given(fails_at=st.integers(1, 40), afterwards=st.booleans())
@settings(max_examples=80, deadline=None)
def test_whatever_operation_fails_one_whole_export_is_there_and_the_next_leaves_nothing_over(
    fails_at: int, afterwards: bool
) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        before = export(pages_of(30), local(folder), work(10))
        with pytest.MonkeyPatch.context() as patch:
            Unreliable(patch, fails_at, afterwards)
            store = LocalStore(local(folder).fs, str(folder), folder.as_uri())
            try:
                export(pages_of(20, 20), store, work(15, status="new"))
                failed = False
            except OSError:
                failed = True
        published = read_manifest((folder / MANIFEST).read_bytes())
        if published.export_id == before.export_id:
            assert failed
            assert rows_of(folder) == ids([30])
        else:
            assert rows_of(folder) == ids([40])
        export(pages_of(20, 20), local(folder), work(15, status="new"))
        assert rows_of(folder) == ids([40])
        assert left_over(folder) == set()


def test_what_a_killed_try_put_beside_is_removed_by_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Killed(BaseException):
        pass

    def kill(*args: Any) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(LocalStore, "put_if", kill)  # between the parts and the manifest
        patch.setattr("airflow_batch_provider.export.export._Try.give_up", lambda *args: None)  # nothing cleans up
        with pytest.raises(Killed):
            export(pages_of(40), local(tmp_path), work(15))
    assert not (tmp_path / MANIFEST).exists()
    assert any(path.name.startswith("part-") for path in tmp_path.iterdir())
    export(pages_of(20, status="changed"), local(tmp_path), work(15), resume=False)
    assert left_over(tmp_path) == set()


def test_a_strangers_files_stay_unless_they_look_like_ours_and_are_a_day_old(tmp_path: Path) -> None:
    foreign = tmp_path / "notes.txt"
    young = tmp_path / "part-00000-aaaaaaaaaaaa.jsonl.gz"
    old = tmp_path / "part-00000-bbbbbbbbbbbb.jsonl.gz"
    old_staged = tmp_path / f"_staging/{'a' * 32}/{'1' * 12}-00000.jsonl.gz"
    young_staged = tmp_path / f"_staging/{'b' * 32}/{'2' * 12}-00000.jsonl.gz"
    for path in (foreign, young, old, old_staged, young_staged):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    for path in (foreign, old, old_staged):
        os.utime(path, (0, 0))
    export(pages_of(1), local(tmp_path), work())
    assert [path.exists() for path in (foreign, young, old, old_staged, young_staged)] == [
        True,
        True,
        False,
        False,
        True,
    ]


def test_a_rival_that_publishes_in_between_stays_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The rival's manifest comes right after ours and names a part that ours replaced."""
    store = local(tmp_path)
    export(pages_of(30), store, work(10))
    rival = TaskRun("dag", "rival", "rival's run", None, -1)
    put_if = LocalStore.put_if
    rival_published: list[bool] = []

    def put_then_rival(self: Store, name: str, content: bytes, version: str | None) -> bool:
        assert put_if(self, name, content, version)
        if not rival_published:
            rival_published.append(True)
            export(pages_of(30), local(tmp_path), work(10, task_run=rival))
        return True

    monkeypatch.setattr(LocalStore, "put_if", put_then_rival)
    export(pages_of(45), store, work(10))
    assert manifest_of(tmp_path)["task_id"] == "rival"
    assert rows_of(tmp_path) == ids([30])


def test_the_export_id_is_that_of_the_work_not_of_the_try() -> None:
    def run(**changes: Any) -> TaskRun:
        fields = {"dag_id": "d", "task_id": "t", "run_id": "r", "logical_date": "2026-01-01", "map_index": 0}
        return TaskRun(**{**fields, **changes})

    same = work(task_run=run()).id
    assert work(task_run=run()).id == same
    assert work(task_run=run(run_id="dag.test makes a new one")).id == same
    others = [
        work(task_run=run(logical_date="2026-01-02")),
        work(task_run=run(map_index=1)),
        work(task_run=run(dag_id="e")),
        work(task_run=run(logical_date=None)),
        work(task_run=run(logical_date=None, run_id="s")),
        work(task_run=run(), batch_id="b"),
        work(task_run=run(), compression=None),
        work(7, task_run=run()),
        work(task_run=TaskRun()),
        work(task_run=TaskRun()),
    ]
    assert len({same, *(other.id for other in others)}) == len(others) + 1


def test_progress_is_logged_at_most_every_ten_seconds(caplog: pytest.LogCaptureFixture) -> None:
    now = [0.0]
    reported = progress.Progress(logging.getLogger("test"), clock=lambda: now[0])
    for second in range(31):
        now[0] = float(second)
        reported.report(rows=100 * second, pages=second, total=None if second < 15 else 4000)
    assert caplog.messages == [
        "1000 rows in 10 pages, 100 rows/s",
        "2000 rows in 20 pages, 100 rows/s, 50 % of 4000",
        "3000 rows in 30 pages, 100 rows/s, 75 % of 4000",
    ]


def test_memory_does_not_grow_with_the_rows(tmp_path: Path) -> None:
    import tracemalloc

    def peak(pages: int) -> int:
        tracemalloc.start()
        export(pages_of(*[200] * pages), local(tmp_path), work(100_000, compression=None))
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return peak

    peak(2)  # imports
    assert peak(100) < peak(10) + 200_000


def test_a_manifest_of_somebody_else_is_not_replaced(tmp_path: Path) -> None:
    from airflow_batch_provider.exceptions import DestinationError

    (tmp_path / MANIFEST).write_text(json.dumps({"entries": []}))
    with pytest.raises(DestinationError, match="not a manifest of this package"):
        export(pages_of(1), local(tmp_path), work())
    assert json.loads((tmp_path / MANIFEST).read_text()) == {"entries": []}


def test_a_part_that_is_cut_while_it_is_published_is_no_export(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    export(pages_of(30), local(tmp_path), work(10))
    publish = LocalStore.publish

    def cut(self: Store, staged: str, name: str) -> None:
        publish(self, staged, name)
        path = tmp_path / name
        content = path.read_bytes()
        path.unlink()  # another link leads to what is staged
        path.write_bytes(content[:-1])

    monkeypatch.setattr(LocalStore, "publish", cut)
    with pytest.raises(TransientError, match="bytes after publishing"):
        export(pages_of(40, status="new"), local(tmp_path), work(15))
    assert rows_of(tmp_path) == ids([30])


def test_what_a_failed_try_put_beside_is_known_to_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: Any) -> bool:
        raise TransientError("the store is away")

    with monkeypatch.context() as patch:
        patch.setattr(LocalStore, "put_if", fail)
        with pytest.raises(TransientError):
            export(pages_of(40), local(tmp_path), work(15), resume=False)
    assert any(path.name.startswith("part-") for path in tmp_path.iterdir())
    export(pages_of(20, status="changed"), local(tmp_path), work(15), resume=False)
    assert rows_of(tmp_path) == ids([20])
    assert left_over(tmp_path) == set()
