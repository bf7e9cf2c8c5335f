"""The vendors that count behave as their documents say, and their counts and faults are right."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

import pytest
import requests

from dev.chaos.counting.client import Counting, Opened, counting_vendors
from dev.chaos.counting.faults import Fault, How, When
from dev.chaos.counting.talkifai import ORGANIZATION, PHONE

HOUR = 3600
DAY = 24 * HOUR
DIRECTORIES = "/api/v1/beta/directories"
BATCHES = "/api/v2/batches"
JOBS = "/api/v1/beta/batch-processing"
SHA256 = sha256(b"content").hexdigest()
CONFIG = {"job": {"type": "parse_v2", "configuration_id": "cfg-1"}}
V1_CONFIG = {"job_name": "parse_raw_file_job", "parameters": {"type": "parse"}}


@pytest.fixture(scope="module")
def counting() -> Iterator[Counting]:
    with counting_vendors() as running:
        yield running


class User:
    """Sends requests to an account."""

    def __init__(self, account: Opened) -> None:
        self.account = account
        name = "x-api-key" if account.vendor == "playment" else "Authorization"
        self.headers = {name: account.key if account.vendor == "playment" else f"Bearer {account.key}"}

    def send(self, method: str, path: str, **how: Any) -> requests.Response:
        return requests.request(method, f"{self.account.url}{path}", headers=self.headers, timeout=10, **how)

    def get(self, path: str, **query: Any) -> Any:
        answer = self.send("GET", path, params=query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def post(self, path: str, body: Any = None, status: int = 200) -> Any:
        answer = self.send("POST", path, json=body)
        assert answer.status_code == status, answer.text
        return answer.json()

    def directory(self, name: str = "a", status: int = 201) -> Any:
        return self.post(DIRECTORIES, {"name": name, "type": "ephemeral"}, status)

    def upload(self, directory: str, unique_id: str = "0", status: int = 201) -> Any:
        form = {"unique_id": unique_id, "metadata": json.dumps({"sha256": SHA256})}
        path = f"{DIRECTORIES}/{directory}/files/upload"
        answer = self.send("POST", path, data=form, files={"upload_file": ("a.pdf", b"content")})
        assert answer.status_code == status, answer.text
        return answer.json()

    def batch(self, directory: str, status: int = 201) -> Any:
        return self.post(BATCHES, {"source_directory_id": directory, "config": CONFIG}, status)

    def call(self, *phones: str, name: str = "job", **more: Any) -> Any:
        contacts = [{"phone": phone, "af_row": str(row)} for row, phone in enumerate(phones)]
        return self.post("/batch/create", {"name": name, "fromPhoneNumberId": PHONE, "contacts": contacts, **more})


def at(seconds: float) -> str:
    """A time without an offset, as TalkifAI's sample has it."""
    return datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None).isoformat()


@pytest.fixture
def user(counting: Counting) -> Any:
    return lambda vendor, **knobs: User(counting.open(vendor, **knobs))


def test_a_lost_answer_is_of_a_request_that_took_effect(user: Any) -> None:
    one = user("llamacloud", faults=[Fault(on="POST *", nth=[2])])
    one.directory("a")
    with pytest.raises(requests.ConnectionError):
        one.directory("b")
    one.directory("c")
    assert one.account.counts()["directories"] == ["a", "b", "c"]
    assert one.account.counts()["struck"] == [1]


def test_a_refusal_has_no_effect_and_the_vendors_form(user: Any) -> None:
    wait = Fault(on="POST *", effect=When.NEVER, how=How.STATUS, status=429, headers={"Retry-After": "7"}, most=1)
    one = user("talkifai", faults=[wait])
    refused = one.send("POST", "/batch/create", json={})
    assert (refused.status_code, refused.headers["Retry-After"], [*refused.json()]) == (429, "7", ["detail"])
    assert one.account.counts()["created"] == []
    assert one.call("+15550000001")["totalContacts"] == 1


