"""Property tests are bounded by the number of examples, never by time; nothing of one test holds up the next one."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings

from airflow_batch_provider.client import rate_limit
from tests.unit.connected import connect, key, shared_connect, shared_server, start

__all__ = ["connect", "key", "shared_connect", "shared_server", "start"]

settings.register_profile("unit", max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unit")


@pytest.fixture(autouse=True)
def _own_paces(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the vendor asked one test to wait for does not hold up the next one."""
    monkeypatch.setattr(rate_limit, "_shared_rate_limiters", {})
