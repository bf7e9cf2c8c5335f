"""Reads the headers of an answer that is a file, or a part of one."""

from __future__ import annotations

import http.client
import re
from email.utils import parsedate_to_datetime

import msgspec
import requests
from urllib3 import BaseHTTPResponse
from urllib3.exceptions import HTTPError

LARGEST_LEFTOVER = 16 * 1024
"""Bytes of the body of a redirect or an error that are read, so that the connection can be used again."""

UNKNOWN = -1
"""The length of a body that ends with its connection, as a body that is cut does."""

BREAKS = (requests.RequestException, HTTPError, http.client.HTTPException, OSError, ValueError)
"""What the libraries raise for an answer that does not come, or not to its end."""

_MEDIA_TYPE = re.compile(r"[\w!#$&^.+-]{1,100}/[\w!#$&^.+-]{1,100}", re.ASCII)
_STRONG_ETAG = re.compile(r'"[\x21\x23-\x7e]{0,1000}"')
_CONTENT_RANGE = re.compile(r"bytes (\d{1,19})-(\d{1,19})/(\d{1,19})", re.ASCII)
_LENGTH = re.compile(r"\d{1,19}", re.ASCII)


class Part(msgspec.Struct, frozen=True):
    """A part of a file, by its headers.

    :param first: where it begins
    :param total: the bytes of the whole
    :param etag: the version that it belongs to, if the server says that again
    """

    first: int
    total: int
    etag: str | None


def part_of(response: BaseHTTPResponse) -> Part | None:
    """Return which part an answer is; None if its headers make no sense, or leave open whether more is to come."""
    found = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", "").strip())
    if not found:
        return None
    first, last, total = map(int, found.groups())
    length = response.headers.get("Content-Length", str(last - first + 1)).strip()
    if not first <= last < total or length != str(last - first + 1):
        return None
    etag = response.headers.get("ETag")
    return Part(first, total, etag.strip() if etag else None)


def length_of(response: BaseHTTPResponse) -> int | None:
    """Return how many bytes follow; None if they come in chunks, which have an end of their own."""
    coding = response.headers.get("Transfer-Encoding", "").lower()
    if coding == "chunked":
        return None
    lengths = {value.strip() for value in response.headers.get("Content-Length", "").split(",")}
    length = lengths.pop()
    if coding or lengths or not _LENGTH.fullmatch(length):
        return UNKNOWN
    return int(length)


def validator_of(response: BaseHTTPResponse) -> str | None:
    """Return the version of this content (ETag, generation) of the same URL, if parts of it can be asked for."""
    accepts = response.headers.get("Accept-Ranges", "").strip().lower()
    etag = response.headers.get("ETag", "").strip()
    if accepts == "none":
        return None
    if _STRONG_ETAG.fullmatch(etag):
        return etag
    modified = response.headers.get("Last-Modified", "").strip()
    return modified if accepts == "bytes" and _is_strong(modified, response.headers.get("Date", "")) else None


def _is_strong(modified: str, date: str) -> bool:
    """Return whether a file cannot have changed twice within the second that its time of change names (RFC 9110)."""
    try:
        return (parsedate_to_datetime(date) - parsedate_to_datetime(modified)).total_seconds() >= 1
    except (ValueError, TypeError, OverflowError):
        return False


def media_type_of(response: BaseHTTPResponse) -> str | None:
    """Return a media type without its parameters, if it is one."""
    media_type = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    return media_type if _MEDIA_TYPE.fullmatch(media_type) else None


def read_leftover(response: BaseHTTPResponse) -> bytes:
    """Read the body of an answer that is no file, if it is small; else its connection is closed."""
    length = response.headers.get("Content-Length", "")
    body = b""
    try:
        if _LENGTH.fullmatch(length) and int(length) <= LARGEST_LEFTOVER:
            body = response.read(int(length) or None)  # at its end, urllib3 releases the connection
    except BREAKS:
        body = b""
    response.close()
    return body
