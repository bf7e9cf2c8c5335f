"""The rows that a task submits: what is read, to the character, and what is refused without repeating it."""

from __future__ import annotations

import csv
import gzip
import io
import json
import tracemalloc
from pathlib import Path
from typing import Any

import msgspec
import pytest
import zstandard
from airflow.sdk import ObjectStoragePath
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_batch_provider.stores.local import LocalStore
from airflow_batch_provider.submitting.rows import Rows

ROWS = [{"phone": "+4900123", "name": "Ä"}, {"phone": "007", "name": ""}]
JSONL = b'{"phone": "+4900123", "name": "\xc3\x84"}\n{"phone": "007", "name": ""}\n'
CSV = b'phone,name\r\n+4900123,\xc3\x84\r\n007,""\r\n'
BOM = b"\xef\xbb\xbf"
COMPRESS = {"": bytes, ".gz": gzip.compress, ".zst": zstandard.compress}


def rows_of(source: Any, **options: Any) -> list[dict[str, Any]]:
    numbered = list(Rows(source, name="contacts", **options))
    assert [number for number, _ in numbered] == list(range(1, len(numbered) + 1))
    return [row for _, row in numbered]


def file(folder: Path, name: str, content: bytes) -> Path:
    (folder / name).write_bytes(content)
    return folder / name


@pytest.mark.parametrize("compression", COMPRESS)
@pytest.mark.parametrize("start", [b"", BOM], ids=["plain", "bom"])
@pytest.mark.parametrize(("ending", "content"), [(".jsonl", JSONL), (".NDJSON", JSONL), (".csv", CSV)])
def test_a_file_is_read_as_its_name_says(
    ending: str, content: bytes, start: bytes, compression: str, tmp_path: Path
) -> None:
    path = file(tmp_path, f"rows{ending}{compression}", COMPRESS[compression](start + content))
    assert rows_of(str(path)) == ROWS


@pytest.mark.parametrize("as_what", ["uri", "path", "pathlib", "object", "blanks"])
def test_a_file_may_be_named_in_several_ways(as_what: str, tmp_path: Path) -> None:
    path = file(tmp_path, "a b%20#.csv", CSV)
    named: dict[str, Any] = {
        "uri": f"file://{path}",
        "path": str(path),
        "pathlib": path,
        "object": ObjectStoragePath(f"file://{path}"),
        "blanks": f" {path}\t".replace("\t", " "),
    }
    assert rows_of(named[as_what]) == ROWS


@pytest.mark.parametrize("source", [ROWS, tuple(ROWS), iter(ROWS)], ids=["list", "tuple", "iterator"])
def test_mappings_are_rows(source: Any) -> None:
    rows = Rows(source, name="contacts")
    assert [*rows] == [*rows] == [*enumerate(ROWS, 1)]


def test_a_row_is_a_copy() -> None:
    (row,) = rows_of([source := {"phone": "007"}])
    row["af_row"] = "1"
    assert source == {"phone": "007"}


def test_each_iteration_reads_the_file_again(tmp_path: Path) -> None:
    path = file(tmp_path, "rows.jsonl", JSONL)
    rows = Rows(path, name="contacts")
    assert len(list(rows)) == 2
    path.write_bytes(JSONL * 2)
    assert len(list(rows)) == 4


def test_rows_are_read_one_at_a_time(tmp_path: Path) -> None:
    path = file(tmp_path, "rows.jsonl.gz", gzip.compress(b'{"text": "%b"}\n' % (b"x" * 1000) * 100_000))
    assert sum(1 for _ in Rows(path, name="contacts")) == 100_000
    tracemalloc.start()
    try:
        assert sum(1 for _, row in zip(range(20_000), Rows(path, name="contacts"), strict=False)) == 20_000
        assert tracemalloc.get_traced_memory()[1] < 4_000_000
    finally:
        tracemalloc.stop()


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
ONE_FOLDER = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


