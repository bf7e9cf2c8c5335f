"""Rows of results: what the vendor documents is typed, the rest is kept to the character."""

from __future__ import annotations

import io
import json
from typing import Any

import pyarrow as pa
import pytest

from airflow_batch_provider.apis.columns import (
    FLOAT,
    INTEGER,
    JSON,
    TEXT,
    TIMESTAMP,
    ColumnType,
    ListOf,
    columns,
    result_columns,
    struct,
)
from airflow_batch_provider.apis.declaration import DeclarationError
from airflow_batch_provider.formats import arrow
from airflow_batch_provider.formats.format import Format
from airflow_batch_provider.formats.reader import read_table
from airflow_batch_provider.formats.registry import FORMATS
from tests.unit.formats.rows import encode

RESULT = struct(id=TEXT, usage=struct(credits=FLOAT), extract_result=JSON)
COLUMNS = result_columns(columns(id=TEXT, created_at=TIMESTAMP), RESULT)
EACH = pytest.mark.parametrize("name", FORMATS)


def read(name: str, known: Any, *lines: bytes) -> pa.Table:
    compression = FORMATS[name].compressions[0]
    return read_table(io.BytesIO(encode(Format(name, compression, known), lines)), name, compression, known)


def only(name: str, column_type: ColumnType, raw: bytes) -> tuple[Any, str | None]:
    """Return the cell of the only column, and what is left of the row."""
    (row,) = read(name, columns(value=column_type), b'{"value": ' + raw + b"}").to_pylist()
    return row["value"], row["_extra"]


def test_results_have_the_seven_columns() -> None:
    assert [str(column) for column in COLUMNS] == [
        *("id:text", "status:text", "outcome:text", "error:text"),
        "item:struct<id:text,created_at:timestamp>",
        "result:struct<id:text,usage:struct<credits:float>,extract_result:json>",
        "files:list<struct<kind:text,name:text,path:text,bytes:integer,sha256:text,content_type:text>>",
    ]
    assert str(result_columns(columns(id=TEXT), JSON)[5]) == "result:json"


def test_a_struct_without_fields_is_refused() -> None:
    with pytest.raises(DeclarationError, match="use JSON for any object"):
        result_columns((), JSON)


TEXTS = [
    b"5",
    b"-0",
    b"1.10",
    b"1E400",
    b"340282366920938463463374607431768211457",
    b"3.14159265358979323846",
    b"9" * 5000,
    b"true",
    b'"null"',
    b'""',
    b'"=1+1"',
    rb'"\ud800"',
    rb'{"\udc00" : ["\ud83d\ude00", "\\ud800", "\u0000", "\/"]}',
    '"ä\u2028東京😀"'.encode(),
    b'{ "a" : 1.0 , "a":[ ] , "" : null }',
    b"[" * 300 + b"]" * 300,
    b"[]",
    b"{}",
]


@EACH
@pytest.mark.parametrize("raw", TEXTS, ids=lambda raw: ascii(raw[:20]))
def test_a_json_value_is_kept_to_the_character_at_any_depth(name: str, raw: bytes) -> None:
    text = raw.decode()
    assert only(name, JSON, raw) == (text, None)
    assert only(name, struct(a=JSON, b=JSON), b'{"a": %b, "b": null}' % raw) == ({"a": text, "b": None}, None)
    nested = ListOf(struct(a=JSON, at=TIMESTAMP))
    assert only(name, nested, b'[{"a": %b}, null, {}]' % raw) == (
        [{"a": text, "at": None}, None, {"a": None, "at": None}],
        None,
    )
    assert only(name, ListOf(JSON), b"[%b, null]" % raw) == ([text, None], None)


@pytest.mark.parametrize("name", ["csv", "parquet"])
def test_json_is_never_a_mismatch(name: str) -> None:
    encoder = Format(name, columns=columns(value=JSON, nested=struct(a=JSON))).new_part()
    for raw in TEXTS:
        encoder.add([b'{"value": %b, "nested": {"a": %b}}' % (raw, raw)])
    encoder.finish()
    assert not encoder.mismatches


@EACH
def test_null_and_absent_json_are_null(name: str) -> None:
    rows = read(name, columns(a=JSON, b=struct(c=JSON)), b'{"a": null, "b": {"c": null}}', b"{}").to_pylist()
    assert rows == [{"a": None, "b": {"c": None}, "_extra": None}, {"a": None, "b": None, "_extra": None}]


