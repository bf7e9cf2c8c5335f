"""The five sensors: the same result in each mode, and no request that is not needed."""

from __future__ import annotations

import inspect
import json
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest import mock

import pytest
from airflow.providers.common.compat.sdk import AirflowSensorTimeout, TaskDeferred
from airflow.sdk.bases.sensor import AirflowRescheduleException

from airflow_batch_provider.exceptions import BatchTimeoutError, InvalidParameterError
from airflow_batch_provider.sensors.batch import WAIT_KEY
from airflow_batch_provider.sensors.talkifai import TalkifAIBatchJobSensor
from tests.unit.sensors.cases import CASES, MODES, Case, TaskInstance, at_request, wait
from tests.unit.waiting.fake_vendor import BATCH, PROCESSING_JOB, TALKIFAI, said, serving

AIRFLOWS_OWN = {"deferrable", "kwargs", "self"}
each_sensor = pytest.mark.parametrize("case", CASES.values(), ids=CASES)
each_mode = pytest.mark.parametrize("mode", MODES)


@each_sensor
def test_every_parameter_is_a_template_field(case: Case) -> None:
    ours = {name for one in case.sensor.__mro__ if one.__module__.startswith("airflow_batch") for name in _named(one)}
    assert ours - AIRFLOWS_OWN <= set(case.sensor.template_fields)


def _named(one: type) -> list[str]:
    return list(inspect.signature(one.__init__).parameters)[1:] if "__init__" in vars(one) else []


@each_mode
@each_sensor
def test_each_mode_waits_and_returns_the_same(case: Case, mode: str) -> None:
    with serving(case.kind, "a", total_jobs=3) as vendor:
        at_request(vendor, 3, lambda: vendor.finish("a"))
        result = wait(mode, case)
    assert result["outcome"] == "succeeded"
    assert result["id"] == ("p/1" if "Project" in case.sensor.__name__ else "a")
    assert set(result) == {"id", "status", "outcome", "counts", "failed_items", "message"}
    assert len(json.dumps(result)) < 1000


@each_sensor
def test_the_results_of_the_modes_do_not_differ(case: Case) -> None:
    with serving(case.kind, "a", total_jobs=3) as vendor:
        results = []
        for mode in MODES:
            vendor.add("a", total_jobs=3)
            vendor.server.restart(vendor)
            at_request(vendor, 2, lambda: vendor.finish("a"))
            results.append(wait(mode, case))
    assert results[0] == results[1] == results[2]


@each_mode
@each_sensor
def test_a_batch_that_is_finished_already_takes_one_request_and_no_deferral(case: Case, mode: str) -> None:
    with serving(case.kind, "a") as vendor:
        vendor.finish("a")
        with mock.patch.object(case.sensor, "defer", side_effect=AssertionError):
            wait(mode, case)
        assert len(vendor.server.asked) == 1


@each_sensor
def test_a_batch_that_finishes_between_check_and_deferral_is_noticed(case: Case) -> None:
    with serving(case.kind, "a") as vendor:
        at_request(vendor, 2, lambda: vendor.finish("a"))
        assert wait("defer", case)["outcome"] == "succeeded"


@each_mode
@pytest.mark.parametrize("word", ["paused", "", "done", "success"])
@each_sensor
def test_a_word_that_is_not_documented_is_waited_on(case: Case, word: str, mode: str) -> None:
    with serving(case.kind, "a") as vendor:
        vendor.batches["a"]["status"] = word
        at_request(vendor, 3, lambda: vendor.finish("a"))
        assert wait(mode, case)["outcome"] == "succeeded"
        assert len(vendor.server.asked) >= 3


FAILED_ITEMS: dict[str, dict[str, Any]] = {
    BATCH: {"results": [{"error_message": "corrupt"}, {"error_message": None}]},
    PROCESSING_JOB: {"failed_items": 1, "total_items": 2},
    TALKIFAI: {"failedCalls": 1, "totalContacts": 2},
}


@each_mode
@each_sensor
def test_failed_items_are_told_and_are_no_failure_by_default(case: Case, mode: str) -> None:
    if case.kind not in FAILED_ITEMS:
        pytest.skip("the vendor counts none")
    with serving(case.kind, "a") as vendor:
        at_request(vendor, 2, lambda: vendor.finish("a", **FAILED_ITEMS[case.kind]))
        with mock.patch.object(case.sensor, "log") as log:
            result = wait(mode, case)
    assert (result["outcome"], result["failed_items"]) == ("succeeded", 1)
    assert any(1 in call.args for call in log.warning.call_args_list)


@each_mode
@pytest.mark.parametrize("value", ["", ".", "..", 7.5, True, ["a"]], ids=repr)
@each_sensor
def test_an_id_that_may_not_be_sent_is_refused_before_any_request(case: Case, value: Any, mode: str) -> None:
    name = case.sensor.id_field or "project_id"
    with serving(case.kind, "a") as vendor:
        with pytest.raises(InvalidParameterError):
            wait(mode, case, **{name: value})
        assert vendor.server.asked == []


