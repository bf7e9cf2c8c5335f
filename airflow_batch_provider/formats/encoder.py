"""What the module of each file format defines, to write files and to read them back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import IO, TYPE_CHECKING, Any, Protocol

from airflow_batch_provider.apis.columns import Column
from airflow_batch_provider.apis.page import Line
from airflow_batch_provider.formats.fields import Mismatches

if TYPE_CHECKING:
    import pyarrow as pa


class Encoder(Protocol):
    """Encodes the rows of one file. The same rows give the same bytes, however they are split over calls."""

    def add(self, lines: Sequence[Line]) -> bytes:
        """Take rows, each a JSON object on one line, and return what of the file is ready."""
        ...

    def finish(self) -> bytes:
        """Return the rest of the file."""
        ...


class FormatModule(Protocol):
    """What the module of a format defines, to write and to read. It sees files uncompressed."""

    def new_encoder(self, columns: Sequence[Column], mismatches: Mismatches, escape_formulas: bool) -> Encoder:
        """Return the encoder of a new file.

        :param columns: the added columns, which have a value, then the documented fields
        :param mismatches: counts values of another type than documented
        :param escape_formulas: whether to keep spreadsheets from running a text as a formula
        """
        ...

    def iter_rows(self, file: IO[bytes]) -> Iterator[dict[str, Any]]:
        """Yield the rows of a file."""
        ...

    def count_rows(self, file: IO[bytes]) -> int:
        """Return how many rows a file contains."""
        ...

    def read_table(self, file: IO[bytes], columns: Sequence[Column]) -> pa.Table:
        """Return a file as an Arrow table, with the types of the documented fields.

        :param file: its bytes, uncompressed
        :param columns: the documented fields
        """
        ...
