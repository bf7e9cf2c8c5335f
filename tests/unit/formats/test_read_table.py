"""A file of any format gives the same Arrow table: the documented types, whatever the rows contain."""

from __future__ import annotations

import io
import json
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_batch_provider.apis.columns import FLOAT, INTEGER, JSON, TEXT, columns, struct
from airflow_batch_provider.formats import arrow
from airflow_batch_provider.formats.fields import Mismatches
from airflow_batch_provider.formats.format import Format
from airflow_batch_provider.formats.reader import read_table
from airflow_batch_provider.formats.registry import FORMATS
from tests.unit.formats.rows import RESULTS, SCHEMAS, documented, encode, foreign, lines_of

COMBINATIONS = [(name, compression) for name, known in FORMATS.items() for compression in known.compressions]


def table_of(name: str, compression: str | None, known: Any, lines: list[bytes]) -> pa.Table:
    content = encode(Format(name, compression, known), lines)
    return read_table(io.BytesIO(content), name, compression, known)


def direct(known: Any, lines: list[bytes]) -> pa.Table:
    return arrow.ArrowReader(known, Mismatches(set())).read(lines) if lines else arrow.schema_of(known).empty_table()


def comparable(table: pa.Table) -> list[dict[str, Any]]:
    """Return the rows, without an order of the fields in ``_extra``."""
    return [row | {"_extra": row["_extra"] and json.loads(row["_extra"])} for row in table.to_pylist()]


@pytest.mark.parametrize("known", SCHEMAS.values(), ids=SCHEMAS)
@pytest.mark.parametrize("name", FORMATS)
@given(data=st.data())
@settings(max_examples=30)
def test_any_rows_give_the_table_of_the_documented_types(name: str, known: Any, data: st.DataObject) -> None:
    rows = data.draw(st.lists(documented(known) | foreign(known), max_size=4))
    lines = lines_of(rows)
    table, expected = table_of(name, FORMATS[name].compressions[0], known, lines), direct(known, lines)
    assert table.schema.equals(expected.schema)
    assert comparable(table) == comparable(expected)


@pytest.mark.parametrize(
    "rows",
    [[], [{}], [{"id": None, "any": None, "result": None}, {}], [{"other": 1}], [{"result": {}, "item": {}}]],
    ids=str,
)
@pytest.mark.parametrize(("name", "compression"), COMBINATIONS)
def test_columns_of_nulls_have_their_types(name: str, compression: str | None, rows: list[dict[str, Any]]) -> None:
    known = (*columns(id=TEXT, count=INTEGER, nested=struct(a=INTEGER), any=JSON, part=FLOAT), *RESULTS[4:])
    table = table_of(name, compression, known, lines_of(rows))
    assert table.schema.equals(arrow.schema_of(known))
    assert table.num_rows == len(rows)


@pytest.mark.parametrize(("name", "compression"), COMBINATIONS)
def test_many_rows_keep_their_order(name: str, compression: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrow, "BYTES_PER_TABLE", 100)
    known = columns(id=INTEGER, text=TEXT)
    table = table_of(name, compression, known, lines_of([{"id": n, "text": 'a "b"\n,'} for n in range(500)]))
    assert table["id"].to_pylist() == list(range(500))
    assert set(table["text"].to_pylist()) == {'a "b"\n,'}