def test_a_request_can_take_effect_later_than_its_answer(user: Any) -> None:
    one = user(
        "playment", faults=[Fault(on="POST *", effect=When.LATER, how=How.STATUS, status=504, seconds=60, most=1)]
    )
    assert one.send("POST", "/v1/projects/p/batch", json={"name": "a"}).status_code == 504
    assert one.account.counts()["created"] == []
    one.account.advance(60)
    assert len(one.account.counts()["created"]) == 1
    assert one.post("/v1/projects/p/batch", {"name": "a"}, 400)["error"]["code"] == "BATCH_CREATION"


def test_an_answer_can_hang_or_be_cut(user: Any) -> None:
    one = user(
        "llamacloud", faults=[Fault(on="POST *", how=How.HANG, nth=[1]), Fault(on="POST *", how=How.CUT, nth=[1])]
    )
    with pytest.raises(requests.ReadTimeout):
        requests.post(f"{one.account.url}{DIRECTORIES}", headers=one.headers, json={"name": "a"}, timeout=0.1)
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        one.directory("b")
    assert one.account.counts()["directories"] == ["a", "b"]


def test_what_happens_by_chance_is_repeated_by_its_seed(user: Any) -> None:
    found = []
    for _ in range(2):
        one = user("playment", seed=5, faults=[Fault(on="POST *", effect=When.NEVER, how=How.STATUS, share=0.5)])
        names = [one.send("POST", "/v1/projects/p/batch", json={"name": f"{n}"}).status_code for n in range(20)]
        found.append(names)
    assert found[0] == found[1]
    assert set(found[0]) == {200, 502}


def test_a_request_that_does_not_come_whole_has_no_effect(user: Any) -> None:
    import socket

    one = user("llamacloud")
    host, port = one.account.url.removeprefix("http://").split(":")
    head = f"POST {DIRECTORIES} HTTP/1.1\r\nAuthorization: Bearer {one.account.key}\r\nContent-Length: 100\r\n\r\n{{"
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(head.encode())
        connection.shutdown(socket.SHUT_WR)
        assert connection.recv(100) == b""
    assert one.account.counts()["requests"] == {}


def test_a_body_may_come_in_chunks(user: Any) -> None:
    one = user("llamacloud")
    assert one.send("POST", DIRECTORIES, data=iter([b'{"na', b'me":"a"}'])).status_code == 201


def test_a_new_object_shows_late_in_listings_only(user: Any) -> None:
    one = user("llamacloud", lag=30, start_after=HOUR)
    directory = one.directory()["id"]
    file = one.upload(directory)["id"]
    batch = one.batch(directory)["id"]
    lists = [(DIRECTORIES, {"name": "a"}), (f"{DIRECTORIES}/{directory}/files", {"unique_id": "0"})]
    lists.append((BATCHES, {"source_directory_id": directory}))
    assert [one.get(path, **query)["items"] for path, query in lists] == [[], [], []]
    assert one.get(f"{DIRECTORIES}/{directory}/files/{file}")["unique_id"] == "0"
    assert one.get(f"{BATCHES}/{batch}")["status"] == "PENDING"
    one.account.advance(30)
    assert [[row["id"] for row in one.get(path, **query)["items"]] for path, query in lists] == [
        [directory],
        [file],
        [batch],
    ]


def test_requests_move_the_clock_if_they_should(user: Any) -> None:
    one = user("talkifai", lag=5, seconds_per_request=2, real_time=False)
    one.call("+15550000001")
    seen = [one.get("/batch/jobs", organizationId=ORGANIZATION)["total"] for _ in range(4)]
    assert seen == [0, 0, 1, 1]


@pytest.mark.parametrize(("mode", "status"), [("409", 409), ("400", 400), ("422", 422), ("allowed", 201)])
def test_a_directory_may_have_the_name_of_another(user: Any, mode: str, status: int) -> None:
    one = user("llamacloud", equal_names=mode)
    one.directory()
    one.directory(status=status)


