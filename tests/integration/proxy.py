"""A way to a server that can be cut and opened again, on real sockets."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator


class Proxy:
    """Passes bytes between clients and a server, and may stop to do so.

    :param server_port: where the server listens on 127.0.0.1
    """

    def __init__(self, server_port: int) -> None:
        self._server_port = server_port
        self._sockets: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._refusals_left: int | None = None
        self.lost = 0
        self._loses_next_answer = False
        self.is_open = True
        self.on_bytes: Callable[[bytes], None] = lambda data: None
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def cut(self, refusals: int | None = None) -> None:
        """Drop all connections, and each new one.

        :param refusals: after so many the way is open again; None: never by itself
        """
        self._refusals_left = refusals
        self.is_open = False
        self._drop()

    def restore(self) -> None:
        """Pass bytes again."""
        self.is_open = True

    def lose_next_answer(self) -> None:
        """Cut everything when the server answers next, before its answer arrives."""
        self._loses_next_answer = True

    def close(self) -> None:
        self.cut()
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                if self.is_open:
                    self._connect(client)
                else:
                    client.close()
                    self._count_refusal()

    def _count_refusal(self) -> None:
        if self._refusals_left is not None:
            self._refusals_left -= 1
            self.is_open = self._refusals_left == 0

    def _connect(self, client: socket.socket) -> None:
        try:
            server = socket.create_connection(("127.0.0.1", self._server_port))
        except OSError:
            client.close()
            return
        with self._lock:
            self._sockets |= {client, server}
        for source, target in ((client, server), (server, client)):
            threading.Thread(target=self._pass, args=(source, target, source is client), daemon=True).start()

    def _pass(self, source: socket.socket, target: socket.socket, is_request: bool) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if is_request:
                    self.on_bytes(data)
                elif self._loses_next_answer and b"100 Continue" not in data:
                    self._loses_next_answer = False
                    self.lost += 1
                    self.cut()
                    break
                target.sendall(data)
        for end in (source, target):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
            with self._lock:
                self._sockets.discard(end)

    def _drop(self) -> None:
        with self._lock:
            ends = list(self._sockets)
        for end in ends:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def proxy_to(server_port: int) -> Iterator[Proxy]:
    """Run a proxy in front of a server."""
    proxy = Proxy(server_port)
    try:
        yield proxy
    finally:
        proxy.close()
