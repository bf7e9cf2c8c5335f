"""The asset events of exports in Airflow's database, and the DAG that its scheduler starts for them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import Asset, AssetAlias
from pytest_mock import MockerFixture
from sqlalchemy import delete
from sqlalchemy.orm import Session

from airflow_batch_provider.export import read_export
from airflow_batch_provider.sandbox import Sandbox, Settings
from airflow_batch_provider.testing import sandbox
from tests.integration.asset_runs import events, results, run_as_scheduled, schedule, sync

pytestmark = pytest.mark.usefixtures("airflow_database")

DAGS = Path(__file__).parents[2] / "dags"
DAY, NEXT_DAY = datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 3, 2, tzinfo=UTC)
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


@pytest.fixture
def dags() -> dict[str, Any]:
    from airflow.dag_processing.dagbag import DagBag

    return dict(DagBag(dag_folder=str(DAGS)).dags)


def test_an_export_is_an_event_for_the_root_of_its_destination_with_the_summary_as_extra(
    dags: dict[str, Any], vendors: Sandbox, exports: Path, session: Session
) -> None:
    assert dags[PRODUCER].test(logical_date=DAY).state == "success"
    (event,) = events(session)
    root = (exports / "talkifai/batch_jobs").as_uri()
    assert (event.asset.name, event.asset.uri) == (root, root)
    folder = f"{root}/2026-03-01"
    assert event.extra["destination"] == folder
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
def test_a_dag_may_be_scheduled_on_alias_or_root_or_an_asset_of_its_own(
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


@pytest.mark.parametrize(
    ("dag_id", "folder", "uri"),
    [
        ("playment_project_jobs", "playment/project_jobs", None),
        ("playment_pipeline", "playment/pipeline", "playment_pipeline_jobs"),
        ("playment_project_wait_and_export", "playment/project_results", "playment_project_results"),
    ],
)
def test_mapped_exports_are_events_for_one_asset_that_names_no_day(
    dag_id: str, folder: str, uri: str | None, dags: dict[str, Any], exports: Path, session: Session
) -> None:
    with sandbox(Settings(jobs=3, duration=0)):
        assert dags[dag_id].test(logical_date=DAY).state == "success"
    found = events(session)
    assert {event.asset.uri for event in found} == {uri or (exports / folder).as_uri()}
    told = sorted(event.extra["destination"] for event in found)
    assert told == sorted(path.parent.as_uri() for path in (exports / folder).rglob("_MANIFEST.json"))
    assert len(told) > 2


TWO_TASKS = """
from airflow.sdk import DAG
from airflow_batch_provider.operators.talkifai import TalkifAIExportBatchJobsOperator

with DAG("{dag_id}"):
    for name in ("running", "completed"):
        TalkifAIExportBatchJobsOperator(
            task_id=name, status=name, destination="{{{{ var.value.exports }}}}/jobs/{{{{ ds }}}}/" + name
        )
"""


def test_tasks_with_the_same_root_have_events_of_their_own(
    dags: dict[str, Any], vendors: Sandbox, exports: Path, session: Session, dags_folder: Path
) -> None:
    producer = f"two_tasks_{dags_folder.parent.name}"
    (dags_folder / "two_tasks.py").write_text(TWO_TASKS.format(dag_id=producer))
    for name in ("running", "completed"):
        on_alias = ON_AN_ASSET.format(dag_id=f"on_{name}", asset=f'AssetAlias("{producer}/{name}")')
        (dags_folder / f"on_{name}.py").write_text(on_alias)
    found = sync(dags_folder, session)
    assert found[producer].test(logical_date=DAY).state == "success"
    assert {event.asset.uri for event in events(session)} == {(exports / "jobs").as_uri()}
    started = {run.dag_id: run for run in schedule(session)}
    for name in ("running", "completed"):
        (event,) = started[f"on_{name}"].consumed_asset_events
        assert event.extra["destination"] == (exports / "jobs/2026-03-01" / name).as_uri()


def test_an_export_that_is_left_as_it_is_starts_nothing(
    dags: dict[str, Any], vendors: Sandbox, exports: Path, session: Session
) -> None:
    export = dags[PRODUCER].get_task("export")
    export.if_exists, export.destination = "skip", (exports / "one").as_uri()
    assert dags[PRODUCER].test(logical_date=DAY).state == "success"
    assert [run.dag_id for run in schedule(session)].count(CONSUMER) == 1
    export.outlets = [*export.outlets, Asset("never_to_be_told")]
    assert dags[PRODUCER].test(logical_date=NEXT_DAY).state == "success"
    assert len(events(session)) == 1
    assert schedule(session) == []


def test_an_export_that_fails_starts_nothing(
    dags: dict[str, Any], vendors: Sandbox, exports: Path, session: Session
) -> None:
    dags[PRODUCER].get_task("export").status = "no such status"
    assert dags[PRODUCER].test(logical_date=DAY).state == "failed"
    assert events(session) == []
