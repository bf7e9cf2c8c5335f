"""The limit: bare sockets ask for the same pages and throw them away.

Cursors are followed one by one; numbered pages, and the requests for results, are shared between as many connections as
the export may open.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

from dev.bench import batch
from dev.bench.measured import PAGE_SIZE, Export

TAIL = 128  # bytes at the end of a page that contain its cursor


def connect(export: Export) -> Callable[[str], bytes]:
    """Open a connection, and return a function that reads what a target leads to and returns its end."""
    base = urlsplit(export.url)
    connection = socket.create_connection((str(base.hostname), base.port or 80))
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    buffer = bytearray(4 << 20)
    view = memoryview(buffer)

    def get(target: str) -> bytes:
        connection.sendall(f"GET {base.path}{target} HTTP/1.1\r\nHost: benchmark\r\n\r\n".encode())
        received, size = 0, None
        while size is None or received < size:
            count = connection.recv_into(view[received:])
            received += count
            if not count or not buffer.startswith(b"HTTP/1.1 200 "):
                raise ConnectionError(bytes(view[:received]))
            if size is None and (end := buffer.find(b"\r\n\r\n", 0, received)) >= 0:
                size = end + 4 + int(buffer[:end].lower().partition(b"content-length:")[2].split(b"\r\n")[0])
        return bytes(view[max(0, received - TAIL) : received])

    return get


def targets_of_results(export: Export) -> list[str]:
    """Return what ours asks for, as if all of it were known before: the batch, its directory, many jobs, and each."""
    numbers = range(export.jobs)
    pages = [
        f"{batch.DIRECTORY}?include_deleted=true&page_size={PAGE_SIZE}&page_token={start}"
        for start in numbers[::PAGE_SIZE]
    ]
    groups = [
        "&".join(f"job_ids={batch.identifier('pjb', number)}" for number in numbers[start : start + batch.TOGETHER])
        for start in numbers[:: batch.TOGETHER]
    ]
    expand = "expand=usage&expand=markdown&expand=markdown_full"
    jobs = [f"{batch.JOBS}/{batch.identifier('pjb', number)}?{expand}" for number in numbers]
    return [
        f"{batch.PATH}?expand=results",
        *pages,
        *(f"{batch.JOBS}?{group}&page_size={PAGE_SIZE}" for group in groups),
        *jobs,
    ]


def run(export: Export) -> None:
    connections = [connect(export) for _ in range(export.connections)]
    if export.kind:
        targets = targets_of_results(export)
    elif export.numbered:
        numbers = range(1, -(-export.jobs // PAGE_SIZE) + 1)
        targets = [f"{export.path}?page={number}&pageSize={PAGE_SIZE}" for number in numbers]
    else:
        target = f"{export.path}?page_size={PAGE_SIZE}"
        while found := re.search(rb'"next_page_token":"(\w+)"', connections[0](target)):
            target = f"{export.path}?page_size={PAGE_SIZE}&page_token={found[1].decode()}"
        return

    def fetch(share: int) -> None:
        for target in targets[share :: export.connections]:
            connections[share](target)

    with ThreadPoolExecutor(export.connections) as pool:
        list(pool.map(fetch, range(export.connections)))
