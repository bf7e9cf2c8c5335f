"""A migrated Airflow database, a sandbox with the default connections leading to it, and object stores."""

from __future__ import annotations

import json
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from airflow_batch_provider.sandbox import Sandbox
from airflow_batch_provider.stores.destination import Store
from airflow_batch_provider.testing import sandbox
from tests.integration.asset_runs import BUNDLE
from tests.integration.object_servers import SERVERS, ObjectServer


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


@pytest.fixture
def dags_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A DAGs folder of the test's own: Airflow runs only DAGs that lie in one."""
    folder = tmp_path / "dags"
    folder.mkdir()
    bundle = {
        "name": BUNDLE,
        "classpath": "airflow.dag_processing.bundles.local.LocalDagBundle",
        "kwargs": {"path": str(folder)},
    }
    monkeypatch.setenv("AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST", json.dumps([bundle]))
    return folder


@pytest.fixture(scope="module", params=list(SERVERS))
def each_server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectServer]:
    """Each kind of object store, one after the other."""
    with SERVERS[request.param](tmp_path_factory.mktemp(request.param)) as running:
        yield running


@pytest.fixture
def server(each_server: ObjectServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[ObjectServer]:
    """An object store with connections that lead to it, empty and reachable again after the test."""
    for conn_id, connection in each_server.connections().items():
        monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", connection)
    # Airflow keeps file systems by connection id, and another server may have had this one before.
    monkeypatch.setattr("airflow.sdk.io.store._STORE_CACHE", {})
    yield each_server
    each_server.proxy.restore()
    each_server.empty()


@pytest.fixture
def store(server: ObjectServer) -> Store:
    """A folder of its own in an object store."""
    return server.open(f"exports/{uuid.uuid4().hex}")
