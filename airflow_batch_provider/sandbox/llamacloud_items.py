"""What LlamaCloud's batch processing jobs (v1 beta) produced: their items, and the old Parse API that has the results.

Read from its "List Batch Job Items", "Get Item Processing Results" and "Parsing (v1)" pages and its OpenAPI
description.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from airflow_batch_provider.sandbox import documents
from airflow_batch_provider.sandbox.content import Blocks
from airflow_batch_provider.sandbox.faults import Handler, Refused
from airflow_batch_provider.sandbox.llamacloud import ERROR, JOB_TYPES, Counts, LlamaCloud
from airflow_batch_provider.sandbox.llamacloud_jobs import Document, SeededDocument
from airflow_batch_provider.sandbox.llamacloud_rows import described, item_row, item_status, runs_of
from airflow_batch_provider.sandbox.llamacloud_submitted import Batch, LlamaCloudSubmitted
from airflow_batch_provider.sandbox.llamacloud_tokens import timestamp, token_of
from airflow_batch_provider.sandbox.submitted_documents import SubmittedDocument
from airflow_batch_provider.sandbox.world import Progress, World, item_of

ITEM_STATUSES = ("pending", "processing", "completed", "failed", "skipped", "cancelled")
MOST_ITEMS = 1000  # listed of a job whatever it counts: one job claims more than anybody could read
MILLISECONDS_OF_AN_ITEM = 100
DAY = 86_400_000
SKIPPED = "already_processed"


def ranges(counts: Counts, progress: Progress) -> dict[str, range]:
    """Return which items of a job have which status: first those that failed or were skipped."""
    total, processed = min(counts.total, MOST_ITEMS), min(counts.processed, MOST_ITEMS)
    busy = processed + (progress.stage == "running" and processed < total)
    over = progress.stage in ("failed", "cancelled")
    return {
        "failed": range(counts.failed),
        "skipped": range(counts.skipped),
        "completed": range(counts.failed + counts.skipped, processed),
        "processing": range(processed, busy),
        "cancelled" if over else "pending": range(busy, total),
    }


class LlamaCloudItems:
    """The endpoints of one project.

    :param api: the endpoints of the jobs.
    :param world: the seeded data.
    :param submitted: what was submitted.
    """

    def __init__(self, api: LlamaCloud, world: World, submitted: LlamaCloudSubmitted) -> None:
        self._api, self._world, self._submitted = api, world, submitted

    @property
    def handlers(self) -> Mapping[str, Handler]:
        """The endpoints; those of the old Parse API may be gone."""
        batch = "/api/v1/beta/batch-processing"
        endpoints: dict[str, Handler] = {
            f"{batch}/{{id}}/items": self.list_items,
            f"{batch}/items/{{item_id}}/processing-results": self.processing_results,
        }
        job = "/api/v1/parsing/job/{job_id}"
        parsing = {
            job: self.parsing_job,
            f"{job}/result/markdown": self._result(lambda document: {"markdown": document.markdown}),
            f"{job}/result/text": self._result(lambda document: {"text": document.text}),
            f"{job}/result/json": self._result(lambda document: {"pages": document.v1_pages()}),
            f"{job}/result/xlsx": self._file("xlsx"),
            f"{job}/result/pdf": self._file("output_pdf"),
            f"{job}/result/image/{{name}}": self.image,
        }
        return endpoints | (parsing if self._world.settings.v1_results == "v1" else {})

    def transient_fault(self, draw: float) -> Response:
        """Give an overloaded server's answer."""
        return self._api.transient_fault(draw)

    async def list_items(self, request: Request) -> Response:
        """List the items of a job by limit and offset; as in the list of jobs, nothing shows the total."""
        query = self._api.admit(request)
        limit, offset = query.integer("limit", 100, 1, 1000), query.integer("offset", 0, 0)
        status = query.choice("status", ITEM_STATUSES)
        self._api.check(query)
        text, rows = str(request.path_params["id"]), list[Callable[[], dict[str, Any]]]()
        if batch := self._submitted.find("processing job", "bjb-", text, self._submitted.processing_jobs):
            now = self._submitted.now()
            chosen = [n for n in range(len(batch.files)) if status in (None, item_status(batch, n, now))]
            rows += [partial(item_row, self._submitted, batch, item) for item in chosen]
        else:
            index = self._api.find("bjb-", "llamacloud job", request)
            progress = self._world.progress(index, self._world.elapsed())
            spans = ranges(self._api.counts(index, progress), progress)
            words = ((item, word) for word, span in spans.items() if status in (None, word) for item in span)
            rows += [partial(self._item, index, item, word, progress) for item, word in words]
        items = [row() for row in rows[offset : offset + limit]]
        return self._api.page(items, token_of(offset + limit) if offset + limit < len(rows) else None)

    async def processing_results(self, request: Request) -> Response:
        """List all runs that an item ever had, of which only one is of this job."""
        query = self._api.admit(request)
        job_type = query.choice("job_type", ("parse", "extract", "classify"))
        self._api.check(query)
        item_id = str(request.path_params["item_id"])
        if ours := runs_of(self._submitted, item_id):
            runs = [run for run in ours[1] if job_type in (None, run["job_type"])]
            return JSONResponse({"item_id": item_id, "item_name": ours[0], "processing_results": runs})
        found = self._world.find_item("llamacloud item", item_id.removeprefix("itm-"))
        if not found or not item_id.startswith("itm-") or (status := self._status(*found)) is None:
            raise Refused(JSONResponse({"detail": "Item not found"}, 404))
        runs = [run for run in self._runs(*found, status) if job_type in (None, run["job_type"])]
        return JSONResponse({"item_id": item_id, "item_name": item_name(found[1]), "processing_results": runs})

    async def parsing_job(self, request: Request) -> Response:
        """Return the job that parsed an item; its words for a status are others than anywhere else."""
        status = "PARTIAL_SUCCESS" if self._parsed(request).has_failed_pages else "SUCCESS"
        job_id = str(request.path_params["job_id"])
        return JSONResponse({"id": job_id, "status": status, "error_code": None, "error_message": None})

    async def image(self, request: Request) -> Response:
        """Return an image of a parsed item: the bytes, to those who have the key."""
        document, name = self._parsed(request), str(request.path_params["name"])
        if name not in document.image_names:
            raise Refused(JSONResponse({"detail": "Image not found"}, 404))
        return Response(document.image(name), media_type="image/png")

    def find(self, job_id: str) -> Document | None:
        """Return what a job produced that parsed an item, or None if there is nothing, or nothing any more."""
        if ours := self._find_submitted(job_id):
            return SubmittedDocument(ours[0].files[ours[1]], ours[0].parameters)
        found = self._world.find_item("llamacloud item job", job_id)
        if found is None or documents.kind_of(job_id) == "expired":
            return None
        if JOB_TYPES[found[0] % 3] != "parse" or self._status(*found) != "completed":
            return None
        return SeededDocument(job_id, self._world.settings.large_bytes)

    def _find_submitted(self, job_id: str) -> tuple[Batch, int] | None:
        ours = self._submitted.find_job("v1", job_id)
        if ours is None or ours[0].product != "parse" or item_status(*ours, self._submitted.now()) != "completed":
            return None
        return ours

    def described(self, job_id: str) -> dict[str, Any]:
        """Return the job of an item in the form of v2."""
        if ours := self._find_submitted(job_id):
            return described(self._submitted, self._api.project_id, *ours)
        index, item = item_of(job_id)
        progress = self._world.progress(index, self._world.elapsed())
        return {
            "id": job_id,
            "project_id": self._api.project_id,
            "status": "COMPLETED",
            "error_message": None,
            "name": item_name(item),
            "tier": "agentic",
            "created_at": timestamp(progress.started),
            "updated_at": timestamp(self._done(item, progress)),
            "user_metadata": None,
        }

    def _parsed(self, request: Request) -> Document:
        self._api.check(self._api.admit(request))
        document = self.find(str(request.path_params["job_id"]))
        if document is None:
            raise Refused(JSONResponse({"detail": "Job not found"}, 404))
        return document

    def _result(self, result: Callable[[Document], dict[str, Any]]) -> Handler:
        async def answer(request: Request) -> Response:
            document = self._parsed(request)
            pages = len(document.page_numbers)
            return JSONResponse({**result(document), "job_metadata": {"job_pages": pages, "job_is_cache_hit": False}})

        return answer

    def _file(self, name: str) -> Handler:
        async def answer(request: Request) -> Response:
            content = self._parsed(request).file(name)
            if content is None:
                raise Refused(JSONResponse({"detail": "Result not found"}, 404))
            return Blocks(content, headers={"Content-Type": content.media_type})

        return answer

    def _status(self, index: int, item: int) -> str | None:
        """Return the status of an item, or None if there is no such item."""
        if index >= self._world.settings.jobs:
            return None
        progress = self._world.progress(index, self._world.elapsed())
        chosen = ranges(self._api.counts(index, progress), progress)
        return next((word for word, span in chosen.items() if item in span), None)

    def _done(self, item: int, progress: Progress) -> int:
        begun = progress.started or progress.updated
        return min(begun + (item + 1) * MILLISECONDS_OF_AN_ITEM, progress.ended or progress.updated)

    def _item(self, index: int, item: int, status: str, progress: Progress) -> dict[str, Any]:
        done = status in ("completed", "failed")
        job_id = self._world.item_uuid("llamacloud item job", index, item)
        return {
            "item_id": f"itm-{self._world.item_uuid('llamacloud item', index, item)}",
            "item_name": item_name(item),
            "status": status,
            "completed_at": timestamp(self._done(item, progress)) if done else None,
            "effective_at": timestamp(self._world.created(index)),
            "error_message": ERROR if status == "failed" else None,
            "job_id": job_id if status == "completed" else None,
            "job_record_id": f"rec-{index}-{item}" if done else None,
            "skip_reason": SKIPPED if status == "skipped" else None,
            "started_at": timestamp(progress.started) if done or status == "processing" else None,
        }

    def _runs(self, index: int, item: int, status: str) -> list[dict[str, Any]]:
        if status not in ("completed", "skipped"):
            return []
        progress = self._world.progress(index, self._world.elapsed())
        done, ours = self._done(item, progress), JOB_TYPES[index % 3]
        runs = [("before", ours, done - DAY)]
        if status == "completed":
            other = "classify" if ours != "classify" else "parse"
            runs += [("this", ours, done), ("other", other, done)]
        return [self._run(index, item, name, job_type, at) for name, job_type, at in runs]

    def _run(self, index: int, item: int, name: str, job_type: str, at: int) -> dict[str, Any]:
        result = self._world.item_uuid(f"llamacloud {name} run", index, item)
        return {
            "result_id": f"res-{result}",
            "item_id": f"itm-{self._world.item_uuid('llamacloud item', index, item)}",
            "job_type": job_type,
            "job_config": {
                "job_name": "parse_raw_file_job",
                "partitions": {},
                "parameters": {"type": job_type},
                "correlation_id": self._world.uuid(f"llamacloud {name} correlation", index),
            },
            "parameters_hash": self._world.digest(f"parameters/{name}/{job_type}"),
            "output_s3_path": f"s3://llamacloud-sandbox/{job_type}/{result}/",
            "output_metadata": None,
            "processed_at": timestamp(at),
        }


def item_name(item: int) -> str:
    """Return the name of an item: the customer's own text."""
    return f'scan "{item}"/東京.pdf' if item % 7 == 3 else f"scan {item}.pdf"
