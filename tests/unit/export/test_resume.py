"""Killed at any moment, an export is whole or not there, and the next try goes on where it was."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_batch_provider.exceptions import IncompleteListingError, RequestRefusedError, TransientError
from airflow_batch_provider.export.export import export
from airflow_batch_provider.export.manifest import Manifest, TaskRun
from airflow_batch_provider.stores.destination import LocalStore
from tests.unit.export.exported import MANIFEST, contents_of, left_over, local, manifest_of, rows_of, work
from tests.unit.export.turns import by_turns
from tests.unit.export.vendor import LISTINGS, VendorOf, rows

EACH = pytest.mark.parametrize("name", LISTINGS)
IN_PAGES = pytest.mark.parametrize("name", [name for name in LISTINGS if name != "playment.batches"])
OPERATIONS = ("create", "open", "read", "version", "put", "put_if", "publish", "size", "names_below", "remove")


class Killed(BaseException):
    """The process is gone: nothing of it runs any more."""


class Countdown:
    """Kills at the n-th step."""

    def __init__(self, steps: int) -> None:
        self.left = steps

    def __call__(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise Killed


@contextmanager
def mortal(count: Callable[[], None]) -> Iterator[None]:
    """Count every operation of the store, before it takes effect and after, and let no dead process clean up."""

    def counted(method: Callable[..., Any]) -> Callable[..., Any]:
        def operation(*args: Any, **kwargs: Any) -> Any:
            count()
            result = method(*args, **kwargs)
            count()
            return result

        return operation

    with pytest.MonkeyPatch.context() as patch:
        for name in OPERATIONS:
            patch.setattr(LocalStore, name, counted(getattr(LocalStore, name)))
        patch.setattr("airflow_batch_provider.export.export._Try.give_up", lambda *args: None)
        yield


def run(vendor: VendorOf, folder: Path, rows_per_part: int = 15, **options: Any) -> Manifest:
    return export(vendor.source(), local(folder), work(rows_per_part), **options)


@EACH
@given(kills=st.lists(st.integers(0, 120), max_size=4), count=st.integers(0, 60), per_part=st.integers(1, 40))
@settings(max_examples=60)
def test_whenever_it_is_killed_one_whole_export_is_there_and_the_last_try_leaves_nothing_over(
    name: str, kills: list[int], count: int, per_part: int
) -> None:
    truth, before = [*range(count)], [*range(7)]
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        run(VendorOf(name, rows(7, run="before")), folder)
        for kill in kills:
            countdown = Countdown(kill)
            with mortal(countdown), suppress(Killed):
                run(VendorOf(name, rows(count), before=countdown), folder, per_part)
            assert rows_of(folder) in (before, truth)
        run(VendorOf(name, rows(count)), folder, per_part)
        assert rows_of(folder) == truth
        assert left_over(folder) == set()


def requests_of(name: str, folder: Path, count: int = 100) -> int:
    """Return how many requests an export takes that nobody disturbs."""
    vendor = VendorOf(name, rows(count))
    run(vendor, folder)
    return len(vendor.asked)


def killed_at(name: str, folder: Path, requests: int, count: int = 100, **options: Any) -> None:
    """Let a try be killed before a request."""
    vendor = VendorOf(name, rows(count), before=Countdown(requests))
    with mortal(lambda: None), pytest.raises(Killed):
        run(vendor, folder, **options)


@IN_PAGES
def test_the_next_try_reads_only_what_is_in_no_part_yet(
    name: str, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    undisturbed = requests_of(name, tmp_path_factory.mktemp("other"))
    killed_at(name, tmp_path, requests=7)
    vendor = VendorOf(name, rows(100))
    manifest = run(vendor, tmp_path)
    assert manifest.resumed
    assert rows_of(tmp_path) == [*range(100)]
    assert left_over(tmp_path) == set()
    assert len(vendor.asked) <= undisturbed - 5
    assert manifest.status_counts == {"done": 100}
    assert manifest.duplicates_dropped == 0


def test_the_rows_of_a_resumed_export_are_in_the_same_files_as_those_of_an_undisturbed_one(tmp_path: Path) -> None:
    killed_at("llamacloud.batches", tmp_path / "one", requests=7)
    resumed = run(VendorOf("llamacloud.batches", rows(100)), tmp_path / "one")
    undisturbed = run(VendorOf("llamacloud.batches", rows(100)), tmp_path / "other")
    assert contents_of(resumed) == contents_of(undisturbed)


def test_a_try_that_was_killed_while_publishing_makes_no_request_again(tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch, mortal(lambda: None):
        patch.setattr(LocalStore, "put_if", lambda *args: Countdown(0)())
        with pytest.raises(Killed):
            run(VendorOf("llamacloud.batches", rows(100)), tmp_path)
    vendor = VendorOf("llamacloud.batches", rows(100))
    assert run(vendor, tmp_path).resumed
    assert vendor.asked == []
    assert rows_of(tmp_path) == [*range(100)]


def test_a_job_that_changed_meanwhile_is_there_once_as_it_was_read_first(tmp_path: Path) -> None:
    killed_at("llamacloud.batches", tmp_path, requests=7)
    run(VendorOf("llamacloud.batches", rows(100, run="later")), tmp_path)
    assert rows_of(tmp_path) == [*range(100)]


@pytest.mark.parametrize(
    ("changes", "options"),
    [
        ({"logical_date": "2026-03-02T00:00:00+00:00"}, {}),
        ({"task_id": "other"}, {}),
        ({"map_index": 3}, {}),
        ({"run_id": None}, {}),
        ({}, {"params": "other"}),
        ({}, {"rows_per_part": 20}),
        ({}, {"compression": None}),
    ],
)
def test_another_piece_of_work_starts_anew(changes: dict[str, Any], options: dict[str, Any], tmp_path: Path) -> None:
    killed_at("llamacloud.batches", tmp_path, requests=7)
    fields = {"dag_id": "dag", "task_id": "task", "run_id": "run", "logical_date": "2026-03-01T00:00:00+00:00"}
    task_run = TaskRun(**{**fields, "map_index": -1, **changes})  # type: ignore[arg-type]
    vendor = VendorOf("llamacloud.batches", rows(100))
    manifest = export(vendor.source(), local(tmp_path), work(**{"rows_per_part": 15, "task_run": task_run, **options}))
    assert not manifest.resumed
    assert len(vendor.asked) == 10


def test_another_host_starts_anew(tmp_path: Path) -> None:
    killed_at("llamacloud.batches", tmp_path, requests=7)
    vendor = VendorOf("llamacloud.batches", rows(100))
    manifest = export(vendor.source(), local(tmp_path), replace(work(15), source="https://elsewhere"))
    assert not manifest.resumed


def test_a_try_may_be_told_not_to_resume(tmp_path: Path) -> None:
    killed_at("llamacloud.batches", tmp_path, requests=7)
    assert not run(VendorOf("llamacloud.batches", rows(100)), tmp_path, resume=False).resumed
    assert left_over(tmp_path) == set()


def test_a_checkpoint_of_the_day_before_is_of_no_use(tmp_path: Path) -> None:
    killed_at("llamacloud.batches", tmp_path, requests=7)
    for path in tmp_path.rglob("*"):
        os.utime(path, (0, 0))
    assert not run(VendorOf("llamacloud.batches", rows(100)), tmp_path).resumed


@pytest.mark.parametrize("ending", [".staged", ".ids", ".checkpoint.json"])
@pytest.mark.parametrize("damage", ["changed", "cut", "missing"])
def test_a_damaged_checkpoint_gives_way_to_the_one_before(ending: str, damage: str, tmp_path: Path) -> None:
    killed_at("llamacloud.batches", tmp_path, requests=7)
    newest = max(tmp_path.rglob("*.checkpoint.json"))
    if ending != ".checkpoint.json":
        newest = newest.with_name(
            newest.name.replace("00004.checkpoint.json", f"0000{3 if ending == '.staged' else 4}{ending}")
        )
    content = newest.read_bytes()
    if damage == "missing":
        newest.unlink()
    else:
        newest.write_bytes(content[:-5] if damage == "cut" else content[:-5] + b"\x00" + content[-4:])
    vendor = VendorOf("llamacloud.batches", rows(100))
    assert run(vendor, tmp_path).resumed
    assert 5 < len(vendor.asked) < 10
    assert rows_of(tmp_path) == [*range(100)]
    assert left_over(tmp_path) == set()


def test_a_cursor_that_the_vendor_does_not_take_any_more_starts_the_listing_anew(tmp_path: Path) -> None:
    killed_at("llamacloud.batches", tmp_path, requests=7)
    vendor = VendorOf("llamacloud.batches", rows(100))

    def refuse_once() -> None:
        vendor.before = lambda: None
        raise RequestRefusedError("the token has expired")

    vendor.before = refuse_once
    manifest = run(vendor, tmp_path)
    assert not manifest.resumed
    assert len(vendor.asked) == 10
    assert rows_of(tmp_path) == [*range(100)]
    assert left_over(tmp_path) == set()


def test_a_cursor_that_expires_later_fails_the_export_and_leaves_what_was_there(tmp_path: Path) -> None:
    run(VendorOf("llamacloud.batches", rows(7)), tmp_path)
    vendor = VendorOf("llamacloud.batches", rows(100))

    def refuse() -> None:
        if len(vendor.asked) == 5:
            raise RequestRefusedError("the token has expired")

    vendor.before = refuse
    with pytest.raises(RequestRefusedError):
        run(vendor, tmp_path)
    assert rows_of(tmp_path) == [*range(7)]


def test_a_failure_that_may_pass_keeps_what_the_next_try_can_use(tmp_path: Path) -> None:
    vendor = VendorOf("llamacloud.batches", rows(100))

    def fail() -> None:
        if len(vendor.asked) == 7:
            raise TransientError("the vendor is away")

    vendor.before = fail
    with pytest.raises(TransientError):
        run(vendor, tmp_path)
    assert not any(path.name.startswith("part-") for path in tmp_path.iterdir())
    again = VendorOf("llamacloud.batches", rows(100))
    assert run(again, tmp_path).resumed
    assert len(again.asked) <= 5
    assert left_over(tmp_path) == set()


def test_a_listing_that_could_not_be_read_whole_is_read_from_its_start_again(tmp_path: Path) -> None:
    vendor = VendorOf("llamacloud.batches", rows(100))

    def fail() -> None:
        if len(vendor.asked) == 7:
            raise IncompleteListingError("it goes round in circles")

    vendor.before = fail
    with pytest.raises(IncompleteListingError):
        run(vendor, tmp_path)
    assert not list(tmp_path.iterdir())


def test_an_export_without_a_task_run_leaves_nothing_when_it_fails(tmp_path: Path) -> None:
    vendor = VendorOf("llamacloud.batches", rows(100), before=Countdown(7))
    with pytest.raises(Killed):
        export(vendor.source(), local(tmp_path), work(15, task_run=TaskRun()))
    assert not list(tmp_path.iterdir())


def test_a_try_that_was_overtaken_by_another_takes_over_its_export(tmp_path: Path) -> None:
    """The zombie of the try before finishes first, and cleans up what was staged."""
    vendor = VendorOf("llamacloud.batches", rows(100))
    zombie: list[Manifest] = []

    def overtake() -> None:
        if len(vendor.asked) == 8 and not zombie:
            zombie.append(run(VendorOf("llamacloud.batches", rows(100, run="zombie")), tmp_path, resume=False))

    vendor.before = overtake
    manifest = run(vendor, tmp_path)
    assert manifest.to_json() == zombie[0].to_json()
    assert rows_of(tmp_path) == [*range(100)]
    assert left_over(tmp_path) == set()


def test_what_another_try_removed_without_publishing_is_a_failure_that_may_pass(tmp_path: Path) -> None:
    vendor = VendorOf("llamacloud.batches", rows(100))

    def remove() -> None:
        if len(vendor.asked) == 8:
            for path in tmp_path.rglob("*.staged"):
                path.unlink()

    vendor.before = remove
    with pytest.raises(TransientError, match="is gone"):
        run(vendor, tmp_path)
    assert not (tmp_path / MANIFEST).exists()


@given(moments=st.lists(st.tuples(st.integers(0, 1), st.integers(1, 60)), max_size=30), changed=st.booleans())
@settings(max_examples=60)
def test_two_tries_that_are_alive_at_once_publish_one_whole_export(
    moments: list[tuple[int, int]], changed: bool
) -> None:
    """They run by turns, so many operations of the store at a time."""
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        run(VendorOf("llamacloud.batches", rows(7)), folder)
        later = rows(50, run="later") if changed else rows(50)
        vendors = [VendorOf("llamacloud.batches", rows(50)), VendorOf("llamacloud.batches", later)]
        failures = by_turns([lambda vendor=vendor: run(vendor, folder) for vendor in vendors], moments)  # type: ignore[misc]
        assert [failure for failure in failures if not isinstance(failure, TransientError)] == []
        assert len(failures) < 2
        assert rows_of(folder) == [*range(50)]
        run(VendorOf("llamacloud.batches", rows(50)), folder)
        assert left_over(folder) == set()
        assert manifest_of(folder)["rows"] == 50
