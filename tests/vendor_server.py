"""A scripted HTTP server on a real socket, faults included, and the five listings as their vendors document them.

Nothing here imports the package: it is a second reading of the vendors' pages, against which the first one is tested.
"""

from __future__ import annotations

import gzip
import json
import socket
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum, auto
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal
from urllib.parse import parse_qsl


class How(Enum):
    """The way an answer travels."""

    PLAIN = auto()
    CHUNKED = auto()
    GZIP = auto()
    CLOSE = auto()  # the connection is closed instead of an answer
    SILENT = auto()  # nothing comes until the server ends
    BROKEN_OFF = auto()  # fewer bytes than Content-Length says
    CHUNKS_BROKEN_OFF = auto()
    GZIP_BROKEN_OFF = auto()  # half the gzip stream, under a Content-Length that fits
    NOT_GZIP = auto()  # plain bytes, announced as gzip


@dataclass(frozen=True)
class Answer:
    """What a script answers."""

    status: int = 200
    body: bytes = b"{}"
    headers: Mapping[str, str] = field(default_factory=dict)
    how: How = How.PLAIN


@dataclass(frozen=True)
class Asked:
    """A request that came; path and target are as they stood in the request line."""

    target: str
    path: str
    query: dict[str, str]
    headers: Mapping[str, str]
    connection: int
    method: str = "GET"
    body: bytes = b""


Script = Callable[[str, str, dict[str, str], Mapping[str, str]], Answer]


def redirect(to: str, status: int = 302) -> Answer:
    """Send the client elsewhere."""
    return Answer(status, b"<html>moved</html>", {"Location": to, "Content-Type": "text/html"})


def in_turn(*answers: Answer) -> Script:
    """Answer with one after the other, whatever is asked; the last one stays."""
    left = list(answers)
    return lambda method, path, query, headers: left.pop(0) if len(left) > 1 else left[0]


class VendorServer(ThreadingHTTPServer):
    """Answers by a script and records what was asked."""

    daemon_threads = False  # so that the end waits for them
    allow_reuse_address = False

    def __init__(self, script: Script) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.script = script
        self.asked: list[Asked] = []
        self.crashes: list[BaseException] = []
        self.ending = threading.Event()
        self._sockets: list[socket.socket] = []

    @property
    def url(self) -> str:
        """The base URL."""
        return f"http://127.0.0.1:{self.server_port}"

    def restart(self, script: Script) -> None:
        """Forget what was asked and follow another script."""
        self.script = script
        self.asked.clear()

    def get_request(self) -> tuple[socket.socket, Any]:
        """Keep what is accepted, to be able to end it."""
        connection, address = super().get_request()
        self._sockets.append(connection)
        return connection, address

    def end(self) -> None:
        """Stop, close every connection and wait for its thread."""
        self.ending.set()
        self.shutdown()
        for connection in self._sockets:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue  # closed already
        self.server_close()