def test_a_deleted_directory_keeps_its_name(user: Any) -> None:
    one = user("llamacloud")
    directory = one.directory()["id"]
    assert one.send("DELETE", f"{DIRECTORIES}/{directory}").status_code == 204
    one.directory(status=409)
    assert one.get(DIRECTORIES, name="a")["items"] == []
    assert len(one.get(DIRECTORIES, name="a", include_deleted="true")["items"]) == 1


def test_an_ephemeral_directory_expires(user: Any) -> None:
    one = user("llamacloud")
    directory = one.directory()["id"]
    one.account.advance(2 * DAY)
    assert one.send("GET", f"{DIRECTORIES}/{directory}").status_code == 404


@pytest.mark.parametrize(("mode", "status", "processed"), [("second", 201, 2), ("replaced", 201, 1), ("409", 409, 1)])
def test_a_file_may_have_the_unique_id_of_another(user: Any, mode: str, status: int, processed: int) -> None:
    one = user("llamacloud", equal_ids=mode)
    directory = one.directory()["id"]
    one.upload(directory)
    one.upload(directory, status=status)
    assert len(one.get(f"{DIRECTORIES}/{directory}/files")["items"]) == processed
    batch = one.batch(directory)["id"]
    assert one.account.counts()["files"] == {SHA256: {batch: processed}}


def test_each_batch_processes_its_files(user: Any) -> None:
    one = user("llamacloud", run_seconds=60)
    directory = one.directory()["id"]
    one.upload(directory)
    batches = [one.batch(directory)["id"] for _ in range(2)]
    assert one.get(f"{BATCHES}/{batches[0]}")["status"] == "RUNNING"
    one.account.advance(60)
    found = one.get(f"{BATCHES}/{batches[0]}", expand="results")
    assert (found["status"], len(found["results"])) == ("COMPLETED", 1)
    counts = one.account.counts()
    assert (counts["ran"], counts["files"]) == (batches, {SHA256: dict.fromkeys(batches, 1)})
    assert counts["surprises"] == []


def test_a_batch_that_is_cancelled_in_time_does_not_run(user: Any) -> None:
    one = user("llamacloud", start_after=60)
    batch = one.batch(one.directory()["id"])["id"]
    one.send("POST", f"{BATCHES}/{batch}/cancel")
    one.account.advance(60)
    counts = one.account.counts()
    assert (counts["created"], counts["ran"], counts["cancelled_before_run"]) == ([batch], [], [batch])
    assert one.send("POST", f"{BATCHES}/{batch}/cancel").status_code == 409


def test_a_second_batch_of_v1_skips_what_was_processed(user: Any) -> None:
    one = user("llamacloud")
    directory = one.directory()["id"]
    one.upload(directory)
    jobs = [one.post(JOBS, {"directory_id": directory, "job_config": V1_CONFIG}, 201)["id"] for _ in range(2)]
    assert [one.get(f"{JOBS}/{job}")["job"]["skipped_items"] for job in jobs] == [0, 1]
    assert one.account.counts()["files"] == {SHA256: {jobs[0]: 1}}
    assert len(one.get(JOBS, directory_id=directory)["items"]) == 2


def test_an_upload_into_a_directory_that_has_a_batch_is_a_surprise(user: Any) -> None:
    one = user("llamacloud")
    directory = one.directory()["id"]
    one.batch(directory)
    one.upload(directory)
    assert one.account.counts()["surprises"] == ["A file is uploaded into a directory that has a batch"]


def test_what_belongs_to_another_project_is_not_found(user: Any) -> None:
    one = user("llamacloud")
    batch = one.batch(one.directory()["id"])["id"]
    assert one.send("GET", f"{BATCHES}/{batch}", params={"project_id": "other"}).status_code == 404
    assert one.get(DIRECTORIES, name="a", project_id="other")["items"] == []


