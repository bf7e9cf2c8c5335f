"""What was submitted to Playment: batches and jobs, and what has become of them by now."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from airflow_batch_provider.sandbox.annotation import rectangles
from airflow_batch_provider.sandbox.content import Content, dumps
from airflow_batch_provider.sandbox.journal import Kept, Recorder
from airflow_batch_provider.sandbox.world import World

ANNOTATIONS = 2  # of each job


@dataclass(frozen=True)
class SubmittedJob:
    """A job; times are Unix milliseconds.

    :param tag: the work flow, under either of its names.
    """

    id: str
    batch_id: str
    reference_id: str
    tag: str
    priority_weight: int
    data: dict[str, Any]
    created: int
    ends: int

    @property
    def fails(self) -> bool:
        """Whether it ends without a result; its reference id decides."""
        return "fail" in self.reference_id

    def status(self, now: float) -> str:
        """Return the status of the job."""
        if now < self.ends:
            return "pending"
        return "failed" if self.fails else "completed"

    @property
    def frames(self) -> int:
        """How many frames it has; an image is one."""
        for name in ("video_data", "sensor_data"):
            if isinstance(frames := self.data.get(name, {}).get("frames"), list):
                return len(frames)
        return 1

    def result(self) -> dict[str, Any]:
        """Return the result of the job, which shows whose it is."""
        found = rectangles(self.id, ANNOTATIONS)
        about = {"reference_id": self.reference_id}
        if "video_data" in self.data:
            trackers = [{**one, "type": "rectangle", "frames": {}} for one in found]
            return {
                "data": {
                    **about,
                    "annotation_data": {"annotations": trackers},
                    "video_data": self.data["video_data"],
                }
            }
        kinds = {"rectangles": found, "polygons": [], "lines": [], "cuboids": [], "landmarks": []}
        return {"data": {**about, "image_url": self.data.get("image_url"), "annotations": kinds}}

    def result_file(self) -> Content:
        """Return the file with the result."""
        return Content("application/json", dumps(self.result()))


@dataclass
class JobsOfABatch:
    """The submitted jobs of a batch, in the order of their creation.

    :param name: None if the batch is a seeded one.
    :param created: Unix milliseconds.
    """

    number: int
    id: str
    name: str | None
    description: str
    created: int
    jobs: list[SubmittedJob] = field(default_factory=list)


class PlaymentJobs:
    """The batches and jobs that were submitted, the latest of them.

    :param world: seed and clock.
    :param recorder: counts what is written.
    """

    def __init__(self, world: World, recorder: Recorder) -> None:
        self._world, self.recorder = world, recorder
        self.batches: Kept[JobsOfABatch] = Kept(self._is_over, self._forget)
        self._by_id: dict[str, SubmittedJob] = {}
        self._references: dict[str, str] = {}
        self._jobs_made = 0

    def now(self) -> int:
        """Return the time in Unix milliseconds."""
        return int(self._world.now() * 1000)

    def add_batch(self, name: str | None, description: str, batch_id: str | None = None) -> JobsOfABatch:
        """Keep a new batch, or the jobs that are added to a seeded one."""
        return self.batches.add(
            lambda number: JobsOfABatch(
                number,
                batch_id or self._world.uuid("playment submitted batch", number),
                name,
                description,
                self.now(),
            )
        )

    def add_job(self, batch_id: str, reference_id: str, tag: str, priority: int, data: dict[str, Any]) -> SubmittedJob:
        """Keep a new job of a batch that exists."""
        now = self.now()
        ends = now + int(self._world.settings.run_seconds * 1000)
        job_id = self._world.uuid("playment submitted job", self._jobs_made)
        job = SubmittedJob(job_id, batch_id, reference_id, tag, priority, data, now, ends)
        self._jobs_made += 1
        batch = self.find_batch(batch_id) or self.add_batch(None, "", batch_id)
        batch.jobs.append(job)
        self._by_id[job_id], self._references[reference_id] = job, job_id
        self.batches.grow(batch.number)
        self.recorder.note("playment", "jobs", reference_id)
        return job

    def find_batch(self, batch_id: str) -> JobsOfABatch | None:
        """Return what was submitted of a batch, or None."""
        return next((batch for batch in self.batches.oldest_first() if batch.id == batch_id), None)

    def find_job(self, job_id: str) -> SubmittedJob | None:
        """Return a job, or None."""
        return self._by_id.get(job_id)

    def has_reference(self, reference_id: str) -> bool:
        """Return whether a job has a reference id."""
        return reference_id in self._references

    def names(self) -> set[str]:
        """Return the names of the batches."""
        return {batch.name for batch in self.batches.oldest_first() if batch.name is not None}

    def listed(self) -> list[JobsOfABatch]:
        """Return the new batches that listings show, newest first."""
        return [
            batch
            for _, batch in self.batches.newest_first()
            if batch.name is not None and self._is_listed(batch.created)
        ]

    def jobs_of(self, batch_id: str) -> list[SubmittedJob]:
        """Return the submitted jobs of a batch that listings show."""
        batch = self.find_batch(batch_id)
        return [job for job in batch.jobs if self._is_listed(job.created)] if batch else []

    def row(self, job: SubmittedJob) -> dict[str, Any]:
        """Return a job as listings have it."""
        status = job.status(self.now())
        return {
            "id": job.id,
            "reference_id": job.reference_id,
            "status": status,
            "frames": job.frames,
            "annotations": ANNOTATIONS if status == "completed" else 0,
        }

    def _is_listed(self, created: int) -> bool:
        return self.now() >= created + self._world.settings.late_listing * 1000

    def _is_over(self, batch: JobsOfABatch) -> bool:
        return bool(batch.jobs) and all(self.now() >= job.ends for job in batch.jobs[::-1])

    def _forget(self, batch: JobsOfABatch) -> None:
        for job in batch.jobs:
            del self._by_id[job.id], self._references[job.reference_id]
