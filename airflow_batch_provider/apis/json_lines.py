"""JSON lines as a file to upload: written while they are sent, so that no file is too large for the memory."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from airflow_batch_provider.apis.request import Part


def json_lines(name: str, rows: Callable[[], Iterable[Mapping[str, Any]]], *, filename: str) -> Part:
    """Return a part of a multipart body: a file with a line of JSON for each row.

    :param name: the part's name in the form
    :param rows: returns the rows, the same each time: they are read once for the size, and once for each attempt
    :param filename: the file's name, as the vendor shall see it
    """

    def open_lines() -> io.BufferedReader:
        return io.BufferedReader(_Lines(_lines(rows())))

    size = sum(map(len, _lines(rows())))
    return Part(name, open=open_lines, size=size, filename=filename, content_type="application/jsonl")


def _lines(rows: Iterable[Mapping[str, Any]]) -> Iterator[bytes]:
    for row in rows:
        yield json.dumps(row).encode() + b"\n"


class _Lines(io.RawIOBase):
    """A stream of what an iterator yields."""

    def __init__(self, lines: Iterator[bytes]) -> None:
        self._lines = lines
        self._rest = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._rest = self._rest or next(self._lines, b"")
        piece, self._rest = self._rest[: len(buffer)], self._rest[len(buffer) :]
        buffer[: len(piece)] = piece
        return len(piece)