@ONE_FOLDER
@given(rows=st.lists(st.dictionaries(TEXT, JSON, max_size=4), max_size=5), ascii_only=st.booleans(), crlf=st.booleans())
def test_any_objects_come_back_from_json_lines(
    rows: list[dict[str, Any]], ascii_only: bool, crlf: bool, tmp_path: Path
) -> None:
    end = "\r\n" if crlf else "\n"
    lines = "".join(json.dumps(row, ensure_ascii=ascii_only) + end for row in rows)
    assert rows_of(file(tmp_path, "rows.jsonl", lines.encode())) == rows


NAMES = st.lists(TEXT.filter(str.strip), min_size=2, max_size=4, unique=True)


@ONE_FOLDER
@given(data=st.data(), names=NAMES, end=st.sampled_from(["\r\n", "\n"]))
def test_any_texts_come_back_from_csv(data: st.DataObject, names: list[str], end: str, tmp_path: Path) -> None:
    records = data.draw(st.lists(st.lists(TEXT, min_size=len(names), max_size=len(names)), max_size=5))
    written = io.StringIO(newline="")
    csv.writer(written, quoting=csv.QUOTE_ALL, lineterminator=end).writerows([names, *records])
    expected = [dict(zip(names, record, strict=True)) for record in records]
    assert rows_of(file(tmp_path, "rows.csv", written.getvalue().encode())) == expected


@pytest.mark.parametrize("number", [9007199254740993, -(2**128) - 1, 10**5000 - 1], ids=["53 bits", "128 bits", "long"])
def test_integers_are_exact(number: int, tmp_path: Path) -> None:
    digits = msgspec.json.encode(number) if number < 10**4000 else b"9" * 5000
    assert rows_of(file(tmp_path, "rows.jsonl", b'{"id": %b}' % digits)) == [{"id": number}]


@pytest.mark.parametrize("cell", ["007", "+49", " 1 ", "1.10", "null", "NaN", "=1+1", "1e5", "TRUE"])
def test_values_of_csv_stay_text(cell: str, tmp_path: Path) -> None:
    assert rows_of(file(tmp_path, "rows.csv", f"phone,x\n{cell},\n".encode())) == [{"phone": cell, "x": ""}]


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("rows.jsonl", b"", []),
        ("rows.jsonl", b'\n{"a": 1}\n \r\n\n{"a": 2}', [{"a": 1}, {"a": 2}]),
        ("rows.csv", b"a\n", []),
        ("rows.csv", b"a,b\n\n1,2\n\r\n3,4", [{"a": "1", "b": "2"}, {"a": "3", "b": "4"}]),
        ("rows.csv", b'a,b\n"1\n,""2""",\xe2\x80\xa8\n', [{"a": '1\n,"2"', "b": "\u2028"}]),
        ("rows.csv", BOM + b"a,b\n" + BOM + b"1,2\n", [{"a": "\ufeff1", "b": "2"}]),
        ("rows.jsonl.gz", gzip.compress(b'{"a": 1}\n') + gzip.compress(b'{"a": 2}\n'), [{"a": 1}, {"a": 2}]),
        ("rows.jsonl.zst", zstandard.compress(b'{"a": 1}\n') + zstandard.compress(b'{"a": 2}\n'), [{"a": 1}, {"a": 2}]),
    ],
    ids=range(8),
)
def test_blank_lines_and_the_end_of_a_file(
    name: str, content: bytes, expected: list[dict[str, Any]], tmp_path: Path
) -> None:
    assert rows_of(file(tmp_path, name, content)) == expected


def test_a_file_is_closed_when_reading_stops_early(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[io.BufferedReader] = []
    before = LocalStore.open

    def recorded(self: LocalStore, name: str) -> io.BufferedReader:
        opened.append(before(self, name))
        return opened[-1]

    monkeypatch.setattr(LocalStore, "open", recorded)
    rows: Any = iter(Rows(file(tmp_path, "rows.csv", CSV), name="contacts"))
    assert next(rows)[0] == 1
    rows.close()
    assert [reader.closed for reader in opened] == [True]
