"""A key reaches no log, no exception, no XCom and no rendered field, at any log level."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from airflow_batch_provider.sandbox import Sandbox
from airflow_batch_provider.testing import connections

ROOT = Path(__file__).parents[2]

# The DAG to run, and whether with the right key.
RUNS = {
    "playment": ("playment_batches", True),
    "llamacloud": ("llamacloud_batches", False),
    "talkifai": ("talkifai_batch_jobs", False),
}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An Airflow of its own: whoever reads a SQLite file that its own process has open breaks SQLite's locks on it."""
    home = tmp_path_factory.mktemp("airflow-home")
    (home / "dags").mkdir()
    for dag_id, _ in RUNS.values():  # no others: `dags test` parses and stores all that there are
        shutil.copy(ROOT / "dags" / f"{dag_id}.py", home / "dags")
    airflow(home, {}, "db", "migrate").check_returncode()
    return home


def airflow(home: Path, environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {
        **os.environ,
        **environment,
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(home / "dags"),
    }
    command = [sys.executable, "-m", "airflow", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)


@pytest.mark.parametrize("vendor", RUNS)
def test_a_key_is_nowhere_even_at_debug_level(vendor: str, vendors: Sandbox, exports: Path, home: Path) -> None:
    name = f"AIRFLOW_CONN_{vendor.upper()}_DEFAULT"
    connection = json.loads(connections(vendors)[name])
    dag_id, is_right = RUNS[vendor]
    if not is_right:
        connection["password"] = "an-expired-key-of-somebody"
    environment = {name: json.dumps(connection), "AIRFLOW__LOGGING__LOGGING_LEVEL": "DEBUG"}
    done = airflow(home, environment, "dags", "test", dag_id)
    said = done.stdout + done.stderr
    assert bool(list(exports.rglob("_MANIFEST.json"))) is is_right, said[-3000:]
    if not is_right:
        assert f"Check that the API key (password) of connection '{vendor}_default' is right" in said
    # Airflow's own in-process supervisor, which only `dags test` uses, logs each secret that it is told to mask.
    ours = [line for line in said.splitlines() if "MaskSecret(" not in line]
    assert connection["password"] not in "\n".join(ours)
    database = (home / "airflow.db").read_bytes()
    assert dag_id.encode() in database
    assert connection["password"].encode() not in database
