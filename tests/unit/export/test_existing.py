"""What becomes of an export that is there already, or appears while ours is read."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from airflow_batch_provider.exceptions import ExportExistsError, FatalError
from airflow_batch_provider.export import export as exporting
from airflow_batch_provider.export import stats, verify_export
from airflow_batch_provider.export.existing import IfExists
from airflow_batch_provider.export.manifest import Manifest, TaskRun
from tests.unit.export.exported import TASK_RUN, left_over, local, manifest_of, rows_of, work
from tests.unit.export.vendor import VendorOf, rows

NAME = "llamacloud.batches"
OTHER_DAY = TaskRun("dag", "task", "other run", "2026-02-28T00:00:00+00:00", -1)


def run(folder: Path, count: int, task_run: TaskRun = TASK_RUN, **options: Any) -> Manifest:
    """Export so many rows; ``meanwhile`` is called once while they are read."""
    meanwhile: list[Callable[[], object]] = [options.pop("meanwhile")] if "meanwhile" in options else []
    vendor = VendorOf(NAME, rows(count), before=lambda: meanwhile.pop()() if meanwhile else None)
    return exporting.export(vendor.source(), local(folder), replace(work(15), task_run=task_run), **options)


def try_of(number: int, **changes: Any) -> TaskRun:
    return msgspec.structs.replace(TASK_RUN, try_number=number, **changes)


def flip_a_byte(folder: Path) -> None:
    path = folder / manifest_of(folder)["parts"][0]["path"]
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.unlink()
    path.write_bytes(content)


@pytest.mark.parametrize("if_exists", ["replace", "skip"])
@pytest.mark.parametrize("task_run", [TASK_RUN, OTHER_DAY], ids=["its own", "another day's"])
def test_exporting_again_heals_a_flipped_byte(task_run: TaskRun, if_exists: str, tmp_path: Path) -> None:
    run(tmp_path, 40, task_run)
    flip_a_byte(tmp_path)
    run(tmp_path, 40, if_exists=IfExists(if_exists))
    verify_export(str(tmp_path))
    assert rows_of(tmp_path) == [*range(40)]
    assert left_over(tmp_path) == set()


@pytest.mark.parametrize("task_run", [TASK_RUN, OTHER_DAY], ids=["its own", "another day's"])
def test_skipping_leaves_a_whole_export_and_asks_for_nothing(task_run: TaskRun, tmp_path: Path) -> None:
    before = run(tmp_path, 40, task_run)
    after = run(tmp_path, 7, if_exists=IfExists.SKIP, meanwhile=lambda: pytest.fail("it reads"))
    assert after.to_json() == before.to_json()


def test_what_is_published_while_ours_is_read_is_left_by_who_skips(tmp_path: Path) -> None:
    manifest = run(tmp_path, 40, if_exists=IfExists.SKIP, meanwhile=lambda: run(tmp_path, 7, OTHER_DAY))
    assert manifest.run_id == "other run"
    assert rows_of(tmp_path) == [*range(7)]
    assert left_over(tmp_path) == set()


def test_what_is_published_while_ours_is_read_is_an_error_if_that_is_asked_for(tmp_path: Path) -> None:
    with pytest.raises(ExportExistsError):
        run(tmp_path, 40, if_exists=IfExists.ERROR, meanwhile=lambda: run(tmp_path, 7, OTHER_DAY))
    assert rows_of(tmp_path) == [*range(7)]


def ten_minutes_ahead(run_it: Callable[[], object]) -> None:
    """Run something on a worker whose clock is wrong."""

    class Ahead(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> datetime:
            return datetime.now(tz) + timedelta(minutes=10)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(exporting, "datetime", Ahead)
        patch.setattr(stats, "datetime", Ahead)
        run_it()


@pytest.mark.parametrize("numbers", [(None, None), (1, 2)], ids=["without numbers", "with numbers"])
def test_a_cleared_task_wins_over_its_export_of_before_whatever_the_clocks_say(
    numbers: tuple[int | None, int | None], tmp_path: Path
) -> None:
    first, second = (msgspec.structs.replace(TASK_RUN, try_number=number) for number in numbers)
    ten_minutes_ahead(lambda: run(tmp_path, 7, first))
    run(tmp_path, 40, second)
    assert rows_of(tmp_path) == [*range(40)]


def test_a_cleared_task_wins_over_a_zombie_that_publishes_meanwhile_with_a_clock_ahead(tmp_path: Path) -> None:
    vendor = VendorOf(NAME, rows(7))
    cleared: list[bool] = []

    def sleep_until_the_cleared_task_has_begun() -> None:
        if not cleared:
            cleared.append(True)
            run(tmp_path, 40, try_of(2))

    vendor.before = sleep_until_the_cleared_task_has_begun
    spec = replace(work(15), task_run=try_of(1))
    ten_minutes_ahead(lambda: exporting.export(vendor.source(), local(tmp_path), spec))
    assert rows_of(tmp_path) == [*range(40)]
    assert left_over(tmp_path) == set()


def test_a_cleared_task_wins_over_a_zombie_that_exports_while_it_reads(tmp_path: Path) -> None:
    """The zombie even begins after it, and cleans up."""
    zombie = lambda: ten_minutes_ahead(lambda: run(tmp_path, 7, try_of(1)))  # noqa: E731
    run(tmp_path, 40, try_of(2), meanwhile=zombie)
    assert rows_of(tmp_path) == [*range(40)]
    assert left_over(tmp_path) == set()


def test_a_try_of_a_run_that_was_made_anew_counts_from_one_again_and_wins(tmp_path: Path) -> None:
    """The DAG run was deleted, and the scheduler has made it once more."""
    run(tmp_path, 7, try_of(3))
    run(tmp_path, 40, try_of(1))
    assert rows_of(tmp_path) == [*range(40)]


def test_manifest_says_map_index_and_try_number_at_its_end(tmp_path: Path) -> None:
    run(tmp_path, 7, try_of(3, map_index=4))
    assert list(manifest_of(tmp_path).items())[-2:] == [("map_index", 4), ("try_number", 3)]


SHARING = {
    "two tasks": (msgspec.structs.replace(TASK_RUN, task_id="first"), TASK_RUN, "task 'first' of this same DAG run"),
    "two map indexes": (try_of(1, map_index=3), try_of(1, map_index=4), "task 'task' with map index 3 of this same"),
}


@pytest.mark.parametrize("if_exists", IfExists)
@pytest.mark.parametrize("case", SHARING)
def test_two_that_share_a_destination_fail_and_name_the_first(case: str, if_exists: IfExists, tmp_path: Path) -> None:
    first, second, message = SHARING[case]
    run(tmp_path, 7, first)
    with pytest.raises(FatalError, match=message):
        run(tmp_path, 40, second, if_exists=if_exists, meanwhile=lambda: pytest.fail("it reads"))
    assert rows_of(tmp_path) == [*range(7)]


@pytest.mark.parametrize("case", SHARING)
def test_two_that_share_a_destination_at_once_fail_too(case: str, tmp_path: Path) -> None:
    first, second, message = SHARING[case]
    with pytest.raises(FatalError, match=message):
        run(tmp_path, 40, second, meanwhile=lambda: run(tmp_path, 7, first))
    assert rows_of(tmp_path) == [*range(7)]


@pytest.mark.parametrize(
    "changes",
    [{"run_id": "next", "logical_date": "2026-03-02"}, {"dag_id": "other"}, {"run_id": "next", "task_id": "other"}],
)
def test_another_run_or_dag_may_replace_an_export(changes: dict[str, str], tmp_path: Path) -> None:
    run(tmp_path, 7)
    run(tmp_path, 40, msgspec.structs.replace(TASK_RUN, **changes))
    assert rows_of(tmp_path) == [*range(40)]


def test_a_mapped_task_may_replace_its_export_of_a_release_that_did_not_note_the_index(tmp_path: Path) -> None:
    mapped = msgspec.structs.replace(TASK_RUN, map_index=3)
    run(tmp_path, 7, mapped)
    document = manifest_of(tmp_path)
    del document["map_index"]
    (tmp_path / "_MANIFEST.json").write_text(json.dumps(document))
    run(tmp_path, 40, mapped)
    assert rows_of(tmp_path) == [*range(40)]
