"""JSON Lines: one object per line, as the vendor sent it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from airflow_batch_provider.apis.page import Line
from airflow_batch_provider.formats.compression import Compressor


class JsonLinesEncoder:
    """Encodes a file of JSON Lines.

    :param compressor: of this file alone
    """

    def __init__(self, compressor: Compressor) -> None:
        self._compressor = compressor

    @property
    def mismatches(self) -> Counter[str]:
        """See :class:`~.formats.PartEncoder`; there are no columns that could not hold a value."""
        return Counter()

    def add(self, lines: Sequence[Line]) -> bytes:
        """See :class:`~.formats.PartEncoder`."""
        return self._compressor.compress(b"\n".join([*lines, b""]))

    def finish(self) -> bytes:
        """See :class:`~.formats.PartEncoder`."""
        return self._compressor.flush()
