"""Reads and verifies exports. Each file is compared with the manifest before any of its rows is used."""

from __future__ import annotations

import hashlib
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any

from airflow_batch_provider.codec import UnreadableError
from airflow_batch_provider.exceptions import ExportDamagedError, ExportReplacedError
from airflow_batch_provider.export.manifest import (
    MANIFEST_NAME,
    Manifest,
    Part,
    digits_of,
    load_manifest,
    place_of,
)
from airflow_batch_provider.export.named_files import NamedFiles
from airflow_batch_provider.formats.registry import require_library

if TYPE_CHECKING:
    import pyarrow as pa
    from airflow.sdk import ObjectStoragePath

    from airflow_batch_provider.apis.columns import Column
    from airflow_batch_provider.stores.destination import Store

_PIECE = 1 << 20
_FINDINGS_SAID = 20


def read_export(destination: str | ObjectStoragePath, conn_id: str | None = None) -> Iterator[dict[str, Any]]:
    """Yield the rows of an export in order. Each file is checked before its first row.

    Rows of JSONL are the vendor's objects. Rows of Parquet have Python values by column, rows of CSV have text, or None
    for null. It keeps one file at a time in the temporary folder, and a few rows in memory.

    :param destination: the folder: a URI, an absolute local path, or an ``ObjectStoragePath``
    :param conn_id: the id of the Airflow connection for a URI that contains none
    :raises DestinationError: the destination cannot be opened
    :raises InvalidParameterError: the library that reads the format is not installed
    :raises ExportDamagedError: the export is damaged; the message lists the faults
    :raises ExportReplacedError: another export replaced it in the meantime; the rows so far are of the previous one
    """
    export = PublishedExport(open_destination(destination, conn_id))
    export.check_sums()
    return export.rows()


def verify_export(destination: str | ObjectStoragePath, conn_id: str | None = None) -> Manifest:
    """Check an export: the size, SHA-256 and number of rows of every file, and that no other files are there.

    For results, it also checks the files in the rows.

    :param destination: the folder: a URI, an absolute local path, or an ``ObjectStoragePath``
    :param conn_id: the id of the Airflow connection for a URI that contains none
    :return: the manifest
    :raises DestinationError: the destination cannot be opened
    :raises InvalidParameterError: the library that reads the format is not installed
    :raises ExportDamagedError: the export is damaged; the message lists the faults
    :raises ExportReplacedError: another export replaced it in the meantime
    """
    export = PublishedExport(open_destination(destination, conn_id))
    export.verify()
    return export.manifest


def open_destination(destination: str | ObjectStoragePath, conn_id: str | None) -> Store:
    """Open a destination; what that takes is imported only then."""
    from airflow_batch_provider.stores.destination import open_store

    return open_store(destination, conn_id)


def _counting(rows: Iterable[Mapping[str, Any]], outcomes: Counter[str]) -> Iterator[Mapping[str, Any]]:
    for row in rows:
        outcomes[str(row.get("outcome"))] += 1
        yield row


def _damaged(store: Store, findings: Sequence[str]) -> ExportDamagedError:
    said = list(findings[:_FINDINGS_SAID])
    if len(findings) > len(said):
        said.append(f"and {len(findings) - len(said)} more")
    error = ExportDamagedError(f"The export at {store.uri} is not whole: {'; '.join(said)}.")
    error.findings = tuple(findings)
    return error


