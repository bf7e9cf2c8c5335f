"""Three tasks that export to one folder over and over, two of them the same rows, while a reader looks."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass

from dev.chaos.attempts import ForkServer
from dev.chaos.fixtures import (
    REPLACED,
    ROWS,
    ROWS_BEFORE,
    WHOLE,
    Destination,
    Reader,
    Vendor,
    ids,
    readable,
    rows,
    vendor,
)
from dev.chaos.trials import Outcome, Trial

LISTING = "llamacloud.batches"
WRITERS = 3


@dataclass
class Loop:
    """What came of the loops on one store.

    :param store: which
    :param rounds: in each of which three tasks export at once
    :param exports: that succeeded
    :param failed: that failed, each of which Airflow would try again
    :param looks: how often a reader looked
    :param replaced: looks that were told that the export was being replaced
    :param broken: looks that found a part missing or damaged, a mixture, or nothing
    :param false_alarms: looks that got every row though ``verify_export`` found damage
    :param left_over: files of no export, after each round
    """

    store: str
    rounds: int = 0
    exports: int = 0
    failed: int = 0
    looks: int = 0
    replaced: int = 0
    broken: int = 0
    false_alarms: int = 0
    left_over: int = 0


def loop(server: ForkServer, make: Callable[[], Destination], seconds: float) -> Loop:
    """Let three writers loop at a new destination until the time is up, once at least."""
    with contextlib.ExitStack() as stack:
        one, other = (stack.enter_context(vendor(LISTING)) for _ in range(2))
        one.hold(rows(ROWS, "one"))
        other.hold(rows(ROWS_BEFORE, "other"))
        destination = make()
        stack.enter_context(readable(destination))
        found, began = Loop(destination.kind), time.monotonic()
        _round(server, destination, [one], found)
        with Reader(destination, [ids(ROWS, "one"), ids(ROWS_BEFORE, "other")]) as reader:
            while not found.rounds or time.monotonic() - began < seconds:
                _round(server, destination, [one, other, one][:WRITERS], found)
                found.rounds += 1
                found.left_over += len(destination.left_over())
        outcome = Outcome(saw=reader.saw)
        found.looks, found.replaced = reader.saw.total(), reader.saw[REPLACED]
        found.broken, found.false_alarms = outcome.looks_without_export, outcome.false_alarms
        assert reader.saw[WHOLE]
        return found


def _round(server: ForkServer, destination: Destination, vendors: list[Vendor], found: Loop) -> None:
    """Start a task for each vendor, each of a run of its own, and wait for all."""
    processes = []
    for number, source in enumerate(vendors):
        run = {
            "run_id": f"round {found.rounds}, task {number}",
            "logical_date": f"20{10 + number}-01-01T00:00:00+00:00",
        }
        processes.append(server.start(Trial(server, source, destination).attempt(task_run=run)))
    for process in processes:
        succeeded = server.wait(process).succeeded
        found.exports += succeeded
        found.failed += not succeeded
