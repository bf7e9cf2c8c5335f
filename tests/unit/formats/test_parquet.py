"""Parquet has typed columns, and keeps every value of another type."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_batch_provider.apis.columns import Column, ColumnType, ListOf, Scalar, Struct
from airflow_batch_provider.formats import arrow, parquet, split
from airflow_batch_provider.formats.format import Format
from airflow_batch_provider.vendors import llamacloud, playment, talkifai
from tests.unit.formats.rows import SCHEMAS, documented, encode, foreign, is_text, lines_of, time_of


def table_of(columns: tuple[Column, ...], lines: list[bytes]) -> pa.Table:
    return pq.read_table(io.BytesIO(encode(Format("parquet", columns=columns), lines)))


class ForeignError(Exception):
    """The value is not of its type."""


ALL = object()
"""The rest of a value of which nothing is left over."""


def expected(value: Any, column_type: ColumnType, ascii_only: bool = True) -> tuple[Any, Any, int]:
    """Return a value as its column contains it, the rest of it, and how many values are not of their type."""
    match value, column_type:
        case None, _:
            return None, ALL, 0
        case _, Scalar.JSON:
            return json.dumps(value, ensure_ascii=ascii_only), ALL, 0
        case str(), Scalar.TEXT if is_text(value):
            return value, ALL, 0
        case str(), Scalar.TIMESTAMP if is_text(value) and time_of(value):
            return time_of(value), ALL, 0
        case bool(), Scalar.BOOLEAN:
            return value, ALL, 0
        case bool(), _:
            raise ForeignError
        case int(), Scalar.INTEGER if -(2**63) <= value < 2**63:
            return value, ALL, 0
        case int(), Scalar.UNIX_SECONDS | Scalar.UNIX_MILLISECONDS:
            return unix_time(value, 1 if column_type is Scalar.UNIX_SECONDS else 1000), ALL, 0
        case int() | float(), Scalar.FLOAT if is_exact(value):
            return float(value), ALL, 0
        case list(), ListOf(element=element):
            parts = [expected(one, element, ascii_only) for one in value]
            is_whole = all(rest is ALL for _, rest, _ in parts)
            return [cell for cell, _, _ in parts], ALL if is_whole else value, sum(count for _, _, count in parts)
        case dict(), Struct(fields=fields):
            return expected_fields(value, fields, ascii_only)
    raise ForeignError


def expected_fields(
    value: dict[str, Any], columns: tuple[Column, ...], ascii_only: bool = True
) -> tuple[dict[str, Any], Any, int]:
    """Return the cells of an object's columns, the rest of it, and how many values are not of their type."""
    cells = dict[str, Any]()
    rest, mismatches = dict(value), 0
    for column in columns:
        try:
            cells[column.name], left, inside = expected(value.get(column.name), column.type, ascii_only)
            mismatches += inside
        except ForeignError:
            cells[column.name], left = None, value[column.name]
            mismatches += 1
        rest[column.name] = left
    rest = {name: left for name, left in rest.items() if left is not ALL}
    return cells, rest or ALL, mismatches


def unix_time(value: int, per_second: int) -> datetime:
    try:
        return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=value * 1_000_000 // per_second)
    except OverflowError:
        raise ForeignError from None


def is_exact(value: float) -> bool:
    """Whether a double is all of a number, which is no other integer if it is written as a power of ten."""
    try:
        return Fraction(float(value)) == Fraction(json.dumps(value)) or not float(value).is_integer()
    except OverflowError:
        return False


@pytest.mark.parametrize("columns", SCHEMAS.values(), ids=SCHEMAS)
@given(data=st.data())
def test_documented_rows_come_back_typed(columns: tuple[Column, ...], data: st.DataObject) -> None:
    rows = data.draw(st.lists(documented(columns), max_size=4))
    ascii_only = data.draw(st.booleans())
    table = table_of(columns, lines_of(rows, ascii_only=ascii_only))
    assert table.schema.equals(arrow.schema_of(columns))
    assert table.to_pylist() == [{**expected_fields(row, columns, ascii_only)[0], "_extra": None} for row in rows]


