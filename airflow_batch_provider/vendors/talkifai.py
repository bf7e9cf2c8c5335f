"""TalkifAI: batch calling jobs.

Source: the vendor's pages "List Batch Jobs", "Get Batch Job" and "Introduction" (docs.talkifai.dev), read in November
2026. They contradict each other on host, path prefix, authentication and envelope; what stands here follows the
endpoint pages, and the connection can say otherwise.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from msgspec.structs import replace

from airflow_batch_provider.apis.auth import KeyHeader
from airflow_batch_provider.apis.batch_state import BatchKind, Outcome, StateFields
from airflow_batch_provider.apis.body import Body, count_of
from airflow_batch_provider.apis.columns import INTEGER, JSON, TEXT, TIMESTAMP, ListOf, columns, result_columns, struct
from airflow_batch_provider.apis.endpoint import Found, Listing, Resource, look_up
from airflow_batch_provider.apis.extra import Extra
from airflow_batch_provider.apis.moment import Clock
from airflow_batch_provider.apis.page import Row
from airflow_batch_provider.apis.parameter import Choice, Identifier, Integer, JsonArray, Parameter, Text, Timestamp
from airflow_batch_provider.apis.plans import (
    FileKind,
    Lack,
    Location,
    Plan,
    Refused,
    SavedFile,
    ask,
    fetch,
    keep,
    need,
    until_complete,
)
from airflow_batch_provider.apis.problem import Problem
from airflow_batch_provider.apis.raw_json import raw_at, read_json
from airflow_batch_provider.apis.results import (
    Batch,
    Item,
    ItemOutcome,
    Results,
    Unrepeatable,
    collected,
    without_result,
)
from airflow_batch_provider.apis.vendor import Vendor
from airflow_batch_provider.apis.windows import NumberPaging

AUTHS = {"bearer": KeyHeader("Authorization", "Bearer "), "x-api-key": KeyHeader("x-api-key")}
"""The endpoint pages document Bearer, the authentication page documents x-api-key."""

EXPORT_PATHS = ("api/export/conversation/json", "export/conversation", "api/export/conversation")
"""The page "Export Conversation" documents the first and the last, the generated block on it the second. The last takes
a form, the others JSON."""

VENDOR = Vendor(
    name="talkifai",
    title="TalkifAI",
    base_url="https://api.talkifai.dev",
    auth=AUTHS["bearer"],
    key_hint="Studio: Settings > API Keys",
    docs_url="https://docs.talkifai.dev",
    hook="airflow_batch_provider.hooks.talkifai.TalkifAIHook",
    extras={
        "organization_id": Extra("Organization id", "Used where a task names no organization."),
        "auth_header": Extra(
            "API key header",
            "How the key is sent: as a Bearer token (the default), or in x-api-key.",
            choices=tuple(AUTHS),
        ),
        "export_path": Extra(
            "Path of the conversation export",
            "The vendor's pages name three; {default} if empty.",
            choices=EXPORT_PATHS,
            default=EXPORT_PATHS[0],
        ),
        "export_auth": Extra(
            "API key header of the conversation export",
            "How the key is sent there, if not as everywhere else.",
            choices=tuple(AUTHS),
        ),
    },
    auths=AUTHS,
    auths_of={"talkifai.conversation": "export_auth"},
)

OUTCOMES = {
    "pending": Outcome.PENDING,
    "scheduled": Outcome.PENDING,
    "running": Outcome.RUNNING,
    "completed": Outcome.SUCCEEDED,
    "failed": Outcome.FAILED,
    "cancelled": Outcome.CANCELLED,
}


BATCH_JOBS = Listing(
    vendor=VENDOR,
    name="talkifai.batch_jobs",
    path="/batch/jobs",
    parameters=(
        Parameter("organization_id", Identifier(), "organizationId", required=True),
        Parameter("status", Choice(tuple(OUTCOMES)), "status"),
        Parameter("page", Integer(1), "page", default=1),
        Parameter("page_size", Integer(1, 100), "pageSize", default=100),
    ),
    bodies=(
        Body(rows="batchJobs", total="total", page_size="pageSize"),
        # The vendor's introduction wraps every answer in {"success", "data"}; the endpoint pages do not.
        Body(rows="data.batchJobs", total="data.total", page_size="data.pageSize"),
    ),
    paging=NumberPaging("page", "pageSize"),
    total_is_exact=True,
    created_field="createdAt",
    # As in the page's longer sample; its table of fields lacks organizationId, agentId, fromPhoneNumberId,
    # concurrentCallLimit and retryPolicy.
    columns=columns(
        id=TEXT,
        name=TEXT,
        description=TEXT,
        status=TEXT,
        organizationId=TEXT,
        agentId=TEXT,
        fromPhoneNumberId=TEXT,
        totalContacts=INTEGER,
        contactsProcessed=INTEGER,
        successfulCalls=INTEGER,
        failedCalls=INTEGER,
        scheduledStartTime=TIMESTAMP,
        actualStartTime=TIMESTAMP,
        completedAt=TIMESTAMP,
        createdAt=TIMESTAMP,
        concurrentCallLimit=INTEGER,
        retryPolicy=struct(maxAttempts=INTEGER, retryableStatuses=ListOf(TEXT)),
    ),
)


CONTACT_STATUSES = (
    *("pending", "queued", "dialing", "no_answer", "busy", "timeout"),
    *("completed", "failed", "blocked", "invalid_number", "carrier_error", "cancelled"),
)
"""The first six may change; the others are final (pages "Get Batch Job" and "Start Batch Job")."""

# The job's own answer has its contacts, page by page. They change their status while the job runs, so that a listing
# of one status shifts. No field has the time when a contact was made: they come with the job.
CONTACTS = Listing(
    vendor=VENDOR,
    name="talkifai.contacts",
    path="/batch/jobs/{batch_job_id}",
    parameters=(
        Parameter("batch_job_id", Identifier(), required=True),
        Parameter("contact_status", Choice(CONTACT_STATUSES), "contactStatus"),
        Parameter("page", Integer(1), "contactsPage", default=1),
        Parameter("page_size", Integer(1, 500), "contactsPageSize", default=500),
    ),
    bodies=(
        Body(rows="contacts", total="contactsTotal", page_size="contactsPageSize"),
        Body(rows="data.contacts", total="data.contactsTotal", page_size="data.contactsPageSize"),
    ),
    paging=NumberPaging("contactsPage", "contactsPageSize"),
    total_is_exact=True,
    # contactData, the row that was submitted, has no documented shape.
    columns=columns(
        id=TEXT,
        phoneNumber=TEXT,
        status=TEXT,
        errorCode=TEXT,
        attemptCount=INTEGER,
        maxAttempts=INTEGER,
        lastAttemptAt=TIMESTAMP,
        nextRetryAt=TIMESTAMP,
        completedAt=TIMESTAMP,
        roomName=TEXT,
        failureReason=TEXT,
        callDuration=INTEGER,
    ),
)


# One contact, the least that can be asked for: contacts are personal data, and come by the thousand.
BATCH_JOB = Resource(
    vendor=VENDOR,
    name="talkifai.batch_job",
    path="/batch/jobs/{batch_job_id}",
    parameters=(
        Parameter("batch_job_id", Identifier(), required=True),
        Parameter("contacts_page_size", Integer(1, 500), "contactsPageSize", default=1),
    ),
    at=("", "data"),
)


MOST_CONTACTS = 10_000
MOST_NAME = 200
MOST_DESCRIPTION = 1000
"""Contacts of a job and characters of its name and description at most (page "Create Batch Job")."""

# The page's sample has no offset, and the time zone stands beside it.
_START = Parameter("scheduled_start_time", Timestamp(Clock.ISO_WITHOUT_OFFSET), "scheduledStartTime", in_body=True)
_TIMEZONE = Parameter("timezone", Choice(("UTC",)), "timezone", default="UTC", in_body=True)

# The answer's status is not documented, so any success is taken. An agent and its organization belong to the number.
CREATE_BATCH_JOB = Resource(
    vendor=VENDOR,
    name="talkifai.create_batch_job",
    path="/batch/create",
    method="POST",
    parameters=(
        Parameter("name", Text(MOST_NAME), "name", required=True, in_body=True),
        Parameter("from_phone_number_id", Identifier(), "fromPhoneNumberId", required=True, in_body=True),
        Parameter("contacts", JsonArray(MOST_CONTACTS), "contacts", required=True, in_body=True),
        Parameter("description", Text(MOST_DESCRIPTION), "description", in_body=True),
        Parameter("concurrent_call_limit", Integer(1, 50), "concurrentCallLimit", in_body=True),
        Parameter("max_attempts", Integer(1, 10), "maxAttempts", in_body=True),
        _START,
        _TIMEZONE,
    ),
    at=("", "data"),
    id="batchJobId",
    is_repeatable=False,
    is_personal=True,
)

_JOB = Parameter("batch_job_id", Identifier(), required=True)

# A second start is refused, so it may be sent again.
START_BATCH_JOB = Resource(
    vendor=VENDOR,
    name="talkifai.start_batch_job",
    path="/batch/jobs/{batch_job_id}/start",
    method="POST",
    parameters=(_JOB,),
    id=None,
)

RESCHEDULE_BATCH_JOB = Resource(
    vendor=VENDOR,
    name="talkifai.reschedule_batch_job",
    path="/batch/jobs/{batch_job_id}/reschedule",
    method="PATCH",
    parameters=(
        _JOB,
        replace(_START, in_body=False, required=True),
        replace(_TIMEZONE, in_body=False),
    ),
    id=None,
)

CANCEL_BATCH_JOB = Resource(
    vendor=VENDOR,
    name="talkifai.cancel_batch_job",
    path="/batch/jobs/{batch_job_id}/cancel",
    method="POST",
    parameters=(_JOB,),
    id=None,
)


_EXPORT_PATH = Parameter("export_path", Choice(EXPORT_PATHS, may_contain_slashes=True), default=EXPORT_PATHS[0])

# It exports what is there already, so it may be asked for as often as one likes.
CONVERSATION = Resource(
    vendor=VENDOR,
    name="talkifai.conversation",
    path="/{export_path}",
    method="POST",
    parameters=(_EXPORT_PATH,),
    id=None,
    is_personal=True,  # the room's name contains the number that was called
)


BATCH_JOB_KIND = BatchKind(
    name="talkifai.batch_job",
    listing=BATCH_JOBS,
    scope=("organization_id",),
    unfinished=("pending", "scheduled", "running"),
    single=BATCH_JOB,
    id_parameter="batch_job_id",
    cancel=CANCEL_BATCH_JOB,
    # "completed" jobs of the vendor's own samples have failed calls.
    state=StateFields(
        OUTCOMES,
        counts=("totalContacts", "contactsProcessed", "successfulCalls", "failedCalls"),
        failed_items="failedCalls",
    ),
)


TRANSCRIPT = FileKind(name="transcript", content_type="application/json", extension="json", is_json=True)
RECORDING = FileKind(name="recording")

_TRANSCRIPTS = ("transcript", "conversation.transcript", "transcripts", "messages", "conversation.messages")
_RECORDINGS = ("recordingUrl", "conversation.recordingUrl", "recording.url", "conversation.recording.url", "recording")
"""Most fields of an exported conversation are cut in every copy of the page: these are the likely places."""

_NOT_CALLED = frozenset({"pending", "queued", "dialing"})
_MAY_BE_CALLED_AGAIN = frozenset({"no_answer", "busy", "timeout"})
"""Until the job has ended."""


def _begin_job(values: Mapping[str, Any]) -> Plan[Batch | Problem]:
    job = (yield from need(BATCH_JOB)).document
    return Batch(state=BATCH_JOB_KIND.state(job), expected=count_of(job.get("totalContacts")))


def _read_contact(batch: Batch, row: Row, _: None) -> Plan[Item]:
    contact = read_json(row.json)
    status = row.status.casefold()
    if status != "completed":
        return _without_call(batch, contact, status)
    room = contact.get("roomName")
    if not isinstance(room, str) or not room:
        return Item(outcome=ItemOutcome.MISSING, error="the call is completed, but the vendor names no room")
    found = yield from until_complete(partial(_ask_once, batch, room), _lack_of, contact.get("completedAt"))
    if isinstance(found, Refused):
        return without_result(found)
    files: list[SavedFile | Refused] = []
    problems = []
    if TRANSCRIPT.name in batch.kinds:
        transcript = _first(found, _TRANSCRIPTS)
        if transcript is None:
            problems.append("the call has no transcript, or it has not come in time")
        else:
            files.append((yield from keep(TRANSCRIPT, f"{row.id}.json", transcript)))
    if RECORDING.name in batch.kinds:
        files.append((yield from _fetch_recording(batch, str(row.id), room, found)))
    item = collected(files, problems, result=found.json)
    return replace(item, outcome=ItemOutcome.MISSING) if problems and not item.files else item


def _without_call(batch: Batch, contact: Mapping[str, Any], status: str) -> Item:
    if status == "cancelled":
        return Item(outcome=ItemOutcome.SKIPPED, error="the call was cancelled")
    is_open = not batch.state.outcome.is_terminal
    if status in _NOT_CALLED or (is_open and status in _MAY_BE_CALLED_AGAIN):
        return Item(outcome=ItemOutcome.MISSING, error=f"there is no call to export: the contact's status is {status}")
    if status not in CONTACT_STATUSES:
        return Item(outcome=ItemOutcome.MISSING, error=f"whether it was called is not known: its status is {status}")
    reason = contact.get("failureReason") or contact.get("errorCode")
    return Item(outcome=ItemOutcome.FAILED, error=f"{status}: {reason}" if reason else status)


def _lack_of(found: Found | Refused) -> Lack:
    """Return what comes after the end of a call; an agent may have no analysis."""
    if isinstance(found, Refused):
        return Lack.NEEDED if found.is_missing else Lack.NOTHING
    if _first(found, _TRANSCRIPTS) is None:
        return Lack.NEEDED
    return Lack.NOTHING if _has_analysis(found.document) else Lack.OPTIONAL


def _ask_once(batch: Batch, room: str) -> Plan[Found | Refused]:
    asked = conversation(batch.values, room, recording=RECORDING.name in batch.kinds)
    found = yield from ask(CONVERSATION, **asked)
    return found if isinstance(found, Refused) else unwrapped(found)


def unwrapped(found: Found) -> Found:
    """Return a conversation without the ``{"success", "data"}`` of the vendor's introduction, if it came in that.

    It has no id by which the two could be told apart, and may have a field ``data`` of its own.
    """
    inner = found.document.get("data")
    if not isinstance(inner, dict) or "success" not in found.document:
        return found
    return Found(inner, raw_at(found.json, "data") or b"{}")


def conversation(values: Mapping[str, Any], room: str, *, recording: bool) -> dict[str, Any]:
    """Return what to send for the export of a conversation, as ``json`` or as ``form``.

    :param values: the parameters of the task
    :param room: the name of the room
    :param recording: whether to ask for the recording's URL
    """
    flags = {"includeTranscript": True, "includeAnalysis": True, "includeRecording": recording}
    if values.get("export_path") == EXPORT_PATHS[2]:
        return {"form": {"conversationId": room, **{name: str(value).lower() for name, value in flags.items()}}}
    return {"json": {"conversationId": room, **flags}}


def _first(found: Found, paths: Sequence[str]) -> bytes | None:
    """Return the first value that is there and not empty, as JSON."""
    return next((raw_at(found.json, path) for path in paths if look_up(found.document, path)), None)


def _has_analysis(conversation: Mapping[str, Any]) -> bool:
    places = ("analysis", "postCallAnalysis", "conversation.analysis", "conversation.postCallAnalysis")
    return any(look_up(conversation, path) for path in places)


def _fetch_recording(batch: Batch, name: str, room: str, found: Found) -> Plan[SavedFile | Refused]:
    def where() -> Plan[Location | Refused]:
        again = yield from _ask_once(batch, room)
        if isinstance(again, Refused):
            return again
        url = _recording_url(again)
        return Location(url) if url else Refused("the call has no recording", is_missing=True)

    url = _recording_url(found)
    if url is None:
        return Refused("the call has no recording", is_missing=True)
    return (yield from fetch(RECORDING, name, where, url=url))


def _recording_url(found: Found) -> str | None:
    urls = (look_up(found.document, path) for path in _RECORDINGS)
    return next((url for url in urls if isinstance(url, str) and url), None)


ROW_KEY = "af_row"
"""The key of our own among the fields of a contact that is submitted."""

_NOT_REACHED = frozenset({"pending", "queued", "no_answer", "busy", "timeout", "failed", "carrier_error"})
"""Who is being dialed may have been reached; a blocked or invalid number must not be called again."""

_HASH = re.compile(r"[0-9a-f]{64}")


def _call_again(row: Mapping[str, Any]) -> dict[str, Any] | Unrepeatable | None:
    """Return a contact as it was submitted, if nobody was reached."""
    contact = row.get("item")
    if not isinstance(contact, dict) or str(contact.get("status")).casefold() not in _NOT_REACHED:
        return None
    number, submitted = contact.get("phoneNumber"), contact.get("contactData")
    if not isinstance(number, str) or not number or _HASH.fullmatch(number):
        return Unrepeatable("its phoneNumber was left out of the export, or hashed")
    if not isinstance(submitted, dict | None):
        return Unrepeatable("its contactData is no object")
    others = {name: value for name, value in (submitted or {}).items() if name.casefold() not in ("phone", ROW_KEY)}
    return {"phone": number, **others}


CONVERSATIONS = Results(
    vendor=VENDOR,
    name="talkifai.conversations",
    batch="batch_job_id",
    parameters=(
        Parameter("batch_job_id", Identifier(), required=True),
        _EXPORT_PATH,
    ),
    items=CONTACTS,
    kinds=(TRANSCRIPT, RECORDING),
    usual=("transcript",),
    begin=_begin_job,
    item=_read_contact,
    # An exported conversation is documented by halves: it stays JSON.
    columns=result_columns(CONTACTS.columns, JSON),
    again=_call_again,
)

PERSONAL_FIELDS = ("phoneNumber", "contactData", "roomName")
"""Of a contact: the room's name contains the number, and contactData is whatever was submitted."""
