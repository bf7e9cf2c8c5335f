from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from types import SimpleNamespace

import pytest
import tenacity
from hypothesis import given
from hypothesis import strategies as st

from airflow_batch_provider import backoff
from airflow_batch_provider.exceptions import RateLimitedError, TransientError

NOW = datetime(2026, 11, 22, 12, 0, 0, tzinfo=UTC)


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
    assert backoff.parse_retry_after(header, NOW) == seconds


@pytest.mark.parametrize("header", [None, "", " ", "soon", "-5", "1e3", "inf", "nan", "٣", "²", "1, 2", "2026-11-22"])
def test_a_retry_after_that_makes_no_sense_counts_as_none(header: str | None) -> None:
    assert backoff.parse_retry_after(header, NOW) is None


@pytest.mark.parametrize(
    "header", ["Mon, 01 Jan 99999999999999999999 00:00:00 GMT", "Mon, 01 Jan 2026 00:00:00 +99999999999999"]
)
def test_a_retry_after_beyond_the_calendar_counts_as_none(header: str) -> None:
    assert backoff.parse_retry_after(header, NOW) is None


@given(st.datetimes(datetime(1970, 1, 2), datetime(9000, 1, 1), timezones=st.just(UTC)))
def test_a_retry_after_date_is_never_in_the_past(moment: datetime) -> None:
    seconds = backoff.parse_retry_after(format_datetime(moment, usegmt=True), NOW)
    assert seconds == max(timedelta(), moment.replace(microsecond=0) - NOW).total_seconds()


def after(attempt: int, error: Exception) -> float:
    state = tenacity.RetryCallState(tenacity.Retrying(), None, (), {})
    state.attempt_number = attempt
    state.set_exception((type(error), error, None))
    return backoff.wait(state)


def limited(seconds: float | None) -> RateLimitedError:
    error = RateLimitedError("later")
    error.retry_after = seconds
    return error


@pytest.mark.parametrize("error", [TransientError("x"), limited(None)])
@pytest.mark.parametrize("attempt", [1, 2, 3, 6, 50])
def test_the_wait_is_bounded_and_jittered(attempt: int, error: Exception) -> None:
    waits = [after(attempt, error) for _ in range(50)]
    assert 0 <= min(waits) < max(waits) <= min(backoff.LONGEST_BACKOFF, 2**attempt)


@pytest.mark.parametrize("seconds", [0.5, 7.0, 60.0])
def test_the_wait_is_what_the_vendor_asked_for(seconds: float) -> None:
    assert after(5, limited(seconds)) == seconds


class Clock(SimpleNamespace):
    now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(backoff, "time", clock)
    return clock


def test_requests_are_spaced_evenly(clock: Clock, pauses: list[float]) -> None:
    rate_limiter = backoff.RateLimiter(60)
    for _ in range(4):
        rate_limiter.wait_for_turn()
    assert pauses == [1.0, 2.0, 3.0]  # from one standing clock; each would have slept so long


def test_a_quiet_minute_is_not_saved_up_for_a_burst(clock: Clock, pauses: list[float]) -> None:
    rate_limiter = backoff.RateLimiter(60)
    rate_limiter.wait_for_turn()
    clock.now += 60
    rate_limiter.wait_for_turn()
    rate_limiter.wait_for_turn()
    assert pauses == [1.0]


def test_no_limit_means_no_pause(pauses: list[float]) -> None:
    rate_limiter = backoff.RateLimiter(None)
    for _ in range(100):
        rate_limiter.wait_for_turn()
    assert pauses == []
