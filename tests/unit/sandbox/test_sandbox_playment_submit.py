"""Playment takes writes: batches and jobs are created, and their results belong to them."""

from __future__ import annotations

from typing import Any

import pytest

PM = "playment"
IMAGE = {"image_url": "https://customer.invalid/a.jpg"}
UNKNOWN = "11111111-2222-4333-8444-555555555555"
VIDEO = {"frames": [{"frame_id": "1", "src": "https://x.invalid/1.jpg"}, {"frame_id": "2", "src": "s3://b/2.jpg"}]}


def batch(caller: Any, name: str = "mine") -> str:
    return str(
        caller.written(PM, f"{caller.project}/batch", json={"name": name, "description": "d"})["data"]["batch_id"]
    )


def job(caller: Any, batch_id: str | None, reference_id: str = "r1", **fields: Any) -> Any:
    body = {"reference_id": reference_id, "work_flow_id": "flow", "data": IMAGE, "batch_id": batch_id} | fields
    return caller.written(PM, f"{caller.project}/jobs", json=body)["data"]


def code_of(response: Any) -> str:
    assert response.status_code == 400
    assert response.json()["success"] is False
    return str(response.json()["error"]["code"])


def in_details(caller: Any, batch_id: str) -> Any:
    batches = caller.data(PM, f"{caller.project}/details")["data"]["batches"]
    return next((row for row in batches if row["id"] == batch_id), None)


def test_a_batch_is_in_the_details_before_the_seeded_ones(start: Any) -> None:
    caller = start()
    made = [batch(caller, name) for name in ("one", "two")]
    rows = caller.data(PM, f"{caller.project}/details")["data"]["batches"]
    assert [row["id"] for row in rows[:2]] == made[::-1]
    assert len(rows) == 2 + 6
    shown = {name: rows[0][name] for name in ("name", "description", "is_default", "total_jobs", "status")}
    assert list(shown.values()) == ["two", "d", False, 0, "In Progress"]
    assert rows[0]["created_at"].endswith("+05:30")


def test_a_batch_completes_with_its_jobs(start: Any, clock: Any) -> None:
    caller = start(clock, run_seconds=10)
    made = batch(caller)
    job(caller, made)
    clock.now += 5
    job(caller, made, "r2", data={"video_data": VIDEO})
    seen = []
    for _ in range(3):
        row = in_details(caller, made)
        counts = [row[name] for name in ("total_jobs", "completed_jobs", "total_frames", "completed_frames")]
        seen.append((row["status"], counts))
        clock.now += 5
    assert seen == [("In Progress", [2, 0, 3, 0]), ("In Progress", [2, 1, 3, 1]), ("Complete", [2, 2, 3, 3])]


def test_the_jobs_of_a_batch_come_in_pages_of_100(start: Any) -> None:
    caller = start()
    made = batch(caller)
    for number in range(101):
        job(caller, made, f"r{number}")
    path = f"{caller.project}/batch/{made}"
    first = caller.data(PM, path)["data"]
    second = caller.data(PM, path, page_token=first["next_page_token"])["data"]
    references = [row["reference_id"] for page in (first, second) for row in page["jobs"]]
    assert references == [f"r{number}" for number in range(101)]
    assert first["name"] == "mine"
    assert "next_page_token" not in second


@pytest.mark.parametrize("index", [0, 4])
def test_a_job_can_be_added_to_a_seeded_batch(start: Any, index: int) -> None:
    caller = start(jobs=200)
    seeded = caller.data(PM, f"{caller.project}/details")["data"]["batches"][index]
    made = job(caller, seeded["id"] if index else None)
    assert in_details(caller, seeded["id"])["total_jobs"] == seeded["total_jobs"] + 1
    path, token, jobs = f"{caller.project}/batch/{seeded['id']}", "", []
    while token is not None:
        page = caller.data(PM, path, page_token=token)["data"]
        jobs += [row["id"] for row in page["jobs"]]
        token = page.get("next_page_token")
    assert len(jobs) == seeded["total_jobs"] + 1
    assert jobs[-1] == made["job_id"]
    result = caller.data(PM, f"{caller.project}/jobs/{made['job_id']}")["data"]
    assert result["batch_id"] == seeded["id"]


@pytest.mark.parametrize(
    ("data", "shown"),
    [(IMAGE, ("image_url", IMAGE["image_url"])), ({"video_data": VIDEO}, ("video_data", VIDEO))],
)
def test_the_result_of_a_job_shows_whose_it_is(start: Any, clock: Any, data: Any, shown: Any) -> None:
    caller = start(clock, run_seconds=10)
    made = job(caller, batch(caller), "köln 1", data=data)
    path = f"{caller.project}/jobs/{made['job_id']}"
    body = caller.data(PM, path)["data"]
    assert (body["status"], body["result"], body["reference_id"]) == ("pending", "", "köln 1")
    clock.now += 10
    body = caller.data(PM, path)["data"]
    assert (body["status"], body["work_flow_id"], body["tag"]) == ("completed", "flow", "flow")
    hop = caller.session.get(body["result"], headers=caller.headers[PM], allow_redirects=False)
    result = caller.session.get(hop.headers["Location"]).json()["data"]
    assert (result["reference_id"], result[shown[0]]) == ("köln 1", shown[1])
    found = result["annotations"]["rectangles"] if data is IMAGE else result["annotation_data"]["annotations"]
    (listed,) = caller.data(PM, f"{caller.project}/batch/{body['batch_id']}")["data"]["jobs"]
    assert listed["annotations"] == len(found) == 2


