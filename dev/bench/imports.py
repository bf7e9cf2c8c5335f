"""Measures what importing this package adds to parsing a DAG."""

from __future__ import annotations

import compileall
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib import import_module
from statistics import median

from dev.bench.processes import ROOT, environment_in, pinned

ALL = "all of them"
KINDS = ("hooks", "operators", "sensors")
PROCESSES = 5
GOAL = 30
"""Milliseconds for all modules together."""


@dataclass(frozen=True)
class Cost:
    """What an import took.

    :param wall: seconds
    :param cpu: seconds of CPU
    """

    wall: float
    cpu: float


Costs = dict[str, Sequence[Cost]]


def modules() -> list[str]:
    """Return the modules from which users import."""
    package = ROOT / "airflow_batch_provider"
    return [
        f"{package.name}.{kind}.{path.stem}" for kind in KINDS for path in sorted((package / kind).glob("[a-z]*.py"))
    ]


def measure() -> Costs:
    """Measure each module alone, and all together, in several interpreters."""
    compileall.compile_dir(ROOT / "airflow_batch_provider", quiet=1)  # as pip does it
    subjects = {**{name: [name] for name in modules()}, ALL: modules()}
    found: dict[str, list[Cost]] = {name: [] for name in subjects}
    for _ in range(PROCESSES):
        with tempfile.TemporaryDirectory() as home:
            command = pinned(0, [sys.executable, "-m", "dev.bench.imports"])
            told = json.dumps(subjects)
            asked = subprocess.run(
                command, input=told, capture_output=True, text=True, cwd=ROOT, env=environment_in(home), check=True
            )
        for name, figures in json.loads(asked.stdout).items():
            found[name].append(Cost(*figures))
    return {**found}


def wall_of(costs: Sequence[Cost]) -> float:
    """Return the median in milliseconds."""
    return 1000 * median(each.wall for each in costs)


def cpu_of(costs: Sequence[Cost]) -> float:
    """Return the median in milliseconds."""
    return 1000 * median(each.cpu for each in costs)


def _import(names: Iterable[str]) -> tuple[float, float]:
    wall, cpu = time.perf_counter(), time.process_time()
    for name in names:
        import_module(name)
    return time.perf_counter() - wall, time.process_time() - cpu


def _in_a_fork(names: Iterable[str]) -> tuple[float, float]:
    """Import in a fork, so that this process stays one that has imported nothing of it."""
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        try:
            os.write(writer, json.dumps(_import(names)).encode())
        finally:
            os._exit(0)
    os.close(writer)
    os.waitpid(child, 0)
    with os.fdopen(reader) as pipe:
        wall, cpu = json.load(pipe)
    return wall, cpu


def main() -> None:
    """Be a process that has imported what every DAG does."""
    from airflow.sdk import DAG, BaseHook, BaseOperator, BaseSensorOperator  # noqa: F401

    told = json.load(sys.stdin)
    json.dump({name: _in_a_fork(names) for name, names in told.items()}, sys.stdout)


if __name__ == "__main__":
    main()
