"""What becomes of a contact of TalkifAI: transcripts come late, and whatever comes of asking for them."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from airflow_batch_provider.apis.batch_state import Outcome
from airflow_batch_provider.apis.page import Row
from airflow_batch_provider.apis.plans import Ask, Pause
from airflow_batch_provider.vendors import talkifai, talkifai_results
from airflow_batch_provider.vendors.talkifai_results import CONVERSATIONS
from tests.unit.vendors.plans import (
    DENIED,
    EXPIRED,
    GONE,
    NO_FILE,
    OVER,
    STORED,
    WAITED,
    asked,
    batch,
    found,
    row,
    run,
    said,
)

ROOM = "outbound_agent_+15550100_1"
ENDED = "2026-03-01T10:00:00Z"
CALLED = row("c", "completed", roomName=ROOM, completedAt=ENDED)
URL = "https://files.example/r.mp3?sig=1"
WHY_GONE = f"{GONE.reason}; it has expired, was deleted, or belongs to another project"
NO_TRANSCRIPT = "the call has no transcript, or it has not come in time"
TALK = [{"role": "agent", "text": "Hi"}]
Said = tuple[str, str | None, list[str]]


def talk(transcript: Any = None, analysis: Any = None, url: str | None = None, **fields: Any) -> Any:
    """A conversation as the sandbox and the vendor's sample have it."""
    inner = {"transcript": transcript, "postCallAnalysis": analysis, "recordingUrl": url}
    return found({"conversation": {name: value for name, value in inner.items() if value is not None}, **fields})


WHOLE = talk(TALK, {"mood": "good"}, URL)
CASES: dict[str, tuple[Row, list[str], list[Any], Said]] = {
    "ok": (CALLED, ["transcript"], [WHOLE, STORED], ("ok", None, ["transcript"])),
    "no files are wanted": (CALLED, [], [WHOLE], ("ok", None, [])),
    "transcript and recording": (
        CALLED,
        ["transcript", "recording"],
        [WHOLE, STORED, STORED],
        ("ok", None, ["transcript", "recording"]),
    ),
    "a late transcript": (CALLED, ["transcript"], [talk(), WAITED, WHOLE, STORED], ("ok", None, ["transcript"])),
    "a late conversation": (CALLED, ["transcript"], [GONE, WAITED, WHOLE, STORED], ("ok", None, ["transcript"])),
    "a late analysis": (
        CALLED,
        ["transcript"],
        [talk(TALK), WAITED, WHOLE, STORED],
        ("ok", None, ["transcript"]),
    ),
    "no analysis, long after the call": (
        CALLED,
        ["transcript"],
        [talk(TALK), OVER, STORED],
        ("ok", None, ["transcript"]),
    ),
    "no transcript, long after the call": (
        CALLED,
        ["transcript"],
        [talk(), WAITED, talk(), OVER],
        ("missing", NO_TRANSCRIPT, []),
    ),
    "an empty transcript": (
        CALLED,
        ["transcript"],
        [talk([]), WAITED, talk([]), OVER],
        ("missing", NO_TRANSCRIPT, []),
    ),
    "expired": (CALLED, ["transcript"], [GONE, WAITED, GONE, OVER], ("missing", WHY_GONE, [])),
    "refused": (CALLED, ["transcript"], [DENIED], ("failed", DENIED.reason, [])),
    "no recording": (
        CALLED,
        ["transcript", "recording"],
        [talk(TALK, {"a": 1}), STORED],
        ("partial", "the call has no recording", ["transcript"]),
    ),
    "the recording is a web page": (
        CALLED,
        ["recording"],
        [WHOLE, NO_FILE],
        ("partial", NO_FILE.reason, []),
    ),
    "a recording whose URL has expired once": (
        CALLED,
        ["recording"],
        [WHOLE, EXPIRED, WHOLE, STORED],
        ("ok", None, ["recording"]),
    ),
    "a recording that is gone when it is asked for again": (
        CALLED,
        ["recording"],
        [WHOLE, EXPIRED, GONE],
        ("partial", GONE.reason, []),
    ),
    "no room": (
        row("c", "completed", roomName=None),
        ["transcript"],
        [],
        ("missing", "the call is completed, but the vendor names no room", []),
    ),
    "no transcript, but a recording": (
        CALLED,
        ["transcript", "recording"],
        [talk(url=URL), WAITED, talk(url=URL), OVER, STORED],
        ("partial", NO_TRANSCRIPT, ["recording"]),
    ),
    "neither": (
        CALLED,
        ["transcript", "recording"],
        [talk(), WAITED, talk(), OVER],
        ("missing", f"{NO_TRANSCRIPT}; the call has no recording", []),
    ),
    "wrapped, as the vendor's introduction has it": (
        CALLED,
        ["transcript", "recording"],
        [found({"success": True, "data": WHOLE.document}), STORED, STORED],
        ("ok", None, ["transcript", "recording"]),
    ),
    "with a field called data": (
        CALLED,
        ["transcript"],
        [talk(TALK, {"mood": "good"}, data={"agent": "a"}), STORED],
        ("ok", None, ["transcript"]),
    ),
    "a status that the vendor does not name": (
        row("c", "voicemail", failureReason="x"),
        ["transcript"],
        [],
        ("missing", "whether it was called is not known: its status is voicemail", []),
    ),
    "failed": (row("c", "failed", failureReason="busy line"), ["transcript"], [], ("failed", "failed: busy line", [])),
    "failed with a code": (row("c", "failed", errorCode="480"), ["transcript"], [], ("failed", "failed: 480", [])),
    "failed without a reason": (row("c", "blocked"), ["transcript"], [], ("failed", "blocked", [])),
    "another case": (row("c", "Completed", roomName=ROOM), [], [WHOLE], ("ok", None, [])),
    "cancelled": (row("c", "cancelled"), ["transcript"], [], ("skipped", "the call was cancelled", [])),
    **{
        status: (
            row("c", status),
            ["transcript"],
            [],
            ("missing", f"there is no call to export: the contact's status is {status}", []),
        )
        for status in ("pending", "queued", "dialing")
    },
    **{
        status: (row("c", status, failureReason="after 3 calls"), [], [], ("failed", f"{status}: after 3 calls", []))
        for status in ("no_answer", "busy", "timeout")
    },
}


