"""What files contain: bytes that any part can be computed of, whatever the size."""

from __future__ import annotations

import io
import json
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from hashlib import blake2s
from typing import Any

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

BLOCK = 65_536
DECIMAL = "decimal:"
EMPTY: Mapping[str, str] = {}


@dataclass(frozen=True)
class Content:
    """A file: a head, numbered filler of any length, a tail.

    The filler is digits and spaces, so it may be part of a JSON string, and shows where in the file it belongs.
    """

    media_type: str
    head: bytes
    filler: int = 0
    tail: bytes = b""

    @property
    def size(self) -> int:
        """The number of bytes."""
        return len(self.head) + self.filler + len(self.tail)

    @property
    def etag(self) -> str:
        """The version, as HTTP writes it."""
        return f'"{blake2s(b"%d/%b/%b" % (self.filler, self.head, self.tail), digest_size=16).hexdigest()}"'

    def read(self, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
        """Iterate over the bytes from ``start`` to ``stop`` in blocks."""
        stop = self.size if stop is None else min(stop, self.size)
        while start < stop:
            block = self._block(start)[: stop - start]
            yield block
            start += len(block)

    def _block(self, start: int) -> bytes:
        if start < len(self.head):
            return self.head[start : start + BLOCK]
        number, offset = divmod(start - len(self.head), BLOCK)
        if (left := self.filler - number * BLOCK) > offset:
            return (f"{number:015d} ".encode() * (BLOCK // 16))[offset : min(BLOCK, left)]
        return self.tail[start - len(self.head) - self.filler :]


class Cut(Exception):  # noqa: N818 - nothing went wrong here
    """Ends an answer in the middle: the web server closes the connection."""


class Blocks(Response):
    """An answer with a file or a part of it, block by block.

    :param headers: if ``Content-Length`` is not the number of bytes, the connection is closed after these.
    """

    def __init__(
        self, content: Content, start: int = 0, stop: int | None = None, headers: Mapping[str, str] = EMPTY
    ) -> None:
        stop = content.size if stop is None else stop
        headers = {"Content-Length": str(stop - start), **headers}
        super().__init__(status_code=206 if "Content-Range" in headers else 200, headers=headers)
        self._parts = content.read(start, stop)
        self._cut = int(headers["Content-Length"]) != stop - start

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the blocks."""
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        for block in self._parts:
            await send({"type": "http.response.body", "body": block, "more_body": True})
        if self._cut:
            raise Cut
        await send({"type": "http.response.body", "body": b"", "more_body": False})


def filled(media_type: str, head: bytes, tail: bytes, size: int) -> Content:
    """Return a file of at least a size."""
    return Content(media_type, head, max(size - len(head) - len(tail), 0), tail)


def dumps(value: Any) -> bytes:
    """Return JSON with decimals written as they are, digit by digit."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=lambda number: f"{DECIMAL}{number}")
    return re.sub(f'"{DECIMAL}([^"]*)"', r"\1", text).encode()


def loads(text: bytes) -> Any:
    """Read JSON without rounding, so that it equals what was written."""
    return json.loads(text, parse_float=Decimal)


def exact_json(value: Any) -> Response:
    """Return an answer whose decimals have all their digits."""
    return Response(dumps(value), media_type="application/json")


def png(red: int, green: int, blue: int) -> bytes:
    """Return an image of 4 by 8 pixels in one colour."""
    rows = b"".join(b"\0" + bytes((red, green, blue)) * 4 for _ in range(8))
    parts = ((b"IHDR", struct.pack(">IIBBBBB", 4, 8, 8, 2, 0, 0, 0)), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    chunks = (
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in parts
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def zipped(members: Mapping[str, str]) -> bytes:
    """Return a ZIP file, the same bytes for the same members."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, text in members.items():
            archive.writestr(zipfile.ZipInfo(name), text)
    return file.getvalue()
