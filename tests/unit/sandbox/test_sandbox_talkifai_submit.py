"""TalkifAI takes writes: jobs are created, started, rescheduled and cancelled, and their calls begin and end."""

from __future__ import annotations

import json
from typing import Any

import pytest

TK = "talkifai"
JOBS = "batch/jobs"
AT_0900 = "2023-11-15T09:00:00"
LONG_NAME = "x" * 201


def contacts(*phones: str) -> list[dict[str, Any]]:
    return [{"phone": phone, "name": f"N{n}", "af_row": n} for n, phone in enumerate(phones)]


def create(caller: Any, *phones: str, **fields: Any) -> Any:
    body = {"name": "Campaign", "fromPhoneNumberId": "phone_1", "contacts": contacts(*phones or ("+4930123451",))}
    return caller.written(TK, "batch/create", json=body | fields)


def detail(caller: Any, job: Any, **parameters: Any) -> Any:
    return caller.data(TK, f"{JOBS}/{job['batchJobId']}", **parameters)


def statuses(caller: Any, job: Any) -> list[str]:
    return [contact["status"] for contact in detail(caller, job)["contacts"]]


def test_a_job_without_a_time_begins_by_itself_and_calls_one_after_the_other(start: Any, clock: Any) -> None:
    caller = start(clock, run_seconds=10)
    job = create(caller, "+4930123451", "+4930123452")
    assert (job["success"], job["status"], job["totalContacts"], job["scheduledStartTime"]) == (
        True,
        "pending",
        2,
        None,
    )
    seen = []
    for _ in range(4):
        shown = detail(caller, job)
        seen.append((shown["status"], shown["contactsProcessed"], *(c["status"] for c in shown["contacts"])))
        clock.now += 4
    assert seen == [
        ("pending", 0, "pending", "pending"),
        ("running", 0, "dialing", "pending"),
        ("running", 1, "completed", "dialing"),
        ("completed", 2, "completed", "completed"),
    ]


def test_a_scheduled_job_begins_at_its_time_in_its_zone(start: Any, clock: Any) -> None:
    caller = start(clock, run_seconds=10)
    job = create(caller, scheduledStartTime=AT_0900, timezone="Europe/Berlin")
    assert (job["status"], job["scheduledStartTime"]) == ("scheduled", "2023-11-15T08:00:00Z")
    assert detail(caller, job)["status"] == "scheduled"
    assert caller.sandbox.journal.talkifai.calls.total == 0
    clock.now = 1_700_035_200 + 1  # 08:00:01 in UTC
    assert detail(caller, job)["status"] == "running"
    assert detail(caller, job)["actualStartTime"] == "2023-11-15T08:00:00Z"


def test_a_job_is_started_before_its_time_and_once(start: Any, clock: Any) -> None:
    caller = start(clock)
    job = create(caller, scheduledStartTime=AT_0900)
    path = f"{JOBS}/{job['batchJobId']}/start"
    begun = caller.written(TK, path)
    assert (begun["status"], begun["contactsEnqueued"], begun["redisJobCancelled"]) == ("running", 1, True)
    assert detail(caller, job)["status"] == "running"
    for _ in range(2):
        response = caller.send("POST", TK, path)
        assert (response.status_code, "detail" in response.json()) == (400, True)
        clock.now += 60
    assert caller.sandbox.journal.talkifai.starts.by_name == {"Campaign": 1}


def test_a_job_is_rescheduled_while_it_waits(start: Any, clock: Any) -> None:
    caller = start(clock)
    job = create(caller, scheduledStartTime=AT_0900)
    path, later = f"{JOBS}/{job['batchJobId']}/reschedule", {"scheduledStartTime": "2023-11-16T09:00:00Z"}
    moved = caller.written(TK, path, "PATCH", params=later)
    assert (moved["scheduledStartTime"], moved["status"]) == ("2023-11-16T09:00:00Z", "scheduled")
    clock.now += 24 * 3600
    assert detail(caller, job)["status"] == "scheduled"
    clock.now += 48 * 3600
    assert detail(caller, job)["status"] == "completed"
    assert caller.send("PATCH", TK, path, params=later).status_code == 400


def test_contacts_keep_what_was_submitted_with_them(start: Any) -> None:
    caller = start()
    job = create(caller, "+4930123451", "+4930123452")
    shown = detail(caller, job, contactsPageSize=1)
    assert (shown["contactsTotal"], shown["contactsHasMore"]) == (2, True)
    assert shown["contacts"][0]["contactData"] == {"phone": "+4930123451", "name": "N0", "af_row": 0}
    assert shown["agentId"] == "agent_1"
    assert detail(caller, job, contactStatus="completed")["contacts"] == []


def test_numbers_that_are_not_in_e164_are_not_counted(start: Any) -> None:
    caller = start()
    job = create(caller, "+4930123451", "030123", "0049", "+0123456789", "")
    assert job["totalContacts"] == detail(caller, job)["totalContacts"] == 1


