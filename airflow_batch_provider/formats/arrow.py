"""JSON to Arrow: fast if the rows are as documented, exact in any case.

Arrow's own parser fails on everything that is not as documented: an unknown or repeated field, a value of another type,
an integer beyond 64 bits, a lone surrogate. So what it accepts is exact; rows that it rejects are split into what their
columns contain and the rest, then if need be checked value by value. It cannot keep JSON text, and rounds numbers to
doubles, so rows with such fields are always split.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json

from airflow_batch_provider.apis.columns import Column, ColumnType, ListOf, Scalar, Struct
from airflow_batch_provider.apis.page import Line
from airflow_batch_provider.formats.fields import EXTRA, Mismatches
from airflow_batch_provider.formats.split import Splitter
from airflow_batch_provider.formats.type_check import check_type, parse_float

_TIMES = pa.timestamp("us", "UTC")
_UNIX_TIMES = {
    Scalar.UNIX_SECONDS: pa.timestamp("s", "UTC"),
    Scalar.UNIX_MILLISECONDS: pa.timestamp("ms", "UTC"),
}
_PARSED = {
    Scalar.TEXT: pa.string(),
    Scalar.INTEGER: pa.int64(),
    Scalar.FLOAT: pa.float64(),
    Scalar.BOOLEAN: pa.bool_(),
    Scalar.TIMESTAMP: pa.string(),
    **dict.fromkeys(_UNIX_TIMES, pa.int64()),
    Scalar.JSON: pa.string(),
}
"""The types that Arrow's parser is asked for."""
_TYPES = {**_PARSED, Scalar.TIMESTAMP: _TIMES, **dict.fromkeys(_UNIX_TIMES, _TIMES)}
_FIRST_TIME = pa.scalar(datetime.min.replace(tzinfo=UTC), _TIMES)
_LAST_TIME = pa.scalar(datetime.max.replace(tzinfo=UTC), _TIMES)


BYTES_PER_TABLE = 1 << 20
"""Bytes of JSON that are parsed in one go; more would only take more memory."""


def schema_of(columns: Sequence[Column]) -> pa.Schema:
    """Return the schema of a file, the same for any rows."""
    return pa.schema([*((column.name, _arrow_type(column.type)) for column in columns), (EXTRA, pa.string())])


def _arrow_type(column_type: ColumnType, types: Mapping[Scalar, pa.DataType] = _TYPES) -> pa.DataType:
    match column_type:
        case Struct(fields=fields):
            return pa.struct([(field.name, _arrow_type(field.type, types)) for field in fields])
        case ListOf(element=element):
            return pa.list_(pa.field("element", _arrow_type(element, types)))
    return types[column_type]


def _is_plain(column_type: ColumnType) -> bool:
    """Whether Arrow's parser reads such values exactly, or fails."""
    match column_type:
        case Struct(fields=fields):
            return all(_is_plain(field.type) for field in fields)
        case ListOf(element=element):
            return _is_plain(element)
    return column_type not in (Scalar.JSON, Scalar.FLOAT)


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
        self._mismatches = mismatches
        self.schema = schema_of(columns)
        self._typed = pa.schema([(column.name, _arrow_type(column.type)) for column in self._columns])
        parsed = pa.schema([(column.name, _arrow_type(column.type, _PARSED)) for column in self._columns])
        self._parse_options = pyarrow.json.ParseOptions(explicit_schema=parsed, unexpected_field_behavior="error")
        self._with_times = [index for index, field in enumerate(parsed) if field != self._typed.field(index)]
        self._is_plain = all(_is_plain(column.type) for column in self._columns)
        self._fast_splitter = Splitter(self._columns, _as_json, _is_plain)
        self._exact_splitter = Splitter(self._columns, check_type)

    def read(self, lines: Sequence[Line]) -> pa.Table:
        """Return a table of the schema with a row for each line."""
        added = [pa.repeat(pa.scalar(value, pa.string()), len(lines)) for value in self._added]
        rows, extras = self._read_rows(lines)
        return pa.Table.from_arrays([*added, *rows.columns, extras], schema=self.schema)

    def _read_rows(self, lines: Sequence[Line]) -> tuple[pa.Table, pa.Array]:
        if self._is_plain:
            try:
                return self._parse(lines), pa.nulls(len(lines), pa.string())
            except pa.ArrowInvalid:
                pass
        split = self._fast_splitter.split(lines)
        try:  # the vendor may only have added fields
            table = self._parse([msgspec.json.encode(row) for row in split.values])
        except pa.ArrowInvalid:
            split = self._exact_splitter.split(lines)
            table = pa.Table.from_pylist(split.values, self._typed)
        for field in split.mismatches:
            self._mismatches.add(field)
        return table, pa.array(split.extras, pa.string())

    def _parse(self, lines: Sequence[Line]) -> pa.Table:
        """Parse rows that have documented fields only.

        :raises pa.ArrowInvalid: one is not as documented
        """
        rows = b"\n".join(lines)
        options = pyarrow.json.ReadOptions(use_threads=False, block_size=len(rows) + 1)
        table = pyarrow.json.read_json(pa.BufferReader(rows), options, self._parse_options)
        if table.num_rows != len(lines):
            raise pa.ArrowInvalid("a row is not one line")
        for index in self._with_times:
            values = _with_times(table.column(index).combine_chunks(), self._columns[index].type)
            table = table.set_column(index, self._typed.field(index), values)
        return table


def _as_json(raw: bytes, scalar: Scalar) -> str | msgspec.Raw:
    """Return a value that is not plain, so that Arrow's parser reads it exactly if it is encoded as JSON again."""
    if scalar is Scalar.JSON:
        return raw.decode()
    parse_float(raw)
    return msgspec.Raw(raw)


def _with_times(values: pa.Array, column_type: ColumnType) -> pa.Array:
    """Parse the times in values that Arrow's parser has read. Errors are those of :func:`_times`."""
    match column_type:
        case Struct(fields=fields):
            children = [_with_times(child, field.type) for child, field in zip(values.flatten(), fields, strict=True)]
            return pa.StructArray.from_arrays(children, fields=list(_arrow_type(column_type)), mask=values.is_null())
        case ListOf(element=element):
            elements = _with_times(values.values, element)
            list_type = _arrow_type(column_type)
            return pa.ListArray.from_arrays(values.offsets, elements, type=list_type, mask=values.is_null())
        case Scalar.TIMESTAMP | Scalar.UNIX_SECONDS | Scalar.UNIX_MILLISECONDS:
            return _times(values, column_type)
    return values


def _times(values: pa.Array, column_type: Scalar) -> pa.Array:
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
