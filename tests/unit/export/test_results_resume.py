"""Killed at any moment, an export of results loses no item, doubles none, and costs few requests again."""

from __future__ import annotations

import gzip
import json
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_batch_provider.apis.shard import Shard
from airflow_batch_provider.exceptions import (
    AuthenticationError,
    IncompleteListingError,
    RequestRefusedError,
    TransientError,
)
from airflow_batch_provider.export import journal, read_export, verify_export
from airflow_batch_provider.export.export import _Try
from airflow_batch_provider.export.staging import Staging
from airflow_batch_provider.listing.fan_out import TASKS_PER_WORKER
from airflow_batch_provider.stores.destination import LocalStore
from airflow_batch_provider.stores.new_file import LocalNewFile
from tests.unit.export.exported import MANIFEST, local, manifest_of
from tests.unit.export.results_of import PER_PAGE, BatchOf, export, notes_of, work
from tests.unit.export.test_resume import Countdown, Killed, mortal

FORMATS = pytest.mark.parametrize("file_format", ["jsonl", "csv", "parquet"])
AHEAD = TASKS_PER_WORKER
"""Items that one worker may be ahead of the rows that are written."""


@pytest.fixture(autouse=True)
def _always_due(monkeypatch: pytest.MonkeyPatch) -> None:
    """A checkpoint is due after every piece."""
    monkeypatch.setattr(journal, "SECONDS_BETWEEN_CHECKPOINTS", 0.0)


@contextmanager
def dying(countdown: Countdown) -> Iterator[None]:
    """Let a process die at a step, which then removes nothing any more."""
    remove = LocalNewFile._remove
    with mortal(countdown), pytest.MonkeyPatch.context() as patch, suppress(Killed):
        sizes = LocalStore.sizes_below
        patch.setattr(LocalStore, "sizes_below", lambda *arguments: (countdown(), sizes(*arguments))[1])
        patch.setattr(LocalNewFile, "_remove", lambda file: None if countdown.left < 0 else remove(file))
        yield


def ids_of(folder: Path) -> list[int]:
    """Return the ids of the rows, after all that can be verified was."""
    verify_export(str(folder))
    rows = list(read_export(str(folder)))
    for row in rows:
        files = json.loads(row["files"]) if isinstance(row["files"], str) else row["files"]
        contents = [(folder / file["path"]).read_text() for file in files]
        assert contents == notes_of(int(row["id"]))
    return [int(row["id"]) for row in rows]


def staged(folder: Path) -> list[str]:
    return [path.as_posix() for path in folder.rglob("_staging*")]


def contents_of(folder: Path) -> list[Any]:
    """Return what the parts contain, without the digits of the try that made them."""
    contents: list[Any] = []
    for part in manifest_of(folder)["parts"]:
        path = folder / part["path"]
        if path.name.endswith(".parquet"):
            contents.append(json.dumps(pq.read_table(path).to_pylist()))
        else:
            contents.append(gzip.decompress(path.read_bytes()).decode())
    return [re.sub("files/[0-9a-f]{12}/", "files/.../", content) for content in contents]


def undisturbed(file_format: str, count: int, per_part: int = 15) -> list[Any]:
    with tempfile.TemporaryDirectory() as folder:
        export(BatchOf(count), local(Path(folder)), work(per_part, file_format=file_format))
        return contents_of(Path(folder))