def test_what_the_documents_do_not_have_is_a_surprise(user: Any) -> None:
    one = user("llamacloud")
    one.post(f"{DIRECTORIES}?colour=red", {"name": "a", "expires_at": "2027-01-01T00:00:00Z"}, 201)
    assert len(one.account.counts()["surprises"]) == 2


def test_pages_lead_to_every_row(user: Any) -> None:
    one = user("llamacloud", page=2)
    names = [one.directory(name)["name"] for name in "abcde"]
    found: list[str] = []
    token = None
    while token is not None or not found:
        page = one.get(DIRECTORIES, **({"page_token": token} if token else {}))
        found += [row["name"] for row in page["items"]]
        token = page.get("next_page_token")
    assert found == names[::-1]


def job(reference: str, batch: str) -> dict[str, Any]:
    return {"reference_id": reference, "work_flow_id": "w", "batch_id": batch, "data": {"image_url": "https://a"}}


def test_a_project_has_a_batch_name_and_a_reference_id_once(user: Any) -> None:
    one = user("playment", page=2, lag=1)
    batch = one.post("/v1/projects/p/batch", {"name": "a", "description": ""})["data"]["batch_id"]
    assert one.get("/v1/projects/p/details")["data"]["batches"] == []
    for reference in "abc":
        one.post("/v1/projects/p/jobs", job(reference, batch))
    assert one.post("/v1/projects/p/jobs", job("a", batch), 400)["error"]["code"] == "FS_0001"
    assert one.get(f"/v1/projects/p/batch/{batch}")["data"]["jobs"] == []
    one.account.advance(1)
    first = one.get(f"/v1/projects/p/batch/{batch}")["data"]
    second = one.get(f"/v1/projects/p/batch/{batch}", page_token=first["next_page_token"])["data"]
    assert [row["reference_id"] for row in first["jobs"] + second["jobs"]] == ["c", "b", "a"]
    counts = one.account.counts()
    assert (counts["ran"], counts["jobs"]) == ([batch], {"a": 1, "b": 1, "c": 1})
    (listed,) = one.get("/v1/projects/p/details")["data"]["batches"]
    assert (listed["name"], listed["status"], listed["total_jobs"]) == ("a", "Complete", 3)


@pytest.mark.parametrize(("lacks", "code"), [("reference_id", "FS_0002"), ("data", "FS_0004"), ("batch_id", "GE_0001")])
def test_a_job_that_is_not_as_documented_is_refused(user: Any, lacks: str, code: str) -> None:
    one = user("playment")
    assert one.post("/v1/projects/p/jobs", {**job("a", "b"), lacks: "" if lacks != "batch_id" else "x"}, 400)[
        "error"
    ] == {"code": code, "message": "Invalid batch id" if lacks == "batch_id" else f"{lacks} is missing"}
    assert one.account.counts()["jobs"] == {}


def test_a_scheduled_job_calls_at_its_time(user: Any) -> None:
    one = user("talkifai", seconds_per_call=10)
    start = one.account.counts()["now"] + DAY
    made = one.call("+15550000001", "+15550000002", "no number", scheduledStartTime=at(start), timezone="UTC")
    assert (made["status"], made["totalContacts"]) == ("scheduled", 2)
    one.account.advance(DAY - HOUR)
    assert one.account.counts()["calls"] == {}
    one.account.advance(HOUR)
    assert one.account.counts()["calls"] == {"+15550000001": 1}
    one.account.advance(20)
    counts = one.account.counts()
    assert (counts["calls"], counts["ran"]) == ({"+15550000001": 1, "+15550000002": 1}, [made["batchJobId"]])
    found = one.get(f"/batch/jobs/{made['batchJobId']}", contactsPageSize=1)
    assert (found["status"], found["contactsTotal"], found["contactsHasMore"]) == ("completed", 2, True)


