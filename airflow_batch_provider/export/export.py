"""Reads a listing to its end into parts, and publishes them."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from airflow_batch_provider.client.pages import NewRows
from airflow_batch_provider.export.formats import Format
from airflow_batch_provider.export.manifest import Manifest, TaskRun
from airflow_batch_provider.export.parts import PartWriter
from airflow_batch_provider.export.progress import Progress
from airflow_batch_provider.export.publishing import publish
from airflow_batch_provider.export.staging import Staging, export_id
from airflow_batch_provider.export.store import Store

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Work:
    """What to export.

    :param listing: the listing's name
    :param params: what was asked for, as JSON
    :param file_format: how it is written
    :param rows_per_part: rows in each file but the last
    :param task_run: who does it
    """

    listing: str
    params: Mapping[str, Any]
    file_format: Format
    rows_per_part: int
    task_run: TaskRun

    @property
    def id(self) -> str:
        """The export id; another one each time where no task run is known."""
        return export_id(
            self.task_run,
            {
                "listing": self.listing,
                "params": self.params,
                "format": self.file_format.identity,
                "rows_per_part": self.rows_per_part,
            },
        )


@dataclass
class _Tally:
    started_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    rows: int = 0
    pages: int = 0
    duplicates: int = 0
    total: int | None = None
    statuses: Counter[str] = field(default_factory=Counter)

    def add(self, page: NewRows) -> None:
        self.rows += len(page.rows)
        self.pages += 1
        self.duplicates += page.duplicates
        self.total = page.total
        self.statuses.update(row.status for row in page.rows)


def export(pages: Iterable[NewRows], store: Store, work: Work) -> Manifest:
    """Export a listing: published whole, or not at all.

    :param pages: the listing, read as it is consumed; it raises where it cannot be read whole
    :param store: the destination
    :param work: what this is
    :return: the manifest of the published export
    """
    staging = Staging(store, work.id)
    writer = PartWriter(store, staging, work.file_format, work.rows_per_part)
    tally = _Tally()
    progress = Progress(log)
    try:
        for page in pages:
            tally.add(page)
            writer.write(page.rows)
            progress.report(tally.rows, tally.pages, tally.total)
        writer.finish()
        manifest = publish(store, staging, writer.finished, _manifest(staging.work_id, work, writer, tally))
    except BaseException:  # a task that is stopped cleans up like one that fails
        _give_up(writer, staging)
        raise
    log.info(
        "Published %d rows in %d parts, %d bytes, at %s", manifest.rows, len(manifest.parts), manifest.bytes, store.uri
    )
    return manifest


def _give_up(writer: PartWriter, staging: Staging) -> None:
    try:
        writer.abandon()
        staging.discard()
    except Exception:  # whatever the store raises: the failure that led here is the one to tell
        log.warning("Could not remove everything that was staged", exc_info=True)


def _manifest(work_id: str, work: Work, writer: PartWriter, tally: _Tally) -> Manifest:
    parts = tuple(staged.part for staged in writer.finished)
    return Manifest(
        export_id=work_id,
        listing=work.listing,
        params=work.params,
        format=work.file_format.name,
        compression=work.file_format.compression,
        rows=tally.rows,
        bytes=sum(part.bytes for part in parts),
        parts=parts,
        status_counts=dict(sorted(tally.statuses.items())),
        pages=tally.pages,
        duplicates_dropped=tally.duplicates,
        passes=1,
        reported_total=tally.total,
        resumed=False,
        replaces=(),
        started_at=_utc(tally.started_at),
        finished_at=_utc(datetime.now(UTC)),
        task_run=work.task_run,
    )


def _utc(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
