"""The DAG in the README of each example runs, from a file of requests to exported results."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from airflow_batch_provider.export import read_export
from airflow_batch_provider.triggers.batch import BatchStatusTrigger
from tests.examples.cases import EXAMPLES, IDS, Case
from tests.integration.conftest import airflow_database  # noqa: F401 - a fixture
from tests.integration.dag_runs import run_dag


def dag_of(case: Case, folder: Path) -> Any:
    """Return the DAG of a README, its files in a folder of the test."""
    readme = (EXAMPLES / case.name / "README.md").read_text()
    (code,) = re.findall(r"```python\n(.*?)```", readme, re.DOTALL)
    assert len([line for line in code.splitlines() if line]) <= 10
    code = code.replace("deferrable=True", "deferrable=True, poll_interval=0.1")
    scope: dict[str, Any] = {}
    exec(code.replace("/data", str(folder)), scope)  # noqa: S102 - of the README
    from airflow.sdk import DAG

    (dag,) = {task.dag for task in scope.values() if hasattr(task, "dag") and not isinstance(task, type)}
    assert isinstance(dag, DAG)
    return dag


@pytest.mark.usefixtures("airflow_database")
def test_the_dag_of_the_readme_exports_an_answer_for_each_request(
    case: Case, account: Any, tmp_path: Path, mocker: Any
) -> None:
    stored = mocker.spy(BatchStatusTrigger, "serialize")
    rows = case.rows(*IDS)
    (tmp_path / "requests.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert run_dag(dag_of(case, tmp_path)).state == "success"
    outcomes = {row["id"]: row["outcome"] for row in read_export(str(tmp_path / "answers"))}
    assert outcomes == {"row-1": "ok", "bad-2": "failed", "late-3": "missing", "row-4": "ok"}
    assert {call[1]["kind"] for call in stored.spy_return_list} == {f"{case.module.__name__}.BATCH"}
    assert case.created(account) == 1


def test_the_row_of_the_readme_is_one_that_may_be_submitted(case: Case, account: Any) -> None:
    (row,) = re.findall(r"```json\n(.*?)```", (EXAMPLES / case.name / "README.md").read_text(), re.DOTALL)
    run = case.task("RunBatchOperator", requests=[json.loads(row)], wait_for_completion=False)
    assert run.execute({})["id"] in account.batches


def test_the_readme_names_every_class(case: Case) -> None:
    source = Path(str(case.module.__file__)).read_text()
    named = set(re.findall(r"^\| `(\w+)` \|", (EXAMPLES / case.name / "README.md").read_text(), re.MULTILINE))
    assert named == {name for name in re.findall(r"^class (\w+)\(", source, re.MULTILINE) if "Hook" not in name}
