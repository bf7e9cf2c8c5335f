"""Acme's API on a real socket. Nothing here imports the package or Acme's declarations."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.vendor_server import Answer, VendorServer, serve

KEY = "acme-secret-key"
SIGNATURE = "signed-by-acme"
RECORDINGS = 7
GARBLED, GONE = "recording 2", "recording 4"
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
    :param expired: how many of the next signed URLs have expired when they are used
    :param loses_answers: whether the answer to what makes a job is lost
    """

    jobs: dict[str, dict[str, Any]] = field(default_factory=dict)
    answers: list[Answer] = field(default_factory=list)
    typed_at: int | None = None
    expired: int = 0
    loses_answers: bool = False
    server: VendorServer = field(init=False)

    def __call__(self, method: str, path: str, query: dict[str, str], headers: Mapping[str, str]) -> Answer:
        if path.startswith("/texts/"):
            return self.text(path, query, headers)
        if headers.get("X-Acme-Key") != KEY:
            return fault(401, "unknown_key")
        if self.answers:
            return self.answers.pop(0)
        if found := re.fullmatch(r"/recordings/recording%20(\d+)/transcript", path):
            return self.transcript(int(found[1]))
        if found := re.fullmatch(r"/teams/t%2F1/jobs/job%20(\d+)(/recordings)?", path):
            one = {**self.jobs[f"job {found[1]}"], "recordings": RECORDINGS}
            return Answer(body=json.dumps({"recordings": recordings(), "after": None} if found[2] else one).encode())
        if (method, path) == ("POST", "/teams/t%2F1/jobs"):
            return self.create()
        if (method, path) != ("GET", "/teams/t%2F1/jobs"):
            return fault(404, "no_such_team")
        if self.typed_at is not None and len(self.server.asked) >= self.typed_at:
            self.jobs = {job_id: {**job, "status": "typed"} for job_id, job in self.jobs.items()}
        ids = list(self.jobs)
        start = ids.index(query["after"]) + 1 if "after" in query else 0
        page = ids[start : start + PAGE_SIZE]
        after = page[-1] if start + PAGE_SIZE < len(ids) else None
        return Answer(body=json.dumps({"jobs": [self.jobs[job_id] for job_id in page], "after": after}).encode())

    def create(self) -> Answer:
        """Make a job, which is typed at the next look at it; the answer may be lost."""
        asked = json.loads(self.server.asked[-1].body)
        made = {**job(len(self.jobs), "typed"), "label": asked["label"], "recordings": len(asked["recordings"])}
        self.jobs[made["id"]] = made
        return fault(502, "bad_gateway") if self.loses_answers else Answer(201, json.dumps(made).encode())

    def transcript(self, number: int) -> Answer:
        """Answer with what became of a recording, and a signed URL of its text."""
        if f"recording {number}" == GONE:
            return fault(404, "deleted")
        url = f"{self.server.url}/texts/{number}?signature={SIGNATURE}"
        return Answer(body=json.dumps({"words": words(number), "language": "de", "text_url": url}).encode())

    def text(self, path: str, query: dict[str, str], headers: Mapping[str, str]) -> Answer:
        """Answer with a text, as a storage does: by the signature, and never to a request with a key."""
        if "X-Acme-Key" in headers or query.get("signature") != SIGNATURE or self.expired:
            self.expired = max(0, self.expired - 1)
            return Answer(403, b"<Error><Code>AccessDenied</Code></Error>")
        return Answer(body=text_of(int(path.rpartition("/")[2])), headers={"Content-Type": "text/plain"})


def recordings() -> list[dict[str, Any]]:
    """Return the recordings of a job."""
    return [
        {"id": f"recording {n}", "status": "garbled" if f"recording {n}" == GARBLED else "typed", "minutes": n}
        for n in range(RECORDINGS)
    ]


def words(number: int) -> int:
    """Return how many words a recording has: more than fit into a double."""
    return 2**53 + number


def text_of(number: int) -> bytes:
    """Return the text of a recording."""
    return f"Grüß Gott, this is recording {number}.\n".encode()


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
