"""The limit: bare sockets ask for the same pages and throw them away.

Cursors are followed one by one; numbered pages are shared between as many connections as the export may open.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

from dev.bench.measured import PAGE_SIZE, Export

TAIL = 128  # bytes at the end of a page that contain its cursor


def connect(export: Export) -> Callable[[str], bytes]:
    """Open a connection, and return a function that reads the page of a query and returns its end."""
    base = urlsplit(export.url)
    connection = socket.create_connection((str(base.hostname), base.port or 80))
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    buffer = bytearray(1 << 20)
    view = memoryview(buffer)

    def get(query: str) -> bytes:
        connection.sendall(f"GET {base.path}{export.path}?{query} HTTP/1.1\r\nHost: benchmark\r\n\r\n".encode())
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


def run(export: Export) -> None:
    connections = [connect(export) for _ in range(export.connections)]
    query = f"page_size={PAGE_SIZE}"
    if not export.numbered:
        while found := re.search(rb'"next_page_token":"(\w+)"', connections[0](query)):
            query = f"page_size={PAGE_SIZE}&page_token={found[1].decode()}"
        return
    numbers = range(1, -(-export.jobs // PAGE_SIZE) + 1)

    def fetch(share: int) -> None:
        for number in numbers[share :: export.connections]:
            connections[share](f"page={number}&pageSize={PAGE_SIZE}")

    with ThreadPoolExecutor(export.connections) as pool:
        list(pool.map(fetch, range(export.connections)))
