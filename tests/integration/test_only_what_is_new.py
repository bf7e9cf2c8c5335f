"""Finding and exporting what is new, run by Airflow: each state once, however often and however many at a time."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import DAG, task

from airflow_batch_provider.export import read_export, verify_export
from airflow_batch_provider.hooks.playment import PlaymentHook
from airflow_batch_provider.operators.finished import finished_batches
from airflow_batch_provider.operators.playment import PlaymentExportBatchJobsOperator, PlaymentFinishedBatchesOperator
from airflow_batch_provider.vendors import playment
from tests.integration.dag_runs import run_dag
from tests.projects import Project, project

pytestmark = pytest.mark.usefixtures("airflow_database")


@pytest.fixture
def world() -> Iterator[Project]:
    with project() as made:
        yield made


def dag_of(exports: Path, *, with_taskflow: bool = False) -> Any:
    @task
    def find() -> list[dict[str, str]]:
        return finished_batches(PlaymentHook(), playment.BATCH_KIND, exports.as_uri())

    with DAG("only_new", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC)) as dag:
        found: Any = (
            find()
            if with_taskflow
            else PlaymentFinishedBatchesOperator(task_id="find", exports=exports.as_uri()).output
        )
        PlaymentExportBatchJobsOperator.partial(task_id="export", if_exists="refresh").expand_kwargs(found)
    return dag


def exported(exports: Path) -> dict[str, int]:
    """Return the batches below a folder, each whole, with their rows."""
    manifests = [verify_export(path.parent.as_uri()) for path in exports.rglob("_MANIFEST.json")]
    return {str(manifest.params["batch_id"]): manifest.rows for manifest in manifests}


@pytest.mark.parametrize("with_taskflow", [False, True], ids=["operator", "TaskFlow"])
def test_each_run_exports_what_finished_or_changed_since(with_taskflow: bool, world: Project, tmp_path: Path) -> None:
    dag = dag_of(tmp_path, with_taskflow=with_taskflow)
    world.put("a", 2)
    world.put("B", 1)
    world.put("late", 4, done=False)
    run = run_dag(dag)
    assert run.state == "success"
    tasks = [each for each in run.get_task_instances() if each.task_id == "export"]
    assert sorted(each.rendered_map_index for each in tasks) == ["B", "a"]
    assert sorted(world.exported) == ["B", "a"]

    run = run_dag(dag)
    assert run.state == "success"
    assert [each.state for each in run.get_task_instances() if each.task_id == "export"] == ["skipped"]
    assert len(world.exported) == 2

    world.put("late", 4)
    world.put("a", 3, done=False)
    assert run_dag(dag).state == "success"
    world.put("a", 3)
    assert run_dag(dag).state == "success"
    assert world.exported[2:] == ["late", "a"]
    assert exported(tmp_path) == {"a": 3, "B": 1, "late": 4}


def test_a_batch_that_is_gone_at_the_vendor_keeps_its_export(world: Project, tmp_path: Path) -> None:
    world.put("a", 2)
    dag = dag_of(tmp_path)
    assert run_dag(dag).state == "success"
    del world.batches["a"]
    assert run_dag(dag).state == "success"
    assert exported(tmp_path) == {"a": 2}
    assert [row["id"] for row in read_export((tmp_path / "a").as_uri())] == ["a-0", "a-1"]


def test_a_run_that_died_is_made_up_for_by_the_next_one(world: Project, tmp_path: Path) -> None:
    for number in range(3):
        world.put(f"b{number}", 1)
    found = PlaymentFinishedBatchesOperator(task_id="find", exports=tmp_path.as_uri()).execute({})
    PlaymentExportBatchJobsOperator(task_id="export", **found[0]).execute({})  # and the others never ran
    assert run_dag(dag_of(tmp_path)).state == "success"
    assert sorted(world.exported) == ["b0", "b1", "b2"]


def test_runs_at_once_leave_each_batch_whole(world: Project, tmp_path: Path) -> None:
    for number in range(4):
        world.put(f"b{number}", number)
    results: list[Any] = []

    def run() -> None:
        for batch in PlaymentFinishedBatchesOperator(task_id="find", exports=tmp_path.as_uri()).execute({}):
            operator = PlaymentExportBatchJobsOperator(task_id="export", if_exists="refresh", **batch)
            results.append(operator.execute({}))

    runs = [threading.Thread(target=run) for _ in range(3)]
    for thread in runs:
        thread.start()
    for thread in runs:
        thread.join()
    assert results
    assert exported(tmp_path) == {f"b{number}": number for number in range(4)}
    before = len(world.exported)
    assert run_dag(dag_of(tmp_path)).state == "success"
    assert len(world.exported) == before
