"""Random trials over faults, phases, stores, listings and formats, until the time is up."""

from __future__ import annotations

import contextlib
import random
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import pytest

from dev.chaos.attempts import ForkServer, fork_server
from dev.chaos.counting.client import counting_vendors
from dev.chaos.fixtures import FORMATS, LISTINGS, REPLACED, Destination, Vendor, local, on_server, small_disk, vendor
from dev.chaos.results import results_vendor, trial_of_results
from dev.chaos.steps import ERROR, KILL, PHASES, TIMEOUT
from dev.chaos.submitting.experiment import Experiment as Submissions
from dev.chaos.submitting.experiment import Submitted
from dev.chaos.submitting.pieces import pieces
from dev.chaos.trials import (
    AWAY,
    FAULTS,
    FULL,
    KILL_AT_ANY_TIME,
    KILL_IN_TRANSFER,
    UNTARGETED,
    ZOMBIE,
    Outcome,
    Trial,
    Undisturbed,
)
from dev.chaos.writers import Loop, loop
from tests.integration.object_servers import SERVERS, ObjectServer

LOCAL = "local"
ANY = "any"
_DISK_KILOBYTES = 8192
_MOST_PIECES = 150
_SHARE_OF_LOOPS = 0.1
"""Of the time of the trials, for three writers on each store."""
_SHARE_OF_RESULTS = 0.5
"""Of the time of the trials, for results on top of it."""
_SHARE_OF_SUBMISSIONS = 0.5
"""Of the time of the trials, for tasks that submit on top of it."""
FAULTS_OF_RESULTS = {KILL: 6, KILL_AT_ANY_TIME: 3, KILL_IN_TRANSFER: 1, TIMEOUT: 1, ERROR: 1, ZOMBIE: 1}
FORMATS_OF_RESULTS = ("jsonl", "parquet")
# Kills are what the promise is about; ten seconds away cost ten seconds.
_WEIGHTS = {KILL: 8, ZOMBIE: 3, AWAY: 1}


@dataclass(frozen=True, order=True)
class Cell:
    """A row of the table."""

    fault: str
    phase: str
    store: str


@dataclass
class Sum:
    """The sums of a row's trials."""

    trials: int = 0
    survived: int = 0
    resumed: int = 0
    saved: int = 0
    usual: int = 0
    missing: int = 0
    twice: int = 0
    again: int = 0
    most_again: int = 0
    torn: int = 0
    left_over: int = 0
    left_for_good: int = 0
    blocked: int = 0
    looks: int = 0
    replaced: int = 0
    without_export: int = 0
    false_alarms: int = 0
    failures: int = 0

    def add(self, outcome: Outcome, usual: Undisturbed) -> None:
        """Count a trial."""
        self.trials += 1
        self.survived += outcome.survived and not outcome.attempts
        self.resumed += bool(outcome.attempts and outcome.resumed)
        if outcome.attempts:
            self.saved += max(0, outcome.saved)
            self.usual += usual.requests
        self.missing += outcome.missing
        self.twice += outcome.twice
        self.again += outcome.again
        self.most_again = max(self.most_again, outcome.again)
        self.torn += outcome.torn
        self.left_over += len(outcome.left_over)
        self.left_for_good += len(outcome.left_for_good)
        self.blocked += outcome.blocked
        self.looks += outcome.saw.total()
        self.replaced += outcome.saw[REPLACED]
        self.without_export += outcome.looks_without_export
        self.false_alarms += outcome.false_alarms


@dataclass
class Results:
    """All that an experiment counted.

    :param seed: repeats its choices
    :param cells: by fault, phase and store
    :param findings: what must not be, in words, and how often
    :param combinations: of listing and format that were tried
    :param stores: that were there
    :param not_struck: trials whose attempt ended before the fault came; in no row
    :param loops: three writers at once, by store
    :param items: the rows of trials with results, by fault, phase and store
    :param seconds: that the trials with listings took
    :param seconds_of_items: that those with results took
    :param submitted: what came of tasks that submit
    """

    seed: int
    cells: dict[Cell, Sum] = field(default_factory=dict)
    findings: Counter[str] = field(default_factory=Counter)
    combinations: Counter[tuple[str, str]] = field(default_factory=Counter)
    stores: list[str] = field(default_factory=list)
    not_struck: int = 0
    loops: list[Loop] = field(default_factory=list)
    seconds: float = 0.0
    items: dict[Cell, Sum] = field(default_factory=dict)
    seconds_of_items: float = 0.0
    submitted: Submitted = field(default_factory=Submitted)