@pytest.mark.parametrize(
    ("phone", "status", "attempts", "reason"),
    [
        ("+4930123451", "completed", 1, False),
        ("+4930123457", "no_answer", 3, True),
        ("+4930123413", "invalid_number", 1, True),
    ],
)
def test_the_last_digits_decide_what_becomes_of_a_call(
    start: Any, phone: str, status: str, attempts: int, reason: bool
) -> None:
    caller = start(run_seconds=0)
    shown = detail(caller, create(caller, phone))
    (contact,) = shown["contacts"]
    assert (contact["status"], contact["attemptCount"], bool(contact["failureReason"])) == (status, attempts, reason)
    assert contact["nextRetryAt"] is None
    assert (shown["status"], shown["contactsProcessed"], shown["failedCalls"]) == ("completed", 1, int(reason))
    assert caller.sandbox.journal.talkifai.calls.by_name == {"Campaign": attempts}


def test_a_number_that_does_not_answer_is_called_again(start: Any, clock: Any) -> None:
    caller = start(clock, run_seconds=12)
    job = create(caller, "+4930123457")
    caller.written(TK, f"{JOBS}/{job['batchJobId']}/start")
    seen = []
    for _ in range(7):
        (contact,) = detail(caller, job)["contacts"]
        seen.append((contact["status"], contact["attemptCount"], contact["nextRetryAt"] is not None))
        clock.now += 2
    assert seen == [
        *(("dialing", 1, False), ("no_answer", 1, True), ("dialing", 2, False), ("no_answer", 2, True)),
        *(("dialing", 3, False), ("dialing", 3, False), ("no_answer", 3, False)),
    ]


def test_a_call_has_a_room_with_a_conversation_and_a_recording(start: Any) -> None:
    caller = start(run_seconds=0)
    job = create(caller, "+4930123451", "+4930123452")
    for contact in detail(caller, job)["contacts"]:
        assert contact["phoneNumber"] in contact["roomName"]
        told = caller.written(TK, "api/export/conversation/json", json={"conversationId": contact["roomName"]})
        conversation = told["conversation"]
        text = json.dumps(conversation["transcript"])
        assert contact["phoneNumber"] in text
        assert contact["contactData"]["name"] in text
        assert conversation["duration"] == contact["callDuration"]
        recording = caller.session.get(conversation["recordingUrl"]).content
        assert contact["phoneNumber"].encode() in recording


def test_a_call_that_was_not_answered_has_no_conversation(start: Any) -> None:
    caller = start(run_seconds=0)
    (contact,) = detail(caller, create(caller, "+4930123457"))["contacts"]
    response = caller.send("POST", TK, "export/conversation", json={"conversationId": contact["roomName"]})
    assert response.status_code == 404


@pytest.mark.parametrize(
    ("after", "left", "ended", "calls"),
    [
        (0, 3, ["cancelled"] * 3, 0),
        (5, 1, ["completed", "completed", "cancelled"], 2),
    ],
)
def test_a_cancelled_job_calls_nobody_else(
    start: Any, clock: Any, after: int, left: int, ended: list[str], calls: int
) -> None:
    caller = start(clock, run_seconds=9)
    job = create(caller, "+4930123451", "+4930123452", "+4930123453")
    clock.now += after
    answer = caller.written(TK, f"{JOBS}/{job['batchJobId']}/cancel")
    assert answer["contactsCancelled"] == left
    assert detail(caller, job)["status"] == "cancelled"
    clock.now += 100
    assert statuses(caller, job) == ended
    assert caller.sandbox.journal.talkifai.calls.total == calls
    response = caller.send("POST", TK, f"{JOBS}/{job['batchJobId']}/cancel")
    assert (response.status_code, "cannot be cancelled" in response.json()["detail"]) == (400, True)


def test_a_completed_job_cannot_be_cancelled(start: Any) -> None:
    caller = start(run_seconds=0)
    path = f"{JOBS}/{create(caller)['batchJobId']}/cancel"
    assert caller.send("POST", TK, path).status_code == 400
    assert caller.sandbox.journal.talkifai.cancels.total == 0


def test_the_scheduler_knows_jobs_that_wait_for_their_time(start: Any, clock: Any) -> None:
    caller = start(clock)
    job = create(caller, scheduledStartTime=AT_0900)
    path = f"{JOBS}/{job['batchJobId']}/redis-status"
    known = caller.data(TK, path)
    assert (known["databaseStatus"], known["redisJobInfo"]["job_metadata_exists"]) == ("scheduled", True)
    caller.written(TK, f"{JOBS}/{job['batchJobId']}/cancel")
    assert caller.data(TK, path)["redisJobInfo"]["job_metadata_exists"] is False


def test_submitted_jobs_are_listed_before_the_seeded_ones(start: Any, clock: Any) -> None:
    caller = start(clock, jobs=5, late_listing=30)
    query = {"organizationId": caller.organization_id}
    seeded = caller.data(TK, JOBS, **query)["batchJobs"]
    made = [create(caller)["batchJobId"] for _ in range(3)]
    assert caller.data(TK, JOBS, **query)["total"] == 5
    clock.now += 30
    listed = [
        job["id"] for page in (1, 2, 3) for job in caller.data(TK, JOBS, **query, page=page, pageSize=3)["batchJobs"]
    ]
    assert listed == made[::-1] + [job["id"] for job in seeded]
    body = caller.data(TK, JOBS, **query, status="completed")
    assert {job["id"] for job in body["batchJobs"]} >= set(made)


