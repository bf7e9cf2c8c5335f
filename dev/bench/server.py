"""A server that costs next to nothing: pages are slices of rows that were rendered before.

The first part of the path says how it behaves: ``/jobs=20000,latency=50,gzip=0/api/v2/batches``. So one server
serves all works of the benchmark, from the same rows.

    python -m dev.bench.server
"""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import cast
from urllib.parse import parse_qsl

from dev.bench.listings import LISTINGS, Rows

GZIP_LEVEL = 6


@dataclass(frozen=True)
class Behaviour:
    """How the server behaves.

    :param jobs: rows of each listing
    :param latency: milliseconds that are added to each answer
    :param gzip: whether it compresses for clients that take it
    """

    jobs: int
    latency: int = 0
    gzip: int = 0

    @property
    def prefix(self) -> str:
        """The first part of the path that asks for it."""
        return f"/jobs={self.jobs},latency={self.latency},gzip={self.gzip}"


@lru_cache(1000)
def behaviour(prefix: str) -> Behaviour:
    """Read the first part of a path."""
    return Behaviour(**{name: int(value) for name, _, value in (part.partition("=") for part in prefix.split(","))})


class Pages:
    """The pages of all listings."""

    def __init__(self) -> None:
        self._rows: dict[str, tuple[int, Rows]] = {}
        self._names = {listing.path: name for name, listing in LISTINGS.items()}
        self._compressed: dict[str, bytes] = {}

    def rows(self, name: str, jobs: int) -> Rows:
        """Give at least so many rows of a listing; they are rendered once, and anew where there are too few."""
        count, rows = self._rows.get(name, (0, None))
        if rows is None or count < jobs:
            rows = Rows(LISTINGS[name].row, jobs)
            self._rows[name] = jobs, rows
        return rows

    def body(self, path: str, query: str, jobs: int) -> Sequence[bytes | memoryview] | None:
        """Give a page in pieces, or None where there is no such listing."""
        name = self._names.get(path)
        if name is None:
            return None
        asked = dict(parse_qsl(query))
        listing = LISTINGS[name]
        window = listing.window(asked, jobs)
        before, after = listing.envelope(asked, window, jobs)
        return before.encode(), self.rows(name, jobs).window(window), after.encode()

    def compressed(self, target: str, pieces: Sequence[bytes | memoryview]) -> bytes:
        """Give a body compressed; that is done once for each target."""
        if target not in self._compressed:
            self._compressed[target] = gzip.compress(b"".join(pieces), GZIP_LEVEL, mtime=0)
        return self._compressed[target]


class Connection(asyncio.Protocol):
    """One keep-alive connection of a client that waits for an answer before it asks again.

    :param pages: what is served
    """

    def __init__(self, pages: Pages) -> None:
        self._pages = pages
        self._received = b""
        self._transport: asyncio.WriteTransport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See :class:`asyncio.Protocol`."""
        # uvloop's transports are none by inheritance.
        self._transport = cast(asyncio.WriteTransport, transport)
        self._transport.set_write_buffer_limits(high=16 * 1024 * 1024)

    def data_received(self, data: bytes) -> None:
        """See :class:`asyncio.Protocol`."""
        self._received += data
        while b"\r\n\r\n" in self._received:
            head, _, self._received = self._received.partition(b"\r\n\r\n")
            self._answer(head)

    def _answer(self, head: bytes) -> None:
        target = head.split(b" ", 2)[1].decode()
        path, _, query = target.partition("?")
        prefix, _, path = path[1:].partition("/")
        asked = behaviour(prefix)
        pieces = self._pages.body(f"/{path}", query, asked.jobs)
        status, encoding = ("404 Not Found", "") if pieces is None else ("200 OK", "")
        pieces = pieces or (b'{"detail":"Not Found"}',)
        if asked.gzip and b"gzip" in head.lower():
            pieces, encoding = (self._pages.compressed(target, pieces),), "Content-Encoding: gzip\r\n"
        size = sum(map(len, pieces))
        answer = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\n{encoding}Content-Length: {size}\r\n\r\n"
        lines = [answer.encode(), *pieces]
        if asked.latency:
            asyncio.get_running_loop().call_later(asked.latency / 1000, self._write, lines)
        else:
            self._write(lines)

    def _write(self, lines: list[bytes | memoryview]) -> None:
        if not self._transport.is_closing():
            self._transport.writelines(lines)


async def serve(pages: Pages) -> None:
    """Serve on a free port, say which, and go on until standard input ends."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(pages), "127.0.0.1", 0)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await asyncio.to_thread(sys.stdin.read)
    server.close()


def main() -> None:
    """Serve, in uvloop where it is installed."""
    with contextlib.suppress(ImportError):
        import uvloop

        asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
    asyncio.run(serve(Pages()))


if __name__ == "__main__":
    main()
