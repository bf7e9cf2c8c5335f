"""An export without rows: what it leaves, and that nothing is published where it may not be."""

from __future__ import annotations

from pathlib import Path

import pytest

from airflow_batch_provider.apis.shown import harmless
from airflow_batch_provider.exceptions import EmptyExportError, TransientError
from airflow_batch_provider.export import read_export, verify_export
from airflow_batch_provider.export.export import export
from airflow_batch_provider.export.spec import ExportSpec
from airflow_batch_provider.formats.format import Format
from airflow_batch_provider.formats.registry import FORMATS
from airflow_batch_provider.vendors import talkifai
from tests.unit.export.exported import TASK_RUN, left_over, local, manifest_of, pages_of, rows_of, work

WITH_COLUMNS = [name for name, known in FORMATS.items() if known.has_columns]


def spec(file_format: str) -> ExportSpec:
    return ExportSpec(
        show=harmless,
        listing="talkifai.batch_jobs",
        params={},
        file_format=Format(file_format, columns=talkifai.BATCH_JOBS.columns),
        rows_per_part=10,
        task_run=TASK_RUN,
    )


@pytest.mark.parametrize("pages", [(), (0,), (0, 0)])
@pytest.mark.parametrize("file_format", FORMATS)
def test_formats_with_columns_leave_one_part_without_rows(
    file_format: str, pages: tuple[int, ...], tmp_path: Path
) -> None:
    export(lambda **_: pages_of(*pages), local(tmp_path), spec(file_format))
    manifest = verify_export(str(tmp_path))
    assert [part.rows for part in manifest.parts] == ([0] if file_format in WITH_COLUMNS else [])
    assert list(read_export(str(tmp_path))) == []
    assert left_over(tmp_path) == set()


@pytest.mark.parametrize("file_format", WITH_COLUMNS)
def test_with_rows_there_is_no_part_without_any(file_format: str, tmp_path: Path) -> None:
    manifest = export(lambda **_: pages_of(10, 10), local(tmp_path), spec(file_format))
    assert [part.rows for part in manifest.parts] == [10, 10]


@pytest.mark.parametrize("file_format", FORMATS)
@pytest.mark.parametrize("resume", [True, False])
def test_what_may_not_be_empty_leaves_the_export_before_as_it_was(
    resume: bool, file_format: str, tmp_path: Path
) -> None:
    store = local(tmp_path)
    export(lambda **_: pages_of(25), store, work(10, day="before"))
    before = manifest_of(tmp_path)
    with pytest.raises(EmptyExportError, match=r"talkifai\.batch_jobs has no rows, so nothing was published at file:"):
        export(lambda **_: pages_of(0), store, spec(file_format), resume=resume, may_be_empty=False)
    assert manifest_of(tmp_path) == before
    assert rows_of(tmp_path) == list(range(25))
    assert left_over(tmp_path) == set()


def test_what_may_not_be_empty_leaves_nothing_where_nothing_was(tmp_path: Path) -> None:
    with pytest.raises(EmptyExportError):
        export(lambda **_: pages_of(0), local(tmp_path), spec("csv"), may_be_empty=False)
    assert list(tmp_path.rglob("*")) == []


@pytest.mark.parametrize("is_killed", [True, False])
@pytest.mark.parametrize("may_be_empty", [True, False])
@pytest.mark.parametrize("file_format", FORMATS)
def test_that_there_are_no_rows_is_not_remembered_for_the_next_try(
    file_format: str, may_be_empty: bool, is_killed: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = local(tmp_path)
    with monkeypatch.context() as broken:
        if is_killed:
            broken.setattr("airflow_batch_provider.export.export._Try.give_up", lambda *args: None)
        broken.setattr("airflow_batch_provider.export.export.publish", failing)
        with pytest.raises((TransientError, EmptyExportError)):
            export(lambda **_: pages_of(0), store, spec(file_format), may_be_empty=may_be_empty)
    assert export(lambda **_: pages_of(3), store, spec(file_format), may_be_empty=may_be_empty).rows == 3
    assert left_over(tmp_path) == set()


def failing(*args: object, **kwargs: object) -> None:
    raise TransientError("away")
