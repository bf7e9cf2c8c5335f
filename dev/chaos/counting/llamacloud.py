"""LlamaCloud as it counts: batches (v2) and batch processing jobs (v1 beta) over directories.

A batch takes the files that its directory has when it begins to work, and each of them is counted by its SHA-256.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from dev.chaos.counting.account import Answer, Asked, Knobs, iso, json_of, route, seconds_of
from dev.chaos.counting.llamacloud_directories import PAGING, SCOPE, Directories, File, LlamaCloudKnobs, project_of

MISSING_CONFIGURATION = "cfg-missing"
"""The one configuration that does not exist."""

_CONFIGURATIONS = "/api/v1/beta/configurations"
_BATCHES = "/api/v2/batches"
_JOBS = "/api/v1/beta/batch-processing"
_PRESETS = "cfg-PARSE_"
_TERMINAL = {"COMPLETED", "FAILED", "CANCELLED"}


@dataclass(kw_only=True)
class _Batch:
    """A batch of v2, or a job of v1 beta; the status is that of v2."""

    id: str
    directory: str
    config: Any
    project: str
    created: float
    is_v1: bool
    status: str = "PENDING"
    updated: float = 0.0
    began: float | None = None
    asked_to_cancel: bool = False
    files: Sequence[File] = ()
    skipped: set[str] = field(default_factory=set)


class LlamaCloud(Directories):
    """An account at LlamaCloud."""

    knobs_type = LlamaCloudKnobs

    def __init__(self, key: str, knobs: Knobs) -> None:
        super().__init__(key, knobs)
        self.batches: dict[str, _Batch] = {}
        self.processed: dict[str, Counter[str]] = {}

    def has_batch(self, directory: str) -> bool:
        """Return whether a directory has a batch."""
        return any(one.directory == directory for one in self.batches.values())

    # Configurations -------------------------------------------------------------------------------------------------

    @route("GET", f"{_CONFIGURATIONS}/{{}}")
    def get_configuration(self, asked: Asked, identifier: str) -> Answer:
        if identifier == MISSING_CONFIGURATION or identifier.startswith(_PRESETS):
            return self.refuse(404, "Configuration not found")
        kind = "extract_v2" if "extract" in identifier else "parse_v2"
        return Answer(
            200, {"id": identifier, "name": identifier, "product_type": kind, "parameters": {}, "version": "1"}
        )

    # Batches of both kinds ------------------------------------------------------------------------------------------

    @route("POST", _BATCHES)
    def create_batch(self, asked: Asked) -> Answer:
        body = json_of(asked) or {}
        hooks = ("webhook_configuration_ids", "webhook_configurations")
        self.check_names(asked, *SCOPE)
        self.check_names(asked, "source_directory_id", "config", *hooks, where="body", given=body)
        job = (body.get("config") or {}).get("job") or {}
        if job.get("type") not in {"parse_v2", "extract_v2"}:
            return self.refuse(422, "Input should be 'parse_v2' or 'extract_v2'", ["body", "config", "job", "type"])
        if not job.get("configuration_id") or job["configuration_id"] == MISSING_CONFIGURATION:
            return self.refuse(422, "Configuration not found", ["body", "config", "job", "configuration_id"])
        return self._create(asked, body.get("source_directory_id"), "source_directory_id", body["config"], is_v1=False)

    @route("POST", _JOBS)
    def create_job(self, asked: Asked) -> Answer:
        body = json_of(asked) or {}
        self.check_names(asked, *SCOPE)
        known = ("job_config", "directory_id", "item_ids", "page_size", "continue_as_new_threshold")
        self.check_names(asked, *known, where="body", given=body)
        if not isinstance(body.get("job_config"), dict):
            return self.refuse(422, "Field required", ["body", "job_config"])
        return self._create(asked, body.get("directory_id"), "directory_id", body["job_config"], is_v1=True)

    def _create(self, asked: Asked, directory: Any, name: str, config: Any, *, is_v1: bool) -> Answer:
        if not isinstance(directory, str) or self.directory_of(asked, directory) is None:
            return self.refuse(422, "Directory not found", ["body", name])
        batch = _Batch(
            id=self.new_id("bjb" if is_v1 else "bat"),
            directory=directory,
            config=config,
            project=project_of(asked),
            created=self.now(),
            updated=self.now(),
            is_v1=is_v1,
        )
        self.batches[batch.id] = batch
        return Answer(201, _row(batch))

    def settle(self) -> None:
        """Let batches begin and end whose time has come."""
        for one in sorted(self.batches.values(), key=lambda one: one.created):
            start = one.created + self.knobs.start_after
            if one.status == "PENDING" and start <= self.now():
                one.status, one.began, one.updated = "RUNNING", start, start
                one.files = list(self.files_of(one.directory, start))
                self._process(one)
            if one.status == "RUNNING" and start + self.knobs.run_seconds <= self.now():
                one.status, one.updated = "CANCELLED" if one.asked_to_cancel else "COMPLETED", self.now()

    def _process(self, batch: _Batch) -> None:
        """Count each file; one that another v1 job has processed is skipped, as its documents say."""
        others = [one for one in self.batches.values() if one is not batch and one.is_v1 and one.began is not None]
        before = {file.id for one in others for file in one.files}
        for file in batch.files:
            if batch.is_v1 and file.id in before:
                batch.skipped.add(file.id)
            else:
                self.processed.setdefault(file.sha256, Counter())[batch.id] += 1

    def _batch(self, asked: Asked, identifier: str, *, is_v1: bool) -> _Batch | None:
        found = self.batches.get(identifier)
        return found if found and found.is_v1 == is_v1 and found.project == project_of(asked) else None

    def _listed_batches(self, asked: Asked, directory: str | None, *, is_v1: bool) -> list[_Batch]:
        found = [one for one in self.batches.values() if one.is_v1 == is_v1 and one.project == project_of(asked)]
        return self.listed(one for one in found if directory is None or one.directory == directory)

    @route("GET", _BATCHES)
    def list_batches(self, asked: Asked) -> Answer:
        bounds = ("created_at_on_or_after", "created_at_on_or_before")
        self.check_names(asked, *PAGING, "status", "source_directory_id", *bounds)
        found = self._listed_batches(asked, asked.one("source_directory_id"), is_v1=False)
        first, last = (asked.one(name) for name in bounds)
        found = [one for one in found if asked.one("status") in {None, one.status}]
        found = [one for one in found if first is None or one.created >= seconds_of(first)]
        return self.page(asked, [one for one in found if last is None or one.created <= seconds_of(last)], _row)

    @route("GET", f"{_BATCHES}/{{}}")
    def get_batch(self, asked: Asked, identifier: str) -> Answer:
        self.check_names(asked, *SCOPE, "expand")
        found = self._batch(asked, identifier, is_v1=False)
        if found is None:
            return self.refuse(404, "Batch not found")
        return Answer(200, _row(found, with_results="results" in asked.query.get("expand", ())))

    @route("POST", f"{_BATCHES}/{{}}/cancel")
    def cancel_batch(self, asked: Asked, identifier: str) -> Answer:
        if asked.body:
            self.surprise("Cancelling a batch has a body")
        found = self._batch(asked, identifier, is_v1=False)
        return self._cancel(found) or Answer(200, _row(found)) if found else self.refuse(404, "Batch not found")

    def _cancel(self, batch: _Batch) -> Answer | None:
        """Cancel a batch, or return why not; one that works ends later."""
        if batch.status in _TERMINAL:
            return self.refuse(409, f"Batch is {batch.status} and cannot be cancelled")
        if batch.status == "PENDING":
            batch.status, batch.updated = "CANCELLED", self.now()
        batch.asked_to_cancel = True
        return None

    @route("GET", _JOBS)
    def list_jobs(self, asked: Asked) -> Answer:
        self.check_names(asked, *SCOPE, "limit", "offset", "directory_id", "job_type", "status")
        limit, offset = int(asked.one("limit", "50") or 0), int(asked.one("offset", "0") or 0)
        if not 1 <= limit <= 1000 or offset < 0:
            return self.refuse(422, "Input should be as documented", ["query", "limit"])
        rows = [_row(one) for one in self._listed_batches(asked, asked.one("directory_id"), is_v1=True)]
        rows = [row for row in rows if asked.one("status") in {None, row["status"]}]
        rows = [row for row in rows if asked.one("job_type") in {None, row["job_type"]}]
        page = rows[offset : offset + min(limit, self.knobs.page)]
        total = len(rows) if self.knobs.total else None
        return Answer(200, {"items": page, "next_page_token": None, "total_size": total})

    @route("GET", f"{_JOBS}/{{}}")
    def get_job(self, asked: Asked, identifier: str) -> Answer:
        found = self._batch(asked, identifier, is_v1=True)
        if found is None:
            return self.refuse(404, "Batch job not found")
        done = 100.0 if found.status in _TERMINAL else 0.0
        return Answer(200, {"job": _row(found), "progress_percentage": done})

    @route("GET", f"{_JOBS}/{{}}/items")
    def list_items(self, asked: Asked, identifier: str) -> Answer:
        found = self._batch(asked, identifier, is_v1=True)
        if found is None:
            return self.refuse(404, "Batch job not found")
        limit, offset = int(asked.one("limit", "100") or 0), int(asked.one("offset", "0") or 0)
        page = found.files[offset : offset + limit]
        rows = [
            {
                "item_id": file.id,
                "item_name": file.display_name,
                "status": "skipped" if file.id in found.skipped else _word(found),
                "skip_reason": "already_processed" if file.id in found.skipped else None,
                "job_id": f"pjb-of-{file.id}",
            }
            for file in page
        ]
        return Answer(200, {"items": rows, "next_page_token": None, "total_size": None})

    @route("POST", f"{_JOBS}/{{}}/cancel")
    def cancel_job(self, asked: Asked, identifier: str) -> Answer:
        if json_of(asked) is None:
            return self.refuse(422, "Field required", ["body"])
        found = self._batch(asked, identifier, is_v1=True)
        if found is None:
            return self.refuse(404, "Batch job not found")
        done = {"job_id": found.id, "processed_items": 0, "message": "Cancellation requested"}
        return self._cancel(found) or Answer(200, {**done, "status": _word(found)})

    def counted(self) -> dict[str, Any]:
        """Return the batches, and how often each file was processed, by its SHA-256 and the batch."""
        batches = sorted(self.batches.values(), key=lambda one: one.created)
        return {
            "created": [one.id for one in batches],
            "ran": [one.id for one in batches if one.began],
            "cancelled_before_run": [one.id for one in batches if one.status == "CANCELLED" and not one.began],
            "handles": {one.id: self.directories[one.directory].name for one in batches},
            "directories": [one.name for one in self.directories.values()],
            "files": {sha256: dict(found) for sha256, found in self.processed.items()},
        }


def _word(one: _Batch) -> str:
    return one.status.lower()


def _row(one: _Batch, *, with_results: bool = False) -> dict[str, Any]:
    times = {"created_at": iso(one.created), "updated_at": iso(one.updated)}
    if one.is_v1:
        counters = {
            "total_items": len(one.files),
            "processed_items": len(one.files) - len(one.skipped) if one.status == "COMPLETED" else 0,
            "failed_items": 0,
            "skipped_items": len(one.skipped),
        }
        facts = {"id": one.id, "project_id": one.project, "job_type": "parse", "status": _word(one)}
        return {**facts, **counters, "directory_id": one.directory, "error_message": None, **times}
    results = None
    if with_results and one.status in _TERMINAL:
        results = [
            {
                "source_directory_file_id": file.id,
                "job_reference": {"id": f"pjb-of-{file.id}", "type": one.config["job"]["type"]},
                "error_message": None,
            }
            for file in one.files
        ]
    facts = {"id": one.id, "project_id": one.project, "source_directory_id": one.directory, "status": one.status}
    return {**facts, "config": one.config, **times, "results": results}
