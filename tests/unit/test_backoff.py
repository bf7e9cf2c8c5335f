from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_batch_provider import backoff

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


@pytest.mark.parametrize("attempt", [1, 2, 3, 6, 50, 10_000])
@pytest.mark.parametrize("least", [0.0, 0.5, 1.0])
def test_a_delay_doubles_up_to_its_cap_with_jitter(attempt: int, least: float) -> None:
    longest = min(30.0, 2.0 ** min(attempt - 1, 10))
    delays = [backoff.delay(attempt, 1.0, 30.0, least=least) for _ in range(50)]
    assert least * longest <= min(delays) <= max(delays) <= longest
    assert (len(set(delays)) > 1) is (least < 1)
