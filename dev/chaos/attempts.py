"""Attempts at an export, each in a process of its own that a fork server forks.

The fork server imports Airflow and the package once, starts no thread and touches no store, so a fork of it is a new
task process in milliseconds.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import threading
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dev.chaos.steps import Fault
from dev.processes import read_line, running_module

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

SECONDS_UNTIL_STUCK = 180.0


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """One attempt of a task.

    :param listing: what it exports
    :param parameters: of the operator
    :param environment: variables in addition to those of this process; connections
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
    """How an attempt ended, or was stopped.

    :param signal: what killed or stopped it
    :param is_stopped: whether it can be resumed
    :param result: what it returned, or its error
    """

    signal: int | None = None
    is_stopped: bool = False
    result: Mapping[str, Any] = field(default_factory=dict)

    @property
    def succeeded(self) -> bool:
        """Whether the task would succeed."""
        return "summary" in self.result


class ForkServer:
    """The client of the process that forks.

    :param process: that process
    :param folder: where it writes results and logs
    """

    def __init__(self, process: subprocess.Popen[str], folder: Path) -> None:
        self._process = process
        self._folder = folder

    def _send(self, **command: Any) -> Any:
        assert self._process.stdin
        self._process.stdin.write(json.dumps(command) + "\n")
        self._process.stdin.flush()
        return json.loads(read_line(self._process))

    def start(self, attempt: DataclassInstance) -> int:
        """Begin an attempt, or a step of one, and return its process."""
        return int(self._send(start=asdict(attempt)))

    def wait(self, process: int) -> End:
        """Wait until a process ends or is stopped; one that does neither is killed in the end."""
        timer = threading.Timer(SECONDS_UNTIL_STUCK, os.kill, (process, signal.SIGKILL))
        timer.daemon = True
        timer.start()
        status = self._send(wait=process)
        timer.cancel()
        if os.WIFSTOPPED(status):
            return End(os.WSTOPSIG(status), is_stopped=True)
        if os.WIFSIGNALED(status):
            return End(os.WTERMSIG(status))
        path = self._folder / f"{process}.json"
        result = json.loads(path.read_text())
        path.unlink()
        return End(result=result)

    def resume(self, process: int) -> None:
        """Let a stopped process continue."""
        os.kill(process, signal.SIGCONT)

    def run(self, attempt: DataclassInstance) -> End:
        """Begin an attempt, or a step of one, and wait for its end."""
        return self.wait(self.start(attempt))


@contextlib.contextmanager
def fork_server(folder: Path, module: str = "dev.chaos.fork_server") -> Iterator[ForkServer]:
    """Run a fork server.

    :param folder: where it writes results and logs
    :param module: what it is
    """
    with running_module(module, str(folder)) as process:
        yield ForkServer(process, folder)
