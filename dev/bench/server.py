"""A server that costs next to nothing: pages are slices of made-up rows that were rendered before.

The rows have the size and shape that the vendors document. ``/20000/50/api/v2/batches`` is a listing of 20,000 rows
with 50 ms of latency, so one server serves all cases; it serves what a batch produced, too.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import Any, NamedTuple, cast
from urllib.parse import parse_qsl
from uuid import UUID

from dev.bench import batch
from dev.processes import read_line, running_module

NEWEST = datetime(2026, 11, 20, 12, tzinfo=UTC)
BETWEEN_ROWS = timedelta(seconds=7, milliseconds=137)


def uuid(kind: str, index: int, number: int = 0) -> str:
    """Return an identifier that looks random and depends on the row alone."""
    return str(UUID(bytes=blake2b(f"{kind}/{index}/{number}".encode(), digest_size=16).digest(), version=4))


def moment(index: int, minutes: int = 0, timespec: str = "milliseconds") -> str:
    """Return when a row was made, or some minutes later; listings are newest first."""
    time = NEWEST - index * BETWEEN_ROWS + timedelta(minutes=minutes)
    return time.isoformat(timespec=timespec).replace("+00:00", "Z")


def llamacloud_batch(index: int) -> Any:
    product = "extract_v2" if index % 3 == 1 else "parse_v2"
    return {
        "id": f"bat-{uuid('batch', index)}",
        "config": {"job": {"configuration_id": "cfg-0b9e7c58-1f44-4e0a-8a63-c2d17be0f9a4", "type": product}},
        "project_id": "prj-5d1c43f2-7a0e-4c1b-9f27-3b6f0f2a9d10",
        "source_directory_id": f"dir-{uuid('batch', index, 1)}",
        "status": ("COMPLETED", "COMPLETED", "COMPLETED", "RUNNING", "FAILED")[index % 5],
        "created_at": moment(index),
        "results": [
            {
                "source_directory_file_id": f"dfl-{uuid('file', index, file)}",
                "error_message": "The file is protected by a password" if (index + file) % 10 == 0 else None,
                "job_reference": {"id": f"pjb-{uuid('job', index, file)}", "type": product},
            }
            for file in range(3)
        ],
        "updated_at": moment(index, 11),
    }


def talkifai_job(index: int) -> Any:
    contacts = index % 500 + 1
    failed = contacts // 9
    return {
        "id": f"batch_{uuid('call', index)}",
        "name": f"Renewal campaign {index}",
        "description": "Follow up on expiring subscriptions" if index % 2 else None,
        "status": ("completed", "completed", "running", "scheduled")[index % 4],
        "organizationId": "org_6f3a9c",
        "agentId": f"agent_{index % 7}",
        "fromPhoneNumberId": f"phone_{index % 3}",
        "totalContacts": contacts,
        "contactsProcessed": contacts,
        "successfulCalls": contacts - failed,
        "failedCalls": failed,
        "scheduledStartTime": moment(index, 60, "seconds"),
        "actualStartTime": moment(index, 61, "seconds"),
        "completedAt": None,
        "createdAt": moment(index, 0, "seconds"),
        "concurrentCallLimit": 5,
        "retryPolicy": {"maxAttempts": 3, "retryableStatuses": ["no_answer", "busy", "timeout"]},
    }


Query = Mapping[str, str]
Page = tuple[int, int, str, str]
"""A page: its first row, the row after its last one, and what stands before and after its rows."""


def cursor_page(query: Query, jobs: int) -> Page:
    start = int(query.get("page_token", 0))
    stop = min(start + min(int(query.get("page_size", 50)), 100), jobs)
    token = f'"{stop}"' if stop < jobs else "null"
    return start, stop, '{"items":[', f'],"next_page_token":{token},"total_size":null}}'


def numbered_page(query: Query, jobs: int) -> Page:
    number, size = int(query.get("page", 1)), min(int(query.get("pageSize", 20)), 100)
    start = (number - 1) * size
    return start, min(start + size, jobs), '{"batchJobs":[', f'],"total":{jobs},"page":{number},"pageSize":{size}}}'


class Listing(NamedTuple):
    """A listing as the server offers it."""

    name: str
    path: str
    row: Callable[[int], Any]  # makes the row with a number
    page: Callable[[Query, int], Page]  # makes the page that a query asks for, of so many rows
    described: str = "100 jobs per page"
    kind: str = ""  # of files beside the rows: none

    def ids(self, jobs: int) -> Iterable[str]:
        """Return the id of every row."""
        return (self.row(index)["id"] for index in range(jobs))


CURSOR = Listing("llamacloud.batches", "/api/v2/batches", llamacloud_batch, cursor_page)
NUMBERED = Listing("talkifai.batch_jobs", "/batch/jobs", talkifai_job, numbered_page)


class Pages:
    """The pages of all listings; rows are rendered once, and again if there are too few."""

    def __init__(self) -> None:
        self._listings = {listing.path: listing for listing in (CURSOR, NUMBERED)}
        self._rendered: dict[str, tuple[memoryview, array[int]]] = {}

    def body(self, path: str, query: str, jobs: int) -> Sequence[bytes | memoryview] | None:
        """Return a page in pieces, or None if there is no such listing."""
        if path not in self._listings:
            return None
        listing = self._listings[path]
        if path not in self._rendered or len(self._rendered[path][1]) <= jobs:
            self._rendered[path] = self._render(listing, jobs)
        text, starts = self._rendered[path]
        start, stop, before, after = listing.page(dict(parse_qsl(query)), jobs)
        return before.encode(), text[starts[start] : starts[stop] - 1] if start < stop else b"", after.encode()

    def _render(self, listing: Listing, jobs: int) -> tuple[memoryview, array[int]]:
        """Return all rows as one text, of which any page is a slice, and where each row starts in it."""
        text, starts = bytearray(), array("Q", [0])
        for index in range(jobs):
            text += json.dumps(listing.row(index), separators=(",", ":")).encode() + b","
            starts.append(len(text))
        return memoryview(text), starts


class Connection(asyncio.Protocol):
    """One keep-alive connection of a client that waits for each answer before it sends the next request."""

    def __init__(self, pages: Pages) -> None:
        self._pages = pages
        self._received = b""
        self._blocks: Iterator[memoryview] = iter(())
        self._is_paused = False
        self._transport: asyncio.WriteTransport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Get ready to answer."""
        self._transport = cast(asyncio.WriteTransport, transport)  # uvloop's do not inherit from it
        self._transport.set_write_buffer_limits(high=16 * 1024 * 1024)

    def pause_writing(self) -> None:
        """Send no more of a file for now."""
        self._is_paused = True

    def resume_writing(self) -> None:
        """Send what is left of a file."""
        self._is_paused = False
        self._write_blocks()

    def data_received(self, data: bytes) -> None:
        """Answer each request that is complete."""
        self._received += data
        while b"\r\n\r\n" in self._received:
            head, _, self._received = self._received.partition(b"\r\n\r\n")
            target = head.split(b" ", 2)[1].decode()
            _, jobs, latency, path = target.split("/", 3)
            asyncio.get_running_loop().call_later(int(latency) / 1000, self._answer, f"/{path}", jobs, latency)

    def _answer(self, target: str, jobs: str, latency: str) -> None:
        path, _, query = target.partition("?")
        pieces: Any = self._pages.body(path, query, int(jobs))
        if pieces is None:
            host, port = self._transport.get_extra_info("sockname")
            answer = batch.answer(path, query, int(jobs), f"http://{host}:{port}/{jobs}/{latency}")
            pieces = answer if answer is None or isinstance(answer, batch.File) else (answer,)
        if isinstance(pieces, batch.File):
            self._write(("200 OK", "application/pdf"), pieces.size, ())
            self._blocks = iter(pieces.blocks)
            self._write_blocks()
            return
        status, pieces = ("200 OK", pieces) if pieces else ("404 Not Found", (b"{}",))
        self._write((status, "application/json"), sum(map(len, pieces)), pieces)

    def _write(self, head: tuple[str, str], size: int, pieces: Sequence[bytes | memoryview]) -> None:
        start = f"HTTP/1.1 {head[0]}\r\nContent-Type: {head[1]}\r\nContent-Length: {size}\r\n\r\n"
        if not self._transport.is_closing():
            self._transport.writelines([start.encode(), *pieces])

    def _write_blocks(self) -> None:
        while not self._is_paused and not self._transport.is_closing():
            block = next(self._blocks, None)
            if block is None:
                return
            self._transport.write(block)


@contextlib.contextmanager
def server() -> Iterator[str]:
    """Run the server on a core of its own and give its URL."""
    with running_module("dev.bench.server", core=1) as process:
        yield read_line(process)


async def serve(pages: Pages) -> None:
    listening = await asyncio.get_running_loop().create_server(lambda: Connection(pages), "127.0.0.1", 0)
    print(f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}", flush=True)
    await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    import uvloop

    uvloop.run(serve(Pages()))
