"""Two tries that publish at one destination, moment by moment."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from airflow_batch_provider.exceptions import TransientError
from airflow_batch_provider.export.manifest import Manifest, TaskRun
from airflow_batch_provider.export.publishing import published
from airflow_batch_provider.export.staging import Staging
from airflow_batch_provider.listing.pages import NewRows
from airflow_batch_provider.stores.destination import LocalStore
from tests.unit.export.exported import MANIFEST, export, left_over, local, pages_of, rows_of, work


def run(folder: Path, *sizes: int) -> Manifest:
    return export(pages_of(*sizes), local(folder), work(15))


def test_a_part_that_a_rival_removes_before_the_manifest_names_it_is_put_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rival took it for one of the export that it replaced."""
    put_if = LocalStore.put_if

    def after_a_rivals_cleaning(store: LocalStore, *arguments: Any) -> bool:
        for path in tmp_path.glob("part-00001-*"):
            path.unlink()
        return put_if(store, *arguments)

    monkeypatch.setattr(LocalStore, "put_if", after_a_rivals_cleaning)
    run(tmp_path, 40)
    assert rows_of(tmp_path) == [*range(40)]


def declare_after_manifest(folder: Path, names: list[str], monkeypatch: pytest.MonkeyPatch, *, stale: bool) -> Staging:
    """Let another try of the same work say what it is about to publish, before this one cleans up."""
    put_if, store = LocalStore.put_if, local(folder)
    rival = Staging(store, work(15).id)

    def before_cleaning(*arguments: Any) -> bool:
        version = store.version(MANIFEST)
        is_put = put_if(*arguments)
        rival.write_intent(names, version if stale else store.version(MANIFEST))
        return is_put

    monkeypatch.setattr(LocalStore, "put_if", before_cleaning)
    return rival


def test_what_a_rival_is_about_to_publish_is_not_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = run(tmp_path, 10)
    rival = declare_after_manifest(tmp_path, [before.parts[0].path], monkeypatch, stale=False)
    run(tmp_path, 20)
    assert rows_of(tmp_path) == [*range(20)]
    assert before.parts[0].path in left_over(tmp_path)
    assert rival.name("publishing.json") in left_over(tmp_path)


def test_what_a_rival_cannot_publish_any_more_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It meant to replace the manifest of before, so it has to declare anew."""
    before = run(tmp_path, 10)
    declare_after_manifest(tmp_path, [before.parts[0].path], monkeypatch, stale=True)
    run(tmp_path, 20)
    assert left_over(tmp_path) == set()
    assert published(local(tmp_path))


@pytest.mark.parametrize("who", ["the task before it was cleared", "another task"])
def test_an_export_that_is_not_this_runs_is_no_substitute_for_what_was_staged(who: str, tmp_path: Path) -> None:
    other = {} if who.startswith("the task") else {"task_run": TaskRun("dag", "other", "run", "2026-03-01", -1)}
    export(pages_of(20, status="before"), local(tmp_path), work(15, **other))  # type: ignore[arg-type]

    def pages_while_staging_is_emptied() -> Iterator[NewRows]:
        yield from pages_of(40)
        if other:
            export(pages_of(20, status="before"), local(tmp_path), work(15, **other))  # type: ignore[arg-type]
        for path in tmp_path.rglob("*-00001.jsonl.gz"):
            path.unlink()

    with pytest.raises(TransientError, match="is gone"):
        export(pages_while_staging_is_emptied(), local(tmp_path), work(15))
    assert rows_of(tmp_path) == [*range(20)]