@EACH
@pytest.mark.parametrize(
    ("raw", "value"),
    [
        (b"5", 5.0),
        (b"-0.0", 0.0),
        (b"0.1", 0.1),
        (b"1.1000", 1.1),
        (b"12.345e-3", 0.012345),
        (b"0.30000000000000004", 0.30000000000000004),
        (b"9007199254740992", 2.0**53),
        (b"9007199254740994", 2.0**53 + 2),
        (b"9007199254740993", None),
        (b"9007199254740992.5", None),
        (b"0.12345678901234567890", None),
        (b"0.99999999999999999", None),
        (b"1e23", None),  # the nearest double is 99999999999999991611392
        (b"1e999", None),
        (b"1e-999", None),
        (b"1e-99999999999999999999999", None),
        (b"9" * 5000, None),
        (b'"5"', None),
        (b"true", None),
        (b"[5]", None),
    ],
    ids=lambda raw: str(raw)[:24],
)
def test_a_number_is_exact_or_kept_beside(name: str, raw: bytes, value: float | None) -> None:
    text, fits = raw.decode(), value is not None
    assert only(name, FLOAT, raw) == (value, None if fits else f'{{"value":{text}}}')
    cell, extra = only(name, struct(credits=FLOAT, id=TEXT), b'{"credits": %b, "id": "x"}' % raw)
    assert cell == {"credits": value, "id": "x"}
    assert extra == (None if fits else f'{{"value":{{"credits":{text}}}}}')


@EACH
def test_what_a_vendor_adds_to_an_item_leaves_the_rest_typed(name: str) -> None:
    line = (
        b'{"id": "a", "item": {"id": "a", "created_at": "2026-01-31T12:30:05Z", "new": 12345678901234567890.10},'
        rb' "result": {"usage": {"credits": 1.5, "more": "\ud800"}, "extract_result": {"total": 9007199254740993}}}'
    )
    (row,) = read(name, COLUMNS, line).to_pylist()
    assert row["item"] == {"id": "a", "created_at": row["item"]["created_at"]}
    assert row["item"]["created_at"].isoformat() == "2026-01-31T12:30:05+00:00"
    assert row["result"] == {
        "id": None,
        "usage": {"credits": 1.5},
        "extract_result": '{"total": 9007199254740993}',
    }
    assert row["_extra"] == r'{"item":{"new":12345678901234567890.10},"result":{"usage":{"more":"\ud800"}}}'


@EACH
def test_a_value_that_does_not_fit_costs_only_its_own_field(name: str) -> None:
    known = columns(item=struct(id=TEXT, frames=INTEGER, at=TIMESTAMP, label=TEXT))
    line = rb'{"item": {"id": "a", "frames": 18446744073709551616, "at": "soon", "label": "\udc00"}, "x": "\ud800"}'
    (row,) = read(name, known, line).to_pylist()
    assert row["item"] == {"id": "a", "frames": None, "at": None, "label": None}
    assert row["_extra"] == (r'{"item":{"frames":18446744073709551616,"at":"soon","label":"\udc00"},"x":"\ud800"}')


@EACH
def test_nested_times_are_read_with_and_without_offset(name: str) -> None:
    known = columns(item=struct(at=TIMESTAMP, all=ListOf(TIMESTAMP)))
    lines = [
        b'{"item": {"at": "2026-01-31T18:00:05+05:30", "all": ["2026-01-31T12:30:05", null, "2026-01-31 12:30:05Z"]}}',
        b'{"item": {"at": "2026-01-31T12:30:05", "all": []}}',
        b'{"item": null}',
        b'{"item": {"all": null}}',
    ]
    rows = read(name, known, *lines).to_pylist()
    moment = rows[0]["item"]["at"]
    assert moment.isoformat() == "2026-01-31T12:30:05+00:00"
    assert [row["item"] for row in rows] == [
        {"at": moment, "all": [moment, None, moment]},
        {"at": moment, "all": []},
        None,
        {"at": None, "all": None},
    ]
    assert rows == [row for line in lines for row in read(name, known, line).to_pylist()]


@EACH
@pytest.mark.parametrize("rows", [0, 3])
def test_the_schema_is_the_same_without_rows_and_with_nulls(name: str, rows: int) -> None:
    table = read(name, COLUMNS, *[json.dumps(dict.fromkeys(column.name for column in COLUMNS)).encode()] * rows)
    assert table.schema.equals(arrow.schema_of(COLUMNS))
    assert table.schema.field("item").type.field("created_at").type == pa.timestamp("us", "UTC")
    assert table.schema.field("result").type.field("extract_result").type == pa.string()
    assert table.schema.field("result").type.field("usage").type.field("credits").type == pa.float64()
    assert table.num_rows == rows


def test_results_as_documented_are_not_checked_value_by_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrow, "check_type", lambda raw, scalar: pytest.fail("a value was checked alone"))
    line = b'{"id": "a", "item": {"created_at": "2026-01-31T12:30:05Z"}, "result": {"extract_result": {}, "new": 1}}'
    (row,) = read("parquet", COLUMNS, line).to_pylist()
    assert row["_extra"] == '{"result":{"new":1}}'


def test_formulas_are_escaped_in_text_only() -> None:
    known = columns(id=TEXT, any=JSON, credits=FLOAT, item=struct(id=TEXT, any=JSON))
    line = b'{"id": "=1", "any": "=1", "credits": -1.50, "item": {"id": "=1", "any": -1}}'
    content = encode(Format("csv", None, known, escape_formulas=True), [line])
    assert content.splitlines()[1] == (b'"\'=1","""=1""",-1.50,"{""id"": ""=1"", ""any"": -1}",')
