"""Answers that never end on their own, on a bare pool of connections."""

from __future__ import annotations

import gzip
import socket
import threading
from collections.abc import Callable

import pytest
import urllib3
from urllib3.exceptions import HTTPError, ProtocolError, ReadTimeoutError

from airflow_batch_provider.client.bounds import AnswerTooSlowError, bounded
from tests.hostile_server import Script, answer, attack, forever, say

MOST = 300_000
OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"


def ask(script: Script, times: int = 1, seconds: float = 60) -> tuple[bytes, int]:
    """Send requests over a pool of one connection; return the last body, and how many connections were opened."""
    with attack(script) as server:
        pool = urllib3.HTTPConnectionPool("127.0.0.1", server.port, maxsize=1)
        pool.ConnectionCls = bounded(pool.ConnectionCls, seconds=seconds, most=MOST)
        body = b""
        with pool:
            for _ in range(times):
                response = pool.urlopen("GET", "/", retries=False, timeout=5, preload_content=False)
                try:
                    body = response.read(1 << 30, decode_content=True)
                finally:
                    response.close()
        return body, len(server.asked)


def dripping(begin: bytes, piece: bytes) -> Script:
    """Send a piece now and then, 200 times; so a client without a bound ends as well."""

    never = threading.Event()

    def script(connection: socket.socket, head: bytes) -> None:
        connection.sendall(begin)
        for _ in range(200):
            never.wait(0.02)
            connection.sendall(piece)

    return script


@pytest.mark.parametrize(
    ("begin", "piece"),
    [
        (OK + b"\r\n", b" "),
        (OK + b"Content-Length: 1000\r\n\r\n", b" "),
        (OK + b"X: ", b"x"),
        (b"HTTP/1.1 20", b"0"),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        (CHUNKED, b"1\r\n \r\n"),
        (CHUNKED + b"0\r\n", b"x: y\r\n"),
    ],
    ids=["body", "length", "header", "status line", "interim answers", "chunks", "trailers"],
)
def test_an_answer_that_drips_ends_although_each_byte_comes_in_time(begin: bytes, piece: bytes) -> None:
    with pytest.raises((AnswerTooSlowError, ReadTimeoutError)):
        ask(dripping(begin, piece), seconds=0.3)


@pytest.mark.parametrize(
    ("begin", "piece"),
    [
        (OK + b"\r\n", b" " * 4096),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 100),
        (CHUNKED + b"0\r\n", b"x: y\r\n" * 100),
        (CHUNKED + b"-1\r\n", b" " * 4096),
        (OK + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n" * 100),
    ],
    ids=["body", "interim answers", "trailers", "chunk of -1", "length and chunks"],
)
def test_an_answer_without_end_is_left_at_its_bound(begin: bytes, piece: bytes) -> None:
    # Python 3.14 counts interim answers and trailers itself.
    with pytest.raises(ProtocolError, match=r"more than (300000 bytes|100 interim responses|100 trailers)"):
        ask(forever(begin, piece))


@pytest.mark.parametrize(
    "script", [say(answer(b"x" * 250_000)), say(CHUNKED, b"3d090\r\n", b"x" * 250_000, b"\r\n0\r\n\r\n")]
)
def test_an_answer_within_its_bounds_is_read_whole(script: Callable[[socket.socket, bytes], None]) -> None:
    assert ask(script)[0] == b"x" * 250_000


def test_the_bound_is_on_what_travels() -> None:
    content = b"x" * 10_000_000
    assert ask(say(answer(gzip.compress(content), Content_Encoding="gzip")))[0] == content


def test_the_bounds_begin_anew_with_each_answer() -> None:
    def script(connection: socket.socket, head: bytes) -> None:
        whole = answer(b"x" * 250_000).replace(b"Connection: close\r\n", b"")
        connection.sendall(whole)
        while connection.recv(65536):
            connection.sendall(whole)

    assert ask(script, times=4) == (b"x" * 250_000, 1)


def test_a_connection_that_breaks_off_is_the_librarys_own_error() -> None:
    with pytest.raises(HTTPError):
        ask(say(OK + b"Content-Length: 9\r\n\r\n"))
