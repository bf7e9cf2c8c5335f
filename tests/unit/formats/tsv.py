"""A file format that this package does not have: what its module would contain, as CONTRIBUTING.md says."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import IO, Any

from airflow_batch_provider.apis.columns import Column
from airflow_batch_provider.apis.page import Line
from airflow_batch_provider.apis.raw_json import raw_fields
from airflow_batch_provider.formats.encoder import Encoder
from airflow_batch_provider.formats.fields import EXTRA, NULL, Mismatches, extra


class TsvEncoder:
    """Encodes a file with tabs between values, each value as JSON."""

    def __init__(self, columns: Sequence[Column]) -> None:
        self._names = [column.name for column in columns if column.value is None]
        self._added = [json.dumps(column.value).encode() for column in columns if column.value is not None]
        self._header = "\t".join([*(column.name for column in columns), EXTRA]).encode() + b"\n"

    def add(self, lines: Sequence[Line]) -> bytes:
        header, self._header = self._header, b""
        return header + b"".join([self._record(line) for line in lines])

    def finish(self) -> bytes:
        return self.add(())

    def _record(self, line: Line) -> bytes:
        fields = raw_fields(line)
        others = extra(fields, fields.keys() - set(self._names))
        return b"\t".join([*self._added, *(fields.get(name, NULL) for name in self._names), others or NULL]) + b"\n"


def new_encoder(columns: Sequence[Column], mismatches: Mismatches, escape_formulas: bool) -> Encoder:
    return TsvEncoder(columns)


def iter_rows(file: IO[bytes]) -> Iterator[dict[str, Any]]:
    names = next(file).decode().split()
    for record in file:
        yield dict(zip(names, map(json.loads, record.split(b"\t")), strict=True))


def count_rows(file: IO[bytes]) -> int:
    return sum(1 for _ in file) - 1


def read_table(file: IO[bytes], columns: Sequence[Column]) -> Any:
    from airflow_batch_provider.formats.arrow import read_lines

    return read_lines((json.dumps(row | (row.pop(EXTRA) or {})).encode() for row in iter_rows(file)), columns)
