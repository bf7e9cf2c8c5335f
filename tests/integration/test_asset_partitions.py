"""The examples of docs/assets.md, by Airflow's scheduler: a run for each batch, or one for all that was exported."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

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
VENDORS = Settings(jobs=6, duration=0, run_seconds=0)
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


EXAMPLES = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
(PARTITIONED,) = [block for block in EXAMPLES if "PartitionedAssetTimetable" in block]
(IN_ONE_EVENT,) = [block for block in EXAMPLES if "def announce" in block]
IMPORTS = PARTITIONED[: PARTITIONED.index("with DAG(")]


def write(folder: Path, code: str, exports: Path, name: str) -> None:
    """Write an example with DAGs of its own: Airflow takes no changes of one that it has taken half a minute ago."""
    code = code.replace('_documents"', f'_{name}"').replace(EXPORTS, exports.as_uri())
    folder.joinpath("example.py").write_text(code)


def exported(folder: Path) -> dict[str, str]:
    """Return the batches that are exported below a folder, each with its export."""
    manifests = {path.parent.as_uri(): json.loads(path.read_text()) for path in folder.rglob("_MANIFEST.json")}
    return {manifest["params"]["batch_id"]: folder for folder, manifest in manifests.items()}


def test_a_dag_runs_once_for_each_batch_and_sees_which(
    exports: Path, dags_folder: Path, session: Session, mocker: MockerFixture
) -> None:
    write(dags_folder, PARTITIONED, exports, "partitioned")
    (dags_folder / "on_the_asset.py").write_text(ON_THE_ASSET)
    dags = sync(dags_folder, session)
    with sandbox(VENDORS), no_backoff():
        assert dags["export_partitioned"].test(logical_date=DAYS[0]).state == "success"
        batches = exported(exports)
        assert len(batches) > 1
        assert {event.partition_key for event in events(session)} == set(batches)

        runs = schedule(session)
        assert {run.dag_id for run in runs} == {"load_partitioned"}
        assert sorted(run.partition_key for run in runs) == sorted(batches)
        for run in runs:
            (event,) = run.consumed_asset_events
            assert event.extra["destination"] == batches[run.partition_key]

        # What was exported already is left as it is, so nothing runs again.
        assert dags["export_partitioned"].test(logical_date=DAYS[1]).state == "success"
        assert schedule(session) == []

    key, run_id = runs[0].partition_key, runs[0].run_id
    session.commit()
    assert run_as_scheduled(dags["load_partitioned"], run_id, mocker).state == "success"
    rows = sum(1 for _ in read_export(batches[key]))
    assert results(session, runs[0], "load") == [f"{key} has {rows} documents"]


def test_a_dag_runs_once_for_all_that_a_run_exported(
    exports: Path, dags_folder: Path, session: Session, mocker: MockerFixture
) -> None:
    write(dags_folder, IMPORTS + IN_ONE_EVENT, exports, "at_once")
    dags = sync(dags_folder, session)
    with sandbox(VENDORS), no_backoff():
        assert dags["export_at_once"].test(logical_date=DAYS[0]).state == "success"
    folders = sorted(exported(exports).values())
    assert len(folders) > 1
    (run,) = [run for run in schedule(session) if run.dag_id == "load_at_once"]
    run_id = run.run_id
    session.commit()
    assert run_as_scheduled(dags["load_at_once"], run_id, mocker).state == "success"
    assert sorted(results(session, run, "load")) == sorted(sum(1 for _ in read_export(each)) for each in folders)
