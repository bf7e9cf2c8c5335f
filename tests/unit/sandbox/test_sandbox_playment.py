"""Playment: every failure is HTTP 400 with a code; pages of 100 by token; jobs complete as time passes."""

from __future__ import annotations

import re
from typing import Any

import pytest

UNKNOWN = "11111111-2222-4333-8444-555555555555"


def walk(caller: Any, path: str) -> list[list[dict[str, Any]]]:
    pages, token = [], ""
    while True:
        data = caller.data("playment", path, page_token=token)["data"]
        pages.append(data["jobs"])
        if not (token := data.get("next_page_token")):
            return pages


@pytest.mark.parametrize(
    ("path", "headers", "code"),
    [
        ("{project}/details", {}, "auth-failure"),
        ("{project}/details", {"x-api-key": "wrong"}, "auth-failure"),
        ("{project}/details", {"Authorization": "Bearer {key}"}, "auth-failure"),
        (f"v1/projects/{UNKNOWN}/details", None, "unauthorized"),
        ("v1/projects/not-a-uuid/details", None, "GE_0001"),
        ("{project}/batch/not-a-uuid", None, "GE_0001"),
        (f"{{project}}/batch/{UNKNOWN}", None, "FS_0006"),
        ("{project}/jobs/not-a-uuid", None, "GE_0001"),
        (f"{{project}}/jobs/{UNKNOWN}", None, "FS_0006"),
        ("{batch}?page_token=soon", None, "invalid_request_error"),
        ("{batch}?page_token=1575822103313046000", None, "invalid_request_error"),
        ("{batch}?page_token=-1", None, "invalid_request_error"),
        ("{batch}?page_token=99999999999999999999999", None, "invalid_request_error"),
    ],
)
@pytest.mark.parametrize("version", ["v0", "v1"])
def test_every_failure_is_http_400_with_a_code(
    caller: Any, path: str, headers: dict[str, str] | None, code: str, version: str
) -> None:
    path = path.format(project=caller.project, batch=caller.batch)
    if headers:
        headers = {name: v.format(key=caller.headers["playment"]["x-api-key"]) for name, v in headers.items()}
    response = caller.get("playment", version + path[2:], headers)
    body = response.json()
    assert response.status_code == 400
    assert body == {"error": {"code": code, "message": body["error"]["message"]}, "success": False}


def test_project_details_have_the_documented_shape(caller: Any) -> None:
    body = caller.data("playment", f"{caller.project}/details")
    assert body["success"] is True
    assert list(body["data"]) == ["name", "base", "batches"]
    batches = body["data"]["batches"]
    assert list(batches[0]) == [
        *("id", "name", "description", "is_default", "total_jobs", "completed_jobs", "total_frames"),
        *("completed_frames", "annotations", "created_at", "status"),
    ]
    assert [batch["is_default"] for batch in batches] == [True, False, False, False, False, False]
    assert [batch["total_jobs"] for batch in batches] == [7, 250, 0, 100, 101, 3]
    assert len({batch["id"] for batch in batches}) == len({batch["name"] for batch in batches}) == 6
    created = [batch["created_at"] for batch in batches]
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{5,6}\+05:30", at) for at in created)
    assert {len(at) for at in created} == {len("2019-08-23T17:55:13.20322+05:30") + n for n in (0, 1)}
    assert created[0].startswith("2023-11-14T03:43:20.203229")  # a day before 2023-11-14T22:13:20Z


def test_batches_are_paged_by_a_hundred(caller: Any) -> None:
    batches = caller.data("playment", f"{caller.project}/details")["data"]["batches"]
    seen = []
    for batch, sizes in zip(batches, [[7], [100, 100, 50], [0], [100], [100, 1], [3]], strict=True):
        pages = walk(caller, f"{caller.project}/batch/{batch['id']}")
        assert [len(page) for page in pages] == sizes
        seen += [job["id"] for page in pages for job in page]
    assert len(seen) == len(set(seen)) == 461


def test_a_token_is_of_its_batch_and_of_no_other(caller: Any) -> None:
    first = caller.data("playment", caller.batch)["data"]["next_page_token"]
    second = caller.data("playment", caller.batch, page_token=first)["data"]["next_page_token"]
    page = int(second) - int(first)
    for token in (int(first) - page, int(first) + 2 * page, int(first) + 1):
        assert caller.get("playment", caller.batch, page_token=token).status_code == 400
    batches = caller.data("playment", f"{caller.project}/details")["data"]["batches"]
    other = f"{caller.project}/batch/{batches[4]['id']}"
    assert caller.get("playment", other, page_token=first).status_code == 400


def test_a_page_of_jobs_has_the_documented_shape(caller: Any) -> None:
    data = caller.data("playment", caller.batch)["data"]
    assert list(data) == ["id", "project_id", "name", "jobs", "next_page_token"]
    assert (data["id"], data["project_id"], data["name"]) == ("", "", "Batch 1")
    assert re.fullmatch(r"1[0-9]{15}000", data["next_page_token"])  # as the sample: nanoseconds since 1970
    assert list(data["jobs"][0]) == ["id", "reference_id", "status", "frames", "annotations"]
    assert data["jobs"][0]["reference_id"] == "001"
    assert "東京 5\nsecond line" in [job["reference_id"] for job in data["jobs"]]
    assert caller.data("playment", "v0" + caller.batch[2:])["data"] == data


def test_the_counters_of_a_batch_are_those_of_its_jobs_at_every_moment(start: Any, clock: Any) -> None:
    caller = start(clock, jobs=250, duration=100)
    completed, began = [], clock.now
    for elapsed in (0, 1, 37, 70, 99.9, 100, 1000):
        clock.now = began + elapsed
        batches = caller.data("playment", f"{caller.project}/details")["data"]["batches"]
        for batch in batches:
            jobs = [job for page in walk(caller, f"{caller.project}/batch/{batch['id']}") for job in page]
            done = [job for job in jobs if job["status"] == "completed"]
            assert batch["completed_jobs"] == batch["completed_frames"] == len(done)
            assert batch["annotations"] == sum(job["annotations"] for job in jobs)
            complete = batch["status"] == "Complete"
            assert not complete or len(done) == len(jobs)
            assert complete == (not batch["is_default"] and (elapsed >= 100 or batch["name"] in DONE_AT_START))
        completed.append(batches[1]["completed_jobs"])
    assert completed == sorted(completed)
    assert 0 < completed[0] < completed[2] < completed[-1] == 250


DONE_AT_START = ("empty", 'Straßenszenen "Nacht" 東京')


def test_a_job_result_is_empty_until_the_job_is_completed(start: Any, clock: Any) -> None:
    caller = start(clock, jobs=250, duration=100)
    jobs = {job["status"]: job for page in walk(caller, caller.batch) for job in page}
    for status, job in jobs.items():
        result = caller.data("playment", f"{caller.project}/jobs/{job['id']}")["data"]
        assert list(result) == [
            *("project_id", "reference_id", "job_id", "batch_id", "status", "work_flow_id"),
            *("priority_weight", "tag", "result"),
        ]
        assert (result["job_id"], result["batch_id"]) == (job["id"], caller.batch.rpartition("/")[2])
        assert (result["status"], result["reference_id"]) == (status, job["reference_id"])
        assert bool(result["result"]) == (status == "completed")
    clock.now += 100
    late = caller.data("playment", f"{caller.project}/jobs/{jobs['pending']['id']}")["data"]
    assert late["status"] == "completed"
    assert late["result"].startswith(f"{caller.sandbox.url}/v1/attachments?url=")
