"""Playment's attachments: the only way to a job's result, and to the masks in it.

Read from its "Get job results" and "Attachment access API" pages.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import parse_qs, urlsplit

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from airflow_batch_provider.sandbox import annotation
from airflow_batch_provider.sandbox.content import Content
from airflow_batch_provider.sandbox.faults import Handler, Refused
from airflow_batch_provider.sandbox.playment import Playment, failure
from airflow_batch_provider.sandbox.playment_jobs import PlaymentJobs
from airflow_batch_provider.sandbox.storage import Storage
from airflow_batch_provider.sandbox.world import World, number_of

FILE = re.compile(rf"([0-9a-f-]{{36}})(?:\.json|/{annotation.MASK}/([0-9]{{1,2}})\.png)")


class PlaymentResults:
    """The endpoint of attachments.

    :param api: the endpoints of the project.
    :param world: the seeded data.
    :param storage: where files are.
    :param jobs: what was submitted.
    """

    def __init__(self, api: Playment, world: World, storage: Storage, jobs: PlaymentJobs) -> None:
        self._api, self._world, self._storage, self._jobs = api, world, storage, jobs
        storage.add("playment", self._stored)

    @property
    def handlers(self) -> Mapping[str, Handler]:
        """The endpoints."""
        return {f"/v{version}/attachments": self.attachment for version in (0, 1)}

    def transient_fault(self, draw: float) -> Response:
        """Give Playment's "try again later"."""
        return self._api.transient_fault(draw)

    async def attachment(self, request: Request) -> Response:
        """Redirect to a signed URL of a file. The address of the attachment itself will do as well."""
        self._api.admit_key(request)
        url = request.query_params.get("url")
        if not url:
            raise Refused(failure("GE_0002", "Parameter missing: url"))
        parts = urlsplit(url)
        if parts.path.endswith("/attachments"):
            parts = urlsplit(parse_qs(parts.query).get("url", [""])[0])
        path = parts.path.removeprefix("/")
        if not path.startswith("playment/") or self._stored(path.removeprefix("playment/"), request) is None:
            raise Refused(failure("FS_0007", "Attachment cannot be accessed"))
        return RedirectResponse(self._storage.sign(request, path), 302)

    def _stored(self, name: str, request: Request) -> Content | None:
        found = FILE.fullmatch(name)
        if found and (submitted := self._jobs.find_job(found[1])):
            done = submitted.status(self._jobs.now()) == "completed" and found[2] is None
            return submitted.result_file() if done else None
        if not found or annotation.is_gone(found[1]) or not self._api.is_completed(found[1]):
            return None
        job_id, mask = found[1], found[2]
        if mask is None:
            urls = self._storage.api_url(request), self._storage.files_url(request)
            return annotation.result_file(job_id, *urls, self._world.settings.large_bytes)
        masks = annotation.annotation_count(number_of(job_id))
        if annotation.shape_of(job_id) != "segmentation" or int(mask) >= masks:
            return None
        return Content("image/png", annotation.mask_of(job_id, int(mask)))
