"""Kinds by name: short ones of ours, import paths of anybody's."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from msgspec.structs import replace

from airflow_batch_provider.exceptions import InvalidParameterError
from airflow_batch_provider.sensors.talkifai import TalkifAIBatchJobSensor
from airflow_batch_provider.triggers.batch import BatchFinishedEventTrigger, BatchStatusTrigger
from airflow_batch_provider.waiting import verdict
from airflow_batch_provider.waiting.kinds import KINDS, kind_named
from tests.fourth_vendor.operators import AcmeJobSensor
from tests.fourth_vendor.server import serving
from tests.unit.waiting import fake_vendor

# Triggers that are stored already hold them, so they stay.
SHORT_NAMES = ("playment.batch", "llamacloud.batch", "llamacloud.batch_processing_job", "talkifai.batch_job")


@pytest.mark.parametrize("name", SHORT_NAMES)
def test_a_kind_of_ours_has_a_short_name(name: str) -> None:
    assert kind_named(name) is KINDS[name]
    assert kind_named(name).name == name


def test_a_kind_of_another_package_is_found_by_its_import_path() -> None:
    assert kind_named("tests.fourth_vendor.acme.JOB") is AcmeJobSensor.kind


NAMES = {
    "nothing": ("", "Empty module name"),
    "no path": ("acme", "Empty module name"),
    "no such module": ("acme_airflow.batches.JOB", "No module named 'acme_airflow'"),
    "no such constant": ("tests.fourth_vendor.acme.MISSING", "no attribute 'MISSING'"),
    "no kind": ("tests.fourth_vendor.acme.JOBS", "there is Listing 'acme.jobs'"),
    "named otherwise": ("airflow_batch_provider.vendors.playment.BATCH_KIND", "there is BatchKind 'playment.batch'"),
    "relative": (".acme.JOB", "relative import"),
}


@pytest.mark.parametrize("case", NAMES)
def test_a_name_that_leads_to_no_kind_says_what_is_there(case: str) -> None:
    name, found = NAMES[case]
    with pytest.raises(InvalidParameterError, match=f"kind='{name}' is not allowed; .*{found}") as raised:
        kind_named(name)
    assert "'talkifai.batch_job'" in str(raised.value)


def test_a_wait_whose_kind_the_triggerer_cannot_import_fails_and_says_so() -> None:
    lost = BatchStatusTrigger(
        kind="acme_airflow.batches.JOB", connection_id="acme_default", batch_id="a", scope={}, poll_interval=1
    )
    event = json.loads(json.dumps(asyncio.run(fake_vendor.event_of(lost))))
    with pytest.raises(InvalidParameterError, match=r"'acme_airflow.batches.JOB'.*every worker and triggerer"):
        verdict.read_event(event).result()


def test_a_watcher_of_no_kind_fails_where_the_dag_is_parsed() -> None:
    with pytest.raises(InvalidParameterError, match=r"kind='acme\.JOB' is not allowed"):
        BatchFinishedEventTrigger(kind="acme.JOB", connection_id="acme_default")


def test_a_sensor_whose_kind_no_triggerer_would_find_fails_on_the_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(AcmeJobSensor, "kind", replace(AcmeJobSensor.kind, name="acme.JOB"))
    with serving(), pytest.raises(InvalidParameterError, match=r"kind='acme\.JOB' is not allowed"):
        AcmeJobSensor(task_id="wait", job_id="job 7", deferrable=True).execute({})


def test_sensors_of_ours_go_on_storing_short_names(monkeypatch: pytest.MonkeyPatch) -> None:
    stored: dict[str, Any] = {}
    monkeypatch.setattr(
        TalkifAIBatchJobSensor, "defer", lambda self, trigger, **_: stored.update(trigger.serialize()[1])
    )
    with fake_vendor.serving(fake_vendor.TALKIFAI, "a"):
        TalkifAIBatchJobSensor(task_id="wait", batch_job_id="a", organization_id="org", deferrable=True).poke({})
    assert stored["kind"] == "talkifai.batch_job"
