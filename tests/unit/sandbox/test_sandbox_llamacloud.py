"""LlamaCloud: 401, 403, 404 with prose, 422 with a list; v2 by token, v1 by offset without a total."""

from __future__ import annotations

import re
from typing import Any

import pytest

V2, V1 = "api/v2/batches", "api/v1/beta/batch-processing"
BATCH_STATUSES = ["PENDING", "THROTTLED", "RUNNING", "COMPLETED", "FAILED", "CANCELLED"]
JOB_STATUSES = ["pending", "running", "dispatched", "completed", "failed", "cancelled"]
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


def walk_v2(caller: Any, **parameters: Any) -> list[dict[str, Any]]:
    items, token = [], None
    while True:
        page = caller.data("llamacloud", V2, page_size=100, page_token=token, **parameters)
        items += page["items"]
        if not (token := page.get("next_page_token")):
            return items


def walk_v1(caller: Any, **parameters: Any) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = []
    while page := caller.data("llamacloud", V1, limit=100, offset=len(items), **parameters)["items"]:
        items += page
    return items


@pytest.mark.parametrize("path", [V2, f"{V2}/bat-1", V1, f"{V1}/bjb-1"])
@pytest.mark.parametrize(
    "sent", [{}, {"Authorization": "Bearer wrong"}, {"Authorization": "{key}"}, {"x-api-key": "{key}"}]
)
def test_a_missing_or_wrong_key_is_401(caller: Any, path: str, sent: dict[str, str]) -> None:
    key = caller.sandbox.how_to["llamacloud"]["api_key"]
    headers = {name: value.format(key=key) for name, value in sent.items()}
    response = caller.get("llamacloud", path, headers)
    assert (response.status_code, response.json()) == (401, {"detail": "Invalid API Key"})


@pytest.mark.parametrize(
    ("path", "status"),
    [
        (f"{V2}/bat-11111111-2222-4333-8444-000000000001", 404),
        (f"{V2}/nothing", 404),
        (f"{V1}/bjb-11111111-2222-4333-8444-000000000001", 404),
        (f"{V1}/bat-", 404),
        (f"{V2}?project_id=prj-other", 403),
        (f"{V1}?project_id=prj-other", 403),
        (f"{V2}?organization_id=11111111-2222-4333-8444-000000000001", 403),
    ],
)
def test_what_is_not_there_or_not_ours_is_told_in_prose(caller: Any, path: str, status: int) -> None:
    response = caller.get("llamacloud", path)
    assert response.status_code == status
    assert isinstance(response.json()["detail"], str)


@pytest.mark.parametrize(
    ("path", "name", "value"),
    [
        *((V2, "page_size", value) for value in ("0", "101", "-1", "ten", "", "1.5")),
        *((V2, "status", value) for value in ("completed", "DONE", "")),
        *((V2, "page_token", value) for value in ("next", "++//", "++//AAAAAAAAAPs=", "++//AAAAAAAAAAA=x", "é")),
        (V2, "created_at_on_or_after", "yesterday"),
        (V2, "created_at_on_or_before", "2026-13-01T00:00:00Z"),
        (f"{V2}/bat-1", "expand", "everything"),
        *((V1, "limit", value) for value in ("0", "1001", "many")),
        *((V1, "offset", value) for value in ("-1", "x")),
        *((V1, "status", value) for value in ("COMPLETED", "done")),
        *((V1, "job_type", value) for value in ("PARSE", "split")),
    ],
)
def test_a_wrong_parameter_is_422_and_named(caller: Any, path: str, name: str, value: str) -> None:
    response = caller.get("llamacloud", path, **{name: value})
    assert response.status_code == 422
    [problem] = response.json()["detail"]
    assert {**problem, "msg": "", "type": ""} == {
        "loc": ["query", name],
        "msg": "",
        "type": "",
        "input": value,
    }
    assert problem["msg"]
    assert problem["type"]


def test_all_wrong_parameters_are_told_at_once(caller: Any) -> None:
    detail = caller.get("llamacloud", V1, limit=0, offset=-1, status="x").json()["detail"]
    assert [problem["loc"] for problem in detail] == [["query", n] for n in ("limit", "offset", "status")]


@pytest.mark.parametrize("size", [None, 1, 99, 100])
def test_v2_gives_as_many_as_asked_for_and_a_token_that_must_be_encoded(caller: Any, size: int | None) -> None:
    page = caller.data("llamacloud", V2, page_size=size)
    assert len(page["items"]) == (size or 50)
    assert page["total_size"] is None
    assert all(sign in page["next_page_token"] for sign in "+/=")
    plain = caller.get("llamacloud", f"{V2}?page_token={page['next_page_token']}")
    assert plain.status_code == 422  # a "+" that is not encoded reads as a space
    following = caller.data("llamacloud", V2, page_size=size, page_token=page["next_page_token"])
    assert following["items"][0]["id"] == walk_v2(caller)[size or 50]["id"]


def test_v2_batches_have_the_documented_shape(caller: Any) -> None:
    batches = walk_v2(caller)
    assert len({batch["id"] for batch in batches}) == len(batches) == 250
    assert {batch["status"] for batch in batches} == set(BATCH_STATUSES)
    assert {batch["config"]["job"]["type"] for batch in batches} == {"parse_v2", "extract_v2"}
    for batch in batches:
        assert list(batch) == [
            *("id", "config", "project_id", "source_directory_id", "status", "created_at", "results"),
            "updated_at",
        ]
        assert batch["results"] is None
        assert TIME.fullmatch(batch["created_at"])
        assert TIME.fullmatch(batch["updated_at"])
        assert batch["created_at"] <= batch["updated_at"]
    assert [b["created_at"] for b in batches] == sorted((b["created_at"] for b in batches), reverse=True)


