"""Which state of its batch an export is of, and what ``refresh`` makes of that."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from airflow_batch_provider.exceptions import ExportExistsError
from airflow_batch_provider.export import export as exporting
from airflow_batch_provider.export import read_table, verify_export
from airflow_batch_provider.export.existing import IfExists
from airflow_batch_provider.export.manifest import Manifest, TaskRun
from airflow_batch_provider.export.spec import ExportSpec
from airflow_batch_provider.formats.format import Format
from airflow_batch_provider.vendors import LISTINGS
from tests.unit.export.exported import TASK_RUN, left_over, local, manifest_of, rows_of, work
from tests.unit.export.test_existing import flip_a_byte
from tests.unit.export.test_resume import Countdown, Killed, mortal
from tests.unit.export.vendor import VendorOf, rows

NAME = "llamacloud.batches"
NEXT_DAY = TaskRun("dag", "task", "next run", "2026-03-02T00:00:00+00:00", -1)
OPEN, DONE = {"status": "open"}, {"status": "done"}


class Batch:
    """A batch whose state is asked for.

    :param states: what it is in turn; the last one stays
    """

    def __init__(self, *states: dict[str, Any] | None) -> None:
        self._states = list(states)
        self.asked = 0

    def __call__(self) -> dict[str, Any] | None:
        self.asked += 1
        return self._states.pop(0) if len(self._states) > 1 else self._states[0]


def spec_of(batch: Batch, task_run: TaskRun = TASK_RUN, **params: str) -> ExportSpec:
    return replace(work(15, task_run, **params), version_now=batch)


def run(folder: Path, batch: Batch, count: int = 40, spec: ExportSpec | None = None, **options: Any) -> Manifest:
    before: Callable[[], None] = options.pop("before", lambda: None)
    vendor = VendorOf(NAME, rows(count), before=before)
    return exporting.export(vendor.source(), local(folder), spec or spec_of(batch), **options)


def refresh(folder: Path, batch: Batch, spec: ExportSpec | None = None, **options: Any) -> Manifest:
    """Export again the next day, seven rows, if the state says so."""
    return run(folder, batch, 7, spec or spec_of(batch, NEXT_DAY), if_exists=IfExists.REFRESH, **options)


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


def test_the_manifest_has_the_state_that_the_batch_had_before_and_after_the_rows(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    batch = Batch(DONE)
    assert run(tmp_path, batch).source_version == DONE
    assert manifest_of(tmp_path)["source_version"] == DONE
    assert batch.asked == 2
    assert warnings(caplog) == []


@pytest.mark.parametrize("after", [DONE, None], ids=["another", "not known"])
def test_a_state_that_changes_while_the_rows_are_read_is_null_with_a_warning(
    after: dict[str, Any] | None, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert run(tmp_path, Batch(OPEN, after)).source_version is None
    assert manifest_of(tmp_path)["source_version"] is None
    assert warnings(caplog) == [f"The batch changed while it was exported, from {OPEN} to {after}"]


def test_an_export_of_many_batches_has_no_state(tmp_path: Path) -> None:
    vendor = VendorOf(NAME, rows(3))
    assert exporting.export(vendor.source(), local(tmp_path), work()).source_version is None


def test_what_cannot_be_known_before_is_not_asked_for_after(tmp_path: Path) -> None:
    batch = Batch(None, DONE)
    assert run(tmp_path, batch).source_version is None
    assert batch.asked == 1


def test_the_same_state_is_left_as_it_is_for_one_question(tmp_path: Path) -> None:
    before = run(tmp_path, Batch(DONE))
    batch = Batch(DONE)
    after = refresh(tmp_path, batch, before=lambda: pytest.fail("it reads rows"))
    assert after.to_json() == before.to_json()
    assert batch.asked == 1
    assert left_over(tmp_path) == set()


@pytest.mark.parametrize("state", [OPEN, {**DONE, "counts": {}}, {}, None])
def test_another_state_is_exported_again(state: dict[str, Any] | None, tmp_path: Path) -> None:
    run(tmp_path, Batch(DONE))
    assert refresh(tmp_path, Batch(state)).source_version == state
    assert rows_of(tmp_path) == [*range(7)]
    assert left_over(tmp_path) == set()


@pytest.mark.parametrize("states", [(OPEN, DONE), (None,)], ids=["it changed", "it was not known"])
def test_an_export_of_no_certain_state_is_exported_again(states: tuple[dict[str, Any], ...], tmp_path: Path) -> None:
    run(tmp_path, Batch(*states))
    refresh(tmp_path, Batch(states[-1]))
    assert rows_of(tmp_path) == [*range(7)]


def test_an_export_of_an_earlier_release_is_exported_again(tmp_path: Path) -> None:
    run(tmp_path, Batch(DONE))
    document = manifest_of(tmp_path)
    del document["source_version"]
    (tmp_path / "_MANIFEST.json").write_text(json.dumps(document))
    assert refresh(tmp_path, Batch(DONE)).source_version == DONE
    assert rows_of(tmp_path) == [*range(7)]


def test_a_damaged_export_of_the_same_state_is_exported_again(tmp_path: Path) -> None:
    run(tmp_path, Batch(DONE))
    flip_a_byte(tmp_path)
    refresh(tmp_path, Batch(DONE))
    verify_export(str(tmp_path))
    assert rows_of(tmp_path) == [*range(7)]


OTHERS: dict[str, Callable[[ExportSpec], ExportSpec]] = {
    "listing": lambda spec: replace(spec, listing="vendor.others"),
    "parameters": lambda spec: replace(spec, params={"kind": "other"}),
    "format": lambda spec: replace(spec, file_format=Format("csv", columns=LISTINGS[NAME].columns)),
    "compression": lambda spec: replace(spec, file_format=Format("jsonl", None)),
}


@pytest.mark.parametrize("other", OTHERS)
def test_the_same_state_with_another(other: str, tmp_path: Path) -> None:
    run(tmp_path, Batch(DONE))
    spec = OTHERS[other](spec_of(Batch(DONE), NEXT_DAY))
    manifest = refresh(tmp_path, Batch(DONE), spec)
    assert manifest.rows == 7
    assert manifest.source_version == DONE
    assert left_over(tmp_path) == set()


def test_a_cleared_task_leaves_its_own_export_of_the_same_state(tmp_path: Path) -> None:
    before = run(tmp_path, Batch(DONE))
    assert refresh(tmp_path, Batch(DONE), spec_of(Batch(DONE))).to_json() == before.to_json()


def test_what_is_published_of_the_same_state_while_rows_are_read_stays(tmp_path: Path) -> None:
    others = [lambda: run(tmp_path, Batch(DONE), spec=spec_of(Batch(DONE), NEXT_DAY))]
    spec = spec_of(Batch(DONE))
    refresh(tmp_path, Batch(DONE), spec, before=lambda: others.pop()() if others else None)
    assert rows_of(tmp_path) == [*range(40)]
    assert left_over(tmp_path) == set()


@pytest.mark.parametrize("if_exists", [IfExists.SKIP, IfExists.ERROR])
def test_nobody_is_asked_where_the_state_does_not_matter(if_exists: IfExists, tmp_path: Path) -> None:
    run(tmp_path, Batch(DONE))
    batch = Batch(OPEN)
    try:
        run(tmp_path, batch, spec=spec_of(batch, NEXT_DAY), if_exists=if_exists)
    except ExportExistsError:
        assert if_exists is IfExists.ERROR
    assert batch.asked == 0


def killed(folder: Path, batch: Batch) -> None:
    vendor = VendorOf(NAME, rows(100), before=Countdown(7))
    with mortal(lambda: None), pytest.raises(Killed):
        exporting.export(vendor.source(), local(folder), spec_of(batch))


@pytest.mark.parametrize(("state", "resumes"), [(DONE, True), (OPEN, False), (None, False)])
def test_a_try_resumes_only_if_the_batch_has_the_same_state(
    state: dict[str, Any] | None, resumes: bool, tmp_path: Path
) -> None:
    killed(tmp_path, Batch(DONE))
    manifest = run(tmp_path, Batch(state), 100)
    assert (manifest.resumed, manifest.source_version) == (resumes, state)
    assert rows_of(tmp_path) == [*range(100)]
    assert left_over(tmp_path) == set()


def test_a_state_that_cannot_be_read_for_now_leaves_nothing_behind(tmp_path: Path) -> None:
    def away() -> None:
        raise ConnectionError("away")

    with pytest.raises(ConnectionError):
        run(tmp_path, Batch(DONE), spec=replace(work(), version_now=away))
    assert list(tmp_path.iterdir()) == []


def contents(folder: Path, batch: Batch | None, file_format: str) -> Iterable[bytes]:
    columns = LISTINGS[NAME].columns
    spec = replace(work(15), file_format=Format(file_format, columns=columns), version_now=batch)
    vendor = VendorOf(NAME, rows(40))
    manifest = exporting.export(vendor.source(), local(folder), spec)
    return [(folder / part.path).read_bytes() for part in manifest.parts]


@pytest.mark.parametrize("file_format", ["jsonl", "csv", "parquet"])
def test_rows_and_columns_know_nothing_of_the_state(file_format: str, tmp_path: Path) -> None:
    with_state = contents(tmp_path / "with", Batch(DONE), file_format)
    assert with_state == contents(tmp_path / "without", None, file_format)
    assert "source_version" not in read_table(str(tmp_path / "with"), columns=LISTINGS[NAME].columns).column_names


def test_a_manifest_nested_too_deeply_is_refused(tmp_path: Path) -> None:
    deep: dict[str, Any] = {}
    for _ in range(60):
        deep = {"deeper": deep}
    with pytest.raises((ValueError, msgspec.ValidationError), match="nested too deeply"):
        run(tmp_path, Batch(deep))