@FORMATS
def test_at_whichever_step_it_is_killed_the_next_try_completes_the_same_export(
    file_format: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """At every request and each operation of the store, before and after; of CSV and Parquet every fifth."""
    truth = undisturbed(file_format, 16, 10)
    steps, stride = 0, 1 if file_format == "jsonl" else 5
    while True:
        folder = tmp_path_factory.mktemp("export")
        export(BatchOf(4, run="before"), local(folder), work(10, file_format=file_format, day="before"))
        countdown = Countdown(steps)
        with dying(countdown):
            export(BatchOf(16, before=countdown), local(folder), work(10, file_format=file_format))
        assert ids_of(folder) in ([*range(4)], [*range(16)])
        vendor = BatchOf(16)
        manifest = export(vendor, local(folder), work(10, file_format=file_format))
        assert ids_of(folder) == [*range(16)]
        assert contents_of(folder) == truth
        assert (manifest.outcomes, manifest.duplicates_dropped) == ({"ok": 16}, 0)
        assert manifest.status_counts == {"done": 8, "late": 8}
        assert staged(folder) == []
        if countdown.left >= 0:
            break
        steps += stride
    assert steps > 100


@given(
    kills=st.lists(st.integers(0, 250), max_size=4),
    count=st.integers(0, 40),
    per_part=st.integers(1, 30),
    workers=st.integers(1, 3),
    file_format=st.sampled_from(["jsonl", "csv", "parquet"]),
    share=st.integers(0, 3),
)
@settings(max_examples=40)
def test_however_often_it_is_killed_every_item_is_there_once_and_in_order(
    kills: list[int], count: int, per_part: int, workers: int, file_format: str, share: int
) -> None:
    shard = Shard(share, 3) if share else None
    truth = [number for number in range(count) if shard is None or str(number) in shard]
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        for kill in kills:
            countdown = Countdown(kill)
            with dying(countdown):
                vendor = BatchOf(count, before=countdown, workers=workers)
                export(vendor, local(folder), work(per_part, file_format=file_format), shard=shard, expected=count)
            if (folder / MANIFEST).exists():
                assert ids_of(folder) == truth
        vendor = BatchOf(count, workers=workers)
        export(vendor, local(folder), work(per_part, file_format=file_format), shard=shard, expected=count)
        assert ids_of(folder) == truth
        assert staged(folder) == []


@pytest.mark.parametrize("resume_at", range(0, 60, 7))
def test_few_items_are_asked_for_again(resume_at: int, tmp_path: Path) -> None:
    """Those that were under way: of one worker, and those that it was ahead."""
    countdown = Countdown(resume_at)
    killed = BatchOf(50, before=countdown)
    with dying(Countdown(10**9)), suppress(Killed):
        export(killed, local(tmp_path), work(1000))
    resumed = BatchOf(50)
    export(resumed, local(tmp_path), work(1000))
    assert len(killed.results_asked) + len(resumed.results_asked) <= 50 + AHEAD
    assert len(resumed.asked) - len(resumed.results_asked) <= 1 + -(-50 // PER_PAGE)
    assert ids_of(tmp_path) == [*range(50)]


def test_without_a_checkpoint_being_due_one_is_written_when_a_part_is_finished(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "SECONDS_BETWEEN_CHECKPOINTS", 1e9)
    with dying(Countdown(10**9)), suppress(Killed):
        export(BatchOf(50, before=Countdown(40)), local(tmp_path), work(10))
    resumed = BatchOf(50)
    assert export(resumed, local(tmp_path), work(10)).resumed
    assert 20 <= len(resumed.results_asked) <= 50 - 10


def test_a_checkpoint_is_due_after_so_many_bytes_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "SECONDS_BETWEEN_CHECKPOINTS", 1e9)
    monkeypatch.setattr(journal, "MOST_BYTES", 1000)
    with dying(Countdown(10**9)), suppress(Killed):
        export(BatchOf(50, before=Countdown(50)), local(tmp_path), work(1000))
    assert export(BatchOf(50), local(tmp_path), work(1000)).resumed


def test_a_failure_that_may_pass_keeps_all_that_was_fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "SECONDS_BETWEEN_CHECKPOINTS", 1e9)  # it is written when the try gives up
    vendor = BatchOf(50)

    def fail() -> None:
        if len(vendor.asked) == 40:
            raise TransientError("the vendor is away")

    vendor.before = fail
    with pytest.raises(TransientError, match="away"):
        export(vendor, local(tmp_path), work(1000))
    again = BatchOf(50)
    assert export(again, local(tmp_path), work(1000)).resumed
    assert len(vendor.results_asked) + len(again.results_asked) <= 50 + AHEAD
    assert staged(tmp_path) == []


@pytest.mark.parametrize("error", [AuthenticationError, RequestRefusedError])
def test_what_fails_at_once_keeps_it_too_for_when_the_task_is_cleared(error: type[Exception], tmp_path: Path) -> None:
    def failing_at(request: int) -> BatchOf:
        vendor = BatchOf(50)

        def fail() -> None:
            if len(vendor.asked) == request:
                raise error("no")

        vendor.before = fail
        return vendor

    for request in (40, 0) if error is AuthenticationError else (40,):
        with pytest.raises(error):
            export(failing_at(request), local(tmp_path), work(1000))
    again = BatchOf(50)
    assert export(again, local(tmp_path), work(1000)).resumed
    assert len(again.results_asked) < 30


