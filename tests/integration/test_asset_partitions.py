"""The example of docs/assets.md: a DAG that Airflow's scheduler runs once for each batch that another DAG exports."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pytest_mock import MockerFixture
from sqlalchemy import delete
from sqlalchemy.orm import Session

from airflow_batch_provider.export import read_export
from airflow_batch_provider.sandbox import Settings
from airflow_batch_provider.testing import no_backoff, sandbox
from tests.integration.asset_runs import events, results, run_as_scheduled, schedule, sync

pytestmark = pytest.mark.usefixtures("airflow_database")

PAGE = Path(__file__).parents[2] / "docs" / "assets.md"
EXPORTS = "file:///data/exports"
DAYS = [datetime(2026, 3, day, tzinfo=UTC) for day in (1, 2)]
PRODUCER, CONSUMER = "export_documents", "load_documents"
ON_THE_ASSET = """
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, Asset

with DAG("on_the_asset", schedule=[Asset("documents")]):
    EmptyOperator(task_id="start")
"""


@pytest.fixture
def session(exports: Path, dags_folder: Path) -> Iterator[Session]:
    """A database without asset events."""
    from airflow.dag_processing.bundles.manager import DagBundlesManager
    from airflow.models.asset import AssetDagRunQueue, AssetEvent
    from airflow.utils.session import create_session

    DagBundlesManager().sync_bundles_to_db()
    with create_session() as session:
        session.execute(delete(AssetDagRunQueue))
        session.execute(delete(AssetEvent))
        yield session


@pytest.fixture
def dags(exports: Path, dags_folder: Path, session: Session) -> dict[str, Any]:
    """The two DAGs on the page, and one that is scheduled on the asset and not on its partitions."""
    blocks = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    (example,) = [block for block in blocks if "PartitionedAssetTimetable" in block]
    (dags_folder / "example.py").write_text(example.replace(EXPORTS, exports.as_uri()))
    (dags_folder / "on_the_asset.py").write_text(ON_THE_ASSET)
    return sync(dags_folder, session)


def exported(folder: Path) -> dict[str, str]:
    """Return the batches that are exported below a folder, each with its export."""
    manifests = {path.parent.as_uri(): json.loads(path.read_text()) for path in folder.rglob("_MANIFEST.json")}
    return {manifest["params"]["batch_id"]: folder for folder, manifest in manifests.items()}


def test_a_dag_runs_once_for_each_batch_and_sees_which(
    dags: dict[str, Any], exports: Path, session: Session, mocker: MockerFixture
) -> None:
    with sandbox(Settings(jobs=6, duration=0, run_seconds=0)), no_backoff():
        assert dags[PRODUCER].test(logical_date=DAYS[0]).state == "success"
        batches = exported(exports)
        assert len(batches) > 1
        assert {event.partition_key for event in events(session)} == set(batches)

        runs = schedule(session)
        assert {run.dag_id for run in runs} == {CONSUMER}
        assert sorted(run.partition_key for run in runs) == sorted(batches)
        for run in runs:
            (event,) = run.consumed_asset_events
            assert event.extra["destination"] == batches[run.partition_key]

        # What was exported already is left as it is, so nothing runs again.
        assert dags[PRODUCER].test(logical_date=DAYS[1]).state == "success"
        assert schedule(session) == []

    key, run_id = runs[0].partition_key, runs[0].run_id
    session.commit()
    assert run_as_scheduled(dags[CONSUMER], run_id, mocker).state == "success"
    rows = sum(1 for _ in read_export(batches[key]))
    assert results(session, runs[0], "load") == [f"{key} has {rows} documents"]
