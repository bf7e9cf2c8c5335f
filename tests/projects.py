"""A Playment project whose batches a test opens, finishes, changes and removes, on a real socket."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from unittest import mock
from urllib.parse import unquote

from airflow_batch_provider.testing import no_backoff
from tests.vendor_server import Answer, VendorServer, serve


@dataclass
class Project:
    """The batches, by id; each has a status, and as many jobs as it is told."""

    batches: dict[str, dict[str, Any]] = field(default_factory=dict)
    server: VendorServer | None = None
    created: int = 0

    def put(self, batch_id: str, jobs: int, *, done: bool = True, **more: Any) -> None:
        """Create a batch, or change it."""
        if batch_id not in self.batches:
            self.created += 1
            minutes, seconds = divmod(self.created, 60)
            created = f"2026-01-01T{minutes // 60:02d}:{minutes % 60:02d}:{seconds:02d}Z"
            self.batches[batch_id] = {"created_at": created, "is_default": False}
        before = self.batches[batch_id]
        status = "Complete" if done else "In Progress"
        counts = {"total_jobs": jobs, "completed_jobs": jobs if done else 0}
        self.batches[batch_id] = {**before, "id": batch_id, "name": batch_id, "status": status, **counts, **more}

    @property
    def exported(self) -> list[str]:
        """The batches whose jobs were read, in turn."""
        assert self.server
        return [unquote(asked.path.rpartition("/")[2]) for asked in self.server.asked if "/batch/" in asked.path]

    def answer(self, method: str, path: str, query: dict[str, str], headers: Any) -> Answer:
        """Answer as the vendor does."""
        if path.endswith("/details"):
            body: dict[str, Any] = {"name": "P", "base": "IMAGE", "batches": list(self.batches.values())}
        else:
            batch = self.batches.get(unquote(path.rpartition("/")[2]), {})
            if not batch:
                error = {"code": "resource_not_found", "message": "no such batch"}
                return Answer(404, json.dumps({"error": error, "success": False}).encode())
            jobs = [
                {"id": f"{batch['id']}-{number}", "reference_id": str(number), "status": "completed"}
                for number in range(batch["total_jobs"])
            ]
            body = {"id": batch["id"], "project_id": "p", "name": "B", "jobs": jobs}
        return Answer(200, json.dumps({"data": body, "success": True}).encode())


@contextmanager
def project() -> Iterator[Project]:
    """Serve a project, which the default connection leads to."""
    made = Project()
    with serve(made.answer) as made.server:
        connection = {"conn_type": "playment", "host": made.server.url, "password": "k", "extra": {"project_id": "p"}}
        environment = {"AIRFLOW_CONN_PLAYMENT_DEFAULT": json.dumps(connection)}
        with mock.patch.dict("os.environ", environment), no_backoff():
            yield made
