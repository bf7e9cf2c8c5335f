"""CSV contains every value, and null, empty and nested values stay distinct."""

from __future__ import annotations

import csv
import io
import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_batch_provider.apis.columns import Column, ColumnType, ListOf, Scalar, Struct
from airflow_batch_provider.apis.endpoint import Listing
from airflow_batch_provider.formats.format import Format
from airflow_batch_provider.vendors import playment, talkifai
from tests.unit.formats.rows import SCHEMAS, documented, encode, foreign, is_text, lines_of

_FIELD = re.compile(rb'(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r\n)')


def csv_of(listing: Listing, lines: list[bytes], **options: Any) -> bytes:
    return encode(Format("csv", None, listing.columns, **options), lines)


def records(content: bytes) -> list[list[str | None]]:
    """Take a file apart: None for an empty field that is not quoted."""
    found: list[list[str | None]] = [[]]
    end = 0
    for field in _FIELD.finditer(content):
        assert field.start() == end
        end = field.end()
        quoted, bare, mark = field.groups()
        found[-1].append(quoted.replace(b'""', b'"').decode() if quoted is not None else bare.decode() or None)
        if mark == b"\r\n":
            found.append([])
    assert end == len(content)
    assert found.pop() == []
    return found


def expected(value: Any, column_type: ColumnType) -> tuple[str | None, bool]:
    """Return a field, and whether the value is of its type."""
    if value is None:
        return None, True
    match column_type:
        case Scalar.TEXT | Scalar.TIMESTAMP if isinstance(value, str) and is_text(value):
            return value, True
        case Scalar.INTEGER if isinstance(value, int) and not isinstance(value, bool):
            return str(value), True
        case Scalar.UNIX_SECONDS | Scalar.UNIX_MILLISECONDS if isinstance(value, int) and not isinstance(value, bool):
            return str(value), True
        case Scalar.FLOAT if isinstance(value, int | float) and not isinstance(value, bool):
            return json.dumps(value), True
        case Scalar.BOOLEAN if isinstance(value, bool):
            return str(value).lower(), True
        case Scalar.JSON:
            return json.dumps(value), True
        case Struct() if isinstance(value, dict):
            return json.dumps(value), True
        case ListOf() if isinstance(value, list):
            return json.dumps(value), True
    return None, False


@pytest.mark.parametrize("columns", SCHEMAS.values(), ids=SCHEMAS)
@given(data=st.data())
def test_what_is_written_is_read_by_any_reader_of_csv(columns: tuple[Column, ...], data: st.DataObject) -> None:
    rows = data.draw(st.lists(documented(columns), max_size=4))
    content = encode(Format("csv", None, columns), lines_of(rows))
    header, *read = list(csv.reader(io.StringIO(content.decode(), newline="")))
    assert header == [*(column.name for column in columns), "_extra"]
    assert read == [[*(expected(row.get(column.name), column.type)[0] or "" for column in columns), ""] for row in rows]


@pytest.mark.parametrize("columns", SCHEMAS.values(), ids=SCHEMAS)
@given(data=st.data())
def test_no_value_is_lost_however_foreign(columns: tuple[Column, ...], data: st.DataObject) -> None:
    rows = data.draw(st.lists(foreign(columns), max_size=4))
    encoder = Format("csv", None, columns).new_part()
    content = encoder.add(lines_of(rows)) + encoder.finish()
    mismatches = 0
    for row, (*cells, extra) in zip(rows, records(content)[1:], strict=True):
        left = {key: value for key, value in row.items() if key not in {column.name for column in columns}}
        for column, cell in zip(columns, cells, strict=True):
            wanted, fits = expected(row.get(column.name), column.type)
            assert cell == wanted
            if not fits:
                left[column.name] = row[column.name]
                mismatches += 1
        assert (json.loads(extra) if extra else {}) == left
        assert list(json.loads(extra or "{}")) == [key for key in row if key in left]
    assert encoder.mismatches.total() == mismatches


def test_null_and_absent_differ_from_empty() -> None:
    content = csv_of(playment.BATCH_JOBS, [b'{"id": "1", "reference_id": "", "status": null}'])
    assert content.splitlines()[1] == b'"1","",,,,,,,'


def test_numbers_times_and_nested_values_are_the_vendors_own_text() -> None:
    line = (
        b'{"id": "1", "createdAt": "soon \\u00e4", "totalContacts": 123456789012345678901234567890, '
        b'"retryPolicy": {"maxAttempts" : 1.10, "x": "\\ud800"}, "new": 1.10}'
    )
    (_, cells) = records(csv_of(talkifai.BATCH_JOBS, [line]))
    row = dict(zip([*(column.name for column in talkifai.BATCH_JOBS.columns), "_extra"], cells, strict=True))
    assert row["createdAt"] == "soon ä"
    assert row["totalContacts"] == "123456789012345678901234567890"
    assert row["retryPolicy"] == '{"maxAttempts" : 1.10, "x": "\\ud800"}'
    assert row["_extra"] == '{"new":1.10}'


@pytest.mark.parametrize(
    ("value", "cell", "extra"),
    [
        (b"-5", "-5", None),
        (b"1.5", None, '{"annotations":1.5}'),
        (b"1e2", None, '{"annotations":1e2}'),
        (b"true", None, '{"annotations":true}'),
        (b'"5"', None, '{"annotations":"5"}'),
        (b"[5]", None, '{"annotations":[5]}'),
    ],
)
def test_a_number_that_is_no_integer_is_kept_to_the_character(
    value: bytes, cell: str | None, extra: str | None
) -> None:
    (_, cells) = records(csv_of(playment.BATCH_JOBS, [b'{"annotations": ' + value + b"}"]))
    assert (cells[4], cells[-1]) == (cell, extra)


@pytest.mark.parametrize("value", [b"0", b"1", b'"true"', b"[true]"])
def test_what_is_neither_true_nor_false_is_no_boolean(value: bytes) -> None:
    (_, cells) = records(csv_of(playment.BATCHES, [b'{"is_default": ' + value + b"}"]))
    assert (cells[3], cells[-1]) == (None, '{"is_default":' + value.decode() + "}")


def test_of_a_repeated_field_the_last_counts() -> None:
    content = csv_of(playment.BATCH_JOBS, [b'{"id": "1", "new": 1, "id": "2", "new": 3}'])
    assert content.splitlines()[1] == b'"2",,,,,,,,"{""new"":3}"'


def test_no_rows_are_a_header() -> None:
    content = csv_of(playment.BATCH_JOBS, [])
    assert content == b"id,reference_id,status,frames,annotations,priority_weight,tag,viewer_url,_extra\r\n"


STARTS = ["=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20", "\t", "\r", "\n", "\0"]


@pytest.mark.parametrize("start", STARTS, ids=ascii)
def test_a_formula_gets_an_apostrophe_if_asked_for(start: str) -> None:
    lines = lines_of([{"id": f'{start}A1&"x"', "status": f"a{start}", "frames": -5}])
    plain, escaped = (csv_of(playment.BATCH_JOBS, lines, escape_formulas=escape) for escape in (False, True))
    assert records(plain)[1][:4] == [f'{start}A1&"x"', None, f"a{start}", "-5"]
    assert records(escaped)[1][:4] == [f'\'{start}A1&"x"', None, f"a{start}", "-5"]
