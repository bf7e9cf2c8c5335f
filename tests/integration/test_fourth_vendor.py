"""A vendor of another package waits and exports in DAGs that Airflow itself runs."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from pytest_mock import MockerFixture

from airflow_batch_provider.export import read_export
from airflow_batch_provider.triggers.batch import BatchStatusTrigger
from tests.fourth_vendor.operators import AcmeExportJobsOperator, AcmeJobSensor
from tests.fourth_vendor.server import serving
from tests.integration.dag_runs import run_dag

pytestmark = pytest.mark.usefixtures("airflow_database")


@pytest.mark.parametrize("deferrable", [False, True], ids=["on the worker", "in the triggerer"])
def test_a_wait_ends_in_an_export_of_every_job(deferrable: bool, tmp_path: Path, mocker: MockerFixture) -> None:
    from airflow.sdk import DAG

    stored = mocker.spy(BatchStatusTrigger, "serialize")
    with DAG(f"acme_{deferrable}", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC)) as dag:
        wait = AcmeJobSensor(task_id="wait", job_id="job 7", deferrable=deferrable, poke_interval=0.1, timeout=60)
        wait >> AcmeExportJobsOperator(task_id="export", destination=tmp_path.as_uri(), team_id="t/1")
    with serving(100) as acme:
        acme.typed_at = 8  # three pages a look: in the third one
        assert run_dag(dag).state == "success"
        assert list(read_export(tmp_path.as_uri())) == list(acme.jobs.values())
    assert {row["status"] for row in read_export(tmp_path.as_uri())} == {"typed"}
    kinds = {call[1]["kind"] for call in stored.spy_return_list}
    assert kinds == ({"tests.fourth_vendor.acme.JOB"} if deferrable else set())
