"""One piece of work, one batch: tasks that submit are killed, stopped, ended and cleared at each point of their tries.

Real processes against vendors that count. The same at random moments, by the hundred, is part of ``make reliability``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest

from dev.chaos.attempts import ForkServer, fork_server
from dev.chaos.counting.client import Counting, counting_vendors
from dev.chaos.counting.faults import Fault as Lost
from dev.chaos.counting.faults import How, When
from dev.chaos.submitting.judge import DAYS, story, violations, violations_after_success
from dev.chaos.submitting.pieces import Piece, pieces
from dev.chaos.submitting.steps import EXECUTE, KILL, MARKED, RESUME, STOP, TERMINATE, TRIGGER, Fault
from dev.chaos.submitting.tasks import RETRY_DELAY, Task

PIECES = ("playment.batch", "llamacloud.batch", "llamacloud.batch_processing_job", "talkifai.batch_job")
ONE_OF_A_VENDOR = (PIECES[0], PIECES[1], PIECES[3])
"""Both of LlamaCloud's are submitted by the same code."""
CANCELLED = PIECES[1:]
CREATIONS = {
    "playment.batch": ("POST */batch", "POST */jobs"),
    "llamacloud.batch": ("POST */directories", "POST */upload", "POST */batches"),
    "llamacloud.batch_processing_job": ("POST */directories", "POST */upload", "POST */batch-processing"),
    "talkifai.batch_job": ("POST */create", "POST */start"),
}
PAID = {name: creations[-1] for name, creations in CREATIONS.items()} | {"talkifai.batch_job": "POST */create"}
QUICK = {"run_seconds": 5.0, "seconds_per_request": 1.0}
LONG = 3000.0
"""Seconds of the vendor's clock after which a slow batch is finished."""
LAG = 60.0
UPLOADED_LATE = "uploaded into a directory that has a batch"

Make = Callable[..., Task]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ForkServer]:
    with fork_server(tmp_path_factory.mktemp("steps"), "dev.chaos.submitting.process") as running:
        yield running


@pytest.fixture(scope="module")
def vendors() -> Iterator[Counting]:
    with counting_vendors() as running:
        yield running


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Piece]:
    found = pieces(tmp_path_factory.mktemp("files"))
    assert tuple(found) == PIECES
    return found


@pytest.fixture
def make(server: ForkServer, vendors: Counting, known: dict[str, Piece], tmp_path: Path) -> Make:
    """Make a task with an account of its own; its batches are quick unless they are to be slow."""

    def made(name: str, *, is_slow: bool = False, knobs: dict[str, Any] | None = None, **options: Any) -> Task:
        piece = known[name]
        behaves = {**QUICK, **(piece.is_slow if is_slow else {}), **(knobs or {})}
        account = vendors.open(piece.vendor, **behaves)
        options = {"works_for": LONG if is_slow else 0.0, **options}
        return Task(server=server, account=account, piece=piece, folder=tmp_path, **options)

    return made


def points_of(task: Task, does: str) -> Sequence[str]:
    """Return the points of a step that nothing befalls."""
    assert task.play().succeeded, story(task)
    return task.points[does]


def lasting(points: Sequence[str]) -> list[int]:
    """Return the points that leave something else behind than the one before."""
    return [nth for nth, point in enumerate(points) if not point.startswith("before ") or nth == 0]


def expect_once(task: Task, where: str = "", batches: int = 1) -> None:
    found = [one for one in violations_after_success(task, batches) if UPLOADED_LATE not in one]
    assert not found, f"{where}: {found}\n{story(task)}"


@pytest.mark.parametrize("name", ONE_OF_A_VENDOR)
def test_a_task_that_is_killed_at_any_point_submits_one_batch(name: str, make: Make) -> None:
    points = points_of(make(name), EXECUTE)
    for nth in lasting(points):
        task = make(name)
        task.play({(1, EXECUTE): Fault(KILL, nth)})
        assert [outcome.killed for outcome in task.outcomes] == [EXECUTE, ""], points[nth]
        expect_once(task, points[nth])


@pytest.mark.parametrize("name", PIECES)
def test_a_kill_around_the_wait_in_the_triggerer_submits_nothing_more(name: str, make: Make) -> None:
    calm = make(name, is_slow=True, is_deferrable=True)
    deferring = len(points_of(calm, EXECUTE)) - 1
    strikes = [(EXECUTE, deferring), *((TRIGGER, nth) for nth in (0, 2, 3)), (RESUME, 0)]
    strikes.append((RESUME, len(calm.points[RESUME]) - 1))
    for does, nth in strikes:
        task = make(name, is_slow=True, is_deferrable=True)
        task.play({(1, does): Fault(KILL, nth)})
        # Another triggerer takes over within the same try.
        assert task.try_number == (1 if does == TRIGGER else 2), (does, nth)
        expect_once(task, f"{does} {nth}")


@pytest.mark.parametrize("name", ONE_OF_A_VENDOR)
def test_a_zombie_that_goes_on_after_its_successor_has_finished_submits_nothing(name: str, make: Make) -> None:
    points = points_of(make(name), EXECUTE)
    costly = [nth for nth, point in enumerate(points) if point.startswith(("before POST", "after storing"))]
    # A copy that is made in this moment can be cancelled as long as it does not work yet.
    knobs = {"start_after": 100.0} if name.startswith("llamacloud") else {}
    for nth in costly:
        task = make(name, knobs=knobs)
        task.play({(1, EXECUTE): Fault(STOP, nth)})
        assert task.zombies, points[nth]
        task.wake()
        expect_once(task, points[nth])


