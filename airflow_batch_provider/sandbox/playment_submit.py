"""Creates Playment's batches and jobs.

Read from its "Create a batch", "Create a job" and "Error codes" pages, and the paths from its SDK.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from airflow_batch_provider.sandbox.bodies import json_object
from airflow_batch_provider.sandbox.faults import Handler, Refused
from airflow_batch_provider.sandbox.journal import VendorName
from airflow_batch_provider.sandbox.playment import BATCHES, UUID, Playment, failure
from airflow_batch_provider.sandbox.playment_jobs import PlaymentJobs

VERSIONS = ("v0", "v1")
SDK_JOBS = "/projectsvc/projects/{project_id}/jobs"
SCHEMES = ("http", "https", "s3", "gs")
PRIORITIES = range(1, 11)  # 1 to 10 in one page, 1 to 9 in another
REFUSALS = {
    402: ("unauthorized", "The plan of the organization has no jobs left"),
    409: ("BATCH_CREATION", "Batch name already exists in the project"),
    422: ("GE_0001", "The request was refused"),
}


class PlaymentSubmit:
    """The endpoints of one project.

    :param api: the endpoints of the project.
    :param jobs: what was submitted.
    """

    vendor: VendorName = "playment"

    def __init__(self, api: Playment, jobs: PlaymentJobs) -> None:
        self._api, self._jobs = api, jobs

    @property
    def handlers(self) -> Mapping[str, Handler]:
        """The endpoints; the official SDK has other paths than the current documents."""
        batches = [f"/{v}/{project}/{{project_id}}/batch" for v in VERSIONS for project in ("projects", "project")]
        jobs = [*(f"/{version}/projects/{{project_id}}/jobs" for version in VERSIONS), SDK_JOBS]
        return {
            **{f"POST {path}": self.create_batch for path in batches},
            **{f"POST {path}": self.create_job for path in jobs},
        }

    @property
    def creates(self) -> Mapping[str, bool]:
        """All of them."""
        return dict.fromkeys(self.handlers, True)

    def transient_fault(self, draw: float) -> Response:
        """Give Playment's "try again later"."""
        return self._api.transient_fault(draw)

    def refusal(self, status: int) -> Response:
        """Return Playment's form of a status: HTTP 400, but for 429, which its SDK knows."""
        if status == 429:
            error = {"code": "too_many_requests", "message": "Too many requests"}
            return JSONResponse({"error": error, "success": False}, status, {"Retry-After": "0"})
        return failure(*REFUSALS[status])

    async def create_batch(self, request: Request) -> Response:
        """Create a batch; its name must be new in the project."""
        fields = await self._fields(request)
        name, description = fields.get("name"), fields.get("description") or ""
        if not name:
            raise Refused(failure("GE_0002", "Parameter missing: name"))
        if not isinstance(name, str) or not isinstance(description, str):
            raise Refused(failure("GE_0001", "name and description must be strings"))
        if name in self._jobs.names() | {batch.name for batch in BATCHES}:
            raise Refused(failure("BATCH_CREATION", "Batch name already exists in the project"))
        batch = self._jobs.add_batch(name, description)
        self._jobs.recorder.note("playment", "batches", name)
        return self._api.success({"batch_id": batch.id})

    async def create_job(self, request: Request) -> Response:
        """Create a job; its reference id must be new in the project. Without a batch it goes to the default one."""
        fields = await self._fields(request)
        reference_id, data = fields.get("reference_id"), fields.get("data")
        if not reference_id or not isinstance(reference_id, str):
            raise Refused(failure("FS_0002", "reference_id is missing"))
        if not data:
            raise Refused(failure("FS_0004", "data is missing"))
        flow = next((name for name in ("work_flow_id", "tag") if fields.get(name)), None)
        if flow is None or not isinstance(fields[flow], str):
            raise Refused(failure("FS_0005", "work_flow_id is missing"))
        if problem := _problem(data):
            raise Refused(failure("FS_0003", problem))
        priority = fields.get("priority_weight", 5)
        if not isinstance(priority, int) or isinstance(priority, bool) or priority not in PRIORITIES:
            raise Refused(failure("FS_00012", "priority_weight must be from 1 to 10"))
        batch_id = fields.get("batch_id") or self._api.batch_ids[0]
        if not isinstance(batch_id, str) or not UUID.fullmatch(batch_id):
            raise Refused(failure("GE_0001", "Invalid UUID passed: batch_id"))
        if batch_id not in self._api.batch_ids and self._jobs.find_batch(batch_id) is None:
            raise Refused(failure("FS_0006", "Batch not found"))
        if self._jobs.has_reference(reference_id):
            raise Refused(failure("FS_0001", "reference_id already exists"))
        job = self._jobs.add_job(batch_id, reference_id, fields[flow], priority, data)
        return self._api.success({"job_id": job.id, "reference_id": reference_id, flow: job.tag})

    async def _fields(self, request: Request) -> dict[str, Any]:
        self._api.admit(request)
        fields = await json_object(request)
        if fields is None:
            raise Refused(failure("GE_0001", "Malformed JSON"))
        return fields


def _problem(data: object) -> str | None:
    """Return what is wrong with the data of a job, or None."""
    if not isinstance(data, dict):
        return "data must be an object"
    if "image_url" in data:
        return None if _is_url(data["image_url"]) else "image_url is invalid"
    for name, source in (("video_data", "src"), ("sensor_data", None)):
        if name in data:
            frames = data[name].get("frames") if isinstance(data[name], dict) else None
            if not isinstance(frames, list) or not frames or not all(isinstance(frame, dict) for frame in frames):
                return f"{name} has no frames"
            ids = [str(frame.get("frame_id")) for frame in frames]
            if len(set(ids)) < len(ids) or "None" in ids:
                return "frame_id is missing or not unique"
            if source and not all(_is_url(frame.get(source)) for frame in frames):
                return f"{source} is invalid"
            return None
    return "data has neither image_url nor video_data nor sensor_data"


def _is_url(value: object) -> bool:
    try:
        parts = urlsplit(value) if isinstance(value, str) else None
    except ValueError:
        return False
    return parts is not None and parts.scheme in SCHEMES and bool(parts.netloc)
