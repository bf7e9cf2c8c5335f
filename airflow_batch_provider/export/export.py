"""Reads a listing to its end into parts, and publishes them; after a kill, the next try goes on where it ended."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from typing import Protocol

from airflow_batch_provider.apis.page import Rows
from airflow_batch_provider.exceptions import IncompleteListingError, NotFoundError, RequestRefusedError
from airflow_batch_provider.export.checkpoints import Checkpoint, Checkpoints
from airflow_batch_provider.export.manifest import Manifest
from airflow_batch_provider.export.parts import PartWriter
from airflow_batch_provider.export.progress import Progress
from airflow_batch_provider.export.publishing import publish
from airflow_batch_provider.export.spec import ExportSpec
from airflow_batch_provider.export.staging import Staging
from airflow_batch_provider.export.uploads import Uploads
from airflow_batch_provider.listing.pages import Bookmark, NewRows
from airflow_batch_provider.listing.seen import SeenRows
from airflow_batch_provider.stores.destination import LocalStore, Store
from airflow_batch_provider.stores.new_file import NewFile

log = logging.getLogger(__name__)


class Reading(Protocol):
    """Reads a listing, from its start or from a bookmark on; it raises where it cannot be read whole."""

    def __call__(self, *, begun: datetime, bookmark: Bookmark | None, seen: SeenRows) -> Iterable[NewRows]:
        """Yield pages as they are consumed.

        :param begun: when the first try began to read
        :param bookmark: where to go on
        :param seen: the rows that were read before
        """
        ...


def export(
    reading: Reading, store: Store, work: ExportSpec, *, resume: bool = True, may_replace: bool = True
) -> Manifest:
    """Export a listing: published whole, or not at all.

    :param reading: reads the listing
    :param store: the destination
    :param work: what this is
    :param resume: whether to go on where an earlier try of the same work ended, and to let a later one do so
    :param may_replace: whether the export of another work may be replaced
    :return: the manifest of the published export
    :raises ExportExistsError: there is an export of another work, and it may not be replaced
    """
    staging = Staging(store, work.id)
    staging.begin()
    may_resume = resume and work.task_run.run_id is not None
    with closing(_Try(reading, store, work, staging, may_resume, may_replace)) as this_try:
        try:
            manifest = this_try.run()
        except BaseException as error:  # a task that is stopped cleans up like one that fails
            this_try.give_up(error)
            raise
    log.info(
        "Published %d rows in %d parts, %d bytes, at %s", manifest.rows, len(manifest.parts), manifest.bytes, store.uri
    )
    return manifest


class _Try:
    def __init__(
        self, reading: Reading, store: Store, work: ExportSpec, staging: Staging, may_resume: bool, may_replace: bool
    ) -> None:
        self._reading = reading
        self._store = store
        self._work = work
        self._staging = staging
        self._may_resume = may_resume
        self._may_replace = may_replace
        self._checkpoints = Checkpoints(store, staging)
        self._uploads = Uploads(beside=not isinstance(store, LocalStore))
        self._progress = Progress(log)
        self._start_anew()

    def _start_anew(self) -> None:
        self._go_on(Checkpoint(fingerprint=self._work.fingerprint, bookmark=None, parts=(), digests=()))

    def _go_on(self, checkpoint: Checkpoint) -> None:
        work = self._work
        self._stats = checkpoint.stats
        self._writer = PartWriter(self._store, self._staging, work.file_format, work.rows_per_part, checkpoint.parts)
        self._files_of_digests = list(checkpoint.digests)
        self._digests = bytearray()

    def run(self) -> Manifest:
        found = self._checkpoints.newest(self._work.fingerprint) if self._may_resume else None
        is_resumed = bool(found and self._resume(*found))
        if not is_resumed:
            self._read(None, SeenRows())
        manifest = self._manifest(is_resumed)
        return publish(self._store, self._staging, self._writer.parts, manifest, may_replace=self._may_replace)

    def _resume(self, checkpoint: Checkpoint, digests: bytes) -> bool:
        """Go on from a checkpoint; tell whether the vendor lets us."""
        self._go_on(checkpoint)
        log.info("Going on after %d rows that an earlier try has written", checkpoint.stats.rows)
        if checkpoint.bookmark is None:
            return True
        pages = checkpoint.stats.pages
        try:
            self._read(checkpoint.bookmark, SeenRows(digests))
        except (NotFoundError, RequestRefusedError) as error:
            if self._stats.pages > pages:
                raise
            log.warning("The vendor does not let the listing be read on, so it is read anew: %s", error)
            self._staging.discard_checkpoints()
            self._start_anew()
            return False
        return True

    def _read(self, bookmark: Bookmark | None, seen: SeenRows) -> None:
        for page in self._reading(begun=self._stats.started_at, bookmark=bookmark, seen=seen):
            self._take(page)
            self._progress.report(self._stats.rows, self._stats.pages, self._stats.total)
        self._finish_part(None, is_last=True)
        self._uploads.wait()

    def _take(self, page: NewRows) -> None:
        rows, digests = page.rows, page.digests
        while len(rows) >= self._writer.room:
            room = self._writer.room
            self._write(rows[:room], digests[:room])
            rows, digests = rows[room:], digests[room:]
            self._finish_part(page.bookmark)
        if rows:
            self._write(rows, digests)
        self._stats.count_page(page)

    def _write(self, rows: Rows, digests: Sequence[bytes]) -> None:
        self._writer.write(rows)
        self._stats.count(rows)
        self._digests += b"".join(digests)

    def _finish_part(self, bookmark: Bookmark | None, *, is_last: bool = False) -> None:
        """Close a part, and write beside it how to go on after it.

        :param bookmark: where to read on
        :param is_last: whether the listing has ended
        """
        file = self._writer.finish()
        parts, digests, self._digests = tuple(self._writer.parts), bytes(self._digests), bytearray()
        stats = replace(self._stats, statuses=dict(self._stats.statuses))

        def finish() -> None:
            if file:
                _close(file)
            if not self._may_resume or not (bookmark or is_last):
                return
            if bookmark:
                self._files_of_digests.append(self._checkpoints.save_digests(len(parts), digests))
            self._checkpoints.save(
                Checkpoint(
                    fingerprint=self._work.fingerprint,
                    bookmark=bookmark,
                    parts=parts,
                    digests=tuple(self._files_of_digests) if bookmark else (),
                    stats=stats,
                )
            )

        self._uploads.run(finish)

    def give_up(self, error: BaseException) -> None:
        """Keep what a later try can use, and remove the rest."""
        try:
            self._uploads.close()
            self._writer.abandon()
            if isinstance(error, IncompleteListingError):
                # Where the listing went round in circles, a bookmark would lead back there.
                self._staging.discard_checkpoints()
                self._staging.discard()
            elif not (self._may_resume and self._writer.parts):
                self._staging.discard()
        except Exception:  # whatever the store raises: the failure that led here is the one to tell
            log.warning("Could not remove everything that was staged", exc_info=True)

    def close(self) -> None:
        """End what runs beside."""
        self._uploads.close()

    def _manifest(self, is_resumed: bool) -> Manifest:
        parts, stats, work = tuple(staged.part for staged in self._writer.parts), self._stats, self._work
        return Manifest(
            export_id=self._staging.work_id,
            listing=work.listing,
            params=work.params,
            format=work.file_format.name,
            compression=work.file_format.compression,
            rows=stats.rows,
            bytes=sum(part.bytes for part in parts),
            parts=parts,
            status_counts=dict(sorted(stats.statuses.items())),
            pages=stats.pages,
            duplicates_dropped=stats.duplicates,
            passes=stats.passes,
            reported_total=stats.total,
            resumed=is_resumed,
            replaces=(),
            started_at=_utc(stats.started_at),
            finished_at=_utc(datetime.now(UTC)),
            task_run=work.task_run,
            drift=stats.doubt,
            unexpected_values=self._writer.mismatches,
        )


def _close(file: NewFile) -> None:
    try:
        file.close()
    except BaseException:
        file.abandon()
        raise


def _utc(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