def test_v2_filters_give_what_matches_and_nothing_else(caller: Any) -> None:
    batches = walk_v2(caller)
    for status in BATCH_STATUSES:
        assert walk_v2(caller, status=status) == [b for b in batches if b["status"] == status]
    directories = sorted({batch["source_directory_id"] for batch in batches})
    assert len(directories) == 4
    for directory in directories:
        expected = [b for b in batches if b["source_directory_id"] == directory and b["status"] == "RUNNING"]
        assert walk_v2(caller, source_directory_id=directory, status="RUNNING") == expected
    assert walk_v2(caller, source_directory_id="dir-other") == []
    ours = batches[0]["project_id"]
    assert walk_v2(caller, project_id=ours) == walk_v2(caller, project_id=ours[4:]) == batches


@pytest.mark.parametrize(("newest", "oldest"), [(0, 249), (10, 10), (99, 100), (7, 160)])
def test_v2_creation_times_are_inclusive_at_both_ends(caller: Any, newest: int, oldest: int) -> None:
    batches = walk_v2(caller)
    late, early = batches[newest]["created_at"], batches[oldest]["created_at"]
    span = {"created_at_on_or_before": late, "created_at_on_or_after": early}
    assert walk_v2(caller, **span) == batches[newest : oldest + 1]
    offset = {name: time.replace("Z", "+00:00") for name, time in span.items()}
    assert walk_v2(caller, **offset) == batches[newest : oldest + 1]
    assert walk_v2(caller, created_at_on_or_before=early, created_at_on_or_after=late) == (
        batches[newest : oldest + 1] if newest == oldest else []
    )


def test_v2_results_come_with_expand_once_a_batch_is_completed(caller: Any) -> None:
    messages = []
    for batch in walk_v2(caller):
        assert caller.data("llamacloud", f"{V2}/{batch['id']}") == batch
        expanded = caller.data("llamacloud", f"{V2}/{batch['id']}", expand="results")
        assert {**expanded, "results": None} == batch
        assert (expanded["results"] is not None) == (batch["status"] == "COMPLETED")
        for result in expanded["results"] or ():
            assert list(result) == ["source_directory_file_id", "error_message", "job_reference"]
            assert (result["error_message"] is None) != (result["job_reference"] is None)
            messages.append(result["error_message"])
    assert None in messages
    assert len(set(messages)) == 2


@pytest.mark.parametrize("limit", [None, 1, 249, 250, 251, 1000])
def test_v1_pages_by_offset_and_never_tells_the_total(caller: Any, limit: int | None) -> None:
    page = caller.data("llamacloud", V1, limit=limit)
    assert len(page["items"]) == min(limit or 50, 250)
    assert page["total_size"] is None
    assert ("next_page_token" in page) == ((limit or 50) < 250)
    if token := page.get("next_page_token"):  # no parameter takes it: sent back, it is ignored
        assert caller.data("llamacloud", V1, limit=limit, page_token=token) == page
    assert caller.data("llamacloud", V1, limit=limit, offset=250)["items"] == []
    assert caller.data("llamacloud", V1, offset=10**30)["items"] == []


def test_v1_jobs_have_the_documented_shape(caller: Any) -> None:
    jobs = walk_v1(caller)
    assert len({job["id"] for job in jobs}) == len(jobs) == 250
    assert {job["status"] for job in jobs} == set(JOB_STATUSES)
    assert {job["job_type"] for job in jobs} == {"parse", "extract", "classify"}
    assert {job["total_items"] for job in jobs} > {0, 2**53 + 1}
    assert any(job["status"] == "completed" and job["failed_items"] for job in jobs)
    for job in jobs:
        assert list(job) == [
            *("id", "job_type", "project_id", "status", "total_items", "completed_at", "created_at"),
            *("directory_id", "effective_at", "error_message", "failed_items", "job_record_id"),
            *("processed_items", "skipped_items", "started_at", "updated_at", "workflow_id"),
        ]
        over = job["status"] in ("completed", "failed", "cancelled")
        assert (job["completed_at"] is not None) == over
        assert (job["started_at"] is None) == (job["status"] == "pending")
        assert (job["error_message"] is not None) == (job["status"] == "failed")
        assert 0 <= job["failed_items"] + job["skipped_items"] <= job["processed_items"] <= job["total_items"]
        assert job["status"] != "completed" or job["processed_items"] == job["total_items"]
        times = [job[name] for name in ("created_at", "started_at", "updated_at") if job[name]]
        assert times == sorted(times)


def test_v1_filters_give_what_matches_and_nothing_else(caller: Any) -> None:
    jobs = walk_v1(caller)
    for status in JOB_STATUSES:
        for job_type in ("parse", "extract", "classify"):
            expected = [job for job in jobs if (job["status"], job["job_type"]) == (status, job_type)]
            assert walk_v1(caller, status=status, job_type=job_type) == expected
    for directory in {job["directory_id"] for job in jobs} - {None}:
        assert walk_v1(caller, directory_id=directory) == [j for j in jobs if j["directory_id"] == directory]


def test_v1_detail_is_nested(caller: Any) -> None:
    for job in walk_v1(caller)[:60]:
        detail = caller.data("llamacloud", f"{V1}/{job['id']}")
        assert list(detail) == ["job", "progress_percentage"]
        assert detail["job"] == job
        assert 0 <= detail["progress_percentage"] <= 100
        assert (detail["progress_percentage"] == 100) == (job["status"] == "completed")
