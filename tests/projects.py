"""A Playment project whose batches a test opens, finishes, changes and removes, on a real socket."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from unittest import mock

from airflow_batch_provider.testing import no_backoff
from tests.vendor_server import Answer, VendorServer, serve


@dataclass
class Project:
    """The batches, by id; each has a status, and as many jobs as it is told."""

    batches: dict[str, dict[str, Any]] = field(default_factory=dict)
    server: VendorServer | None = None

    def put(self, batch_id: str, jobs: int, *, done: bool = True, **more: Any) -> None:
        """Create a batch, or change it."""
        created = f"2026-01-01T00:00:{len(self.batches):02d}Z"
        before = self.batches.get(batch_id, {"created_at": created, "is_default": False})
        status = "Complete" if done else "In Progress"
        counts = {"total_jobs": jobs, "completed_jobs": jobs if done else 0}
        self.batches[batch_id] = {**before, "id": batch_id, "name": batch_id, "status": status, **counts, **more}

    @property
    def exported(self) -> list[str]:
        """The batches whose jobs were read, in turn."""
        assert self.server
        return [asked.path.rpartition("/")[2] for asked in self.server.asked if "/batch/" in asked.path]

    def answer(self, method: str, path: str, query: dict[str, str], headers: Any) -> Answer:
        """Answer as the vendor does."""
        if path.endswith("/details"):
            body: dict[str, Any] = {"name": "P", "base": "IMAGE", "batches": list(self.batches.values())}
        else:
            batch = self.batches[path.rpartition("/")[2]]
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
