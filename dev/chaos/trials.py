"""One trial: an export is there, a fault strikes an attempt at the next one, and further attempts finish it."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from airflow_batch_provider.export import verify_export
from dev.chaos.attempts import Attempt, End, ForkServer
from dev.chaos.fixtures import (
    FALSE_ALARM,
    REPLACED,
    ROWS,
    ROWS_BEFORE,
    ROWS_PER_PART,
    SCOPES,
    WHOLE,
    Destination,
    Reader,
    Vendor,
    readable,
    rows,
    rows_of,
)
from dev.chaos.steps import ERROR, INTERRUPT, KILL, STOP, TIMEOUT, Fault

KILL_AT_ANY_TIME = "SIGKILL, at any time"
KILL_IN_TRANSFER = "SIGKILL while bytes are in transit"
ZOMBIE = "paused, overtaken, resumed"
TWINS = "two concurrent tries"
AWAY = "store away for ten seconds"
FULL = "disk full"
FAULTS = (KILL, KILL_AT_ANY_TIME, KILL_IN_TRANSFER, TIMEOUT, INTERRUPT, ERROR, FULL, AWAY, ZOMBIE, TWINS)
UNTARGETED = (KILL_AT_ANY_TIME, KILL_IN_TRANSFER, TWINS)
"""Faults that are not aimed at a step."""

SECONDS_AWAY = 10.0
SECONDS_UNTIL_BLOCKED = 8.0
_MOST_ATTEMPTS = 4
_HARMLESS = {WHOLE, REPLACED, FALSE_ALARM}
_YESTERDAY = {"logical_date": "2026-02-28T00:00:00+00:00"}
_TOMORROW = {"logical_date": "2026-03-02T00:00:00+00:00"}


@dataclass(frozen=True)
class Undisturbed:
    """What an undisturbed export takes.

    :param requests: to the vendor
    :param steps: by phase
    """

    requests: int
    steps: Mapping[str, int]


@dataclass
class Outcome:
    """The outcome of a trial.

    :param struck: whether the fault happened at all; the attempt may have ended before
    :param survived: whether the attempt that was struck succeeded all the same
    :param attempts: how many it took after that one
    :param resumed: whether the published export resumes where an earlier attempt had ended
    :param saved: requests that the attempt after the struck one did not need
    :param missing: rows that are not there in the end
    :param twice: rows that are there twice
    :param again: requests for items, of results, that repeated one of an earlier attempt
    :param torn: files beside the rows that are not the vendor's
    :param left_over: files of no export that are there in the end
    :param left_for_good: ... and after the next run, which cleans up after this one
    :param blocked: whether the next attempt was blocked while the stopped one was there
    :param saw: what a reader saw in the meantime
    :param errors: how attempts ended that did not succeed
    """

    struck: bool = False
    survived: bool = False
    attempts: int = 0
    resumed: bool = False
    saved: int = 0
    missing: int = 0
    twice: int = 0
    again: int = 0
    torn: int = 0
    left_over: set[str] = field(default_factory=set)
    left_for_good: set[str] = field(default_factory=set)
    blocked: bool = False
    saw: Counter[str] = field(default_factory=Counter)
    errors: list[str] = field(default_factory=list)

    @property
    def looks_without_export(self) -> int:
        """How often a reader found no whole export."""
        return sum(count for what, count in self.saw.items() if what.partition(":")[0] not in _HARMLESS)

    @property
    def false_alarms(self) -> int:
        """How often ``verify_export`` found damage where a reader got every row."""
        return sum(count for what, count in self.saw.items() if what.startswith(FALSE_ALARM))


@dataclass
class Trial:
    """One trial.

    :param server: runs the attempts
    :param vendor: what is exported
    :param destination: where to
    :param file_format: how
    :param disk: the small disk of the destination, or of the temporary files
    :param parameters: of the operator, beside these
    :param rows: how many the export has
    :param rows_before: how many the one has that it replaces
    """

    server: ForkServer
    vendor: Vendor
    destination: Destination
    file_format: str = "jsonl"
    disk: Path | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)
    rows: int = ROWS
    rows_before: int = ROWS_BEFORE

    def attempt(self, fault: Fault | None = None, task_run: Mapping[str, Any] | None = None) -> Attempt:
        """Return an attempt."""
        environment = {**self.vendor.connections(), **self.destination.environment}
        if self.disk:
            environment["TMPDIR"] = str(self.disk)
        parameters = {
            "destination": self.destination.uri,
            "file_format": self.file_format,
            "rows_per_part": ROWS_PER_PART,
            **SCOPES.get(self.vendor.name, {}),
            **self.parameters,
        }
        return Attempt(
            listing=self.vendor.name,
            parameters=parameters,
            environment=environment,
            task_run=task_run or {},
            fault=fault,
        )

    def undisturbed(self) -> Undisturbed:
        """Run an undisturbed export that replaces another one."""
        self._publish_yesterdays()
        end = self.server.run(self.attempt())
        assert end.succeeded, end
        return Undisturbed(self.vendor.requests, end.result["steps"])

    def _publish_yesterdays(self) -> None:
        self.vendor.hold(rows(self.rows_before, "before"))
        end = self.server.run(self.attempt(task_run=_YESTERDAY))
        assert end.succeeded, end
        self.vendor.hold(rows(self.rows, "now"))

    def run(self, name: str, phase: str, nth: int, usual: Undisturbed, seconds: float = 0.0) -> Outcome:
        """Let a fault strike and return the outcome.

        :param name: one of :data:`FAULTS`
        :param phase: where it strikes
        :param nth: at which step of the phase; of a transfer, at which piece
        :param usual: what to compare with
        :param seconds: when it strikes, for a kill at any time
        """
        outcome = Outcome()
        with readable(self.destination):
            self._publish_yesterdays()
            with Reader(
                self.destination, [self.vendor.ids(self.rows_before, "before"), self.vendor.ids(self.rows, "now")]
            ) as reader:
                end = self._strike(name, phase, nth, seconds, usual, outcome)
                outcome.survived = end.succeeded
                while not end.succeeded:
                    outcome.errors.append(str(end.result.get("message") or end.signal))
                    outcome.attempts += 1
                    if outcome.attempts > _MOST_ATTEMPTS:
                        raise AssertionError(f"no attempt succeeds: {outcome.errors}")
                    self.vendor.forget()
                    end = self.server.run(self.attempt())
                    self._note_resuming(outcome, usual)
            outcome.saw = reader.saw
            found, expected = rows_of(self.destination), self.vendor.ids(self.rows, "now")
            outcome.missing = len(set(expected) - set(found))
            outcome.twice = len(found) - len(set(found))
            outcome.again, outcome.torn = self.vendor.again, self.vendor.torn(self.destination)
            outcome.left_over = outcome.left_for_good = self.destination.left_over()
            if outcome.left_over:
                outcome.left_for_good = self._left_after_next_run()
        return outcome

    def _left_after_next_run(self) -> set[str]:
        end = self.server.run(self.attempt(task_run=_TOMORROW))
        assert end.succeeded, end
        return self.destination.left_over()

    def _note_resuming(self, outcome: Outcome, usual: Undisturbed) -> None:
        if outcome.attempts == 1:
            outcome.saved = usual.requests - self.vendor.requests
        with contextlib.suppress(Exception):
            outcome.resumed = verify_export(self.destination.reader_uri).resumed

    def _strike(self, name: str, phase: str, nth: int, seconds: float, usual: Undisturbed, outcome: Outcome) -> End:
        if name == KILL_AT_ANY_TIME:
            return self._killed(outcome, lambda kill: threading.Timer(seconds, kill).start())
        if name == KILL_IN_TRANSFER:
            return self._killed(outcome, lambda kill: self._on_piece(nth, kill))
        if name == TWINS:
            processes = [self.server.start(self.attempt()) for _ in range(2)]
            ends = [self.server.wait(process) for process in processes]
            outcome.struck = True
            outcome.errors += [str(end.result["message"]) for end in ends if not end.succeeded]
            return max(ends, key=lambda end: end.succeeded)
        if name in {KILL, INTERRUPT, TIMEOUT, ERROR}:
            end = self.server.run(self.attempt(Fault(name, phase, nth)))
            outcome.struck = not end.succeeded
            return end
        process = self.server.start(self.attempt(Fault(STOP, phase, nth)))
        end = self.server.wait(process)
        outcome.struck = end.is_stopped
        if not end.is_stopped:
            return end
        if name == ZOMBIE:
            return self._overtake(process, outcome, usual)
        with self._without_store() if name == AWAY else self._without_room():
            self.server.resume(process)
            return self.server.wait(process)

    def _killed(self, outcome: Outcome, arrange: Callable[[Callable[[], None]], None]) -> End:
        """Run an attempt that this process kills."""
        process = self.server.start(self.attempt())
        is_over = threading.Event()

        def kill() -> None:
            if not is_over.is_set():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process, signal.SIGKILL)

        arrange(kill)
        end = self.server.wait(process)
        is_over.set()
        outcome.struck = not end.succeeded
        if self.destination.proxy:
            self.destination.proxy.on_bytes = lambda data: None
        return end

    def _on_piece(self, nth: int, kill: Callable[[], None]) -> None:
        left = nth

        def count(data: bytes) -> None:
            nonlocal left
            left -= 1
            if left == 0:
                kill()

        assert self.destination.proxy
        self.destination.proxy.on_bytes = count

    def _overtake(self, zombie: int, outcome: Outcome, usual: Undisturbed) -> End:
        """Let the next attempt finish, then the one that was stopped."""
        self.vendor.forget()

        def wake() -> None:
            outcome.blocked = True
            self.server.resume(zombie)

        timer = threading.Timer(SECONDS_UNTIL_BLOCKED, wake)
        timer.start()
        end = self.server.run(self.attempt())
        timer.cancel()
        outcome.attempts = 1
        self._note_resuming(outcome, usual)
        if not outcome.blocked:
            self.server.resume(zombie)
        woken = self.server.wait(zombie)
        if not woken.succeeded:
            outcome.errors.append(f"{woken.result.get('error')}: {woken.result.get('message')}")
        return end

    @contextlib.contextmanager
    def _without_store(self) -> Iterator[None]:
        assert self.destination.proxy
        self.destination.proxy.cut()
        timer = threading.Timer(SECONDS_AWAY, self.destination.proxy.restore)
        timer.start()
        try:
            yield
        finally:
            timer.join()

    @contextlib.contextmanager
    def _without_room(self) -> Iterator[None]:
        """Fill the disk."""
        assert self.disk
        filler = self.disk / "filler"
        with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(bytes(1024))
        try:
            yield
        finally:
            filler.unlink()
