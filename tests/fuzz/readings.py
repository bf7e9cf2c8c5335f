"""What is right: a second reading of pages and files, by Python's own parsers."""

from __future__ import annotations

import csv
import io
import json
import re
from typing import Any

import pyarrow.parquet as pq

from airflow_batch_provider.apis.columns import Column, ColumnType, ListOf, Scalar, Struct
from tests.unit.formats.rows import is_text, time_of

PATHS = {
    "playment.batches": ("data", "batches"),
    "playment.batch_jobs": ("data", "jobs"),
    "llamacloud.batches": ("items",),
    "llamacloud.batch_processing_jobs": ("items",),
    "talkifai.batch_jobs": ("batchJobs",),
}
EXTRA = "_extra"


class Number(str):
    """A number, to the character."""

    @property
    def whole(self) -> int | None:
        """Its value, where it is written as an integer of 64 bits."""
        is_integer = re.fullmatch(r"-?[0-9]{1,19}", self)
        return int(self) if is_integer and -(2**63) <= int(self) < 2**63 else None


def parse(text: str | bytes) -> Any:
    """Read JSON, numbers to the character.

    :raises ValueError: it is none
    """

    def no_constant(name: str) -> None:
        raise ValueError(name)

    decoded = text.decode() if isinstance(text, bytes) else text
    return json.loads(decoded, parse_int=Number, parse_float=Number, parse_constant=no_constant)


def typed(value: Any) -> Any:
    """Return a value in which numbers differ from texts."""
    if isinstance(value, Number):
        return ("number", str(value))
    if isinstance(value, dict):
        return {name: typed(inner) for name, inner in value.items()}
    return [typed(inner) for inner in value] if isinstance(value, list) else value


def rows_in(name: str, body: bytes) -> list[dict[str, Any]]:
    """Return the rows of a page; it must be one."""
    document = parse(body)
    path = PATHS[name]
    if name == "talkifai.batch_jobs" and not isinstance(document.get("batchJobs"), list):
        path = ("data", *path)
    for step in path:
        document = document[step]
    return document or []


def token_in(name: str, body: bytes) -> Any:
    """Return the token of the next page, where the listing is read by tokens."""
    document = parse(body)
    if name == "playment.batch_jobs":
        document = document["data"]
    return document.get("next_page_token") if name in {"playment.batch_jobs", "llamacloud.batches"} else None


_FIELD = re.compile(r'(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r\n)')


def csv_rows(content: bytes) -> list[dict[str, str | None]]:
    """Read CSV, None for an empty field without quotes; Python's reader must see the same."""
    text = content.decode()
    found: list[list[str | None]] = [[]]
    end = 0
    for field in _FIELD.finditer(text):
        assert field.start() == end
        end = field.end()
        quoted, bare, mark = field.groups()
        found[-1].append(quoted.replace('""', '"') if quoted is not None else bare or None)
        if mark == "\r\n":
            found.append([])
    assert end == len(text)
    assert found.pop() == []
    assert list(csv.reader(io.StringIO(text, newline=""))) == [[cell or "" for cell in record] for record in found]
    header, *records = found
    return [dict(zip(map(str, header), record, strict=True)) for record in records]


def parquet_rows(content: bytes) -> list[dict[str, Any]]:
    """Read Parquet."""
    rows: list[dict[str, Any]] = pq.read_table(io.BytesIO(content)).to_pylist()
    return rows


def csv_holds(cell: str | None, value: Any, column_type: ColumnType) -> bool:
    """Whether a field of CSV is a value."""
    if value is None or cell is None:
        return value is None and cell is None
    match column_type:
        case Scalar.TEXT | Scalar.TIMESTAMP:
            return isinstance(value, str) and not isinstance(value, Number) and cell == value
        case Scalar.INTEGER:
            return isinstance(value, Number) and cell == str(value) and cell.lstrip("-").isdigit()
        case Scalar.BOOLEAN:
            return isinstance(value, bool) and cell == str(value).lower()
    return isinstance(value, dict if isinstance(column_type, Struct) else list) and typed(parse(cell)) == typed(value)


