"""JSON Lines: one object per line, as the vendor sent it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import IO, TYPE_CHECKING, Any

from airflow_batch_provider.apis.columns import Column
from airflow_batch_provider.apis.page import Line
from airflow_batch_provider.apis.raw_json import read_json
from airflow_batch_provider.formats.encoder import Encoder
from airflow_batch_provider.formats.fields import Mismatches

if TYPE_CHECKING:
    import pyarrow as pa


class JsonLinesEncoder:
    """Encodes a file of JSON Lines."""

    def add(self, lines: Sequence[Line]) -> bytes:
        """Return the rows as lines."""
        return b"\n".join([*lines, b""])

    def finish(self) -> bytes:
        """Return nothing: every line is complete."""
        return b""


def new_encoder(columns: Sequence[Column], mismatches: Mismatches, escape_formulas: bool) -> Encoder:
    """Return the encoder of a new file. It needs none of the parameters: any row is a line."""
    return JsonLinesEncoder()


def iter_rows(file: IO[bytes]) -> Iterator[dict[str, Any]]:
    """Yield the rows of a file."""
    return map(read_json, file)


def count_rows(file: IO[bytes]) -> int:
    """Return how many rows a file contains."""
    return sum(1 for _ in file)


def read_table(file: IO[bytes], columns: Sequence[Column]) -> pa.Table:
    """Return a file as a table with a column for each documented field, and one for all others."""
    from airflow_batch_provider.formats.arrow import read_lines

    return read_lines((line.rstrip(b"\n") for line in file), columns)
