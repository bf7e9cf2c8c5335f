"""Random trials: tasks that submit are killed and stopped, the vendor's answers are lost, its listings come late."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dev.chaos.attempts import ForkServer
from dev.chaos.counting.client import Counting
from dev.chaos.counting.faults import Fault as Lost
from dev.chaos.counting.faults import How, When
from dev.chaos.submitting.judge import story, violations_after_success
from dev.chaos.submitting.pieces import Piece
from dev.chaos.submitting.steps import EXECUTE, KILL, KILL_LATER, RESUME, STOP, TRIGGER, Fault
from dev.chaos.submitting.tasks import Faults, Task

LONGEST_LAG = 200.0
"""Seconds after which every listing shows what was made: less than the pauses between the look-ups of a try."""

MOST_POINTS, MOST_SECONDS = 45, 0.15
MOST_CLEARS = 4
NOTHING, KILLED, STOPPED = "nothing", "killed", "paused, overtaken, resumed"
FAITHFUL, LATE, LOSSY = "answers", "lists new batches late", "lists late and loses answers"
_CREATING = {
    "playment": ("POST *",),
    "llamacloud": ("POST */directories", "POST */upload", "POST /api/v2/batches", "POST /api/v1/beta/batch-processing"),
    "talkifai": ("POST /batch/create", "POST */start"),
}


@dataclass(frozen=True, order=True)
class Cell:
    """A row of the table."""

    piece: str
    task: str
    vendor: str


@dataclass
class Sum:
    """The sums of a row's trials."""

    trials: int = 0
    tries: int = 0
    struck: int = 0
    lost: int = 0
    copies: int = 0
    twice: int = 0
    missing: int = 0
    failed: int = 0


@dataclass
class Submitted:
    """What an experiment counted.

    :param cells: by piece of work, what befell the task, and how the vendor behaved
    :param findings: what must not be, in words, and how often
    :param stories: of the trials with findings
    :param seconds: that it took
    """

    cells: dict[Cell, Sum] = field(default_factory=dict)
    findings: Counter[str] = field(default_factory=Counter)
    stories: list[str] = field(default_factory=list)
    seconds: float = 0.0