def test_contacts_come_as_csv(start: Any) -> None:
    caller = start()
    table = '\ufeffName,PHONE,plan\n"Süd, A",+4930123451,gold\nB,030,\n'.encode()
    job = caller.written(
        *(TK, "batch/create"),
        data={"name": "Campaign", "fromPhoneNumberId": "phone_0", "maxAttempts": "2"},
        files={"file": ("contacts.csv", table)},
    )
    shown = detail(caller, job)
    assert (shown["totalContacts"], shown["retryPolicy"]["maxAttempts"]) == (1, 2)
    assert shown["contacts"][0]["contactData"] == {"Name": "Süd, A", "PHONE": "+4930123451", "plan": "gold"}


@pytest.mark.parametrize(
    ("change", "status", "said"),
    [
        ({"name": None}, 400, "name"),
        ({"name": LONG_NAME}, 400, "name"),
        ({"name": 5}, 400, "name"),
        ({"description": "x" * 1001}, 400, "description"),
        ({"fromPhoneNumberId": None}, 400, "fromPhoneNumberId"),
        ({"fromPhoneNumberId": "phone_9"}, 404, "Phone number"),
        ({"contacts": []}, 400, "contacts"),
        ({"contacts": "all"}, 400, "contacts"),
        ({"contacts": [{"phone": "030"}]}, 400, "E.164"),
        ({"contacts": [{"phone": "+4930123451"}] * 10_001}, 400, "10000 contacts"),
        ({"concurrentCallLimit": 51}, 400, "concurrentCallLimit"),
        ({"maxAttempts": 0}, 400, "maxAttempts"),
        ({"scheduledStartTime": "tomorrow"}, 400, "scheduledStartTime"),
        ({"scheduledStartTime": "2020-01-01T00:00:00"}, 400, "future"),
        ({"scheduledStartTime": AT_0900, "timezone": "Moon/Sea"}, 400, "timezone"),
    ],
)
def test_a_job_with_a_wrong_field_is_refused_in_prose(
    start: Any, change: dict[str, Any], status: int, said: str
) -> None:
    caller = start()
    body = {"name": "n", "fromPhoneNumberId": "phone_0", "contacts": contacts("+4930123451")} | change
    response = caller.send("POST", TK, "batch/create", json=body)
    assert response.status_code == status
    assert said in response.json()["detail"]
    assert caller.sandbox.journal.talkifai.batches.total == 0


@pytest.mark.parametrize(
    ("table", "said"), [(b"name\nA\n", "phone"), (b"phone\n\xff\n", "UTF-8"), (b"x" * (10 << 20) + b"x", "10 MB")]
)
def test_a_wrong_csv_file_is_refused(start: Any, table: bytes, said: str) -> None:
    fields = {"name": "n", "fromPhoneNumberId": "phone_0"}
    response = start().send("POST", TK, "batch/create", data=fields, files={"file": ("c.csv", table)})
    assert (response.status_code, said in response.json()["detail"]) == (400, True)


@pytest.mark.parametrize(("method", "action"), [("POST", "start"), ("POST", "cancel"), ("PATCH", "reschedule")])
def test_seeded_and_unknown_jobs_cannot_be_changed(start: Any, method: str, action: str) -> None:
    caller = start()
    (seeded, *_) = caller.data(TK, JOBS, organizationId=caller.organization_id)["batchJobs"]
    assert caller.send(method, TK, f"{JOBS}/{seeded['id']}/{action}").status_code == 400
    assert caller.send(method, TK, f"{JOBS}/batch_none/{action}").status_code == 404


def test_a_submitted_job_has_a_page_in_studio(start: Any) -> None:
    caller = start()
    page = caller.session.get(f"{caller.sandbox.url}/batch-calls/{create(caller, name='<b>')['batchJobId']}")
    assert (page.status_code, "&lt;b&gt;" in page.text) == (200, True)


def test_a_number_that_does_not_answer_is_not_called_again_after_a_cancel(start: Any, clock: Any) -> None:
    caller = start(clock, run_seconds=12)
    job = create(caller, "+4930123457", "+4930123451", maxAttempts=2)
    caller.written(TK, f"{JOBS}/{job['batchJobId']}/start")
    clock.now += 1
    caller.written(TK, f"{JOBS}/{job['batchJobId']}/cancel")
    assert next((c["status"], c["attemptCount"]) for c in detail(caller, job)["contacts"]) == ("dialing", 1)
    clock.now += 100
    shown = detail(caller, job)
    assert [(c["status"], c["attemptCount"]) for c in shown["contacts"]] == [("cancelled", 1), ("cancelled", 0)]
    assert (shown["contactsProcessed"], shown["failedCalls"]) == (0, 0)
    assert caller.sandbox.journal.talkifai.calls.total == 1
