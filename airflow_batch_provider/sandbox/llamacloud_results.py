"""What LlamaCloud's v2 batches produced: parse jobs, extract jobs, and the directories that the files came from.

Read from its "Get Parse Job", "List Parse Jobs", "Get Extract Job", "List Extract Jobs", "List Directory Files" and
"Retrieving Results" pages and its OpenAPI description.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from airflow_batch_provider.sandbox.content import exact_json
from airflow_batch_provider.sandbox.faults import Handler, Refused
from airflow_batch_provider.sandbox.llamacloud import ERROR, LlamaCloud
from airflow_batch_provider.sandbox.llamacloud_expansion import EXPAND_PARSE, Expansion
from airflow_batch_provider.sandbox.llamacloud_items import LlamaCloudItems
from airflow_batch_provider.sandbox.llamacloud_jobs import Document, Job, LlamaCloudJobs
from airflow_batch_provider.sandbox.llamacloud_tokens import Start, timestamp, token_of
from airflow_batch_provider.sandbox.storage import Storage
from airflow_batch_provider.sandbox.world import World

JOB_STATUSES = ("PENDING", "RUNNING", "COMPLETED", "FAILED", "CANCELLED")
EXPAND_EXTRACT = ("configuration", "extract_metadata", "usage")


class LlamaCloudResults:
    """The endpoints of one project.

    :param api: the endpoints of the batches.
    :param world: the seeded data.
    :param storage: where files are.
    :param jobs: the jobs of the batches.
    :param items: the items of v1 jobs, whose results may be here.
    """

    def __init__(
        self, api: LlamaCloud, world: World, storage: Storage, jobs: LlamaCloudJobs, items: LlamaCloudItems
    ) -> None:
        self._api, self._world, self._jobs, self._items = api, world, jobs, items
        self._expansion = Expansion(storage, jobs.document)

    @property
    def handlers(self) -> Mapping[str, Handler]:
        """The endpoints."""
        return {
            "/api/v2/parse": self.list_parse_jobs,
            "/api/v2/parse/{id}": self.get_parse_job,
            "/api/v2/extract": self.list_extract_jobs,
            "/api/v2/extract/{id}": self.get_extract_job,
        }

    def transient_fault(self, draw: float) -> Response:
        """Give an overloaded server's answer."""
        return self._api.transient_fault(draw)

    async def list_parse_jobs(self, request: Request) -> Response:
        """List parse jobs, all or those asked for."""
        return self._list("parse_v2", JOB_STATUSES, request)

    async def list_extract_jobs(self, request: Request) -> Response:
        """List extract jobs; nearly all of them with their result, which is not promised."""
        return self._list("extract_v2", (*JOB_STATUSES, "THROTTLED"), request)

    async def get_parse_job(self, request: Request) -> Response:
        """Return one parse job and what ``expand`` asks for."""
        query = self._api.admit(request)
        expand = query.choices("expand", EXPAND_PARSE)
        names = query.text("image_filenames")
        self._api.check(query)
        described, document = self._described(str(request.path_params["id"]))
        body = {"job": described}
        if "usage" in expand:
            billed = float(len(document.page_numbers))
            described["usage"] = {"credits": billed if described["status"] == "COMPLETED" else None}
        if described["status"] == "COMPLETED":
            wanted = names.split(",") if names else None
            body |= self._expansion.of(described["id"], document, expand, wanted, request)
        return exact_json(body)

    async def get_extract_job(self, request: Request) -> Response:
        """Return one extract job with its result."""
        query = self._api.admit(request)
        expand = query.choices("expand", EXPAND_EXTRACT)
        self._api.check(query)
        job = self._jobs.find("extract_v2", str(request.path_params["id"]))
        if job is None:
            raise Refused(JSONResponse({"detail": "Extract job not found"}, 404))
        return exact_json(self._extract_job(job, expand))

    def _described(self, job_id: str) -> tuple[dict[str, Any], Document]:
        """Return a parse job: of a v2 batch or, if the settings say so, of an item of a v1 job."""
        if job := self._jobs.find("parse_v2", job_id):
            return self._parse_job(job), job.document
        if self._world.settings.v1_results == "v2" and (document := self._items.find(job_id)):
            return self._items.described(job_id), document
        raise Refused(JSONResponse({"detail": "Parse job not found"}, 404))

    def _list(self, product: str, statuses: tuple[str, ...], request: Request) -> Response:
        query = self._api.admit(request)
        size = query.integer("page_size", 50, 1, 100)
        status, ids = query.choice("status", statuses), list(dict.fromkeys(query.texts("job_ids")))
        after = query.milliseconds("created_at_on_or_after", -math.inf)
        before = query.milliseconds("created_at_on_or_before", math.inf)
        expand = query.choices("expand", EXPAND_EXTRACT if product == "extract_v2" else ())
        counts = (len(ids), 0) if ids else (self._jobs.count(), self._jobs.submitted_count())
        start = self._api.start(query, *counts)
        walk = self._chosen(product, ids, start) if ids else self._jobs.walk(product, start, after, before)
        wanted = (
            (at, job)
            for at, job in walk
            if job is None or (status in (None, job.status) and after <= job.created <= before)
        )
        rows = list(islice(wanted, size + 1))
        # A job of None is where the search was broken off: nothing is there, and the next page goes on.
        more = rows[-1][0] if rows and (len(rows) > size or rows[-1][1] is None) else None
        jobs = [job for _, job in rows[:size] if job]
        described = [self._parse_job(j) if product == "parse_v2" else self._extract_job(j, expand, True) for j in jobs]
        return self._api.page(described, None if more is None else token_of(more))

    def _chosen(self, product: str, ids: list[str], start: Start) -> Iterator[tuple[int, Job | None]]:
        for position, job_id in enumerate(ids[start.seeded :], start.seeded):
            if job := self._jobs.find(product, job_id):
                yield position, job

    def _parse_job(self, job: Job) -> dict[str, Any]:
        return {
            "id": job.id,
            "project_id": self._api.project_id,
            "status": job.status,
            "error_message": ERROR if job.status == "FAILED" else None,
            "name": None,
            "tier": "agentic",
            "created_at": timestamp(job.created),
            "updated_at": timestamp(job.updated),
            "user_metadata": None,
        }

    def _extract_job(self, job: Job, expand: set[str], listed: bool = False) -> dict[str, Any]:
        described, document, done = self._parse_job(job), job.document, job.status == "COMPLETED"
        optional: dict[str, Any] = {
            "configuration": {"data_schema": {"type": "object"}, "extraction_target": document.extraction_target},
            "extract_metadata": document.extract_metadata() if done else None,
            "usage": {"credits": 5.0, "extract_credits": 4.0, "parse_credits": 1.0} if done else None,
        }
        return {
            "id": job.id,
            "file_input": job.file_id,
            **{name: described[name] for name in ("project_id", "status", "created_at", "updated_at")},
            "configuration_id": job.configuration_id,
            "error_message": described["error_message"],
            "extract_result": document.extract() if done and not (listed and job.unlisted) else None,
            **{name: value if name in expand else None for name, value in optional.items()},
            "metadata": None,
        }
