"""What TalkifAI's calls produced: transcript, analysis, recording.

Read from its "Export Conversation", "Post-Call Analysis" and "Batch Calling" pages. Everything follows from a
contact's id, so a test can compute it; its position in the job decides what is odd (``ODD``, the same in each 20).
"""

from __future__ import annotations

import email
import json
from collections.abc import Mapping
from typing import Any, Literal
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from airflow_batch_provider.sandbox.content import Content, filled
from airflow_batch_provider.sandbox.faults import Handler
from airflow_batch_provider.sandbox.storage import Storage
from airflow_batch_provider.sandbox.talkifai import TalkifAI, refused
from airflow_batch_provider.sandbox.talkifai_calls import CallingJob, TalkifAICalls, timestamp
from airflow_batch_provider.sandbox.world import World, item_of

Kind = Literal["plain", "no_recording", "late", "no_transcript", "gone", "large"]
ODD: dict[int, Kind] = {3: "no_recording", 5: "late", 7: "no_transcript", 9: "gone", 11: "large"}
EVERY = 20
BYTES = 2000  # of a recording that is not large
ID3 = b"ID3\x04\x00\x00\x00\x00\x00\x00\xff\xfb\x90\x00"
INCLUDED = ("transcript", "analysis", "recording")


def kind_of(contact_id: str) -> Kind:
    """Return what is odd about the conversation with a contact."""
    return ODD.get(item_of(contact_id)[1] % EVERY, "plain")


def transcript_of(contact_id: str) -> list[dict[str, Any]]:
    """Return who said what."""
    name = f"Contact {item_of(contact_id)[1] + 1}"
    return [
        {"role": "agent", "text": f'Grüß Gott, is this "{name}"?', "offsetSeconds": 0.5},
        {"role": "user", "text": "はい、東京です。\nYes \U0001f642", "offsetSeconds": 2.25},
    ]


def analysis_of(contact_id: str) -> dict[str, Any]:
    """Return the fields of the agent's form; each agent has its own."""
    index, contact = item_of(contact_id)
    fields: dict[str, Any] = {"Outcome": "renewed" if contact % 2 else "declined", "Callback wanted": contact % 3 == 0}
    return fields | ({"Offered amount": 10.5 + contact} if index % 4 == 0 else {"Notes": f"first line\n{contact}"})


def recording_of(contact_id: str, large_bytes: int = 0) -> Content:
    """Return a recording, which looks like MP3 at its beginning.

    :param large_bytes: size of a large one, see :class:`~airflow_batch_provider.sandbox.Settings`.
    """
    head = ID3 + contact_id.encode()
    return filled("audio/mpeg", head, b"", large_bytes if kind_of(contact_id) == "large" else BYTES)


