"""Requests are spaced as the connection allows it."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from airflow_batch_provider.client import rate_limit


class Clock(SimpleNamespace):
    now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(rate_limit, "time", clock)
    return clock


def test_requests_are_spaced_evenly(clock: Clock, pauses: list[float]) -> None:
    rate_limiter = rate_limit.RateLimiter(60)
    for _ in range(4):
        rate_limiter.wait_for_turn()
    assert pauses == [1.0, 2.0, 3.0]  # from one standing clock; each would have slept so long


def test_a_quiet_minute_is_not_saved_up_for_a_burst(clock: Clock, pauses: list[float]) -> None:
    rate_limiter = rate_limit.RateLimiter(60)
    rate_limiter.wait_for_turn()
    clock.now += 60
    rate_limiter.wait_for_turn()
    rate_limiter.wait_for_turn()
    assert pauses == [1.0]


def test_no_limit_means_no_pause(pauses: list[float]) -> None:
    rate_limiter = rate_limit.RateLimiter(None)
    for _ in range(100):
        rate_limiter.wait_for_turn()
    assert pauses == []
