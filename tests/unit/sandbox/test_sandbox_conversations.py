"""TalkifAI: conversations by room name, in each form that the pages give; transcripts may come late or never."""

from __future__ import annotations

from typing import Any

import pytest
import requests

from airflow_batch_provider.sandbox import conversations as said

JOBS, JSON = "batch/jobs", "api/export/conversation/json"
PATHS = [(JSON, "json"), ("export/conversation", "json"), ("api/export/conversation", "data")]


def jobs_of(caller: Any, **parameters: Any) -> list[dict[str, Any]]:
    query = {"organizationId": caller.organization_id, "pageSize": 100, **parameters}
    return caller.data("talkifai", JOBS, **query)["batchJobs"]


def contacts_of(caller: Any, job: dict[str, Any], **parameters: Any) -> list[dict[str, Any]]:
    return caller.data("talkifai", f"{JOBS}/{job['id']}", contactsPageSize=500, **parameters)["contacts"]


def answered(caller: Any, status: str = "completed") -> list[dict[str, Any]]:
    """Return the contacts with a status of a completed job that has many."""
    jobs = [
        job for job in jobs_of(caller, status="completed") if 40 < job["totalContacts"] < 200 and job["failedCalls"]
    ]
    return contacts_of(caller, jobs[0], contactStatus=status)


def contact_of(caller: Any, kind: str) -> dict[str, Any]:
    return next(contact for contact in answered(caller) if said.kind_of(contact["id"]) == kind)


def export(caller: Any, body: Any, path: str = JSON, form: str = "json", headers: Any = None) -> requests.Response:
    sent = {form: body, "headers": caller.headers["talkifai"] if headers is None else headers}
    return caller.session.post(f"{caller.sandbox.url}/{path}", **sent)


@pytest.mark.parametrize(("path", "form"), [*PATHS, ("api/export/conversation", "files")])
def test_a_conversation_is_exported_by_its_room_in_each_documented_form(caller: Any, path: str, form: str) -> None:
    contact = contact_of(caller, "plain")
    room = contact["roomName"] if form != "files" else (None, contact["roomName"])
    response = export(caller, {"conversationId": room}, path, form)
    assert response.status_code == 200, response.text
    assert response.headers["Content-Disposition"].startswith("attachment")
    body = response.json()
    assert list(body) == ["exportMetadata", "conversation", "summary"]
    assert list(body["exportMetadata"]) == [
        *("exportedAt", "organizationId", "conversationId", "dataVersion", "exportType", "includedData"),
        "schemaVersion",
    ]
    conversation = body["conversation"]
    assert body["exportMetadata"]["conversationId"] == conversation["roomName"] == contact["roomName"]
    assert conversation["transcript"] == said.transcript_of(contact["id"])
    assert conversation["postCallAnalysis"] == said.analysis_of(contact["id"])
    recording = caller.session.get(conversation["recordingUrl"])
    assert conversation["recordingUrl"].startswith(caller.sandbox.files_url)
    assert recording.content == b"".join(said.recording_of(contact["id"]).read())
    assert (recording.headers["Content-Type"], recording.content[:3]) == ("audio/mpeg", b"ID3")


@pytest.mark.parametrize(
    ("flag", "key"),
    [
        ("includeTranscript", "transcript"),
        ("includeAnalysis", "postCallAnalysis"),
        ("includeRecording", "recordingUrl"),
    ],
)
@pytest.mark.parametrize(("path", "form"), PATHS)
def test_parts_can_be_left_out(caller: Any, path: str, form: str, flag: str, key: str) -> None:
    body = {"conversationId": contact_of(caller, "plain")["roomName"], flag: "false" if form == "data" else False}
    answer = export(caller, body, path, form).json()
    assert {"transcript", "postCallAnalysis", "recordingUrl"} - set(answer["conversation"]) == {key}
    assert list(answer["exportMetadata"]["includedData"].values()).count(False) == 1


