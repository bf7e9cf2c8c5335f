"""What breaks a rule of ``expect`` is not published, and leaves the export before as it was."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from airflow_batch_provider.exceptions import ExpectationError, TransientError
from airflow_batch_provider.expect import Expect
from airflow_batch_provider.export import export as exporting
from airflow_batch_provider.export import verify_export
from airflow_batch_provider.export.existing import IfExists
from airflow_batch_provider.export.expectations import Expectations
from airflow_batch_provider.export.manifest import MANIFEST_NAME, Manifest, TaskRun
from airflow_batch_provider.stores.destination import LocalStore
from tests.unit.export.exported import TASK_RUN, left_over, local, manifest_of, rows_of, work
from tests.unit.export.results_of import BatchOf
from tests.unit.export.results_of import work as results_work
from tests.unit.export.test_resume import Countdown, Killed, mortal
from tests.unit.export.vendor import VendorOf, rows

NAME = "llamacloud.batches"
NEXT_DAY = TaskRun("dag", "task", "next run", "2026-03-02T00:00:00+00:00", -1)
THIRD_DAY = TaskRun("dag", "task", "third run", "2026-03-03T00:00:00+00:00", -1)


def run(folder: Path, count: int, task_run: TaskRun = TASK_RUN, **options: Any) -> Manifest:
    """Export so many rows; ``meanwhile`` is called once while they are read."""
    meanwhile: list[Callable[[], object]] = [options.pop("meanwhile")] if "meanwhile" in options else []
    expectations = Expectations.of(options.pop("expect", {}))

    def before() -> None:
        if meanwhile:
            meanwhile.pop()()

    source = VendorOf(NAME, rows(count), before=before).source()
    spec = replace(work(15), task_run=task_run)
    return exporting.export(source, local(folder), spec, expectations=expectations, **options)


def results(folder: Path, count: int, gone: int, expect: Expect) -> Manifest:
    """Export results, so many of which are missing."""
    source = BatchOf(count, gone=range(gone)).source()
    return exporting.export(source, local(folder), results_work(), expectations=Expectations.of(expect))


KEPT: list[tuple[int | None, int, Expect]] = [
    (None, 100, {"rows_at_least": 100}),
    (None, 1, {"fewer_rows_at_most": 0}),
    (100, 90, {"fewer_rows_at_most": 0.1}),
    (100, 71, {"fewer_rows_at_most": 0.29}),
    (100, 100, {"fewer_rows_at_most": 0}),
    (100, 101, {"fewer_rows_at_most": 0}),
    (100, 0, {"fewer_rows_at_most": 1}),
    (0, 0, {"fewer_rows_at_most": 0}),
    (0, 7, {"fewer_rows_at_most": 0}),
    (100, 1, {"rows_at_least": None, "fewer_rows_at_most": None}),
]


@pytest.mark.parametrize(("before", "count", "expect"), KEPT)
def test_what_keeps_the_rules_is_published(before: int | None, count: int, expect: Expect, tmp_path: Path) -> None:
    if before is not None:
        run(tmp_path, before)
    run(tmp_path, count, NEXT_DAY, expect=expect)
    assert rows_of(tmp_path) == [*range(count)]
    assert left_over(tmp_path) == set()


BROKEN: list[tuple[int, Expect, str]] = [
    (99, {"rows_at_least": 100}, "vendor.things has 99 rows: rows_at_least is 100. Nothing was published at file:"),
    (0, {"rows_at_least": 1}, "has 0 rows: rows_at_least is 1"),
    (89, {"fewer_rows_at_most": 0.1}, "a share of 0.11, but fewer_rows_at_most is 0.1"),
    (70, {"fewer_rows_at_most": 0.29}, "a share of 0.3, but fewer_rows_at_most is 0.29"),
    (99, {"fewer_rows_at_most": "0"}, "has 99 rows: 1 fewer than the 100 of "),
    (0, {"fewer_rows_at_most": 0.999}, "100 fewer than the 100 of "),
    (50, {"rows_at_least": 60, "fewer_rows_at_most": 0.1}, "rows_at_least is 60; 50 fewer than the 100 of "),
]


@pytest.mark.parametrize(("count", "expect", "message"), BROKEN)
def test_what_breaks_a_rule_leaves_the_export_before_as_it_was(
    count: int, expect: Expect, message: str, tmp_path: Path
) -> None:
    run(tmp_path, 100)
    before = manifest_of(tmp_path)
    with pytest.raises(ExpectationError) as raised:
        run(tmp_path, count, NEXT_DAY, expect=expect)
    assert message in str(raised.value)
    assert str(raised.value).endswith("To publish it anyway, remove that rule from expect and clear the task.")
    assert manifest_of(tmp_path) == before
    assert rows_of(tmp_path) == [*range(100)]
    assert left_over(tmp_path) == set()


@pytest.mark.parametrize("resume", [True, False])
def test_it_leaves_nothing_where_nothing_was(resume: bool, tmp_path: Path) -> None:
    with pytest.raises(ExpectationError):
        run(tmp_path, 50, expect={"rows_at_least": 100}, resume=resume)
    assert list(tmp_path.rglob("*")) == []


def test_nothing_is_put_beside_before_it_is_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LocalStore, "publish", lambda *args: pytest.fail("it publishes"))
    with pytest.raises(ExpectationError):
        run(tmp_path, 50, expect={"rows_at_least": 100})


def test_the_next_try_reads_everything_again_since_there_may_be_more(tmp_path: Path) -> None:
    with pytest.raises(ExpectationError):
        run(tmp_path, 50, expect={"rows_at_least": 100})
    manifest = run(tmp_path, 100, expect={"rows_at_least": 100})
    assert (manifest.rows, manifest.resumed) == (100, False)


def test_a_broken_rule_is_retried() -> None:
    assert issubclass(ExpectationError, TransientError)


def test_a_try_that_was_killed_is_resumed_and_then_checked(tmp_path: Path) -> None:
    vendor = VendorOf(NAME, rows(100), before=Countdown(7))
    with mortal(lambda: None), pytest.raises(Killed):
        exporting.export(vendor.source(), local(tmp_path), work(15))
    with pytest.raises(ExpectationError):
        run(tmp_path, 100, expect={"rows_at_least": 101})
    assert not run(tmp_path, 101, expect={"rows_at_least": 101}).resumed
    assert left_over(tmp_path) == set()


def test_it_is_compared_with_what_was_published_while_its_rows_were_read(tmp_path: Path) -> None:
    run(tmp_path, 10)
    grown = lambda: run(tmp_path, 100, NEXT_DAY)  # noqa: E731
    with pytest.raises(ExpectationError, match="50 fewer than the 100 of"):
        run(tmp_path, 50, THIRD_DAY, expect={"fewer_rows_at_most": 0.1}, meanwhile=grown)
    assert rows_of(tmp_path) == [*range(100)]
    assert left_over(tmp_path) == set()


def test_it_is_not_compared_with_what_is_no_longer_there(tmp_path: Path) -> None:
    run(tmp_path, 100)
    shrunk = lambda: run(tmp_path, 10, NEXT_DAY)  # noqa: E731
    run(tmp_path, 50, THIRD_DAY, expect={"fewer_rows_at_most": 0.1}, meanwhile=shrunk)
    assert rows_of(tmp_path) == [*range(50)]


def rival_before_the_put(folder: Path, count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let another export take the place of the one that was compared, just before the manifest is put."""
    put_if, rivals = LocalStore.put_if, [lambda: run(folder, count, NEXT_DAY)]

    def put(store: LocalStore, name: str, *arguments: Any) -> bool:
        if name == MANIFEST_NAME and rivals:
            rivals.pop()()
        return put_if(store, name, *arguments)

    monkeypatch.setattr(LocalStore, "put_if", put)