def kill_at(folder: Path, owner: type, method: str, *, after: bool = False) -> None:
    """Let a try die when it calls a method, or when that has returned."""
    original = getattr(owner, method)

    def die(*arguments: Any) -> Any:
        if after:
            original(*arguments)
        raise Killed

    with dying(Countdown(10**9)), pytest.MonkeyPatch.context() as patch:
        patch.setattr(owner, method, die)
        export(BatchOf(20), local(folder))


@pytest.mark.parametrize("after", [False, True])
def test_killed_before_its_manifest_it_asks_for_nothing_again(after: bool, tmp_path: Path) -> None:
    kill_at(tmp_path, Staging, "mark_published", after=after)
    vendor = BatchOf(20)
    assert export(vendor, local(tmp_path)).resumed
    assert vendor.asked == []
    assert ids_of(tmp_path) == [*range(20)]


def test_killed_when_its_manifest_may_be_there_it_uses_no_digits_twice(tmp_path: Path) -> None:
    """A writer that has replaced it may be about to remove the files of these digits."""
    kill_at(tmp_path, Staging, "mark_published", after=True)
    digits = {path.parent.name for path in tmp_path.glob("files/*/*")}
    export(BatchOf(3), local(tmp_path), work(batch_id="another"))
    manifest = export(BatchOf(20), local(tmp_path))
    assert manifest.files.path not in {f"files/{one}" for one in digits}
    assert ids_of(tmp_path) == [*range(20)]
    assert staged(tmp_path) == []
    assert {path.parent.name for path in tmp_path.glob("files/*/*")} == {str(manifest.files.path)[6:]}


def test_killed_after_its_manifest_it_reads_nothing_again_and_cleans_up(tmp_path: Path) -> None:
    kill_at(tmp_path, LocalStore, "put_if", after=True)
    there = manifest_of(tmp_path)
    vendor = BatchOf(20)
    assert export(vendor, local(tmp_path)).finished_at == there["finished_at"]
    assert vendor.asked == []
    assert staged(tmp_path) == []
    assert ids_of(tmp_path) == [*range(20)]


@pytest.mark.parametrize("missing", [".file", ".rows", ".files", ".ids"])
def test_a_checkpoint_whose_files_are_gone_gives_way(missing: str, tmp_path: Path) -> None:
    with dying(Countdown(10**9)), suppress(Killed):
        export(BatchOf(50, before=Countdown(40)), local(tmp_path), work(10))
    for path in tmp_path.rglob(f"*{missing}"):
        path.unlink()
    export(BatchOf(50), local(tmp_path), work(10))
    assert ids_of(tmp_path) == [*range(50)]
    assert staged(tmp_path) == []


@pytest.mark.parametrize("looks", range(10))
def test_a_checkpoint_that_is_due_after_the_last_page_is_none_of_the_end(looks: int, tmp_path: Path) -> None:
    """What is said of a count that does not add up comes last, when rows may not be in parts yet."""
    left = iter([False] * looks)
    finish = _Try._finish_part

    def die_at_the_end(this: _Try, position: Any, *, is_last: bool = False) -> None:
        if is_last:
            raise Killed
        finish(this, position)

    with dying(Countdown(10**9)), pytest.MonkeyPatch.context() as patch:
        patch.setattr(_Try, "_finish_part", die_at_the_end)
        patch.setattr(journal.Journal, "is_due", property(lambda self: self.has_rows and next(left, True)))
        export(BatchOf(8), local(tmp_path), work(1000), expected=7, on_drift="warn")
    export(BatchOf(8), local(tmp_path), work(1000), expected=7, on_drift="warn")
    assert ids_of(tmp_path) == [*range(8)]
    assert manifest_of(tmp_path)["drift"] == "lists 8 items, but the batch counts 7"


@pytest.mark.parametrize("expected", [7, 9])
def test_a_count_that_does_not_add_up_is_a_doubt_either_way(expected: int, tmp_path: Path) -> None:
    with pytest.raises(IncompleteListingError, match=f"lists 8 items, but the batch counts {expected}"):
        export(BatchOf(8), local(tmp_path), work(10), expected=expected, on_drift="fail")
    assert staged(tmp_path) == []


def test_an_export_that_is_replaced_leaves_no_empty_folder_of_its_files(tmp_path: Path) -> None:
    for rows in (5, 7, 3):
        export(BatchOf(rows), local(tmp_path), work(10))
        verify_export(tmp_path)
    assert [path.name for path in (tmp_path / "files").iterdir()] == [str(manifest_of(tmp_path)["files"]["path"])[6:]]
