"""Runs the sandbox on a real socket, in this process."""

from __future__ import annotations

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

from airflow_batch_provider.sandbox.app import create_app
from airflow_batch_provider.sandbox.settings import Settings

SECONDS_TO_START = 30
SECONDS_TO_END = 1  # for answers under way


class Server(uvicorn.Server):
    """A web server that has its port before it starts, and tells when it listens.

    :param app: what to serve.
    :param host: address to bind to.
    :param port: 0 for a free one.
    :param listening: called with the URL once requests are answered.
    :raises OSError: if the address cannot be bound.
    """

    def __init__(self, app: Starlette, host: str, port: int, listening: Callable[[str], None]) -> None:
        # Logging is left as the process has it.
        options: dict[str, Any] = {"log_config": None, "log_level": "error", "access_log": False}
        super().__init__(uvicorn.Config(app, lifespan="off", timeout_graceful_shutdown=SECONDS_TO_END, **options))
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._socket, self._listening = socket.create_server((host, port), family=family), listening
        shown = f"[{host}]" if ":" in host else host
        self.url = f"http://{shown}:{self._socket.getsockname()[1]}"

    def run(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve until told to stop; the socket is bound already."""
        super().run([self._socket])

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then say so."""
        await super().startup(sockets)
        self._listening(self.url)


@dataclass(frozen=True)
class Sandbox:
    """A running sandbox.

    :param url: where it listens.
    :param how_to: the landing page: keys and ids.
    :param requests: the latest API requests, as texts such as ``GET /path?query``.
    """

    url: str
    how_to: dict[str, Any]
    requests: deque[str]


@contextmanager
def serve(settings: Settings | None = None, clock: Callable[[], float] = time.time) -> Iterator[Sandbox]:
    """Run a sandbox in a daemon thread on a free port of 127.0.0.1, and stop it at the end of the block.

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
        yield Sandbox(server.url, app.state.how_to, app.state.requests)
    finally:
        server.should_exit = True
        thread.join()