class Experiment:
    """Random trials.

    :param folder: where everything goes
    :param seed: repeats the choices
    """

    def __init__(self, folder: Path, seed: int) -> None:
        self._folder = folder
        self._drawn = random.Random(seed)
        self._usual: dict[tuple[bool, str], Undisturbed] = {}
        self._seconds: dict[tuple[bool, str], float] = {}
        self.results = Results(seed)

    def run(self, minutes: float, most: int | None) -> Results:
        """Make trials until the time is up, or there were enough."""
        with contextlib.ExitStack() as stack:
            for name in ("attempts", "s3", "azure"):
                (self._folder / name).mkdir()
            attempts = stack.enter_context(fork_server(self._folder / "attempts"))
            vendors = {name: stack.enter_context(vendor(name)) for name in LISTINGS}
            servers = [server for name in ("s3", "azure") if (server := self._server(stack, name))]
            self.results.stores = [LOCAL, *(server.name for server in servers)]
            disk = self._disk(stack)
            began = time.monotonic()
            while time.monotonic() - began < 60 * minutes and not self._is_enough(most):
                self._trial(attempts, vendors, servers, disk)
                done = sum(cell.trials for cell in self.results.cells.values())
                print(f"\r{done} trials, {self.results.findings.total()} findings ", end="", flush=True)
            self.results.seconds = time.monotonic() - began
            self._try_results(stack, attempts, servers, _SHARE_OF_RESULTS * minutes, most)
            self.results.submitted = self._try_submissions(_SHARE_OF_SUBMISSIONS * minutes, most)
            for place in (None, *servers):
                make = partial(on_server, place) if place else partial(local, self._folder)
                self.results.loops.append(loop(attempts, make, _SHARE_OF_LOOPS * 60 * minutes))
        print()
        return self.results

    def _try_results(
        self,
        stack: contextlib.ExitStack,
        attempts: ForkServer,
        servers: list[ObjectServer],
        minutes: float,
        most: int | None,
    ) -> None:
        """Make trials with results until the time is up, or there were enough."""
        source = stack.enter_context(results_vendor())
        began, done = time.monotonic(), 0
        while time.monotonic() - began < 60 * minutes and not (most is not None and done >= most):
            drawn = self._drawn
            server = drawn.choice([None, None, None, *servers])  # a trial takes ten times as long on a server
            faults = [fault for fault in FAULTS_OF_RESULTS if server or fault != KILL_IN_TRANSFER]
            fault = drawn.choices(faults, [FAULTS_OF_RESULTS[fault] for fault in faults])[0]
            destination = on_server(server) if server else local(self._folder)
            trial = trial_of_results(attempts, source, destination, drawn.choice(FORMATS_OF_RESULTS))
            self._run(trial, fault, server, self.results.items)
            done = sum(cell.trials for cell in self.results.items.values())
            print(f"\r{done} trials with results, {self.results.findings.total()} findings ", end="", flush=True)
        self.results.seconds_of_items = time.monotonic() - began

    def _try_submissions(self, minutes: float, most: int | None) -> Submitted:
        """Make trials with tasks that submit until the time is up, or there were enough."""
        folder = self._folder / "submitting"
        (folder / "steps").mkdir(parents=True)

        def report(done: int, findings: int) -> None:
            print(f"\r{done} trials with tasks that submit, {findings} findings ", end="", flush=True)

        with counting_vendors() as vendors, fork_server(folder / "steps", "dev.chaos.submitting.process") as steps:
            trials = Submissions(steps, vendors, pieces(folder / "files"), folder, self.results.seed)
            return trials.run(minutes, most, report)

    def _is_enough(self, most: int | None) -> bool:
        return most is not None and sum(cell.trials for cell in self.results.cells.values()) >= most

    def _server(self, stack: contextlib.ExitStack, name: str) -> ObjectServer | None:
        try:
            return stack.enter_context(SERVERS[name](self._folder / name))
        except pytest.skip.Exception as reason:
            print(reason)
            return None

    def _disk(self, stack: contextlib.ExitStack) -> Path | None:
        try:
            return stack.enter_context(small_disk(self._folder / "disk", _DISK_KILOBYTES))
        except OSError as reason:
            print(f"No trials with a full disk: {reason}")
            return None

    def _trial(
        self, attempts: ForkServer, vendors: dict[str, Vendor], servers: list[ObjectServer], disk: Path | None
    ) -> None:
        drawn = self._drawn
        server = drawn.choice([None] * len(servers) + [*servers]) if servers else None
        faults = [fault for fault in FAULTS if server or fault not in {AWAY, KILL_IN_TRANSFER}]
        faults = [fault for fault in faults if disk or fault != FULL]
        fault = drawn.choices(faults, [_WEIGHTS.get(fault, 2) for fault in faults])[0]
        name, file_format = drawn.choice(LISTINGS), drawn.choice(FORMATS)
        small = disk if fault == FULL else None
        destination = on_server(server) if server else local(small or self._folder)
        trial = Trial(attempts, vendors[name], destination, file_format, small)
        if self._run(trial, fault, server, self.results.cells):
            self.results.combinations[name, file_format] += 1

    def _run(self, trial: Trial, fault: str, server: ObjectServer | None, cells: dict[Cell, Sum]) -> bool:
        """Run a trial with a fault at a random step; return whether it struck."""
        drawn, destination = self._drawn, trial.destination
        usual, seconds = self._undisturbed(trial, server)
        phase = ANY if fault in UNTARGETED else drawn.choice([phase for phase in PHASES if usual.steps.get(phase)])
        nth = drawn.randrange(_MOST_PIECES if phase == ANY else usual.steps[phase])
        try:
            outcome = trial.run(fault, phase, nth, usual, drawn.random() * seconds)
        except AssertionError as error:
            self.results.findings[f"{fault}, {phase}, {destination.kind}: {str(error).partition(':')[0]}"] += 1
            return False
        with contextlib.suppress(FileNotFoundError):
            self._forget(trial.destination)
        if not outcome.struck:
            self.results.not_struck += 1
            return False
        cells.setdefault(Cell(fault, phase, destination.kind), Sum()).add(outcome, usual)
        for finding in _findings(outcome):
            self.results.findings[f"{fault}, {phase}, {destination.kind}: {finding}"] += 1
        return True

    def _undisturbed(self, trial: Trial, server: ObjectServer | None) -> tuple[Undisturbed, float]:
        key = (server is None, trial.vendor.name)
        if key not in self._usual:
            where = on_server(server) if server else local(self._folder)
            other = replace(trial, destination=where, disk=None)
            self._usual[key] = other.undisturbed()
            began = time.monotonic()
            trial.server.run(other.attempt())
            self._seconds[key] = time.monotonic() - began
        return self._usual[key], self._seconds[key]

    @staticmethod
    def _forget(destination: Destination) -> None:
        """Make room for the next trial."""
        if destination.kind == LOCAL:
            import shutil

            shutil.rmtree(destination.uri.removeprefix("file://"))


def _findings(outcome: Outcome) -> Iterator[str]:
    """Yield what must not be, without the names and numbers that differ each time."""
    if outcome.missing or outcome.twice:
        yield f"{outcome.missing} rows missing, {outcome.twice} twice"
    if outcome.torn:
        yield f"{outcome.torn} files beside the rows are not the vendor's"
    for what in outcome.saw:
        kind = what.partition(":")[0]
        if kind not in {"whole", REPLACED}:
            yield kind
    if any(name.endswith(".tmp") for name in outcome.left_for_good):
        yield "an unfinished file beside the export stays for good"
    elif outcome.left_for_good:
        yield f"{len(outcome.left_for_good)} files stay for good"
    if outcome.blocked:
        yield "the next attempt waits for a lock that the stopped one holds"