NOTHING = object()
"""Stands for what ``_extra`` has of a value that its column is all of."""


def parquet_holds(cell: Any, extra: Any, value: Any, column_type: ColumnType) -> bool:
    """Whether a cell of Parquet and what ``_extra`` has beside it are a value of JSON, each in the right place."""
    if isinstance(column_type, Struct) and isinstance(value, dict):
        beside = {} if extra is NOTHING else extra
        types = {field.name: field.type for field in column_type.fields}
        return (
            isinstance(cell, dict)
            and cell.keys() == types.keys()
            and extra != {}
            and all(
                typed(beside.get(name, NOTHING)) == typed(value.get(name, NOTHING))
                for name in (value.keys() | beside.keys()) - types.keys()
            )
            and all(
                parquet_holds(cell[name], beside.get(name, NOTHING), value.get(name), its_type)
                for name, its_type in types.items()
            )
        )
    if isinstance(column_type, ListOf) and isinstance(value, list):
        element = column_type.element
        if extra is NOTHING:
            return (
                isinstance(cell, list)
                and len(cell) == len(value)
                and all(parquet_holds(one, NOTHING, other, element) for one, other in zip(cell, value, strict=True))
            )
        is_whole = isinstance(cell, list) and parquet_holds(cell, NOTHING, value, column_type)
        return typed(extra) == typed(value) and not is_whole
    is_in_column = scalar_holds(cell, value, column_type)
    return is_in_column if extra is NOTHING else cell is None and not is_in_column and typed(extra) == typed(value)


def scalar_holds(cell: Any, value: Any, column_type: ColumnType) -> bool:
    """Whether a cell of Parquet is all of a value of JSON that contains no columns."""
    if value is None or cell is None:
        return value is None and cell is None
    match column_type:
        case Scalar.INTEGER:
            return isinstance(value, Number) and type(cell) is int and cell == value.whole
        case Scalar.BOOLEAN:
            return isinstance(value, bool) and cell is value
        case Struct() | ListOf():
            return False
    if not isinstance(value, str) or isinstance(value, Number) or not is_text(value):
        return False
    return cell == (time_of(value) if column_type is Scalar.TIMESTAMP else value)


def csv_is_right(cells: dict[str, Any], row: dict[str, Any], columns: tuple[Column, ...]) -> None:
    """Assert that a record is a row: each value in its column, or in ``_extra``, and nothing else there."""
    extra = _extra_of(cells, row, columns)
    for column in columns:
        value, cell = row.get(column.name), cells[column.name]
        if column.name in extra:
            assert typed(extra[column.name]) == typed(value), column
            assert not csv_holds(cell, value, column.type), column
        else:
            assert csv_holds(cell, value, column.type), (column, cell, value)


def parquet_is_right(cells: dict[str, Any], row: dict[str, Any], columns: tuple[Column, ...]) -> None:
    """Assert that a record is a row: of a struct, some fields may be in its column and others in ``_extra``."""
    extra = _extra_of(cells, row, columns)
    for column in columns:
        cell, beside, value = cells[column.name], extra.get(column.name, NOTHING), row.get(column.name)
        assert parquet_holds(cell, beside, value, column.type), (column, cell, beside, value)


def _extra_of(cells: dict[str, Any], row: dict[str, Any], columns: tuple[Column, ...]) -> dict[str, Any]:
    assert list(cells) == [*(column.name for column in columns), EXTRA]
    extra: dict[str, Any] = parse(cells[EXTRA]) if cells[EXTRA] is not None else {}
    documented = {column.name for column in columns}
    assert {name: typed(value) for name, value in extra.items() if name not in documented} == {
        name: typed(value) for name, value in row.items() if name not in documented
    }
    return extra
