"""Writes rows into staged files of at most so many rows each."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec

from airflow_batch_provider.apis.page import Rows
from airflow_batch_provider.exceptions import UnexpectedResponseError
from airflow_batch_provider.export.documents import Count, check_sha256
from airflow_batch_provider.export.manifest import Part
from airflow_batch_provider.export.staging import STAGED_NAME, Staging
from airflow_batch_provider.formats.format import Format, PartEncoder
from airflow_batch_provider.stores.destination import Store
from airflow_batch_provider.stores.new_file import NewFile


class StagedPart(msgspec.Struct, frozen=True):
    """A file that is not published yet.

    :param name: where it is staged
    :param rows: the number of its rows
    :param bytes: its size
    :param sha256: the digest of its bytes
    :param mismatches: how many values have another type than their columns, by column
    """

    name: str
    rows: Count
    bytes: Count
    sha256: str
    mismatches: dict[str, Count] = {}

    def __post_init__(self) -> None:
        if not STAGED_NAME.fullmatch(self.name):
            raise ValueError(f"{self.name[:100]!r} is not the name of a staged file")
        check_sha256(self.sha256)

    def published(self, path: str) -> Part:
        """Return the part that it will be."""
        return Part(path, self.rows, self.bytes, self.sha256)


@dataclass
class _OpenPart:
    name: str
    file: NewFile
    encoder: PartEncoder
    digest: hashlib._Hash = field(default_factory=hashlib.sha256)
    rows: int = 0
    size: int = 0

    def write(self, data: bytes) -> None:
        if data:
            self.file.write(data)
            self.digest.update(data)
            self.size += len(data)


class PartWriter:
    """Writes rows into parts, one after the other; its memory does not grow with them.

    :param store: the destination
    :param staging: the place in it for this try
    :param file_format: how a part is encoded
    :param rows_per_part: after how many rows the next part begins
    :param parts: the parts that an earlier try finished
    """

    def __init__(
        self, store: Store, staging: Staging, file_format: Format, rows_per_part: int, parts: Sequence[StagedPart] = ()
    ) -> None:
        self._store = store
        self._staging = staging
        self._format = file_format
        self._rows_per_part = rows_per_part
        self._open: _OpenPart | None = None
        self.parts = list(parts)

    @property
    def room(self) -> int:
        """How many rows more the part takes."""
        return self._rows_per_part - (self._open.rows if self._open else 0)

    @property
    def mismatches(self) -> dict[str, int]:
        """How many values the columns of the finished parts cannot hold, by column."""
        return dict(sorted(sum((Counter(staged.mismatches) for staged in self.parts), Counter[str]()).items()))

    def write(self, rows: Rows) -> None:
        """Take rows, in order, as many as there is room for.

        :raises UnexpectedResponseError: a row cannot be written
        """
        part = self._open or self._begin()
        try:
            data = part.encoder.add(rows.lines)
        except RecursionError:
            raise UnexpectedResponseError("A row is nested too deeply to be written.") from None
        part.write(data)
        part.rows += len(rows)

    def _begin(self) -> _OpenPart:
        name = self._staging.name(f"{len(self.parts):05d}.staged")  # no engine takes it for data
        self._open = _OpenPart(name, self._store.create(name), self._format.new_part())
        return self._open

    def finish(self, *, is_last: bool = False) -> NewFile | None:
        """Finish the part that is open, if one is, and return its file, which is still to be closed.

        :param is_last: whether no rows are left: if there were none at all, one part names the columns
        """
        part = self._open
        if part is None and is_last and not self.parts and self._format.has_columns:
            part = self._begin()
        if part is None:
            return None
        part.write(part.encoder.finish())
        self._open = None
        mismatches = dict(part.encoder.mismatches)
        self.parts.append(StagedPart(part.name, part.rows, part.size, part.digest.hexdigest(), mismatches))
        return part.file

    def abandon(self) -> None:
        """Give up the file that is open, if one is."""
        if self._open:
            self._open.file.abandon()
            self._open = None
