"""A simulated year of finding and exporting what is new, with runs that overlap, are killed anywhere and are cleared.

The vendor is a real server whose batches start, finish late, are opened again, change while they are read, and are
removed. Each of their states has other counters than any other. A run is a thread that is killed at a random operation
on the store: from then on, no operation of it takes effect, so that it cleans up nothing either.
"""

from __future__ import annotations

import random
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

from airflow_batch_provider.exceptions import BatchProviderError
from airflow_batch_provider.export.exports_below import INDEX_FOLDER
from airflow_batch_provider.export.manifest import MANIFEST_NAME, read_manifest
from airflow_batch_provider.operators.playment import PlaymentExportBatchJobsOperator, PlaymentFinishedBatchesOperator
from airflow_batch_provider.stores.destination import LocalStore
from tests.projects import Project, project

DAYS = 365
LIMIT = 5
"""Batches that a run exports at most."""

_PRIMITIVES = ("_read", "_put", "_put_if", "_publish", "_size", "_version", "_found_below", "_remove", "create")
_MOST_OPERATIONS = 60
"""A run is killed at one of so many operations; most take more."""

Found = list[dict[str, str]]
State = tuple[str, int]
"""A batch, and its number of jobs."""


class Killed(BaseException):
    """The process is no more."""


@dataclass
class Year:
    """What was counted.

    :param days: how many days there were
    :param runs: runs of both tasks; of these were killed, ran beside another, or were runs of before, cleared
    :param batches: batches that there were
    :param reopened: how often a finished batch was opened again, or changed
    :param removed: batches that were removed at the vendor
    :param exported: states that were exported
    :param twice: states that were exported more than once
    :param missed: states that a run left out although it had found them, or should have, or that the last runs left out
    :param wrong: exports whose rows are not those of the state that they name
    :param indexes_lost: how often the index was removed, torn, or an older one put back
    """

    days: int
    runs: int = 0
    killed: int = 0
    overlapping: int = 0
    cleared: int = 0
    batches: int = 0
    reopened: int = 0
    removed: int = 0
    exported: int = 0
    twice: int = 0
    missed: int = 0
    wrong: int = 0
    indexes_lost: int = 0


@dataclass
class Store:
    """Stands between the runs and the disk: kills, and notes what is published."""

    published: list[tuple[State | None, str, int]] = field(default_factory=list)
    here: Any = field(default_factory=threading.local)

    def begin(self, operations: int | None) -> None:
        """Have this thread end after so many operations; None: live."""
        self.here.left = operations

    def step(self) -> None:
        """Count an operation, or half of one."""
        left = getattr(self.here, "left", None)
        if left is None:
            return
        self.here.left = left - 1
        if left <= 0:
            raise Killed

    def wrapped(self, name: str, operation: Callable[..., Any]) -> Callable[..., Any]:
        """Return a primitive of the store with a death before and after it."""

        def run(store: LocalStore, *args: Any) -> Any:
            self.step()
            result = operation(store, *args)
            if name == "_put_if" and args[0] == MANIFEST_NAME:
                self._note(args[1])
            self.step()
            return result

        return run

    def _note(self, content: bytes) -> None:
        manifest = read_manifest(content)
        version, batch_id = manifest.source_version, manifest.params["batch_id"]
        state = (batch_id, version["counts"]["total_jobs"]) if version else None
        self.published.append((state, batch_id, manifest.rows))

    @property
    def current(self) -> dict[str, State | None]:
        """The state that each batch's export is of."""
        return {batch_id: state for state, batch_id, _ in self.published}


def simulate_year(seed: int, days: int = DAYS) -> Year:
    """Let a year pass, and count."""
    store = Store()
    with ExitStack() as stack:
        for name in _PRIMITIVES:
            wrapped = store.wrapped(name, getattr(LocalStore, name))
            stack.enter_context(mock.patch.object(LocalStore, name, wrapped))
        stack.enter_context(mock.patch.object(LocalStore, "versions_of", _versions_of))
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="year-"))
        world = stack.enter_context(project())
        return _Simulation(random.Random(seed), store, world, Path(folder), Year(days)).run()


def _versions_of(store: LocalStore, names: Sequence[str]) -> dict[str, str]:
    """List versions as an object store does, so that there is an index."""
    found = {name: store.version(name) for name in names}
    return {name: version for name, version in found.items() if version}


