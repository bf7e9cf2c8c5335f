"""Reads a listing to its end into parts, and publishes them; after a kill, the next try resumes."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from contextlib import closing
from datetime import UTC, datetime
from functools import partial
from typing import Any, Protocol

from msgspec import UNSET

from airflow_batch_provider.apis.page import Rows
from airflow_batch_provider.apis.results import FAILURES, ItemOutcome
from airflow_batch_provider.exceptions import (
    AuthenticationError,
    BatchItemsFailedError,
    ConnectionSettingsError,
    EmptyExportError,
    ExpectationError,
    IncompleteListingError,
    PaymentRequiredError,
    TransientError,
)
from airflow_batch_provider.export.checkpoints import Checkpoint, Checkpoints, Saved
from airflow_batch_provider.export.existing import IfExists, stays
from airflow_batch_provider.export.expectations import Expectations
from airflow_batch_provider.export.files import FileWriter
from airflow_batch_provider.export.journal import Journal, rows_of
from airflow_batch_provider.export.manifest import FILES, MANIFEST_NAME, Files, Manifest
from airflow_batch_provider.export.parts import PartWriter
from airflow_batch_provider.export.progress import Progress
from airflow_batch_provider.export.publishing import Found, Unpublished, clean_up_after_kill, find, publish
from airflow_batch_provider.export.spec import ExportSpec
from airflow_batch_provider.export.staging import Staging
from airflow_batch_provider.export.uploads import Uploads
from airflow_batch_provider.listing.file_sink import FileSink
from airflow_batch_provider.listing.pages import NewRows
from airflow_batch_provider.listing.seen import SeenRows
from airflow_batch_provider.stores.destination import LocalStore, Store
from airflow_batch_provider.stores.new_file import NewFile

log = logging.getLogger(__name__)

_OF_THE_CONNECTION = (TransientError, AuthenticationError, PaymentRequiredError, ConnectionSettingsError)
"""What fails a try that resumes whatever its checkpoint contains: a new key, and the next try resumes after all."""

NOTHING_EXPECTED = Expectations()


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


class ResultsSource(Protocol):
    """Reads results, which have files beside their rows; otherwise as :class:`PageSource`."""

    def __call__(self, files: FileSink, *, begun: datetime, position: Any, seen: SeenRows) -> Iterable[NewRows]:
        """Yield pages as they are consumed.

        :param files: takes the files
        """
        ...


def export(
    source: PageSource | ResultsSource,
    store: Store,
    spec: ExportSpec,
    *,
    resume: bool = True,
    if_exists: IfExists = IfExists.REPLACE,
    may_be_empty: bool = True,
    expectations: Expectations = NOTHING_EXPECTED,
) -> Manifest:
    """Export a listing atomically: it is published whole, or not at all.

    :param source: reads the listing, or the results
    :param store: the destination
    :param spec: what to export
    :param resume: whether to resume an earlier try of the same piece of work, and to let a later one do so
    :param if_exists: what to do about an export of another piece of work
    :param may_be_empty: whether to publish an export without rows
    :param expectations: the rules that it must keep to be published
    :return: the manifest of the published export; of the one that is there already, if it is left as it is
    :raises EmptyExportError: there are no rows, and nothing was published
    :raises ExportExistsError: there is an export of another piece of work, and it may not be replaced
    :raises BatchItemsFailedError: items of results have failed, and the spec says not to publish such
    :raises ExpectationError: it breaks a rule, and was not published
    """
    found = find(store)
    staging = Staging(store, spec.id, spec.task_run.try_number)
    if found.manifest and (
        _is_of_killed_try(staging, found) or stays(store, found.manifest, spec, if_exists, is_new=False)
    ):
        clean_up_after_kill(store, staging, found.manifest)
        return found.manifest
    _ = spec.source_version  # read before anything is staged
    staging.begin()
    may_resume = resume and spec.task_run.run_id is not None
    with closing(_Try(source, store, spec, staging, may_resume, may_be_empty)) as this_try:
        try:
            unpublished = this_try.read()
            return publish(
                store,
                staging,
                unpublished,
                begun=found.version,
                stays=lambda there: stays(store, there, spec, if_exists, is_new=True),
                check=lambda replaced: expectations.check(unpublished.manifest, replaced, store.uri),
            )
        except BaseException as error:  # a task that is stopped cleans up like one that fails
            this_try.give_up(error)
            raise


def _is_of_killed_try(staging: Staging, found: Found) -> bool:
    """Return whether a try of this piece of work has published this export, and was killed before it had cleaned up."""
    there = found.manifest
    if there is None or there.export_id != staging.export_id:
        return False
    digits = (folder.removeprefix(f"{FILES}/") for folder in there.files.folders)
    return any(staging.may_be_published(each, found.version) for each in digits)


class _Try:
    def __init__(
        self,
        source: PageSource | ResultsSource,
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
        self._position: Any = None
        self._start_over()

    def _start_over(self) -> None:
        start = Checkpoint(fingerprint=self._spec.fingerprint, position=None, file_digits=self._staging.token)
        self._continue_from(Saved(start, b"", b"", []))

    def _continue_from(self, saved: Saved) -> None:
        spec, parts = self._spec, saved.checkpoint.parts
        self._stats = saved.checkpoint.stats
        self._writer = PartWriter(self._store, self._staging, spec.file_format, spec.rows_per_part, parts)
        self._files = FileWriter(self._store, self._staging, saved.checkpoint.file_digits, saved.files)
        self._journal = Journal(self._checkpoints, saved, self._files, keeps_rows=spec.is_results and self._may_resume)
        for rows in rows_of(saved.tail):
            self._writer.write(rows)

    def read(self) -> Unpublished:
        """Read the listing to its end, into staged parts."""
        saved = self._checkpoints.newest(self._spec.fingerprint) if self._may_resume else None
        version = self._store.version(MANIFEST_NAME) if saved and saved.files else None
        if saved and saved.files and self._staging.may_be_published(saved.checkpoint.file_digits, version):
            saved = None  # the writer that replaced that export may be about to remove its files
        is_resumed = bool(saved and self._resume(saved))
        if not is_resumed:
            self._read(None, SeenRows())
        if not self._stats.rows and not self._may_be_empty:
            raise EmptyExportError(
                f"{self._spec.listing} has no rows, so nothing was published at {self._store.uri}; "
                "set if_empty to choose what happens then."
            )
        if self._spec.fails_on_items and (failed := self._failed_items()):
            raise BatchItemsFailedError(
                f"{self._spec.listing}: of {self._stats.rows} items {failed}, so nothing was published at "
                f"{self._store.uri}; fail_on_item_failures is set."
            )
        return Unpublished(
            self._manifest(is_resumed),
            tuple(self._writer.parts),
            self._spec.file_format.suffix,
            tuple(self._journal.files.values()),
            self._files.digits,
        )

    def _failed_items(self) -> str:
        counts = {outcome: self._stats.outcomes.get(outcome, 0) for outcome in FAILURES}
        return ", ".join(f"{count} are {outcome}" for outcome, count in counts.items() if count)

    def _resume(self, saved: Saved) -> bool:
        """Resume from a checkpoint; return whether that was possible."""
        self._continue_from(saved)
        stats, position = self._stats, saved.checkpoint.position
        log.info("Resuming after %d rows that an earlier try has written", stats.rows)
        if position is None:
            return True
        rows, pages = stats.rows, stats.pages
        try:
            self._read(position, SeenRows(saved.digests))
        except Exception as error:  # whatever the checkpoint contains, it does not block its work
            is_the_position = not isinstance(error, _OF_THE_CONNECTION)
            if not is_the_position or (self._stats.rows, self._stats.pages) > (rows, pages):
                raise
            log.warning("The listing cannot be resumed, so it is read from the beginning: %s", error)
            self._files.close()
            self._writer.abandon()
            self._staging.discard_checkpoints()
            self._start_over()
            return False
        return True

    def _read(self, position: Any, seen: SeenRows) -> None:
        source: Any = self._source
        if self._spec.is_results:
            source = partial(source, self._files)
        for page in source(begun=self._stats.started_at, position=position, seen=seen):
            self._take(page)
            # What has no position comes after all pages; a checkpoint without one would say that all is in parts.
            if page.position is not None and self._journal.is_due:
                self._uploads.run(self._journal.checkpoint(page.position, self._writer.parts, self._stats))
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
        self._journal.leave_out(page.left_out)
        self._stats.count_page(page)
        self._position = page.position

    def _write(self, rows: Rows, digests: Sequence[bytes]) -> None:
        self._writer.write(rows)
        self._stats.count(rows, self._spec.show)
        self._journal.add(rows, digests)

    def _finish_part(self, position: Any, *, is_last: bool = False) -> None:
        """Close a part, and write beside it how to resume after it.

        :param position: where to read on
        :param is_last: whether the listing has ended
        """
        file = self._writer.finish(is_last=is_last)
        self._journal.finish_part()
        # That there are no rows is read again.
        is_saved = self._may_resume and self._stats.rows > 0 and (position is not None or is_last)
        save = self._journal.checkpoint(position, self._writer.parts, self._stats) if is_saved else None

        def finish() -> None:
            if file:
                _close(file)
            if save:
                save()

        self._uploads.run(finish)

    def give_up(self, error: BaseException) -> None:
        """Keep what a later try can use, and remove the rest."""
        try:
            self._files.close()
            self._uploads.close()
            if isinstance(error, (IncompleteListingError, BatchItemsFailedError, ExpectationError)):
                # If the listing went in circles, a checkpoint would lead back there; what failed or lacked may pass.
                self._writer.abandon()
                self._staging.discard_checkpoints()
                self._staging.discard()
                return
            if self._journal.has_rows and self._position is not None:
                self._journal.checkpoint(self._position, self._writer.parts, self._stats)()
            self._writer.abandon()
            if not (self._may_resume and self._checkpoints.are_saved):
                self._staging.discard()
        except Exception:  # whatever the store raises: the failure that led here is the one to report
            log.warning("Could not remove everything that was staged", exc_info=True)

    def close(self) -> None:
        """End the upload that is running."""
        self._files.close()
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
            files=self._files_of_manifest(),
            outcomes=self._outcomes(),
            source_version=self._source_version(),
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
            requests=stats.requests if spec.is_results else UNSET,
            map_index=UNSET if run.map_index is None else run.map_index,
            try_number=UNSET if run.try_number is None else run.try_number,
        )

    def _source_version(self) -> dict[str, Any] | None:
        """Return the state of the batch, if it has not changed while its rows were read."""
        before = self._spec.source_version
        if before is None or self._spec.version_now is None:
            return None
        after = self._spec.version_now()
        if after == before:
            return dict(before)
        log.warning("The batch changed while it was exported, from %s to %s", before, after)
        return None

    def _files_of_manifest(self) -> Files:
        files = self._journal.files.values()
        return Files(len(files), sum(file.bytes for file in files), self._files.folder if files else UNSET)

    def _outcomes(self) -> dict[str, int]:
        """Return the items by outcome, in the order in which the outcomes are documented."""
        return {outcome: count for outcome in ItemOutcome if (count := self._stats.outcomes.get(outcome))}


def _close(file: NewFile) -> None:
    try:
        file.close()
    except BaseException:
        file.abandon()
        raise


def _utc(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
