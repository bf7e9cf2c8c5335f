"""The simulated year, for some weeks of it: each state is exported once, and none is missed."""

from __future__ import annotations

import logging

import pytest

from dev.chaos.report import of_years
from dev.chaos.year import Year, simulate_year


@pytest.mark.parametrize("seed", [1, 2])
def test_each_state_is_exported_once_and_none_is_missed(seed: int, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.ERROR)
    year = simulate_year(seed, days=25)
    assert (year.twice, year.missed, year.wrong) == (0, 0, 0)
    assert year.exported > 10
    assert min(year.killed, year.overlapping, year.cleared) > 0


def test_the_report_has_a_line_for_each_year() -> None:
    assert "| 365 | 3 | 0 |" in of_years([Year(365, batches=3)])
