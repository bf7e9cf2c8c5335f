"""A wrong declaration fails when it is made, and says what is declared."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from airflow_batch_provider import vendor_kit as kit
from airflow_batch_provider.apis.declaration import DeclarationError

VENDOR = kit.Vendor(name="tests", title="Tests", base_url="https://api.tests.example", auth=kit.KeyHeader("x-key"))
PROJECT = kit.Parameter("project_id", kit.Identifier(), required=True)
STATUS = kit.Parameter("status", kit.Choice(("RUNNING", "DONE")), "status")
STATE = kit.StateFields({"DONE": kit.SUCCEEDED}, counts=("counts.failed",))


def listing(**changes: Any) -> kit.Listing:
    return kit.Listing(
        **{
            "vendor": VENDOR,
            "name": "tests.jobs",
            "path": "/projects/{project_id}/jobs",
            "parameters": (PROJECT, STATUS),
            "bodies": (kit.Body(rows="jobs"),),
            "paging": kit.WholePaging(),
            **changes,
        }
    )


def single(**changes: Any) -> kit.Resource:
    path = "/projects/{project_id}/jobs/{job_id}"
    parameters = (PROJECT, kit.Parameter("job_id", kit.Identifier(), required=True))
    return kit.Resource(**{"vendor": VENDOR, "name": "tests.job", "path": path, "parameters": parameters, **changes})


def batch_kind(**changes: Any) -> kit.BatchKind:
    values = {"name": "tests.JOB", "listing": listing(), "scope": ("project_id",), "state": STATE}
    return kit.BatchKind(**{**values, **changes})


WRONG: dict[str, tuple[Callable[[], object], str]] = {
    "path": (lambda: listing(path="/projects/{project}/jobs"), r"unknown parameter of the path 'project'.*project_id"),
    "path without a parameter": (
        lambda: listing(path="/jobs"),
        r"unknown place in the path for parameter 'project_id'",
    ),
    "relative path": (lambda: listing(path="jobs/{project_id}"), r"a path starts with '/'"),
    "name of another vendor": (lambda: listing(name="other.jobs"), r"other.jobs: .*'tests.things'"),
    "parameter twice": (lambda: listing(parameters=(PROJECT, PROJECT)), r"parameter 'project_id' is declared twice"),
    "query key twice": (
        lambda: listing(parameters=(PROJECT, STATUS, kit.Parameter("state", kit.Identifier(), "status"))),
        r"query key 'status' is declared twice",
    ),
    "no body": (lambda: listing(bodies=()), r"bodies is empty"),
    "a cursor that no body has": (lambda: listing(paging=kit.CursorPaging("after")), r"set next_token in bodies"),
    "paging by an unknown key": (
        lambda: listing(paging=kit.OffsetPaging("offset", "limit")),
        r"unknown query key of the paging 'offset'; declared are status",
    ),
    "paging by a key without a default": (
        lambda: listing(
            parameters=(
                PROJECT,
                kit.Parameter("offset", kit.Integer(0), "offset"),
                kit.Parameter("limit", kit.Integer(1), "limit", default=10),
            ),
            paging=kit.OffsetPaging("offset", "limit"),
        ),
        r"tests.jobs: offset needs a default",
    ),
    "created_field": (
        lambda: listing(columns=kit.columns(id=kit.TEXT), created_field="created"),
        r"unknown column 'created'; declared are id",
    ),
    "column twice": (
        lambda: listing(columns=(*kit.columns(id=kit.TEXT), *kit.columns(id=kit.TEXT))),
        r"column 'id' is declared twice",
    ),
    "path of a resource": (lambda: single(at=("data.",)), r"tests.job: 'data.' is not a dotted path"),
    "parameter name": (lambda: kit.Parameter("page-size", kit.Integer(1)), r"'page-size' is not a Python name"),
    "default": (
        lambda: kit.Parameter("limit", kit.Integer(1, 10), "limit", default=11),
        r"limit: its default is not allowed; allowed is a whole number from 1 to 10",
    ),
    "repeated part of a path": (
        lambda: kit.Parameter("ids", kit.Identifier(), repeated=True),
        r"ids: only a query key can be repeated",
    ),
    "scope": (lambda: batch_kind(scope=("team_id",)), r"tests.JOB: unknown scope 'team_id'; declared are project_id"),
    "unfinished without a filter": (
        lambda: batch_kind(listing=listing(parameters=(PROJECT,)), unfinished=("RUNNING",)),
        r"tests.JOB: unknown parameter 'status'",
    ),
    "unfinished word": (lambda: batch_kind(unfinished=("running",)), r"the listing's status does not take 'running'"),
    "id_parameter": (
        lambda: batch_kind(single=single(), id_parameter="batch_id"),
        r"tests.JOB: unknown id_parameter 'batch_id'; declared are job_id, project_id",
    ),
    "no id_parameter": (lambda: batch_kind(single=single()), r"unknown id_parameter ''"),
    "id_parameter without single": (lambda: batch_kind(id_parameter="job_id"), r"need single"),
    "single value": (
        lambda: batch_kind(single=single(), id_parameter="job_id", single_values={"expand": "results"}),
        r"unknown single value 'expand'",
    ),
    "scope too small for single": (
        lambda: batch_kind(single=single(), id_parameter="job_id", scope=()),
        r"tests.JOB: unknown scope 'project_id'; declared are none",
    ),
    "failed_items": (
        lambda: kit.StateFields({"DONE": kit.SUCCEEDED}, counts=("total",), failed_items="failed"),
        r"unknown counter 'failed'; declared are total",
    ),
    "counter path": (
        lambda: kit.StateFields({"DONE": kit.SUCCEEDED}, counts=("counts.",)),
        r"'counts.' is not a dotted path",
    ),
    "no outcomes": (lambda: kit.StateFields({}), r"outcomes is empty"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_declaration_fails_when_it_is_made(case: str) -> None:
    make, message = WRONG[case]
    with pytest.raises(DeclarationError, match=message):
        make()


def test_a_right_declaration_is_taken() -> None:
    assert batch_kind(single=single(), id_parameter="job_id", unfinished=("RUNNING",)).scope == ("project_id",)


def test_counters_may_lie_deep_and_times_may_be_numbers() -> None:
    state = kit.StateFields(
        {"DONE": kit.SUCCEEDED},
        id="job.id",
        status="job.state",
        counts=("counts.total", "counts.failed", "counts.odd", "gone.total"),
        failed_items="counts.failed",
        reason="error.message",
        updated_at="changed",
        clock=kit.Clock.UNIX_MILLISECONDS,
    )(
        {
            "job": {"id": 7, "state": "done"},
            "counts": {"total": 3, "failed": 1, "odd": "x"},
            "error": None,
            "changed": 1_767_225_600_000,
        }
    )
    assert (state.id, state.outcome, state.failed_items, state.reason) == ("7", kit.SUCCEEDED, 1, None)
    assert state.counts == {"counts.total": 3, "counts.failed": 1}
    assert state.updated_at == "2026-01-01T00:00:00+00:00"


def test_a_state_without_an_id_names_where_it_should_be() -> None:
    with pytest.raises(KeyError, match=r"job\.id"):
        kit.StateFields({"DONE": kit.SUCCEEDED}, id="job.id")({"job": {}})
