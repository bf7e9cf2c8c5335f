"""What a file of an export holds: its rows as dicts, or how many there are."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from io import BufferedReader
from typing import IO, Any, cast

ROWS_AT_ONCE = 1000

# As CsvEncoder writes them: text in quotes, so that an empty field without them is null.
_CSV_FIELD = re.compile(rb'(?:"((?:[^"]|"")*)"|([^",\r\n]*))(?:,|\r\n)')


def iter_rows(file: IO[bytes], format_name: str, compression: str | None) -> Iterator[dict[str, Any]]:
    """Yield the rows of a file.

    :param file: its bytes, from the beginning, seekable
    :param format_name: as the manifest says
    :param compression: as the manifest says
    """
    if format_name == "parquet":
        import pyarrow.parquet as pq

        for batch in pq.ParquetFile(file).iter_batches(ROWS_AT_ONCE):
            yield from batch.to_pylist()
        return
    lines = _lines(file, format_name, compression)
    if format_name == "jsonl":
        yield from map(json.loads, lines)
        return
    names = next(lines).decode().rstrip("\r\n").split(",")
    for record in _csv_records(lines):
        yield dict(zip(names, _csv_fields(record), strict=True))


def count_rows(file: IO[bytes], format_name: str, compression: str | None) -> int:
    """Return how many rows a file holds. See :func:`iter_rows`."""
    if format_name == "parquet":
        import pyarrow.parquet as pq

        return int(pq.ParquetFile(file).metadata.num_rows)
    lines = _lines(file, format_name, compression)
    if format_name == "jsonl":
        return sum(1 for _ in lines)
    next(lines)
    return sum(1 for _ in _csv_records(lines))


def _lines(file: IO[bytes], format_name: str, compression: str | None) -> Iterator[bytes]:
    if format_name not in {"jsonl", "csv"} or compression not in {"gzip", "zstd", None}:
        raise ValueError(f"{format_name} with {compression} is not known to this version")
    if compression == "gzip":
        from isal import igzip

        return cast(Iterator[bytes], igzip.open(file, "rb"))  # type: ignore[no-untyped-call]
    if compression == "zstd":
        from zstandard import ZstdDecompressor

        return BufferedReader(ZstdDecompressor().stream_reader(file, closefd=False))
    return file


def _csv_records(lines: Iterator[bytes]) -> Iterator[bytes]:
    record = b""
    for line in lines:
        record += line
        if record.count(b'"') % 2 == 0:  # else the line break stands in a text
            yield record
            record = b""
    if record:
        raise ValueError("the last record does not end")


def _csv_fields(record: bytes) -> Iterator[str | None]:
    for field in _CSV_FIELD.finditer(record):
        quoted, bare = field.groups()
        yield bare.decode() or None if quoted is None else quoted.replace(b'""', b'"').decode()
