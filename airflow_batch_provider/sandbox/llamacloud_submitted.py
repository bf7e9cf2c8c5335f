"""What was submitted to LlamaCloud: directories, files, configurations, batches and batch processing jobs.

Records only; what has become of them by now follows from them and from the clock (:class:`Run`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, TypeVar

from airflow_batch_provider.sandbox.bodies import Upload
from airflow_batch_provider.sandbox.journal import MOST_RECORDS, Kept, Recorder
from airflow_batch_provider.sandbox.runs import Run
from airflow_batch_provider.sandbox.world import World

T = TypeVar("T")
FILES_OF_A_BATCH = 1024  # more than a batch can have
IDS = 1 << 48
PRESET = "cfg-PARSE_AGENTIC"
PREFIXES = {"parse_v2": "pjb-", "extract_v2": "ext-", "v1": ""}
ERROR = "The document could not be processed"


class File(NamedTuple):
    """A file in a directory; times are Unix milliseconds."""

    id: str
    directory_id: str
    display_name: str
    unique_id: str
    file_id: str
    sha256: str
    size: int
    metadata: dict[str, Any] | None
    created: int
    updated: int
    deleted: int | None = None

    @property
    def outcome(self) -> str:
        """What becomes of it in a batch: ``unmapped``, ``failed`` or ``completed``; its name decides."""
        if "unmappable" in self.display_name:
            return "unmapped"
        return "failed" if "fail" in self.display_name else "completed"


@dataclass(frozen=True)
class Directory:
    """A directory.

    :param number: None if it is a seeded one.
    """

    number: int | None
    id: str
    name: str
    type: str
    description: str | None
    created: int
    updated: int
    deleted: int | None = None


@dataclass(frozen=True)
class Configuration:
    """A saved configuration; another version of it keeps its id."""

    number: int
    id: str
    name: str
    product_type: str
    parameters: dict[str, Any]
    created: int
    updated: int


@dataclass(frozen=True)
class Stored:
    """A file of the files API, which directories refer to."""

    number: int
    id: str
    upload: Upload
    purpose: str
    external_file_id: str | None
    created: int


@dataclass(frozen=True)
class Batch:
    """A v2 batch or a v1 batch processing job.

    :param product: what it does: ``parse_v2`` or ``extract_v2``; of v1, ``parse``, ``extract`` or ``classify``.
    :param directory_name: under which the journal counts it.
    :param parameters: those of the configuration when the batch was created.
    :param files: those that the directory had then.
    :param skipped: positions of files that a v1 job had been through before.
    :param stopped: when the jobs of some files were cancelled, by position.
    """

    number: int
    id: str
    created: int
    run_milliseconds: int
    directory_id: str | None
    directory_name: str
    product: str
    configuration_id: str
    parameters: Mapping[str, Any]
    files: tuple[File, ...]
    skipped: frozenset[int] = frozenset()
    cancelled: int | None = None
    stopped: Mapping[int, int] = field(default_factory=dict)

    @property
    def run(self) -> Run:
        """How it proceeds: it waits for a tenth of its time."""
        begins, ends = self.created + self.run_milliseconds // 10, self.created + self.run_milliseconds
        return Run(begins, ends, len(self.files), self.cancelled)

    def has_jobs(self, now: float) -> bool:
        """Return whether the batch has begun, which makes the jobs of its files."""
        return now >= self.run.begins and (self.cancelled is None or self.cancelled >= self.run.begins)

    def job_status(self, item: int, now: float) -> str:
        """Return where the job of a file stands, in the words of v2."""
        stage = self.run.item_stage(item, now)
        stopped = self.stopped.get(item)
        if stopped is not None and now >= stopped:
            return "CANCELLED"
        if stage == "completed":
            return "FAILED" if self.files[item].outcome == "failed" else "COMPLETED"
        return {"waiting": "PENDING", "running": "RUNNING"}.get(stage, "CANCELLED")

    def job_updated(self, item: int, now: float) -> int:
        """Return when the job of a file changed last."""
        times = [self.stopped.get(item, self.created), *self.run.window(item), self.cancelled or self.created]
        return max((time for time in times if time <= now), default=self.created)


class LlamaCloudSubmitted:
    """What was submitted, the latest of it.

    :param world: seed and clock.
    :param recorder: counts what is written.
    """

    def __init__(self, world: World, recorder: Recorder) -> None:
        self._world, self.recorder = world, recorder
        self.run_milliseconds = int(world.settings.run_seconds * 1000)
        self.batches: Kept[Batch] = Kept(self._is_over)
        self.processing_jobs: Kept[Batch] = Kept(self._is_over)
        self.directories: Kept[Directory] = Kept(self._is_unused, self._forget_files)
        self._files: dict[str, list[File]] = {}  # by directory, in the order of their upload
        self._file_count = 0
        self.stored: Kept[Stored] = Kept()
        self.configurations: Kept[Configuration] = Kept(lambda kept: kept.number >= len(seeded))
        seeded: tuple[tuple[str, str, dict[str, Any]], ...] = (
            ("Invoices as Markdown", "parse_v2", {}),
            ("Invoices", "extract_v2", INVOICES),
        )
        self.configuration_ids = {"preset": PRESET}  # by product
        for name, product_type, parameters in seeded:
            parameters = {"product_type": product_type, **parameters}
            made = self.add_configuration(name, product_type, parameters, world.started)
            self.configuration_ids[product_type] = made.id

    def now(self) -> int:
        """Return the time in Unix milliseconds."""
        return int(self._world.now() * 1000)

    def is_listed(self, created: int) -> bool:
        """Return whether listings show what was created then."""
        return self._world.now() * 1000 >= created + self._world.settings.late_listing * 1000

    def id(self, kind: str, number: int) -> str:
        """Return an id in the form of a UUID, unlike those of seeded rows."""
        return self._world.uuid(f"llamacloud submitted {kind}", number)

    def find(self, kind: str, prefix: str, text: str, kept: Kept[T]) -> T | None:
        """Return the record with an id, or None."""
        number = self._world.find(f"llamacloud submitted {kind}", text.removeprefix(prefix), kept.count)
        return kept.get(number) if text.startswith(prefix) else None

    def add_configuration(self, name: str, product_type: str, parameters: dict[str, Any], now: int) -> Configuration:
        """Keep a configuration, or another version of the one with its name and type."""
        for kept in self.configurations.oldest_first():
            if (kept.name, kept.product_type) == (name, product_type):
                return self.configurations.replace(kept.number, replace(kept, parameters=parameters, updated=now))
        return self.configurations.add(
            lambda number: Configuration(
                number, f"cfg-{self.id('configuration', number)}", name, product_type, parameters, now, now
            )
        )

    def parameters(self, configuration_id: str, product_type: str) -> dict[str, Any] | None:
        """Return what a configuration says, or None if there is none of that product."""
        if (configuration_id, product_type) == (PRESET, "parse_v2"):
            return {"product_type": "parse_v2", "tier": "agentic"}
        found = self.find("configuration", "cfg-", configuration_id, self.configurations)
        return found.parameters if found and found.product_type == product_type else None

    def job_id(self, batch: Batch, item: int) -> str:
        """Return the id of the job that a batch makes for a file."""
        kind = batch.product if batch.product in PREFIXES else "v1"
        return f"{PREFIXES[kind]}{self.id(f'{kind} job', batch.number * FILES_OF_A_BATCH + item)}"

    def find_job(self, kind: str, job_id: str) -> tuple[Batch, int] | None:
        """Return the batch of a job and the position of its file, or None.

        :param kind: ``parse_v2``, ``extract_v2`` or ``v1``.
        """
        prefix, kept = PREFIXES[kind], self.processing_jobs if kind == "v1" else self.batches
        number = self._world.find(f"llamacloud submitted {kind} job", job_id.removeprefix(prefix), IDS)
        if number is None or not job_id.startswith(prefix):
            return None
        batch = kept.get(number // FILES_OF_A_BATCH)
        if batch is None or number % FILES_OF_A_BATCH >= len(batch.files):
            return None
        return batch, number % FILES_OF_A_BATCH

    def parameters_hash(self, job_config: Mapping[str, Any]) -> str:
        """Return by what a v1 job recognizes what it has done before."""
        return self._world.digest(json.dumps(job_config.get("parameters"), sort_keys=True))

    def files_of(self, directory_id: str) -> list[File]:
        """Return the files that were written to a directory, deleted ones included."""
        return self._files.get(directory_id, [])

    def add_file(self, directory: Directory, stored: Stored, fields: Mapping[str, Any]) -> File:
        """Put a file into a directory. A second one with the same unique id is another file.

        :param fields: ``unique_id``, ``display_name`` and ``metadata``, each None by default.
        """
        now, name = self.now(), stored.upload.name
        unique_id = fields.get("unique_id") or stored.external_file_id or name
        file = File(
            f"dfl-{self.id('file', self._file_count)}",
            directory.id,
            fields.get("display_name") or name,
            unique_id,
            stored.id,
            stored.upload.sha256,
            stored.upload.size,
            fields.get("metadata"),
            now,
            now,
        )
        self._file_count += 1
        files = self._files.setdefault(directory.id, [])
        files.append(file)
        if directory.number is not None:
            self.directories.grow(directory.number)
        elif len(files) > MOST_RECORDS:
            del files[0]
        self.recorder.note("llamacloud", "files", f"{directory.name}/{unique_id}")
        return file

    def replace_file(self, file: File) -> File:
        """Keep another version of a file."""
        files = self.files_of(file.directory_id)
        files[[kept.id for kept in files].index(file.id)] = file
        return file

    def add_stored(self, upload: Upload, purpose: str, external_file_id: str | None) -> Stored:
        """Keep a file of the files API."""
        return self.stored.add(
            lambda number: Stored(
                number, f"fil-{self.id('stored', number)}", upload, purpose, external_file_id, self.now()
            )
        )

    def _is_over(self, batch: Batch) -> bool:
        return self.now() >= batch.run.over

    def _is_unused(self, directory: Directory) -> bool:
        busy = (*self.batches.oldest_first(), *self.processing_jobs.oldest_first())
        return not any(batch.directory_id == directory.id and not self._is_over(batch) for batch in busy)

    def _forget_files(self, directory: Directory) -> None:
        self._files.pop(directory.id, None)


INVOICES: dict[str, Any] = {
    "data_schema": {"type": "object", "properties": {"file_name": {"type": "string"}, "sha256": {"type": "string"}}},
    "extraction_target": "per_doc",
}
