"""JSON to Arrow: fast if the rows are as documented, exact in any case.

Arrow's own parser fails on everything that is not as documented: an unknown or repeated field, a value of another type,
an integer beyond 64 bits, a lone surrogate. So what it accepts is exact; rows that it rejects are checked one by one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json

from airflow_batch_provider.apis.columns import TIMESTAMP, Column, ColumnType, ListOf, Scalar, Struct
from airflow_batch_provider.apis.page import Line
from airflow_batch_provider.formats.fields import EXTRA, NULL, Mismatches, extra, raw_fields
from airflow_batch_provider.formats.type_check import TypeMismatchError, check_type

_TIMES = pa.timestamp("us", "UTC")
_UNIX_TIMES = {
    Scalar.UNIX_SECONDS: pa.timestamp("s", "UTC"),
    Scalar.UNIX_MILLISECONDS: pa.timestamp("ms", "UTC"),
}
_TYPES = {
    Scalar.TEXT: pa.string(),
    Scalar.INTEGER: pa.int64(),
    Scalar.BOOLEAN: pa.bool_(),
    Scalar.TIMESTAMP: _TIMES,
    **dict.fromkeys(_UNIX_TIMES, _TIMES),
}
_FIRST_TIME = pa.scalar(datetime.min.replace(tzinfo=UTC), _TIMES)
_LAST_TIME = pa.scalar(datetime.max.replace(tzinfo=UTC), _TIMES)


BYTES_PER_TABLE = 1 << 20
"""Bytes of JSON that are parsed in one go; more would only take more memory."""


def schema_of(columns: Sequence[Column]) -> pa.Schema:
    """Return the schema of a file, the same for any rows."""
    return pa.schema([*((column.name, _arrow_type(column.type)) for column in columns), (EXTRA, pa.string())])


def _arrow_type(column_type: ColumnType) -> pa.DataType:
    match column_type:
        case Struct():
            return pa.struct([(field.name, _arrow_type(field.type)) for field in column_type.fields])
        case ListOf():
            return pa.list_(pa.field("element", _arrow_type(column_type.element)))
    return _TYPES[column_type]


def read_lines(lines: Iterable[Line], columns: Sequence[Column]) -> pa.Table:
    """Return a table of rows, with the schema of their columns.

    :param lines: the rows, each a JSON object on one line
    :param columns: the documented fields
    """
    reader = ArrowReader(columns, Mismatches(set()))
    tables, waiting, size = [reader.schema.empty_table()], list[Line](), 0
    for line in lines:
        waiting.append(line)
        size += len(line)
        if size >= BYTES_PER_TABLE:
            tables.append(reader.read(waiting))
            waiting, size = [], 0
    if waiting:
        tables.append(reader.read(waiting))
    return pa.concat_tables(tables)


class ArrowReader:
    """Reads rows of JSON into tables.

    :param columns: the added columns, then the documented fields
    :param mismatches: counts values of another type than documented
    """

    def __init__(self, columns: Sequence[Column], mismatches: Mismatches) -> None:
        self._added = [column.value for column in columns if column.value is not None]
        self._columns = [column for column in columns if column.value is None]
        self._names = {column.name for column in self._columns}
        self._mismatches = mismatches
        self.schema = schema_of(columns)
        self._row_schema = schema_of(self._columns)
        self._times = [index for index, field in enumerate(self._row_schema) if field.type == _TIMES]
        as_json = self._row_schema
        for index in self._times:
            json_type = pa.string() if self._columns[index].type is TIMESTAMP else pa.int64()
            as_json = as_json.set(index, as_json.field(index).with_type(json_type))
        self._parse_options = pyarrow.json.ParseOptions(
            explicit_schema=as_json.remove(len(self._columns)), unexpected_field_behavior="error"
        )

    def read(self, lines: Sequence[Line]) -> pa.Table:
        """Return a table of the schema with a row for each line."""
        rows = self._read_rows(lines)
        added = [pa.repeat(pa.scalar(value, pa.string()), len(rows)) for value in self._added]
        return pa.Table.from_arrays([*added, *rows.columns], schema=self.schema)

    def _read_rows(self, lines: Sequence[Line]) -> pa.Table:
        try:
            return self._table(lines, pa.nulls(len(lines), pa.string()))
        except pa.ArrowInvalid:
            rows = [raw_fields(line) for line in lines]
        try:  # the vendor may only have added a field
            extras = [_text(extra(row, row.keys() - self._names)) for row in rows]
            return self._table([self._documented(row) for row in rows], pa.array(extras, pa.string()))
        except pa.ArrowInvalid:
            return pa.Table.from_pylist([self._checked(row) for row in rows], self._row_schema)

    def _table(self, lines: Sequence[Line], extras: pa.Array) -> pa.Table:
        rows = b"\n".join(lines)
        options = pyarrow.json.ReadOptions(use_threads=False, block_size=len(rows) + 1)
        table = pyarrow.json.read_json(pa.BufferReader(rows), options, self._parse_options)
        if table.num_rows != len(lines):
            raise pa.ArrowInvalid("a row is not one line")
        for index in self._times:
            times = _times(table.column(index), self._columns[index].type)
            table = table.set_column(index, self._row_schema.field(index), times)
        return table.append_column(self._row_schema.field(EXTRA), extras)

    def _documented(self, row: Mapping[str, bytes]) -> bytes:
        fields = [b'"%b":%b' % (name.encode(), row[name]) for name in self._names if name in row]
        return b"{" + b",".join(fields) + b"}"

    def _checked(self, fields: Mapping[str, bytes]) -> dict[str, Any]:
        kept = fields.keys() - self._names
        row: dict[str, Any] = {}
        for column in self._columns:
            try:
                value = msgspec.json.decode(fields.get(column.name, NULL))
                row[column.name], is_whole = check_type(value, column.type)
            except (TypeMismatchError, msgspec.DecodeError):  # msgspec rejects lone surrogates and huge floats
                self._mismatches.add(column.name)
                is_whole = False
            if not is_whole:
                kept.add(column.name)
        row[EXTRA] = _text(extra(fields, kept))
        return row


def _text(content: bytes | None) -> str | None:
    return None if content is None else content.decode()


def _times(values: pa.ChunkedArray, column_type: ColumnType) -> pa.ChunkedArray:
    """Parse times.

    :raises pa.ArrowInvalid: one is not a time, or finer than a microsecond, or only some have an offset
    """
    if values.null_count == len(values):
        return values.cast(_TIMES)
    if column_type in _UNIX_TIMES:
        times = values.cast(_UNIX_TIMES[column_type]).cast(_TIMES)
    else:
        try:
            times = values.cast(_TIMES)
        except pa.ArrowInvalid:
            times = pc.binary_join_element_wise(values, "Z", "").cast(_TIMES)
    if pc.min(times).value < _FIRST_TIME.value or pc.max(times).value > _LAST_TIME.value:
        raise pa.ArrowInvalid("a time is out of Python's range")
    return times