@pytest.mark.parametrize(("contact", "kinds", "answers", "expected"), CASES.values(), ids=CASES)
def test_a_contact_becomes(contact: Row, kinds: list[str], answers: list[Any], expected: Said) -> None:
    item, _ = run(CONVERSATIONS.item(batch(*kinds), contact, None), answers)
    assert said(item) == expected


@pytest.mark.parametrize("status", ["no_answer", "busy", "timeout"])
def test_a_contact_of_a_job_that_runs_may_be_called_again(status: str) -> None:
    item, _ = run(CONVERSATIONS.item(batch(outcome=Outcome.RUNNING), row("c", status), None), [])
    assert said(item) == ("missing", f"there is no call to export: the contact's status is {status}", [])


def test_every_status_of_a_contact_has_an_outcome() -> None:
    assert {name for name in CASES if name in talkifai.CONTACT_STATUSES} >= talkifai_results._NOT_CALLED
    for status in talkifai.CONTACT_STATUSES:
        if status != "completed":
            run(CONVERSATIONS.item(batch("transcript"), row("c", status), None), [])


def test_the_result_is_the_conversation_whole_and_the_transcript_is_as_it_was_written() -> None:
    raw = b'{"conversation": {"transcript": [{"t": 9007199254740993, "s": "\\ud83d"}]}, "analysis": 1.0}'
    answer = type(WHOLE)(json.loads(raw), raw)
    item, steps = run(CONVERSATIONS.item(batch("transcript"), CALLED, None), [answer, STORED])
    assert item.result == raw
    assert steps[1].content == b'[{"t": 9007199254740993, "s": "\\ud83d"}]'  # type: ignore[union-attr]


def test_the_result_of_a_wrapped_answer_is_the_conversation() -> None:
    raw = b'{"success": true, "data": {"transcript": [{"t": 9007199254740993}], "analysis": 1.0}}'
    answer = type(WHOLE)(json.loads(raw), raw)
    item, steps = run(CONVERSATIONS.item(batch("transcript"), CALLED, None), [answer, STORED])
    assert item.result == b'{"transcript": [{"t": 9007199254740993}], "analysis": 1.0}'
    assert steps[1].content == b'[{"t": 9007199254740993}]'  # type: ignore[union-attr]


def test_what_comes_late_is_asked_for_until_a_quarter_of_an_hour_after_the_call() -> None:
    answers = [talk(), *[WAITED, talk()] * 7]
    item, steps = run(CONVERSATIONS.item(batch("transcript"), CALLED, None), answers)
    assert said(item) == ("missing", NO_TRANSCRIPT, [])
    pauses = [step for step in steps if isinstance(step, Pause)]
    ended = datetime.fromisoformat(ENDED)
    assert {pause.until for pause in pauses[1:]} == {ended + timedelta(minutes=15)}
    assert pauses[0].until > datetime.now(UTC) + timedelta(days=365)  # once more, however long ago
    assert sum(pause.seconds for pause in pauses) <= 900


@pytest.mark.parametrize("ended", [None, "", "yesterday", 5])
def test_a_call_without_an_end_is_asked_for_once_more(ended: Any) -> None:
    contact = row("c", "completed", roomName=ROOM, completedAt=ended)
    _, steps = run(CONVERSATIONS.item(batch("transcript"), contact, None), [talk(), WAITED, talk(), OVER])
    assert [step.until.year for step in steps if isinstance(step, Pause)] == [9999, 1]


@pytest.mark.parametrize("recording", [False, True])
@pytest.mark.parametrize("path", talkifai.EXPORT_PATHS)
def test_a_conversation_is_asked_for_as_its_path_takes_it(path: str, recording: bool) -> None:
    kinds = ["transcript", "recording"] if recording else ["transcript"]
    plan = CONVERSATIONS.item(batch(*kinds, export_path=path), CALLED, None)
    step = next(plan)
    assert isinstance(step, Ask)
    flags = {"includeTranscript": True, "includeAnalysis": True, "includeRecording": recording}
    if path == "api/export/conversation":
        assert (step.json, dict(step.form)) == (
            None,
            {"conversationId": ROOM, **{name: str(value).lower() for name, value in flags.items()}},
        )
    else:
        assert (step.json, dict(step.form)) == ({"conversationId": ROOM, **flags}, {})


def test_a_recording_is_named_by_the_contact_and_never_by_the_room() -> None:
    _, steps = run(CONVERSATIONS.item(batch("transcript", "recording"), CALLED, None), [WHOLE, STORED, STORED])
    assert [step.name for step in steps[1:]] == ["c.json", "c"]  # type: ignore[union-attr]
    assert asked(steps) == ["Ask talkifai.conversation", "Keep transcript", "Fetch recording"]


@pytest.mark.parametrize("count", [7, None, "7"])
def test_the_job_counts_its_contacts(count: object) -> None:
    job = found({"id": "j", "status": "completed", "totalContacts": count})
    begun, _ = run(CONVERSATIONS.begin({"batch_job_id": "j"}), [job])
    assert begun.expected == (None if count is None else 7)
