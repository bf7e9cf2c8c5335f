"""Runs the sandbox on a real socket, in this process."""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.auto import AutoHTTPProtocol

from airflow_batch_provider.sandbox.app import create_app
from airflow_batch_provider.sandbox.content import Cut
from airflow_batch_provider.sandbox.faults import CLOSE
from airflow_batch_provider.sandbox.journal import Journal
from airflow_batch_provider.sandbox.settings import Settings
from airflow_batch_provider.sandbox.storage import Storage

SECONDS_TO_START = 30
SECONDS_TO_END = 1  # for answers under way
Transports = dict[tuple[str, int, int], asyncio.BaseTransport]


class Server(uvicorn.Server):
    """A web server that has its ports before it starts, and reports when it listens.

    It has two origins: the API, and on a port of its own the files behind signed URLs.

    :param app: what to serve.
    :param host: address to bind to.
    :param port: of the API; 0 for a free one.
    :param listening: called with the API's URL once requests are answered.
    :param files_port: of the files; 0 for a free one.
    :raises OSError: if an address cannot be bound.
    """

    def __init__(
        self, app: Starlette, host: str, port: int, listening: Callable[[str], None], files_port: int = 0
    ) -> None:
        # Logging is left as the process has it, but for answers that are cut on purpose.
        logging.getLogger("uvicorn.error").addFilter(_is_no_cut)
        options: dict[str, Any] = {"log_config": None, "log_level": "error", "access_log": False}
        storage: Storage = app.state.storage
        transports: Transports = {}
        options["http"] = _protocol(transports)
        both = _by_port(app, storage, transports)
        super().__init__(uvicorn.Config(both, lifespan="off", timeout_graceful_shutdown=SECONDS_TO_END, **options))
        self._socket, self._listening = _bound(host, port), listening
        try:
            self._files_socket = _bound(host, files_port)
        except OSError:
            self._socket.close()
            raise
        storage.ports.api, storage.ports.files = (s.getsockname()[1] for s in (self._socket, self._files_socket))
        shown = f"[{host}]" if ":" in host else host
        self.url, self.files_url = (f"http://{shown}:{n}" for n in (storage.ports.api, storage.ports.files))
        app.state.how_to["files_url"] = self.files_url

    def run(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve until stopped; the sockets are bound already."""
        super().run([self._socket, self._files_socket])

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then say so."""
        await super().startup(sockets)
        self._listening(self.url)


def _bound(host: str, port: int) -> socket.socket:
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        error.add_note(f"port {port}")
        raise


def _protocol(transports: Transports) -> type[asyncio.Protocol]:
    """Return uvicorn's protocol, which also keeps the transports of open connections, by both ports."""

    class Protocol(AutoHTTPProtocol):  # type: ignore[valid-type, misc]
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            client, server = transport.get_extra_info("peername"), transport.get_extra_info("sockname")
            self._ports = (*client[:2], server[1])
            transports[self._ports] = transport
            super().connection_made(transport)

        def connection_lost(self, exc: Exception | None) -> None:
            transports.pop(self._ports, None)
            super().connection_lost(exc)

    return Protocol


def _by_port(api: ASGIApp, storage: Storage, transports: Transports) -> ASGIApp:
    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        if transport := transports.get((*scope["client"], scope["server"][1])):
            scope[CLOSE] = transport.close
        await (storage if scope["server"][1] == storage.ports.files else api)(scope, receive, send)

    return answer


def _is_no_cut(record: logging.LogRecord) -> bool:
    return not (record.exc_info and isinstance(record.exc_info[1], Cut))


@dataclass(frozen=True)
class Sandbox:
    """A running sandbox.

    :param url: the URL of the API.
    :param how_to: the landing page, with keys and ids.
    :param requests: the latest API requests, as texts such as ``GET /path?query``.
    :param files_url: the URL of the server of files behind signed URLs.
    :param file_requests: the latest requests there, as texts such as ``GET /path`` and ``GET /path bytes=5-``.
    :param read_journal: returns the journal; use :attr:`journal` instead.
    """

    url: str
    how_to: dict[str, Any]
    requests: deque[str]
    files_url: str
    file_requests: deque[str]
    read_journal: Callable[[], Journal]

    @property
    def journal(self) -> Journal:
        """What was written until now, as a snapshot."""
        return self.read_journal()


@contextmanager
def serve(settings: Settings | None = None, clock: Callable[[], float] = time.time) -> Iterator[Sandbox]:
    """Run a sandbox in a daemon thread on two free ports of 127.0.0.1, and stop it at the end of the block.

    :param settings: what to serve and how to behave.
    :param clock: gives Unix seconds; tests pass one that they move by hand.
    :raises TimeoutError: if it does not start.
    """
    app, listening = create_app(settings, clock), threading.Event()
    server = Server(app, "127.0.0.1", 0, lambda url: listening.set())
    thread = threading.Thread(target=server.run, name="sandbox", daemon=True)
    thread.start()
    try:
        if not listening.wait(SECONDS_TO_START):
            raise TimeoutError(f"the sandbox did not start within {SECONDS_TO_START} seconds")
        seen = app.state.requests, server.files_url, app.state.storage.requests, app.state.recorder.view
        yield Sandbox(server.url, app.state.how_to, *seen)
    finally:
        server.should_exit = True
        thread.join()
