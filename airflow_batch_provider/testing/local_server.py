"""Local servers for the checks: one that a function answers, and a proxy that loses answers of a vendor's fake."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal
from urllib.parse import parse_qsl, urlsplit


@dataclass(frozen=True)
class Asked:
    """A request that came.

    :param method: its HTTP method
    :param target: path and query, as they stood in the request line
    :param headers: its headers
    :param body: its body
    """

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def path(self) -> str:
        """The path."""
        return self.target.partition("?")[0]

    @property
    def query(self) -> dict[str, str]:
        """The query; the last value of each key."""
        return dict(parse_qsl(self.target.partition("?")[2], keep_blank_values=True))


@dataclass(frozen=True)
class Said:
    """What is answered.

    :param body: the body
    :param status: the HTTP status
    :param headers: headers beside the length
    """

    body: bytes
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


Script = Callable[[Asked], Said | None]
"""Answers a request; None closes the connection without an answer."""


@contextmanager
def serve(script: Script) -> Iterator[str]:
    """Serve on a free local port, whose URL is the value of the block.

    :param script: answers the requests
    """

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def handle_one_request(self) -> None:
            try:
                super().handle_one_request()
            except ConnectionError:
                self.close_connection = True

        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            said = script(Asked(self.command, self.path, dict(self.headers), body))
            if said is None:
                self.close_connection = True
                return
            self.send_response(said.status)
            for name, value in {"Content-Type": "application/json", **said.headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(said.body)))
            self.end_headers()
            self.wfile.write(said.body)

        do_POST = do_PUT = do_PATCH = do_DELETE = do_GET  # noqa: N815 - the names that http.server calls

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as it is declared
            """Log nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.block_on_close = False
    thread = threading.Thread(target=server.serve_forever, args=(0.005,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


_HOP_BY_HOP = {"connection", "content-length", "transfer-encoding", "host", "content-type"}


@dataclass
class LosingProxy:
    """Passes requests on to a server, counts those that create, and loses one of these.

    :param url: the server's URL
    :param creates: returns whether a request creates something
    :param loses: whether the lost one reaches the server: its ``answer`` is lost, or the whole ``request``
    :param at: which of those that create is lost, from 1; 0 for none
    :param sent: how many of those came
    :param accepted: how many of those the server took
    """

    url: str
    creates: Callable[[Asked], bool]
    loses: Literal["answer", "request"] = "answer"
    at: int = 0
    sent: int = 0
    accepted: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, asked: Asked) -> Said | None:
        if not self.creates(asked):
            return self._pass_on(asked)
        with self._lock:
            self.sent += 1
            is_lost = self.sent == self.at
        if is_lost and self.loses == "request":
            return None
        said = self._pass_on(asked)
        with self._lock:
            self.accepted += 200 <= said.status < 300
        return None if is_lost else said

    def _pass_on(self, asked: Asked) -> Said:
        where = urlsplit(self.url)
        connection = http.client.HTTPConnection(where.hostname or "", where.port, timeout=30)
        try:
            headers = {name: value for name, value in asked.headers.items() if name.lower() not in _HOP_BY_HOP}
            kind = next((value for name, value in asked.headers.items() if name.lower() == "content-type"), None)
            headers |= {"Content-Type": kind} if kind else {}
            connection.request(asked.method, where.path.rstrip("/") + asked.target, asked.body or None, headers)
            answer = connection.getresponse()
            kept = {name: value for name, value in answer.getheaders() if name.lower() not in _HOP_BY_HOP}
            media_type = answer.getheader("Content-Type") or "application/json"
            return Said(answer.read(), answer.status, {**kept, "Content-Type": media_type})
        finally:
            connection.close()
