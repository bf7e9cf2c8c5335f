"""The link from a wait to the vendor's own page of the batch."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest

from airflow_batch_provider.links.batch_page import BatchPageLink, page_of_batch
from airflow_batch_provider.sensors.llamacloud import LlamaCloudBatchProcessingJobSensor, LlamaCloudBatchSensor
from airflow_batch_provider.sensors.playment import PlaymentBatchSensor, PlaymentProjectSensor
from airflow_batch_provider.sensors.talkifai import TalkifAIBatchJobSensor

OPTION = "AIRFLOW__BATCH_PROVIDER__BATCH_PAGES"


def link_of(sensor: Any) -> str:
    (link,) = sensor.operator_extra_links
    assert isinstance(link, BatchPageLink)
    return link.get_link(sensor, ti_key=None)  # type: ignore[arg-type]


def test_a_talkifai_job_has_the_page_in_studio_that_talkifai_documents() -> None:
    sensor = TalkifAIBatchJobSensor(task_id="wait", batch_job_id="batch_xyz789")
    assert link_of(sensor) == "https://studio.talkifai.dev/batch-calls/batch_xyz789"


@pytest.mark.parametrize(
    "sensor",
    [
        PlaymentBatchSensor(task_id="wait", project_id="p", batch_id="b"),
        PlaymentProjectSensor(task_id="wait", project_id="p"),
        LlamaCloudBatchSensor(task_id="wait", batch_id="b"),
        LlamaCloudBatchProcessingJobSensor(task_id="wait", job_id="j"),
    ],
    ids=lambda sensor: type(sensor).__name__,
)
def test_there_is_no_link_where_the_vendor_documents_no_page(sensor: Any) -> None:
    assert link_of(sensor) == ""


def test_the_configuration_gives_pages_that_the_vendor_does_not_document(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(OPTION, json.dumps({"playment.batch": "https://gt.example.com/{project_id}/b/{batch_id}?v=1"}))
    assert link_of(PlaymentBatchSensor(task_id="wait", project_id="p", batch_id="b")) == (
        "https://gt.example.com/p/b/b?v=1"
    )


def test_the_configuration_stands_before_what_is_documented(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(OPTION, json.dumps({"talkifai.batch_job": "http://127.0.0.1:1/{batch_id}"}))
    assert page_of_batch("talkifai.batch_job", {"batch_id": "x"}) == "http://127.0.0.1:1/x"


def test_there_is_no_link_where_the_task_does_not_name_what_the_page_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(OPTION, json.dumps({"playment.batch": "https://gt.example.com/{project_id}/{batch_id}"}))
    assert link_of(PlaymentBatchSensor(task_id="wait", batch_id="b")) == ""
    assert link_of(PlaymentProjectSensor(task_id="wait", project_id="p")) == ""


def test_an_id_cannot_leave_its_place_in_the_page() -> None:
    page = page_of_batch("talkifai.batch_job", {"batch_id": "../a?b#c d/{batch_id}"})
    assert page == "https://studio.talkifai.dev/batch-calls/..%2Fa%3Fb%23c%20d%2F%7Bbatch_id%7D"


@pytest.mark.parametrize("batch_id", ["", " ", "..", None, ["a"], "\ud800"])
def test_what_is_no_id_makes_no_link(batch_id: object) -> None:
    assert page_of_batch("talkifai.batch_job", {"batch_id": batch_id}) is None


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ("{not json", "batch_pages"),
        ('["https://x"]', "it is no JSON object"),
        ('{"talkifai.batch_job": 5}', "'talkifai.batch_job': it is no http or https URL"),
        ('{"talkifai.batch_job": "javascript:alert(1)"}', "'talkifai.batch_job': it is no http or https URL"),
    ],
)
def test_a_bad_configuration_is_said_and_fails_nothing(
    option: str, said: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv(OPTION, option)
    with caplog.at_level(logging.WARNING):
        assert page_of_batch("talkifai.batch_job", {"batch_id": "x"}) == "https://studio.talkifai.dev/batch-calls/x"
    assert said in caplog.text
