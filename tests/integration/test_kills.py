"""Real task processes, killed, stopped, starved and overtaken in any phase of an export, on real stores.

The same trials, by the hundred and at random, are what ``make reliability`` runs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from dev.chaos import trials
from dev.chaos.attempts import ForkServer, fork_server
from dev.chaos.fixtures import ROWS, Destination, Vendor, local, on_server, readable, rows, rows_of, small_disk, vendor
from dev.chaos.results import ITEMS, ResultsVendor, results_vendor, trial_of_results
from dev.chaos.steps import (
    CHECKPOINT,
    CLEANING,
    ERROR,
    FINISHING,
    INTERRUPT,
    KILL,
    MANIFEST,
    PARTS,
    PHASES,
    READING,
    TIMEOUT,
    WRITING,
)
from dev.chaos.trials import Outcome, Trial, Undisturbed
from dev.chaos.writers import WRITERS, loop
from tests.integration.object_servers import ObjectServer, s3

ENDS = {"a": "playment.batch_jobs", "b": "llamacloud.batches", "c": "talkifai.batch_jobs"}
FORMATS_IN_TURN = {"playment.batch_jobs": "csv", "llamacloud.batches": "jsonl", "talkifai.batch_jobs": "parquet"}
AFTER_FIRST_PART = {READING, FINISHING, CHECKPOINT, PARTS, MANIFEST}

Surroundings = Callable[..., Trial]


@pytest.fixture(scope="module")
def attempts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ForkServer]:
    with fork_server(tmp_path_factory.mktemp("attempts")) as running:
        yield running


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectServer]:
    with s3(tmp_path_factory.mktemp("seaweedfs")) as running:
        yield running


@pytest.fixture(scope="module")
def vendors() -> Iterator[dict[str, Vendor]]:
    with ExitStack() as stack:
        yield {name: stack.enter_context(vendor(name)) for name in (*ENDS.values(), "llamacloud.batch_processing_jobs")}


@pytest.fixture
def trial(attempts: ForkServer, vendors: dict[str, Vendor]) -> Surroundings:
    def surround(destination: Destination, name: str = "llamacloud.batches", disk: Path | None = None) -> Trial:
        return Trial(attempts, vendors[name], destination, FORMATS_IN_TURN.get(name, "jsonl"), disk)

    return surround


def expect_nothing_lost(outcome: Outcome) -> None:
    assert (outcome.missing, outcome.twice, outcome.looks_without_export) == (0, 0, 0), outcome
    assert outcome.saw["whole"]
    # A name beside a file that is being made is another test's.
    assert {name for name in outcome.left_over if not name.endswith(".tmp")} == set()


@pytest.fixture(scope="module")
def usual() -> dict[str, Undisturbed]:
    return {}


def undisturbed(known: dict[str, Undisturbed], one: Trial, where: Destination) -> Undisturbed:
    """Measure once for each listing and store."""
    key = f"{where.kind} {one.vendor.name}"
    if key not in known:
        known[key] = one.undisturbed()
    return known[key]


@pytest.mark.parametrize("phase", PHASES)
def test_a_killed_task_loses_nothing_on_a_local_disk(
    phase: str, trial: Surroundings, tmp_path: Path, usual: dict[str, Undisturbed]
) -> None:
    name = [*ENDS.values()][PHASES.index(phase) % 3]
    one = trial(local(tmp_path), name)
    expected = undisturbed(usual, one, local(tmp_path))
    outcome = one.run(KILL, phase, expected.steps[phase] * 2 // 3, expected)
    assert outcome.struck
    assert outcome.attempts == 1
    expect_nothing_lost(outcome)
    # Windows are asked for ahead: the request that the kill counts may be under way before there is a checkpoint.
    if phase in AFTER_FIRST_PART and name != "talkifai.batch_jobs":
        assert outcome.resumed
        assert outcome.saved >= expected.requests / 3


@pytest.mark.parametrize("phase", [FINISHING, PARTS, CLEANING])
def test_a_killed_task_loses_nothing_on_s3(
    phase: str, trial: Surroundings, server: ObjectServer, usual: dict[str, Undisturbed]
) -> None:
    one = trial(on_server(server))
    expected = undisturbed(usual, one, one.destination)
    outcome = one.run(KILL, phase, expected.steps[phase] // 2, expected)
    assert outcome.struck
    assert outcome.attempts == 1
    expect_nothing_lost(outcome)


@pytest.mark.parametrize(("fault", "phase"), [(TIMEOUT, FINISHING), (INTERRUPT, PARTS), (ERROR, READING)])
def test_a_task_that_is_ended_goes_on_where_it_was(
    fault: str, phase: str, trial: Surroundings, server: ObjectServer, usual: dict[str, Undisturbed]
) -> None:
    one = trial(on_server(server))
    expected = undisturbed(usual, one, one.destination)
    # The last step: the upload of the last part, so that all others are in checkpoints.
    outcome = one.run(fault, phase, expected.steps[phase] - 1, expected)
    assert outcome.survived or outcome.saved > 0
    expect_nothing_lost(outcome)


@pytest.mark.parametrize("phase", [WRITING, READING, PARTS, CLEANING])
def test_a_zombie_that_wakes_after_its_successor_has_finished_breaks_nothing(
    phase: str, trial: Surroundings, tmp_path: Path, usual: dict[str, Undisturbed]
) -> None:
    one = trial(local(tmp_path))
    expected = undisturbed(usual, one, local(tmp_path))
    outcome = one.run(trials.ZOMBIE, phase, expected.steps[phase] // 2, expected)
    assert outcome.struck
    expect_nothing_lost(outcome)


@pytest.mark.parametrize("kind", ["local", "s3"])
def test_two_tries_at_once_publish_one_whole_export(
    kind: str, trial: Surroundings, tmp_path: Path, server: ObjectServer, usual: dict[str, Undisturbed]
) -> None:
    one = trial(local(tmp_path) if kind == "local" else on_server(server))
    expect_nothing_lost(one.run(trials.TWINS, "", 0, undisturbed(usual, one, one.destination)))


@pytest.mark.parametrize("kind", ["local", "s3"])
def test_three_tasks_that_export_to_one_folder_at_once_leave_one_whole_export(
    kind: str, attempts: ForkServer, tmp_path: Path, server: ObjectServer
) -> None:
    make = (lambda: local(tmp_path)) if kind == "local" else (lambda: on_server(server))
    found = loop(attempts, make, seconds=0)
    assert found.exports == WRITERS + 1
    assert (found.failed, found.broken, found.false_alarms, found.left_over) == (0, 0, 0, 0)


@pytest.mark.parametrize("phase", [READING, CHECKPOINT, PARTS])
def test_a_full_disk_costs_no_more_than_a_try(
    phase: str, trial: Surroundings, tmp_path: Path, usual: dict[str, Undisturbed]
) -> None:
    with ExitStack() as stack:
        try:
            disk = stack.enter_context(small_disk(tmp_path / "disk", 4096))
        except OSError:
            pytest.skip("this user may not mount a file system")
        one = trial(local(disk), disk=disk)
        expected = undisturbed(usual, one, local(disk))
        outcome = one.run(trials.FULL, phase, expected.steps[phase] // 2, expected)
        assert outcome.struck
        expect_nothing_lost(outcome)


def test_a_store_that_goes_away_for_a_while_costs_no_try(
    trial: Surroundings, server: ObjectServer, usual: dict[str, Undisturbed], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trials, "SECONDS_AWAY", 2.0)
    one = trial(on_server(server))
    expected = undisturbed(usual, one, one.destination)
    outcome = one.run(trials.AWAY, FINISHING, expected.steps[FINISHING] // 2, expected)
    assert outcome.struck
    assert outcome.survived
    expect_nothing_lost(outcome)


def test_a_task_killed_while_bytes_are_under_way_leaves_no_half_file(
    trial: Surroundings, server: ObjectServer, usual: dict[str, Undisturbed]
) -> None:
    one = trial(on_server(server))
    outcome = one.run(trials.KILL_IN_TRANSFER, "", 40, undisturbed(usual, one, one.destination))
    assert outcome.struck
    expect_nothing_lost(outcome)


def test_a_task_that_is_cleared_after_success_asks_for_everything_again(
    trial: Surroundings, tmp_path: Path, usual: dict[str, Undisturbed]
) -> None:
    one = trial(local(tmp_path))
    expected = undisturbed(usual, one, one.destination)
    one.vendor.hold(rows(ROWS, "later"))
    assert one.server.run(one.attempt()).succeeded
    assert one.vendor.requests == expected.requests
    with readable(one.destination):
        assert rows_of(one.destination)[0] == "later00000"


def test_a_task_killed_before_the_manifest_gets_its_name_leaves_nothing_in_the_end(
    trial: Surroundings, tmp_path: Path, usual: dict[str, Undisturbed]
) -> None:
    one = trial(local(tmp_path))
    outcome = one.run(KILL, MANIFEST, 1, undisturbed(usual, one, one.destination))
    assert outcome.left_over == set()


def test_a_task_that_is_stopped_while_it_writes_does_not_stop_its_successor(
    trial: Surroundings, tmp_path: Path, usual: dict[str, Undisturbed]
) -> None:
    one = trial(local(tmp_path))
    expected = undisturbed(usual, one, one.destination)
    assert not one.run(trials.ZOMBIE, PHASES[0], expected.steps[PHASES[0]] // 2, expected).blocked


@pytest.fixture(scope="module")
def results() -> Iterator[ResultsVendor]:
    with results_vendor() as running:
        yield running


@pytest.fixture(params=["local", "s3"])
def trial_with_results(
    request: pytest.FixtureRequest, attempts: ForkServer, results: ResultsVendor, tmp_path: Path
) -> Trial:
    where = local(tmp_path) if request.param == "local" else on_server(request.getfixturevalue("server"))
    return trial_of_results(attempts, results, where)


@pytest.mark.parametrize(
    ("phase", "share"),
    # Checkpoints come by the clock, so a slow run has several times as many as a fast one.
    [(READING, 0.5), (WRITING, 0.7), (CHECKPOINT, 0.15), (PARTS, 0.5), (MANIFEST, 0.9), (CLEANING, 0.5)],
)
def test_a_kill_loses_no_item_of_results_and_tears_no_file(
    trial_with_results: Trial, usual: dict[str, Undisturbed], phase: str, share: float
) -> None:
    one = trial_with_results
    key = f"results on {one.destination.kind}"
    if key not in usual:
        usual[key] = one.undisturbed()
    outcome = one.run(KILL, phase, int(usual[key].steps[phase] * share), usual[key])
    assert outcome.struck
    expect_nothing_lost(outcome)
    assert (outcome.torn, outcome.false_alarms) == (0, 0), outcome
    if phase in (PARTS, MANIFEST, CLEANING):
        assert outcome.again == 0, outcome
    else:
        assert outcome.again < 1.5 * ITEMS, outcome  # of twice as many; a slow disk delays checkpoints


def test_a_cleared_task_exports_results_again(trial_with_results: Trial) -> None:
    one = trial_with_results
    one.undisturbed()
    one.vendor.hold(rows(one.rows_before, "now"))
    end = one.server.run(one.attempt())
    assert (end.result["summary"]["rows"], one.vendor.again) == (one.rows_before, 0)
    with readable(one.destination):
        assert rows_of(one.destination) == one.vendor.ids(one.rows_before, "now")
        assert one.destination.left_over() == set()
