"""A migrated Airflow database, and a sandbox with the default connections leading to it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from airflow_batch_provider.sandbox import Sandbox
from airflow_batch_provider.testing import sandbox


@pytest.fixture(scope="session")
def airflow_database() -> None:
    """``dag.test`` needs a database; SQLite in Airflow's temporary home does."""
    subprocess.run([sys.executable, "-m", "airflow", "db", "migrate"], check=True, capture_output=True)


@pytest.fixture
def vendors() -> Iterator[Sandbox]:
    """The three vendors' APIs."""
    with sandbox() as running:
        yield running


@pytest.fixture
def exports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that the example DAGs export to."""
    monkeypatch.setenv("AIRFLOW_VAR_EXPORTS", tmp_path.as_uri())
    return tmp_path
