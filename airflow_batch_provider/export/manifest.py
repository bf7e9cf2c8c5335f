"""The manifest: what an export contains. It is written last; without it there is no export."""

from __future__ import annotations

import re
from typing import Annotated, Any

import msgspec

from airflow_batch_provider import codec
from airflow_batch_provider.formats.registry import FORMATS

VERSION = 1
MANIFEST_NAME = "_MANIFEST.json"
PART_NAME = re.compile(r"part-\d{5,}-[0-9a-f]{12}\.[a-z0-9.]+")

Content = bytes  # a field below is called bytes
Count = Annotated[int, msgspec.Meta(ge=0)]
Moment = Annotated[str, msgspec.Meta(pattern=r"^\d{4}-\d\d-\d\dT[0-9:.]+Z$")]


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


class TaskRun(msgspec.Struct, frozen=True):
    """The Airflow task run that makes an export; everything is None if there is none."""

    dag_id: str | None = None
    task_id: str | None = None
    run_id: str | None = None
    logical_date: str | None = None
    map_index: int | None = None


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """The content of ``_MANIFEST.json``, in its order. Times are ISO 8601 UTC.

    ``drift`` says why rows may be missing although ``on_drift="warn"`` let that pass; ``unexpected_values`` counts, by
    documented field, values of another type than documented, which CSV and Parquet have in ``_extra`` only.
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

    def __post_init__(self) -> None:
        if self.format not in FORMATS:
            raise ValueError(f"format {self.format[:100]!r} is not known to this release")
        for name in self.replaces:
            if not PART_NAME.fullmatch(name):
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
            "format": self.format,
            "rows": self.rows,
            "bytes": self.bytes,
            "parts": len(self.parts),
            "status_counts": dict(self.status_counts),
            "drift": self.drift,
            "finished_at": self.finished_at,
        }


def read_manifest(content: bytes) -> Manifest:
    """Read a manifest of this version; fields that a later release adds are ignored.

    :raises UnreadableError: it is anything else
    """
    return codec.decode(content, Manifest, version=VERSION)
