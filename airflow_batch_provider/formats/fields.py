"""What CSV and Parquet share: a row's fields as they came, and what does not fit into a column."""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Collection, Mapping

import msgspec

from airflow_batch_provider.apis.page import Line
from airflow_batch_provider.apis.surrogates import hide_lone_surrogates

log = logging.getLogger(__name__)

EXTRA = "_extra"
"""The last column: a JSON object with what the documented columns do not hold, null where they hold everything."""

NULL = b"null"

_FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw])


def raw_fields(line: Line) -> dict[str, bytes]:
    """Return the fields of a row, each value as the vendor wrote it; of a repeated name the last."""
    try:
        return {name: bytes(raw) for name, raw in _FIELDS.decode(line).items()}
    except msgspec.DecodeError:
        hidden = hide_lone_surrogates(bytes(line))
        if hidden is None:
            raise
        fields = _FIELDS.decode(hidden.body)
        return {hidden.restore_text(name): hidden.restore_json(bytes(raw)) for name, raw in fields.items()}


def extra(fields: Mapping[str, bytes], names: Collection[str]) -> bytes | None:
    """Return the value of :data:`EXTRA`.

    :param fields: the row, as of :func:`raw_fields`
    :param names: which of them it takes
    """
    if not names:
        return None
    pairs = [json.dumps(name).encode() + b":" + raw for name, raw in fields.items() if name in names]
    return b"{" + b",".join(pairs) + b"}"


class Mismatches:
    """Counts the values that their columns cannot hold, and warns of each such column once.

    :param told: the columns that were warned of already, shared by all files of an export
    """

    def __init__(self, told: set[str]) -> None:
        self._told = told
        self.counts: Counter[str] = Counter()

    def add(self, column: str) -> None:
        """Count a value, which is now in :data:`EXTRA`."""
        self.counts[column] += 1
        if column not in self._told:
            self._told.add(column)
            log.warning(
                "Field %r holds values that are not as documented; its column is null there, and %s keeps them",
                column,
                EXTRA,
            )
