from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.examples.cases import CASES, Case


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest) -> Case:
    """Each example."""
    return CASES[request.param]


@pytest.fixture
def account(case: Case) -> Iterator[Any]:
    """Its vendor, without any batch."""
    with case.serving() as running:
        yield running
