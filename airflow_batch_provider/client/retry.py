"""Which failed requests are sent again, and when."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from airflow_batch_provider import backoff
from airflow_batch_provider.exceptions import AmbiguousRequestError, RateLimitedError, TransientError

LONGEST_RETRY_AFTER = 60.0
"""Seconds of Retry-After that are waited for; if a vendor asks for more, the task fails and says so."""

FIRST_PAUSE, LONGEST_PAUSE = 1.0, 30.0
"""The longest pauses after the first attempt and after any, if the vendor does not ask for one."""


def wait(attempt: int, error: BaseException) -> float:
    """Return the seconds before the next attempt: what the vendor asked for, else exponential with full jitter."""
    if isinstance(error, RateLimitedError) and error.retry_after:  # 0 asks for nothing
        return error.retry_after
    return backoff.delay(attempt, FIRST_PAUSE, LONGEST_PAUSE, least=0.0)


def may_pass_soon(error: BaseException) -> bool:
    """Return whether a request is worth sending again within this try of the task."""
    if isinstance(error, RateLimitedError) and (error.retry_after or 0) > LONGEST_RETRY_AFTER:
        return False
    return isinstance(error, TransientError) and not isinstance(error, AmbiguousRequestError)


def may_pass_at_once(error: BaseException) -> bool:
    """Return whether a request is worth sending again within a poll."""
    return may_pass_soon(error) and not isinstance(error, RateLimitedError)


def parse_retry_after(value: str | None, date: str | None = None) -> float | None:
    """Read a Retry-After header, in either of HTTP's forms.

    :param value: seconds, or an HTTP date
    :param date: the Date header of the same answer, which a date is compared with: the vendor's clock may differ
        from ours
    :return: seconds from now, never negative; None if there is no header or it makes no sense
    """
    if value is None:
        return None
    text = value.strip()
    if text.replace(".", "", 1).isdecimal() and text.isascii():
        return float(text)
    moment = _read_date(text)
    if moment is None:
        return None
    now = _read_date(date.strip()) if date else None
    return max(0.0, (moment - (now or datetime.now(UTC))).total_seconds())


def _read_date(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
