"""JSON Lines contain what the vendor sent, to the byte."""

from __future__ import annotations

import gzip
import io
import json
from typing import Any

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from airflow_batch_provider.formats import jsonl
from airflow_batch_provider.formats.format import Format
from tests.unit.formats.rows import ANYTHING, FOREIGN_TEXTS, encode, lines_of

DECOMPRESS: dict[str | None, Any] = {
    "gzip": gzip.decompress,
    "zstd": lambda content: zstandard.ZstdDecompressor().decompressobj().decompress(content),
    None: bytes,
}
ODD = [rb'{"a": 1.10, "b": 123456789012345678901234567890, "a": "\ud800"}', b'{"x":' + b"[" * 300 + b"]" * 300 + b"}"]


@pytest.mark.parametrize("compression", DECOMPRESS)
@given(rows=st.lists(st.dictionaries(FOREIGN_TEXTS, ANYTHING, max_size=3), max_size=5))
def test_every_line_is_as_it_was_sent(compression: str | None, rows: list[dict[str, Any]]) -> None:
    lines = [*lines_of(rows), *ODD]
    content = DECOMPRESS[compression](encode(Format("jsonl", compression), lines))
    assert content == b"".join(line + b"\n" for line in lines)
    assert [json.loads(line) for line in content.splitlines()][: len(rows)] == rows


@pytest.mark.parametrize("compression", DECOMPRESS)
def test_no_rows_are_an_empty_file(compression: str | None) -> None:
    assert DECOMPRESS[compression](encode(Format("jsonl", compression), [])) == b""


def test_no_column_is_too_narrow() -> None:
    encoder = Format("jsonl").new_part()
    encoder.add(ODD)
    assert not encoder.mismatches


def test_an_integer_of_any_length_is_read_back() -> None:
    content = encode(Format("jsonl", None), [b'{"n":' + b"7" * 5_000 + b"}"])
    assert [*jsonl.iter_rows(io.BytesIO(content))] == [{"n": (10**5_000 - 1) // 9 * 7}]
