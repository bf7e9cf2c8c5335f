"""The report says what was measured, also where that is not what we should like."""

from __future__ import annotations

import re
from dataclasses import replace
from xml.etree import ElementTree

import pytest

from dev.bench import chart, quick, remarks, report
from dev.bench.goals import BESIDE, IN_TURN, LOCAL
from dev.bench.imports import ALL, Cost, modules
from dev.bench.task import Figures, digest_of
from dev.bench.works import DLT, HTTP_OPERATOR, LIMIT, OURS, WORKS, Entry, Outcome


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
    assert "| 3 | 2.00 | 1.80 to 6.00 | 1.00 | 0.10 | 50,000 | 10.0 | 8 | 25.0 % |" in ours
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


def grown(jobs: int, cpu: float, memory: int) -> Outcome:
    return Outcome(jobs, [Figures(2 * cpu, cpu, memory, base=0)])


GROWN = {
    Entry(OURS): grown(10_000, 0.15, 2_000_000),
    Entry(OURS, factor=10): grown(100_000, 1.05, 5_000_000),
    Entry(OURS, factor=100): grown(1_000_000, 19.05, 41_600_000),
}


def test_the_fixed_cost_of_a_task_is_told_apart_from_that_of_its_jobs() -> None:
    said = remarks.scale(GROWN)
    assert "| 10,000 to 100,000 | 10.0 | 50 | 33 |" in said
    assert "| 100,000 to 1,000,000 | 20.0 | -950 | 41 |" in said


def test_scale_is_judged_by_cost_and_memory_of_a_hundred_times_the_jobs() -> None:
    lines = report.report({"g": WORKS["g"]}, {"g": GROWN}).splitlines()
    assert line_with(lines, "| (g) growth of CPU").endswith("| ≤ 10 | 27.0 | **missed** |")
    assert line_with(lines, "| (g) memory").endswith("| ≤ 48 | 40.0 | reached |")


def test_the_hidden_share_is_of_what_uploads_in_turn_add() -> None:
    outcomes = {LOCAL: outcome(2.0), BESIDE: outcome(2.5, 1.2), IN_TURN: outcome(4.0)}
    said = remarks.upload(outcomes)
    assert "S3 adds 2.00 s so, and 0.50 s" in said
    assert "75 % of it is hidden" in said
    assert "0.20 s of CPU" in said


def test_no_share_is_told_where_s3_added_nothing_or_was_not_there() -> None:
    assert "too little to say" in remarks.upload({entry: outcome(2.0) for entry in (LOCAL, BESIDE, IN_TURN)})
    assert not remarks.upload({LOCAL: outcome(2.0), BESIDE: Outcome(1, [], "SeaweedFS is not installed")})


def test_columns_in_which_no_row_says_anything_are_left_out() -> None:
    lines = report.results_of(GROWN).splitlines()
    assert lines[0].endswith("| memory MB |")
    assert {line.count("|") for line in lines} == {lines[0].count("|")}


def test_imports_are_judged_by_all_modules_together() -> None:
    costs = {ALL: [Cost(wall, 0.02) for wall in (0.01, 0.024, 0.9)], "one": [Cost(0.5, 0.5)]}
    lines = report.report({}, {}, costs).splitlines()
    assert line_with(lines, "| imports of all") == (
        "| imports of all hooks, operators and sensors, ms | ≤ 30 | 24.0 | reached |"
    )
    assert line_with(lines, "| all of them |") == "| all of them | 24.0 | 20.0 |"
    slow = remarks.goal_of_imports({ALL: [Cost(0.05, 0.03)]})
    assert slow[-1] == "**missed**, on a busy machine"


def test_imports_are_measured_of_every_module_that_users_import_from() -> None:
    assert {"operators.verify", "hooks.playment", "sensors.talkifai"} <= {
        name.removeprefix("airflow_batch_provider.") for name in modules()
    }


def test_the_goals_of_waiting_are_quoted_with_their_date() -> None:
    quoted, source = remarks.waiting(), remarks.WAITING.read_text()
    tables = [line for line in quoted.splitlines() if line.startswith("|")]
    assert any("share at 10 s" in line for line in tables)
    assert any("longest without collections" in line for line in tables)
    assert all(line in source.splitlines() for line in tables)
    assert re.search(r"Written by .* on \d{4}-\d\d-\d\d: ", quoted)


def test_peers_take_part_once_where_latency_decides_and_the_slowest_twice() -> None:
    assert [WORKS["d"].rounds_of(who, 3) for who in (OURS, LIMIT, HTTP_OPERATOR)] == [3, 3, 1]
    assert WORKS["a"].rounds_of(HTTP_OPERATOR, 3) == 3
    assert [WORKS["a"].rounds_of(DLT, asked) for asked in (1, 3)] == [1, 2]
    assert WORKS["c"].rounds_of(HTTP_OPERATOR, 3) == 1
