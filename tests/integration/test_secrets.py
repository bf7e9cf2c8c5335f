"""A key reaches no log, no exception, no XCom and no rendered field, at any log level."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from airflow_batch_provider.sandbox import Sandbox
from airflow_batch_provider.testing import connections
from tests.conftest import HOME

pytestmark = pytest.mark.usefixtures("airflow_database")


# The DAG to run, and whether with the right key.
RUNS = {
    "playment": ("playment_batches", True),
    "llamacloud": ("llamacloud_batches", False),
    "talkifai": ("talkifai_batch_jobs", False),
}


@pytest.mark.parametrize("vendor", RUNS)
def test_a_key_is_nowhere_even_at_debug_level(vendor: str, vendors: Sandbox, exports: Path) -> None:
    name = f"AIRFLOW_CONN_{vendor.upper()}_DEFAULT"
    connection = json.loads(connections(vendors)[name])
    dag_id, is_right = RUNS[vendor]
    if not is_right:
        connection["password"] = "an-expired-key-of-somebody"
    done = subprocess.run(
        [sys.executable, "-m", "airflow", "dags", "test", dag_id],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, name: json.dumps(connection), "AIRFLOW__LOGGING__LOGGING_LEVEL": "DEBUG"},
    )
    said = done.stdout + done.stderr
    assert bool(list(exports.rglob("_MANIFEST.json"))) is is_right, said[-3000:]
    if not is_right:
        assert f"Check that the API key (password) of connection '{vendor}_default' is right" in said
    # Airflow's own in-process supervisor, which only `dags test` uses, logs each secret that it is told to mask.
    ours = [line for line in said.splitlines() if "MaskSecret(" not in line]
    assert connection["password"] not in "\n".join(ours)
    assert connection["password"].encode() not in (HOME / "airflow.db").read_bytes()
