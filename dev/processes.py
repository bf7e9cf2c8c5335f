"""Processes that the dev programs start: their environment, their cores, when they are ready, and how they end."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from dev.paths import ROOT

SECONDS_BETWEEN_CHECKS = 0.5


def airflow_environment(home: Path) -> dict[str, str]:
    """Return the variables of an Airflow of its own that makes no request to other machines.

    :param home: the folder of its files
    """
    return {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "dags"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
        "NO_PROXY": "127.0.0.1",
    }


def pinned(core: int) -> list[str]:
    """Return what to put before a command to keep it on one core; nothing if there is only one."""
    cores = sorted(os.sched_getaffinity(0))
    return ["taskset", "--cpu-list", str(cores[core])] if len(cores) > 1 else []


@contextlib.contextmanager
def running_module(
    module: str, *arguments: str, core: int | None = None, environment: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[str]]:
    """Run a Python module with pipes to its input and output, and kill it and its children at the end.

    :param module: its name
    :param arguments: its command line
    :param core: the number of the core to keep it on
    :param environment: variables in addition to those of this process
    """
    prefix = [] if core is None else pinned(core)
    with subprocess.Popen(
        [*prefix, sys.executable, "-m", module, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), **(environment or {})},
        start_new_session=True,
    ) as process:
        try:
            yield process
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def read_line(process: subprocess.Popen[str]) -> str:
    """Return the next line of a process's output.

    :raises RuntimeError: it has ended
    """
    line = process.stdout.readline() if process.stdout else ""
    if not line:
        raise RuntimeError(f"{process.args!r} has ended")
    return line.strip()


def wait_until(ready: Callable[[], bool], seconds: float) -> bool:
    """Check again and again, and return whether the answer was yes in time."""
    deadline = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > deadline:
            return False
        time.sleep(SECONDS_BETWEEN_CHECKS)
    return True


def members(session: int) -> Iterator[int]:
    """Yield the processes of a session that have not ended.

    Airflow gives each task a process group of its own, but none a session.
    """
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            # After the name, which may contain anything: state, parent, group, session.
            state, _, _, number = (entry / "stat").read_text().rpartition(")")[2].split()[:4]
            if int(number) == session and state != "Z":
                yield int(entry.name)
