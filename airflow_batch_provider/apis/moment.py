"""How the vendors write moments."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum

_UNITS_PER_SECOND = {"seconds": 1, "milliseconds": 1000}


class Clock(StrEnum):
    """How a moment is written: ISO 8601 text (UTC if it has no offset), or a number since 1970."""

    ISO = "iso"
    ISO_WITHOUT_OFFSET = "iso without offset"
    UNIX_SECONDS = "seconds"
    UNIX_MILLISECONDS = "milliseconds"


def read_moment(value: object, clock: Clock) -> datetime:
    """Read a moment, in UTC if it has no offset of its own.

    :raises ValueError: it is not written like that
    """
    if clock in {Clock.ISO, Clock.ISO_WITHOUT_OFFSET}:
        if not isinstance(value, str):
            raise ValueError("not a text")
        moment = datetime.fromisoformat(value)
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError("not a number")
    try:
        return datetime.fromtimestamp(value / _UNITS_PER_SECOND[clock], UTC)
    except (OverflowError, OSError) as error:
        raise ValueError("out of range") from error


def write_moment(moment: datetime, clock: Clock) -> str:
    """Write a moment as a vendor takes it; one without an offset counts as UTC."""
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    if clock is Clock.ISO:
        return moment.isoformat()
    if clock is Clock.ISO_WITHOUT_OFFSET:
        return moment.astimezone(UTC).replace(tzinfo=None, microsecond=0).isoformat()
    return str(int(moment.timestamp() * _UNITS_PER_SECOND[clock]))
