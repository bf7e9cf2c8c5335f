"""How long to wait before something is tried again."""

from __future__ import annotations

import pytest

from airflow_batch_provider import backoff


@pytest.mark.parametrize("attempt", [1, 2, 3, 6, 50, 10_000])
@pytest.mark.parametrize("least", [0.0, 0.5, 1.0])
def test_a_delay_doubles_up_to_its_cap_with_jitter(attempt: int, least: float) -> None:
    longest = min(30.0, 2.0 ** min(attempt - 1, 10))
    delays = [backoff.delay(attempt, 1.0, 30.0, least=least) for _ in range(50)]
    assert least * longest <= min(delays) <= max(delays) <= longest
    assert (len(set(delays)) > 1) is (least < 1)
