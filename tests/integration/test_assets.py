"""The asset events of exports in Airflow's database, and the DAG that its scheduler starts for them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import Asset, AssetAlias
from pytest_mock import MockerFixture
from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from airflow_batch_provider.export import read_export
from airflow_batch_provider.sandbox import Sandbox

pytestmark = pytest.mark.usefixtures("airflow_database")

DAGS, BUNDLE = Path(__file__).parents[2] / "dags", "dags-folder"
DAY = datetime(2026, 3, 1, tzinfo=UTC)
PRODUCER, CONSUMER = "talkifai_batch_jobs", "talkifai_on_export"
ALIAS = f"{PRODUCER}/export"


@pytest.fixture
def session() -> Iterator[Session]:
    """A database that knows the example DAGs, and no asset event."""
    from airflow.dag_processing.bundles.manager import DagBundlesManager
    from airflow.models.asset import AssetDagRunQueue, AssetEvent
    from airflow.utils.session import create_session

    DagBundlesManager().sync_bundles_to_db()
    with create_session() as session:
        session.execute(delete(AssetDagRunQueue))
        session.execute(delete(AssetEvent))
        sync(DAGS, session)
        yield session


def sync(folder: Path, session: Session) -> None:
    """Let Airflow know the DAGs of a folder, none of them paused."""
    from airflow.dag_processing.dagbag import BundleDagBag, sync_bag_to_db
    from airflow.models.dag import DagModel

    bag = BundleDagBag(folder, bundle_path=folder, bundle_name=BUNDLE)
    assert bag.import_errors == {}
    sync_bag_to_db(bag, BUNDLE, None, session=session)
    session.execute(update(DagModel).values(is_paused=False))
    session.commit()


@pytest.fixture
def dags() -> dict[str, Any]:
    from airflow.dag_processing.dagbag import DagBag

    return dict(DagBag(dag_folder=str(DAGS)).dags)


def events(session: Session) -> list[Any]:
    from airflow.models.asset import AssetEvent

    return list(session.scalars(select(AssetEvent).order_by(AssetEvent.id)))


def schedule(session: Session) -> list[Any]:
    """Let Airflow's scheduler make the runs that asset events ask for, and return them."""
    from airflow.jobs.job import Job
    from airflow.jobs.scheduler_job_runner import SchedulerJobRunner
    from airflow.models.dag import DagModel
    from airflow.models.dagrun import DagRun

    query, triggered = DagModel.dags_needing_dagruns(session)
    waiting = [model for model in query if model.dag_id in triggered]
    before = set(session.scalars(select(DagRun.id)))
    SchedulerJobRunner(Job(), executors=[])._create_dag_runs_asset_triggered(dag_models=waiting, session=session)
    session.commit()
    return [run for run in session.scalars(select(DagRun)) if run.id not in before]


def run_as_scheduled(dag: Any, run_id: str, mocker: MockerFixture) -> Any:
    """Run the tasks of a run that the scheduler made, instead of one that ``dag.test`` makes."""
    from airflow.models.dagrun import DagRun

    def existing(*, dag: Any, session: Session, **_: object) -> Any:
        run = session.scalars(select(DagRun).where(DagRun.run_id == run_id)).one()
        run.dag, run.state = dag, "running"
        session.commit()
        return run

    mocker.patch("airflow.models.dagrun.get_or_create_dagrun", existing)
    return dag.test()


def results(session: Session, run: Any, task_id: str) -> list[Any]:
    from airflow.models.xcom import XComModel

    query = XComModel.get_many(run_id=run.run_id, dag_ids=CONSUMER, task_ids=task_id, key="return_value")
    return [XComModel.deserialize_value(row) for row in session.execute(query.with_only_columns(XComModel.value))]


def test_an_export_is_an_event_for_its_destination_with_the_summary_as_extra(
    dags: dict[str, Any], vendors: Sandbox, exports: Path, session: Session
) -> None:
    assert dags[PRODUCER].test(logical_date=DAY).state == "success"
    (event,) = events(session)
    folder = (exports / "talkifai/batch_jobs/2026-03-01").as_uri()
    assert (event.asset.name, event.asset.uri) == (folder, folder)
    assert [alias.name for alias in event.source_aliases] == [ALIAS]
    assert event.extra["manifest"] == f"{folder}/_MANIFEST.json"
    assert event.extra["rows"] == sum(event.extra["status_counts"].values()) == 350


