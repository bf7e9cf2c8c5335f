"""What all formats have in common: names, choices, and the same bytes for the same rows."""

from __future__ import annotations

import io
import json
import random
import sys
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_batch_provider import libraries
from airflow_batch_provider.apis.page import Page
from airflow_batch_provider.apis.request import Answer
from airflow_batch_provider.exceptions import InvalidParameterError
from airflow_batch_provider.formats import parquet
from airflow_batch_provider.formats.compression import BLOCK
from airflow_batch_provider.formats.format import Format
from airflow_batch_provider.formats.reader import read_table
from airflow_batch_provider.formats.registry import DEFAULT, FORMATS
from airflow_batch_provider.vendors import llamacloud, playment
from tests.listings import LISTINGS
from tests.unit.formats.rows import encode, lines_of

COMBINATIONS = [(name, compression) for name, known in FORMATS.items() for compression in known.compressions]
COLUMNS = llamacloud.BATCHES.columns


@pytest.mark.parametrize(
    ("name", "compression", "suffix"),
    [
        ("jsonl", "gzip", ".jsonl.gz"),
        ("jsonl", "zstd", ".jsonl.zst"),
        ("jsonl", None, ".jsonl"),
        ("csv", "gzip", ".csv.gz"),
        ("csv", "zstd", ".csv.zst"),
        ("csv", None, ".csv"),
        ("parquet", "zstd", ".parquet"),
    ],
)
def test_a_file_name_ends_with_format_and_compression(name: str, compression: str | None, suffix: str) -> None:
    assert Format(name, compression).suffix == suffix


@pytest.mark.parametrize(("name", "default"), [("jsonl", "gzip"), ("csv", "gzip"), ("parquet", "zstd")])
def test_each_format_has_a_default_compression(name: str, default: str) -> None:
    assert Format(name).compression == Format(name, DEFAULT).compression == default


@pytest.mark.parametrize("compression", ["gzip", None])
def test_parquet_has_no_compression_around_it(compression: str | None) -> None:
    with pytest.raises(
        InvalidParameterError, match=r"is not allowed for parquet; allowed is one of 'default', 'zstd'\."
    ):
        Format("parquet", compression)


