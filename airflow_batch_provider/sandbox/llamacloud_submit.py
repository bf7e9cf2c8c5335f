"""Submits and cancels LlamaCloud's batches (v2), their jobs, and batch processing jobs (v1 beta).

Read from its "Create Batch", "Cancel Batch", "Create Batch Job" and "Cancel Batch Job" pages and its OpenAPI
description.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from airflow_batch_provider.sandbox.bodies import Body
from airflow_batch_provider.sandbox.faults import Handler, Refused
from airflow_batch_provider.sandbox.journal import VendorName
from airflow_batch_provider.sandbox.llamacloud import JOB_TYPES, LlamaCloud
from airflow_batch_provider.sandbox.llamacloud_directories import LlamaCloudDirectories
from airflow_batch_provider.sandbox.llamacloud_rows import batch_row, item_status, job_row, v1_status, v2_status
from airflow_batch_provider.sandbox.llamacloud_submitted import Batch, Directory, File, LlamaCloudSubmitted
from airflow_batch_provider.sandbox.settings import MAX_FILES

BATCHES = "/api/v2/batches"
PROCESSING = "/api/v1/beta/batch-processing"
TERMINAL = ("COMPLETED", "FAILED", "CANCELLED")
PRODUCTS = ("parse_v2", "extract_v2")
WEBHOOKS = 4
SEEDED = "The sandbox cancels only what was submitted to it"


class LlamaCloudSubmit:
    """The endpoints of one project.

    :param api: the endpoints of the batches.
    :param submitted: what was submitted.
    :param directories: the directories.
    """

    vendor: VendorName = "llamacloud"

    def __init__(self, api: LlamaCloud, submitted: LlamaCloudSubmitted, directories: LlamaCloudDirectories) -> None:
        self._api, self._submitted, self._directories = api, submitted, directories

    @property
    def handlers(self) -> Mapping[str, Handler]:
        """The endpoints of both generations."""
        return {
            f"POST {BATCHES}": self.create_batch,
            f"POST {BATCHES}/{{id}}/cancel": self.cancel_batch,
            "POST /api/v2/parse/{id}/cancel": self.cancel_parse_job,
            "POST /api/v2/extract/{id}/cancel": self.cancel_extract_job,
            f"POST {PROCESSING}": self.create_job,
            f"POST {PROCESSING}/{{id}}/cancel": self.cancel_job,
        }

    @property
    def creates(self) -> Mapping[str, bool]:
        """Those that create batches."""
        return {f"POST {BATCHES}": True, f"POST {PROCESSING}": True}

    def transient_fault(self, draw: float) -> Response:
        """Give an overloaded server's answer."""
        return self._api.transient_fault(draw)

    def refusal(self, status: int) -> Response:
        """Return LlamaCloud's form of a status."""
        return self._api.refusal(status)

    async def create_batch(self, request: Request) -> Response:
        """Create a v2 batch of all files that a directory has now; it begins by itself."""
        self._api.check(self._api.admit(request))
        body = await self._api.body(request)
        directory = self._directory(body, "source_directory_id")
        job = body.part("config").part("job")
        product, configuration = job.choice("type", PRODUCTS, True), job.text("configuration_id", True)
        parameters = self._submitted.parameters(configuration or "", product or "")
        if product and configuration and parameters is None:
            job.refuse("configuration_id", "value_error", f"No configuration with this id for {product}", None)
        webhooks = body.fields.get("webhook_configuration_ids")
        if webhooks is not None and (not isinstance(webhooks, list) or len(webhooks) > WEBHOOKS):
            body.refuse("webhook_configuration_ids", "too_long", f"List should have at most {WEBHOOKS} items", None)
        files = self._directories.live_files(directory) if directory else ()
        if len(files) > MAX_FILES:
            body.refuse("source_directory_id", "value_error", f"A batch has at most {MAX_FILES} files", None)
        self._api.check(body)
        assert directory, "the check has refused the others"
        assert parameters is not None
        batch = self._submitted.batches.add(
            lambda number: Batch(
                number,
                f"bat-{self._submitted.id('batch', number)}",
                self._submitted.now(),
                self._submitted.run_milliseconds,
                directory.id,
                directory.name,
                str(product),
                str(configuration),
                parameters,
                files,
            ),
            len(files) + 1,
        )
        self._count(batch)
        return JSONResponse(batch_row(self._submitted, self._api.project_id, batch, False), 201)

    async def cancel_batch(self, request: Request) -> Response:
        """Cancel a v2 batch: the file that it is busy with is finished, then it is cancelled."""
        self._api.check(self._api.admit(request))
        text, now = str(request.path_params["id"]), self._submitted.now()
        batch = self._submitted.find("batch", "bat-", text, self._submitted.batches)
        if batch is None:
            self._api.find("bat-", "llamacloud batch", request)
            raise Refused(JSONResponse({"detail": SEEDED}, 409))
        if (status := v2_status(batch, now)) in TERMINAL:
            raise Refused(JSONResponse({"detail": f"A batch cannot be cancelled in status {status}"}, 409))
        if batch.cancelled is None:
            batch = self._submitted.batches.replace(batch.number, replace(batch, cancelled=now))
            self._submitted.recorder.note("llamacloud", "cancels", batch.directory_name)
        return JSONResponse(batch_row(self._submitted, self._api.project_id, batch, False))

    async def cancel_parse_job(self, request: Request) -> Response:
        """Cancel the parse job of one file."""
        return self._cancel_file("parse_v2", request)

    async def cancel_extract_job(self, request: Request) -> Response:
        """Cancel the extract job of one file."""
        return self._cancel_file("extract_v2", request)

    async def create_job(self, request: Request) -> Response:
        """Create a v1 job of the files of a directory, or of those named by id; it begins by itself."""
        self._api.check(self._api.admit(request))
        body = await self._api.body(request)
        config = body.part("job_config")
        parameters = config.mapping("parameters") or {}
        job_type = parameters.get("type", "parse")
        if job_type not in JOB_TYPES:
            config.refuse("parameters", "enum", f"type should be one of {', '.join(JOB_TYPES)}", None)
        ids = body.fields.get("item_ids")
        if (ids is None) == (body.fields.get("directory_id") is None):
            body.refuse("directory_id", "value_error", "Give either directory_id or item_ids", None)
        directory = self._directory(body, "directory_id") if ids is None else None
        files = self._directories.live_files(directory) if directory else self._items(body, ids)
        self._api.check(body)
        batch = self._submitted.processing_jobs.add(
            lambda number: Batch(
                number,
                f"bjb-{self._submitted.id('processing job', number)}",
                self._submitted.now(),
                self._submitted.run_milliseconds,
                directory.id if directory else None,
                directory.name if directory else "item_ids",
                job_type,
                "",
                dict(config.fields),
                files,
                self._seen(job_type, dict(config.fields), files),
            ),
            len(files) + 1,
        )
        self._count(batch)
        return JSONResponse(job_row(self._api.project_id, batch, self._submitted.now()), 201)

    async def cancel_job(self, request: Request) -> Response:
        """Cancel a v1 job; the item that it is busy with is finished."""
        self._api.check(self._api.admit(request))
        await self._api.body(request)
        text, now = str(request.path_params["id"]), self._submitted.now()
        batch = self._submitted.find("processing job", "bjb-", text, self._submitted.processing_jobs)
        if batch is None:
            self._api.find("bjb-", "llamacloud job", request)
            raise Refused(JSONResponse({"detail": SEEDED}, 400))
        if (status := v1_status(batch, now)).upper() in TERMINAL:
            raise Refused(JSONResponse({"detail": f"A job cannot be cancelled in status {status}"}, 400))
        if batch.cancelled is None:
            batch = self._submitted.processing_jobs.replace(batch.number, replace(batch, cancelled=now))
            self._submitted.recorder.note("llamacloud", "cancels", batch.directory_name)
        message, done = "Cancellation requested", batch.run.done(now)
        answer = {"job_id": batch.id, "status": v1_status(batch, now), "processed_items": done, "message": message}
        return JSONResponse(answer)

    def _directory(self, body: Body, name: str) -> Directory | None:
        text = body.text(name, required=True)
        directory = self._directories.find(text) if text else None
        if text and directory is None:
            body.refuse(name, "value_error", "Directory not found", None)
        return directory

    def _items(self, body: Body, ids: object) -> tuple[File, ...]:
        if ids is None:
            return ()
        known = self._directories.all_files()
        if isinstance(ids, list) and ids and all(isinstance(text, str) and text in known for text in ids):
            return tuple(known[text] for text in ids)
        return body.refuse("item_ids", "value_error", "Input should be a list of ids of files in directories", ())

    def _seen(self, job_type: str, config: dict[str, object], files: tuple[File, ...]) -> frozenset[int]:
        """Return the positions of files that an earlier job has done already with the same parameters."""
        now, wanted = self._submitted.now(), self._submitted.parameters_hash(config)
        done = {
            file.id
            for batch in self._submitted.processing_jobs.oldest_first()
            if batch.product == job_type and self._submitted.parameters_hash(batch.parameters) == wanted
            for item, file in enumerate(batch.files)
            if item_status(batch, item, now) == "completed"
        }
        return frozenset(item for item, file in enumerate(files) if file.id in done)

    def _count(self, batch: Batch) -> None:
        self._submitted.recorder.note("llamacloud", "batches", batch.directory_name)
        for item, file in enumerate(batch.files):
            if file.outcome != "unmapped" and item not in batch.skipped:
                self._submitted.recorder.note("llamacloud", "jobs", f"{batch.directory_name}/{file.unique_id}")

    def _cancel_file(self, product: str, request: Request) -> Response:
        self._api.check(self._api.admit(request))
        found, now = self._submitted.find_job(product, str(request.path_params["id"])), self._submitted.now()
        if found is None or not found[0].has_jobs(now):
            raise Refused(JSONResponse({"detail": "Job not found"}, 404))
        batch, item = found
        status = batch.job_status(item, now)
        if status in TERMINAL:
            raise Refused(JSONResponse({"detail": f"A job cannot be cancelled in status {status}"}, 409))
        batch = replace(batch, stopped={**batch.stopped, item: now})
        self._submitted.batches.replace(batch.number, batch)
        self._submitted.recorder.note("llamacloud", "cancels", f"{batch.directory_name}/{batch.files[item].unique_id}")
        job_id, project_id = self._submitted.job_id(batch, item), self._api.project_id
        return JSONResponse({"id": job_id, "project_id": project_id, "status": batch.job_status(item, now)})
