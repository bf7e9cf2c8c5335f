"""Runs the plans of submissions against answers that a test writes down: no request, no pause."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from airflow_batch_provider.apis.page import Row
from airflow_batch_provider.apis.plans import Ask, AskAll, Pause, Plan, Refused
from airflow_batch_provider.apis.submissions import Ambiguous, Create, Each, Know, Standing, Stopped, Tell, Work
from airflow_batch_provider.exceptions import (
    AmbiguousRequestError,
    NotFoundError,
    RequestRefusedError,
)
from tests.unit.vendors.plans import found

NOW = datetime(2026, 3, 1, 12, 0, 0, 500, tzinfo=UTC)
KEY = "0123456789abcdef"
DESCRIPTION = "Airflow: DAG d, run r, task t"

LOST = Ambiguous(AmbiguousRequestError("the answer was lost"))
CLASH = Refused("HTTP 400, code BAD", cause=RequestRefusedError("refused", status=400, code="BAD"))
MISSING = Refused("HTTP 404", is_missing=True, cause=NotFoundError("not there", status=404))

Script = Sequence[tuple[str, Any]]
"""The endpoints that are asked, in order, and what each answers: an object, or a list of rows."""


@dataclass
class Ran:
    """What a plan did.

    :param end: what it returned
    :param sent: what it created or changed, by endpoint
    :param asked: the values of every request
    """

    end: Any = None
    sent: list[Create] = field(default_factory=list)
    asked: list[Mapping[str, Any]] = field(default_factory=list)
    known: list[str] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    paused: list[float] = field(default_factory=list)
    standing: str = ""

    @property
    def names(self) -> list[str]:
        """The endpoints that something was sent to."""
        return [step.resource.name for step in self.sent]

    @property
    def said(self) -> str:
        """All words for people."""
        reason = self.end.reason if isinstance(self.end, Stopped) else ""
        return "\n".join([reason, self.standing, *self.told])


def run(plan: Plan[Any], script: Script) -> Ran:
    """Run a plan to its end; it must ask for just what the script answers, in that order."""
    ran, left = Ran(), list(script)
    ran.end = _run(plan, left, ran)
    assert not left, f"not asked for: {[name for name, _ in left]}"
    return ran


def _run(plan: Plan[Any], left: list[tuple[str, Any]], ran: Ran) -> Any:
    try:
        step = next(plan)
        while True:
            step = plan.send(_answer(step, left, ran))
    except StopIteration as end:
        return end.value


def _answer(step: Any, left: list[tuple[str, Any]], ran: Ran) -> Any:
    match step:
        case Know():
            ran.known.append(step.batch_id)
        case Tell():
            ran.told.append(step.sentence)
        case Standing():
            ran.standing = step.sentence
        case Pause():
            ran.paused.append(step.seconds)
        case Each():
            ended = [_run(make(), left, ran) for make in step.plans]
            return [end for end in ended if end is not None]
        case Ask() | AskAll() | Create():
            return _next(step, left, ran)
        case _:
            raise AssertionError(step)
    return True


def _next(step: Any, left: list[tuple[str, Any]], ran: Ran) -> Any:
    name = step.listing.name if isinstance(step, AskAll) else step.resource.name
    assert left, f"one request too many: {name} {step.values}"
    expected, answer = left.pop(0)
    assert name == expected
    ran.asked.append(step.values)
    if isinstance(step, Create):
        ran.sent.append(step)
    if isinstance(answer, list):
        pick = step.pick or (lambda row: row)
        picked = [pick(as_row(document)) for document in answer]
        return [copy for copy in picked if copy is not None]
    return found(answer) if isinstance(answer, dict) else answer


def as_row(document: Mapping[str, Any]) -> Row:
    """Return an object as a row of a listing."""
    return Row(str(document.get("id")), str(document.get("status")), json.dumps(document).encode())


def work(values: Mapping[str, Any], items: Any = None, **fields: Any) -> Work:
    """Return a piece of work."""
    return Work(**{"key": KEY, "description": DESCRIPTION, "values": values, "items": items, "now": NOW, **fields})