@pytest.mark.parametrize("columns", SCHEMAS.values(), ids=SCHEMAS)
@given(data=st.data())
def test_foreign_rows_lose_nothing(columns: tuple[Column, ...], data: st.DataObject) -> None:
    # Either alone or among documented ones, that the fast way may not take them with it.
    rows = data.draw(st.lists(foreign(columns) | documented(columns), max_size=4))
    encoder = Format("parquet", columns=columns).new_part()
    table = pq.read_table(io.BytesIO(encoder.add(lines_of(rows)) + encoder.finish()))
    assert table.schema.equals(arrow.schema_of(columns))
    mismatches = 0
    for row, read in zip(rows, table.to_pylist(), strict=True):
        extra = read.pop("_extra")
        cells, rest, count = expected_fields(row, columns)
        assert read == cells
        assert (ALL if extra is None else json.loads(extra)) == rest
        if extra is not None:
            assert list(json.loads(extra)) == [name for name in row if name in rest]
        assert put_together(read, json.loads(extra or "{}"), columns) == without_nulls(row, columns)
        mismatches += count
    assert encoder.mismatches.total() == mismatches


def put_together(cells: dict[str, Any], extra: dict[str, Any], columns: tuple[Column, ...]) -> dict[str, Any]:
    """Make a row of what a file contains, as docs/exports.md says."""
    row = dict(extra)
    for column in columns:
        cell = cells[column.name]
        if isinstance(column.type, Struct) and cell is not None:
            row[column.name] = put_together(cell, extra.get(column.name, {}), column.type.fields)
        elif cell is not None and column.name not in extra:
            row[column.name] = back(cell, column.type)
    return row


def back(cell: Any, column_type: ColumnType) -> Any:
    """Return the JSON value that a cell was made of, times as times."""
    if column_type is Scalar.JSON and cell is not None:
        return json.loads(cell)
    if isinstance(column_type, Struct) and cell is not None:
        return put_together(cell, {}, column_type.fields)
    if isinstance(column_type, ListOf) and cell is not None:
        return [back(element, column_type.element) for element in cell]
    return cell


def without_nulls(row: dict[str, Any], columns: tuple[Column, ...]) -> dict[str, Any]:
    """Return a row as :func:`put_together` makes it: what is documented and null is not there, times are times."""
    types = {column.name: column.type for column in columns}
    return {
        name: normal(value, types[name]) if name in types else value
        for name, value in row.items()
        if name not in types or value is not None
    }


def normal(value: Any, column_type: ColumnType) -> Any:
    if isinstance(column_type, Struct) and isinstance(value, dict):
        return without_nulls(value, column_type.fields)
    try:
        cell, rest, _ = expected(value, column_type)
    except ForeignError:
        return value
    return back(cell, column_type) if rest is ALL else value


@pytest.mark.parametrize("columns", SCHEMAS.values(), ids=SCHEMAS)
@given(data=st.data())
def test_the_fast_way_and_the_slow_way_agree(columns: tuple[Column, ...], data: st.DataObject) -> None:
    lines = lines_of(data.draw(st.lists(documented(columns), min_size=1, max_size=4)))
    # One row that only the slow way takes brings the others there.
    odd = b'{"status": {"not": "a word"}}'
    assert table_of(columns, [*lines, odd]).slice(0, len(lines)).to_pylist() == table_of(columns, lines).to_pylist()


def test_documented_rows_are_read_the_fast_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(split, "raw_fields", lambda line: pytest.fail("a row was read one by one"))
    samples = {
        "2025-02-28T14:00:00Z": datetime(2025, 2, 28, 14, tzinfo=UTC),
        "2019-12-27T18:11:19.117Z": datetime(2019, 12, 27, 18, 11, 19, 117_000, UTC),
        "2019-12-06T15:42:36.23401+05:30": datetime(2019, 12, 6, 10, 12, 36, 234_010, UTC),
        "2019-08-23T17:55:13.203229+05:30": datetime(2019, 8, 23, 12, 25, 13, 203_229, UTC),
    }
    lines = lines_of([{"id": "ä😀", "created_at": text, "total_jobs": 1, "is_default": False} for text in samples])
    assert table_of(playment.BATCHES.columns, lines)["created_at"].to_pylist() == list(samples.values())
    naive = lines_of([{"created_at": text.partition("+")[0].rstrip("Z")} for text in samples])
    assert table_of(playment.BATCHES.columns, naive)["created_at"].to_pylist() == [
        datetime.fromisoformat(text.partition("+")[0].rstrip("Z")).replace(tzinfo=UTC) for text in samples
    ]


