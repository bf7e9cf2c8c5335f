"""What to export, and when two tries export the same."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import msgspec

from airflow_batch_provider import __version__
from airflow_batch_provider.apis.shown import Show
from airflow_batch_provider.export.manifest import TaskRun
from airflow_batch_provider.formats.format import Format


@dataclass(frozen=True, kw_only=True)
class ExportSpec:
    """What to export.

    :param listing: the listing's name
    :param params: what was asked for, as JSON
    :param file_format: how it is written
    :param rows_per_part: rows in each file but the last
    :param task_run: who does it
    :param show: makes the vendor's words harmless before they are counted
    :param is_results: whether rows are results, which cost a request or more each and may have files
    :param fails_on_items: whether to publish nothing if items have failed
    :param source: where the listing is read, hashed: a cursor means nothing elsewhere
    :param version_now: reads the state of the batch whose rows are exported; None if they are not of one batch
    """

    listing: str
    params: Mapping[str, Any]
    file_format: Format
    rows_per_part: int
    task_run: TaskRun
    show: Show
    is_results: bool = False
    fails_on_items: bool = False
    source: str = ""
    version_now: Callable[[], Mapping[str, Any] | None] | None = None

    @cached_property
    def id(self) -> str:
        """The export id: equal for a retry or a cleared task, different for another day or listing.

        Without a task run, every export is a piece of work of its own.
        """
        if self.task_run.run_id is None:
            return secrets.token_hex(16)
        who = msgspec.structs.asdict(self.task_run)
        del who["try_number"]
        if who["logical_date"] is not None:
            del who["run_id"]  # `dag.test` makes a new one each time
        what = {
            "listing": self.listing,
            "params": self.params,
            "format": self.file_format.identity,
            "rows_per_part": self.rows_per_part,
        }
        return _digest([who, what])

    @cached_property
    def source_version(self) -> Mapping[str, Any] | None:
        """The state of the batch when it was first asked for, which is before the rows are read; None if unknown."""
        return self.version_now() if self.version_now else None

    @property
    def fingerprint(self) -> str:
        """Differs if what one try has written is of no use to the next."""
        return _digest([self.id, self.source, self.source_version, __version__])


def _digest(what: Any) -> str:
    return hashlib.blake2b(json.dumps(what, sort_keys=True).encode(), digest_size=16).hexdigest()
