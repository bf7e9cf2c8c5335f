"""Checks values against their documented types: slow, exact, one value at a time."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow_batch_provider.apis.columns import Column, ColumnType, ListOf, Scalar, Struct

LARGEST_INTEGER = 2**63 - 1

# Python's datetime has six digits of fraction; zeros after them change nothing.
_TIME = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[T ]([0-9]{2}(?::[0-9]{2}){0,2})"
    r"(?:(?<=:[0-9]{2}:[0-9]{2})(\.[0-9]{1,6})0*)?"
    r"(Z|[+-][0-9]{2}(?::?[0-9]{2})?)?"
)


class TypeMismatchError(ValueError):
    """The value is not of its documented type."""


def check_type(value: Any, column_type: ColumnType) -> tuple[Any, bool]:
    """Return a value as its column contains it, and whether that is all of it.

    :param value: a parsed JSON value
    :param column_type: its documented type
    :raises TypeMismatchError: it is of another type
    """
    if value is None:
        return None, True
    match column_type:
        case Struct() if isinstance(value, dict):
            return _check_struct(value, column_type.fields)
        case ListOf() if isinstance(value, list):
            checked = [check_type(element, column_type.element) for element in value]
            return [element for element, _ in checked], all(is_whole for _, is_whole in checked)
        case Scalar.TEXT if isinstance(value, str):
            return value, True
        case Scalar.INTEGER if type(value) is int and -LARGEST_INTEGER - 1 <= value <= LARGEST_INTEGER:
            return value, True
        case Scalar.BOOLEAN if isinstance(value, bool):
            return value, True
        case Scalar.TIMESTAMP if isinstance(value, str):
            return parse_timestamp(value), True
        case Scalar.UNIX_SECONDS | Scalar.UNIX_MILLISECONDS if type(value) is int:
            return _from_unix(value, 1_000_000 if column_type is Scalar.UNIX_SECONDS else 1_000), True
    raise TypeMismatchError


def _check_struct(value: dict[str, Any], fields: tuple[Column, ...]) -> tuple[dict[str, Any], bool]:
    checked = {field.name: check_type(value.get(field.name), field.type) for field in fields}
    is_whole = value.keys() <= checked.keys() and all(is_whole for _, is_whole in checked.values())
    return {name: element for name, (element, _) in checked.items()}, is_whole


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
