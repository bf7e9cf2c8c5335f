"""The jobs of LlamaCloud's v2 batches, seeded and submitted, as one sequence."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from airflow_batch_provider.sandbox import documents
from airflow_batch_provider.sandbox.content import Content
from airflow_batch_provider.sandbox.llamacloud import (
    CONFIGURATION,
    DIRECTORIES,
    LlamaCloud,
    product_of,
    unmapped,
)
from airflow_batch_provider.sandbox.llamacloud_submitted import (
    FILES_OF_A_BATCH,
    PREFIXES,
    Batch,
    LlamaCloudSubmitted,
)
from airflow_batch_provider.sandbox.llamacloud_tokens import SUBMITTED, Start
from airflow_batch_provider.sandbox.submitted_documents import SubmittedDocument
from airflow_batch_provider.sandbox.world import World

FILES = 1024  # more than a seeded batch can have
BATCHES_PER_PAGE = 2000
MILLISECONDS_TO_A_JOB = 10_000
STATUS_OF_KIND = {"failed": "FAILED", "cancelled": "CANCELLED"}


class Document(Protocol):
    """What a job produces."""

    page_numbers: range
    image_names: list[str]
    has_failed_pages: bool

    @property
    def markdown(self) -> str:
        """The document as Markdown."""

    @property
    def text(self) -> str:
        """The document as text."""

    @property
    def extraction_target(self) -> str:
        """Whether an extraction is per document, per page or per table row."""

    def inline(self, name: str) -> dict[str, Any]:
        """Return what ``expand`` puts into a job."""

    def v1_pages(self) -> list[dict[str, Any]]:
        """Return the pages as the old Parse API has them."""

    def file(self, name: str) -> Content | None:
        """Return one of the files of the document, or None if it does not have it."""

    def image(self, name: str) -> bytes:
        """Return an image."""

    def extract(self) -> dict[str, Any] | list[dict[str, Any]]:
        """Return the fields of the document."""

    def extract_metadata(self) -> dict[str, Any]:
        """Return where each field was found."""


class SeededDocument:
    """What a seeded job produced, see :mod:`.documents`.

    :param job_id: the job.
    :param large_bytes: size of large files.
    """

    def __init__(self, job_id: str, large_bytes: int) -> None:
        self._job_id, self._large_bytes = job_id, large_bytes
        self.page_numbers, self.image_names = documents.page_numbers(job_id), documents.image_names(job_id)
        self.has_failed_pages = documents.kind_of(job_id) == "failed_pages"

    @property
    def markdown(self) -> str:
        return documents.markdown_of(self._job_id)

    @property
    def text(self) -> str:
        return documents.text_of(self._job_id)

    @property
    def extraction_target(self) -> str:
        return documents.target_of(self._job_id)

    def inline(self, name: str) -> dict[str, Any]:
        return documents.inline_of(self._job_id, name)

    def v1_pages(self) -> list[dict[str, Any]]:
        return documents.v1_pages_of(self._job_id)

    def file(self, name: str) -> Content | None:
        return documents.file_of(self._job_id, name, self._large_bytes)

    def image(self, name: str) -> bytes:
        return documents.image_of(self._job_id, name)

    def extract(self) -> dict[str, Any] | list[dict[str, Any]]:
        return documents.extract_of(self._job_id)

    def extract_metadata(self) -> dict[str, Any]:
        return documents.extract_metadata_of(self._job_id)


@dataclass(frozen=True)
class Job:
    """A job as it stands now; times are Unix milliseconds.

    :param submitted: the batch and the position in it, of what was submitted.
    :param unlisted: whether listings have the job without its result.
    """

    id: str
    status: str
    created: int
    updated: int
    file_id: str
    configuration_id: str
    document: Document
    submitted: tuple[Batch, int] | None = None
    unlisted: bool = False


class LlamaCloudJobs:
    """Finds jobs.

    :param api: the endpoints of the batches.
    :param world: the seeded data.
    :param submitted: what was submitted.
    """

    def __init__(self, api: LlamaCloud, world: World, submitted: LlamaCloudSubmitted) -> None:
        self._api, self._world, self._submitted = api, world, submitted

    def find(self, product: str, job_id: str) -> Job | None:
        """Return a job that is there; that of an item without one, one that expired, is not."""
        if ours := self._submitted.find_job(product, job_id):
            return self._job(*ours)
        prefix = PREFIXES[product]
        found = self._world.find_item("llamacloud file job", job_id.removeprefix(prefix))
        return self._seeded(product, *found) if found and job_id.startswith(prefix) else None

    def document(self, job_id: str) -> Document:
        """Return what a job produces that is there or has been there."""
        for kind in ("parse_v2", "v1"):
            if ours := self._submitted.find_job(kind, job_id):
                return SubmittedDocument(ours[0].files[ours[1]], ours[0].parameters)
        return SeededDocument(job_id, self._world.settings.large_bytes)

    def count(self) -> int:
        """Return how many positions the seeded jobs have."""
        return self._world.settings.jobs * FILES

    def submitted_count(self) -> int:
        """Return how many positions the submitted jobs have."""
        return self._submitted.batches.count * FILES_OF_A_BATCH

    def walk(self, product: str, start: Start, after: float, before: float) -> Iterator[tuple[int, Job | None]]:
        """Iterate over positions and jobs of batches, newest first.

        A job of None is where the search is broken off: nothing is there, and the next page continues.

        :param after: Unix milliseconds; batches are left out whose jobs were all created before.
        """
        for number, batch in self._submitted.batches.newest_first():
            if batch.product != product or not self._submitted.is_listed(batch.created):
                continue
            for item in range(len(batch.files))[::-1]:
                position = number * FILES_OF_A_BATCH + item
                if position <= start.newest and (job := self._job(batch, item)):
                    yield SUBMITTED + position, job
        made, rows, files = MILLISECONDS_TO_A_JOB, self._world.settings.jobs, self._world.settings.files
        span = self._world.created_between(rows, after - made, before - made)
        first = max(span.start, start.seeded // FILES)
        for index in range(first, span.stop):
            if index == first + BATCHES_PER_PAGE:
                yield index * FILES, None
                return
            skipped = start.seeded % FILES if index == start.seeded // FILES else 0
            for file in range(skipped, documents.files_of(index, files)):
                if seeded := self._seeded(product, index, file):
                    yield index * FILES + file, seeded

    def _job(self, batch: Batch, item: int) -> Job | None:
        """Return the job of a submitted file, or None if there is none or not yet."""
        file, now = batch.files[item], self._submitted.now()
        if file.outcome == "unmapped" or not batch.has_jobs(now):
            return None
        return Job(
            self._submitted.job_id(batch, item),
            batch.job_status(item, now),
            batch.run.begins,
            batch.job_updated(item, now),
            file.id,
            batch.configuration_id,
            SubmittedDocument(file, batch.parameters),
            (batch, item),
        )

    def _seeded(self, product: str, index: int, file: int) -> Job | None:
        rows, files = self._world.settings.jobs, self._world.settings.files
        if index >= rows or file >= documents.files_of(index, files) or product_of(index) != product:
            return None
        job_id = self._api.job_id(index, file)
        kind, status = documents.kind_of(job_id), self._seeded_status(index, job_id)
        if unmapped(index, file) or kind == "expired" or status is None:
            return None
        return Job(
            job_id,
            status,
            self._world.created(index) + MILLISECONDS_TO_A_JOB,
            self._world.progress(index, self._world.elapsed()).updated,
            self._api.file_id(index % DIRECTORIES, file),
            CONFIGURATION,
            SeededDocument(job_id, self._world.settings.large_bytes),
            unlisted=kind == "unlisted",
        )

    def _seeded_status(self, index: int, job_id: str) -> str | None:
        progress = self._world.progress(index, self._world.elapsed())
        if progress.stage == "waiting":
            return None
        if progress.stage != "completed":
            return "RUNNING" if progress.stage == "running" else "CANCELLED"
        kind = documents.kind_of(job_id)
        if kind == "late" and self._world.is_early(progress.ended):
            return "RUNNING"
        return STATUS_OF_KIND.get(kind, "COMPLETED")
