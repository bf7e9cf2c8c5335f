"""What formats with columns share: a row's fields as the vendor wrote them, and the column for all other values."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Collection, Mapping

from airflow_batch_provider.apis.raw_json import raw_object

log = logging.getLogger(__name__)

EXTRA = "_extra"
"""The last column: a JSON object with what the documented columns do not contain, null if they contain everything.

If the column of one of its fields is a struct, the two are parts of one object; otherwise the field is the whole value.
"""

NULL = b"null"


def extra(fields: Mapping[str, bytes], names: Collection[str]) -> bytes | None:
    """Return the value of :data:`EXTRA`.

    :param fields: the row's, from :func:`~airflow_batch_provider.apis.raw_json.raw_fields`
    :param names: the fields to include
    """
    if not names:
        return None
    return raw_object({name: raw for name, raw in fields.items() if name in names})


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
