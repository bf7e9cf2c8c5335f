r"""CSV of RFC 4180, in UTF-8, with a header: CRLF ends a record, null is an empty field, an empty text is ``""``.

Python's :mod:`csv` cannot distinguish null from an empty text before 3.12. Text is always quoted, so a JSON text
without an escape is a CSV field as it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import IO, TYPE_CHECKING, Any

import msgspec

from airflow_batch_provider.apis.columns import Column, ColumnType, Scalar, Struct
from airflow_batch_provider.apis.page import Line
from airflow_batch_provider.apis.raw_json import raw_fields
from airflow_batch_provider.formats.encoder import Encoder
from airflow_batch_provider.formats.fields import EXTRA, NULL, Mismatches, extra

if TYPE_CHECKING:
    import pyarrow as pa

_FULL_WIDTH = ("\uff1d", "\uff0b", "\uff0d", "\uff20")
FORMULA_STARTS = ("=", "+", "-", "@", *_FULL_WIDTH, "\t", "\r", "\n", "\0")
"""A spreadsheet takes a text that starts with one of these for a formula: the signs themselves, their full-width forms,
and what it drops before it looks."""

_END = b"\r\n"
_TEXT = msgspec.json.Decoder(str)
_TEXTS = (Scalar.TEXT, Scalar.TIMESTAMP)
_NUMBER_STARTS = tuple(b"%b" % bytes([start]) for start in b"-0123456789")
_FIELD = re.compile(rb'(?:"((?:[^"]|"")*)"|([^",\r\n]*))(?:,|\r\n)')


class CsvEncoder:
    """Encodes a CSV file.

    :param columns: the documented fields
    :param mismatches: counts values of another type than documented
    :param escape_formulas: whether to put an apostrophe before a text that a spreadsheet would run
    """

    def __init__(self, columns: Sequence[Column], mismatches: Mismatches, escape_formulas: bool) -> None:
        self._columns = [column for column in columns if column.value is None]
        self._names = {column.name for column in self._columns}
        self._mismatches = mismatches
        self._escape_formulas = escape_formulas
        added = [msgspec.json.encode(column.value) for column in columns if column.value is not None]
        self._added = [self._text(raw) or b"" for raw in added]
        self._header = ",".join([*(column.name for column in columns), EXTRA]).encode() + _END

    def add(self, lines: Sequence[Line]) -> bytes:
        """Return the rows as records, after the header in the first call."""
        header, self._header = self._header, b""
        return header + b"".join([self._record(line) for line in lines])

    def finish(self) -> bytes:
        """Return the header if there were no rows."""
        return self.add(())

    def _record(self, line: Line) -> bytes:
        fields = raw_fields(line)
        kept = fields.keys() - self._names
        cells = list(self._added)
        for column in self._columns:
            cell = self._cell(fields.get(column.name, NULL), column.type)
            if cell is None:
                self._mismatches.add(column.name)
                kept.add(column.name)
            cells.append(cell or b"")
        others = extra(fields, kept)
        cells.append(_quoted(others) if others else b"")
        return b",".join(cells) + _END

    def _cell(self, raw: bytes, column_type: ColumnType) -> bytes | None:
        """Return a field, or None if the value is of another type."""
        if raw == NULL:
            return b""
        match column_type:
            case Scalar.TEXT | Scalar.TIMESTAMP:
                return self._text(raw) if raw.startswith(b'"') else None
            case Scalar.INTEGER | Scalar.UNIX_SECONDS | Scalar.UNIX_MILLISECONDS:
                return raw if raw.removeprefix(b"-").isdigit() else None
            case Scalar.FLOAT:
                return raw if raw.startswith(_NUMBER_STARTS) else None
            case Scalar.BOOLEAN:
                return raw if raw in (b"true", b"false") else None
            case Scalar.JSON:
                return _quoted(raw)
        return _quoted(raw) if raw.startswith(b"{" if isinstance(column_type, Struct) else b"[") else None

    def _text(self, raw: bytes) -> bytes | None:
        if b"\\" not in raw and not self._escape_formulas:
            return raw
        try:
            text = _TEXT.decode(raw)
        except msgspec.DecodeError:
            return None  # a lone surrogate, which UTF-8 cannot encode
        if self._escape_formulas and text.startswith(FORMULA_STARTS):
            text = f"'{text}"
        return _quoted(text.encode())


def _quoted(content: bytes) -> bytes:
    return b'"' + content.replace(b'"', b'""') + b'"'


def new_encoder(columns: Sequence[Column], mismatches: Mismatches, escape_formulas: bool) -> Encoder:
    """Return the encoder of a new file. Parameters are those of :class:`CsvEncoder`."""
    return CsvEncoder(columns, mismatches, escape_formulas)


def iter_rows(file: IO[bytes]) -> Iterator[dict[str, Any]]:
    """Yield the rows of a file. Values are text, null is None."""
    names = _header(file)
    for record in _records(file):
        yield dict(zip(names, _fields(record), strict=True))


def count_rows(file: IO[bytes]) -> int:
    """Return how many rows a file contains."""
    next(file)
    return sum(1 for _ in _records(file))


def read_table(file: IO[bytes], columns: Sequence[Column]) -> pa.Table:
    """Return a file as a table; a column that is not documented was added, and contains text."""
    import pyarrow as pa

    from airflow_batch_provider.formats.arrow import read_lines

    documented = {column.name: column for column in columns}
    names = _header(file)[:-1]
    added: dict[str, list[str | None]] = {name: [] for name in names if name not in documented}

    def lines() -> Iterator[Line]:
        for record in _records(file):
            *values, others = _fields(record)
            row = dict(zip(names, values, strict=True))
            for name, its_values in added.items():
                its_values.append(row.pop(name))
            yield _json(row, documented, others)

    table = read_lines(lines(), [documented[name] for name in names if name in documented])
    for index, (name, its_values) in enumerate(added.items()):
        table = table.add_column(index, name, pa.array(its_values, pa.string()))
    return table


def _json(row: Mapping[str, str | None], columns: Mapping[str, Column], others: str | None) -> bytes:
    """Return a record as the JSON object that it was made of.

    :param row: the fields in columns
    :param columns: their columns, by name
    :param others: the other fields, as JSON
    """
    pairs = []
    for name, value in row.items():
        if value is not None:
            raw = msgspec.json.encode(value) if columns[name].type in _TEXTS else value.encode()
            pairs.append(msgspec.json.encode(name) + b":" + raw)
    if others:
        pairs.append(others[1:-1].encode())
    return b"{" + b",".join(pairs) + b"}"


def _header(file: IO[bytes]) -> list[str]:
    return next(file).decode().rstrip("\r\n").split(",")


def _records(lines: Iterator[bytes]) -> Iterator[bytes]:
    record = b""
    for line in lines:
        record += line
        if record.count(b'"') % 2 == 0:  # else the line break is part of a text
            yield record
            record = b""
    if record:
        raise ValueError("the last record does not end")


def _fields(record: bytes) -> Iterator[str | None]:
    for field in _FIELD.finditer(record):
        quoted, bare = field.groups()
        yield bare.decode() or None if quoted is None else quoted.replace(b'""', b'"').decode()
