"""A task as Airflow runs it: tries, the triggerer, retries and clears, each step in a process of its own."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dev.chaos.attempts import ForkServer
from dev.chaos.counting.client import Opened
from dev.chaos.submitting.pieces import Piece
from dev.chaos.submitting.steps import EXECUTE, RESUME, SENSOR, TRIGGER, Fault, Step

RETRIES = 2
RETRY_DELAY = 300.0
POLL_INTERVAL, POLL_INTERVAL_OF_TRIGGER = 300.0, 0.01
"""Seconds: of the vendor's clock on a worker, and real ones in the triggerer."""

_numbers = itertools.count()

Faults = Mapping[tuple[int, str], Fault]
"""What befalls which step of which try; the tries are counted from 1."""


@dataclass(frozen=True)
class Outcome:
    """How a try ended.

    :param result: what it returned
    :param error: the class of its error; empty if it succeeded, or was killed
    :param message: of the error
    :param is_final: whether Airflow makes no further try
    :param killed: the step in which it was killed, or stopped
    """

    result: Any = None
    error: str = ""
    message: str = ""
    is_final: bool = False
    killed: str = ""

    @property
    def succeeded(self) -> bool:
        """Whether the task is a success."""
        return not self.error and not self.killed


@dataclass(kw_only=True)
class Task:
    """A task with a piece of work.

    :param server: makes its processes
    :param account: at the vendor
    :param piece: what it submits
    :param folder: where the task state store is
    :param is_deferrable: whether it waits in the triggerer
    :param has_store: whether there is a task state store, as since Airflow 3.3
    :param parameters: of the operator, in addition
    :param retries: the tries after the first one
    :param retry_delay: seconds of the vendor's clock between two tries
    :param works_for: seconds of that clock that pass while the task is deferred
    """

    server: ForkServer
    account: Opened
    piece: Piece
    folder: Path
    is_deferrable: bool = False
    has_store: bool = True
    parameters: Mapping[str, Any] = field(default_factory=dict)
    retries: int = RETRIES
    retry_delay: float = RETRY_DELAY
    works_for: float = 0.0
    run: str = "run"

    def __post_init__(self) -> None:
        self.try_number = 0
        self.max_tries = self.retries
        self.outcomes: list[Outcome] = []
        self.points: dict[str, list[str]] = {}
        self.xcoms: dict[str, Any] = {}
        self.zombies: list[int] = []
        self._began = time.time()
        self._ahead = 0.0
        self._store = self.folder / f"store-{next(_numbers)}.json" if self.has_store else None
        if self._store:
            self._store.write_text(json.dumps({"try_number": 0, "values": {}}))

    def play(self, faults: Faults | None = None) -> Outcome:
        """Make tries until one succeeds or there are no more, and return how the last one ended."""
        while True:
            outcome = self.try_once(faults)
            if outcome.succeeded or outcome.is_final or self.try_number > self.max_tries:
                return outcome
            self.pass_time(self.retry_delay)

    def clear(self) -> None:
        """Clear it, as a person does: as many tries again."""
        self.max_tries = self.try_number + self.retries

    def forget(self) -> None:
        """Lose what the task state store has, as a clear may."""
        if self._store:
            self._store.write_text(json.dumps({"try_number": self.try_number, "values": {}}))

    def pass_time(self, seconds: float) -> None:
        """Let time pass for the vendor."""
        self._ahead = self.account.advance(seconds) - time.time()

    def wake(self) -> None:
        """Let the tries go on that were stopped, each to its end, the first one first."""
        while self.zombies:
            process = self.zombies.pop(0)
            self.server.resume(process)
            self.server.wait(process)

    def sensed(self, batch_id: str) -> Any:
        """Return what the vendor's sensor returns for a batch."""
        parameters = {self.piece.batch: batch_id, **self.piece.scope, "poke_interval": POLL_INTERVAL}
        return self._step(SENSOR, None, operator=self.piece.sensor, parameters=parameters).result

    def try_once(self, faults: Faults | None = None) -> Outcome:
        """Make one try."""
        self.try_number += 1
        self.xcoms = {}
        if self._store:
            values = json.loads(self._store.read_text())["values"]
            self._store.write_text(json.dumps({"try_number": self.try_number, "values": values}))
        self.account.mark(f"try {self.try_number}")
        left = {does: fault for (number, does), fault in (faults or {}).items() if number == self.try_number}
        outcome = self._try(left)
        self.outcomes.append(outcome)
        return outcome

    def _try(self, faults: dict[str, Fault]) -> Outcome:
        outcome = self._step(EXECUTE, faults.pop(EXECUTE, None))
        deferral = (outcome.result or {}).get("deferral") if outcome.succeeded else None
        if not deferral:
            return outcome
        self.pass_time(self.works_for)
        event = self._step(TRIGGER, faults.pop(TRIGGER, None), deferral=deferral)
        while event.killed:  # another triggerer takes over
            event = self._step(TRIGGER, None, deferral=deferral)
        if not event.succeeded or "event" not in event.result:
            return Outcome(error=event.error or "marked as failed", message=event.message, is_final=True)
        deferral = {**deferral, "event": event.result["event"]}
        return self._step(RESUME, faults.pop(RESUME, None), deferral=deferral)

    def _step(self, does: str, fault: Fault | None, **changes: Any) -> Outcome:
        """Run a step, and return how it ended: the task's result, or for a step between, what it handed on."""
        step = Step(
            does=does,
            fault=fault,
            environment=self.account.connection(),
            clock=f"{self.account.url}/advance?key={self.account.key}",
            ahead=self._ahead,
            task_run={
                "dag_id": "dag",
                "run_id": self.run,
                "task_id": "submit",
                "map_index": -1,
                "try_number": self.try_number,
                "max_tries": self.max_tries,
            },
            began=self._began,
            store=str(self._store) if self._store else None,
            **{"operator": self.piece.operator, "parameters": self._own_parameters(), **changes},
        )
        process = self.server.start(step)
        end = self.server.wait(process)
        if end.is_stopped:
            self.zombies.append(process)
        if end.is_stopped or end.signal is not None:
            return Outcome(killed=does)
        found = end.result
        self.points[does] = found["points"]
        self.xcoms |= found["xcoms"]
        if "error" in found:
            return Outcome(error=found["error"], message=found["message"], is_final=found["is_final"])
        is_between = "result" not in found
        return Outcome(result=found if is_between else found["result"])

    def _own_parameters(self) -> dict[str, Any]:
        interval = POLL_INTERVAL_OF_TRIGGER if self.is_deferrable else POLL_INTERVAL
        waits = {"deferrable": self.is_deferrable, "poll_interval": interval}
        return {**self.piece.parameters, **waits, **self.parameters}
