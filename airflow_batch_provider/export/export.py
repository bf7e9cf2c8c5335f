"""Reads a listing to its end into parts, and publishes them; after a kill, the next try resumes."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Iterable, Sequence
from contextlib import closing
from datetime import UTC, datetime
from typing import Any, Protocol

from msgspec import UNSET

from airflow_batch_provider.apis.page import Rows
from airflow_batch_provider.exceptions import EmptyExportError, IncompleteListingError, TransientError
from airflow_batch_provider.export.checkpoints import Checkpoint, Checkpoints
from airflow_batch_provider.export.existing import IfExists, stays
from airflow_batch_provider.export.manifest import Manifest
from airflow_batch_provider.export.parts import PartWriter
from airflow_batch_provider.export.progress import Progress
from airflow_batch_provider.export.publishing import Unpublished, clean_up_after_kill, find, publish
from airflow_batch_provider.export.spec import ExportSpec
from airflow_batch_provider.export.staging import Staging
from airflow_batch_provider.export.uploads import Uploads
from airflow_batch_provider.listing.pages import NewRows
from airflow_batch_provider.listing.seen import SeenRows
from airflow_batch_provider.stores.destination import LocalStore, Store
from airflow_batch_provider.stores.new_file import NewFile

log = logging.getLogger(__name__)


class PageSource(Protocol):
    """Reads a listing, from its start or from a position on; it raises if it cannot be read whole."""

    def __call__(self, *, begun: datetime, position: Any, seen: SeenRows) -> Iterable[NewRows]:
        """Yield pages as they are consumed.

        :param begun: when the first try began to read
        :param position: where to read on: a page's position, as JSON; None for the start
        :param seen: the rows that were read before
        :raises UnreadableError: the position is of another release, or damaged
        """
        ...


def export(
    source: PageSource,
    store: Store,
    spec: ExportSpec,
    *,
    resume: bool = True,
    if_exists: IfExists = IfExists.REPLACE,
    may_be_empty: bool = True,
) -> Manifest:
    """Export a listing atomically: it is published whole, or not at all.

    :param source: reads the listing
    :param store: the destination
    :param spec: what to export
    :param resume: whether to resume an earlier try of the same piece of work, and to let a later one do so
    :param if_exists: what to do about an export of another piece of work
    :param may_be_empty: whether to publish an export without rows
    :return: the manifest of the published export; of the one that is there already, if it is left as it is
    :raises EmptyExportError: there are no rows, and nothing was published
    :raises ExportExistsError: there is an export of another piece of work, and it may not be replaced
    """
    found = find(store)
    if found.manifest and stays(store, found.manifest, spec, if_exists, is_new=False):
        clean_up_after_kill(store, Staging(store, spec.id, spec.task_run.try_number), found.manifest)
        return found.manifest
    staging = Staging(store, spec.id, spec.task_run.try_number)
    staging.begin()
    may_resume = resume and spec.task_run.run_id is not None
    with closing(_Try(source, store, spec, staging, may_resume, may_be_empty)) as this_try:
        try:
            return publish(
                store,
                staging,
                this_try.read(),
                begun=found.version,
                stays=lambda there: stays(store, there, spec, if_exists, is_new=True),
            )
        except BaseException as error:  # a task that is stopped cleans up like one that fails
            this_try.give_up(error)
            raise


class _Try:
    def __init__(
        self,
        source: PageSource,
        store: Store,
        spec: ExportSpec,
        staging: Staging,
        may_resume: bool,
        may_be_empty: bool,
    ) -> None:
        self._source = source
        self._store = store
        self._spec = spec
        self._staging = staging
        self._may_resume = may_resume
        self._may_be_empty = may_be_empty
        self._checkpoints = Checkpoints(store, staging)
        self._uploads = Uploads(beside=not isinstance(store, LocalStore))
        self._progress = Progress(log)
        self._start_over()

    def _start_over(self) -> None:
        self._continue_from(Checkpoint(fingerprint=self._spec.fingerprint, position=None))

    def _continue_from(self, checkpoint: Checkpoint) -> None:
        spec = self._spec
        self._stats = checkpoint.stats
        self._writer = PartWriter(self._store, self._staging, spec.file_format, spec.rows_per_part, checkpoint.parts)
        self._files_of_digests = list(checkpoint.digests)
        self._digests = bytearray()

    def read(self) -> Unpublished:
        """Read the listing to its end, into staged parts."""
        found = self._checkpoints.newest(self._spec.fingerprint) if self._may_resume else None
        is_resumed = bool(found and self._resume(*found))
        if not is_resumed:
            self._read(None, SeenRows())
        if not self._stats.rows and not self._may_be_empty:
            raise EmptyExportError(
                f"{self._spec.listing} has no rows, so nothing was published at {self._store.uri}; "
                "set if_empty to choose what happens then."
            )
        return Unpublished(self._manifest(is_resumed), tuple(self._writer.parts), self._spec.file_format.suffix)

    def _resume(self, checkpoint: Checkpoint, digests: bytes) -> bool:
        """Resume from a checkpoint; return whether that was possible."""
        self._continue_from(checkpoint)
        log.info("Resuming after %d rows that an earlier try has written", checkpoint.stats.rows)
        if checkpoint.position is None:
            return True
        pages = checkpoint.stats.pages
        try:
            self._read(checkpoint.position, SeenRows(digests))
        except Exception as error:  # whatever the checkpoint contains, it does not block its work
            if isinstance(error, TransientError) or self._stats.pages > pages:
                raise
            log.warning("The listing cannot be resumed, so it is read from the beginning: %s", error)
            self._staging.discard_checkpoints()
            self._start_over()
            return False
        return True

    def _read(self, position: Any, seen: SeenRows) -> None:
        for page in self._source(begun=self._stats.started_at, position=position, seen=seen):
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
            self._finish_part(page.position)
        if rows:
            self._write(rows, digests)
        self._stats.count_page(page)

    def _write(self, rows: Rows, digests: Sequence[bytes]) -> None:
        self._writer.write(rows)
        self._stats.count(rows, self._spec.show)
        self._digests += b"".join(digests)

    def _finish_part(self, position: Any, *, is_last: bool = False) -> None:
        """Close a part, and write beside it how to resume after it.

        :param position: where to read on
        :param is_last: whether the listing has ended
        """
        file = self._writer.finish(is_last=is_last)
        parts, digests, self._digests = tuple(self._writer.parts), bytes(self._digests), bytearray()
        stats = dataclasses.replace(self._stats, statuses=dict(self._stats.statuses))

        def finish() -> None:
            if file:
                _close(file)
            if not self._may_resume or not stats.rows or (position is None and not is_last):
                return  # that there are no rows is read again
            if position is not None:
                self._files_of_digests.append(self._checkpoints.save_digests(len(parts), digests))
            self._checkpoints.save(
                Checkpoint(
                    fingerprint=self._spec.fingerprint,
                    position=position,
                    parts=parts,
                    digests=() if position is None else tuple(self._files_of_digests),
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
                # If the listing went in circles, a checkpoint would lead back there.
                self._staging.discard_checkpoints()
                self._staging.discard()
            elif not (self._may_resume and self._stats.rows and self._writer.parts):
                self._staging.discard()
        except Exception:  # whatever the store raises: the failure that led here is the one to report
            log.warning("Could not remove everything that was staged", exc_info=True)

    def close(self) -> None:
        """End the upload that is running."""
        self._uploads.close()

    def _manifest(self, is_resumed: bool) -> Manifest:
        stats, spec = self._stats, self._spec
        run = spec.task_run
        return Manifest(
            export_id=self._staging.export_id,
            listing=spec.listing,
            params=dict(spec.params),
            format=spec.file_format.name,
            compression=spec.file_format.compression,
            rows=stats.rows,
            bytes=sum(part.bytes for part in self._writer.parts),
            parts=(),
            status_counts=dict(sorted(stats.statuses.items())),
            pages=stats.pages,
            duplicates_dropped=stats.duplicates,
            passes=stats.passes,
            reported_total=stats.total,
            resumed=is_resumed,
            replaces=(),
            started_at=_utc(stats.started_at),
            finished_at=_utc(datetime.now(UTC)),
            dag_id=run.dag_id,
            task_id=run.task_id,
            run_id=run.run_id,
            logical_date=run.logical_date,
            drift=stats.doubt,
            unexpected_values=self._writer.mismatches,
            map_index=UNSET if run.map_index is None else run.map_index,
            try_number=UNSET if run.try_number is None else run.try_number,
        )


def _close(file: NewFile) -> None:
    try:
        file.close()
    except BaseException:
        file.abandon()
        raise


def _utc(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
