"""TalkifAI: what batch calling jobs produced: conversations, whose transcripts come after the calls."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from msgspec.structs import replace

from airflow_batch_provider.apis.body import count_of
from airflow_batch_provider.apis.columns import JSON, result_columns
from airflow_batch_provider.apis.endpoint import Found, look_up
from airflow_batch_provider.apis.page import Row
from airflow_batch_provider.apis.parameter import Identifier, Parameter
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
from airflow_batch_provider.vendors.talkifai import (
    BATCH_JOB,
    BATCH_JOB_KIND,
    CONTACT_STATUSES,
    CONTACTS,
    CONVERSATION,
    EXPORT_PATH,
    EXPORT_PATHS,
    ROW_KEY,
    VENDOR,
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

    It has no id by which the two could be distinguished, and may have a field ``data`` of its own.
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
        EXPORT_PATH,
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
