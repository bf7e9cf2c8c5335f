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


def parquet_holds(cell: Any, value: Any, column_type: ColumnType) -> bool:
    """Whether a value of Parquet is all of a value of JSON."""
    if value is None or cell is None:
        return value is None and cell is None
    match column_type:
        case Struct(fields=fields):
            known = {field.name: field.type for field in fields}
            return (
                isinstance(value, dict)
                and value.keys() <= known.keys()
                and cell.keys() == known.keys()
                and all(parquet_holds(cell[name], value.get(name), known[name]) for name in known)
            )
        case ListOf(element=element):
            return (
                isinstance(value, list)
                and len(cell) == len(value)
                and all(parquet_holds(one, other, element) for one, other in zip(cell, value, strict=True))
            )
        case Scalar.INTEGER:
            return isinstance(value, Number) and type(cell) is int and cell == value.whole
        case Scalar.BOOLEAN:
            return isinstance(value, bool) and cell is value
    if not isinstance(value, str) or isinstance(value, Number) or not is_text(value):
        return False
    return cell == (time_of(value) if column_type is Scalar.TIMESTAMP else value)


def is_right(cells: dict[str, Any], row: dict[str, Any], columns: tuple[Column, ...], holds: Any) -> None:
    """Assert that a record holds a row: in its columns, or in ``_extra``, and nothing else there.

    :param holds: whether a cell is all of a value
    """
    assert list(cells) == [*(column.name for column in columns), EXTRA]
    extra = parse(cells[EXTRA]) if cells[EXTRA] is not None else {}
    documented = {column.name for column in columns}
    assert {name: typed(value) for name, value in extra.items() if name not in documented} == {
        name: typed(value) for name, value in row.items() if name not in documented
    }
    for column in columns:
        value, cell = row.get(column.name), cells[column.name]
        if column.name in extra:
            assert typed(extra[column.name]) == typed(value), column
            assert not holds(cell, value, column.type), column
        else:
            assert holds(cell, value, column.type), (column, cell, value)
