"""Whether a value is what the vendor documents: the slow and exact way, one value at a time."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

from airflow_batch_provider.apis.columns import Column, ColumnType, ListOf, Scalar, Struct

LARGEST_INTEGER = 2**63 - 1

# Six digits of fraction that count; zeros after them hold nothing.
_TIME = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[T ]([0-9]{2}(?::[0-9]{2}){0,2})"
    r"(?:(?<=:[0-9]{2}:[0-9]{2})(\.[0-9]{1,6})0*)?"
    r"(Z|[+-][0-9]{2}(?::?[0-9]{2})?)?"
)


class MismatchError(ValueError):
    """The value is not of its kind."""


def fit(value: Any, kind: ColumnType) -> tuple[Any, bool]:
    """Return a value as its column holds it, and whether the column holds all of it.

    :param value: as a JSON parser gives it
    :param kind: what it should be
    :raises MismatchError: it is something else
    """
    if value is None:
        return None, True
    match kind:
        case Struct() if isinstance(value, dict):
            return _fit_struct(value, kind.fields)
        case ListOf() if isinstance(value, list):
            fitted = [fit(element, kind.element) for element in value]
            return [element for element, _ in fitted], all(is_whole for _, is_whole in fitted)
        case Scalar.TEXT if isinstance(value, str):
            return value, True
        case Scalar.INTEGER if type(value) is int and -LARGEST_INTEGER - 1 <= value <= LARGEST_INTEGER:
            return value, True
        case Scalar.BOOLEAN if isinstance(value, bool):
            return value, True
        case Scalar.TIMESTAMP if isinstance(value, str):
            return utc(value), True
    raise MismatchError


def _fit_struct(value: dict[str, Any], fields: tuple[Column, ...]) -> tuple[dict[str, Any], bool]:
    fitted = {field.name: fit(value.get(field.name), field.kind) for field in fields}
    is_whole = value.keys() <= fitted.keys() and all(is_whole for _, is_whole in fitted.values())
    return {name: element for name, (element, _) in fitted.items()}, is_whole


def utc(text: str) -> datetime:
    """Read a time, exactly.

    :raises MismatchError: it is none, or has more digits than a microsecond
    """
    found = _TIME.fullmatch(text)
    if not found:
        raise MismatchError
    day, time, fraction, zone = found.groups()
    if zone and len(zone) > 3 and zone[-2:] > "59":  # which fromisoformat takes for more minutes
        raise MismatchError
    try:
        return datetime.fromisoformat(f"{day}T{time}{fraction or ''}{zone or 'Z'}").astimezone(UTC)
    except (ValueError, OverflowError):
        raise MismatchError from None
