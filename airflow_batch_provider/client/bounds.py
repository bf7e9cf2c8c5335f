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


class _StreamReader(io.RawIOBase):
    """Bounds what comes between two pieces of a body, not the body: a file may be large, and take hours."""

    def __init__(self, raw: io.RawIOBase, sock: socket.socket, seconds: float, most: int, slowest: int) -> None:
        self._raw = raw
        self._socket = sock
        self._timeout = sock.gettimeout()
        self._seconds = seconds
        self._left = seconds
        self._most = most
        self._slowest = slowest
        self._read = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        if self._left <= 0:
            raise self._too_slow()
        is_limit = self._timeout is None or self._left < self._timeout
        self._socket.settimeout(self._left if is_limit else self._timeout)
        began = time.monotonic()
        try:
            count: int | None = self._raw.readinto(buffer)
        except TimeoutError:
            if not is_limit:
                raise
            count = None
        if count is None:
            raise self._too_slow()
        self._left -= time.monotonic() - began  # of waiting alone: what takes the bytes may be slow
        self._read += count
        if self._read > self._most:
            raise AnswerTooLongError(f"more than {self._most} bytes beside the body")
        return count

    def _too_slow(self) -> AnswerTooSlowError:
        return AnswerTooSlowError(f"fewer than {self._slowest} bytes a second")

    def count_delivered(self, count: int) -> None:
        """Allow more bytes, and more time for bytes that came; but time is not saved up."""
        self._read = 0
        self._left = min(self._seconds, self._left + count / self._slowest)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _BoundedResponse(http.client.HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, seconds: float, most: int, **options: Any) -> None:
        super().__init__(sock, *args, **options)
        self.fp = io.BufferedReader(self._bound(self.fp.detach(), sock, seconds, most))

    def _bound(self, raw: io.RawIOBase, sock: socket.socket, seconds: float, most: int) -> io.RawIOBase:
        return _BoundedReader(raw, sock, seconds, most)

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


class _StreamedResponse(_BoundedResponse):
    def __init__(self, *args: Any, slowest: int, **options: Any) -> None:
        self._slowest = slowest
        super().__init__(*args, **options)

    def _bound(self, raw: io.RawIOBase, sock: socket.socket, seconds: float, most: int) -> io.RawIOBase:
        self._reader = _StreamReader(raw, sock, seconds, most, self._slowest)
        return self._reader

    def read1(self, n: int = -1) -> bytes:
        piece = super().read1(n)
        self._reader.count_delivered(len(piece))
        return piece


def bounded(connection: type[HTTPConnection], *, seconds: float, most: int) -> type[HTTPConnection]:
    """Return a class of connections whose answers have an end.

    :param connection: the class to begin with
    :param seconds: from the moment that a request was sent to the last byte of its answer
    :param most: bytes of an answer as they travel, headers included
    """
    response = partial(_BoundedResponse, seconds=seconds, most=most)
    return type(f"Bounded{connection.__name__}", (connection,), {"response_class": staticmethod(response)})


def streamed(connection: type[HTTPConnection], *, seconds: float, slowest: int, most: int) -> type[HTTPConnection]:
    """Return a class of connections whose answers are files, to be read by ``read1``.

    :param connection: the class to begin with
    :param seconds: how long the server may send nothing, or too little
    :param slowest: bytes of a body that it has to send each second after that
    :param most: bytes as they travel before the body, between two pieces of it, and after it
    """
    response = partial(_StreamedResponse, seconds=seconds, slowest=slowest, most=most)
    return type(f"Streamed{connection.__name__}", (connection,), {"response_class": staticmethod(response)})
