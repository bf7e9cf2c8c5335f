"""What is imported where: layers one way, and no heavy library where DAGs are parsed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PARSED = [
    f"airflow_batch_provider.{kind}.{vendor}"
    for kind in ("hooks", "operators", "sensors")
    for vendor in ("playment", "llamacloud", "talkifai")
]
HEAVY = {"requests", "urllib3", "httpx", "aiohttp", "pandas", "pyarrow", "isal", "fsspec", "tenacity", "uvicorn"}


def modules_after(statement: str) -> set[str]:
    script = f"{statement}\nimport json, sys; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout.splitlines()[-1]))


@pytest.fixture(scope="module")
def airflows_own() -> set[str]:
    return modules_after("from airflow.sdk import BaseHook, BaseOperator, DAG")


def test_parsing_a_dag_imports_no_heavy_library(airflows_own: set[str]) -> None:
    added = modules_after("from airflow.sdk import BaseHook, BaseOperator, DAG\nimport " + ", ".join(PARSED))
    tops = {name.partition(".")[0] for name in added - airflows_own}
    assert not tops & HEAVY


def test_the_apis_import_nothing_that_does_io() -> None:
    added = modules_after("import airflow_batch_provider.apis.playment, airflow_batch_provider.apis.talkifai")
    assert not {name.partition(".")[0] for name in added} & {*HEAVY, "airflow"}


def test_layers_import_one_way() -> None:
    lint = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([lint, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