class Experiment:
    """Random trials.

    :param server: makes the processes
    :param vendors: where accounts are opened
    :param pieces: what is submitted, by name
    :param folder: where tasks have their stores
    :param seed: repeats the choices
    """

    def __init__(
        self, server: ForkServer, vendors: Counting, pieces: Mapping[str, Piece], folder: Path, seed: int
    ) -> None:
        self._server = server
        self._vendors = vendors
        self._pieces = pieces
        self._folder = folder
        self._drawn = random.Random(seed)
        self.results = Submitted()

    def run(self, minutes: float, most: int | None, report: Callable[[int, int], None]) -> Submitted:
        """Make trials until the time is up, or there were enough."""
        began, done = time.monotonic(), 0
        while time.monotonic() - began < 60 * minutes and not (most is not None and done >= most):
            self.trial()
            done += 1
            report(done, self.results.findings.total())
        self.results.seconds = time.monotonic() - began
        return self.results

    def trial(self) -> None:
        """Make one trial."""
        drawn = self._drawn
        cell = Cell(
            drawn.choice(list(self._pieces)),
            drawn.choice([KILLED, KILLED, STOPPED, NOTHING]),
            drawn.choice([FAITHFUL, LATE, LOSSY, LOSSY]),
        )
        piece = self._pieces[cell.piece]
        lag = 0.0 if cell.vendor == FAITHFUL else drawn.choice([15.0, 60.0, LONGEST_LAG])
        knobs = self._knobs(piece, lag, cell.vendor == LOSSY)
        task = Task(
            server=self._server,
            account=self._vendors.open(piece.vendor, **knobs),
            piece=piece,
            folder=self._folder,
            is_deferrable=drawn.random() < 0.4,
            has_store=drawn.random() < 0.5,
            retry_delay=drawn.choice([0.0, 60.0, 300.0]),
            works_for=2 * LONGEST_LAG + 200.0,
        )
        self._play(task, self._faults(cell.task))
        self._judge(cell, task, knobs)

    def _knobs(self, piece: Piece, lag: float, loses: bool) -> dict[str, Any]:
        """Return how the vendor behaves; what is made twice can be cancelled before it works."""
        drawn = self._drawn
        knobs: dict[str, Any] = {
            "lag": lag,
            "seconds_per_request": drawn.choice([0.1, 1.0]),
            "run_seconds": 5.0,
            "page": drawn.choice([2, 100]),
            "newest_first": drawn.random() < 0.5,
            "seed": drawn.randrange(1_000_000),
            "faults": self._lost(piece, lag) if loses else [],
        }
        if piece.vendor == "llamacloud":
            knobs |= {
                "start_after": 2 * LONGEST_LAG,
                "equal_names": drawn.choice(["allowed", "409", "400", "422"]),
                "equal_ids": drawn.choice(["second", "replaced", "409"]),
                "end": drawn.choice(["absent", "null", "empty"]),
            }
        return knobs

    def _lost(self, piece: Piece, lag: float) -> Sequence[Lost]:
        """Return what goes wrong with requests that create, and now and then with others."""
        drawn = self._drawn
        found = []
        for on in _CREATING[piece.vendor]:
            how = drawn.choice([How.CLOSE, How.CUT, How.STATUS])
            effect = drawn.choice(list(When))
            found.append(
                Lost(
                    on=on,
                    how=how,
                    effect=When.BEFORE if how is How.CUT else effect,
                    status=drawn.choice([500, 502, 503, 504]),
                    # With the lag it is seen before the look-ups end.
                    seconds=drawn.uniform(0, max(0.0, LONGEST_LAG - lag)),
                    share=drawn.choice([0.0, 0.5, 1.0]),
                    most=drawn.choice([1, 2]),
                )
            )
        refused = Lost(on="POST *", how=How.STATUS, effect=When.NEVER, status=429, share=0.1, most=2)
        return [*found, refused, Lost(on="GET *", how=How.CLOSE, share=0.05, most=2)]

    def _faults(self, befalls: str) -> Faults:
        """Return what befalls the first tries."""
        drawn = self._drawn
        if befalls == NOTHING:
            return {}
        found = {}
        for number in range(1, drawn.choice([2, 3])):
            does = drawn.choice([EXECUTE, EXECUTE, EXECUTE, TRIGGER, RESUME])
            nth = drawn.randrange(MOST_POINTS if does == EXECUTE else 4)
            if befalls == STOPPED and does != TRIGGER:
                found[number, does] = Fault(STOP, nth)
            elif drawn.random() < 0.5:
                found[number, does] = Fault(KILL, nth)
            else:
                found[number, does] = Fault(KILL_LATER, seconds=drawn.uniform(0, MOST_SECONDS))
        return found

    def _play(self, task: Task, faults: Faults) -> None:
        """Make tries and clear the task until it is a success; what was stopped goes on at some time."""
        drawn = self._drawn
        wakes_early = drawn.random() < 0.5
        for _ in range(MOST_CLEARS):
            while True:
                outcome = task.try_once(faults)
                if task.zombies and wakes_early and task.try_number > 1:
                    task.wake()
                if outcome.succeeded or outcome.is_final or task.try_number > task.max_tries:
                    break
                task.pass_time(task.retry_delay)
            if outcome.succeeded:
                break
            task.pass_time(task.retry_delay)
            task.clear()
        task.wake()

    def _judge(self, cell: Cell, task: Task, knobs: Mapping[str, Any]) -> None:
        found = violations_after_success(task)
        counts = task.account.counts()
        if cell.task == STOPPED:  # a try that was thought dead uploads what its successor has uploaded
            found = [one for one in found if "uploaded into a directory that has a batch" not in one]
        one = self.results.cells.setdefault(cell, Sum())
        done = task.piece.done(counts)
        one.trials += 1
        one.tries += task.try_number
        one.struck += sum(bool(outcome.killed) for outcome in task.outcomes)
        one.lost += sum(counts["struck"])
        one.copies += len(counts["created"]) - 1
        one.twice += sum(times > 1 for times in done.values())
        one.missing += len(task.piece.items[1] - done.keys())
        one.failed += not task.outcomes[-1].succeeded
        for each in found:
            self.results.findings[f"{cell.piece}, {cell.task}, {cell.vendor}: {each.partition(':')[0]}"] += 1
        if found:
            how = f"deferrable={task.is_deferrable} store={task.has_store} retry_delay={task.retry_delay}"
            self.results.stories.append("\n".join([f"{cell}", how, f"{knobs}", *found, story(task)]))
