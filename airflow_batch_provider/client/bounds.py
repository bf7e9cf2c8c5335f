"""How long an answer may take, and how many bytes it may have, whatever the server does.

A read timeout starts again with each byte, and the parts of HTTP that come before and after a body have no end of their
own: interim answers, trailers, and a chunk of -1 bytes is read up to the end of the connection. So what comes from the
socket is counted, where all of it must come through.
"""

from __future__ import annotations

import http.client
import io
import socket
import time
from functools import partial
from typing import Any

from urllib3.connection import HTTPConnection
from urllib3.exceptions import ProtocolError


class AnswerTooSlowError(ProtocolError):
    """An answer does not end within the time that it has as a whole."""


class AnswerTooLongError(ProtocolError):
    """An answer is longer than any can be."""


_INTERIM = frozenset(range(102, 200))
"""Statuses before the answer itself; 101 would be another protocol, and 100 Python skips itself."""


class _BoundedReader(io.RawIOBase):
    def __init__(self, raw: io.RawIOBase, sock: socket.socket, seconds: float, most: int) -> None:
        self._raw = raw
        self._socket = sock
        self._seconds = seconds
        self._ends = time.monotonic() + seconds
        self._most = most
        self._read = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        remaining = self._ends - time.monotonic()
        if remaining <= 0:
            raise AnswerTooSlowError(f"the answer did not end within {self._seconds:g} s")
        timeout = self._socket.gettimeout()
        if timeout is None or timeout > remaining:
            self._socket.settimeout(remaining)
        count: int | None = self._raw.readinto(buffer)
        self._read += count or 0
        if self._read > self._most:
            raise AnswerTooLongError(f"more than {self._most} bytes")
        return count

    def close(self) -> None:
        self._raw.close()
        super().close()


class _BoundedResponse(http.client.HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, seconds: float, most: int, **options: Any) -> None:
        super().__init__(sock, *args, **options)
        self.fp = io.BufferedReader(_BoundedReader(self.fp.detach(), sock, seconds, most))

    def begin(self) -> None:
        """Read the headers. What is wrong with them is not kept: urllib3 would log it, at any length, with any key."""
        super().begin()
        self.msg.defects.clear()
        self.msg.set_payload("")

    def _read_status(self) -> tuple[str, int, str]:
        """Skip interim answers, such as 103, of which Python knows 100 alone."""
        while True:
            found: tuple[str, int, str] = super()._read_status()  # type: ignore[misc]
            if found[1] not in _INTERIM:
                return found
            http.client.parse_headers(self.fp)


def bounded(connection: type[HTTPConnection], *, seconds: float, most: int) -> type[HTTPConnection]:
    """Return a class of connections whose answers have an end.

    :param connection: the class to begin with
    :param seconds: from the moment that a request was sent to the last byte of its answer
    :param most: bytes of an answer as they travel, headers included
    """
    response = partial(_BoundedResponse, seconds=seconds, most=most)
    return type(f"Bounded{connection.__name__}", (connection,), {"response_class": staticmethod(response)})
