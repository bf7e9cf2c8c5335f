"""The manifest: what an export contains. It is written last; without it there is no export."""

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
    :param bytes: its size
    :param sha256: the digest of its bytes
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
    """The files beside the parts; the rows name each of them.

    :param count: how many there are
    :param bytes: the sum of their sizes
    :param path: the folder that they are in, if there are any
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
    """The Airflow task run that makes an export; everything is None if there is none.

    The number of the try is not part of what it exports.
    """

    dag_id: str | None = None
    task_id: str | None = None
    run_id: str | None = None
    logical_date: str | None = None
    map_index: int | None = None
    try_number: int | None = None


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """The content of ``_MANIFEST.json``, in its order. Times are ISO 8601 UTC.

    ``drift`` says why rows may be missing: ``on_drift="warn"`` let that pass, or the vendor calls its total an
    estimate; ``unexpected_values`` counts, by documented field, values of another type than documented, which CSV and
    Parquet have in ``_extra`` only; Parquet names nested fields with a dotted path.
    ``files``, ``outcomes`` and ``requests`` are of exports of results; the outcomes add up to the rows.
    ``source_version`` is of exports of one batch: the state that it had before the rows were read, and after; null if
    it changed meanwhile. ``map_index`` and ``try_number`` are there if Airflow said them.
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
        """Return what a task passes on: small, JSON, no secret.

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
    """Read the manifest that lies at a destination, and return its bytes too; None if there is none.

    :raises UnreadableError: it is not one of ours
    """
    content = read_document(store, MANIFEST_NAME)
    return None if content is None else (content, read_manifest(content))
