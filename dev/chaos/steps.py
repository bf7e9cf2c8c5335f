"""Where in an export a process is, step by step, and what befalls it there. Runs in the process that exports."""

from __future__ import annotations

import os
import signal
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

STARTING = "before the first page"
FIRST_PAGE = "first page"
READING = "further pages"
WRITING = "a part is written"
FINISHING = "a part is finished or uploaded"
CHECKPOINT = "a checkpoint is written"
PARTS = "parts are published"
MANIFEST = "the manifest is published"
CLEANING = "cleaning up"
PHASES = (STARTING, FIRST_PAGE, READING, WRITING, FINISHING, CHECKPOINT, PARTS, MANIFEST, CLEANING)

KILL = "SIGKILL"
STOP = "SIGSTOP"
INTERRUPT = "SIGINT"
TIMEOUT = "task timeout"
ERROR = "exception of the store"

_OPERATIONS = ("create", "open", "read", "version", "put", "put_if", "publish", "size", "names_below", "remove")
_PUTS = {
    "-begun": STARTING,
    **dict.fromkeys((".ids", ".rows", ".files", ".checkpoint.json"), CHECKPOINT),
    "-published": MANIFEST,
}
_OF_OPERATION = {"create": WRITING, "publish": PARTS, "put_if": MANIFEST}


@dataclass(frozen=True)
class Fault:
    """What befalls a try.

    :param kind: one of the kinds above
    :param phase: where
    :param nth: at which step of that phase, from 0
    """

    kind: str
    phase: str
    nth: int

    def strike(self) -> None:
        """Let it happen, to this process."""
        if self.kind == ERROR:
            from airflow_batch_provider.exceptions import TransientError

            raise TransientError("The store fails, as this try wants it.")
        number = {KILL: signal.SIGKILL, STOP: signal.SIGSTOP, INTERRUPT: signal.SIGINT, TIMEOUT: signal.SIGALRM}
        os.kill(os.getpid(), number[self.kind])


class Steps:
    """Counts the steps of an export by phase, and lets a fault strike at one of them.

    A step lies before and after each request, each operation on the store, and each rename and link on a disk.

    :param fault: what strikes
    """

    def __init__(self, fault: Fault | None) -> None:
        self._fault = fault
        self._lock = threading.Lock()
        self._phase = STARTING
        self.counts: Counter[str] = Counter()

    def reach(self, phase: str | None = None) -> None:
        """Take a step, in the phase of the one before if none is named."""
        with self._lock:
            self._phase = phase or self._phase
            nth = self.counts[self._phase]
            self.counts[self._phase] += 1
            strikes = self._fault is not None and (self._fault.phase, self._fault.nth) == (self._phase, nth)
        if strikes and self._fault:
            self._fault.strike()

    def watch(self) -> None:
        """Put the steps into the package's code and into this process's file operations."""
        from airflow_batch_provider.client.client import Client
        from airflow_batch_provider.client.file_transport import FileTransport
        from airflow_batch_provider.stores.local import LocalStore
        from airflow_batch_provider.stores.new_file import NewFile
        from airflow_batch_provider.stores.object_store import ObjectStore
        from airflow_batch_provider.stores.store import Store

        for owner in (Store, LocalStore, ObjectStore):
            for name in _OPERATIONS:
                if name in vars(owner):
                    self._around(owner, name, self._phase_of_operation(name))
        self._around(Client, "send", lambda arguments: READING if self.counts[FIRST_PAGE] > 1 else FIRST_PAGE)
        self._around(FileTransport, "open", lambda arguments: READING)
        self._around(NewFile, "write", lambda arguments: WRITING)
        self._around(NewFile, "close", lambda arguments: FINISHING)
        self._around(ObjectStore, "_upload", lambda arguments: FINISHING)
        for name in ("replace", "link"):
            self._around(os, name, lambda arguments: None)

    @staticmethod
    def _phase_of_operation(name: str) -> Callable[[tuple[Any, ...]], str | None]:
        def phase(arguments: tuple[Any, ...]) -> str | None:
            if name == "put":
                return next(phase for ending, phase in _PUTS.items() if ending in arguments[1])
            return _OF_OPERATION.get(name)

        return phase

    def _around(self, owner: Any, name: str, phase: Callable[[tuple[Any, ...]], str | None]) -> None:
        method = getattr(owner, name)

        def watched(*arguments: Any, **named: Any) -> Any:
            known = phase(arguments)
            self.reach(known)
            result = method(*arguments, **named)
            self.reach(CLEANING if name == "put_if" and result is True else known)
            return result

        setattr(owner, name, watched)