class Conversations:
    """The endpoints that export a conversation; the pages contradict each other about path and form of the body.

    :param api: the endpoints of the organization.
    :param world: the seeded data.
    :param storage: where recordings are.
    :param calls: the jobs that were submitted.
    """

    def __init__(self, api: TalkifAI, world: World, storage: Storage, calls: TalkifAICalls) -> None:
        self._api, self._world, self._storage, self._calls = api, world, storage, calls
        storage.add("recordings", self._stored)
        storage.add("calls", self._stored_call)

    @property
    def handlers(self) -> Mapping[str, Handler]:
        """The endpoints."""
        return {
            "POST /api/export/conversation/json": self.export_by_json,
            "POST /export/conversation": self.export_by_json,
            "POST /api/export/conversation": self.export_by_form,
        }

    def transient_fault(self, draw: float) -> Response:
        """Give a rate limit that is over immediately, or a server error."""
        return self._api.transient_fault(draw)

    async def export_by_json(self, request: Request) -> Response:
        """Export a conversation; the parameters are JSON."""
        self._api.admit(request)
        try:
            fields = json.loads(await request.body())
        except ValueError:
            fields = None
        if not isinstance(fields, dict):
            raise refused(400, "Invalid JSON body")
        return self._export(fields, request)

    async def export_by_form(self, request: Request) -> Response:
        """Export a conversation; the parameters are a form."""
        self._api.admit(request)
        kind, body = request.headers.get("content-type", ""), await request.body()
        words = {"true": True, "false": False}
        fields = {name: words.get(text, text) for name, text in _form(kind, body)}
        return self._export(fields, request)

    def _export(self, fields: dict[str, Any], request: Request) -> Response:
        room = fields.get("conversationId")
        if not room or not isinstance(room, str):
            raise refused(400, "conversationId is required")
        wanted = {name: fields.get(f"include{name.capitalize()}", True) for name in INCLUDED}
        if not all(isinstance(value, bool) for value in wanted.values()):
            raise refused(400, "include flags must be boolean")
        ours = self._calls.of_room(room)
        contact = self._calls.contact_row(*ours) if ours else self._api.contact_of_room(room)
        if contact is None or contact["status"] != "completed" or (not ours and kind_of(contact["id"]) == "gone"):
            raise refused(404, "Conversation not found")
        if ours:
            agent, parts = int(ours[0].agent_id[-1]), self._submitted_parts(*ours, request)
        else:
            index = item_of(contact["id"])[0]
            agent, parts = index % 4, self._parts(index, contact["id"], request)
        conversation = {
            "sessionId": f"session_{contact['id'].removeprefix('contact_')}",
            "roomName": room,
            "agentId": f"agent_{agent}",
            "duration": contact["callDuration"],
            "agentConfiguration": {"name": f"Agent {agent}", "prompt": "Be polite. Confidential."},
        }
        return JSONResponse(
            {
                "exportMetadata": {
                    "exportedAt": timestamp(int(self._world.now() * 1000)),
                    "organizationId": self._api.organization_id,
                    "conversationId": room,
                    "dataVersion": "1.1",
                    "exportType": "single_conversation",
                    "includedData": wanted,
                    "schemaVersion": "1.1",
                },
                "conversation": conversation | {key: value for name, key, value in parts if wanted[name]},
                "summary": {"messageCount": 2},
            },
            headers={"Content-Disposition": 'attachment; filename="conversation.json"'},
        )

    def _parts(self, index: int, contact_id: str, request: Request) -> list[tuple[str, str, Any]]:
        kind, ended = kind_of(contact_id), self._world.progress(index, self._world.elapsed()).ended
        parts: list[tuple[str, str, Any]] = []
        if kind != "no_transcript" and not (kind == "late" and self._world.is_early(ended)):
            parts.append(("transcript", "transcript", transcript_of(contact_id)))
            parts.append(("analysis", "postCallAnalysis", analysis_of(contact_id)))
        if kind != "no_recording":
            url = self._storage.sign(request, f"recordings/{contact_id}.mp3")
            parts.append(("recording", "recordingUrl", url))
        return parts

    def _submitted_parts(self, job: CallingJob, contact: int, request: Request) -> list[tuple[str, str, Any]]:
        whom, row = job.contacts[contact], self._calls.contact_row(job, contact)
        transcript = [
            {"role": "agent", "text": f"Is this {whom.data.get('name', '')} at {whom.phone}?", "offsetSeconds": 0.5},
            {"role": "user", "text": "Yes", "offsetSeconds": 2.25},
        ]
        return [
            ("transcript", "transcript", transcript),
            ("analysis", "postCallAnalysis", {"Outcome": "renewed", "Phone": whom.phone}),
            ("recording", "recordingUrl", self._storage.sign(request, f"calls/{row['id']}.mp3")),
        ]

    def _stored_call(self, name: str, request: Request) -> Content | None:
        found = self._calls.find_contact(name.removesuffix(".mp3"))
        if found is None:
            return None
        head = f"{name} {found[0].contacts[found[1]].phone}".encode()
        return filled("audio/mpeg", ID3 + head, b"", BYTES)

    def _stored(self, name: str, request: Request) -> Content:
        return recording_of(name.removesuffix(".mp3"), self._world.settings.large_bytes)


def _form(kind: str, body: bytes) -> list[tuple[str, str]]:
    """Read a form in either encoding."""
    if not kind.startswith("multipart/form-data"):
        return parse_qsl(body.decode("utf-8", "replace"))
    message = email.message_from_bytes(b"Content-Type: " + kind.encode() + b"\r\n\r\n" + body)
    fields = []
    for part in message.walk():
        name, text = part.get_param("name", header="content-disposition"), part.get_payload(decode=True)
        if isinstance(name, str) and isinstance(text, bytes):
            fields.append((name, text.decode("utf-8", "replace")))
    return fields
