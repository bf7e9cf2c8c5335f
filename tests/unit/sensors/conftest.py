"""The client does not sleep between its attempts."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def _no_pauses(pauses: list[float]) -> None:
    pass
