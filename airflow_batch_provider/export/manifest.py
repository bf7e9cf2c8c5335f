"""The manifest: what an export holds. It is written last; without it there is no export."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

VERSION = 1
MANIFEST_NAME = "_MANIFEST.json"

_LATER_FIELDS = ("drift", "unexpected_values")

Content = bytes  # a field below is called bytes


@dataclass(frozen=True)
class Part:
    """One file of an export.

    :param path: its name in the destination
    :param rows: how many rows it holds
    :param bytes: its size
    :param sha256: the digest of its bytes
    """

    path: str
    rows: int
    bytes: int
    sha256: str


@dataclass(frozen=True)
class TaskRun:
    """The Airflow task run that made an export; everything is None where there was none."""

    dag_id: str | None = None
    task_id: str | None = None
    run_id: str | None = None
    logical_date: str | None = None
    map_index: int | None = None


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """The content of ``_MANIFEST.json``, in its order. Times are ISO 8601 UTC.

    ``drift`` says why rows may be missing where ``on_drift="warn"`` let that pass; ``unexpected_values`` counts, by
    documented field, values of another type than documented, which CSV and Parquet hold in ``_extra`` only.
    """

    version: int = VERSION
    export_id: str
    listing: str
    params: Mapping[str, Any]
    format: str
    compression: str | None
    rows: int
    bytes: int
    parts: tuple[Part, ...]
    status_counts: Mapping[str, int]
    pages: int
    duplicates_dropped: int
    passes: int
    reported_total: int | None
    resumed: bool
    replaces: tuple[str, ...]
    started_at: str
    finished_at: str
    task_run: TaskRun = field(default_factory=TaskRun)
    drift: str | None = None
    unexpected_values: Mapping[str, int] = field(default_factory=dict)

    def to_json(self) -> Content:
        """Return the file's bytes."""
        document = asdict(self)
        task_run = document.pop("task_run")
        del task_run["map_index"]
        later = {name: document.pop(name) for name in _LATER_FIELDS}
        return (json.dumps({**document, **task_run, **later}, indent=1) + "\n").encode()

    def summary(self, destination: str) -> dict[str, Any]:
        """Return what a task hands on: small, JSON, no secret.

        :param destination: where the export lies
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
            "finished_at": self.finished_at,
        }


def read_manifest(content: bytes) -> Manifest:
    """Read a manifest, of this version or with fields that a later one adds.

    :raises ValueError: it is not one of ours
    """
    try:
        document = json.loads(content)
        task_run = TaskRun(**{name: document.get(name) for name in ("dag_id", "task_id", "run_id", "logical_date")})
        required = Manifest.__dataclass_fields__.keys() - {"task_run", *_LATER_FIELDS}
        fields = {name: document[name] for name in required}
        fields |= {name: document[name] for name in _LATER_FIELDS if name in document}
        fields["parts"] = tuple(Part(**part) for part in document["parts"])
        fields["replaces"] = tuple(document["replaces"])
        return Manifest(**fields, task_run=task_run)
    except (LookupError, TypeError, AttributeError) as error:
        raise ValueError(f"it is not a manifest of this package: {error!r}") from error