def test_a_field_that_the_vendor_added_keeps_the_rows_on_the_fast_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrow, "check_type", lambda value, column_type: pytest.fail("a value was checked alone"))
    lines = [b'{"id": "1", "new": 1.10, "frames": 3}', b'{"id": "2", "other": {"a": [1]}}', b'{"id": "3"}']
    table = table_of(playment.BATCH_JOBS.columns, lines)
    assert table["_extra"].to_pylist() == ['{"new":1.10}', '{"other":{"a": [1]}}', None]
    assert table["frames"].to_pylist() == [3, None, None]


@pytest.mark.parametrize(
    ("line", "column", "extra"),
    [
        (b'{"total_jobs": 1.0}', None, '{"total_jobs":1.0}'),
        (b'{"total_jobs": 1e2}', None, '{"total_jobs":1e2}'),
        (b'{"total_jobs": 1e999}', None, '{"total_jobs":1e999}'),
        (b'{"total_jobs": true}', None, '{"total_jobs":true}'),
        (b'{"total_jobs": "5"}', None, '{"total_jobs":"5"}'),
        (b'{"total_jobs": 9223372036854775808}', None, '{"total_jobs":9223372036854775808}'),
        (b'{"total_jobs": -9223372036854775808}', -(2**63), None),
        (b'{"total_jobs": -0}', 0, None),
        (b'{"total_jobs": 1, "total_jobs": 2}', 2, None),
        (b'{"total_jobs": "x", "total_jobs": 2}', 2, None),
        (rb'{"total_jobs": 1, "\ud800": "\udc00"}', 1, r'{"\ud800":"\udc00"}'),
        (b'{"total_jobs": 1, "deep": ' + b"[" * 300 + b"]" * 300 + b"}", 1, '{"deep":' + "[" * 300 + "]" * 300 + "}"),
    ],
)
def test_odd_values_are_kept_to_the_character(line: bytes, column: int | None, extra: str | None) -> None:
    (row,) = table_of(playment.BATCHES.columns, [line]).to_pylist()
    assert (row["total_jobs"], row["_extra"]) == (column, extra)


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2019-12-27T18:11:19.1234560Z", datetime(2019, 12, 27, 18, 11, 19, 123_456, UTC)),
        ("2019-12-27T18:11:19.1234567Z", None),
        ("2019-12-27T18:11:19.117", datetime(2019, 12, 27, 18, 11, 19, 117_000, UTC)),
        ("2019-12-27T18:11:19+05:60", None),
        ("2019-12-27", None),
        ("0001-01-01T00:00:00Z", datetime(1, 1, 1, tzinfo=UTC)),
        ("0001-01-01T00:00:00+05:30", None),
        ("0000-01-01T00:00:00Z", None),
        ("9999-12-31T23:59:59-01:00", None),
        ("soon", None),
        ("", None),
    ],
)
@pytest.mark.parametrize("beside", ["2025-02-28T14:00:00Z", "2025-02-28T14:00:00", None])
def test_a_time_is_read_exactly_or_kept_as_text(text: str, time: datetime | None, beside: str | None) -> None:
    rows = table_of(playment.BATCHES.columns, lines_of([{"created_at": text}, {"created_at": beside}])).to_pylist()
    assert rows[0]["created_at"] == time
    assert rows[0]["_extra"] == (None if time else json.dumps({"created_at": text}, separators=(",", ":")))
    assert rows[1]["created_at"] == (datetime(2025, 2, 28, 14, tzinfo=UTC) if beside else None)


NO_RESULT = dict.fromkeys(("source_directory_file_id", "error_message", "job_reference"))