class PublishedExport:
    """The export that a manifest describes, at the time when this object was created.

    :param store: the destination
    :raises ExportDamagedError: there is no manifest, or it cannot be read
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        try:
            found = load_manifest(store)
        except UnreadableError as error:
            raise _damaged(store, [f"{MANIFEST_NAME} cannot be read: {error}"]) from error
        if found is None:
            raise _damaged(store, [f"there is no {MANIFEST_NAME}, so no export"])
        self._content, self.manifest = found

    def check_sums(self) -> None:
        """Check the manifest against itself, and that its parts can be read here.

        :raises ExportDamagedError: its numbers contradict each other
        :raises InvalidParameterError: the library that reads the format is not installed
        """
        require_library(self.manifest.format, self.manifest.compression)
        self._raise(self._sums())

    def verify(self) -> None:
        """Check everything that :func:`verify_export` checks."""
        require_library(self.manifest.format, self.manifest.compression)
        findings = self._sums()
        files, outcomes = NamedFiles(), Counter[str]()
        for part in self.manifest.parts:
            with self._spooled(part) as (file, found):
                findings += found
                if self.manifest.outcomes and not found:
                    files.add(_counting(self._rows_in(file), outcomes))
        if not findings and outcomes != self.manifest.outcomes:
            have = ", ".join(f"{count} {word}" for word, count in outcomes.items())
            findings.append(f"{MANIFEST_NAME} says other outcomes than its rows have: {have}")
        findings += files.problems(self._store, self.manifest)
        findings += [f"{name} is beside the parts, but not of this export" for name in self._foreign(files.paths)]
        self._raise(findings)

    def rows(self) -> Iterator[dict[str, Any]]:
        """Yield the rows, as :func:`read_export` does."""
        for part in self.manifest.parts:
            with self._spooled(part) as (file, findings):
                self._raise(findings)
                yield from self._rows_in(file)

    def _rows_in(self, file: IO[bytes]) -> Iterator[dict[str, Any]]:
        from airflow_batch_provider.formats.reader import iter_rows

        return iter_rows(file, self.manifest.format, self.manifest.compression)

    def table(self, columns: Sequence[Column]) -> pa.Table:
        """Return the rows as a table, as :func:`~.reading.read_table` does."""
        import pyarrow as pa

        from airflow_batch_provider.formats.arrow import schema_of
        from airflow_batch_provider.formats.reader import read_table

        tables = []
        for part in self.manifest.parts:
            with self._spooled(part) as (file, findings):
                self._raise(findings)
                tables.append(read_table(file, self.manifest.format, self.manifest.compression, columns))
        return pa.concat_tables(tables or [schema_of(columns).empty_table()])

    def _raise(self, findings: list[str]) -> None:
        if not findings:
            return
        if self._store.read(MANIFEST_NAME) != self._content:
            raise ExportReplacedError(
                f"The export at {self._store.uri} was replaced or removed while it was read; read it again."
            )
        raise _damaged(self._store, findings)

    def _sums(self) -> list[str]:
        findings = []
        for name in ("rows", "bytes"):
            said, sum_of_parts = getattr(self.manifest, name), sum(getattr(part, name) for part in self.manifest.parts)
            if said != sum_of_parts:
                findings.append(f"{MANIFEST_NAME} says {said} {name}, but its parts have {sum_of_parts}")
        outcomes = sum(self.manifest.outcomes.values())
        if self.manifest.outcomes and outcomes != self.manifest.rows:
            findings.append(f"{MANIFEST_NAME} says {outcomes} outcomes of {self.manifest.rows} rows")
        return findings

    @contextmanager
    def _spooled(self, part: Part) -> Iterator[tuple[IO[bytes], list[str]]]:
        """Give a local copy of a part, and what is wrong with it."""
        with tempfile.TemporaryFile() as file:
            digest = self._copy(part, file)
            if digest is None:
                yield file, [f"{part.path} is missing"]
                return
            size = file.tell()
            if size != part.bytes:
                yield file, [f"{part.path} has {size} bytes instead of {part.bytes}"]
                return
            if digest != part.sha256:
                yield file, [f"{part.path} was changed: its SHA-256 is {digest} instead of {part.sha256}"]
                return
            findings = self._miscounted(part, file)
            file.seek(0)
            yield file, findings

    def _copy(self, part: Part, file: IO[bytes]) -> str | None:
        """Copy a part and return its digest, or None if it is not there."""
        digest = hashlib.sha256()
        try:
            with self._store.open(part.path) as source:
                while piece := source.read(_PIECE):
                    digest.update(piece)
                    file.write(piece)
        except FileNotFoundError:
            return None
        return digest.hexdigest()

    def _miscounted(self, part: Part, file: IO[bytes]) -> list[str]:
        from airflow_batch_provider.formats.reader import count_rows

        file.seek(0)
        try:
            rows = count_rows(file, self.manifest.format, self.manifest.compression)
        except Exception as error:  # noqa: BLE001 - each format's library has errors of its own
            return [f"{part.path} cannot be read as {self.manifest.format}: {type(error).__name__}"]
        return [] if rows == part.rows else [f"{part.path} contains {rows} rows instead of {part.rows}"]

    def _foreign(self, files: Iterable[str]) -> list[str]:
        """Return the files that look like those of an export, but are not of this one nor of one that is published now.

        :param files: those beside the parts that its rows name
        """
        from airflow_batch_provider.export.staging import STAGING, tokens_of

        known = {*(part.path for part in self.manifest.parts), *files}
        suspects = [name for name in self._store.names_below() if digits_of(name) and name not in known]
        if suspects:  # a try leaves a mark before it publishes a part, so what explains one of them is there by now
            staged = self._store.names_below(STAGING)
            if tokens_of(staged, self.manifest.export_id):
                known.update(self.manifest.replaces)  # which are about to be removed
            published = tokens_of(staged)
            # What a cleaner has removed meanwhile had its mark until then.
            names = self._store.names_below()
            suspects = [name for name in suspects if name in names and digits_of(name) not in published]
        return [name for name in suspects if known.isdisjoint((name, place_of(name)))]
