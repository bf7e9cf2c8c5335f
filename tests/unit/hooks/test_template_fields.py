"""A sensor or operator whose parameters do not fit its declarations fails when it is defined."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_batch_provider.operators.export import ListingExportOperator
from airflow_batch_provider.sensors.batch import BatchSensor
from tests.fourth_vendor.acme import JOB, JOBS
from tests.fourth_vendor.operators import AcmeHook


def init(*parameters: str) -> Any:
    """Return an ``__init__`` with these keyword-only parameters."""
    scope: dict[str, Any] = {}
    exec(f"def __init__(self, *, {', '.join(parameters)}, **kwargs): ...", scope)  # noqa: S102 - of this file alone
    return scope["__init__"]


def define(base: type, fields: tuple[str, ...], parameters: tuple[str, ...], **facts: Any) -> type:
    names = {"hook_class": AcmeHook, "template_fields": fields, "__init__": init(*parameters), **facts}
    return type("Waits", (base,), names)


ALL = ("job_id", "team_id", "acme_conn_id")
WRONG: dict[str, tuple[tuple[str, ...], tuple[str, ...], str]] = {
    "no parameter of it": (
        ALL,
        ("job_id", "acme_conn_id"),
        "Waits: template field 'team_id' is no parameter of __init__",
    ),
    "misspelt": ((*ALL, "teamid"), ALL, "Waits: template field 'teamid' is no parameter"),
    "scope": (("job_id", "acme_conn_id"), ALL, "Waits: 'team_id' is declared, so it must be a template field"),
    "connection": (("job_id", "team_id"), ALL, "Waits: 'acme_conn_id' is declared"),
    "id": (("team_id", "acme_conn_id"), ALL, "Waits: 'job_id' is declared"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_sensor_fails_when_it_is_defined(case: str) -> None:
    fields, parameters, message = WRONG[case]
    with pytest.raises(TypeError, match=message):
        define(BatchSensor, fields, parameters, kind=JOB, id_field="job_id")


@pytest.mark.parametrize("case", [case for case in WRONG if case != "id"])
def test_a_wrong_export_fails_when_it_is_defined(case: str) -> None:
    fields, parameters, message = WRONG[case]
    with pytest.raises(TypeError, match=message):
        define(ListingExportOperator, fields, parameters, listing=JOBS)


def test_right_classes_are_defined() -> None:
    define(BatchSensor, (*BatchSensor.template_fields, *ALL), ALL, kind=JOB, id_field="job_id")
    define(ListingExportOperator, (*ListingExportOperator.template_fields, *ALL), ALL, listing=JOBS)
