"""What a contestant is told to do, and how it is measured in its own process.

    <python of its environment> -m dev.bench.task <contestant>

takes the task over standard input and gives the figures over standard output. Only the standard library is used here,
because it runs in every environment.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
import traceback
from collections.abc import Iterable
from contextlib import redirect_stdout, suppress
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from importlib import import_module
from pathlib import Path
from typing import Any

WARM_UP_JOBS = 300


@dataclass(frozen=True)
class Task:
    """An export to make.

    :param url: the server, without the part of the path that says how it behaves
    :param prefix: that part of the path
    :param listing: a key of ``listings.LISTINGS``
    :param path: the listing's path
    :param file_format: ``jsonl`` or ``parquet``
    :param folder: where to export to; empty at first
    :param jobs: how many rows there are
    :param page_size: how many to ask for at once
    :param connections: how many connections may be open
    :param rows_per_part: rows in each file, for those who write several
    :param destination: the URI to export to, where that is not ``folder``
    """

    url: str
    prefix: str
    listing: str
    path: str
    file_format: str
    folder: str
    jobs: int
    page_size: int
    connections: int
    rows_per_part: int
    destination: str | None = None

    @property
    def base_url(self) -> str:
        """What stands before the listing's path."""
        return f"{self.url}{self.prefix}"

    def smaller(self, prefix: str) -> Task:
        """Return the same for few rows, without latency."""
        destination = self.destination and f"{self.destination}-warm-up"
        return replace(self, prefix=prefix, folder=f"{self.folder}-warm-up", destination=destination, jobs=WARM_UP_JOBS)


@dataclass(frozen=True)
class Figures:
    """What one run took.

    :param wall: seconds
    :param cpu: seconds of user and system time of the process, with its threads and children
    :param memory: bytes that it grew by at its peak, above what it had after imports and a small export
    :param base: bytes that it had then
    :param waited: seconds in which its threads could have run, but the core was busy with something else
    :param rows: rows that were exported, None where they are thrown away
    :param digest: of all ids
    """

    wall: float
    cpu: float
    memory: int
    base: int
    waited: float = 0.0
    rows: int | None = None
    digest: str | None = None


def digest_of(ids: Iterable[str]) -> tuple[int, str]:
    """Return how many ids there are, and a digest of them in any order."""
    ordered = sorted(ids)
    return len(ordered), sha256("\n".join(ordered).encode()).hexdigest()


def _status(name: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    raise LookupError(name)


def _cpu() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def _waited() -> float:
    """Return seconds; threads that have ended are not counted, so this is the least."""
    found = 0.0
    for each in Path("/proc/self/task").glob("*/schedstat"):
        with suppress(OSError):
            found += int(each.read_text().split()[1]) / 1e9
    return found


def measure(contestant: Any, task: Task, warm_up: str) -> Figures:
    """Let a contestant export a small listing, then the task's under measurement.

    :param contestant: a module of ``contestants``
    :param task: what to do
    :param warm_up: the part of the path for the small listing
    """
    contestant.export(task.smaller(warm_up))
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")  # the peak is counted anew from here
    base, waited, cpu, began = _status("VmRSS"), _waited(), _cpu(), time.perf_counter()
    contestant.export(task)
    wall, cpu = time.perf_counter() - began, _cpu() - cpu
    waited = max(0.0, _waited() - waited)
    figures = Figures(wall, cpu, max(0, _status("VmHWM") - base), base, waited)
    if contestant.ids is None:
        return figures
    rows, digest = digest_of(contestant.ids(task))
    return replace(figures, rows=rows, digest=digest)


def main() -> None:
    """Be the contestant's process."""
    told = json.load(sys.stdin)
    output = os.fdopen(os.dup(1), "w")
    with redirect_stdout(sys.stderr):
        try:
            contestant = import_module(f"dev.bench.contestants.{sys.argv[1]}")
            answer = asdict(measure(contestant, Task(**told["task"]), told["warm_up"]))
        except Exception as error:  # noqa: BLE001 - whatever it is, the report says it
            traceback.print_exc()
            answer = {"error": f"{type(error).__name__}: {error}"}
    json.dump(answer, output)
    output.close()
    # Airflow and dlt leave threads and exit handlers behind that are of no interest.
    sys.stderr.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
