"""How the files of an export are written: rows of JSON in, bytes out."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Mapping, Sequence

from airflow_batch_provider.apis.columns import Column, Scalar
from airflow_batch_provider.apis.page import Line
from airflow_batch_provider.exceptions import InvalidParameterError
from airflow_batch_provider.formats.compression import Compressor
from airflow_batch_provider.formats.encoder import Encoder
from airflow_batch_provider.formats.fields import EXTRA, Mismatches
from airflow_batch_provider.formats.registry import DEFAULT, FORMATS, compression_of


class PartEncoder:
    """Encodes and compresses one file. The same rows give the same bytes, however they are split over calls.

    :param encoder: encodes the rows
    :param compressor: compresses what is encoded
    :param mismatches: what the encoder counts
    """

    def __init__(self, encoder: Encoder, compressor: Compressor, mismatches: Mismatches) -> None:
        self._encoder = encoder
        self._compressor = compressor
        self._mismatches = mismatches

    @property
    def mismatches(self) -> Counter[str]:
        """The number of values so far whose type is not as documented, by column; ``_extra`` contains them."""
        return self._mismatches.counts

    def add(self, lines: Sequence[Line]) -> bytes:
        """Take rows, each a JSON object on one line, and return what of the file is ready."""
        return self._compressor.compress(self._encoder.add(lines))

    def finish(self) -> bytes:
        """Return the rest of the file."""
        return self._compressor.compress(self._encoder.finish()) + self._compressor.flush()


class Format:
    """How an export is written.

    :param name: one of :data:`~.registry.FORMATS`
    :param compression: one of the format's, or :data:`~.registry.DEFAULT`
    :param columns: the documented fields of a row
    :param escape_formulas: whether to keep spreadsheets from running a text as a formula, if the format can
    :param added: texts by the names of columns before the documented ones, the same in every row
    :raises InvalidParameterError: the format does not have this compression or no columns to add to, its library is not
        installed, or a column would be there twice
    """

    def __init__(
        self,
        name: str,
        compression: str | None = DEFAULT,
        columns: Sequence[Column] = (),
        *,
        escape_formulas: bool = False,
        added: Mapping[str, str] | None = None,
    ) -> None:
        self._format = FORMATS[name]
        self.name = name
        self.compression = compression_of(name, compression)
        self.has_columns = self._format.has_columns
        self._around = self._format.around(self.compression)
        self.suffix = f".{name}{self._around.ending}"
        self._columns = (*self._added(added or {}, {EXTRA, *(column.name for column in columns)}), *columns)
        self._escape_formulas = escape_formulas and self._format.can_escape_formulas
        self._warned: set[str] = set()

    def _added(self, values: Mapping[str, str], documented: Collection[str]) -> list[Column]:
        if values and not self.has_columns:
            raise InvalidParameterError(
                f"add_params needs a format with columns, such as csv or parquet: rows of {self.name} stay as the "
                "vendor sends them. The manifest names the parameters."
            )
        for name in values:
            if name in documented:
                raise InvalidParameterError(f"add_params={name!r} is not needed: there is such a column already.")
        return [Column(name, Scalar.TEXT, value) for name, value in values.items()]

    @property
    def identity(self) -> str:
        """A text that is equal if the same rows give the same files."""
        facts = {"name": self.name, "compression": self.compression}
        if self.has_columns:
            facts["columns"] = ",".join(map(str, (*self._columns, EXTRA)))
        if self._escape_formulas:
            facts["options"] = "escape_formulas"
        return json.dumps(facts)

    def new_part(self) -> PartEncoder:
        """Return an encoder for a new file."""
        mismatches = Mismatches(self._warned)
        encoder = self._format.module().new_encoder(self._columns, mismatches, self._escape_formulas)
        return PartEncoder(encoder, self._around.compressor(), mismatches)
