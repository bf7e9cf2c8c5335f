"""Airflow shows the label that a mapped export gives itself."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from airflow.sdk import DAG

from airflow_batch_provider.hooks.playment import PlaymentHook
from airflow_batch_provider.operators.playment import PlaymentExportBatchJobsOperator
from airflow_batch_provider.sandbox import Sandbox
from tests.integration.dag_runs import run_dag

pytestmark = pytest.mark.usefixtures("airflow_database")


@pytest.mark.parametrize("template", [None, "batch {{ task.batch_id[:3] }}"])
def test_a_mapped_export_is_labelled_by_its_batch(template: str | None, vendors: Sandbox, tmp_path: Path) -> None:
    batches = [*[str(batch["id"]) for batch in PlaymentHook().iter_batches()][:2], "nowhere"]
    with DAG("labels", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC)) as dag:
        PlaymentExportBatchJobsOperator.partial(task_id="export", map_index_template=template).expand_kwargs(
            [{"batch_id": batch_id, "destination": f"{tmp_path}/{batch_id}"} for batch_id in batches]
        )
    tasks = {task.map_index: task for task in run_dag(dag).get_task_instances()}
    labels = [tasks[index].rendered_map_index for index in range(3)]
    assert labels == [f"batch {batch_id[:3]}" if template else batch_id for batch_id in batches]
    assert [tasks[index].state for index in range(3)] == ["success", "success", "failed"]
