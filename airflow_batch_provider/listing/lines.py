"""Reads a body of JSON lines, which may be larger than the memory: a temporary file takes it."""

from __future__ import annotations

import codecs
import os
import tempfile
from collections.abc import Iterator
from typing import IO

from airflow_batch_provider.apis.endpoint import Listing
from airflow_batch_provider.apis.page import Page, Rows
from airflow_batch_provider.apis.problem import Problem, not_json
from airflow_batch_provider.apis.raw_json import is_json
from airflow_batch_provider.apis.request import Answer, Request
from airflow_batch_provider.client.client import Client

CHUNK = 4 << 20
"""Bytes of lines that are read at a time."""

BLOCK = 64 << 10
"""Bytes that are read at a time to find the last line."""

LONGEST_LINE = 64 << 20
"""Bytes of a line. A longer one is not read to its end, and fails as what it then is: no JSON."""


def read_lines(client: Client, listing: Listing, request: Request) -> Iterator[Page]:
    """Yield the rows of an answer, some lines at a time; a page without rows if there are none.

    :param client: where to ask
    :param listing: a listing whose body :attr:`~airflow_batch_provider.apis.endpoint.Listing.is_stream`
    :param request: its request
    """
    with tempfile.TemporaryFile() as file:
        client.send_into(request, file, lambda: _broken_end(file))
        file.seek(0)
        file.seek(len(codecs.BOM_UTF8) if file.read(len(codecs.BOM_UTF8)) == codecs.BOM_UTF8 else 0)
        has_rows = False
        for chunk in _chunks(file):
            page = listing.page(Answer(200, {}, chunk))
            if isinstance(page, Problem):
                raise client.errors.of_problem(page, request, 200)
            has_rows = True
            yield page
        if not has_rows:
            yield Page(Rows())


def _broken_end(file: IO[bytes]) -> Problem | None:
    """Return what is wrong with the last line, if the body ended within it."""
    size = file.seek(0, os.SEEK_END)
    last = b""
    while size and b"\n" not in last and len(last) < LONGEST_LINE:
        start = max(0, size - BLOCK)
        file.seek(start)
        last, size = file.read(size - start) + last, start
    line = last.rpartition(b"\n")[2].removeprefix(codecs.BOM_UTF8)
    return None if not line.strip() or is_json(line) else not_json(line)


def _chunks(file: IO[bytes]) -> Iterator[bytes]:
    lines: list[bytes] = []
    size = 0
    while line := file.readline(LONGEST_LINE):
        lines.append(line)
        size += len(line)
        if size >= CHUNK:
            yield b"".join(lines)
            lines, size = [], 0
    if lines:
        yield b"".join(lines)