@pytest.mark.parametrize(
    ("name", "compression", "library", "extra"),
    [
        ("parquet", "zstd", "pyarrow", "parquet"),
        ("csv", "zstd", "zstandard", "zstd"),
        ("jsonl", "zstd", "zstandard", "zstd"),
    ],
)
def test_a_format_without_its_library_says_what_to_install(
    name: str, compression: str, library: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(libraries, "is_installed", lambda name: name != library)
    with pytest.raises(
        InvalidParameterError, match=rf"needs {library}; .* pip install 'airflow-batch-provider\[{extra}\]'"
    ):
        Format(name, compression)


@pytest.mark.parametrize(("name", "compression"), [("jsonl", "gzip"), ("csv", "gzip"), ("jsonl", None), ("csv", None)])
def test_other_formats_need_no_extra(name: str, compression: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(libraries, "is_installed", lambda name: False)
    assert Format(name, compression).compression == compression


def rows(count: int) -> list[bytes]:
    """Return rows that are worth compressing, each another."""
    pick = random.Random(4)  # noqa: S311
    return lines_of(
        [
            {
                "id": str(number),
                "status": pick.choice(["RUNNING", "FAILED"]),
                "results": None,
                "project_id": "p" * (number % 50),
            }
            for number in range(count)
        ]
    )


ROWS = rows(6000)


@pytest.mark.parametrize(("name", "compression"), COMBINATIONS)
def test_the_same_rows_give_the_same_bytes_however_they_are_handed_over(
    name: str, compression: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parquet, "BYTES_PER_TABLE", 20_000)
    monkeypatch.setattr(parquet, "BYTES_PER_ROW_GROUP", 90_000)
    assert sum(map(len, ROWS)) > 2 * BLOCK
    whole = encode(Format(name, compression, COLUMNS), ROWS)

    @given(cuts=st.lists(st.sampled_from([0, 1, 7, 100, 1000, 2500]), max_size=12))
    @settings(max_examples=10)
    def check(cuts: list[int]) -> None:
        assert encode(Format(name, compression, COLUMNS), ROWS, cuts) == whole

    check()


@pytest.mark.parametrize("name", FORMATS)
def test_rows_that_wait_in_an_encoder_keep_no_page_in_memory(name: str) -> None:
    body = json.dumps({"items": [{"id": "a"}], "beside": "x" * 1000}).encode()
    alone = sys.getrefcount(body)
    page = llamacloud.BATCHES.page(Answer(200, {}, body))
    assert isinstance(page, Page)
    encoder = Format(name, columns=llamacloud.BATCHES.columns).new_part()
    encoder.add(page.rows.lines)
    assert sys.getrefcount(body) > alone
    del page
    assert sys.getrefcount(body) == alone


@pytest.mark.parametrize("name", ["jsonl", "csv", "parquet"])
def test_the_same_encoding_has_the_same_identity(name: str) -> None:
    assert Format(name, DEFAULT, COLUMNS).identity == Format(name, FORMATS[name].compressions[0], COLUMNS).identity


def test_another_encoding_has_another_identity() -> None:
    different: list[dict[str, Any]] = [
        {"name": "jsonl"},
        {"name": "jsonl", "compression": None},
        {"name": "csv", "columns": COLUMNS},
        {"name": "csv", "columns": playment.BATCHES.columns},
        {"name": "csv", "columns": COLUMNS, "escape_formulas": True},
        {"name": "parquet", "columns": COLUMNS},
        {"name": "parquet", "columns": COLUMNS[:-1]},
    ]
    identities = {Format(**choice).identity for choice in different}
    assert len(identities) == len(different)


def test_a_column_more_changes_no_file_of_json_lines() -> None:
    assert Format("jsonl", DEFAULT, COLUMNS).identity == Format("jsonl").identity


def test_every_listing_has_columns_with_names_of_their_own_and_an_id_first() -> None:
    for listing in LISTINGS.values():
        names = [column.name for column in listing.columns]
        assert names[0] == "id"
        assert "status" in names
        assert len(set(names)) == len(names)


@pytest.mark.parametrize("name", ["csv", "parquet"])
def test_a_column_is_warned_of_once_in_all_files_and_never_with_its_value(
    name: str, caplog: pytest.LogCaptureFixture
) -> None:
    file_format = Format(name, DEFAULT, COLUMNS)
    for _ in range(2):
        encode(file_format, [b'{"id": {"secret": 1}, "status": "ok"}', b'{"id": ["secret"], "status": 5}'])
    messages = [record.getMessage() for record in caplog.records]
    assert sorted(message.split("'")[1] for message in messages) == ["id", "status"]
    assert "secret" not in caplog.text


@pytest.mark.parametrize("name", ["csv", "parquet"])
def test_each_file_counts_its_type_mismatches(name: str) -> None:
    encoder = Format(name, DEFAULT, COLUMNS).new_part()
    encoder.add([b'{"id": 1}', b'{"id": "1", "new": 1}', b'{"id": 2, "status": true, "config": {"new": 1}}'])
    encoder.finish()
    assert encoder.mismatches == {"id": 2, "status": 1}


ADDED = {"batch_id": '=1+1, "b"', "project": "p"}


@pytest.mark.parametrize("name", ["csv", "parquet"])
@pytest.mark.parametrize("rows", [[], [{"id": "1", "batch_id": "the vendor's own", "project": 5}], [{"id": 1}] * 3])
def test_an_added_column_is_first_and_loses_nothing_of_the_rows(name: str, rows: list[dict[str, Any]]) -> None:
    compression = FORMATS[name].compressions[0]

    def table(**added: str) -> Any:
        content = encode(Format(name, compression, COLUMNS, added=added), lines_of(rows))
        return read_table(io.BytesIO(content), name, compression, COLUMNS)

    plain, added = table(), table(**ADDED)
    assert added.select(plain.column_names).equals(plain)
    assert added.column_names == [*ADDED, *plain.column_names]
    assert added.select(list(ADDED)).to_pylist() == [ADDED] * len(rows)


def test_an_added_column_of_csv_is_escaped_like_the_others() -> None:
    content = encode(Format("csv", None, (), escape_formulas=True, added=ADDED), lines_of([{}]))
    assert content == b'batch_id,project,_extra\r\n"\'=1+1, ""b""","p",\r\n'


def test_what_is_added_is_part_of_a_formats_identity() -> None:
    values = (None, {"a": "1"}, {"a": "2"}, {"b": "1"})
    assert len({Format("csv", columns=COLUMNS, added=added).identity for added in values}) == 4


@pytest.mark.parametrize("name", ["id", "_extra"])
def test_an_added_column_may_not_be_there_already(name: str) -> None:
    with pytest.raises(InvalidParameterError, match="there is such a column already"):
        Format("csv", columns=COLUMNS, added={name: "x"})
