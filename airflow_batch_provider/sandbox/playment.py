"""The annotation API of TELUS International (Playment).

Read from its "Get project details", "Get batch jobs", "Get job results" and "Error codes" pages.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from airflow_batch_provider.sandbox.annotation import PUBLIC, annotation_count, attachment_url
from airflow_batch_provider.sandbox.faults import Handler, Refused
from airflow_batch_provider.sandbox.playment_jobs import ANNOTATIONS, JobsOfABatch, PlaymentJobs, SubmittedJob
from airflow_batch_provider.sandbox.storage import Storage
from airflow_batch_provider.sandbox.world import PERIOD, Matches, World, utc

PAGE_SIZE = 100  # fixed; no parameter changes it
NANOSECONDS_BETWEEN_JOBS = 1_046_000
INDIA_AHEAD = (5 * 60 + 30) * 60_000  # milliseconds
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
TOKEN = re.compile(r"[0-9]{1,19}")


@dataclass(frozen=True)
class Batch:
    """A batch of the project: how many jobs (None: as set), the share of them done at the start."""

    name: str
    jobs: int | None
    done_at_start: float = 1.0
    description: str = ""
    is_default: bool = False


BATCHES = (
    Batch("default", 7, is_default=True),
    Batch("Batch 1", None, 0.5, "These are the jobs created on 23rd August"),
    Batch("empty", 0),
    Batch('Straßenszenen "Nacht" 東京', 100, description="first line\nsecond line, with a \\ and a 'quote'"),
    Batch("one page and one job", 101, 0.0),
    Batch("b2", 3, 0.3),
)
BIG = 1
DONE = 3  # all its jobs are completed from the start


def failure(code: str, message: str) -> JSONResponse:
    """Give a failure: HTTP 400, as documented for all, a wrong key and faults of their own included."""
    return JSONResponse({"error": {"code": code, "message": message}, "success": False}, 400)


class Playment:
    """The endpoints of one project with six batches.

    :param world: the seeded data.
    :param storage: where results are.
    :param jobs: what was submitted.
    """

    def __init__(self, world: World, storage: Storage, jobs: PlaymentJobs) -> None:
        self._world, self._storage, self._jobs = world, storage, jobs
        self.api_key = f"playment-sandbox-{world.digest('playment key')}"
        self.project_id = world.uuid("playment project")
        self.work_flow_id = world.uuid("playment work flow")
        self.batch_ids = [world.uuid("playment batch", number) for number in range(len(BATCHES))]

    @property
    def handlers(self) -> Mapping[str, Handler]:
        """The endpoints; current documents say v1, the official SDK reads v0."""
        endpoints: dict[str, Handler] = {
            "details": self.project_details,
            "batch/{batch_id}": self.batch_jobs,
            "jobs/{job_id}": self.job_result,
        }
        return {f"/v{v}/projects/{{project_id}}/{path}": endpoints[path] for v in (0, 1) for path in endpoints}

    def transient_fault(self, draw: float) -> Response:
        """Give Playment's "try again later", which is an HTTP 400 too."""
        return failure("FS_0000", "Something went wrong at our end. Please try again later")

    async def project_details(self, request: Request) -> Response:
        """List all batches of the project in one answer."""
        self.admit(request)
        elapsed = self._world.elapsed()
        batches = [self._submitted_batch(batch) for batch in self._jobs.listed()]
        batches += [self._batch(number, elapsed) for number in range(len(BATCHES))]
        return self.success({"name": "Project XYZ", "base": "IMAGE", "batches": batches})

    async def batch_jobs(self, request: Request) -> Response:
        """List the jobs of a batch, a page of 100; the token is the time of the last job so far."""
        self.admit(request)
        batch_id = self._path_id(request, "batch_id")
        number = self.batch_ids.index(batch_id) if batch_id in self.batch_ids else None
        batch, ours = self._jobs.find_batch(batch_id), self._jobs.jobs_of(batch_id)
        if number is None and batch is None:
            raise Refused(failure("FS_0006", "Batch not found"))
        seeded = 0 if number is None else self._size(number)
        total, elapsed = seeded + len(ours), self._world.elapsed()
        origin = self._origin(number, batch)
        start = self._position(origin, total, request.query_params.get("page_token", ""))
        end = min(start + PAGE_SIZE, total)
        token = origin + end * NANOSECONDS_BETWEEN_JOBS
        jobs = [self._job(number or 0, index, elapsed) for index in range(start, min(end, seeded))]
        jobs += [self._jobs.row(job) for job in ours[max(start - seeded, 0) : max(end - seeded, 0)]]
        return self.success(
            {
                "id": "",  # empty in the documented sample, as is the next
                "project_id": "",
                "name": BATCHES[number].name if number is not None else batch and batch.name,
                "jobs": jobs,
                **self._world.settings.next_page_token(str(token) if end < total else None),
            }
        )

    async def job_result(self, request: Request) -> Response:
        """Give one job with the address of its result, which is empty until the job is completed."""
        self.admit(request)
        job_id = self._path_id(request, "job_id")
        if submitted := self._jobs.find_job(job_id):
            return self.success(self._submitted_result(submitted, request))
        found = self._find(job_id)
        if found is None:
            raise Refused(failure("FS_0006", "Job not found"))
        job = self._job(*found, self._world.elapsed())
        done = job["status"] == "completed"
        return self.success(
            {
                "project_id": self.project_id,
                "reference_id": job["reference_id"],
                "job_id": job_id,
                "batch_id": self.batch_ids[found[0]],
                "status": job["status"],
                "work_flow_id": self.work_flow_id,
                "priority_weight": 5,
                "tag": self.work_flow_id,
                "result": self._address(found[1], job_id, request) if done else "",
            }
        )

    def is_completed(self, job_id: str) -> bool:
        """Return whether a job is there and completed."""
        found = self._find(job_id)
        return found is not None and self._done(*found, self._world.elapsed())

    def admit_key(self, request: Request) -> None:
        """Check the key."""
        if request.headers.get("x-api-key") != self.api_key:
            raise Refused(failure("auth-failure", "Invalid API key"))

    def _find(self, job_id: str) -> tuple[int, int] | None:
        """Return a job's batch and its position there, or None."""
        for number in range(len(BATCHES)):
            index = self._world.find(f"playment job/{number}", job_id, self._size(number))
            if index is not None:
                return number, index
        return None

    def _address(self, index: int, job_id: str, request: Request) -> str:
        url = self._storage.url(request, f"playment/{job_id}.json")
        return url if index % 10 == PUBLIC else attachment_url(self._storage.api_url(request), url)

    def success(self, data: dict[str, Any]) -> Response:
        """Return the envelope of a success."""
        return JSONResponse({"data": data, "success": True})

    def admit(self, request: Request) -> None:
        """Check key and project."""
        self.admit_key(request)
        if self._path_id(request, "project_id") != self.project_id:
            raise Refused(failure("unauthorized", "You do not have access to this project"))

    def _path_id(self, request: Request, name: str) -> str:
        value = str(request.path_params[name])
        if not UUID.fullmatch(value):
            raise Refused(failure("GE_0001", f"Invalid UUID passed: {name}"))
        return value

    def _origin(self, number: int | None, batch: JobsOfABatch | None) -> int:
        """Return when a batch was created, in Unix nanoseconds."""
        if number is not None:
            return self._created(number) * 1000
        return batch.created * 1_000_000 if batch else 0

    def _position(self, origin: int, total: int, token: str) -> int:
        """Give the job at which the page of a token begins; blank is the first page, as documented."""
        if not token:
            return 0
        if TOKEN.fullmatch(token):
            index, off = divmod(int(token) - origin, NANOSECONDS_BETWEEN_JOBS)
            if off == 0 and 0 < index <= total:
                return index
        raise Refused(failure("invalid_request_error", "Page token is invalid"))

    def _size(self, number: int) -> int:
        limit, jobs = BATCHES[number].jobs, self._world.settings.jobs
        return jobs if limit is None else min(limit, jobs)

    def _created(self, number: int) -> int:
        """Give when a batch was created, in Unix microseconds: a day before the one before it."""
        seconds = self._world.started // 1000 - (number + 1) * 86_400
        return seconds * 1_000_000 + 203_229 + number * 30_781

    def _done(self, number: int, index: int, elapsed: float) -> bool:
        """Tell whether a job is completed: some are at the start, the others follow evenly, in mixed order."""
        share, at_start = (index * 37 % PERIOD + 1) / PERIOD, BATCHES[number].done_at_start
        left = (share - at_start) * self._world.settings.duration
        return share <= at_start or elapsed * (1 - at_start) >= left

    def _job(self, number: int, index: int, elapsed: float) -> dict[str, Any]:
        done = self._done(number, index, elapsed)
        # The reference is the customer's own text.
        odd = {3: f'Köln/"Dom" {index}', 5: f"東京 {index}\nsecond line"}.get(index % PERIOD)
        return {
            "id": self._world.uuid(f"playment job/{number}", index),
            "reference_id": odd or f"{index + 1:03d}",
            "status": "completed" if done else "pending",
            "frames": 1,
            "annotations": annotation_count(index) if done else 0,
        }

    def _batch(self, number: int, elapsed: float) -> dict[str, Any]:
        batch, total, created = BATCHES[number], self._size(number), self._created(number)
        done = Matches.of(range(total), lambda index: self._done(number, index, elapsed))
        over = batch.done_at_start >= 1 or elapsed >= self._world.settings.duration
        row = {
            "id": self.batch_ids[number],
            "name": batch.name,
            "description": batch.description,
            "is_default": batch.is_default,
            "total_jobs": total,
            "completed_jobs": len(done),
            "total_frames": total,
            "completed_frames": len(done),
            "annotations": done.total(annotation_count),
            "created_at": _created_at(created),
            # Only "Complete" is documented. The default batch takes new jobs for ever: never complete.
            "status": "Complete" if over and not batch.is_default else "In Progress",
        }
        return self._with(row, self._jobs.jobs_of(self.batch_ids[number]))

    def _submitted_batch(self, batch: JobsOfABatch) -> dict[str, Any]:
        jobs = self._jobs.jobs_of(batch.id)
        counters = ("total_jobs", "completed_jobs", "total_frames", "completed_frames", "annotations")
        row = {
            "id": batch.id,
            "name": batch.name,
            "description": batch.description,
            "is_default": False,
            **dict.fromkeys(counters, 0),
            "created_at": _created_at(batch.created * 1000),
            "status": "Complete" if jobs else "In Progress",
        }
        return self._with(row, jobs)

    def _with(self, row: dict[str, Any], jobs: list[SubmittedJob]) -> dict[str, Any]:
        """Add jobs to a batch, which is not complete while they are not over."""
        now = self._jobs.now()
        for job in jobs:
            done = job.status(now) == "completed"
            row["total_jobs"] += 1
            row["total_frames"] += job.frames
            row["completed_jobs"] += done
            row["completed_frames"] += job.frames if done else 0
            row["annotations"] += ANNOTATIONS if done else 0
        if any(now < job.ends for job in jobs):
            row["status"] = "In Progress"
        return row

    def _submitted_result(self, job: SubmittedJob, request: Request) -> dict[str, Any]:
        status = job.status(self._jobs.now())
        url = self._storage.url(request, f"playment/{job.id}.json")
        return {
            "project_id": self.project_id,
            "reference_id": job.reference_id,
            "job_id": job.id,
            "batch_id": job.batch_id,
            "status": status,
            "work_flow_id": job.tag,
            "priority_weight": job.priority_weight,
            "tag": job.tag,
            "result": attachment_url(self._storage.api_url(request), url) if status == "completed" else "",
        }


def _created_at(microseconds: int) -> str:
    """Return a time as documented: Indian, and no zero at the end of the fraction (Batch 1: .23401)."""
    local, fraction = utc(microseconds // 1000 + INDIA_AHEAD)[:-4], f"{microseconds % 1_000_000:06d}"
    return f"{local}.{fraction.rstrip('0') or '0'}+05:30"
