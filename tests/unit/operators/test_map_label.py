"""A mapped export is labelled by its ids, unless the DAG says otherwise."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_batch_provider.exceptions import NotFoundError
from airflow_batch_provider.operators.map_label import label_mapped_task
from airflow_batch_provider.operators.playment import PlaymentExportBatchJobsOperator
from airflow_batch_provider.testing import sandbox


def context(map_index: int = 0, **more: Any) -> dict[str, Any]:
    return {"ti": SimpleNamespace(map_index=map_index), "map_index_template": None, **more}


@pytest.mark.parametrize(
    ("ids", "label"),
    [
        (["b-1"], "b-1"),
        (["p", None, "", "b"], "p / b"),
        ([17], "17"),
        (["{{ ds }}"], "{{ ds }}"),
        (["a\nb\x00c\u2028\ud800"], "a?b?c??"),
        (["x" * 500], "x" * 200 + "..."),
    ],
    ids=ascii,
)
def test_the_label_is_of_the_ids_that_are_given(ids: list[object], label: str) -> None:
    values = context()
    label_mapped_task(values, ids)  # type: ignore[arg-type]
    assert (values["map_index_template"], values["map_index_label"]) == ("{{ map_index_label }}", label)


@pytest.mark.parametrize(
    ("values", "ids"),
    [
        (context(-1), ["b"]),
        (context(map_index_template="{{ task.batch_id }}"), ["b"]),
        (context(), [None]),
        ({}, ["b"]),
    ],
)
def test_what_is_not_mapped_or_has_a_template_or_no_id_is_left_alone(values: dict[str, Any], ids: list[object]) -> None:
    before = dict(values)
    label_mapped_task(values, ids)  # type: ignore[arg-type]
    assert values == before


def test_a_mapped_export_that_fails_has_a_label_too(tmp_path: Path) -> None:
    run = {"dag_id": "d", "task_id": "t", "run_id": "r", "map_index": 3}
    values: Any = {"ti": SimpleNamespace(**run)}
    batch_id = "00000000-0000-4000-8000-000000000000"
    task = PlaymentExportBatchJobsOperator(task_id="t", batch_id=batch_id, destination=str(tmp_path))
    with sandbox(), pytest.raises(NotFoundError):
        task.execute(values)
    assert values["map_index_label"] == batch_id
