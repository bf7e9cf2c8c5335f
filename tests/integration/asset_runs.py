"""Asset events in Airflow's database, and the runs that its scheduler makes for them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pytest_mock import MockerFixture
from sqlalchemy import select, update
from sqlalchemy.orm import Session

BUNDLE = "dags-folder"


def sync(folder: Path, session: Session) -> dict[str, Any]:
    """Let Airflow know the DAGs of a folder, none of them paused, and return them."""
    from airflow.dag_processing.dagbag import BundleDagBag, sync_bag_to_db
    from airflow.models.dag import DagModel

    bag = BundleDagBag(folder, bundle_path=folder, bundle_name=BUNDLE)
    assert bag.import_errors == {}
    sync_bag_to_db(bag, BUNDLE, None, session=session)
    session.execute(update(DagModel).values(is_paused=False))
    session.commit()
    return dict(bag.dags)


def events(session: Session) -> list[Any]:
    """Return the asset events, oldest first."""
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
    scheduler = SchedulerJobRunner(Job(), executors=[])
    scheduler._create_dagruns_for_partitioned_asset_dags(session)
    scheduler._create_dag_runs_asset_triggered(dag_models=waiting, session=session)
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
    """Return what a task of a run returned, for each of its map indexes."""
    from airflow.models.xcom import XComModel

    query = XComModel.get_many(run_id=run.run_id, dag_ids=run.dag_id, task_ids=task_id, key="return_value")
    return [XComModel.deserialize_value(row) for row in session.execute(query.with_only_columns(XComModel.value))]