def test_the_scheduler_starts_the_dag_that_waits_for_it_on_that_very_export(
    dags: dict[str, Any], vendors: Sandbox, exports: Path, session: Session, mocker: MockerFixture
) -> None:
    assert schedule(session) == []
    assert dags[PRODUCER].test(logical_date=DAY).state == "success"
    (run,) = schedule(session)
    assert run.dag_id == CONSUMER
    assert run.run_type == "asset_triggered"
    folder = (exports / "talkifai/batch_jobs/2026-03-01").as_uri()
    assert [event.extra["destination"] for event in run.consumed_asset_events] == [folder]
    run_id = run.run_id
    session.commit()
    assert run_as_scheduled(dags[CONSUMER], run_id, mocker).state == "success"
    expected = sum(job["failedCalls"] for job in read_export(folder))
    assert results(session, run, "count_failed_calls") == [expected]
    assert expected > 0


ON_AN_ASSET = """
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, Asset, AssetAlias

with DAG("{dag_id}", schedule=[{asset}]):
    EmptyOperator(task_id="start")
"""


@pytest.mark.parametrize(
    ("asset", "outlets"),
    [
        ('AssetAlias("talkifai_batch_jobs/export")', []),
        ('Asset("{uri}")', []),
        ('Asset(name="raw_jobs", uri="{uri}")', [Asset(name="raw_jobs", uri="{uri}")]),
        ('Asset("talkifai_jobs")', [Asset("talkifai_jobs")]),
        ('AssetAlias("exports")', [AssetAlias("exports")]),
    ],
)
def test_a_dag_may_be_scheduled_on_alias_or_destination_or_an_asset_of_its_own(
    asset: str,
    outlets: list[Any],
    dags: dict[str, Any],
    vendors: Sandbox,
    exports: Path,
    session: Session,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    uri = (exports / "jobs").as_uri()
    folder = tmp_path_factory.mktemp("dags")
    # Airflow takes no changes of a DAG that it has taken half a minute ago, so it is another one each time.
    dag_id = f"on_{folder.name}"
    (folder / "on_an_asset.py").write_text(ON_AN_ASSET.format(dag_id=dag_id, asset=asset.format(uri=uri)))
    sync(folder, session)
    export = dags[PRODUCER].get_task("export")
    export.destination = uri
    for outlet in outlets:
        export.outlets = [Asset(name=outlet.name, uri=uri) if outlet.name == "raw_jobs" else outlet]
    assert dags[PRODUCER].test(logical_date=DAY).state == "success"
    started = {run.dag_id: run for run in schedule(session)}
    assert [event.extra["destination"] for event in started[dag_id].consumed_asset_events] == [uri]


def test_a_mapped_export_is_an_event_for_each_of_its_destinations(
    dags: dict[str, Any], vendors: Sandbox, exports: Path, session: Session
) -> None:
    assert dags["playment_project_jobs"].test(logical_date=DAY).state == "success"
    folders = sorted(path.as_uri() for path in (exports / "playment/project_jobs/2026-03-01").iterdir())
    assert len(folders) > 1
    assert sorted(event.asset.uri for event in events(session)) == folders
    assert {alias.name for event in events(session) for alias in event.source_aliases} == {
        "playment_project_jobs/export"
    }


def test_an_export_that_is_left_as_it_is_starts_nothing(
    dags: dict[str, Any], vendors: Sandbox, exports: Path, session: Session
) -> None:
    export = dags[PRODUCER].get_task("export")
    export.if_exists, export.destination = "skip", (exports / "one").as_uri()
    assert dags[PRODUCER].test(logical_date=DAY).state == "success"
    assert [run.dag_id for run in schedule(session)].count(CONSUMER) == 1
    export.outlets = [*export.outlets, Asset("never_to_be_told")]
    assert dags[PRODUCER].test(logical_date=datetime(2026, 3, 2, tzinfo=UTC)).state == "success"
    assert len(events(session)) == 1
    assert schedule(session) == []


def test_an_export_that_fails_starts_nothing(
    dags: dict[str, Any], vendors: Sandbox, exports: Path, session: Session
) -> None:
    dags[PRODUCER].get_task("export").status = "no such status"
    assert dags[PRODUCER].test(logical_date=DAY).state == "failed"
    assert events(session) == []