@each_mode
def test_an_id_that_a_template_left_empty_is_refused_before_any_request(mode: str) -> None:
    with serving(TALKIFAI, "a") as vendor:
        with pytest.raises(InvalidParameterError):
            wait(mode, CASES["TalkifAIBatchJobSensor"], batch_job_id=None)
        assert vendor.server.asked == []


@each_mode
@each_sensor
def test_a_timeout_is_airflows_sensor_timeout(case: Case, mode: str) -> None:
    with serving(case.kind, "a"), pytest.raises(AirflowSensorTimeout):
        wait(mode, case, timeout=0.05)


@each_mode
def test_a_timeout_is_the_documented_exception_and_tells_what_was_last_seen(mode: str) -> None:
    case = CASES["TalkifAIBatchJobSensor"]
    with serving(case.kind, "a"), pytest.raises(BatchTimeoutError, match="a has status 'running'"):
        wait(mode, case, timeout=1)


def test_a_timeout_of_none_is_that_of_airflows_configuration() -> None:
    assert CASES["TalkifAIBatchJobSensor"].make(timeout=None).timeout == 7 * 24 * 3600


@each_mode
def test_a_poke_interval_of_zero_is_taken_in_each_mode(mode: str) -> None:
    with serving(TALKIFAI, "a") as vendor:
        at_request(vendor, 3, lambda: vendor.finish("a"))
        assert wait(mode, CASES["TalkifAIBatchJobSensor"], poke_interval=0)["outcome"] == "succeeded"


def test_a_deferral_outlives_the_timeout_of_its_trigger_so_that_the_trigger_says_it_first() -> None:
    with serving(TALKIFAI, "a"), pytest.raises(TaskDeferred) as deferred:
        CASES["TalkifAIBatchJobSensor"].make(deferrable=True, timeout=100).execute({})
    assert deferred.value.timeout > timedelta(seconds=100)


@pytest.mark.parametrize(
    "parameters", [{"stalled_after": "{{ 1000 + 1 }}"}, {"max_poll_failures": "{{ 1 + 2 }}"}], ids=str
)
def test_numbers_may_come_from_templates(parameters: dict[str, Any]) -> None:
    from airflow.sdk import DAG

    with serving(TALKIFAI, "a") as vendor, DAG("d"):
        sensor: TalkifAIBatchJobSensor = CASES["TalkifAIBatchJobSensor"].make(**parameters)
        sensor.render_template_fields({})
        assert not sensor.poke({})
        vendor.fault = lambda path, query: said(503)
        assert not sensor.poke({})


def test_the_text_false_from_a_template_does_not_count_item_failures() -> None:
    from airflow.sdk import DAG

    with serving(TALKIFAI, "a") as vendor, DAG("d"):
        vendor.finish("a", failedCalls=1)
        sensor = CASES["TalkifAIBatchJobSensor"].make(fail_on_item_failures="{{ 1 > 2 }}")
        sensor.render_template_fields({})
        assert sensor.poke({})


def test_the_link_to_the_batch_is_there_while_it_is_waited_for() -> None:
    """Airflow stores links when a task ends; a wait may take days."""
    task_instance = TaskInstance()
    sensor = TalkifAIBatchJobSensor(task_id="wait", batch_job_id="a", organization_id="org", deferrable=True)
    with serving(TALKIFAI, "a"), pytest.raises(TaskDeferred):
        sensor.execute({"ti": task_instance})  # type: ignore[typeddict-item]
    (link,) = sensor.operator_extra_links
    assert task_instance.xcoms[link.xcom_key] == "https://studio.talkifai.dev/batch-calls/a"


@pytest.mark.parametrize("waited", [0, 3600])
def test_what_is_waited_for_and_until_when_is_there_while_it_is_waited_for(waited: int) -> None:
    """Airflow's API shows no arguments of triggers."""
    task_instance = TaskInstance()
    task_instance.started -= timedelta(seconds=waited)
    sensor = TalkifAIBatchJobSensor(
        task_id="wait", batch_job_id="a", organization_id="org", mode="reschedule", timeout=86400
    )
    with serving(TALKIFAI, "a"), pytest.raises(AirflowRescheduleException):
        sensor.execute({"ti": task_instance})  # type: ignore[typeddict-item]
    wait = task_instance.xcoms[WAIT_KEY]
    since = datetime.fromisoformat(wait.pop("since"))
    assert task_instance.started - timedelta(seconds=1) <= since <= datetime.now(UTC)
    assert datetime.fromisoformat(wait.pop("deadline")) - since == timedelta(days=1)
    page = "https://studio.talkifai.dev/batch-calls/a"
    assert wait == {"vendor": "TalkifAI", "kind": "talkifai.batch_job", "batch_id": "a", "page": page}
