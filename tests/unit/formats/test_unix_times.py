"""Times that a vendor writes as whole numbers since 1970."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime
from typing import Any

import pyarrow.parquet as pq
import pytest

from airflow_batch_provider.apis.columns import TEXT, UNIX_MILLISECONDS, UNIX_SECONDS, ListOf, columns, struct
from airflow_batch_provider.formats.format import Format
from tests.unit.formats.rows import encode

COLUMNS = columns(id=TEXT, seconds=UNIX_SECONDS, millis=UNIX_MILLISECONDS)
MOMENT = datetime(2026, 1, 31, 12, 30, 5, tzinfo=UTC)
GOOD = {"id": "a", "seconds": 1_769_862_605, "millis": 1_769_862_605_000}


def parquet(*rows: dict[str, Any]) -> list[dict[str, Any]]:
    content = encode(Format("parquet", columns=COLUMNS), [json.dumps(row).encode() for row in rows])
    found: list[dict[str, Any]] = pq.read_table(io.BytesIO(content)).to_pylist()
    return found


def test_parquet_has_timestamps() -> None:
    before, null = {"id": "b", "seconds": -1, "millis": 1}, {"id": "c", "seconds": None}
    rows = parquet(GOOD, before, null)
    assert rows[0] == {"id": "a", "seconds": MOMENT, "millis": MOMENT, "_extra": None}
    assert rows[1]["seconds"] == datetime(1969, 12, 31, 23, 59, 59, tzinfo=UTC)
    assert rows[1]["millis"] == datetime(1970, 1, 1, 0, 0, 0, 1000, tzinfo=UTC)
    assert (rows[2]["seconds"], rows[2]["millis"]) == (None, None)


@pytest.mark.parametrize("value", [1.5, "1769862605", True, 10**15, -(10**15), 10**30, [], {}])
def test_what_is_no_such_time_is_kept_beside(value: Any) -> None:
    good, odd = parquet(GOOD, {**GOOD, "seconds": value})
    assert good["seconds"] == MOMENT
    assert odd["seconds"] is None
    assert json.loads(odd["_extra"]) == {"seconds": value}
    assert odd["millis"] == MOMENT


def test_nested_ones_are_timestamps_too() -> None:
    known = columns(at=ListOf(UNIX_SECONDS), call=struct(ended=UNIX_MILLISECONDS))
    lines = [b'{"at": [1769862605, null], "call": {"ended": 1769862605000}}', b'{"at": null, "call": null}', b"{}"]
    table = pq.read_table(io.BytesIO(encode(Format("parquet", columns=known), lines)))
    assert table.to_pylist() == [
        {"at": [MOMENT, None], "call": {"ended": MOMENT}, "_extra": None},
        *[{"at": None, "call": None, "_extra": None}] * 2,
    ]


def test_csv_has_the_numbers() -> None:
    content = encode(Format("csv", None, COLUMNS), [json.dumps(GOOD).encode()])
    assert content.decode().splitlines()[1] == '"a",1769862605,1769862605000,'
