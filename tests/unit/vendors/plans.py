"""Runs a vendor's plan against answers that a test writes down: no request, no file, no pause."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from airflow_batch_provider.apis.batch_state import BatchState, Outcome
from airflow_batch_provider.apis.endpoint import Found
from airflow_batch_provider.apis.page import Row
from airflow_batch_provider.apis.plans import (
    Ask,
    AskAll,
    Expired,
    Fetch,
    Find,
    Gather,
    Keep,
    Locate,
    Location,
    Pause,
    Plan,
    Refused,
    SavedFile,
    Step,
)
from airflow_batch_provider.apis.results import Batch, Item

GONE = Refused("GET /x: HTTP 404", is_missing=True)
WHY_GONE = f"{GONE.reason}; it has expired, was deleted, or belongs to another project"
DENIED = Refused("GET /x: HTTP 422, code bad")
TOO_LARGE = Refused("GET /x: no answer that can be read", is_too_large=True)
EXPIRED = Expired()
NO_FILE = Refused("its file is no JSON, or ends early")
WAITED, OVER = True, False
"""What a pause says: that it has waited, or that the time is over."""


class Stored:
    """The answer to a step that stores a file.

    :param content: what the file contains, for a plan that reads it
    """

    def __init__(self, content: bytes = b"") -> None:
        self.content = content

    def of(self, step: Step) -> SavedFile:
        """Return the file that was stored."""
        assert isinstance(step, (Keep, Fetch))
        content = step.content if isinstance(step, Keep) else self.content
        sha256 = hashlib.sha256(content).hexdigest()
        is_read = isinstance(step, Fetch) and step.is_read
        path = f"files/{'0' * 12}/{sha256}.x"
        return SavedFile(step.kind.name, step.name, path, len(content), sha256, "x/y", content if is_read else None)


STORED = Stored()


def found(document: Mapping[str, Any]) -> Found:
    """Return an object as an endpoint answers with it."""
    return Found(dict(document), json.dumps(document).encode())


def parse_job(status: str = "COMPLETED", **body: Any) -> Found:
    """Return a parse job of LlamaCloud as it answers."""
    return found({"job": {"id": "p1", "status": status, "error_message": body.pop("error", None)}, **body})


def row(identifier: str, status: str, **fields: Any) -> Row:
    """Return a row of a batch's list."""
    return Row(identifier, status, json.dumps({"id": identifier, "status": status, **fields}).encode())


def url(text: str = "https://files.example/x?sig=1") -> Location:
    """Return where a file is."""
    return Location(text)


def batch(*kinds: str, outcome: Outcome = Outcome.SUCCEEDED, facts: Any = None, **values: Any) -> Batch:
    """Return a batch whose results are read."""
    return Batch(state=BatchState("b", "x", outcome), kinds=frozenset(kinds), facts=facts, values=values)


def run(plan: Plan[Any], answers: Sequence[Any]) -> tuple[Any, list[Step]]:
    """Give a plan its answers, all of them; return its result and its steps."""
    steps: list[Step] = []
    left = list(answers)
    try:
        step = next(plan)
        while True:
            if isinstance(step, Find):
                step = plan.send(step.gathered.get(step.id))
                continue
            steps.append(step)
            assert left, f"one step too many: {step}"
            answer = left.pop(0)
            step = plan.send(answer.of(step) if isinstance(answer, Stored) else answer)
    except StopIteration as end:
        assert not left, f"not asked for: {left}"
        return end.value, steps


def said(item: Item) -> tuple[str, str | None, list[str]]:
    """Return outcome, error and the kinds of the files of an item."""
    return str(item.outcome), item.error, [file.kind for file in item.files]


def asked(steps: Sequence[Step]) -> list[str]:
    """Return what each step asks for, in a word or two."""
    words = []
    for step in steps:
        match step:
            case Ask() | Locate():
                words.append(f"{type(step).__name__} {step.resource.name}")
            case AskAll() | Gather():
                words.append(f"{type(step).__name__} {step.listing.name}")
            case Keep() | Fetch():
                words.append(f"{type(step).__name__} {step.kind.name}")
            case Pause():
                words.append("Pause")
    return words
