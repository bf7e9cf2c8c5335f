"""Playment as it counts: batches of a project and their jobs.

It refuses a batch with a name, and a job with a reference id, that the project has already. A batch works as soon as it
has a job, and nothing can be withdrawn.
"""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

from dev.chaos.counting.account import Account, Answer, Asked, Knobs, json_of, route

_INDIA = timezone(timedelta(hours=5, minutes=30))
_MOST_JOBS_OF_A_PAGE = 100


@dataclass(kw_only=True)
class PlaymentKnobs(Knobs):
    """How an account at Playment behaves.

    :param end: how a last page says so: absent, null or empty
    """

    end: str = "absent"


@dataclass(kw_only=True)
class _Batch:
    id: str
    project: str
    name: str
    description: str
    created: float
    is_default: bool = False


@dataclass(kw_only=True)
class _Job:
    id: str
    project: str
    batch: str
    reference: str
    work_flow: str
    created: float
    weight: int | None = None


class Playment(Account):
    """An account at Playment."""

    knobs_type = PlaymentKnobs
    knobs: PlaymentKnobs
    key_header = "x-api-key", ""

    def __init__(self, key: str, knobs: Knobs) -> None:
        super().__init__(key, knobs)
        self.batches: dict[str, _Batch] = {}
        self.jobs: dict[str, _Job] = {}
        self.by_reference: Counter[str] = Counter()

    def refuse(self, status: int, message: str, code: str = "FS_0000") -> Answer:
        """Return an error."""
        return Answer(status, {"error": {"code": code, "message": message}, "success": False})

    @staticmethod
    def _done(data: dict[str, Any]) -> Answer:
        return Answer(200, {"data": data, "success": True})

    def _new_id(self) -> str:
        return str(uuid.UUID(int=self.drawn.getrandbits(128), version=4))

    @route("POST", "/v1/projects/{}/batch")
    def create_batch(self, asked: Asked, project: str) -> Answer:
        self.check_names(asked)
        body = json_of(asked)
        if body is None:
            return self.refuse(400, "Malformed JSON", "GE_0001")
        self.check_names(asked, "name", "description", "label", "id", where="body", given=body)
        if not isinstance(body.get("name"), str) or not body["name"]:
            return self.refuse(400, "Parameter missing: name", "GE_0002")
        if any((one.project, one.name) == (project, body["name"]) for one in self.batches.values()):
            return self.refuse(400, "Batch with this name already exists in the project", "BATCH_CREATION")
        batch = self._add_batch(project, body["name"], body.get("description") or "")
        return self._done({"batch_id": batch.id})

    def _add_batch(self, project: str, name: str, description: str, *, is_default: bool = False) -> _Batch:
        batch = _Batch(
            id=self._new_id(),
            project=project,
            name=name,
            description=description,
            created=self.now(),
            is_default=is_default,
        )
        self.batches[batch.id] = batch
        return batch

    def _default_batch(self, project: str) -> _Batch:
        """Return the batch of jobs that name none."""
        for one in self.batches.values():
            if one.is_default and one.project == project:
                return one
        return self._add_batch(project, "Default", "", is_default=True)

    @route("POST", "/v1/projects/{}/jobs")
    def create_job(self, asked: Asked, project: str) -> Answer:
        self.check_names(asked)
        body = json_of(asked)
        if body is None:
            return self.refuse(400, "Malformed JSON", "GE_0001")
        known = ("reference_id", "work_flow_id", "data", "batch_id", "priority_weight")
        self.check_names(asked, *known, where="body", given=body)
        for name, kind, code in (
            ("reference_id", str, "FS_0002"),
            ("data", dict, "FS_0004"),
            ("work_flow_id", str, "FS_0005"),
        ):
            if not body.get(name) or not isinstance(body[name], kind):
                return self.refuse(400, f"{name} is missing", code)
        if not 1 <= (body.get("priority_weight") or 1) <= 9:
            return self.refuse(400, "Invalid priority weight", "FS_00012")
        batch = self.batches.get(body.get("batch_id") or self._default_batch(project).id)
        if batch is None or batch.project != project:
            return self.refuse(400, "Invalid batch id", "GE_0001")
        if batch.is_default:
            self.surprise("A job is created without a batch")
        if any((one.project, one.reference) == (project, body["reference_id"]) for one in self.jobs.values()):
            return self.refuse(400, "Reference id is used already", "FS_0001")
        job = _Job(
            id=self._new_id(),
            project=project,
            batch=batch.id,
            reference=body["reference_id"],
            work_flow=body["work_flow_id"],
            created=self.now(),
            weight=body.get("priority_weight"),
        )
        self.jobs[job.id] = job
        self.by_reference[job.reference] += 1
        facts = {"job_id": job.id, "reference_id": job.reference, "work_flow_id": job.work_flow}
        return self._done(facts)

    def settle(self) -> None:
        """Do nothing: what a job is follows from its time."""

    def _is_done(self, job: _Job) -> bool:
        return job.created + self.knobs.start_after + self.knobs.run_seconds <= self.now()

    def _jobs_of(self, batch: str) -> Sequence[_Job]:
        return [one for one in self.jobs.values() if one.batch == batch]

    @route("GET", "/v1/projects/{}/details")
    def details(self, asked: Asked, project: str) -> Answer:
        self.check_names(asked)
        found = self.listed(one for one in self.batches.values() if one.project == project)
        rows = [self._batch_row(one) for one in found]
        return self._done({"name": "A project", "base": "IMAGE", "batches": rows})

    def _batch_row(self, batch: _Batch) -> dict[str, Any]:
        jobs = self._jobs_of(batch.id)
        done = sum(map(self._is_done, jobs))
        return {
            "id": batch.id,
            "name": batch.name,
            "description": batch.description,
            "is_default": batch.is_default,
            "total_jobs": len(jobs),
            "completed_jobs": done,
            "total_frames": len(jobs),
            "completed_frames": done,
            "annotations": done,
            "created_at": datetime.fromtimestamp(batch.created, _INDIA).isoformat(),
            "status": "Complete" if jobs and done == len(jobs) else "In Progress",
        }

    @route("GET", "/v1/projects/{}/batch/{}")
    def batch_jobs(self, asked: Asked, project: str, identifier: str) -> Answer:
        self.check_names(asked, "page_token")
        batch = self.batches.get(identifier)
        if batch is None or batch.project != project:
            return self.refuse(400, "Invalid batch id", "GE_0001")
        found = self.listed(iter(self._jobs_of(identifier)))
        start, token = 0, asked.one("page_token")
        if token:
            position = [index for index, one in enumerate(found) if one.id == token]
            if not position:
                return self.refuse(400, "Invalid page token", "invalid_request_error")
            start = position[0] + 1
        page = found[start : start + min(_MOST_JOBS_OF_A_PAGE, self.knobs.page)]
        rows = [
            {
                "id": one.id,
                "reference_id": one.reference,
                "status": "completed" if self._is_done(one) else "in_progress",
                "frames": 1,
                "annotations": int(self._is_done(one)),
            }
            for one in page
        ]
        data: dict[str, Any] = {"id": "", "project_id": "", "name": batch.name, "jobs": rows}
        if start + len(page) < len(found):
            data["next_page_token"] = page[-1].id
        elif self.knobs.end != "absent":
            data["next_page_token"] = None if self.knobs.end == "null" else ""
        return self._done(data)

    @route("GET", "/v1/projects/{}/jobs/{}")
    def job(self, asked: Asked, project: str, identifier: str) -> Answer:
        self.check_names(asked)
        job = self.jobs.get(identifier)
        if job is None or job.project != project:
            return self.refuse(400, "Unit not found", "FS_0006")
        facts = {"project_id": project, "job_id": job.id, "reference_id": job.reference, "batch_id": job.batch}
        status = "completed" if self._is_done(job) else "in_progress"
        more = {"status": status, "work_flow_id": job.work_flow, "tag": job.work_flow, "result": ""}
        return self._done({**facts, **more, "priority_weight": job.weight or 5})

    def counted(self) -> dict[str, Any]:
        """Return the batches, which ran if they have jobs, and how many jobs were created by reference id."""
        batches = sorted((one for one in self.batches.values() if not one.is_default), key=lambda one: one.created)
        return {
            "created": [one.id for one in batches],
            "ran": [one.id for one in batches if self._jobs_of(one.id)],
            "cancelled_before_run": [],
            "handles": {one.id: one.name for one in batches},
            "jobs": dict(self.by_reference),
        }
