"""Serves accounts over HTTP, lets faults strike, and answers those who run trials.

======================================  =============================================================================
request                                 answer
======================================  =============================================================================
``POST /accounts``                      opens an account: ``{"vendor": ..., "knobs": {...}}`` gives ``{"key": ...}``
``GET /counts?key=``                    what the account counted
``GET /log?key=``                       its requests, in the order in which they came
``POST /advance?key=&seconds=``         lets time pass for it
``POST /knobs?key=``                    turns some of its knobs
``POST /mark?key=&text=``               puts a text into its log
======================================  =============================================================================

Every other path belongs to the vendors. The API key of a request leads to its account.
"""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs
from wsgiref.handlers import format_date_time

from dev.chaos.counting.account import Account, Answer, Asked
from dev.chaos.counting.faults import Fault, How, When
from dev.chaos.counting.llamacloud import LlamaCloud
from dev.chaos.counting.playment import Playment
from dev.chaos.counting.talkifai import TalkifAI

VENDORS: Mapping[str, type[LlamaCloud | Playment | TalkifAI]] = {
    "llamacloud": LlamaCloud,
    "playment": Playment,
    "talkifai": TalkifAI,
}


class CountingServer(ThreadingHTTPServer):
    """The accounts, on a free port of 127.0.0.1."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.lock = threading.Lock()
        self.accounts: dict[str, Account] = {}

    def handle_error(self, request: object, client_address: object) -> None:
        """Log nothing: a process that is killed closes its connections."""

    def control(self, asked: Asked) -> Answer | None:
        """Answer those who run trials, or return None."""
        match asked.method, asked.path:
            case "POST", "/accounts":
                wanted = json.loads(asked.body)
                vendor = VENDORS[wanted["vendor"]]
                key = f"key-{len(self.accounts) + 1:06d}-of-{wanted['vendor']}"
                self.accounts[key] = vendor(key, vendor.knobs_type(**wanted.get("knobs", {})))
                return Answer(200, {"key": key})
            case _, "/counts" | "/log" | "/advance" | "/knobs" | "/mark":
                return Answer(200, self._of_account(asked, self.accounts[asked.one("key") or ""]))
        return None

    @staticmethod
    def _of_account(asked: Asked, account: Account) -> Any:
        match asked.path:
            case "/counts":
                return account.counts()
            case "/advance":
                return {"now": account.advance(float(asked.one("seconds") or 0))}
            case "/knobs":
                account.change(**json.loads(asked.body))
            case "/mark":
                account.log.append({"mark": asked.one("text")})
            case "/log":
                return account.log
        return {}

    def act(self, asked: Asked, client: int) -> tuple[Answer, How | None, float]:
        """Let a request take effect, or not, and return its answer, what the client gets instead, and the time.

        :param asked: the request
        :param client: the port it came from
        """
        for vendor in VENDORS.values():
            if found := vendor.find(asked.method, asked.path):
                break
        else:
            return Answer(404, {"detail": "Not Found"}), None, 0.0
        route, name, ids = found
        account = self.accounts.get(vendor.key_of(asked.headers) or "")
        if not isinstance(account, vendor):
            return Answer(401, {"detail": "Invalid API key", "error": {"code": "auth-failure"}}), None, 0.0
        account.advance(account.knobs.seconds_per_request)
        request = f"{asked.method} {route}"
        account.requests[request] += 1
        fault = next((one for one in account.knobs.faults if one.strikes(request, account.drawn)), None)

        def take_effect() -> Answer:
            answer: Answer = getattr(account, name)(asked, *ids)
            account.settle()
            return answer

        answer = self._answer(account, fault, take_effect)
        # Only what the trial's report needs: a query may be long, and a body may be a file.
        entry = {"at": account.now(), "client": client, "request": f"{asked.method} {asked.path}", "route": request}
        entry["status"] = answer.status
        if fault:
            entry["fault"] = f"{fault.how}, takes effect {'before' if fault.effect is When.BEFORE else fault.effect}"
        account.log.append(entry)
        return answer, fault.how if fault else None, account.now()

    @staticmethod
    def _answer(account: Account, fault: Fault | None, take_effect: Any) -> Answer:
        answer = Answer(504)
        if fault is None or fault.effect is When.BEFORE:
            answer = take_effect()
        elif fault.effect is When.LATER:
            account.later(fault.seconds, take_effect)
        if fault is None or fault.how is not How.STATUS:
            return answer
        body = fault.body if fault.body is not None else account.refuse(fault.status, "A fault of the trial").body
        return Answer(fault.status, body, fault.headers)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: CountingServer

    def _respond(self) -> None:
        body = self._body()
        if body is None:
            self.close_connection = True  # the client was killed on the way: no request, no effect
            return
        path, _, query = self.path.partition("?")
        headers = {name.lower(): value for name, value in self.headers.items()}
        asked = Asked(self.command, path, parse_qs(query, keep_blank_values=True), headers, body)
        with self.server.lock:
            answer, how, now = self.server.control(asked), None, 0.0
            if answer is None:
                answer, how, now = self.server.act(asked, self.client_address[1])
        self._send(answer, how, now)

    do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = _respond  # noqa: N815

    def _body(self) -> bytes | None:
        """Return the body, or None if it does not come whole."""
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            return self._chunks()
        length = int(self.headers.get("Content-Length", 0))
        body = self.rfile.read(length)
        return body if len(body) == length else None

    def _chunks(self) -> bytes | None:
        body = b""
        while line := self.rfile.readline():
            length = int(line, 16)
            chunk = self.rfile.read(length + 2)
            if len(chunk) != length + 2:
                return None
            if not length:
                return body
            body += chunk[:-2]
        return None

    def _send(self, answer: Answer, how: How | None, now: float) -> None:
        if how is How.HANG:
            self.connection.recv(1, socket.MSG_PEEK)  # returns when the client gives up
        if how in {How.HANG, How.CLOSE}:
            self.close_connection = True
            return
        body = b"" if answer.body is None else json.dumps(answer.body).encode()
        self.send_response_only(answer.status)
        self.send_header("Date", format_date_time(now))
        for name, value in {"Content-Type": "application/json", **answer.headers}.items():
            self.send_header(name, value)
        if answer.status != 204:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if how is How.CUT else body)
        self.close_connection = self.close_connection or how is How.CUT

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Stay quiet."""
