"""Servers and targets for the tests of downloads, and what no exception may have seen."""

from __future__ import annotations

import re
import socket
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from airflow_batch_provider.apis.auth import Credentials
from airflow_batch_provider.client.download import (
    Downloaded,
    Downloader,
)
from airflow_batch_provider.client.settings import Settings
from airflow_batch_provider.vendors import llamacloud
from tests.hostile_server import Script, attack
from tests.unit.connected import KEY

VENDOR = llamacloud.VENDOR
SIGNATURE = "c2lnbmF0dXJl-of-this-url"
SECRET_PATH = "/bucket/a-persons-name.pdf"
QUERY = f"{SECRET_PATH}?X-Amz-Signature={SIGNATURE}"
CONTENT = bytes(range(256)) * 40
OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"

Download = Callable[..., Downloaded]
Make = Callable[..., Downloader]


class Target:
    """Remembers what was written, and how."""

    def __init__(self) -> None:
        self.data = b""
        self.pieces: list[int] = []
        self.restarts = -1  # the first one is the beginning

    def write(self, data: bytes) -> None:
        self.data += data
        self.pieces.append(len(data))

    def restart(self) -> None:
        self.data = b""
        self.restarts += 1


def make_downloader(base_url: str, **settings: Any) -> Downloader:
    auth, credentials = VENDOR.auth, Credentials(settings.pop("api_key", KEY))
    return Downloader(
        VENDOR,
        Settings(connection_id="my_connection", base_url=base_url, auth=auth, credentials=credentials, **settings),
    )


def in_order(*scripts: Script) -> Script:
    """Answer with one script after the other; the last one stays."""
    left = list(scripts)
    return lambda connection, head: (left.pop(0) if len(left) > 1 else left[0])(connection, head)


def fetch(make: Make, script: Script, *, size: int | None = None, **settings: Any) -> tuple[Downloaded, Target, Any]:
    """Download from a server beside the API; return also the target and what was asked."""
    with attack(script) as server:
        target = Target()
        found = make(server.url, **settings).download(server.url + QUERY, target, size=size)
    return found, target, server.asked


def failure(make: Make, script: Script, *, size: int | None = None, **settings: Any) -> tuple[Exception, list[bytes]]:
    with attack(script) as server, pytest.raises(Exception) as raised:  # noqa: PT011
        make(server.url, **settings).download(server.url + QUERY, Target(), size=size)
    return raised.value, server.asked


def header(head: bytes, name: str) -> str | None:
    found = re.search(rf"(?im)^{name}: (.*?)\r$", head.decode("latin-1"))
    return found[1] if found else None


class Storage:
    """Serves one file, breaking the connection off after so many bytes of each answer in turn; then whole."""

    def __init__(self, content: bytes, *cuts: int, ranges: bool = True, chunked: bool = False, **headers: str) -> None:
        self.content = content
        self.cuts = list(cuts)
        self.ranges = ranges
        self.chunked = chunked
        self.headers = {"ETag": '"v1"', **headers} if ranges else headers

    def __call__(self, connection: socket.socket, head: bytes) -> None:
        asked = header(head, "Range")
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked and self.ranges else 0
        if start and header(head, "If-Range") != self.headers.get("ETag"):
            start = 0
        body = self.content[start:]
        named = dict(self.headers)
        if start:
            named["Content-Range"] = f"bytes {start}-{len(self.content) - 1}/{len(self.content)}"
        named |= {"Transfer-Encoding": "chunked"} if self.chunked else {"Content-Length": str(len(body))}
        lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in named.items())
        connection.sendall(f"HTTP/1.1 {206 if start else 200} Said\r\n{lines}\r\n".encode())
        if self.chunked:
            body = b"".join(
                b"%x\r\n%s\r\n" % (len(body[at : at + 7]), body[at : at + 7]) for at in range(0, len(body), 7)
            )
            body += b"0\r\n\r\n"
        connection.sendall(body[: self.cuts.pop(0)] if self.cuts else body)


PUBLIC = "93.184.216.34"
Names = dict[str, Any]


def names(known: Names) -> Callable[..., list[Any]]:
    """Resolve by a table; a list gives one address after the other, and the last one stays. Tuples are several."""

    def getaddrinfo(host: str, port: Any, *args: Any, **kwargs: Any) -> list[Any]:
        asked.append(host)
        addresses = known.get(host)
        if addresses is None:
            if re.fullmatch(r"[0-9.]+|.*:.*", host):
                addresses = host
            else:
                raise socket.gaierror(socket.EAI_NONAME, f"no {host}")
        if isinstance(addresses, list):
            addresses = addresses.pop(0) if len(addresses) > 1 else addresses[0]
        several = addresses if isinstance(addresses, tuple) else (addresses,)
        return [
            (socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))
            for address in several
        ]

    asked: list[str] = []
    return getaddrinfo


_HERE = str(Path(__file__).parent)


def assert_unseen(error: BaseException, *secrets: str) -> None:
    """Check that nothing of an exception, of those behind it, or of our frames, has seen the URL."""
    hidden = [SIGNATURE, SECRET_PATH, *(secret for secret in secrets if len(secret) > 12)]
    seen: list[BaseException] = []
    left: list[Any] = [error]
    while left:
        current = left.pop()
        if not isinstance(current, BaseException) or current in seen:
            continue
        seen.append(current)
        left += [current.__cause__, current.__context__, *current.args, *vars(current).values()]
        said = [str(current), repr(current), repr(current.args), repr(vars(current))]
        said += ["".join(traceback.format_exception(current))]
        for frame, _ in traceback.walk_tb(current.__traceback__):
            if not frame.f_code.co_filename.startswith(_HERE):
                said += map(repr, frame.f_locals.values())
        assert not [secret for secret in hidden if any(secret in text for text in said)]