def test_a_job_is_started_once(user: Any) -> None:
    one = user("talkifai", run_seconds=60)
    made = one.call("+15550000001", scheduledStartTime=at(one.account.counts()["now"] + DAY))
    start = f"/batch/jobs/{made['batchJobId']}/start"
    assert one.post(start)["status"] == "running"
    assert "already running" in one.post(start, status=400)["detail"]
    one.account.advance(2 * DAY)
    assert "completed" in one.post(start, status=400)["detail"]
    assert one.account.counts()["calls"] == {"+15550000001": 1}


def test_a_job_without_a_time_calls_at_once_and_a_number_twice_if_it_is_there_twice(user: Any) -> None:
    one = user("talkifai")
    assert one.call("+15550000001", "+15550000001")["status"] == "pending"
    assert one.account.counts()["calls"] == {"+15550000001": 2}


def test_a_job_that_is_cancelled_in_time_calls_nobody(user: Any) -> None:
    one = user("talkifai")
    made = one.call("+15550000001", scheduledStartTime=at(one.account.counts()["now"] + DAY))
    assert one.post(f"/batch/jobs/{made['batchJobId']}/cancel")["contactsCancelled"] == 1
    one.account.advance(2 * DAY)
    counts = one.account.counts()
    assert (counts["calls"], counts["cancelled_before_run"]) == ({}, [made["batchJobId"]])


def test_a_job_can_be_rescheduled(user: Any) -> None:
    one = user("talkifai")
    now = one.account.counts()["now"]
    made = one.call("+15550000001", scheduledStartTime=at(now + DAY))
    path = f"/batch/jobs/{made['batchJobId']}/reschedule"
    moved = one.send("PATCH", path, params={"scheduledStartTime": at(now + HOUR), "timezone": "UTC"})
    assert moved.json()["status"] == "scheduled"
    one.account.advance(2 * HOUR)
    assert one.account.counts()["calls"] == {"+15550000001": 1}


def test_accounts_know_nothing_of_each_other(user: Any) -> None:
    one, other = user("talkifai"), user("talkifai")
    one.call("+15550000001")
    assert other.get("/batch/jobs", organizationId=ORGANIZATION)["total"] == 0
    assert requests.get(f"{one.account.url}/batch/jobs", timeout=10).status_code == 401


def test_requests_at_once_are_counted_one_by_one(user: Any) -> None:
    one = user("playment")
    batch = one.post("/v1/projects/p/batch", {"name": "a"})["data"]["batch_id"]
    threads = [
        threading.Thread(target=one.send, args=("POST", "/v1/projects/p/jobs"), kwargs={"json": job("a", batch)})
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    counts = one.account.counts()
    assert (counts["jobs"], counts["requests"]["POST /v1/projects/{}/jobs"]) == ({"a": 1}, 8)


def test_the_log_tells_what_came_in_which_order(user: Any) -> None:
    one = user("llamacloud", faults=[Fault(on="POST *", how=How.STATUS)])
    one.account.mark("try 1")
    one.directory(status=502)
    mark, request = one.account.log()
    assert mark == {"mark": "try 1"}
    assert (request["request"], request["status"]) == (f"POST {DIRECTORIES}", 502)
    assert request["fault"] == "status, takes effect before"


def test_the_official_sdk_of_llamacloud_gets_along(user: Any) -> None:
    from llama_cloud import LlamaCloud

    account = user("llamacloud").account
    with LlamaCloud(api_key=account.key, base_url=account.url, max_retries=0) as sdk:
        directory = sdk.beta.directories.create(name="a")
        sdk.beta.directories.files.upload(directory.id, upload_file=("a.pdf", b"content"), unique_id="0")
        (file,) = sdk.beta.directories.files.list(directory.id)
        batch = sdk.batches.create(source_directory_id=directory.id, config=CONFIG)  # type: ignore[arg-type]
        assert (file.unique_id, sdk.batches.get(batch.id, expand=["results"]).status) == ("0", "COMPLETED")
        assert [one.id for one in sdk.batches.list(source_directory_id=directory.id)] == [batch.id]
    assert account.counts()["files"] == {SHA256: {batch.id: 1}}
    assert account.counts()["surprises"] == []
