"""The manifest, which describes an export. It is written last; without it there is no export."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any

import msgspec

from airflow_batch_provider import codec
from airflow_batch_provider.apis.shown import harmless
from airflow_batch_provider.export.documents import Count, check_depth, check_sha256, read_document
from airflow_batch_provider.formats.registry import FORMATS

if TYPE_CHECKING:
    from airflow_batch_provider.stores.destination import Store

VERSION = 1
MANIFEST_NAME = "_MANIFEST.json"
PART_NAME = re.compile(r"part-[0-9]{5,9}-(?P<digits>[0-9a-f]{12})\.[a-z0-9.]{1,60}")
FILES = "files"
"""The folder of the files beside the parts, which each export has a folder of its own in."""
FILE_FOLDER = re.compile(rf"{FILES}/(?P<digits>[0-9a-f]{{12}})")
FILE_NAME = re.compile(rf"{FILE_FOLDER.pattern}/[0-9a-f]{{64}}\.[a-z0-9.]{{1,60}}")

Content = bytes  # a field below is called bytes
Moment = Annotated[str, msgspec.Meta(pattern=r"^\d{4}-\d\d-\d\dT[0-9:.]+Z$", max_length=40)]


def digits_of(name: str) -> str | None:
    """Return the digits in the name of a part or of a file beside the parts, or None if it is neither."""
    match = PART_NAME.fullmatch(name) or FILE_NAME.fullmatch(name)
    return match["digits"] if match else None


def place_of(name: str) -> str:
    """Return what ``replaces`` names of a published file: a part, or the folder of files beside parts."""
    return name.rpartition("/")[0] or name


class Part(msgspec.Struct, frozen=True):
    """One file of an export.

    :param path: its name in the destination
    :param rows: the number of its rows
    :param bytes: its size in bytes
    :param sha256: the SHA-256 of its bytes, in hexadecimal
    """

    path: str
    rows: Count
    bytes: Count
    sha256: str

    def __post_init__(self) -> None:
        if not PART_NAME.fullmatch(self.path):
            raise ValueError(f"{self.path[:100]!r} is not the name of a part")
        check_sha256(self.sha256)


class Files(msgspec.Struct, frozen=True):
    """The files of an export of results; each is listed in its row.

    :param count: the number of files
    :param bytes: the sum of their sizes in bytes
    :param path: their folder, if there are any
    """

    count: Count = 0
    bytes: Count = 0
    path: str | msgspec.UnsetType = msgspec.UNSET

    @property
    def folders(self) -> list[str]:
        """The folder, if there is one."""
        return [self.path] if isinstance(self.path, str) else []

    def __post_init__(self) -> None:
        if isinstance(self.path, str) and not FILE_FOLDER.fullmatch(self.path):
            raise ValueError(f"{self.path[:100]!r} is not a folder of files")


class TaskRun(msgspec.Struct, frozen=True):
    """The Airflow task run that makes an export; all fields are None without one."""

    dag_id: str | None = None
    task_id: str | None = None
    run_id: str | None = None
    logical_date: str | None = None
    map_index: int | None = None
    try_number: int | None = None


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """The content of ``_MANIFEST.json``, in this order. Times are ISO 8601 in UTC.

    :param version: the version of the manifest's form
    :param export_id: the id of the export
    :param listing: the name of the listing or of the results, such as ``talkifai.batch_jobs``
    :param params: the parameters of the task
    :param format: ``jsonl``, ``csv`` or ``parquet``
    :param compression: ``gzip``, ``zstd`` or null
    :param rows: the number of rows
    :param bytes: the size of all parts in bytes
    :param parts: the parts, in order
    :param files: the files of results
    :param outcomes: the number of items by outcome, for results; they add up to ``rows``
    :param source_version: the state of the batch, for exports of one batch; null if it changed during the export
    :param status_counts: the number of rows by the vendor's status
    :param pages: the number of pages read
    :param duplicates_dropped: the number of rows that were read again and left out
    :param passes: how often the listing was read
    :param reported_total: the largest total that the vendor reported, or null
    :param resumed: whether the export resumed where an earlier try ended
    :param replaces: the parts, and folders of files, that this export replaced
    :param started_at: the time at which the export began
    :param finished_at: the time at which reading ended
    :param dag_id: the DAG of the task
    :param task_id: the task
    :param run_id: the DAG run
    :param logical_date: the logical date of the run, or null
    :param drift: the reason why rows may be missing, or null
    :param unexpected_values: the number of values of an undocumented type, by field; CSV and Parquet have them in
        ``_extra``
    :param requests: the number of requests, for results
    :param map_index: the map index of the task, if Airflow reports it
    :param try_number: the number of the try, if Airflow reports it
    """

    version: int = VERSION
    export_id: str
    listing: str
    params: dict[str, Any]
    format: str
    compression: str | None
    rows: Count
    bytes: Count
    parts: tuple[Part, ...]
    files: Files = Files()
    outcomes: dict[str, Count] = {}
    source_version: dict[str, Any] | None = None
    status_counts: dict[str, Count]
    pages: Count
    duplicates_dropped: Count
    passes: Count
    reported_total: Count | None
    resumed: bool
    replaces: tuple[str, ...]
    started_at: Moment
    finished_at: Moment
    dag_id: str | None = None
    task_id: str | None = None
    run_id: str | None = None
    logical_date: str | None = None
    drift: str | None = None
    unexpected_values: dict[str, Count] = {}
    requests: Count | msgspec.UnsetType = msgspec.UNSET
    map_index: Annotated[int, msgspec.Meta(ge=-1)] | msgspec.UnsetType = msgspec.UNSET
    try_number: Count | msgspec.UnsetType = msgspec.UNSET

    def __post_init__(self) -> None:
        check_depth(self.params)
        check_depth(self.source_version)
        if self.format not in FORMATS:
            raise ValueError(f"format {self.format[:100]!r} is not known to this release")
        for name in self.replaces:
            if not PART_NAME.fullmatch(name) and not FILE_FOLDER.fullmatch(name):
                raise ValueError(f"{name[:100]!r} is not the name of a part")

    def to_json(self) -> Content:
        """Return the file's bytes."""
        return codec.encode(self, indent=1) + b"\n"

    def summary(self, destination: str) -> dict[str, Any]:
        """Return the summary that a task returns: small, JSON, without secrets.

        :param destination: where the export is
        """
        return {
            "destination": destination,
            "manifest": f"{destination.rstrip('/')}/{MANIFEST_NAME}",
            "export_id": self.export_id,
            "listing": self.listing,
            "params": dict(self.params),
            "format": self.format,
            "rows": self.rows,
            "bytes": self.bytes,
            "parts": len(self.parts),
            **self._results,
            **self._version,
            "status_counts": {harmless(word): count for word, count in self.status_counts.items()},
            "drift": None if self.drift is None else harmless(self.drift),
            "finished_at": self.finished_at,
        }

    @property
    def _version(self) -> dict[str, Any]:
        """What a summary says of an export of one batch only."""
        return {} if self.source_version is None else {"source_version": _harmless(self.source_version)}

    @property
    def _results(self) -> dict[str, Any]:
        """What a summary says of an export of results only."""
        if isinstance(self.requests, msgspec.UnsetType):
            return {}
        return {
            "outcomes": {harmless(word): count for word, count in self.outcomes.items()},
            "files": {"count": self.files.count, "bytes": self.files.bytes},
            "requests": self.requests,
        }


def _harmless(value: Any) -> Any:
    if isinstance(value, dict):
        return {harmless(key): _harmless(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_harmless(inner) for inner in value]
    return harmless(value) if isinstance(value, str) else value


def read_manifest(content: bytes) -> Manifest:
    """Read a manifest of this version; fields that a later release adds are ignored.

    :raises UnreadableError: it is anything else
    """
    return codec.decode(content, Manifest, version=VERSION)


def load_manifest(store: Store) -> tuple[Content, Manifest] | None:
    """Read the manifest at a destination, and return its bytes too; None if there is none.

    :raises UnreadableError: it is not one of ours
    """
    content = read_document(store, MANIFEST_NAME)
    return None if content is None else (content, read_manifest(content))
