"""All five sensors wait in DAGs that Airflow itself runs."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from airflow_batch_provider.hooks.llamacloud import LlamaCloudHook
from airflow_batch_provider.hooks.talkifai import TalkifAIHook
from airflow_batch_provider.sandbox import Sandbox, Settings
from airflow_batch_provider.sensors.batch import BatchSensor
from airflow_batch_provider.sensors.llamacloud import LlamaCloudBatchProcessingJobSensor, LlamaCloudBatchSensor
from airflow_batch_provider.sensors.playment import PlaymentBatchSensor, PlaymentProjectSensor
from airflow_batch_provider.sensors.talkifai import TalkifAIBatchJobSensor
from airflow_batch_provider.testing import sandbox

pytestmark = pytest.mark.usefixtures("airflow_database")


@pytest.fixture
def vendors() -> Iterator[Sandbox]:
    with sandbox(Settings(jobs=40, duration=3)) as running:
        yield running


def sensors(how_to: dict[str, Any], **parameters: Any) -> list[BatchSensor]:
    def unfinished(rows: Any) -> str:
        return next(row["id"] for row in rows if row["status"].casefold() in {"running", "pending", "scheduled"})

    playment = how_to["playment"]["batch_id"]
    facts = {"poke_interval": 0.5, "timeout": 60, **parameters}
    return [
        PlaymentBatchSensor(task_id="playment_batch", batch_id=playment, **facts),
        PlaymentProjectSensor(task_id="playment_project", **facts),
        LlamaCloudBatchSensor(task_id="batch", batch_id=unfinished(_lasting(LlamaCloudHook().iter_batches())), **facts),
        LlamaCloudBatchProcessingJobSensor(
            task_id="job", job_id=unfinished(_lasting(LlamaCloudHook().iter_batch_processing_jobs())), **facts
        ),
        TalkifAIBatchJobSensor(
            task_id="calls", batch_job_id=unfinished(_lasting(TalkifAIHook().iter_batch_jobs())), **facts
        ),
    ]


def _lasting(rows: Any) -> Any:
    """Rows whose life in the sandbox ends in completion, and late; see ``world.LIVES``."""
    return [row for index, row in enumerate(rows) if (index * 7 + 1) % 20 >= 16]


def run(dag_id: str, how_to: dict[str, Any], **parameters: Any) -> Any:
    from airflow.dag_processing.bundles.manager import DagBundlesManager
    from airflow.sdk import DAG

    from tests.dag_bags import DagBag, sync_bag_to_db

    with DAG(dag_id, schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC)) as dag:
        sensors(how_to, **parameters)
    # ``dag.test`` looks DAGs up in the database, and finds those of the folder of DAGs by itself only.
    bag = DagBag(dag_folder="/dev/null")
    bag.bag_dag(dag)
    DagBundlesManager().sync_bundles_to_db()
    sync_bag_to_db(bag, "dags-folder", None)
    return dag.test()


def test_all_sensors_wait_in_the_triggerer(vendors: Sandbox) -> None:
    assert run("deferring", vendors.how_to, deferrable=True).state == "success"
    assert all(request.startswith("GET ") for request in vendors.requests)


def test_all_sensors_wait_on_the_worker(vendors: Sandbox) -> None:
    assert run("poking", vendors.how_to).state == "success"
    assert all(request.startswith("GET ") for request in vendors.requests)
