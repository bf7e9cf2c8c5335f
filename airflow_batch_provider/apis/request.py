"""One request to make, as a value."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from urllib.parse import quote, urlencode

import msgspec
from msgspec.structs import replace


class Request(msgspec.Struct, frozen=True, dict=True):
    """A GET below a vendor's base URL. It holds no secret, so it may be logged and stored.

    :param path: the path, percent-encoded, starting with ``/``
    :param query: the query parameters under the vendor's names, not encoded
    """

    path: str
    query: Mapping[str, str | tuple[str, ...]] = msgspec.field(default_factory=dict)

    def asking(self, **query: str) -> Request:
        """Return the same request with some query parameters set anew."""
        return replace(self, query={**self.query, **query})

    @cached_property
    def target(self) -> str:
        """Path and query as they stand in the request line."""
        return f"{self.path}?{urlencode(self.query, doseq=True, quote_via=quote)}" if self.query else self.path
