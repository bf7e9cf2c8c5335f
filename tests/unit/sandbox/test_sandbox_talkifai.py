"""TalkifAI: errors are prose in ``detail``; pages by number with a total; contacts in the detail."""

from __future__ import annotations

import re
from typing import Any

import pytest

JOBS = "batch/jobs"
STATUSES = ["pending", "scheduled", "running", "completed", "failed", "cancelled"]
UNKNOWN = "batch_11111111-2222-4333-8444-000000000001"


def walk(caller: Any, **parameters: Any) -> list[dict[str, Any]]:
    jobs: list[dict[str, Any]] = []
    page = 1
    while True:
        body = caller.data(
            *("talkifai", JOBS), organizationId=caller.organization_id, page=page, pageSize=100, **parameters
        )
        assert (body["page"], body["pageSize"]) == (page, 100)
        jobs += body["batchJobs"]
        if page * 100 >= body["total"]:
            assert len(jobs) == body["total"]
            return jobs
        page += 1


@pytest.mark.parametrize("path", [f"{JOBS}?organizationId=org_x", f"{JOBS}/{UNKNOWN}"])
@pytest.mark.parametrize("sent", [{}, {"Authorization": "Bearer no"}, {"x-api-key": "no"}, {"Authorization": "{key}"}])
def test_a_missing_or_wrong_key_is_401(caller: Any, path: str, sent: dict[str, str]) -> None:
    key = caller.sandbox.how_to["talkifai"]["api_key"]
    response = caller.get("talkifai", path, {name: value.format(key=key) for name, value in sent.items()})
    assert (response.status_code, response.json()) == (401, {"detail": "Invalid or missing API key"})


def test_both_documented_headers_are_taken(caller: Any) -> None:
    key = {"x-api-key": caller.sandbox.how_to["talkifai"]["api_key"]}
    response = caller.get("talkifai", JOBS, key, organizationId=caller.organization_id)
    assert response.status_code == 200
    assert response.json() == caller.data("talkifai", JOBS, organizationId=caller.organization_id)


@pytest.mark.parametrize(
    ("path", "parameters", "status", "detail"),
    [
        (JOBS, {}, 400, "organizationId is required"),
        (JOBS, {"organizationId": ""}, 400, "organizationId is required"),
        (JOBS, {"organizationId": "org_other"}, 403, "You do not have access to this organization"),
        *(
            (JOBS, {"organizationId": "ours", "page": page}, 400, "Invalid page number: must be >= 1")
            for page in ("0", "-3", "one", "")
        ),
        *(
            (
                JOBS,
                {"organizationId": "ours", "pageSize": n},
                400,
                "Invalid page size: must be between 1 and 100",
            )
            for n in ("0", "101", "all")
        ),
        *(
            (JOBS, {"organizationId": "ours", "status": word}, 400, "Invalid status filter value")
            for word in ("paused", "COMPLETED", "")
        ),
        (f"{JOBS}/{UNKNOWN}", {}, 404, "Batch job not found"),
        (f"{JOBS}/7", {}, 404, "Batch job not found"),
        (f"{JOBS}/x", {"contactsPage": 0}, 400, "Invalid contacts page number: must be >= 1"),
        (
            f"{JOBS}/x",
            {"contactsPageSize": 501},
            400,
            "Invalid contacts page size: must be between 1 and 500",
        ),
        (f"{JOBS}/x", {"contactStatus": "lost"}, 400, "Invalid contact status filter value"),
    ],
)
def test_errors_are_prose(caller: Any, path: str, parameters: dict[str, Any], status: int, detail: str) -> None:
    sent = {k: caller.organization_id if v == "ours" else v for k, v in parameters.items()}
    response = caller.get("talkifai", path, **sent)
    assert (response.status_code, response.json()) == (status, {"detail": detail})


