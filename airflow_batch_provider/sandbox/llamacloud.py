"""LlamaCloud's batches (v2) and batch processing jobs (v1 beta).

Read from its "List Batches", "Get Batch", "List Batch Jobs" and "Get Batch Job Status" pages and its OpenAPI
description.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import partial
from typing import Any, NamedTuple

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from airflow_batch_provider.sandbox.documents import files_of
from airflow_batch_provider.sandbox.faults import Handler, Refused
from airflow_batch_provider.sandbox.llamacloud_access import LlamaCloudAccess
from airflow_batch_provider.sandbox.llamacloud_rows import batch_row, job_row, v2_status
from airflow_batch_provider.sandbox.llamacloud_submitted import PREFIXES, PRESET, LlamaCloudSubmitted
from airflow_batch_provider.sandbox.llamacloud_tokens import SUBMITTED, Row, cut, timestamp, token_of
from airflow_batch_provider.sandbox.world import Matches, Progress, Stage, World

BATCH_STATUSES = ("PENDING", "THROTTLED", "RUNNING", "COMPLETED", "FAILED", "CANCELLED")
JOB_STATUSES = ("pending", "running", "dispatched", "completed", "failed", "cancelled")
JOB_TYPES = ("parse", "extract", "classify")
DIRECTORIES = 4
ODD_TOTALS = {20: 0, 13: 2**53 + 1}  # from none to more than a double can hold exactly
CONFIGURATION = PRESET
ERROR = 'Worker lost: "Zeitüberschreitung" (東京)\nattempt 3 of 3'


class Counts(NamedTuple):
    """The items of a batch processing job; those that failed or were skipped are among those processed."""

    total: int
    processed: int
    failed: int
    skipped: int


def product_of(index: int) -> str:
    """Return what a v2 batch does with its files."""
    return "extract_v2" if index % 3 == 1 else "parse_v2"


def unmapped(index: int, file: int) -> bool:
    """Return whether a file of a v2 batch has no job: the first one of every third batch."""
    return file == 0 and index % 3 == 0


class LlamaCloud(LlamaCloudAccess):
    """The endpoints of one project.

    :param world: the seeded data.
    :param submitted: what was submitted, which listings have first.
    """

    def __init__(self, world: World, submitted: LlamaCloudSubmitted) -> None:
        super().__init__(world)
        self._submitted, self._rows = submitted, world.settings.jobs
        self.directories = [f"dir-{world.uuid('llamacloud directory', n)}" for n in range(DIRECTORIES)]

    @property
    def handlers(self) -> Mapping[str, Handler]:
        """The endpoints of both generations."""
        return {
            "/api/v2/batches": self.list_batches,
            "/api/v2/batches/{id}": self.get_batch,
            "/api/v1/beta/batch-processing": self.list_jobs,
            "/api/v1/beta/batch-processing/{id}": self.get_job,
        }

    async def list_batches(self, request: Request) -> Response:
        """List v2 batches; page after page by token."""
        query = self.admit(request)
        # Neither default nor maximum is documented; sibling listings of v2 say 1 to 100.
        size = query.integer("page_size", 50, 1, 100)
        status = query.choice("status", BATCH_STATUSES)
        directory = query.text("source_directory_id")
        after = query.milliseconds("created_at_on_or_after", -math.inf)
        before = query.milliseconds("created_at_on_or_before", math.inf)
        start = self.start(query, self._rows, self._submitted.batches.count)
        elapsed, now = self._world.elapsed(), self._submitted.now()
        ours: list[tuple[int, Row]] = [
            (SUBMITTED + number, partial(batch_row, self._submitted, self.project_id, batch, False))
            for number, batch in self._submitted.batches.newest_first()
            if number <= start.newest
            and self._submitted.is_listed(batch.created)
            and status in (None, v2_status(batch, now))
            and directory in (None, batch.directory_id)
            and after <= batch.created <= before
        ]
        span = self._world.created_between(self._rows, after, before)
        found = Matches.of(
            range(max(span.start, start.seeded), max(span.stop, start.seeded)),
            lambda index: (
                status in (None, self._batch_status(index, self._world.stage(index, elapsed)))
                and directory in (None, self.directories[index % DIRECTORIES])
            ),
        )
        # The token holds the next row, not how many to skip: rows that leave the filter shift nothing.
        seeded: list[tuple[int, Row]] = [
            (index, partial(self._batch, index, elapsed)) for index in found.rows(0, max(size + 1 - len(ours), 0))
        ]
        return self.page(*cut(size, ours + seeded))

    async def get_batch(self, request: Request) -> Response:
        """Give one v2 batch, with the results of its files if asked for."""
        query = self.admit(request)
        expand = query.choice("expand", ("results",)) is not None
        self.check(query)
        batch = self._submitted.find("batch", "bat-", str(request.path_params["id"]), self._submitted.batches)
        if batch:
            return JSONResponse(batch_row(self._submitted, self.project_id, batch, expand))
        index = self.find("bat-", "llamacloud batch", request)
        return JSONResponse(self._batch(index, self._world.elapsed(), expand))

    async def list_jobs(self, request: Request) -> Response:
        """List v1 batch processing jobs by limit and offset.

        ``total_size`` is filled "when requested", which no parameter does, and no parameter takes the
        ``next_page_token`` either; both are documented fields.
        """
        query = self.admit(request)
        limit, offset = query.integer("limit", 50, 1, 1000), query.integer("offset", 0, 0)
        status, job_type = query.choice("status", JOB_STATUSES), query.choice("job_type", JOB_TYPES)
        directory = query.text("directory_id")
        self.check(query)
        elapsed = self._world.elapsed()
        found = Matches.of(
            range(self._rows),
            lambda index: (
                status in (None, self._job_status(index, self._world.stage(index, elapsed)))
                and job_type in (None, JOB_TYPES[index % 3])
                and directory in (None, self._job_directory(index))
            ),
        )
        ours = [
            job
            for _, batch in self._submitted.processing_jobs.newest_first()
            if self._submitted.is_listed(batch.created)
            and (job := job_row(self.project_id, batch, self._submitted.now()))
            and status in (None, job["status"])
            and job_type in (None, batch.product)
            and directory in (None, batch.directory_id)
        ]
        token = token_of(offset + limit) if offset + limit < len(ours) + len(found) else None
        rows = ours[offset : offset + limit]
        seeded = found.rows(max(offset - len(ours), 0), limit - len(rows))
        return self.page(rows + [self._job(index, elapsed) for index in seeded], token)

    async def get_job(self, request: Request) -> Response:
        """Give one v1 batch processing job: nested, unlike in the list."""
        self.check(self.admit(request))
        text = str(request.path_params["id"])
        if batch := self._submitted.find("processing job", "bjb-", text, self._submitted.processing_jobs):
            job = job_row(self.project_id, batch, self._submitted.now())
            share = round(100 * job["processed_items"] / max(job["total_items"], 1), 1)
            return JSONResponse({"job": job, "progress_percentage": share})
        index, elapsed = self.find("bjb-", "llamacloud job", request), self._world.elapsed()
        percentage = round(100 * self._world.progress(index, elapsed).done, 1)
        return JSONResponse({"job": self._job(index, elapsed), "progress_percentage": percentage})

    def find(self, prefix: str, kind: str, request: Request) -> int:
        """Return the row of the batch or job in the path, or answer 404."""
        text = str(request.path_params["id"])
        index = self._world.find(kind, text.removeprefix(prefix), self._rows)
        if index is None or not text.startswith(prefix):
            raise Refused(JSONResponse({"detail": "Batch not found"}, 404))
        return index

    def _batch_status(self, index: int, stage: Stage) -> str:
        return ("THROTTLED" if index % 3 == 0 else "PENDING") if stage == "waiting" else stage.upper()

    def _job_status(self, index: int, stage: Stage) -> str:
        if stage == "running" and index % 3 == 0:
            return "dispatched"
        return "pending" if stage == "waiting" else stage

    def _job_directory(self, index: int) -> str | None:
        """Give a job's directory; every fourth job was made from a list of files and has none."""
        return None if index % DIRECTORIES == 3 else self.directories[index % DIRECTORIES]

    def _batch(self, index: int, elapsed: float, expand: bool = False) -> dict[str, Any]:
        progress = self._world.progress(index, elapsed)
        return {
            "id": self.batch_id(index),
            "config": {"job": {"configuration_id": CONFIGURATION, "type": product_of(index)}},
            "project_id": self.project_id,
            "source_directory_id": self.directories[index % DIRECTORIES],
            "status": self._batch_status(index, progress.stage),
            "created_at": timestamp(self._world.created(index)),
            # Null unless asked for; a failed batch "cannot provide a reliable per-file result set".
            "results": self._results(index) if expand and progress.stage == "completed" else None,
            "updated_at": timestamp(progress.updated),
        }

    def _results(self, index: int) -> list[dict[str, Any]]:
        results: list[dict[str, Any]] = []
        for file in range(files_of(index, self._world.settings.files)):
            lost = unmapped(index, file)
            job = {"id": self.job_id(index, file), "type": product_of(index)}
            results.append(
                {
                    "source_directory_file_id": self.file_id(index % DIRECTORIES, file),
                    "error_message": ERROR if lost else None,
                    "job_reference": None if lost else job,
                }
            )
        return results

    def batch_id(self, index: int) -> str:
        """Return the id of a v2 batch."""
        return f"bat-{self._world.uuid('llamacloud batch', index)}"

    def processing_job_id(self, index: int) -> str:
        """Return the id of a v1 batch processing job."""
        return f"bjb-{self._world.uuid('llamacloud job', index)}"

    def file_id(self, directory: int, file: int) -> str:
        """Return the id of a file in a directory; a batch has the first files of its directory, as many as it found."""
        return f"dfl-{self._world.item_uuid('llamacloud file', directory, file)}"

    def job_id(self, index: int, file: int) -> str:
        """Return the id of the job that a batch made for a file."""
        return f"{PREFIXES[product_of(index)]}{self._world.item_uuid('llamacloud file job', index, file)}"

    def counts(self, index: int, progress: Progress) -> Counts:
        """Return how many items a job has, and how many of them are done, and how."""
        total = ODD_TOTALS.get(index % 60, index % 60 * 3 + 1)
        processed = progress.count(total)
        failed, skipped = min(2, processed) if index % 5 == 2 else 0, min(1, processed) if index % 5 == 3 else 0
        return Counts(total, processed, failed, skipped)

    def _job(self, index: int, elapsed: float) -> dict[str, Any]:
        progress, created = self._world.progress(index, elapsed), timestamp(self._world.created(index))
        counts, begun = self.counts(index, progress), progress.started is not None
        return {
            "id": self.processing_job_id(index),
            "job_type": JOB_TYPES[index % 3],
            "project_id": self.project_id,
            "status": self._job_status(index, progress.stage),
            "total_items": counts.total,
            "completed_at": timestamp(progress.ended),
            "created_at": created,
            "directory_id": self._job_directory(index),
            "effective_at": created,
            "error_message": ERROR if progress.stage == "failed" else None,
            # A job with failed items is "completed" all the same.
            "failed_items": counts.failed,
            "job_record_id": f"rec-{index}" if begun else None,
            "processed_items": counts.processed,
            "skipped_items": counts.skipped,
            "started_at": timestamp(progress.started),
            "updated_at": timestamp(progress.updated),
            "workflow_id": f"wf-{index}" if begun else None,
        }
