"""Leaves personal fields out of the rows of a listing, or hashes them."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Any

from msgspec.structs import replace

from airflow_batch_provider.apis.page import Line
from airflow_batch_provider.apis.raw_json import raw_fields, raw_object
from airflow_batch_provider.listing.pages import NewRows

Source = Callable[..., Iterable[NewRows]]
"""What an export reads pages with."""


def without_personal_fields(source: Source, names: Collection[str], secret: str | None) -> Source:
    """Return a source of the same rows without what is personal in them.

    :param source: reads the rows
    :param names: the fields
    :param secret: the key of the hash; None to leave the fields out
    """

    def pages(**where: Any) -> Iterator[NewRows]:
        for page in source(**where):
            lines = [_changed(line, names, secret) for line in page.rows.lines]
            yield replace(page, rows=replace(page.rows, lines=lines))

    return pages


def _changed(line: Line, names: Collection[str], secret: str | None) -> bytes:
    fields = raw_fields(line)
    for name in names:
        value = fields.get(name)
        if value is None or value == b"null":
            continue
        if secret is None:
            del fields[name]
        else:
            # A plain hash of a phone number is found by trying all numbers.
            fields[name] = b'"%b"' % _hash(value, secret).encode()
    return raw_object(fields)


def _hash(value: bytes, secret: str) -> str:
    """Return the hash of a value, however JSON spells it."""
    read = json.loads(value)
    text = read if isinstance(read, str) else json.dumps(read, sort_keys=True)
    return hmac.new(secret.encode(), text.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()