def test_two_tries_that_fill_one_directory_have_each_file_processed_once(make: Make) -> None:
    points = points_of(make("llamacloud.batch"), EXECUTE)
    uploading = next(nth for nth, point in enumerate(points) if point.endswith("/upload"))
    creating = next(nth for nth, point in enumerate(points) if point.startswith("before POST"))
    # Both make a directory and keep the older one; what the first uploads there is listed before what the second does.
    task = make("llamacloud.batch", knobs={"lag": LAG, "start_after": 10 * LAG, "equal_names": "allowed"})
    task.try_once({(1, EXECUTE): Fault(STOP, uploading)})
    task.try_once({(2, EXECUTE): Fault(STOP, creating)})
    task.wake()
    task.play()
    expect_once(task)


@pytest.mark.parametrize("name", PIECES)
def test_lost_answers_and_late_listings_submit_nothing_twice(name: str, make: Make) -> None:
    for on in CREATIONS[name]:
        for effect in When if on == CREATIONS[name][-1] else [When.BEFORE]:
            how = How.STATUS if effect is When.NEVER else How.CLOSE
            lost = Lost(on=on, how=how, effect=effect, seconds=LAG, nth=(1,))
            knobs = {"lag": LAG, "faults": [lost], "start_after": 0.0}
            task = make(name, knobs=knobs, has_store=effect is not When.LATER, retry_delay=0.0)
            task.play()
            expect_once(task, f"{on}, takes effect {effect}")


def _is_paid(name: str, route: str) -> bool:
    return fnmatchcase(route, PAID[name])


@pytest.mark.parametrize("name", PIECES)
def test_what_is_not_listed_in_time_is_not_sent_again_in_that_try(name: str, make: Make) -> None:
    lost = Lost(on=PAID[name], how=How.CLOSE, effect=When.LATER, seconds=RETRY_DELAY, nth=(1,))
    task = make(name, knobs={"faults": [lost]})
    outcome = task.try_once()
    if name != "playment.batch":  # where a second one would be refused, it is sent until it is there
        assert outcome.error == "AmbiguousRequestError", story(task)
        assert not outcome.is_final
        assert sum(count for route, count in task.account.counts()["requests"].items() if _is_paid(name, route)) == 1
        task.pass_time(RETRY_DELAY)
        task.play()
    expect_once(task)


@pytest.mark.parametrize("name", ONE_OF_A_VENDOR[1:])
def test_a_task_that_is_ended_cancels_its_batch(name: str, make: Make) -> None:
    points = points_of(make(name, is_slow=True), EXECUTE)
    last = max(nth for nth, point in enumerate(points) if "POST" in point)
    strikes = [nth for nth in range(last + 3) if points[nth].startswith(("before", "after POST"))][::2]
    for nth in [0, *strikes, last]:
        task = make(name, is_slow=True)
        outcome = task.try_once({(1, EXECUTE): Fault(TERMINATE, nth)})
        assert not outcome.succeeded, points[nth]
        then = task.piece.done(task.account.counts())
        assert len(then) <= 1, points[nth]  # the first call may have been made
        task.pass_time(DAYS)
        assert task.piece.done(task.account.counts()) == then, points[nth]
        task.clear()
        task.play()
        assert not violations(task), points[nth]


@pytest.mark.parametrize("name", CANCELLED)
def test_a_deferred_task_that_is_marked_as_failed_cancels_its_batch(name: str, make: Make) -> None:
    task = make(name, is_slow=True, is_deferrable=True, works_for=0.0)
    task.try_once({(1, TRIGGER): Fault(MARKED, 0)})
    then = task.piece.done(task.account.counts())
    assert len(then) <= 1
    assert not violations(task)
    assert task.piece.done(task.account.counts()) == then


@pytest.mark.parametrize("name", PIECES)
def test_nothing_is_cancelled_where_that_is_switched_off(name: str, make: Make) -> None:
    points = points_of(make(name, is_slow=True), EXECUTE)
    for nth in (max(nth for nth, point in enumerate(points) if "POST" in point), len(points) - 4):
        task = make(name, is_slow=True, parameters={"cancel_on_kill": False})
        task.try_once({(1, EXECUTE): Fault(TERMINATE, nth)})
        assert not [route for route in task.account.counts()["requests"] if route.endswith("/cancel")], points[nth]
        task.clear()
        task.play()
        expect_once(task, points[nth])


@pytest.mark.parametrize("name", PIECES)
def test_a_task_that_is_cleared_after_success_does_as_on_existing_says(name: str, make: Make) -> None:
    task = make(name)
    before = task.play()
    task.clear()
    task.forget()
    assert task.play() == before
    expect_once(task)

    task.parameters = {"on_existing": "fail"}
    task.clear()
    assert task.play().error == "BatchExistsError"
    assert not violations(task, 1, 1)


@pytest.mark.parametrize("name", PIECES[1:])
def test_a_new_batch_is_submitted_once_too(name: str, make: Make) -> None:
    points = points_of(make(name), EXECUTE)
    created = max(nth for nth, point in enumerate(points) if point == "after pushing batch_id")
    task = make(name)
    task.play()
    task.clear()
    task.parameters = {"on_existing": "new"}
    task.play({(2, EXECUTE): Fault(KILL, created)})
    assert task.outcomes[1].killed
    assert task.outcomes[-1].result["id"] != task.outcomes[0].result["id"]
    expect_once(task, batches=2)


def test_a_job_that_cannot_be_started_calls_nobody_once_the_tries_are_over(make: Make) -> None:
    refused = Lost(on="POST */start", how=How.STATUS, effect=When.NEVER, status=402)
    for fault in (refused, Lost(on="POST */start", how=How.STATUS, effect=When.NEVER, status=503)):
        task = make("talkifai.batch_job", knobs={"faults": [fault]})
        assert not task.play().succeeded
        assert not violations(task, most=0), story(task)
        assert len(task.account.counts()["created"]) == 1
