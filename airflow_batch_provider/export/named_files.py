"""The files that rows of results name, compared with what is there."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from airflow_batch_provider.export.documents import is_intact
from airflow_batch_provider.export.manifest import FILE_NAME, MANIFEST_NAME, Manifest, place_of

if TYPE_CHECKING:
    from airflow_batch_provider.stores.destination import Store


class NamedFiles:
    """The files that rows name, each once."""

    def __init__(self) -> None:
        self._sizes: dict[str, int] = {}
        self._problems: list[str] = []

    @property
    def paths(self) -> Iterable[str]:
        """Where they are, below the destination."""
        return self._sizes

    def add(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Take rows, of any format."""
        for row in rows:
            files = row.get("files")
            for file in json.loads(files) if isinstance(files, str) else files or ():
                self._add(file)

    def _add(self, file: Mapping[str, Any]) -> None:
        path, sha256, size = str(file["path"]), str(file["sha256"]), int(file["bytes"])
        if not FILE_NAME.fullmatch(path) or path.rpartition("/")[2].partition(".")[0] != sha256:
            self._problems.append(f"a row names {path[:100]!r}, which is no file of an export")
        elif self._sizes.setdefault(path, size) != size:
            self._problems.append(f"rows name {path} with different sizes")

    def problems(self, store: Store, manifest: Manifest) -> list[str]:
        """Return what is wrong with the files; each is read."""
        found = list(self._problems)
        count, size = len(self._sizes), sum(self._sizes.values())
        if (manifest.files.count, manifest.files.bytes) != (count, size):
            said = f"{manifest.files.count} files with {manifest.files.bytes} bytes"
            found.append(f"{MANIFEST_NAME} says {said}, but its rows name {count} with {size}")
        for path, size in self._sizes.items():
            if place_of(path) not in manifest.files.folders:
                found.append(f"{path} is named by a row, but is not in the folder of this export")
            elif not is_intact(store, path, size, path.rpartition("/")[2].partition(".")[0]):
                found.append(f"{path} is missing, or was changed")
        return found
