"""The process that forks the steps of tasks, and what a step does.

A step has points at which a fault can strike: before each request and after its answer, before and after a value is
stored or pushed as XCom, and before the process reports how it ended. The vendor's clock is ahead by the pauses that
the package would have made, so that none takes time.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.request import ProxyHandler, Request, build_opener

# All that a step needs, imported before the forks; none of it starts a thread.
import adlfs  # noqa: F401
import airflow.providers.amazon.aws.fs.s3
import airflow.providers.microsoft.azure.fs.adls
import airflow.providers.microsoft.azure.fs.msgraph
import airflow.sdk._shared.logging.structlog
import airflow.sdk.bases.sensor
import airflow.sdk.execution_time.supervisor
import asgiref.sync  # noqa: F401
import tenacity  # noqa: F401
from airflow.providers.common.compat.sdk import AirflowFailException, AirflowSensorTimeout, TaskDeferred

import airflow_batch_provider.operators.llamacloud
import airflow_batch_provider.operators.playment
import airflow_batch_provider.operators.talkifai
import airflow_batch_provider.sensors.llamacloud
import airflow_batch_provider.sensors.playment
import airflow_batch_provider.sensors.talkifai
import airflow_batch_provider.submitting.files
import airflow_batch_provider.submitting.rows
import airflow_batch_provider.triggers.batch
import airflow_batch_provider.waiting.pollers
import airflow_batch_provider.waiting.reader  # noqa: F401
from airflow_batch_provider import backoff
from airflow_batch_provider.client.session import Session
from airflow_batch_provider.submitting import submit
from dev.chaos.forking import serve
from dev.chaos.submitting.steps import EXECUTE, KILL, KILL_LATER, MARKED, RESUME, STOP, TERMINATE, TRIGGER, Fault

_SIGNALS = {KILL: signal.SIGKILL, STOP: signal.SIGSTOP, TERMINATE: signal.SIGTERM}
_OPENER = build_opener(ProxyHandler({}))


class GivenUpError(Exception):
    """Airflow has given up this try."""


class Points:
    """The points that a step has reached, and what strikes at one of them.

    :param fault: what strikes
    """

    def __init__(self, fault: Fault | None) -> None:
        self._fault = fault
        self._lock = threading.Lock()
        self.names: list[str] = []
        self.mark: Callable[[], object] = lambda: None

    def reach(self, name: str) -> None:
        """Reach a point."""
        with self._lock:
            nth = len(self.names)
            self.names.append(name)
        if self._fault is None or nth != self._fault.nth:
            return
        if self._fault.kind == MARKED:
            self.mark()
        else:
            os.kill(os.getpid(), _SIGNALS[self._fault.kind])

    @contextlib.contextmanager
    def around(self, name: str) -> Any:
        """Reach a point before and after the block."""
        self.reach(f"before {name}")
        yield
        self.reach(f"after {name}")


class _Store:
    """Airflow's task state store: it outlives tries, and refuses one that Airflow has given up.

    :param path: its file, which names the try that runs now, too
    :param try_number: the one that this process is of
    :param points: where to report
    """

    def __init__(self, path: Path, try_number: int, points: Points) -> None:
        self._path = path
        self._try_number = try_number
        self._points = points

    def _read(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self._path.read_text())
        if found["try_number"] != self._try_number:
            raise GivenUpError("Task instance not found")
        return found

    def get(self, key: str, default: Any = None) -> Any:
        return self._read()["values"].get(key, default)

    def set(self, key: str, value: Any, **_: Any) -> None:
        with self._points.around(f"storing {key}"):
            found = self._read()
            found["values"][key] = value
            new = self._path.with_suffix(f".{os.getpid()}")
            new.write_text(json.dumps(found))
            new.rename(self._path)


class _TaskInstance(SimpleNamespace):
    """A task instance, whose XComs are kept."""

    def xcom_push(self, key: str, value: Any) -> None:
        with self.points.around(f"pushing {key}"):
            self.xcoms[key] = value


class _Ahead(datetime):
    """The vendor's time instead of ours."""

    ahead = 0.0

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
        return datetime.now(tz) + timedelta(seconds=cls.ahead)


