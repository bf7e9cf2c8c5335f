"""Nothing of one test holds up the next one, and the client does not sleep between its attempts."""

from __future__ import annotations

import pytest

from airflow_batch_provider.client import backoff


@pytest.fixture(autouse=True)
def _own_paces(monkeypatch: pytest.MonkeyPatch, pauses: list[float]) -> None:
    monkeypatch.setattr(backoff, "_shared_paces", {})
