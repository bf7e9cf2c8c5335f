"""What importing the package's own helpers for tests brings with it."""

from __future__ import annotations

from tests.unit.test_imports import modules_after


def test_it_needs_pytest_only_for_the_contract() -> None:
    assert "pytest" not in modules_after("import airflow_batch_provider.testing")
