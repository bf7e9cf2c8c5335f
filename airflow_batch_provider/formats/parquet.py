"""Parquet: a typed column per documented field, compressed with Zstandard inside."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from io import RawIOBase
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from airflow_batch_provider.apis.columns import Column
from airflow_batch_provider.apis.page import Line
from airflow_batch_provider.formats.arrow import ArrowReader
from airflow_batch_provider.formats.compression import ZSTD_LEVEL
from airflow_batch_provider.formats.fields import Mismatches

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

BYTES_PER_TABLE = 1 << 20
"""Bytes of JSON that are read at once; more would only take more memory."""

BYTES_PER_ROW_GROUP = 16 << 20
"""Bytes of JSON in a row group but the last."""


class _Outgoing(RawIOBase):
    """What the Parquet library has written and nobody has taken yet."""

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
    """Encodes a Parquet file. Tables and row groups are cut by the rows themselves, not by the calls that bring them.

    :param columns: the documented fields
    :param mismatches: counts what its column cannot hold
    """

    def __init__(self, columns: Sequence[Column], mismatches: Mismatches) -> None:
        self._misfits = mismatches
        self._reader = ArrowReader(columns, mismatches)
        self._file = _Outgoing()
        # Ids and times hardly repeat; what does, Zstandard makes small as well, and the file smaller for it.
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

    @property
    def mismatches(self) -> Counter[str]:
        """See :class:`~.formats.PartEncoder`."""
        return self._misfits.counts

    def add(self, lines: Sequence[Line]) -> bytes:
        """See :class:`~.formats.PartEncoder`."""
        for line in lines:
            self._lines.append(bytes(line))  # a copy: these rows wait for others, their pages should not
            self._line_bytes += len(line)
            if self._line_bytes >= BYTES_PER_TABLE:
                self._end_table()
        return self._file.take()

    def finish(self) -> bytes:
        """See :class:`~.formats.PartEncoder`."""
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
