"""OpenAI's API of files and batches on a real socket, written from its reference; nothing here imports the package.

What a request asks for is decided by its ``custom_id``: ``bad-...`` is refused, ``late-...`` expires, all others are
answered. A batch moves on each time that it is looked at.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.parser import BytesParser
from email.policy import HTTP
from typing import Any

import pytest

from tests.vendor_server import Answer, VendorServer, serve

KEY = "sk-openai-secret"
NOW = 1_767_225_600
RUNNING = ("validating", "in_progress", "finalizing")
ENDPOINTS = ("/v1/responses", "/v1/chat/completions", "/v1/embeddings", "/v1/completions", "/v1/moderations")


def refusal(status: int, message: str, code: str | None = None) -> Answer:
    """Return an error in OpenAI's envelope."""
    error = {"message": message, "type": "invalid_request_error", "param": None, "code": code}
    return Answer(status, json.dumps({"error": error}).encode())


def ok(document: Any) -> Answer:
    """Return a JSON answer."""
    return Answer(body=json.dumps(document).encode())


@dataclass
class OpenAI:
    """An account.

    :param batches: the batches by id, oldest first
    :param files: the contents of files by id
    :param names: their names
    :param stays: whether batches stay as they are
    """

    batches: dict[str, dict[str, Any]] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    stays: bool = False
    server: VendorServer = field(init=False)

    def __call__(self, method: str, path: str, query: dict[str, str], headers: Mapping[str, str]) -> Answer:
        if headers.get("Authorization") != f"Bearer {KEY}":
            return refusal(401, "Incorrect API key provided.", "invalid_api_key")
        match method, *path.removeprefix("/v1/").split("/"):
            case "POST", "files":
                return self.upload(headers["Content-Type"])
            case "GET", "files", file_id, "content" if file_id in self.files:
                return Answer(body=self.files[file_id], headers={"Content-Type": "application/octet-stream"})
            case "POST", "batches":
                return self.create(json.loads(self.server.asked[-1].body))
            case "GET", "batches":
                return self.page(query)
            case "GET", "batches", batch_id if batch_id in self.batches:
                self.advance(batch_id)
                return ok(self.batches[batch_id])
            case "POST", "batches", batch_id, "cancel" if batch_id in self.batches:
                return self.cancel(self.batches[batch_id])
        return refusal(404, f"No such object: {path}")

    def add_file(self, content: bytes, name: str) -> str:
        """Store a file and return its id."""
        file_id = f"file-{len(self.files):04d}"
        self.files[file_id], self.names[file_id] = content, name
        return file_id

    def upload(self, content_type: str) -> Answer:
        """Take a file of a multipart form."""
        form = BytesParser(policy=HTTP).parsebytes(
            f"Content-Type: {content_type}\r\n\r\n".encode() + self.server.asked[-1].body
        )
        parts = {part.get_param("name", header="content-disposition"): part for part in form.iter_parts()}  # type: ignore[attr-defined]
        purpose, file = parts["purpose"].get_payload(decode=True).decode(), parts["file"]
        if purpose != "batch":
            return refusal(400, f"'{purpose}' is not one of the purposes")
        content = file.get_payload(decode=True)
        facts = {"id": self.add_file(content, file.get_filename()), "bytes": len(content), "created_at": NOW}
        return ok(
            {**facts, "object": "file", "filename": file.get_filename(), "purpose": "batch", "status": "processed"}
        )

    def create(self, asked: dict[str, Any]) -> Answer:
        """Create a batch of a file."""
        if asked.get("completion_window") != "24h" or asked.get("endpoint") not in ENDPOINTS:
            return refusal(400, "Invalid value", "invalid_value")
        if asked.get("input_file_id") not in self.files:
            return refusal(400, "No such file", "file_not_found")
        metadata = asked.get("metadata") or {}
        if not all(isinstance(text, str) and len(text) <= 512 for text in metadata.values()) or len(metadata) > 16:
            return refusal(400, "Invalid metadata", "invalid_value")
        return ok(self.add(asked["input_file_id"], asked["endpoint"], metadata))

    def add(self, file_id: str, endpoint: str = "/v1/chat/completions", metadata: Any = None) -> dict[str, Any]:
        """Add a batch and return it."""
        batch_id = f"batch_{len(self.batches):04d}"
        self.batches[batch_id] = {
            "id": batch_id,
            "object": "batch",
            "endpoint": endpoint,
            "errors": None,
            "input_file_id": file_id,
            "completion_window": "24h",
            "status": "validating",
            "output_file_id": None,
            "error_file_id": None,
            "created_at": NOW + len(self.batches),
            "in_progress_at": None,
            "completed_at": None,
            "request_counts": {"total": 0, "completed": 0, "failed": 0},
            "metadata": metadata,
        }
        return self.batches[batch_id]

    def page(self, query: Mapping[str, str]) -> Answer:
        """List batches, the newest first."""
        limit = int(query.get("limit", "20"))
        if not 1 <= limit <= 100 or query.get("after", next(iter(self.batches), None)) not in {*self.batches, None}:
            return refusal(400, "Invalid value", "invalid_value")
        for batch_id in self.batches:
            self.advance(batch_id)
        rows = list(reversed(self.batches.values()))
        start = [row["id"] for row in rows].index(query["after"]) + 1 if "after" in query else 0
        return ok({"object": "list", "data": rows[start : start + limit], "has_more": start + limit < len(rows)})

    def requests(self, batch: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """Yield the requests of a batch."""
        yield from map(json.loads, self.files[batch["input_file_id"]].splitlines())

    def advance(self, batch_id: str) -> None:
        """Move a batch on by a step."""
        batch = self.batches[batch_id]
        status = batch["status"]
        if self.stays or status not in (*RUNNING, "cancelling"):
            return
        if status == "validating" and (problem := self.problem(batch)):
            batch |= {"status": "failed", "errors": {"object": "list", "data": [problem]}}
        elif status == "cancelling":
            self.end(batch, "cancelled", most=1)
        elif status == "finalizing":
            self.end(batch, "completed")
        else:
            batch |= {"status": RUNNING[RUNNING.index(status) + 1], "in_progress_at": batch["created_at"] + 10}
            batch["request_counts"]["total"] = sum(1 for _ in self.requests(batch))

    def problem(self, batch: Mapping[str, Any]) -> dict[str, Any] | None:
        """Return what is wrong with the input file of a batch."""
        for number, request in enumerate(self.requests(batch), 1):
            if request.get("method") != "POST" or request.get("url") != batch["endpoint"]:
                message = "The url of the request does not match the endpoint of the batch."
                return {"code": "mismatched_url", "message": message, "param": "url", "line": number}
        return None

    def end(self, batch: dict[str, Any], status: str, most: int | None = None) -> None:
        """End a batch; the answers come in an order of their own."""
        done, failed = [], []
        for request in [*self.requests(batch)][:most]:
            line = answer_to(request)
            (done if line["response"] and line["response"]["status_code"] == 200 else failed).insert(0, line)
        for name, lines in (("output", done), ("error", failed)):
            if lines:
                batch[f"{name}_file_id"] = self.add_file(lines_of(lines), f"{batch['id']}_{name}.jsonl")
        batch |= {"status": status, f"{status}_at": batch["created_at"] + 60}
        batch["request_counts"] = {
            "total": sum(1 for _ in self.requests(batch)),
            "completed": len(done),
            "failed": len(failed),
        }

    def cancel(self, batch: dict[str, Any]) -> Answer:
        """Cancel a batch."""
        if batch["status"] not in RUNNING:
            return refusal(409, f"Cannot cancel a batch with status '{batch['status']}'.")
        batch |= {"status": "cancelling", "cancelling_at": NOW}
        return ok(batch)


def lines_of(rows: list[dict[str, Any]]) -> bytes:
    """Return the content of a file of JSON lines."""
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def answer_to(request: Mapping[str, Any]) -> dict[str, Any]:
    """Return the line of a result file that answers a request."""
    custom_id = request["custom_id"]
    line = {"id": f"batch_req_{custom_id}", "custom_id": custom_id, "response": None, "error": None}
    if custom_id.startswith("late-"):
        message = "This request could not be executed before the completion window expired."
        return {**line, "error": {"code": "batch_expired", "message": message}}
    if custom_id.startswith("bad-"):
        body: dict[str, Any] = {"error": {"message": "The model does not exist", "type": "invalid_request_error"}}
        return {**line, "response": {"status_code": 404, "request_id": "req_1", "body": body}}
    message = {"role": "assistant", "content": f"Grüß Gott, {custom_id}", "refusal": None}
    body = {
        "id": f"chatcmpl-{custom_id}",
        "object": "chat.completion",
        "created": 2**53 + 1,
        "model": request["body"].get("model"),
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}],
    }
    return {**line, "response": {"status_code": 200, "request_id": "req_1", "body": body}}


@contextmanager
def serving() -> Iterator[OpenAI]:
    """Serve an empty account, the default connection leading there."""
    account = OpenAI()
    with serve(account) as account.server, pytest.MonkeyPatch.context() as patch:
        connection = {"conn_type": "openai_batches", "host": account.server.url, "password": KEY}
        patch.setenv("AIRFLOW_CONN_OPENAI_BATCHES_DEFAULT", json.dumps(connection))
        yield account
