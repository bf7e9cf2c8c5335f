"""The limit: bare sockets ask for the same pages and throw them away.

Cursors are followed one by one; numbered pages are shared by as many connections as the task allows.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any
from urllib.parse import urlsplit

from dev.bench.task import Task

TAIL = 128
"""Bytes at the end of a page in which its cursor lies."""

ids = None


class Socket:
    """One connection.

    :param task: what to read
    """

    def __init__(self, task: Task) -> None:
        base = urlsplit(task.base_url)
        self._socket = socket.create_connection((str(base.hostname), base.port or 80))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._path = base.path + task.path
        self._buffer = bytearray(1 << 20)

    def __enter__(self) -> Socket:
        return self

    def __exit__(self, *exception: object) -> None:
        self._socket.close()

    def get(self, query: str) -> bytes:
        """Read a page and return its end."""
        self._socket.sendall(f"GET {self._path}?{query} HTTP/1.1\r\nHost: benchmark\r\n\r\n".encode())
        view = memoryview(self._buffer)
        received, size = 0, None
        while size is None or received < size:
            count = self._socket.recv_into(view[received:])
            if not count:
                raise ConnectionError("the server closed the connection")
            received += count
            if size is None and (end := self._buffer.find(b"\r\n\r\n", 0, received)) >= 0:
                head = bytes(view[:end])
                if not head.startswith(b"HTTP/1.1 200 "):
                    raise ConnectionError(head.decode())
                size = end + 4 + int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
        return bytes(view[max(0, received - TAIL) : received])


def _follow(task: Task) -> None:
    with Socket(task) as connection:
        query = f"page_size={task.page_size}"
        while True:
            found = re.search(rb'"next_page_token":"(\w+)"', connection.get(query))
            if not found:
                return
            query = f"page_size={task.page_size}&page_token={found[1].decode()}"


def _share(task: Task, query: Callable[[int], str]) -> None:
    numbers = range(-(-task.jobs // task.page_size))
    with ExitStack() as stack:
        sockets = [stack.enter_context(Socket(task)) for _ in range(task.connections)]

        def fetch(share: int) -> None:
            for number in numbers[share :: task.connections]:
                sockets[share].get(query(number))

        with ThreadPoolExecutor(task.connections) as pool:
            list(pool.map(fetch, range(task.connections)))


def export(task: Task) -> None:
    """Read all pages."""
    by_number: dict[str, Any] = {
        "talkifai.batch_jobs": lambda number: f"page={number + 1}&pageSize={task.page_size}",
        "llamacloud.batch_processing_jobs": lambda number: f"limit={task.page_size}&offset={number * task.page_size}",
    }
    if task.listing in by_number:
        _share(task, by_number[task.listing])
    else:
        _follow(task)