@contextmanager
def serve(script: Script) -> Iterator[VendorServer]:
    """Serve a script on a free local port; an exception in the script fails the test."""
    server = VendorServer(script)
    thread = threading.Thread(target=server.serve_forever, args=(0.005,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.end()
        thread.join()
    if server.crashes:
        raise server.crashes[0]


_ENDS_CONNECTION = {How.CLOSE, How.SILENT, How.BROKEN_OFF, How.CHUNKS_BROKEN_OFF}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: VendorServer

    def do_GET(self) -> None:
        path, _, query = self.path.partition("?")
        parameters = dict(parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query)))
        port: int = self.client_address[1]
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.asked.append(Asked(self.path, path, parameters, dict(self.headers), port, self.command, body))
        try:
            answer = self.server.script(self.command, path, parameters, self.headers)  # type: ignore[arg-type]
        except Exception as error:  # noqa: BLE001 - it belongs to the test, not to this thread
            self.server.crashes.append(error)
            answer = Answer(418, b"the script of the test crashed")
        if answer.how is How.SILENT:
            self.server.ending.wait()
        self.close_connection = answer.how in _ENDS_CONNECTION
        if answer.how not in {How.CLOSE, How.SILENT}:
            self.wfile.write(_on_the_wire(answer))

    do_POST = do_PATCH = do_DELETE = do_GET  # noqa: N815

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Stay quiet."""


def _on_the_wire(answer: Answer) -> bytes:
    body, how = answer.body, answer.how
    headers = {"Content-Type": "application/json", "Content-Length": str(len(body)), **answer.headers}
    if how in {How.GZIP, How.GZIP_BROKEN_OFF, How.NOT_GZIP}:
        body = body if how is How.NOT_GZIP else gzip.compress(body)
        body = body[: len(body) // 2] if how is How.GZIP_BROKEN_OFF else body
        headers |= {"Content-Encoding": "gzip", "Content-Length": str(len(body))}
    elif how in {How.CHUNKED, How.CHUNKS_BROKEN_OFF}:
        del headers["Content-Length"]
        headers["Transfer-Encoding"] = "chunked"
        parts = [body[start : start + 7] for start in range(0, len(body), 7)]
        body = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts)
        body += b"40\r\nabc" if how is How.CHUNKS_BROKEN_OFF else b"0\r\n\r\n"
    elif how is How.BROKEN_OFF:
        headers["Content-Length"] = str(len(body) + 10)
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {answer.status} Said\r\n{lines}\r\n".encode("latin-1") + body


LAST_PAGES: Mapping[str, str] = {
    "absent": "",
    "null": ',"next_page_token":null',
    "empty": ',"next_page_token":""',
    "blank": ',"next_page_token":" "',
}
"""The forms in which a last page may say that there is no other."""


@dataclass(frozen=True)
class Served:
    """A listing as a vendor holds it.

    :param rows: its rows, each a JSON text
    :param cap: the most rows that the server puts into a page, whatever is asked for
    :param last: how a last page says that there is no other, of :data:`LAST_PAGES`
    :param total: what is reported as the number of rows
    :param mark: part of every token
    :param glue: what stands between rows
    :param echoes: whether listing 5 tells the page size that it used
    """

    rows: Sequence[str]
    cap: int = 100
    last: str = "absent"
    total: int | Literal["exact", "absent"] | None = "exact"
    mark: str = "+/="
    glue: str = ","
    echoes: bool = True

    def page(self, start: int, size: int) -> str:
        """Return the rows from one on, as the inside of a JSON array."""
        return self.glue.join(self.rows[start : start + size])

    def said_total(self, name: str) -> str:
        """Return the total as the end of a JSON object."""
        total = len(self.rows) if self.total == "exact" else self.total
        return "" if total == "absent" else f',"{name}":{json.dumps(total)}'

    def cursor_page(self, token: str | None, size: int) -> tuple[str, str] | None:
        """Return rows and what follows them, or None for a token that was never given."""
        try:
            start = int((token or f"{self.mark}0").removeprefix(self.mark))
        except ValueError:
            return None
        end = start + size
        token_text = json.dumps(f"{self.mark}{end}")
        return self.page(start, size), f',"next_page_token":{token_text}' if end < len(self.rows) else self._end()

    def _end(self) -> str:
        return LAST_PAGES[self.last]


def _ok(text: str) -> Answer:
    return Answer(200, text.encode())


def _playment_refuses(code: str) -> Answer:
    return Answer(400, json.dumps({"error": {"code": code, "message": "refused"}, "success": False}).encode())


def _detail(status: int, text: str) -> Answer:
    return Answer(status, json.dumps({"detail": text}).encode())


def playment_batches(served: Served, query: Mapping[str, str]) -> Answer:
    """``GET /v1/projects/{project_id}/details``: all at once."""
    rows = served.page(0, len(served.rows))
    return _ok(f'{{"data":{{"name":"P","base":"IMAGE","batches":[{rows}]}},"success":true}}')


def playment_jobs(served: Served, query: Mapping[str, str]) -> Answer:
    """``GET /v1/projects/{project_id}/batch/{batch_id}``: 100 a page, ``page_token``."""
    page = served.cursor_page(query.get("page_token"), min(100, served.cap))
    if page is None:
        return _playment_refuses("invalid_request_error")
    return _ok(f'{{"data":{{"id":"","project_id":"","name":"B","jobs":[{page[0]}]{page[1]}}},"success":true}}')


def llamacloud_batches(served: Served, query: Mapping[str, str]) -> Answer:
    """``GET /api/v2/batches``: ``page_size``, ``page_token``."""
    page = served.cursor_page(query.get("page_token"), min(int(query.get("page_size", "20")), served.cap))
    if page is None:
        return _detail(400, "Invalid page token")
    return _ok(f'{{"items":[{page[0]}]{page[1]}{served.said_total("total_size")}}}')


def llamacloud_jobs(served: Served, query: Mapping[str, str]) -> Answer:
    """``GET /api/v1/beta/batch-processing``: ``limit`` 1 to 1000, ``offset``; a token that no parameter takes."""
    limit, offset = int(query.get("limit", "50")), int(query.get("offset", "0"))
    if "page_token" in query or not 1 <= limit <= 1000 or offset < 0:
        return _detail(422, "Input should be as documented")
    rows = served.page(offset, min(limit, served.cap))
    return _ok(f'{{"items":[{rows}],"next_page_token":"{served.mark}"{served.said_total("total_size")}}}')


def talkifai_jobs(served: Served, query: Mapping[str, str]) -> Answer:
    """``GET /batch/jobs``: ``organizationId``, ``page`` from 1, ``pageSize`` 1 to 100."""
    page, asked = int(query.get("page", "1")), int(query.get("pageSize", "20"))
    if "organizationId" not in query or page < 1 or not 1 <= asked <= 100:
        return _detail(400, "Invalid request")
    size = min(asked, served.cap)
    rows = served.page((page - 1) * size, size)
    echo = f',"page":{page},"pageSize":{size}' if served.echoes else ""
    return _ok(f'{{"batchJobs":[{rows}]{served.said_total("total")}{echo}}}')


PAGES: Mapping[str, Callable[[Served, Mapping[str, str]], Answer]] = {
    "playment.batches": playment_batches,
    "playment.batch_jobs": playment_jobs,
    "llamacloud.batches": llamacloud_batches,
    "llamacloud.batch_processing_jobs": llamacloud_jobs,
    "talkifai.batch_jobs": talkifai_jobs,
}
PATHS: Mapping[str, str] = {
    "playment.batches": "/v1/projects/p%2F1/details",
    "playment.batch_jobs": "/v1/projects/p%2F1/batch/b%201",
    "llamacloud.batches": "/api/v2/batches",
    "llamacloud.batch_processing_jobs": "/api/v1/beta/batch-processing",
    "talkifai.batch_jobs": "/batch/jobs",
}
"""Where a listing is, for project ``p/1`` and batch ``b 1``."""


def listing(name: str, served: Served) -> Script:
    """Serve one of the five listings at its path; anything else is not found."""

    def script(method: str, path: str, query: dict[str, str], headers: Mapping[str, str]) -> Answer:
        if (method, path) != ("GET", PATHS[name]):
            return _detail(404, "Not Found")
        return PAGES[name](served, query)

    return script
