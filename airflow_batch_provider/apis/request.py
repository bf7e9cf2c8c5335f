"""One request to make and its answer, as values."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import IO, Any
from urllib.parse import quote, urlencode

import msgspec
from msgspec.structs import replace


class Part(msgspec.Struct, frozen=True):
    """A part of a multipart body.

    :param name: its name in the form
    :param content: its bytes, if they are at hand
    :param open: else a function that opens a stream of them, called for each attempt
    :param size: bytes of the stream
    :param filename: the file's name, as the vendor shall see it
    :param content_type: its media type
    """

    name: str
    content: bytes = b""
    open: Callable[[], IO[bytes]] | None = None
    size: int | None = None
    filename: str | None = None
    content_type: str | None = None

    def __post_init__(self) -> None:
        if self.open and self.size is None:
            raise ValueError(f"part {self.name!r} is a stream, so its size must be given")


class Request(msgspec.Struct, frozen=True, dict=True, omit_defaults=True):
    """A request below a vendor's base URL. It has no secret, so it may be logged and stored.

    :param path: the path, percent-encoded, starting with ``/``
    :param query: the query parameters under the vendor's names, not encoded; a tuple repeats its key
    :param method: the HTTP method
    :param json: the value of a JSON body
    :param parts: the parts of a multipart body
    :param is_repeatable: whether it may be sent again after a failure that leaves open whether it took effect
    :param link: the URL of a next page, as the vendor gave it; replaces path and query, on the same origin only
    :param is_followed: whether a redirect is followed; if not, it is the answer
    :param is_personal: whether it contains personal data, which an error may repeat
    """

    path: str
    query: Mapping[str, str | tuple[str, ...]] = msgspec.field(default_factory=dict)
    method: str = "GET"
    json: Any = None
    parts: tuple[Part, ...] = ()
    is_repeatable: bool = True
    link: str | None = None
    is_followed: bool = True
    is_personal: bool = False

    def asking(self, **query: str) -> Request:
        """Return the same request with some query parameters changed."""
        return replace(self, query={**self.query, **query})

    @cached_property
    def target(self) -> str:
        """Path and query as they are in the request line, or the link."""
        if self.link is not None:
            return self.link
        return f"{self.path}?{urlencode(self.query, doseq=True, quote_via=quote)}" if self.query else self.path

    @property
    def address(self) -> str:
        """Method and path, without the query: for errors and logs."""
        return f"{self.method} {self.path}"

    @property
    def ids(self) -> Mapping[str, str]:
        """The ids in the query, which are not in the path: they show whose objects are requested."""
        ids = {name: value for name, value in self.query.items() if name.casefold().endswith("id")}
        return {name: value if isinstance(value, str) else ",".join(value) for name, value in ids.items()}


class Answer(msgspec.Struct, frozen=True):
    """The answer to a request.

    :param status: the HTTP status
    :param headers: its headers; names are looked up without regard to case
    :param body: the whole body, decompressed
    """

    status: int
    headers: Mapping[str, str]
    body: bytes


_LINK = re.compile(r'<([^<>]*)>((?:\s*;\s*[\w*-]+\s*(?:=\s*(?:"[^"]*"|[^\s";,]*))?)*)')
_NEXT = re.compile(r';\s*rel\s*=\s*(?:"(?:[^"]*\s)?next(?:\s[^"]*)?"|next(?![^\s;,]))', re.IGNORECASE)


def next_link(headers: Mapping[str, str]) -> str | None:
    """Return the URL with ``rel="next"`` in a ``Link`` header (RFC 8288), None if there is none."""
    return next((url for url, attributes in _LINK.findall(headers.get("Link") or "") if _NEXT.search(attributes)), None)
