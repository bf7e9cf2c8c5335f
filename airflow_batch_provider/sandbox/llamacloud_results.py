"""What LlamaCloud's v2 batches produced: parse jobs, extract jobs, and the directories that the files came from.

Read from its "Get Parse Job", "List Parse Jobs", "Get Extract Job", "List Extract Jobs", "List Directory Files" and
"Retrieving Results" pages and its OpenAPI description.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any, NamedTuple

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from airflow_batch_provider.sandbox import documents
from airflow_batch_provider.sandbox.content import Content, exact_json
from airflow_batch_provider.sandbox.faults import Handler, Refused
from airflow_batch_provider.sandbox.llamacloud import (
    CONFIGURATION,
    DIRECTORIES,
    ERROR,
    PREFIXES,
    LlamaCloud,
    position_of,
    product_of,
    timestamp,
    token_of,
    unmapped,
)
from airflow_batch_provider.sandbox.llamacloud_items import LlamaCloudItems
from airflow_batch_provider.sandbox.storage import Storage
from airflow_batch_provider.sandbox.world import World

JOB_STATUSES = ("PENDING", "RUNNING", "COMPLETED", "FAILED", "CANCELLED")
NEVER = ("PENDING", "THROTTLED")  # a job is made when it begins
FILES_KEPT = ("markdown", "text", "items", "metadata", "forms", "raw_words", "xlsx", "output_pdf")
FULL = ("markdown_full", "text_full")
IMAGES = "images_content_metadata"
EXPAND_PARSE = (
    *(*documents.INLINE, *FULL, "job_metadata", "usage", IMAGES),
    *(f"{name}_content_metadata" for name in (*FILES_KEPT, *FULL)),
)
EXPAND_EXTRACT = ("configuration", "extract_metadata", "usage")
KEYS = {"output_pdf": "outputPDF", "raw_words": "rawWords"}  # only outputPDF is documented
ITEMS = 1024  # more than a batch can have files
BATCHES_PER_PAGE = 2000
MILLISECONDS_TO_A_JOB = 10_000
STATUS_OF_KIND = {"failed": "FAILED", "cancelled": "CANCELLED"}


class Job(NamedTuple):
    """A job: which file of which batch."""

    batch: int
    file: int


class LlamaCloudResults:
    """The endpoints of one project.

    :param api: the endpoints of the batches.
    :param world: the seeded data.
    :param storage: where files lie.
    :param items: the items of v1 jobs, whose results may be here.
    """

    def __init__(self, api: LlamaCloud, world: World, storage: Storage, items: LlamaCloudItems) -> None:
        self._api, self._world, self._storage, self._items = api, world, storage, items
        storage.add("parse", self._stored)

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
        described = self._described(str(request.path_params["id"]))
        body = {"job": described}
        if "usage" in expand:
            billed = float(len(documents.page_numbers(described["id"])))
            described["usage"] = {"credits": billed if described["status"] == "COMPLETED" else None}
        if described["status"] == "COMPLETED":
            body |= self._expanded(described["id"], expand, names.split(",") if names else None, request)
        return exact_json(body)

    async def get_extract_job(self, request: Request) -> Response:
        """Return one extract job with its result."""
        query = self._api.admit(request)
        expand = query.choices("expand", EXPAND_EXTRACT)
        self._api.check(query)
        job = self._find("extract_v2", str(request.path_params["id"]))
        if job is None:
            raise Refused(JSONResponse({"detail": "Extract job not found"}, 404))
        return exact_json(self._extract_job(job, expand))

    def _described(self, job_id: str) -> dict[str, Any]:
        """Return a parse job: of a v2 batch or, if the settings say so, of an item of a v1 job."""
        if job := self._find("parse_v2", job_id):
            return self._parse_job(job)
        if self._world.settings.v1_results == "v2" and self._items.has_result(job_id):
            return self._items.described(job_id)
        raise Refused(JSONResponse({"detail": "Parse job not found"}, 404))

    def _expanded(self, job_id: str, expand: set[str], names: list[str] | None, request: Request) -> dict[str, Any]:
        """Return the parts of a parsed document that ``expand`` asks for.

        :param names: of the images wanted; None: all.
        """
        body: dict[str, Any] = {name: documents.inline_of(job_id, name) for name in documents.INLINE if name in expand}
        if "markdown_full" in expand:
            body["markdown_full"] = documents.markdown_of(job_id)
        if "text_full" in expand:
            body["text_full"] = documents.text_of(job_id)
        if "job_metadata" in expand:
            body["job_metadata"] = {"job_pages": len(documents.page_numbers(job_id)), "job_is_cache_hit": False}
        files = [name for name in (*FILES_KEPT, *FULL) if f"{name}_content_metadata" in expand]
        if files:
            found = {KEYS.get(name, name): self._file(job_id, name, request) for name in files}
            body["result_content_metadata"] = found
        if IMAGES in expand:
            images = documents.image_names(job_id)
            shown = [name for name in images if names is None or name in names]
            body[IMAGES] = {
                "total_count": len(images),
                "images": [self._image(job_id, images.index(name), name, request) for name in shown],
            }
        return body

    def _file(self, job_id: str, name: str, request: Request) -> dict[str, Any]:
        content = documents.file_of(job_id, name, self._world.settings.large_bytes)
        if content is None:
            return {"size_bytes": 0, "exists": False, "presigned_url": None}
        url = self._storage.sign(request, f"parse/{job_id}/{name}")
        return {"size_bytes": content.size, "exists": True, "presigned_url": url}

    def _image(self, job_id: str, index: int, name: str, request: Request) -> dict[str, Any]:
        return {
            "index": index,
            "filename": name,
            "content_type": "image/png",
            "category": "embedded" if index == 0 else "screenshot",
            "bbox": {"x": 10, "y": 20, "w": 4, "h": 8} if index == 0 else None,
            "presigned_url": self._storage.sign(request, f"parse/{job_id}/images/{name}"),
            "size_bytes": None,  # always, as documented
        }

    def _stored(self, path: str, request: Request) -> Content | None:
        job_id, _, name = path.partition("/")
        if name.startswith("images/"):
            return Content("image/png", documents.image_of(job_id, name.removeprefix("images/")))
        return documents.file_of(job_id, name, self._world.settings.large_bytes)

    def _find(self, product: str, job_id: str) -> Job | None:
        """Return a job that is there; that of an item without one, one that expired, is not."""
        prefix = PREFIXES[product]
        found = self._world.find_item("llamacloud file job", job_id.removeprefix(prefix))
        if not found or not job_id.startswith(prefix) or not self._exists(product, job := Job(*found)):
            return None
        return job

    def _exists(self, product: str, job: Job) -> bool:
        rows, files = self._world.settings.jobs, self._world.settings.files
        return (
            job.batch < rows
            and job.file < documents.files_of(job.batch, files)
            and product_of(job.batch) == product
            and not unmapped(*job)
            and documents.kind_of(self._api.job_id(*job)) != "expired"
            and self._status(job) is not None
        )

    def _status(self, job: Job) -> str | None:
        elapsed = self._world.elapsed()
        progress = self._world.progress(job.batch, elapsed)
        if progress.stage == "waiting":
            return None
        if progress.stage != "completed":
            return "RUNNING" if progress.stage == "running" else "CANCELLED"
        kind = documents.kind_of(self._api.job_id(*job))
        if kind == "late" and self._world.is_early(progress.ended):
            return "RUNNING"
        return STATUS_OF_KIND.get(kind, "COMPLETED")

    def _list(self, product: str, statuses: tuple[str, ...], request: Request) -> Response:
        query = self._api.admit(request)
        size = query.integer("page_size", 50, 1, 100)
        status, ids = query.choice("status", statuses), list(dict.fromkeys(query.texts("job_ids")))
        after = query.milliseconds("created_at_on_or_after", -math.inf)
        before = query.milliseconds("created_at_on_or_before", math.inf)
        expand = query.choices("expand", EXPAND_EXTRACT if product == "extract_v2" else ())
        count = len(ids) or self._world.settings.jobs * ITEMS
        position = position_of(query.text("page_token") or token_of(0), count)
        if position is None:
            query.refuse("page_token", "value_error", "Invalid page token", None)
        self._api.check(query)
        walk = self._chosen(product, ids, position or 0) if ids else self._all(product, position or 0, after, before)
        wanted = (
            (at, job)
            for at, job in walk
            if job is None
            or (status in (None, self._status(job)) and after <= self._created(job) <= before and status not in NEVER)
        )
        rows = list(islice(wanted, size + 1))
        # A job of None is where the search was broken off: nothing is there, and the next page goes on.
        more = rows[-1][0] if rows and (len(rows) > size or rows[-1][1] is None) else None
        jobs = [job for _, job in rows[:size] if job]
        described = [self._parse_job(j) if product == "parse_v2" else self._listed(j, expand) for j in jobs]
        return self._api.page(described, None if more is None else token_of(more))

    def _chosen(self, product: str, ids: list[str], start: int) -> Iterator[tuple[int, Job | None]]:
        for position, job_id in enumerate(ids[start:], start):
            if job := self._find(product, job_id):
                yield position, job

    def _all(self, product: str, start: int, after: float, before: float) -> Iterator[tuple[int, Job | None]]:
        made = MILLISECONDS_TO_A_JOB
        span = self._world.created_between(self._world.settings.jobs, after - made, before - made)
        first = max(span.start, start // ITEMS)
        for batch in range(first, span.stop):
            if batch == first + BATCHES_PER_PAGE:
                yield batch * ITEMS, None
                return
            files = documents.files_of(batch, self._world.settings.files)
            for file in range(start % ITEMS if batch == start // ITEMS else 0, files):
                if self._exists(product, job := Job(batch, file)):
                    yield batch * ITEMS + file, job

    def _created(self, job: Job) -> int:
        return self._world.created(job.batch) + MILLISECONDS_TO_A_JOB

    def _parse_job(self, job: Job) -> dict[str, Any]:
        status = self._status(job)
        progress = self._world.progress(job.batch, self._world.elapsed())
        return {
            "id": self._api.job_id(*job),
            "project_id": self._api.project_id,
            "status": status,
            "error_message": ERROR if status == "FAILED" else None,
            "name": None,
            "tier": "agentic",
            "created_at": timestamp(self._created(job)),
            "updated_at": timestamp(progress.updated),
            "user_metadata": None,
        }

    def _listed(self, job: Job, expand: set[str]) -> dict[str, Any]:
        described = self._extract_job(job, expand)
        if documents.kind_of(described["id"]) == "unlisted":
            described["extract_result"] = None
        return described

    def _extract_job(self, job: Job, expand: set[str]) -> dict[str, Any]:
        described = self._parse_job(job)
        done, job_id = described["status"] == "COMPLETED", described["id"]
        optional: dict[str, Any] = {
            "configuration": {"data_schema": {"type": "object"}, "extraction_target": documents.target_of(job_id)},
            "extract_metadata": documents.extract_metadata_of(job_id) if done else None,
            "usage": {"credits": 5.0, "extract_credits": 4.0, "parse_credits": 1.0} if done else None,
        }
        return {
            "id": job_id,
            "file_input": self._api.file_id(job.batch % DIRECTORIES, job.file),
            **{name: described[name] for name in ("project_id", "status", "created_at", "updated_at")},
            "configuration_id": CONFIGURATION,
            "error_message": described["error_message"],
            "extract_result": documents.extract_of(job_id) if done else None,
            **{name: value if name in expand else None for name, value in optional.items()},
            "metadata": None,
        }
