"""Classes that take the parameters which their declarations need, as if they had an ``__init__`` of their own."""

from __future__ import annotations

from datetime import UTC, datetime
from inspect import signature
from typing import Any

import pytest
from airflow.sdk import DAG
from msgspec.structs import replace

from airflow_batch_provider import vendor_kit as kit
from airflow_batch_provider.exceptions import TransientError
from tests.fourth_vendor.acme import JOB, JOBS, VENDOR
from tests.fourth_vendor.results import TRANSCRIPTS
from tests.fourth_vendor.submission import SUBMISSION


class Hook(kit.BatchApiHook):
    vendor, probe = VENDOR, JOBS


class Sensor(kit.Declared, kit.BatchSensor):
    kind, id_field, hook_class = JOB, "job_id", Hook


class ExportJobs(kit.Declared, kit.ListingExportOperator):
    listing, hook_class = JOBS, Hook


class ExportTranscripts(kit.Declared, kit.ResultsExportOperator):
    results, hook_class = TRANSCRIPTS, Hook


class Run(kit.Declared, kit.RunBatchOperator):
    submission, rows_field, hook_class = SUBMISSION, "recordings", Hook

    def items(self) -> Any:
        return self.rows()


class Finished(kit.Declared, kit.FinishedBatchesOperator):
    kind, hook_class = JOB, Hook


REQUIRED = object()
FIELDS: dict[type, dict[str, Any]] = {
    Sensor: {"job_id": REQUIRED, "team_id": None},
    ExportJobs: {"team_id": None},
    ExportTranscripts: {"team_id": None, "job_id": REQUIRED},
    Run: {"team_id": None, "recordings": REQUIRED, "recordings_conn_id": None},
    Finished: {"team_id": None},
}
"""The team may be an extra of the connection, so that no task needs to name it."""
BASE = {ExportJobs: {"destination": "/x"}, ExportTranscripts: {"destination": "/x"}, Finished: {"exports": "/x"}}


def values_of(task_class: type) -> dict[str, Any]:
    needed = {name: f"a {name}" for name, default in FIELDS[task_class].items() if default is REQUIRED}
    return {"task_id": "t", **BASE.get(task_class, {}), **needed}


@pytest.mark.parametrize("task_class", FIELDS)
def test_the_parameters_are_those_of_the_declarations(task_class: Any) -> None:
    found = {
        name: REQUIRED if parameter.default is parameter.empty else parameter.default
        for name, parameter in signature(task_class.__init__).parameters.items()
        if name not in {"self", "kwargs"}
    }
    assert found == {**FIELDS[task_class], "acme_conn_id": "acme_default"}
    assert {*found} < {*task_class.template_fields}


@pytest.mark.parametrize("task_class", FIELDS)
def test_a_task_has_what_it_is_given_and_defaults_for_the_rest(task_class: Any) -> None:
    values = values_of(task_class)
    task = task_class(**values, team_id="t/1")
    for name, value in {**FIELDS[task_class], **values, "team_id": "t/1"}.items():
        assert value is REQUIRED or getattr(task, name) == value
    assert task.acme_conn_id == "acme_default"


def test_what_is_required_is_missed_when_a_dag_is_parsed() -> None:
    with pytest.raises(TypeError, match="missing keyword argument 'job_id'"):
        Sensor(task_id="t")


def test_what_is_unknown_is_refused_when_a_dag_is_parsed() -> None:
    with pytest.raises(TypeError, match="job"):
        Sensor(task_id="t", job_id="j", job="k")


def test_default_args_of_a_dag_reach_it() -> None:
    with DAG("d", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC), default_args={"team_id": "t/2"}):
        assert Sensor(task_id="t", job_id="j").team_id == "t/2"


def test_it_can_be_mapped() -> None:
    with DAG("d", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC)):
        Sensor.partial(task_id="t", team_id="t/2").expand(job_id=["a", "b"])
        with pytest.raises(TypeError, match="unexpected keyword argument 'job'"):
            Sensor.partial(task_id="u", job="a")


class Later(Sensor):
    """A subclass, which needs nothing more."""


class Own(kit.Declared, kit.BatchSensor):
    kind, id_field, hook_class = JOB, "job_id", Hook
    template_fields = (*kit.BatchSensor.template_fields, "job_id", "team_id", "acme_conn_id")

    def __init__(self, *, job_id: str, team_id: str = "of the class", acme_conn_id: str = "x", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.job_id, self.team_id, self.acme_conn_id = job_id, team_id, acme_conn_id


def test_a_subclass_takes_the_same_and_an_own_init_is_left_alone() -> None:
    assert Later(task_id="t", job_id="j").job_id == "j"
    assert Own(task_id="t", job_id="j").team_id == "of the class"


def test_an_own_init_that_lacks_a_parameter_is_not_replaced() -> None:
    names = {"kind": JOB, "id_field": "job_id", "hook_class": Hook, "__init__": lambda self, **kwargs: None}
    with pytest.raises(TypeError, match=r"so it must be a template field; add .* or put kit\.Declared before"):
        type("Lacking", (kit.Declared, kit.BatchSensor), names)


WRONG = {
    "hook": (kit.BatchSensor, {"kind": JOB, "id_field": "job_id"}, "Wrong: set hook_class"),
    "declaration": (kit.ListingExportOperator, {"hook_class": Hook}, "Wrong: set kind, listing, results or submission"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_class_that_lacks_a_declaration_says_which(case: str) -> None:
    base, names, message = WRONG[case]
    with pytest.raises(TypeError, match=message):
        type("Wrong", (kit.Declared, base), names)


@pytest.mark.parametrize("paging", [kit.NumberPaging("at", "size"), kit.OffsetPaging("at", "size")])
def test_the_position_of_a_page_is_no_parameter(paging: Any) -> None:
    numbers = (
        kit.Parameter("at", kit.Integer(0), "at", default=0),
        kit.Parameter("size", kit.Integer(1), "size", default=9),
    )
    listing = replace(JOBS, parameters=(*JOBS.parameters, *numbers), paging=paging)
    names = {"listing": listing, "hook_class": Hook}
    task_class: Any = type("Export", (kit.Declared, kit.ListingExportOperator), names)
    assert "at" not in task_class.template_fields
    assert task_class(task_id="t", destination="/x", size=3).size == 3


def test_a_hook_is_named_after_its_vendor() -> None:
    assert (Hook.conn_type, Hook.hook_name) == ("acme", "Acme Transcription")
    assert (Hook.conn_name_attr, Hook.default_conn_name) == ("acme_conn_id", "acme_default")


@pytest.mark.parametrize("arguments", [(("other",), {}), ((), {"acme_conn_id": "other"})])
def test_a_hook_takes_its_connection_as_airflow_gives_it(arguments: Any) -> None:
    positional, named = arguments
    with pytest.raises(TransientError, match="There is no connection 'other'"):
        Hook(*positional, **named).get_conn()


def test_a_hook_takes_nothing_else() -> None:
    with pytest.raises(TypeError, match="takes acme_conn_id alone, not conn"):
        Hook(conn="other")
