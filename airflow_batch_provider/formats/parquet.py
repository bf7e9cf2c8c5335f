"""Parquet: a typed column per documented field, compressed with Zstandard inside."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from io import RawIOBase
from typing import IO, TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from airflow_batch_provider.apis.columns import Column
from airflow_batch_provider.apis.page import Line
from airflow_batch_provider.formats.arrow import BYTES_PER_TABLE, ArrowReader
from airflow_batch_provider.formats.compression import ZSTD_LEVEL
from airflow_batch_provider.formats.encoder import Encoder
from airflow_batch_provider.formats.fields import Mismatches

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

BYTES_PER_ROW_GROUP = 16 << 20
"""Bytes of JSON in each row group but the last."""

ROWS_PER_READ = 1000


class _Outgoing(RawIOBase):
    """A file in memory: what the Parquet library has written since it was last emptied."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._written = 0

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._written

    def write(self, data: ReadableBuffer, /) -> int:
        piece = bytes(data)
        self._pieces.append(piece)
        self._written += len(piece)
        return len(piece)

    def take(self) -> bytes:
        taken = b"".join(self._pieces)
        self._pieces.clear()
        return taken


class ParquetEncoder:
    """Encodes a Parquet file. The rows alone decide where tables and row groups end, not how they are split over calls.

    :param columns: the documented fields
    :param mismatches: counts values of another type than documented
    """

    def __init__(self, columns: Sequence[Column], mismatches: Mismatches) -> None:
        self._reader = ArrowReader(columns, mismatches)
        self._file = _Outgoing()
        # Ids and times hardly repeat, and Zstandard alone compresses the rest better than with a dictionary.
        self._writer = pq.ParquetWriter(
            self._file,
            self._reader.schema,
            compression="zstd",
            compression_level=ZSTD_LEVEL,
            use_dictionary=False,
        )
        self._lines: list[bytes] = []
        self._line_bytes = 0
        self._tables: list[pa.Table] = []
        self._table_bytes = 0

    def add(self, lines: Sequence[Line]) -> bytes:
        """Take rows, and return what of the file is ready."""
        for line in lines:
            self._lines.append(bytes(line))  # a copy, so that a waiting row does not keep its page in memory
            self._line_bytes += len(line)
            if self._line_bytes >= BYTES_PER_TABLE:
                self._end_table()
        return self._file.take()

    def finish(self) -> bytes:
        """Return the rest of the file."""
        self._end_table()
        self._end_row_group()
        self._writer.close()
        return self._file.take()

    def _end_table(self) -> None:
        if not self._lines:
            return
        self._tables.append(self._reader.read(self._lines))
        self._table_bytes += self._line_bytes
        self._lines, self._line_bytes = [], 0
        if self._table_bytes >= BYTES_PER_ROW_GROUP:
            self._end_row_group()

    def _end_row_group(self) -> None:
        if not self._tables:
            return
        rows = pa.concat_tables(self._tables)
        self._writer.write_table(rows, row_group_size=len(rows))
        self._tables, self._table_bytes = [], 0


def new_encoder(columns: Sequence[Column], mismatches: Mismatches, escape_formulas: bool) -> Encoder:
    """Return the encoder of a new file. There are no formulas in Parquet."""
    return ParquetEncoder(columns, mismatches)


def iter_rows(file: IO[bytes]) -> Iterator[dict[str, Any]]:
    """Yield the rows of a file, as Python values."""
    parquet = pq.ParquetFile(file)
    if not parquet.num_row_groups:  # over which pyarrow 18 fails to iterate
        return
    for batch in parquet.iter_batches(ROWS_PER_READ):
        yield from batch.to_pylist()


def count_rows(file: IO[bytes]) -> int:
    """Return how many rows a file contains."""
    return int(pq.ParquetFile(file).metadata.num_rows)


def read_table(file: IO[bytes], columns: Sequence[Column]) -> pa.Table:
    """Return a file as a table. It has its columns' types itself."""
    return pq.read_table(file)
