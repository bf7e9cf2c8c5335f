"""Anthropic's API of message batches on a real socket, written from its reference; nothing here imports the package.

What a request asks for is decided by its ``custom_id``: ``bad-...`` is refused, ``late-...`` expires, all others are
answered. A batch ends when it was looked at three times.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.vendor_server import Answer, VendorServer, serve

KEY = "sk-ant-secret"
COUNTERS = {"succeeded": 0, "errored": 0, "canceled": 0, "expired": 0}
LOOKS = 3
VERSIONS = ("2023-06-01", "2026-10-21")


def refusal(status: int, kind: str, message: str) -> Answer:
    """Return an error in Anthropic's envelope."""
    error = {"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_1"}
    return Answer(status, json.dumps(error).encode())


def ok(document: Any) -> Answer:
    """Return a JSON answer."""
    return Answer(body=json.dumps(document).encode())


@dataclass
class Anthropic:
    """A workspace.

    :param batches: the batches by id, oldest first
    :param requests: their requests
    :param looks: how often each was looked at
    :param loses_answers: how many of the next answers to what makes a batch are lost
    :param stays: whether batches stay as they are
    """

    batches: dict[str, dict[str, Any]] = field(default_factory=dict)
    requests: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    looks: dict[str, int] = field(default_factory=dict)
    loses_answers: int = 0
    stays: bool = False
    server: VendorServer = field(init=False)

    def __call__(self, method: str, path: str, query: dict[str, str], headers: Mapping[str, str]) -> Answer:
        # The reference sends the key as x-api-key, the SDKs since 2.0 as a bearer token.
        if KEY not in {headers.get("x-api-key"), headers.get("Authorization", "").removeprefix("Bearer ")}:
            return refusal(401, "authentication_error", "invalid x-api-key")
        if headers.get("anthropic-version") not in VERSIONS:
            return refusal(400, "invalid_request_error", "anthropic-version: header is required")
        match method, *path.removeprefix("/v1/messages/").split("/"):
            case "POST", "batches":
                return self.create(json.loads(self.server.asked[-1].body))
            case "GET", "batches":
                return self.page(query)
            case "GET", "batches", batch_id if batch_id in self.batches:
                self.advance(batch_id)
                return ok(self.batches[batch_id])
            case "POST", "batches", batch_id, "cancel" if batch_id in self.batches:
                return self.cancel(self.batches[batch_id])
            case "GET", "batches", batch_id, "results" if batch_id in self.batches:
                return self.results(batch_id)
        return refusal(404, "not_found_error", "Not found")

    def create(self, asked: dict[str, Any]) -> Answer:
        """Create a batch of requests."""
        ids = [request.get("custom_id") for request in asked["requests"]]
        if not ids or len({*ids}) < len(ids) or not all("params" in request for request in asked["requests"]):
            return refusal(400, "invalid_request_error", "requests: invalid")
        batch = self.add(asked["requests"])
        if self.loses_answers:
            self.loses_answers -= 1
            return Answer(502, b"<html>Bad gateway</html>")
        return ok(batch)

    def add(self, requests: list[dict[str, Any]]) -> dict[str, Any]:
        """Add a batch and return it."""
        batch_id = f"msgbatch_{len(self.batches):04d}"
        now = datetime.now(UTC)
        self.requests[batch_id] = requests
        self.batches[batch_id] = {
            "id": batch_id,
            "type": "message_batch",
            "processing_status": "in_progress",
            "request_counts": {"processing": len(requests), **COUNTERS},
            "created_at": now.isoformat(),
            "expires_at": (now + timedelta(days=1)).isoformat(),
            "ended_at": None,
            "archived_at": None,
            "cancel_initiated_at": None,
            "results_url": None,
        }
        return self.batches[batch_id]

    def page(self, query: Mapping[str, str]) -> Answer:
        """List batches, the newest first."""
        limit = int(query.get("limit", "20"))
        if not 1 <= limit <= 1000:
            return refusal(400, "invalid_request_error", "limit: out of range")
        for batch_id in self.batches:
            self.advance(batch_id)
        rows = list(reversed(self.batches.values()))
        start = [row["id"] for row in rows].index(query["after_id"]) + 1 if "after_id" in query else 0
        page = rows[start : start + limit]
        ends = {"first_id": page[0]["id"], "last_id": page[-1]["id"]} if page else {"first_id": None, "last_id": None}
        return ok({"data": page, "has_more": start + limit < len(rows), **ends})

    def advance(self, batch_id: str) -> None:
        """Look at a batch, which ends by that some time."""
        self.looks[batch_id] = self.looks.get(batch_id, 0) + 1
        batch = self.batches[batch_id]
        is_due = self.looks[batch_id] >= LOOKS or batch["processing_status"] == "canceling"
        if is_due and batch["processing_status"] != "ended" and not self.stays:
            self.end(batch)

    def end(self, batch: dict[str, Any]) -> None:
        """End a batch."""
        counts = {"processing": 0, **COUNTERS}
        for line in self.lines(batch):
            counts[line["result"]["type"]] += 1
        url = f"{self.server.url}/v1/messages/batches/{batch['id']}/results"
        ended_at = datetime.now(UTC).isoformat()
        batch |= {"processing_status": "ended", "request_counts": counts, "results_url": url, "ended_at": ended_at}

    def lines(self, batch: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Return the results of a batch, in an order of their own."""
        was_canceled = batch["cancel_initiated_at"] is not None
        requests = self.requests[batch["id"]]
        lines = [result_of(request, was_canceled=was_canceled and place > 0) for place, request in enumerate(requests)]
        return lines[::-1]

    def results(self, batch_id: str) -> Answer:
        """Answer with a line for each request."""
        batch = self.batches[batch_id]
        if batch["results_url"] is None:
            return refusal(404, "not_found_error", "The results of this batch are not available")
        content = "".join(json.dumps(line) + "\n" for line in self.lines(batch)).encode()
        return Answer(body=content, headers={"Content-Type": "application/x-jsonl"})

    def cancel(self, batch: dict[str, Any]) -> Answer:
        """Cancel a batch."""
        if batch["processing_status"] == "ended":
            return refusal(400, "invalid_request_error", "The batch has ended already")
        batch |= {"processing_status": "canceling", "cancel_initiated_at": datetime.now(UTC).isoformat()}
        return ok(batch)


def result_of(request: Mapping[str, Any], *, was_canceled: bool) -> dict[str, Any]:
    """Return the line of the results for a request."""
    custom_id = request["custom_id"]
    result: dict[str, Any] = {"type": "succeeded"}
    if was_canceled:
        result = {"type": "canceled"}
    elif custom_id.startswith("late-"):
        result = {"type": "expired"}
    elif custom_id.startswith("bad-"):
        error = {"type": "invalid_request_error", "message": "model: not found"}
        result = {"type": "errored", "error": {"type": "error", "error": error, "request_id": "req_1"}}
    else:
        result["message"] = {
            "id": f"msg_{custom_id}",
            "type": "message",
            "role": "assistant",
            "model": request["params"].get("model"),
            "content": [{"type": "text", "text": f"Grüß Gott, {custom_id}"}],
            "stop_reason": "end_turn",
            "stop_sequence": None,
            "usage": {"input_tokens": 2**53 + 1, "output_tokens": 4},
        }
    return {"custom_id": custom_id, "result": result}


@contextmanager
def serving() -> Iterator[Anthropic]:
    """Serve an empty workspace, the default connection leading there."""
    workspace = Anthropic()
    with serve(workspace) as workspace.server, pytest.MonkeyPatch.context() as patch:
        connection = {"conn_type": "anthropic_batches", "host": workspace.server.url, "password": KEY}
        patch.setenv("AIRFLOW_CONN_ANTHROPIC_BATCHES_DEFAULT", json.dumps(connection))
        yield workspace
