"""The file formats of an export: rows of JSON in, bytes out."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from typing import Protocol

from airflow_batch_provider.apis.columns import Column
from airflow_batch_provider.apis.page import Line
from airflow_batch_provider.exceptions import InvalidParameterError
from airflow_batch_provider.formats.compression import COMPRESSIONS
from airflow_batch_provider.formats.csv import CsvEncoder
from airflow_batch_provider.formats.fields import EXTRA, Mismatches
from airflow_batch_provider.formats.jsonl import JsonLinesEncoder
from airflow_batch_provider.formats.libraries import require_library

USUAL = "default"
"""Stands for the compression that a format usually has; None means none at all."""

FORMATS: dict[str, tuple[str | None, ...]] = {
    "jsonl": ("gzip", "zstd", None),
    "csv": ("gzip", "zstd", None),
    "parquet": ("zstd",),  # inside the file: its readers expect no other compression around it
}
"""By name: the compressions that a format may have, the usual one first."""


class PartEncoder(Protocol):
    """Encodes the rows of one file. The same rows give the same bytes, however they are split over calls."""

    @property
    def mismatches(self) -> Counter[str]:
        """How many values so far their columns cannot hold, by column; the file keeps them in ``_extra``."""
        ...

    def add(self, lines: Sequence[Line]) -> bytes:
        """Take rows, each a JSON object on one line, and return what of the file is ready."""
        ...

    def finish(self) -> bytes:
        """Return the rest of the file."""
        ...


class Format:
    """How an export is written.

    :param name: one of :data:`FORMATS`
    :param compression: one of the format's, or :data:`USUAL`
    :param columns: the documented fields of a row
    :param escape_formulas: whether CSV keeps spreadsheets from running a text as a formula
    :raises InvalidParameterError: the format does not have this compression, or its library is not installed
    """

    def __init__(
        self,
        name: str,
        compression: str | None = USUAL,
        columns: Sequence[Column] = (),
        *,
        escape_formulas: bool = False,
    ) -> None:
        usual, *others = FORMATS[name]
        self.name = name
        self.compression = usual if compression == USUAL else compression
        if self.compression not in (usual, *others):
            allowed = ", ".join(map(repr, (USUAL, usual, *others)))
            raise InvalidParameterError(
                f"compression={compression!r} is not allowed for {name}; allowed is one of {allowed}."
            )
        require_library(name, self.compression)
        ending, self._compressor = COMPRESSIONS[self.compression]
        self.suffix = ".parquet" if name == "parquet" else f".{name}{ending}"
        self._columns = tuple(columns)
        self._escape_formulas = escape_formulas
        self._told: set[str] = set()

    @property
    def identity(self) -> str:
        """A text that is equal where the same rows give the same files."""
        said = {"name": self.name, "compression": self.compression}
        if self.name != "jsonl":
            said["columns"] = ",".join(map(str, (*self._columns, EXTRA)))
        if self.name == "csv" and self._escape_formulas:
            said["options"] = "escape_formulas"
        return json.dumps(said)

    def new_part(self) -> PartEncoder:
        """Return an encoder for a new file."""
        if self.name == "jsonl":
            return JsonLinesEncoder(self._compressor())
        mismatches = Mismatches(self._told)
        if self.name == "csv":
            return CsvEncoder(self._columns, self._compressor(), mismatches, self._escape_formulas)
        from airflow_batch_provider.formats.parquet import ParquetEncoder

        return ParquetEncoder(self._columns, mismatches)