def test_it_is_compared_with_what_takes_the_place_of_that_in_the_moment_of_publishing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(tmp_path, 10)
    rival_before_the_put(tmp_path, 100, monkeypatch)
    with pytest.raises(ExpectationError, match="50 fewer than the 100 of"):
        run(tmp_path, 50, THIRD_DAY, expect={"fewer_rows_at_most": 0.1})
    assert rows_of(tmp_path) == [*range(100)]
    assert left_over(tmp_path) == set()


def test_what_results_that_lose_that_race_leave_beside_is_removed_by_the_next_try(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rival_before_the_put(tmp_path, 100, monkeypatch)
    with pytest.raises(ExpectationError, match="80 fewer than the 100 of"):
        results(tmp_path, 20, 0, {"fewer_rows_at_most": 0.1})
    assert rows_of(tmp_path) == [*range(100)]
    manifest = results(tmp_path, 20, 0, {})
    verify_export(str(tmp_path))  # which names files that belong to no export
    assert {path.name for path in (tmp_path / "files").iterdir()} == {Path(str(manifest.files.path)).name}
    assert not (tmp_path / "_staging").exists()


def test_a_cleared_task_is_compared_with_its_own_export_of_before(tmp_path: Path) -> None:
    run(tmp_path, 100)
    with pytest.raises(ExpectationError):
        run(tmp_path, 50, expect={"fewer_rows_at_most": 0.1})


def test_an_export_that_is_left_as_it_is_is_not_checked(tmp_path: Path) -> None:
    run(tmp_path, 10)
    assert run(tmp_path, 50, NEXT_DAY, expect={"rows_at_least": 100}, if_exists=IfExists.SKIP).rows == 10


RESULTS_KEPT: list[tuple[int, Expect]] = [
    (0, {"none_missing": True, "item_failures_at_most": 0}),
    (2, {"item_failures_at_most": 0.1}),
    (2, {"item_failures_at_most": "0.1", "none_missing": "False"}),
    (20, {"item_failures_at_most": 1}),
]


@pytest.mark.parametrize(("gone", "expect"), RESULTS_KEPT)
def test_results_that_keep_the_rules_are_published(gone: int, expect: Expect, tmp_path: Path) -> None:
    assert results(tmp_path, 20, gone, expect).outcomes.get("missing", 0) == gone


RESULTS_BROKEN: list[tuple[int, Expect, str]] = [
    (1, {"none_missing": True}, "1 items are missing, but none_missing is set"),
    (
        3,
        {"item_failures_at_most": 0.1},
        "3 items are failed, partial or missing, a share of 0.15, but item_failures_at",
    ),
    (1, {"item_failures_at_most": 0}, "a share of 0.05, but item_failures_at_most is 0"),
]


@pytest.mark.parametrize(("gone", "expect", "message"), RESULTS_BROKEN)
def test_results_that_break_a_rule_are_not_published(gone: int, expect: Expect, message: str, tmp_path: Path) -> None:
    with pytest.raises(ExpectationError, match=message):
        results(tmp_path, 20, gone, expect)
    assert list(tmp_path.rglob("*")) == []


def test_a_batch_without_items_has_no_share_that_failed(tmp_path: Path) -> None:
    assert results(tmp_path, 0, 0, {"item_failures_at_most": 0, "none_missing": True}).rows == 0
