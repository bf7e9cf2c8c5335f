"""JSON that is taken apart and put together without being read: numbers and texts stay as the vendor wrote them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import msgspec

from airflow_batch_provider.apis.surrogates import hide_lone_surrogates

_FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_ELEMENTS = msgspec.json.Decoder(list[msgspec.Raw])
_ANY = msgspec.json.Decoder(msgspec.Raw)

_TEXT = re.compile(rb'"(?:[^"\\]|\\.)*"(\s*:)?', re.DOTALL)
"""A text of JSON, and the colon behind it if it is a key."""

_SIGNATURES = frozenset(
    {
        *("x-amz-signature", "x-amz-credential", "x-amz-security-token", "awsaccesskeyid", "x-goog-signature"),
        *("x-goog-credential", "googleaccessid", "signature", "sig", "key-pair-id", "policy", "token", "access_token"),
    }
)
"""Query keys, in lower case, by which stores and content networks let in anyone who has the URL."""

_SIGNED_KEY = b'"presigned_url"'
"""The key of a URL that lets in anyone who has it, however it is signed."""

_LONGEST_URL = 16_384


LONGEST_INTEGER = 20_000
"""Digits of an integer that is read as one: the time to read it grows with their square."""


def read_json(text: str | bytes) -> Any:
    """Read a JSON text, also one with integers that Python does not read by itself: those of more than 4,300 digits.

    Still longer ones come as ``Decimal``, exact too.

    :raises ValueError: it is no JSON
    :raises RecursionError: it is nested too deeply
    """
    try:
        return json.loads(text)
    except (json.JSONDecodeError, UnicodeDecodeError):
        raise
    except ValueError:
        return json.loads(text, parse_int=_read_integer)


def _read_integer(digits: str) -> int | Decimal:
    number = Decimal(digits)
    return int(number) if len(digits) <= LONGEST_INTEGER else number


def raw_fields(document: bytes | msgspec.Raw) -> dict[str, bytes]:
    """Return the fields of an object, each value as it was written. The last of a repeated field counts.

    :raises msgspec.DecodeError: it is no JSON object
    """
    try:
        return {name: bytes(raw) for name, raw in _FIELDS.decode(document).items()}
    except msgspec.DecodeError:
        hidden = hide_lone_surrogates(bytes(document))
        if hidden is None:
            raise
        fields = _FIELDS.decode(hidden.body)
        return {hidden.restore_text(name): hidden.restore_json(bytes(raw)) for name, raw in fields.items()}


def raw_elements(document: bytes) -> list[bytes]:
    """Return the elements of an array, each as it was written.

    :raises msgspec.DecodeError: it is no JSON array
    """
    try:
        return [bytes(raw) for raw in _ELEMENTS.decode(document)]
    except msgspec.DecodeError:
        hidden = hide_lone_surrogates(document)
        if hidden is None:
            raise
        return [hidden.restore_json(bytes(raw)) for raw in _ELEMENTS.decode(hidden.body)]


def raw_at(document: bytes, path: str) -> bytes | None:
    """Return the value at a dotted path, None if there is none; ``""`` is the document itself."""
    for key in path.split(".") if path else ():
        try:
            found = raw_fields(document).get(key)
        except msgspec.DecodeError:
            return None
        if found is None:
            return None
        document = found
    return document


def raw_object(fields: Mapping[str, bytes]) -> bytes:
    """Return an object of fields whose values are JSON already."""
    return b"{" + b",".join(json.dumps(name).encode() + b":" + raw for name, raw in fields.items()) + b"}"


def is_json(content: bytes) -> bool:
    """Return whether a text is one JSON value in UTF-8."""
    try:
        if not content.isascii():
            content.decode()
        try:
            _ANY.decode(content)
        except msgspec.DecodeError:
            hidden = hide_lone_surrogates(content)
            if hidden is None:
                return False
            _ANY.decode(hidden.body)
    except (ValueError, msgspec.DecodeError, RecursionError):
        return False
    return True


def in_one_line(document: bytes) -> bytes:
    """Return a value without line breaks between its parts; within a text they are escaped anyway."""
    if b"\n" not in document and b"\r" not in document:
        return document
    try:
        return msgspec.json.format(document, indent=-1)
    except msgspec.DecodeError:
        hidden = hide_lone_surrogates(document)
        if hidden is None:
            raise
        return hidden.restore_json(msgspec.json.format(hidden.body, indent=-1))


def _is_url(text: str) -> bool:
    return text[:8].lower().startswith(("http://", "https:/"))


def is_signed(url: str) -> bool:
    """Return whether a text is a URL that lets in anyone who has it."""
    if not _is_url(url):
        return False
    try:
        query = urlsplit(url).query
    except ValueError:
        return False
    names = {name.casefold() for name, _ in parse_qsl(query, keep_blank_values=True)}
    return not _SIGNATURES.isdisjoint(names)


def without_signed_urls(document: bytes) -> bytes:
    """Return a value with null in place of each text that is a signed URL; all else stays as it was written."""
    if b"?" not in document and b"\\u003" not in document and _SIGNED_KEY not in document:
        return document
    named = -1  # where the last key that says that its URL is signed ends

    def replace(text: re.Match[bytes]) -> bytes:
        nonlocal named
        if text[1] is not None:
            named = text.end() if text[0].startswith(_SIGNED_KEY) else -1
            return text[0]
        if len(text[0]) > 6 * _LONGEST_URL or text[0][1:2] not in b'hH\\"':
            return text[0]
        is_named = named >= 0 and not document[named : text.start()].strip()
        try:
            url = json.loads(text[0])
        except ValueError:
            return text[0]
        return b"null" if is_signed(url) or (is_named and _is_url(url)) else text[0]

    return _TEXT.sub(replace, document)
