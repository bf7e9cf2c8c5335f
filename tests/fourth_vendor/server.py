"""Acme's API on a real socket. Nothing here imports the package or Acme's declarations."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.vendor_server import Answer, VendorServer, serve

KEY = "acme-secret-key"
PAGE_SIZE = 40


def fault(status: int, word: str, text: str = "Acme says no") -> Answer:
    """Return a failure in Acme's own envelope."""
    return Answer(status, json.dumps({"fault": {"word": word, "text": text}}).encode())


@dataclass
class Acme:
    """The jobs of team ``t/1``.

    :param jobs: Acme's objects by id
    :param answers: what is answered first, instead of jobs
    :param typed_at: the number of the request from which on every job is typed
    """

    jobs: dict[str, dict[str, Any]] = field(default_factory=dict)
    answers: list[Answer] = field(default_factory=list)
    typed_at: int | None = None
    server: VendorServer = field(init=False)

    def __call__(self, method: str, path: str, query: dict[str, str], headers: Mapping[str, str]) -> Answer:
        if headers.get("X-Acme-Key") != KEY:
            return fault(401, "unknown_key")
        if self.answers:
            return self.answers.pop(0)
        if (method, path) != ("GET", "/teams/t%2F1/jobs"):
            return fault(404, "no_such_team")
        if self.typed_at is not None and len(self.server.asked) >= self.typed_at:
            self.jobs = {job_id: {**job, "status": "typed"} for job_id, job in self.jobs.items()}
        ids = list(self.jobs)
        start = ids.index(query["after"]) + 1 if "after" in query else 0
        page = ids[start : start + PAGE_SIZE]
        after = page[-1] if start + PAGE_SIZE < len(ids) else None
        return Answer(body=json.dumps({"jobs": [self.jobs[job_id] for job_id in page], "after": after}).encode())


def job(number: int, status: str) -> dict[str, Any]:
    """Return a job as Acme tells it; ``speakers`` is not documented."""
    uploaded_at = f"2026-03-01T{number % 24:02d}:00:00Z"
    return {"id": f"job {number}", "status": status, "minutes": number, "uploaded_at": uploaded_at, "speakers": ["a"]}


@contextmanager
def serving(count: int = 100, status: str = "typing") -> Iterator[Acme]:
    """Serve Acme with so many jobs, the default connection leading there."""
    acme = Acme({row["id"]: row for row in (job(number, status) for number in range(count))})
    with serve(acme) as acme.server, pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIRFLOW_CONN_ACME_DEFAULT", connection(acme.server.url))
        yield acme


def connection(url: str, *, key: str = KEY, **extra: Any) -> str:
    """Return a connection to Acme, to the team ``t/1`` if nothing is said."""
    return json.dumps({"conn_type": "acme", "host": url, "password": key, "extra": extra or {"team_id": "t/1"}})
