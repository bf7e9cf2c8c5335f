"""The asset events of an export, as Airflow's own accessors collect them for the scheduler."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk import DAG, Asset, AssetAlias, TaskGroup
from airflow.sdk.execution_time.context import OutletEventAccessors
from airflow.sdk.execution_time.task_runner import _build_asset_profiles, _serialize_outlet_events

from airflow_batch_provider.exceptions import ExportExistsError
from airflow_batch_provider.lineage.assets import LONGEST_URI
from airflow_batch_provider.operators.export import ListingExportOperator
from airflow_batch_provider.operators.talkifai import TalkifAIExportBatchJobsOperator
from airflow_batch_provider.sandbox import Sandbox, Settings
from airflow_batch_provider.testing import sandbox
from tests.unit.export.exported import manifest_of
from tests.unit.operators.test_export_operators import OPERATORS

DAG_ID = "nightly"
OWN = f"{DAG_ID}/export"


@pytest.fixture(scope="module")
def vendors() -> Iterator[Sandbox]:
    with sandbox(Settings(jobs=20)) as running:
        yield running


def talkifai(folder: Path, **parameters: Any) -> TalkifAIExportBatchJobsOperator:
    with DAG(DAG_ID):
        return TalkifAIExportBatchJobsOperator(task_id="export", destination=str(folder), **parameters)


def run(task: ListingExportOperator, run_id: str = "run") -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Run a task and return its result, and what Airflow tells its server about the outlets."""
    events = OutletEventAccessors()
    task_instance = SimpleNamespace(dag_id=DAG_ID, task_id=task.task_id, run_id=run_id, map_index=-1)
    result = task.execute({"ti": task_instance, "outlet_events": events})  # type: ignore[arg-type]
    return result, list(_serialize_outlet_events(events))


def declared(task: ListingExportOperator) -> list[tuple[str | None, str | None]]:
    return [(profile.type, profile.name) for profile in _build_asset_profiles(task.outlets)]


@pytest.mark.parametrize("operator", OPERATORS)
def test_every_export_declares_an_alias_of_its_own(operator: type[ListingExportOperator]) -> None:
    with DAG(DAG_ID), TaskGroup("group"):
        task = operator(task_id="export", destination="s3://raw/{{ ds }}", **OPERATORS[operator])
    assert task.outlets == [AssetAlias(f"{DAG_ID}/group.export")]


@pytest.mark.parametrize("operator", OPERATORS)
def test_every_export_is_an_event_for_its_destination(
    operator: type[ListingExportOperator], vendors: Sandbox, tmp_path: Path
) -> None:
    given = {name: vendors.how_to["playment"][name] for name in OPERATORS[operator] if name == "batch_id"}
    with DAG(DAG_ID):
        task = operator(task_id="export", destination=str(tmp_path), **given)
    summary, (event,) = run(task)
    assert event["source_alias_name"] == OWN
    assert event["dest_asset_key"] == {"name": tmp_path.as_uri(), "uri": tmp_path.as_uri()}
    assert event["extra"] == summary
    assert declared(task) == [("AssetAlias", OWN)]


def test_the_extra_is_small_json_with_rows_bytes_statuses_and_manifest(vendors: Sandbox, tmp_path: Path) -> None:
    _, (event,) = run(talkifai(tmp_path))
    manifest = manifest_of(tmp_path)
    extra = json.loads(json.dumps(event["extra"]))
    assert len(json.dumps(extra)) < 2000
    assert {name: extra[name] for name in ("rows", "bytes", "status_counts")} == {
        name: manifest[name] for name in ("rows", "bytes", "status_counts")
    }
    assert extra["rows"] == 20
    assert extra["manifest"] == f"{tmp_path.as_uri()}/_MANIFEST.json"
    assert extra["destination"] == tmp_path.as_uri()


def test_an_asset_of_the_users_gets_the_extra_beside_its_own(vendors: Sandbox, tmp_path: Path) -> None:
    jobs = Asset("talkifai_jobs")
    task = talkifai(tmp_path, outlets=[jobs])
    events = OutletEventAccessors()
    events[jobs].extra["owner"] = "crm"
    task_instance = SimpleNamespace(dag_id=DAG_ID, task_id="export", run_id="run", map_index=-1)
    summary = task.execute({"ti": task_instance, "outlet_events": events})  # type: ignore[arg-type]
    (event,) = _serialize_outlet_events(events)
    assert event == {
        "dest_asset_key": {"name": "talkifai_jobs", "uri": "talkifai_jobs"},
        "extra": {"owner": "crm", **summary},
    }
    assert declared(task) == [("Asset", "talkifai_jobs")]


def test_an_alias_of_the_users_stands_in_for_the_own_one(vendors: Sandbox, tmp_path: Path) -> None:
    task = talkifai(tmp_path, outlets=[AssetAlias("all_exports")])
    summary, (event,) = run(task)
    assert (event["source_alias_name"], event["extra"]) == ("all_exports", summary)
    assert declared(task) == [("AssetAlias", "all_exports")]


def test_outlets_that_are_no_assets_are_left_alone(vendors: Sandbox, tmp_path: Path) -> None:
    other = object()
    task = talkifai(tmp_path, outlets=[other])
    _, (event,) = run(task)
    assert event["source_alias_name"] == OWN
    assert task.outlets[0] is other


def test_a_task_that_got_its_dag_later_is_an_event_too(vendors: Sandbox, tmp_path: Path) -> None:
    task = TalkifAIExportBatchJobsOperator(task_id="export", destination=str(tmp_path))
    assert task.outlets == []
    DAG(DAG_ID).add_task(task)
    _, (event,) = run(task)
    assert event["source_alias_name"] == OWN
    assert declared(task) == [("AssetAlias", OWN)]


def test_an_export_that_was_left_as_it_is_makes_no_event(vendors: Sandbox, tmp_path: Path) -> None:
    run(talkifai(tmp_path))
    outlets = [Asset("jobs"), AssetAlias("all_exports")]
    task = talkifai(tmp_path, if_exists="skip", outlets=outlets)
    prepared = task.prepare_for_execution()
    summary, events = run(prepared, "tomorrow")
    assert summary["rows"] == 20
    assert events == []
    assert declared(prepared) == []
    assert task.outlets == outlets


def test_a_retry_tells_of_the_export_that_the_try_before_could_not_tell_of(vendors: Sandbox, tmp_path: Path) -> None:
    run(talkifai(tmp_path, if_exists="skip"))
    task = talkifai(tmp_path, if_exists="skip")
    summary, (event,) = run(task)
    assert event["extra"] == summary
    assert declared(task) == [("AssetAlias", OWN)]


def test_an_export_that_fails_makes_no_event(vendors: Sandbox, tmp_path: Path) -> None:
    run(talkifai(tmp_path))
    events = OutletEventAccessors()
    task_instance = SimpleNamespace(dag_id=DAG_ID, task_id="export", run_id="tomorrow", map_index=-1)
    task = talkifai(tmp_path, if_exists="error", outlets=[Asset("jobs")])
    with pytest.raises(ExportExistsError):
        task.execute({"ti": task_instance, "outlet_events": events})  # type: ignore[arg-type]
    assert list(_serialize_outlet_events(events)) == []


def test_a_uri_that_airflow_does_not_take_is_logged_and_fails_nothing(
    vendors: Sandbox, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path.joinpath(*["ä" * 100] * 4)
    summary, events = run(talkifai(folder))
    assert summary["rows"] == 20
    assert events == []
    assert f"more than the {LONGEST_URI} that Airflow takes" in caplog.text
