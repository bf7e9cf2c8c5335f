"""Rows from the lines of a file: JSON Lines, or CSV of RFC 4180 with a header."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator
from typing import IO, Any

from airflow_batch_provider.apis.raw_json import is_json, read_json

Rows = Iterator[dict[str, Any]]
ReadRows = Callable[[IO[bytes]], Rows]

LONGEST_LINE = 16 << 20
"""Bytes of a line. A longer one is no row, but a file of something else, and would fill the memory."""

_BOM = b"\xef\xbb\xbf"
_OTHER_DELIMITERS = ";\t|"


class BadRow(Exception):  # noqa: N818 - a value on its way to an error of ours
    """A row cannot be read.

    :param reason: why, to follow the row's number; without anything of what it contains
    """


class BadHeader(BadRow):
    """The header of a file cannot be used; the reason follows "the header"."""


def json_rows(file: IO[bytes]) -> Rows:
    """Yield the objects of a file, one in each line; blank lines are skipped. Integers are exact.

    :raises BadRow: a line is something else
    """
    for line in _lines(file):
        if line.strip():
            yield _json_row(line)


def _json_row(line: bytes) -> dict[str, Any]:
    text = _text(line)
    try:
        row = read_json(text)
    except RecursionError:
        raise BadRow("is nested too deeply") from None
    except ValueError:
        row = None
    if not isinstance(row, dict) or not is_json(line):  # Python reads NaN and Infinity too, which no vendor does
        raise BadRow("is no JSON object; each line must be one")
    return row


def csv_rows(file: IO[bytes]) -> Rows:
    """Yield the records of a file by the names in its header; values are text as it is written.

    Blank lines are skipped.

    :raises BadRow: the header, or a record, is not as it should be
    """
    records = _records(csv.reader(map(_text, _lines(file)), strict=True))
    header = next(records, None)
    if header is None:
        raise BadHeader("is missing; the first line of a CSV file names its columns")
    _check_header(header)
    for record in records:
        if len(record) != len(header):
            raise BadRow(f"has {len(record)} fields, but the header has {len(header)}")
        yield dict(zip(header, record, strict=True))


def _records(reader: Iterable[list[str]]) -> Iterator[list[str]]:
    try:
        for record in reader:
            if record:
                yield record
    except csv.Error as error:
        raise BadRow(f"is not CSV: {error}") from None


def _check_header(header: list[str]) -> None:
    # Without the names: in a file without a header they are the first row.
    first: dict[str, int] = {}
    for number, name in enumerate(header, 1):
        if not name.strip():
            raise BadHeader(f"has no name for column {number}")
        if first.setdefault(name, number) != number:
            raise BadHeader(f"has the same name for columns {first[name]} and {number}")
    if len(header) == 1 and any(delimiter in header[0] for delimiter in _OTHER_DELIMITERS):
        raise BadHeader("has a single column; separate the columns by commas")


def _lines(file: IO[bytes]) -> Iterator[bytes]:
    """Yield the lines of a file without a byte order mark."""
    start = _BOM
    while line := file.readline(LONGEST_LINE + 1):
        if len(line) > LONGEST_LINE:
            raise BadRow(f"has a line of more than {LONGEST_LINE >> 20} MiB")
        yield line.removeprefix(start)
        start = b""


def _text(line: bytes) -> str:
    try:
        return line.decode()
    except UnicodeDecodeError:
        raise BadRow("is not UTF-8; save the file in that encoding") from None