class _Simulation:
    def __init__(self, drawn: random.Random, store: Store, world: Project, folder: Path, year: Year) -> None:
        self.drawn = drawn
        self.store = store
        self.world = world
        self.folder = folder
        self.year = year
        self.jobs = 0
        self.earlier: list[tuple[str, Found]] = []
        self.indexes: list[bytes] = []

    def run(self) -> Year:
        for _ in range(self.year.days * 2):
            self._move()
            self._lose_index()
            self._tick()
        for _ in range(len(self.world.batches) // LIMIT + 2):  # what the limit has left to later runs
            self._run_alone(None)
        states = Counter(state for state, _, _ in self.store.published if state)
        self.year.exported = len(states)
        self.year.twice = sum(count > 1 for count in states.values())
        self.year.wrong = sum(bool(state) and state[1] != rows for state, _, rows in self.store.published if state)
        self.year.missed += len(self._due(self.store.current))
        return self.year

    def _move(self) -> None:
        """Let something happen at the vendor."""
        batches = self.world.batches
        if self.drawn.random() < 0.4:
            self.year.batches += 1
            self._put(
                f"Batch {self.year.batches}" if self.drawn.random() < 0.5 else f"b{self.year.batches}", done=False
            )
        for batch_id, batch in list(batches.items()):
            if batch["status"] != "Complete":
                if self.drawn.random() < 0.2:
                    self._put(batch_id)
            elif self.drawn.random() < 0.003:
                self.year.reopened += 1
                self._put(batch_id, done=self.drawn.random() < 0.5)
            elif self.drawn.random() < 0.001:
                self.year.removed += 1
                del batches[batch_id]

    def _put(self, batch_id: str, *, done: bool = True) -> None:
        self.jobs += 1
        self.world.put(batch_id, self.jobs, done=done)

    def _lose_index(self) -> None:
        index = self.folder / INDEX_FOLDER / "batch_id.json"
        if not index.exists():
            return
        content = index.read_bytes()
        self.indexes.append(content)
        if self.drawn.random() < 0.05:
            self.year.indexes_lost += 1
            index.write_bytes(self.drawn.choice([b"", content[: len(content) // 2], self.drawn.choice(self.indexes)]))

    def _tick(self) -> None:
        kind = self.drawn.random()
        if kind < 0.25:
            self.year.overlapping += 2
            self._at_once([lambda life=life: self._run(life) for life in (self._life(), self._life())])
        elif kind < 0.35 and self.earlier:
            self.year.cleared += 1
            run_id, found = self.drawn.choice(self.earlier)
            self._at_once([lambda: self._export(run_id, found, 2), lambda: self._run(None)])
        else:
            self._run_alone(self._life())

    def _life(self) -> int | None:
        return self.drawn.randrange(2 * _MOST_OPERATIONS) if self.drawn.random() < 0.4 else None

    def _run_alone(self, life: int | None) -> None:
        due = self._due(self.store.current)[:LIMIT]
        found = self._run(life)
        if found is None:
            return
        self.year.missed += len({state[0] for state in due} ^ {batch["batch_id"] for batch in found})
        self.year.missed += len(set(due) - {state for state in self.store.current.values() if state})

    def _due(self, current: dict[str, State | None]) -> list[State]:
        """Return the finished states that are not exported, oldest first."""
        finished = [
            (batch["created_at"], (batch_id, batch["total_jobs"]))
            for batch_id, batch in self.world.batches.items()
            if batch["status"] == "Complete"
        ]
        return [state for _, state in sorted(finished, key=lambda one: one[0]) if current.get(state[0]) != state]

    def _run(self, life: int | None) -> Found | None:
        """Find and export; return what was found, None if the run was killed."""
        self.year.runs += 1
        run_id = f"run {self.year.runs}"
        self.store.begin(life)
        try:
            find = PlaymentFinishedBatchesOperator(task_id="find", exports=self.folder.as_uri(), limit=LIMIT)
            found: Found = find.execute({})
            self.earlier.append((run_id, found))
            self._export(run_id, found, 1)
        except Killed:
            self.year.killed += 1
            return None
        finally:
            self.store.begin(None)
        return found

    def _export(self, run_id: str, found: Found, try_number: int) -> None:
        for index, batch in enumerate(found):
            context: Any = {"ti": _TaskInstance(run_id, index, try_number)}
            export = PlaymentExportBatchJobsOperator(task_id="export", if_exists="refresh", **batch)
            try:
                export.execute(context)
            except BatchProviderError:  # it is gone at the vendor
                continue

    def _at_once(self, runs: Sequence[Callable[[], object]]) -> None:
        threads = [threading.Thread(target=run) for run in runs]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


@dataclass
class _TaskInstance:
    """What the operators use of Airflow's."""

    run_id: str
    map_index: int
    try_number: int
    dag_id: str = "only_new"
    task_id: str = "export"


if __name__ == "__main__":
    import sys

    print(simulate_year(int(sys.argv[1]), int(sys.argv[2])))