@pytest.mark.parametrize(
    ("kind", "missing"),
    [("no_transcript", {"transcript", "postCallAnalysis"}), ("no_recording", {"recordingUrl"}), ("late", set())],
)
def test_parts_may_be_missing(caller: Any, kind: str, missing: set[str]) -> None:
    answer = export(caller, {"conversationId": contact_of(caller, kind)["roomName"]}).json()
    assert {"transcript", "postCallAnalysis", "recordingUrl"} - set(answer["conversation"]) == missing


def test_a_late_transcript_comes_seconds_after_the_job_ended(start: Any, clock: Any) -> None:
    caller = start(clock, jobs=60, duration=100, late=5)
    clock.now += 100
    job = max(jobs_of(caller, status="completed"), key=lambda job: (job["completedAt"], job["totalContacts"]))
    contact = next(c for c in contacts_of(caller, job) if said.kind_of(c["id"]) == "late")
    found = []
    for seconds in (0, 4, 1):
        clock.now += seconds
        found.append("transcript" in export(caller, {"conversationId": contact["roomName"]}).json()["conversation"])
    assert found == [False, False, True]


def test_a_conversation_may_be_gone(caller: Any) -> None:
    response = export(caller, {"conversationId": contact_of(caller, "gone")["roomName"]})
    assert (response.status_code, response.json()) == (404, {"detail": "Conversation not found"})


def test_a_call_that_failed_has_no_conversation(caller: Any) -> None:
    for contact in answered(caller, "failed"):
        assert export(caller, {"conversationId": contact["roomName"]}).status_code == 404


@pytest.mark.parametrize(
    ("body", "status", "detail"),
    [
        ({}, 400, "conversationId is required"),
        ({"conversationId": ""}, 400, "conversationId is required"),
        ({"conversationId": 7}, 400, "conversationId is required"),
        ([], 400, "Invalid JSON body"),
        ({"conversationId": "x", "includeTranscript": "yes"}, 400, "include flags must be boolean"),
        ({"conversationId": "room-1"}, 404, "Conversation not found"),
        ({"conversationId": "outbound_agent_1_+15550000000_0"}, 404, "Conversation not found"),
        ({"conversationId": "outbound_agent_0_+15550009999_0"}, 404, "Conversation not found"),
        ({"conversationId": "outbound_agent_0_+15550000000_9999999"}, 404, "Conversation not found"),
    ],
)
def test_errors_are_prose(caller: Any, body: Any, status: int, detail: str) -> None:
    response = export(caller, body)
    assert (response.status_code, response.json()) == (status, {"detail": detail})


@pytest.mark.parametrize(("path", "form"), PATHS)
def test_the_key_is_needed_in_either_header(caller: Any, path: str, form: str) -> None:
    body = {"conversationId": contact_of(caller, "plain")["roomName"]}
    key = caller.sandbox.how_to["talkifai"]["api_key"]
    assert export(caller, body, path, form, {"x-api-key": key}).status_code == 200
    assert export(caller, body, path, form, {}).status_code == 401


def test_the_room_has_the_number_and_the_row_comes_back(caller: Any) -> None:
    contacts = answered(caller)
    assert all(contact["phoneNumber"] in contact["roomName"] for contact in contacts)
    assert len({contact["roomName"] for contact in contacts}) == len(contacts)
    assert list(contacts[0]["contactData"]) == ["name", "plan", "row"]


def test_a_large_recording_has_the_size_set(start: Any) -> None:
    caller = start(jobs=60, large_bytes=200_000)
    contact = contact_of(caller, "large")
    url = export(caller, {"conversationId": contact["roomName"]}).json()["conversation"]["recordingUrl"]
    assert caller.session.get(url).content == b"".join(said.recording_of(contact["id"], 200_000).read())
    assert said.recording_of(contact["id"], 200_000).size == 200_000