def test_a_job_whose_reference_id_says_so_fails_without_a_result(start: Any) -> None:
    caller = start(run_seconds=0)
    made = job(caller, batch(caller), "fail-1")
    body = caller.data(PM, f"{caller.project}/jobs/{made['job_id']}")["data"]
    assert (body["status"], body["result"]) == ("failed", "")
    row = in_details(caller, body["batch_id"])
    assert (row["status"], row["total_jobs"], row["completed_jobs"]) == ("Complete", 1, 0)


def test_a_name_of_a_batch_is_taken_once(start: Any) -> None:
    caller = start()
    batch(caller)
    for name in ("mine", "Batch 1"):
        response = caller.send("POST", PM, f"{caller.project}/batch", json={"name": name})
        assert code_of(response) == "BATCH_CREATION"
    assert caller.sandbox.journal.playment.batches.by_name == {"mine": 1}


def test_a_reference_id_is_taken_once_in_the_project(start: Any) -> None:
    caller = start()
    job(caller, batch(caller))
    body = {"reference_id": "r1", "work_flow_id": "flow", "data": IMAGE, "batch_id": batch(caller, "other")}
    assert code_of(caller.send("POST", PM, f"{caller.project}/jobs", json=body)) == "FS_0001"
    assert caller.sandbox.journal.playment.jobs.by_name == {"r1": 1}


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"reference_id": None}, "FS_0002"),
        ({"reference_id": 5}, "FS_0002"),
        ({"data": None}, "FS_0004"),
        ({"work_flow_id": None}, "FS_0005"),
        ({"data": "x"}, "FS_0003"),
        ({"data": {"other": 1}}, "FS_0003"),
        ({"data": {"image_url": "a.jpg"}}, "FS_0003"),
        ({"data": {"video_data": {"frames": []}}}, "FS_0003"),
        ({"data": {"video_data": {"frames": [VIDEO["frames"][0]] * 2}}}, "FS_0003"),
        ({"data": {"sensor_data": {"frames": [{}]}}}, "FS_0003"),
        ({"priority_weight": 11}, "FS_00012"),
        ({"batch_id": "x"}, "GE_0001"),
        ({"batch_id": UNKNOWN}, "FS_0006"),
    ],
)
def test_a_job_with_a_wrong_field_is_refused_with_its_code(start: Any, change: dict[str, Any], code: str) -> None:
    caller = start()
    body = {"reference_id": "r1", "work_flow_id": "flow", "data": IMAGE}
    assert code_of(caller.send("POST", PM, f"{caller.project}/jobs", json=body | change)) == code
    assert caller.sandbox.journal.playment.jobs.total == 0


@pytest.mark.parametrize(
    ("sent", "code"),
    [({"data": b"{"}, "GE_0001"), ({"json": {}}, "GE_0002"), ({"json": {"name": 5}}, "GE_0001")],
)
def test_a_batch_with_a_wrong_body_is_refused_with_its_code(start: Any, sent: dict[str, Any], code: str) -> None:
    caller = start()
    assert code_of(caller.send("POST", PM, f"{caller.project}/batch", **sent)) == code


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("v1/project/{}/batch", {"name": "n", "label": "l", "description": "d", "id": None}),
        ("v0/projects/{}/jobs", {"reference_id": "r", "tag": "flow", "data": IMAGE}),
        ("projectsvc/projects/{}/jobs", {"reference_id": "r", "tag": "flow", "data": IMAGE, "priority_weight": 5}),
    ],
)
def test_the_paths_of_the_sdk_are_served(start: Any, path: str, body: dict[str, Any]) -> None:
    caller = start()
    data = caller.written(PM, path.format(caller.sandbox.how_to[PM]["project_id"]), json=body)["data"]
    assert data.get("tag") == body.get("tag")
    wrong = caller.send("POST", PM, path.format(UNKNOWN), json=body)
    assert code_of(wrong) == "unauthorized"


def test_what_is_new_is_listed_late_but_read_at_once(start: Any, clock: Any) -> None:
    caller = start(clock, late_listing=30)
    made = batch(caller)
    job_id = job(caller, made)["job_id"]
    for count in (0, 1):
        assert (in_details(caller, made) is not None) == bool(count)
        assert len(caller.data(PM, f"{caller.project}/batch/{made}")["data"]["jobs"]) == count
        assert caller.data(PM, f"{caller.project}/jobs/{job_id}")["data"]["job_id"] == job_id
        clock.now += 30
