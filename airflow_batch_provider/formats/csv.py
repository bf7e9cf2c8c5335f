r"""CSV as of RFC 4180, in UTF-8, with a header: CRLF ends a record, null is an empty field, an empty text is ``""``.

Python's :mod:`csv` cannot tell null from an empty text before 3.12. Text is always quoted, so that a JSON text without
an escape is a CSV field as it stands.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import msgspec

from airflow_batch_provider.apis.columns import Column, ColumnType, Scalar, Struct
from airflow_batch_provider.apis.page import Line
from airflow_batch_provider.formats.compression import Compressor
from airflow_batch_provider.formats.fields import EXTRA, NULL, Mismatches, extra, raw_fields

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet takes for the beginning of a formula."""

_END = b"\r\n"
_TEXT = msgspec.json.Decoder(str)


class CsvEncoder:
    """Encodes a CSV file.

    :param columns: the documented fields
    :param compressor: of this file alone
    :param mismatches: counts what its column cannot hold
    :param escape_formulas: whether a text that a spreadsheet would run gets an apostrophe in front
    """

    def __init__(
        self, columns: Sequence[Column], compressor: Compressor, mismatches: Mismatches, escape_formulas: bool
    ) -> None:
        self._columns = columns
        self._names = {column.name for column in columns}
        self._compressor = compressor
        self._misfits = mismatches
        self._escape_formulas = escape_formulas
        self._header = ",".join([*(column.name for column in columns), EXTRA]).encode() + _END

    @property
    def mismatches(self) -> Counter[str]:
        """See :class:`~.formats.PartEncoder`."""
        return self._misfits.counts

    def add(self, lines: Sequence[Line]) -> bytes:
        """See :class:`~.formats.PartEncoder`."""
        header, self._header = self._header, b""
        return self._compressor.compress(header + b"".join([self._record(line) for line in lines]))

    def finish(self) -> bytes:
        """See :class:`~.formats.PartEncoder`."""
        return self.add(()) + self._compressor.flush()

    def _record(self, line: Line) -> bytes:
        fields = raw_fields(line)
        kept = fields.keys() - self._names
        cells = []
        for column in self._columns:
            cell = self._cell(fields.get(column.name, NULL), column.kind)
            if cell is None:
                self._misfits.add(column.name)
                kept.add(column.name)
            cells.append(cell or b"")
        others = extra(fields, kept)
        cells.append(_quoted(others) if others else b"")
        return b",".join(cells) + _END

    def _cell(self, raw: bytes, kind: ColumnType) -> bytes | None:
        """Return a field, or None where the value is not of its kind."""
        if raw == NULL:
            return b""
        match kind:
            case Scalar.TEXT | Scalar.TIMESTAMP:
                return self._text(raw) if raw.startswith(b'"') else None
            case Scalar.INTEGER:
                return raw if raw.removeprefix(b"-").isdigit() else None
            case Scalar.BOOLEAN:
                return raw if raw in (b"true", b"false") else None
        return _quoted(raw) if raw.startswith(b"{" if isinstance(kind, Struct) else b"[") else None

    def _text(self, raw: bytes) -> bytes | None:
        if b"\\" not in raw and not self._escape_formulas:
            return raw
        try:
            text = _TEXT.decode(raw)
        except msgspec.DecodeError:
            return None  # it holds a lone surrogate, which UTF-8 cannot
        if self._escape_formulas and text.startswith(FORMULA_STARTS):
            text = f"'{text}"
        return _quoted(text.encode())


def _quoted(content: bytes) -> bytes:
    return b'"' + content.replace(b'"', b'""') + b'"'