class _Process:
    """One step.

    :param step: the fields of a :class:`~dev.chaos.submitting.steps.Step`
    """

    def __init__(self, step: Mapping[str, Any]) -> None:
        self.step = step
        self.fault = Fault(**step["fault"]) if step["fault"] else None
        self.points = Points(self.fault)
        self.xcoms: dict[str, Any] = {}

    def run(self) -> dict[str, Any]:
        """Return how the step ended."""
        os.environ.update(self.step["environment"])
        self._watch()
        if self.fault and self.fault.kind == KILL_LATER:
            signal.signal(signal.SIGALRM, signal.SIG_DFL)  # which ends the process, and lets nothing of it run
            signal.setitimer(signal.ITIMER_REAL, self.fault.seconds)
        try:
            end = asyncio.run(self._wait()) if self.step["does"] == TRIGGER else self._work()
        except TaskDeferred as deferred:
            trigger, arguments = deferred.trigger.serialize()
            stored = {"trigger": trigger, "arguments": arguments, "method": deferred.method_name}
            end = {"deferral": {**stored, "kwargs": deferred.kwargs}}
        except BaseException as error:  # noqa: BLE001 - whatever ends the step is its result
            is_final = isinstance(error, (AirflowFailException, AirflowSensorTimeout))
            end = {"error": type(error).__name__, "message": str(error), "is_final": is_final}
        self.points.reach("reporting")
        signal.setitimer(signal.ITIMER_REAL, 0)
        return {**json.loads(json.dumps(end)), "points": self.points.names, "xcoms": self.xcoms}

    def _watch(self) -> None:
        _Ahead.ahead = self.step["ahead"]
        submit.datetime = _Ahead  # type: ignore[attr-defined]
        backoff.pause = self._let_pass
        airflow.sdk.bases.sensor.time = SimpleNamespace(  # type: ignore[attr-defined]
            **{**vars(airflow.sdk.bases.sensor.time), "sleep": self._let_pass}
        )
        send = Session.send

        def watched(session: Session, request: Any, *arguments: Any) -> Any:
            with self.points.around(f"{request.method} {request.path}"):
                return send(session, request, *arguments)

        Session.send = watched  # type: ignore[method-assign,assignment]

    def _let_pass(self, seconds: float) -> None:
        url = f"{self.step['clock']}&seconds={seconds}"
        with _OPENER.open(Request(url, b"{}"), timeout=60) as answer:  # noqa: S310 - the vendors of the trial
            answer.read()

    def _work(self) -> dict[str, Any]:
        module, _, name = self.step["operator"].rpartition(".")
        operator = getattr(import_module(module), name)(task_id="submit", **self.step["parameters"])
        if items := getattr(operator, "items", None):
            operator.items = lambda: self._read(items)
        context = self._context() if self.step["does"] in {EXECUTE, RESUME} else {}
        # As Airflow's task runner does.
        signal.signal(signal.SIGTERM, lambda number, frame: operator.on_kill())
        if self.step["does"] != RESUME:
            return {"result": operator.execute(context)}
        deferral = self.step["deferral"]
        kwargs = {**(deferral["kwargs"] or {}), "event": deferral["event"]}
        self.points.reach("resuming")
        return {"result": operator.resume_execution(deferral["method"], kwargs, context)}

    def _read(self, items: Callable[[], Any]) -> Any:
        with self.points.around("reading the items"):
            return items()

    def _context(self) -> Any:
        task_run, store = self.step["task_run"], self.step["store"]
        context = {
            "ti": _TaskInstance(**task_run, points=self.points, xcoms=self.xcoms),
            "dag_run": SimpleNamespace(start_date=datetime.fromtimestamp(self.step["began"], UTC)),
        }
        if store:
            context["task_state_store"] = _Store(Path(store), task_run["try_number"], self.points)
        return context

    async def _wait(self) -> dict[str, Any]:
        """Wait as the triggerer does: for the event, or until somebody ends the task."""
        deferral = self.step["deferral"]
        module, _, name = deferral["trigger"].rpartition(".")
        trigger = getattr(import_module(module), name)(**deferral["arguments"])
        events, loop = trigger.run(), asyncio.get_running_loop()
        waiting = asyncio.ensure_future(anext(events))
        self.points.mark = lambda: loop.call_soon_threadsafe(waiting.cancel)
        self.points.reach("waiting")
        try:
            return {"event": (await waiting).payload}
        except asyncio.CancelledError:
            await trigger.on_kill()
            return {"marked": True}
        finally:
            await events.aclose()
            await trigger.cleanup()


def _run(step: Mapping[str, Any]) -> dict[str, Any]:
    return _Process(step).run()


if __name__ == "__main__":
    serve(Path(sys.argv[1]), _run)
