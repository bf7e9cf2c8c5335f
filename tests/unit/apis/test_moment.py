"""Moments as text or as numbers since 1970."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from airflow_batch_provider.apis.moment import Clock, read_moment, write_moment

MOMENT = datetime(2026, 1, 31, 12, 30, 5, tzinfo=UTC)
WRITTEN = {
    Clock.ISO: ("2026-01-31T12:30:05+00:00", "2026-01-31T12:30:05+00:00"),
    Clock.ISO_WITHOUT_OFFSET: ("2026-01-31T12:30:05", "2026-01-31T12:30:05"),
    Clock.UNIX_SECONDS: (1_769_862_605, "1769862605"),
    Clock.UNIX_MILLISECONDS: (1_769_862_605_000, "1769862605000"),
}


@pytest.mark.parametrize("clock", Clock)
def test_a_moment_is_read_and_written_as_its_clock_says(clock: Clock) -> None:
    value, text = WRITTEN[clock]
    assert read_moment(value, clock) == MOMENT
    assert write_moment(MOMENT, clock) == text


@pytest.mark.parametrize("clock", Clock)
def test_a_moment_without_an_offset_is_utc(clock: Clock) -> None:
    assert write_moment(MOMENT.replace(tzinfo=None), clock) == WRITTEN[clock][1]
    assert read_moment("2026-01-31T12:30:05", Clock.ISO) == MOMENT


@pytest.mark.parametrize("clock", Clock)
@pytest.mark.parametrize("value", [None, True, "", "soon", [], {}, 10**30, float("inf"), float("nan"), -(10**30)])
def test_what_is_no_moment_is_an_error(clock: Clock, value: object) -> None:
    with pytest.raises(ValueError, match=r"not a|out of|Invalid|cannot"):
        read_moment(value, clock)
