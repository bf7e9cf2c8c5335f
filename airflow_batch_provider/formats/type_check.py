"""Checks values against their documented types: slow, exact, one value at a time.

Values are checked as the vendor wrote them, since a parser would round numbers.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation

import msgspec

from airflow_batch_provider.apis.columns import Scalar

LARGEST_INTEGER = 2**63 - 1

# Python's datetime has six digits of fraction; zeros after them change nothing.
_TIME = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[T ]([0-9]{2}(?::[0-9]{2}){0,2})"
    r"(?:(?<=:[0-9]{2}:[0-9]{2})(\.[0-9]{1,6})0*)?"
    r"(Z|[+-][0-9]{2}(?::?[0-9]{2})?)?"
)
_INTEGER = re.compile(rb"-?[0-9]{1,19}")
_NUMBER = re.compile(rb"-?[0-9]")
_TEXT = msgspec.json.Decoder(str)
_BOOLEANS = {b"true": True, b"false": False}


class TypeMismatchError(ValueError):
    """The value is not of its documented type."""


def check_type(raw: bytes, scalar: Scalar) -> str | int | float | bool | datetime:
    """Return a value as its column contains it.

    :param raw: a JSON value other than null
    :param scalar: its documented type
    :raises TypeMismatchError: it is of another type
    """
    match scalar:
        case Scalar.TEXT:
            return _parse_text(raw)
        case Scalar.INTEGER:
            return _parse_integer(raw)
        case Scalar.FLOAT:
            return parse_float(raw)
        case Scalar.BOOLEAN if raw in _BOOLEANS:
            return _BOOLEANS[raw]
        case Scalar.TIMESTAMP:
            return parse_timestamp(_parse_text(raw))
        case Scalar.UNIX_SECONDS:
            return _from_unix(_parse_integer(raw), 1_000_000)
        case Scalar.UNIX_MILLISECONDS:
            return _from_unix(_parse_integer(raw), 1_000)
        case Scalar.JSON:
            return raw.decode()
    raise TypeMismatchError


def _parse_text(raw: bytes) -> str:
    try:
        return _TEXT.decode(raw)
    except msgspec.DecodeError:  # also a lone surrogate, which UTF-8 cannot encode
        raise TypeMismatchError from None


def _parse_integer(raw: bytes) -> int:
    if not _INTEGER.fullmatch(raw):
        raise TypeMismatchError
    value = int(raw)
    if not -LARGEST_INTEGER - 1 <= value <= LARGEST_INTEGER:
        raise TypeMismatchError
    return value


def parse_float(raw: bytes) -> float:
    """Return a number that is exactly what the vendor wrote: as an integer, or else as Python writes it.

    :raises TypeMismatchError: it is none, or a double cannot keep all its digits
    """
    if not _NUMBER.match(raw):
        raise TypeMismatchError
    value = float(raw)
    try:
        is_exact = Decimal(value if value.is_integer() else repr(value)) == Decimal(raw.decode())
    except InvalidOperation:  # its exponent is beyond those of decimals
        is_exact = False
    if not is_exact:
        raise TypeMismatchError
    return value


def _from_unix(value: int, microseconds: int) -> datetime:
    try:
        return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=value * microseconds)
    except OverflowError:
        raise TypeMismatchError from None


def parse_timestamp(text: str) -> datetime:
    """Return the time in UTC, exactly.

    :raises TypeMismatchError: it is not a time, or finer than a microsecond
    """
    found = _TIME.fullmatch(text)
    if not found:
        raise TypeMismatchError
    day, time, fraction, zone = found.groups()
    if zone and len(zone) > 3 and zone[-2:] > "59":  # fromisoformat accepts 60 minutes and more
        raise TypeMismatchError
    try:
        return datetime.fromisoformat(f"{day}T{time}{fraction or ''}{zone or 'Z'}").astimezone(UTC)
    except (ValueError, OverflowError):
        raise TypeMismatchError from None