@pytest.mark.parametrize(
    ("page", "size", "rows"), [(None, None, 20), (13, None, 10), (14, None, 0), (3, 100, 50), (250, 1, 1)]
)
def test_pages_are_numbered_from_one(caller: Any, page: int | None, size: int | None, rows: int) -> None:
    body = caller.data("talkifai", JOBS, organizationId=caller.organization_id, page=page, pageSize=size)
    assert list(body) == ["batchJobs", "total", "page", "pageSize"]
    assert (len(body["batchJobs"]), body["total"]) == (rows, 250)
    assert (body["page"], body["pageSize"]) == (page or 1, size or 20)


def test_batch_jobs_have_the_documented_shape(caller: Any) -> None:
    jobs = walk(caller)
    assert len({job["id"] for job in jobs}) == len(jobs) == 250
    assert {job["status"] for job in jobs} == set(STATUSES)
    assert 'Büro "Süd", 更新' in {job["name"] for job in jobs}
    assert any(job["status"] == "completed" and job["failedCalls"] for job in jobs)
    for job in jobs:
        assert list(job) == [
            *("id", "name", "description", "status", "organizationId", "agentId", "fromPhoneNumberId"),
            *("totalContacts", "contactsProcessed", "successfulCalls", "failedCalls", "scheduledStartTime"),
            *("actualStartTime", "completedAt", "createdAt", "concurrentCallLimit", "retryPolicy"),
        ]
        assert job["successfulCalls"] + job["failedCalls"] == job["contactsProcessed"] <= job["totalContacts"]
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", job["createdAt"])
        assert (job["completedAt"] is not None) == (job["status"] in ("completed", "failed", "cancelled"))
        assert job["status"] != "scheduled" or job["scheduledStartTime"]


@pytest.mark.parametrize("status", STATUSES)
def test_the_status_filter_gives_what_matches_and_nothing_else(caller: Any, status: str) -> None:
    assert walk(caller, status=status) == [job for job in walk(caller) if job["status"] == status] != []


def contacts(caller: Any, job: dict[str, Any], size: int, **parameters: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    page = 1
    while True:
        path = f"{JOBS}/{job['id']}"
        body = caller.data("talkifai", path, contactsPage=page, contactsPageSize=size, **parameters)
        found += body["contacts"]
        assert body["contacts"] or page == 1  # it never says that there is more when there is not
        assert (body["contactsPage"], body["contactsPageSize"]) == (page, size)
        if not body["contactsHasMore"]:
            assert len(found) == body["contactsTotal"]
            return found
        page += 1


def test_the_contacts_of_a_job_agree_with_its_counters(caller: Any) -> None:
    totals = set()
    for job in walk(caller)[:60]:
        detail = caller.data("talkifai", f"{JOBS}/{job['id']}")
        assert {name: detail[name] for name in job} == job
        assert detail["contactsPageSize"] == 50
        rows = contacts(caller, job, 500)
        statuses = [row["status"] for row in rows]
        assert len({row["id"] for row in rows}) == len(rows) == job["totalContacts"]
        assert detail["statusBreakdown"] == {word: statuses.count(word) for word in set(statuses)}
        assert statuses.count("completed") == job["successfulCalls"]
        assert statuses.count("failed") == job["failedCalls"]
        assert all(re.fullmatch(r"\+1555\d{7}", row["phoneNumber"]) for row in rows)
        for word in set(statuses):
            assert contacts(caller, job, 40, contactStatus=word) == [r for r in rows if r["status"] == word]
        assert contacts(caller, job, min(len(rows), 500) or 1) == rows
        totals.add(len(rows))
    assert {0, 601} < totals


def test_a_job_has_a_page_in_studio(caller: Any) -> None:
    job = caller.data("talkifai", JOBS, organizationId=caller.organization_id)["batchJobs"][3]
    assert job["name"] == 'Büro "Süd", 更新'
    page = caller.get("talkifai", f"batch-calls/{job['id']}", {})
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "<h1>Büro &quot;Süd&quot;, 更新</h1>" in page.text
    assert job["id"] in page.text


@pytest.mark.parametrize("job_id", [UNKNOWN, "nonsense"])
def test_an_unknown_job_has_no_page_in_studio(caller: Any, job_id: str) -> None:
    page = caller.get("talkifai", f"batch-calls/{job_id}", {})
    assert (page.status_code, job_id in page.text) == (404, False)
