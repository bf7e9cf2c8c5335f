"""Partitions of assets by batch: what they need, what is said if it is not there, and their keys."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk import DAG, Asset, AssetAlias
from airflow.sdk.execution_time.context import OutletEventAccessors
from airflow.sdk.execution_time.task_runner import _serialize_outlet_events
from pytest_mock import MockerFixture

from airflow_batch_provider.exceptions import InvalidParameterError
from airflow_batch_provider.export import folder_name
from airflow_batch_provider.lineage.partitions import LONGEST_KEY, partition_key
from airflow_batch_provider.operators.export import ExportOperator
from airflow_batch_provider.operators.playment import PlaymentExportBatchJobsOperator
from airflow_batch_provider.sandbox import Sandbox, Settings
from airflow_batch_provider.testing import sandbox
from tests.airflow_versions import AIRFLOW
from tests.unit.operators.test_refresh import CASES, EACH, OF_MANY, OneBatch

JOBS = Asset("jobs")

from_3_3 = pytest.mark.skipif(AIRFLOW < (3, 3), reason="a task names the partition of its event from Airflow 3.3 on")


@pytest.fixture(scope="module")
def vendors() -> Iterator[Sandbox]:
    with sandbox(Settings(jobs=20, duration=0, run_seconds=0)) as running:
        yield running


def told(case: OneBatch, vendors: Sandbox, folder: Path, **parameters: Any) -> tuple[Any, list[dict[str, Any]]]:
    """Run an export and return its summary, and what Airflow tells its server about the outlets."""
    task = case.operator(
        task_id="export",
        destination=folder.as_uri(),
        **{case.parameter: case.batch(vendors), **case.other, **parameters},
    )
    events = OutletEventAccessors()
    task_instance = SimpleNamespace(dag_id="nightly", task_id="export", run_id="run", map_index=-1)
    summary = task.execute({"ti": task_instance, "outlet_events": events})  # type: ignore[arg-type]
    return summary, list(_serialize_outlet_events(events))


@from_3_3
@EACH
def test_the_event_of_an_asset_has_the_batch_as_its_partition(case: OneBatch, vendors: Sandbox, tmp_path: Path) -> None:
    outlets = [JOBS, AssetAlias("all")]
    summary, (event, of_the_alias) = told(case, vendors, tmp_path, outlets=outlets, partition_assets=True)
    jobs = {"name": "jobs", "uri": "jobs"}
    assert event == {"dest_asset_key": jobs, "extra": summary, "partition_key": case.batch(vendors)}
    assert of_the_alias["extra"] == summary
    assert "partition_key" not in of_the_alias


@pytest.mark.parametrize("parameters", [{}, {"partition_assets": False}])
def test_it_has_none_unless_that_is_asked_for(parameters: dict[str, Any], vendors: Sandbox, tmp_path: Path) -> None:
    case = CASES["PlaymentExportBatchJobsOperator"]
    _, (event,) = told(case, vendors, tmp_path, outlets=[JOBS], **parameters)
    assert "partition_key" not in event


def jobs_of_a_batch(**parameters: Any) -> ExportOperator:
    with DAG("nightly"):
        return PlaymentExportBatchJobsOperator(task_id="export", batch_id="b", destination="/data", **parameters)


@from_3_3
@pytest.mark.parametrize("outlets", [[], [AssetAlias("all")], [object()]])
def test_without_an_asset_among_the_outlets_it_is_an_error_when_the_dag_is_parsed(outlets: list[Any]) -> None:
    with pytest.raises(InvalidParameterError, match="partition_assets needs an asset among the outlets, such as"):
        jobs_of_a_batch(partition_assets=True, outlets=outlets)


@from_3_3
@pytest.mark.parametrize("outlets", [[JOBS], [Asset.ref(name="jobs")], [AssetAlias("all"), Asset.ref(uri="s3://raw")]])
def test_an_asset_or_a_reference_to_one_will_do(outlets: list[Any]) -> None:
    assert jobs_of_a_batch(partition_assets=True, outlets=outlets).outlets == outlets


@pytest.mark.parametrize("operator", OF_MANY)
def test_an_export_of_many_batches_has_no_partitions(operator: type[ExportOperator]) -> None:
    with pytest.raises(InvalidParameterError, match="partition_assets is for exports of one batch"):
        operator(task_id="export", destination="/data", outlets=[JOBS], partition_assets=True)


def test_an_older_airflow_has_none(mocker: MockerFixture) -> None:
    mocker.patch("airflow_batch_provider.lineage.partitions.installed_airflow", return_value=(3, 2))
    with pytest.raises(InvalidParameterError, match=r"needs Airflow 3\.3 or newer, but 3\.2 is installed; without it"):
        jobs_of_a_batch(partition_assets=True, outlets=[JOBS])


def test_it_is_no_template() -> None:
    assert "partition_assets" not in PlaymentExportBatchJobsOperator.template_fields
    with pytest.raises(InvalidParameterError, match=r"partition_assets=.* is not allowed; allowed is true"):
        jobs_of_a_batch(partition_assets="{{ params.on }}", outlets=[JOBS])


@pytest.mark.parametrize(
    ("batch_id", "key"),
    [
        ("batch_7", "batch_7"),
        ("Batch 7/ä", "Batch 7/ä"),
        ("x" * LONGEST_KEY, "x" * LONGEST_KEY),
        ("x" * (LONGEST_KEY + 1), folder_name("x" * (LONGEST_KEY + 1))),
        ("no\0room", folder_name("no\0room")),
    ],
)
def test_the_key_is_the_id_or_the_safe_form_of_one_that_airflow_does_not_take(batch_id: str, key: str) -> None:
    assert partition_key(batch_id) == key
    assert len(key) <= LONGEST_KEY


@from_3_3
def test_airflow_takes_the_longest_key_and_none_longer() -> None:
    event = OutletEventAccessors()[JOBS]
    event.add_partitions("x" * LONGEST_KEY)
    with pytest.raises(ValueError, match="at most 250"):
        event.add_partitions("x" * (LONGEST_KEY + 1))
