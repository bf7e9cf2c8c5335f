"""A step of a try: what one process does of it, and what befalls that process."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

EXECUTE = "execute"
TRIGGER = "trigger"
RESUME = "resume"
SENSOR = "sensor"
"""The sensor of the vendor waits for the batch: what a run operator should return."""

KILL = "SIGKILL"
KILL_LATER = "SIGKILL, at any time"
STOP = "SIGSTOP"
TERMINATE = "SIGTERM"
MARKED = "marked as failed"
"""By a person, while a trigger waits: Airflow calls the trigger's ``on_kill``."""


@dataclass(frozen=True)
class Fault:
    """What befalls a step.

    :param kind: one of the kinds above
    :param nth: at which of its points, from 0
    :param seconds: after which time, if it may be any
    """

    kind: str
    nth: int = -1
    seconds: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Step:
    """What a process does.

    :param does: execute, trigger, resume or sensor
    :param operator: the import path of the operator, or of the sensor
    :param parameters: its parameters
    :param environment: variables in addition to those of this process; the connection
    :param clock: the URL that lets time pass for the vendor
    :param ahead: by how many seconds its clock is ahead
    :param task_run: the fields of the task instance
    :param began: when the run of the DAG began, in seconds since 1970
    :param store: the file that stands for Airflow's task state store; there is none without
    :param deferral: what was stored when the task was deferred, and the event that ended the wait
    :param fault: what befalls it
    """

    does: str
    operator: str
    parameters: Mapping[str, Any]
    environment: Mapping[str, str]
    clock: str
    ahead: float
    task_run: Mapping[str, Any]
    began: float
    store: str | None
    deferral: Mapping[str, Any] = field(default_factory=dict)
    fault: Fault | None = None
