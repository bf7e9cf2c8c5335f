from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_batch_provider.client import retry
from airflow_batch_provider.exceptions import (
    AmbiguousRequestError,
    FatalError,
    RateLimitedError,
    TransientError,
)

NOW = datetime(2026, 11, 22, 12, 0, 0, tzinfo=UTC)
DATE = format_datetime(NOW, usegmt=True)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("0", 0.0),
        ("30", 30.0),
        (" 30 ", 30.0),
        ("1.5", 1.5),
        ("86400", 86400.0),
        ("Sun, 22 Nov 2026 12:00:30 GMT", 30.0),
        ("Sunday, 22-Nov-26 12:00:30 GMT", 30.0),
        ("Sun Nov 22 12:00:30 2026", 30.0),
        ("Sun, 22 Nov 2026 17:30:30 +0530", 30.0),
        ("Sun, 22 Nov 2026 11:59:00 GMT", 0.0),
    ],
)
def test_retry_after_is_read_in_every_form_of_http(header: str, seconds: float) -> None:
    assert retry.parse_retry_after(header, DATE) == seconds


@pytest.mark.parametrize("header", [None, "", " ", "soon", "-5", "1e3", "inf", "nan", "٣", "²", "1, 2", "2026-11-22"])
def test_a_retry_after_that_makes_no_sense_counts_as_none(header: str | None) -> None:
    assert retry.parse_retry_after(header, DATE) is None


@pytest.mark.parametrize(
    "header", ["Mon, 01 Jan 99999999999999999999 00:00:00 GMT", "Mon, 01 Jan 2026 00:00:00 +99999999999999"]
)
def test_a_retry_after_beyond_the_calendar_counts_as_none(header: str) -> None:
    assert retry.parse_retry_after(header, DATE) is None


@given(st.datetimes(datetime(1970, 1, 2), datetime(9000, 1, 1), timezones=st.just(UTC)))
def test_a_retry_after_date_is_never_in_the_past(moment: datetime) -> None:
    seconds = retry.parse_retry_after(format_datetime(moment, usegmt=True), DATE)
    assert seconds == max(timedelta(), moment.replace(microsecond=0) - NOW).total_seconds()


def test_a_retry_after_date_without_the_answers_own_date_is_compared_with_our_clock() -> None:
    in_a_minute = format_datetime(datetime.now(UTC) + timedelta(seconds=60), usegmt=True)
    for date in (None, "soon"):
        seconds = retry.parse_retry_after(in_a_minute, date)
        assert seconds is not None
        assert 50 < seconds <= 60


def limited(seconds: float | None) -> RateLimitedError:
    error = RateLimitedError("later")
    error.retry_after = seconds
    return error


@pytest.mark.parametrize("error", [TransientError("x"), limited(None), limited(0)])
@pytest.mark.parametrize("attempt", [1, 2, 3, 6, 50])
def test_the_wait_is_bounded_and_has_full_jitter(attempt: int, error: Exception) -> None:
    waits = [retry.wait(attempt, error) for _ in range(50)]
    assert 0 <= min(waits) < max(waits) <= min(retry.LONGEST_PAUSE, 2 ** (attempt - 1))


@pytest.mark.parametrize("seconds", [0.5, 7.0, 60.0])
def test_the_wait_is_what_the_vendor_asked_for(seconds: float) -> None:
    assert retry.wait(5, limited(seconds)) == seconds


@pytest.mark.parametrize(
    ("error", "again"),
    [
        (TransientError("x"), True),
        (limited(60), True),
        (limited(61), False),
        (AmbiguousRequestError("x"), False),
        (FatalError("x"), False),
    ],
)
def test_only_what_may_pass_soon_is_sent_again(error: Exception, again: bool) -> None:
    assert retry.may_pass_soon(error) is again
