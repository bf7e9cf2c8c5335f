"""A server that answers with bytes as they are, HTTP or not, as long as the client takes them."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

Script = Callable[[socket.socket, bytes], None]
"""Answers on a connection, given the head of the request that came on it; the connection is closed afterwards."""


class HostileServer:
    """Takes connections on a free local port and remembers the requests that came.

    :param script: what it answers
    :param tls: to speak TLS
    """

    def __init__(self, script: Script, tls: ssl.SSLContext | None = None) -> None:
        self.script = script
        self.asked: list[bytes] = []
        self.ending = threading.Event()
        self._tls = tls
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.url = f"http{'s' if tls else ''}://127.0.0.1:{self.port}"
        self._open: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return  # it ends
            self._open.append(connection)
            thread = threading.Thread(target=self._answer, args=(connection,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _answer(self, connection: socket.socket) -> None:
        with suppress(OSError):  # the client has had enough
            if self._tls:
                connection = self._tls.wrap_socket(connection, server_side=True)
                self._open.append(connection)
            head = b""
            while b"\r\n\r\n" not in head:
                received = connection.recv(65536)
                if not received:
                    return
                head += received
            self.asked.append(head)
            self.script(connection, head)
        with suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)
        connection.close()

    def end(self) -> None:
        """Close every connection and wait for the threads."""
        self.ending.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in self._open:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(10)


@contextmanager
def attack(script: Script, tls: ssl.SSLContext | None = None) -> Iterator[HostileServer]:
    """Serve a script."""
    server = HostileServer(script, tls)
    try:
        yield server
    finally:
        server.end()


def say(*pieces: bytes) -> Script:
    """Answer with bytes, whatever is asked."""
    return lambda connection, head: connection.sendall(b"".join(pieces))


def forever(begin: bytes, piece: bytes) -> Script:
    """Answer with the same bytes again and again, as fast as the client takes them."""

    def script(connection: socket.socket, head: bytes) -> None:
        connection.sendall(begin)
        while True:
            connection.sendall(piece)

    return script


def answer(body: bytes = b"", status: int = 200, **headers: str) -> bytes:
    """Return a whole answer; underscores in the names of headers are hyphens."""
    named = {"Content-Length": str(len(body)), "Connection": "close"}
    named |= {name.replace("_", "-"): value for name, value in headers.items()}
    lines = "".join(f"{name}: {value}\r\n" for name, value in named.items())
    return f"HTTP/1.1 {status} Said\r\n{lines}\r\n".encode("latin-1") + body
