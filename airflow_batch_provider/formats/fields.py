"""What formats with columns share: a row's fields as the vendor wrote them, and the column for all other values."""

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
"""The last column: a JSON object with what the documented columns do not contain, null if they contain everything.

If the column of one of its fields is a struct, the two are parts of one object; otherwise the field is the whole value.
"""

NULL = b"null"

_FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_ELEMENTS = msgspec.json.Decoder(list[msgspec.Raw])


def raw_fields(line: Line) -> dict[str, bytes]:
    """Return the fields of a JSON object, each value as the vendor wrote it. The last of a repeated field counts."""
    try:
        return {name: bytes(raw) for name, raw in _FIELDS.decode(line).items()}
    except msgspec.DecodeError:
        hidden = hide_lone_surrogates(bytes(line))
        if hidden is None:
            raise
        fields = _FIELDS.decode(hidden.body)
        return {hidden.restore_text(name): hidden.restore_json(bytes(raw)) for name, raw in fields.items()}


def raw_elements(content: bytes) -> list[bytes]:
    """Return the elements of a JSON array, each as the vendor wrote it."""
    try:
        return [bytes(raw) for raw in _ELEMENTS.decode(content)]
    except msgspec.DecodeError:
        hidden = hide_lone_surrogates(content)
        if hidden is None:
            raise
        return [hidden.restore_json(bytes(raw)) for raw in _ELEMENTS.decode(hidden.body)]


def extra(fields: Mapping[str, bytes], names: Collection[str]) -> bytes | None:
    """Return the value of :data:`EXTRA`.

    :param fields: the row's, from :func:`raw_fields`
    :param names: the fields to include
    """
    if not names:
        return None
    pairs = [json.dumps(name).encode() + b":" + raw for name, raw in fields.items() if name in names]
    return b"{" + b",".join(pairs) + b"}"


class Mismatches:
    """Counts the values whose type is not as documented, and warns once of each field that has one.

    A field of a struct is named with a dotted path.

    :param warned: the fields already warned of, shared by all files of an export
    """

    def __init__(self, warned: set[str]) -> None:
        self._warned = warned
        self.counts: Counter[str] = Counter()

    def add(self, field: str) -> None:
        """Count a value, which :data:`EXTRA` contains instead."""
        self.counts[field] += 1
        if field not in self._warned:
            self._warned.add(field)
            log.warning(
                "Field %r has values of another type than documented; it is null there, and %s contains them",
                field,
                EXTRA,
            )
