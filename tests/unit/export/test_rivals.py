"""Two tries that publish at one destination, moment by moment."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from airflow_batch_provider.exceptions import TransientError
from airflow_batch_provider.export.manifest import TaskRun
from airflow_batch_provider.listing.pages import NewRows
from tests.unit.export.exported import export, local, pages_of, rows_of, work


@pytest.mark.parametrize("who", ["the task before it was cleared", "another task"])
def test_an_export_that_is_not_this_runs_is_no_substitute_for_what_was_staged(who: str, tmp_path: Path) -> None:
    other = {} if who.startswith("the task") else {"task_run": TaskRun("dag", "other", "other run", "2026-03-01", -1)}
    export(pages_of(20, status="before"), local(tmp_path), work(15, **other))  # type: ignore[arg-type]

    def pages_while_staging_is_emptied() -> Iterator[NewRows]:
        yield from pages_of(40)
        if other:
            export(pages_of(20, status="before"), local(tmp_path), work(15, **other))  # type: ignore[arg-type]
        for path in tmp_path.rglob("*-00001.staged"):
            path.unlink()

    with pytest.raises(TransientError, match="is gone"):
        export(pages_while_staging_is_emptied(), local(tmp_path), work(15))
    assert rows_of(tmp_path) == [*range(20)]
