"""The report says what was measured, also where that is not what we should like."""

from __future__ import annotations

from dataclasses import replace
from xml.etree import ElementTree

import pytest

from benchmarks.exporting import chart, quick, report
from benchmarks.exporting.task import Figures, digest_of
from benchmarks.exporting.works import HTTP_OPERATOR, LIMIT, OURS, WORKS, Entry, Outcome


def outcome(wall: float, cpu: float = 1.0, waited: float = 0.1) -> Outcome:
    runs = [Figures(wall * factor, cpu, memory=8_000_000, base=0, waited=waited) for factor in (0.9, 1, 3)]
    return Outcome(100_000, runs)


MEASURED = {
    "a": {Entry(LIMIT): outcome(0.5), Entry(OURS): outcome(2.0), Entry(HTTP_OPERATOR): outcome(16.0, 14.0)},
    "b": {Entry(OURS, "parquet"): Outcome(100_000, [], "exported 99999 rows of 100000")},
}


@pytest.fixture
def lines() -> list[str]:
    return report.report({key: WORKS[key] for key in MEASURED}, MEASURED).splitlines()


def line_with(lines: list[str], start: str) -> str:
    return next(line for line in lines if line.startswith(start))


def test_speeds_are_those_of_the_median_run_beside_the_limit_and_ours(lines: list[str]) -> None:
    ours, peer = line_with(lines, "| **ours**"), line_with(lines, "| HttpOperator")
    assert "| 2.00 | 1.80 to 6.00 | 1.00 | 0.10 | 50,000 | 10.0 | 8 | 25.0 % |" in ours
    assert peer.endswith("| 8.0 : 1 | 14.0 : 1 |")


def test_a_goal_is_reached_missed_or_not_measured(lines: list[str]) -> None:
    assert line_with(lines, "| (a) jobs/s") == "| (a) jobs/s | ≥ 85,000 | 50,000 | **missed** |"
    assert line_with(lines, "| (a) CPU") == "| (a) CPU µs per job | ≤ 11 | 10.0 | reached |"
    assert line_with(lines, "| (b) jobs/s").endswith("|  | **not measured** |")
    assert line_with(lines, "| (d)").endswith("|  | **not measured** |")


def test_a_verdict_on_a_busy_machine_says_so() -> None:
    text = report.report({"a": WORKS["a"]}, {"a": {Entry(OURS): outcome(2.0, waited=0.5)}})
    assert "| (a) jobs/s | ≥ 85,000 | 50,000 | **missed**, on a busy machine |" in text


def test_a_goal_is_not_judged_by_fewer_jobs() -> None:
    text = report.report({"a": replace(WORKS["a"], jobs=10)}, {"a": MEASURED["a"]})
    assert "| (a) jobs/s | ≥ 85,000 |  | not judged: it is for 100,000 jobs |" in text


def test_a_failed_export_is_told(lines: list[str]) -> None:
    assert "ours, Parquet failed: exported 99999 rows of 100000." in lines


def test_the_chart_is_well_formed_and_shows_every_speed() -> None:
    drawn = ElementTree.fromstring(chart.chart({key: WORKS[key] for key in MEASURED}, MEASURED))  # noqa: S314 - ours
    assert {"50,000", "200,000", "6,250"} <= {str(each.text) for each in drawn.iter()}


def test_quick_warns_only_where_a_ratio_fell() -> None:
    now = quick.ratios(MEASURED)
    assert now == {
        "a: share of the limit": 0.25,
        "a: speed, ours to HttpOperator": 8.0,
        "a: CPU, HttpOperator to ours": 14.0,
    }
    committed = {"a: share of the limit": 0.3, "a: speed, ours to HttpOperator": 20.0}
    warned = [line.startswith("WARNING") for line in quick.verdicts(now, committed)]
    assert warned == [False, True, False]


def test_a_lost_or_repeated_id_changes_the_digest() -> None:
    assert digest_of(["b", "a"]) == digest_of(["a", "b"])
    assert len({digest_of(ids) for ids in (["a", "b"], ["a"], ["a", "a"], ["a", "a", "b"])}) == 4