@pytest.mark.parametrize(
    ("results", "column", "whole", "mismatches"),
    [
        (b"[null, {}]", [None, NO_RESULT], True, {}),
        (b'[{"error_message": "x", "new": 1}]', [{**NO_RESULT, "error_message": "x"}], False, {}),
        (
            b'[{"error_message": "x", "job_reference": {"new": 1}}]',
            [{**NO_RESULT, "error_message": "x", "job_reference": {"id": None, "type": None}}],
            False,
            {},
        ),
        (b'[{"error_message": 1}]', [NO_RESULT], False, {"results.error_message": 1}),
        (rb'[{"error_message": "\ud800"}]', [NO_RESULT], False, {"results.error_message": 1}),
        (b'[["x"]]', None, False, {"results": 1}),
        (b'[{"error_message": "x"}, "x"]', None, False, {"results": 1}),
        (b"{}", None, False, {"results": 1}),
    ],
)
def test_a_list_is_whole_in_extra_if_its_column_is_not_all_of_it(
    results: bytes, column: Any, whole: bool, mismatches: dict[str, int]
) -> None:
    encoder = Format("parquet", columns=llamacloud.BATCHES.columns).new_part()
    content = encoder.add([b'{"results": ' + results + b"}"]) + encoder.finish()
    (row,) = pq.read_table(io.BytesIO(content)).to_pylist()
    assert row["results"] == column
    assert row["_extra"] == (None if whole else '{"results":' + results.decode() + "}")
    assert encoder.mismatches == mismatches


@pytest.mark.parametrize(
    ("config", "job", "extra", "mismatches"),
    [
        (
            b'{"job": {"type": "a", "new" : 1.10}, "old": [ ]}',
            {"configuration_id": None, "type": "a"},
            '{"config":{"job":{"new":1.10},"old":[ ]}}',
            {},
        ),
        (
            b'{"job": {"type": 1, "configuration_id": "c"}}',
            {"configuration_id": "c", "type": None},
            '{"config":{"job":{"type":1}}}',
            {"config.job.type": 1},
        ),
        (b'{"job": [1]}', None, '{"config":{"job":[1]}}', {"config.job": 1}),
        (rb'{"job": {"\ud800": null}}', {"configuration_id": None, "type": None}, None, {}),
    ],
)
def test_extra_has_of_a_struct_what_its_column_does_not_contain(
    config: bytes, job: Any, extra: str | None, mismatches: dict[str, int]
) -> None:
    encoder = Format("parquet", columns=llamacloud.BATCHES.columns).new_part()
    content = encoder.add([b'{"id": "b", "config": ' + config + b"}"]) + encoder.finish()
    (row,) = pq.read_table(io.BytesIO(content)).to_pylist()
    assert row["config"] == {"job": job}
    assert row["_extra"] == (extra or r'{"config":{"job":{"\ud800":null}}}')
    assert encoder.mismatches == mismatches


def test_no_rows_have_the_same_schema() -> None:
    table = table_of(talkifai.BATCH_JOBS.columns, [])
    assert len(table) == 0
    assert table.schema.equals(arrow.schema_of(talkifai.BATCH_JOBS.columns))
    assert table.schema.field("createdAt").type == pa.timestamp("us", "UTC")
    assert table.schema.field("retryPolicy").type.field("retryableStatuses").type.value_type == pa.string()
    assert table.schema.names[-1] == "_extra"


def test_row_groups_are_cut_by_the_rows_and_compressed_inside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet, "BYTES_PER_TABLE", 1000)
    monkeypatch.setattr(parquet, "BYTES_PER_ROW_GROUP", 10_000)
    lines = lines_of([{"id": f"{number:05d}", "status": "x" * 79} for number in range(250)])
    file = pq.ParquetFile(io.BytesIO(encode(Format("parquet", columns=playment.BATCH_JOBS.columns), lines)))
    groups = [file.metadata.row_group(index) for index in range(file.metadata.num_row_groups)]
    assert len({group.num_rows for group in groups[:-1]}) == 1
    assert len(groups) > 1
    assert groups[0].column(0).compression == "ZSTD"
    assert file.read()["id"].to_pylist() == [f"{number:05d}" for number in range(250)]
