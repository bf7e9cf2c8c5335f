"""What the vendor asked one test to wait for does not hold up the next one."""

from __future__ import annotations

import pytest

from airflow_batch_provider.client import backoff


@pytest.fixture(autouse=True)
def _own_paces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backoff, "_shared_paces", {})
