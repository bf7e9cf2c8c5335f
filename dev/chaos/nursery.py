"""A process that forks one process for each try of an export, and the way to it.

It imports Airflow and the package once, starts no thread and touches no store, so a fork of it is a fresh task process
in milliseconds.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from dev.chaos.steps import Fault

SECONDS_UNTIL_STUCK = 180.0
ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, kw_only=True)
class Try:
    """One try of a task.

    :param listing: what it exports
    :param parameters: of the operator
    :param environment: variables beside those of this process; connections
    :param task_run: the fields of the task instance, and the logical date
    :param fault: what strikes it
    """

    listing: str
    parameters: Mapping[str, Any]
    environment: Mapping[str, str]
    task_run: Mapping[str, Any] = field(default_factory=dict)
    fault: Fault | None = None


@dataclass(frozen=True)
class End:
    """What became of a try for now.

    :param signal: what killed or stopped it
    :param is_stopped: whether it may go on
    :param result: what it returned, or its error
    """

    signal: int | None = None
    is_stopped: bool = False
    result: Mapping[str, Any] = field(default_factory=dict)

    @property
    def succeeded(self) -> bool:
        """Whether the task would be green."""
        return "summary" in self.result


class Nursery:
    """The way to the process that forks.

    :param folder: where results and logs go
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._process = subprocess.Popen(
            [sys.executable, "-m", "dev.chaos.tries", str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=ROOT,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            start_new_session=True,
        )

    def _ask(self, **command: Any) -> Any:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps(command) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise RuntimeError("the process that forks has ended")
        return json.loads(answer)

    def start(self, one: Try) -> int:
        """Begin a try and return its process."""
        return int(self._ask(start=asdict(one)))

    def wait(self, process: int) -> End:
        """Wait until a process ends or is stopped; one that does neither is killed in the end."""
        timer = threading.Timer(SECONDS_UNTIL_STUCK, os.kill, (process, signal.SIGKILL))
        timer.daemon = True
        timer.start()
        status = self._ask(wait=process)
        timer.cancel()
        if os.WIFSTOPPED(status):
            return End(os.WSTOPSIG(status), is_stopped=True)
        if os.WIFSIGNALED(status):
            return End(os.WTERMSIG(status))
        path = self._folder / f"{process}.json"
        result = json.loads(path.read_text())
        path.unlink()
        return End(result=result)

    def go_on(self, process: int) -> None:
        """Let a stopped process go on."""
        os.kill(process, signal.SIGCONT)

    def run(self, one: Try) -> End:
        """Begin a try and wait for its end."""
        return self.wait(self.start(one))

    def close(self) -> None:
        """End the process and its children."""
        assert self._process.stdin
        self._process.stdin.close()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        if self._process.stdout:
            self._process.stdout.close()


@contextlib.contextmanager
def nursery(folder: Path) -> Iterator[Nursery]:
    """Run a nursery.

    :param folder: where results and logs go
    """
    running = Nursery(folder)
    try:
        yield running
    finally:
        running.close()
