"""Parquet has typed columns, and keeps every value of another type."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_batch_provider.apis.columns import ColumnType, ListOf, Scalar, Struct
from airflow_batch_provider.apis.endpoint import Listing
from airflow_batch_provider.formats import arrow, parquet
from airflow_batch_provider.formats.format import Format
from airflow_batch_provider.vendors import llamacloud, playment, talkifai
from tests.listings import LISTINGS
from tests.unit.formats.rows import documented, encode, foreign, is_text, lines_of, time_of


def table_of(listing: Listing, lines: list[bytes]) -> pa.Table:
    return pq.read_table(io.BytesIO(encode(Format("parquet", columns=listing.columns), lines)))


class ForeignError(Exception):
    """The value is not of its type."""


def expected(value: Any, column_type: ColumnType) -> tuple[Any, bool]:
    """Return a value as its column contains it, and whether that is all of it."""
    match value, column_type:
        case None, _:
            return None, True
        case str(), Scalar.TEXT if is_text(value):
            return value, True
        case str(), Scalar.TIMESTAMP if is_text(value) and time_of(value):
            return time_of(value), True
        case bool(), Scalar.BOOLEAN:
            return value, True
        case int(), Scalar.INTEGER if not isinstance(value, bool) and -(2**63) <= value < 2**63:
            return value, True
        case list(), ListOf():
            elements = [expected(element, column_type.element) for element in value]
            return [element for element, _ in elements], all(whole for _, whole in elements)
        case dict(), Struct():
            if not is_text(json.dumps(value, ensure_ascii=False)):
                raise ForeignError  # cannot be parsed in part
            fields = {field.name: expected(value.get(field.name), field.type) for field in column_type.fields}
            return (
                {name: element for name, (element, _) in fields.items()},
                value.keys() <= fields.keys() and all(whole for _, whole in fields.values()),
            )
    raise ForeignError


@pytest.mark.parametrize("name", LISTINGS)
@given(data=st.data())
def test_documented_rows_come_back_typed(name: str, data: st.DataObject) -> None:
    listing = LISTINGS[name]
    rows = data.draw(st.lists(documented(listing.columns), max_size=4))
    table = table_of(listing, lines_of(rows, ascii_only=data.draw(st.booleans())))
    assert table.schema.equals(arrow.schema_of(listing.columns))
    assert table.to_pylist() == [
        {**{column.name: expected(row.get(column.name), column.type)[0] for column in listing.columns}, "_extra": None}
        for row in rows
    ]


@pytest.mark.parametrize("name", LISTINGS)
@given(data=st.data())
def test_foreign_rows_lose_nothing(name: str, data: st.DataObject) -> None:
    listing = LISTINGS[name]
    # Either alone or among documented ones, that the fast way may not take them with it.
    rows = data.draw(st.lists(foreign(listing.columns) | documented(listing.columns), max_size=4))
    encoder = Format("parquet", columns=listing.columns).new_part()
    table = pq.read_table(io.BytesIO(encoder.add(lines_of(rows)) + encoder.finish()))
    assert table.schema.equals(arrow.schema_of(listing.columns))
    mismatches = 0
    for row, read in zip(rows, table.to_pylist(), strict=True):
        left = {key: value for key, value in row.items() if key not in read or key == "_extra"}
        for column in listing.columns:
            try:
                wanted, whole = expected(row.get(column.name), column.type)
            except ForeignError:
                wanted, whole = None, False
                mismatches += 1
            assert read[column.name] == wanted
            if not whole:
                left[column.name] = row[column.name]
        assert (json.loads(read["_extra"]) if read["_extra"] else {}) == left
    assert encoder.mismatches.total() == mismatches


@pytest.mark.parametrize("name", LISTINGS)
@given(data=st.data())
def test_the_fast_way_and_the_slow_way_agree(name: str, data: st.DataObject) -> None:
    listing = LISTINGS[name]
    lines = lines_of(data.draw(st.lists(documented(listing.columns), min_size=1, max_size=4)))
    # One row that only the slow way takes brings the others there.
    odd = b'{"status": {"not": "a word"}}'
    assert table_of(listing, [*lines, odd]).slice(0, len(lines)).to_pylist() == table_of(listing, lines).to_pylist()


def test_documented_rows_are_read_the_fast_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrow, "raw_fields", lambda line: pytest.fail("a row was read one by one"))
    samples = {
        "2025-02-28T14:00:00Z": datetime(2025, 2, 28, 14, tzinfo=UTC),
        "2019-12-27T18:11:19.117Z": datetime(2019, 12, 27, 18, 11, 19, 117_000, UTC),
        "2019-12-06T15:42:36.23401+05:30": datetime(2019, 12, 6, 10, 12, 36, 234_010, UTC),
        "2019-08-23T17:55:13.203229+05:30": datetime(2019, 8, 23, 12, 25, 13, 203_229, UTC),
    }
    lines = lines_of([{"id": "ä😀", "created_at": text, "total_jobs": 1, "is_default": False} for text in samples])
    assert table_of(playment.BATCHES, lines)["created_at"].to_pylist() == list(samples.values())
    naive = lines_of([{"created_at": text.partition("+")[0].rstrip("Z")} for text in samples])
    assert table_of(playment.BATCHES, naive)["created_at"].to_pylist() == [
        datetime.fromisoformat(text.partition("+")[0].rstrip("Z")).replace(tzinfo=UTC) for text in samples
    ]


def test_a_field_that_the_vendor_added_keeps_the_rows_on_the_fast_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrow, "check_type", lambda value, column_type: pytest.fail("a value was checked alone"))
    lines = [b'{"id": "1", "new": 1.10, "frames": 3}', b'{"id": "2", "other": {"a": [1]}}', b'{"id": "3"}']
    table = table_of(playment.BATCH_JOBS, lines)
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
    (row,) = table_of(playment.BATCHES, [line]).to_pylist()
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
    rows = table_of(playment.BATCHES, lines_of([{"created_at": text}, {"created_at": beside}])).to_pylist()
    assert rows[0]["created_at"] == time
    assert rows[0]["_extra"] == (None if time else json.dumps({"created_at": text}, separators=(",", ":")))
    assert rows[1]["created_at"] == (datetime(2025, 2, 28, 14, tzinfo=UTC) if beside else None)


@pytest.mark.parametrize(
    ("results", "column", "whole", "mismatches"),
    [
        (b"[null, {}]", [None, dict.fromkeys(("source_directory_file_id", "error_message", "job_reference"))], True, 0),
        (b'[{"error_message": "x", "new": 1}]', "x", False, 0),
        (b'[{"error_message": "x", "job_reference": {"new": 1}}]', "x", False, 0),
        (b'[{"error_message": 1}]', None, False, 1),
        (rb'[{"error_message": "\ud800"}]', None, False, 1),
        (b'[["x"]]', None, False, 1),
        (b"{}", None, False, 1),
    ],
)
def test_a_nested_value_is_in_its_column_in_extra_or_in_both(
    results: bytes, column: Any, whole: bool, mismatches: int
) -> None:
    encoder = Format("parquet", columns=llamacloud.BATCHES.columns).new_part()
    content = encoder.add([b'{"results": ' + results + b"}"]) + encoder.finish()
    (row,) = pq.read_table(io.BytesIO(content)).to_pylist()
    assert (row["results"][0]["error_message"] if column == "x" else row["results"]) == column
    assert row["_extra"] == (None if whole else '{"results":' + results.decode() + "}")
    assert encoder.mismatches.total() == mismatches


def test_a_nested_object_that_gained_a_field_is_in_both_places() -> None:
    encoder = Format("parquet", columns=llamacloud.BATCHES.columns).new_part()
    line = b'{"id": "b", "config": {"job": {"type": "parse_v2", "new": 1.10}}}'
    (row,) = pq.read_table(io.BytesIO(encoder.add([line]) + encoder.finish())).to_pylist()
    assert row["config"] == {"job": {"configuration_id": None, "type": "parse_v2"}}
    assert row["_extra"] == '{"config":{"job": {"type": "parse_v2", "new": 1.10}}}'
    assert not encoder.mismatches


def test_no_rows_have_the_same_schema() -> None:
    table = table_of(talkifai.BATCH_JOBS, [])
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
