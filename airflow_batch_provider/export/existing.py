"""What to do about an export that is at the destination already: before the listing is read, and again to publish."""

from __future__ import annotations

import logging
from enum import StrEnum

from airflow_batch_provider.exceptions import ExportExistsError
from airflow_batch_provider.export.documents import is_intact
from airflow_batch_provider.export.manifest import Manifest, TaskRun
from airflow_batch_provider.export.spec import ExportSpec
from airflow_batch_provider.stores.destination import Store

log = logging.getLogger(__name__)


class IfExists(StrEnum):
    """What a user wants to be done about an export of another piece of work."""

    REPLACE = "replace"
    ERROR = "error"
    SKIP = "skip"
    REFRESH = "refresh"


def stays(store: Store, there: Manifest, spec: ExportSpec, if_exists: IfExists, *, is_new: bool) -> bool:
    """Return whether a published export stays, and is reported instead of ours.

    Of two tries of the same piece of work, the later one's export counts. What was there before a try began is of an
    earlier one. What appeared since may be of a zombie: Airflow's number of the try decides, never a clock. If there
    is no number, or it is the same, the first to publish has published.

    :param store: the destination
    :param there: the export that is published
    :param spec: what we export
    :param if_exists: what the user wants
    :param is_new: whether it appeared since we began
    :raises ExportExistsError: it must not be replaced, or another task of the same DAG run, or another map index of
        this task, has published it
    """
    _refuse_sharing(store, there, spec.task_run)
    is_own = there.export_id == spec.id
    if is_own and is_new:
        return not _is_later(spec.task_run, there)
    if if_exists is IfExists.ERROR and not is_own:
        raise ExportExistsError(
            f"{store.uri} contains an export of {there.finished_at} already; choose another destination "
            "or if_exists='replace'."
        )
    if if_exists is IfExists.REFRESH:
        is_current = spec.source_version is not None and there.source_version == spec.source_version
        return is_current and _is_of_the_same(there, spec) and _is_whole(store, there)
    return if_exists is IfExists.SKIP and _is_whole(store, there)


def _is_of_the_same(there: Manifest, spec: ExportSpec) -> bool:
    wanted = (spec.listing, dict(spec.params), spec.file_format.name, spec.file_format.compression)
    return (there.listing, there.params, there.format, there.compression) == wanted


def _refuse_sharing(store: Store, there: Manifest, ours: TaskRun) -> None:
    """Fail if two tasks of one DAG run export to the same destination: the rows of one would be lost without a word."""
    if ours.run_id is None or (there.dag_id, there.run_id) != (ours.dag_id, ours.run_id):
        return
    is_same_index = not isinstance(there.map_index, int) or ours.map_index in (None, there.map_index)
    if there.task_id == ours.task_id and is_same_index:
        return
    index = f" with map index {there.map_index}" if isinstance(there.map_index, int) and there.map_index >= 0 else ""
    raise ExportExistsError(
        f"{store.uri} contains the export of task {there.task_id!r}{index} of this same DAG run; give each task and "
        "each map index a destination of its own."
    )


def _is_later(ours: TaskRun, there: Manifest) -> bool:
    if ours.try_number is None or not isinstance(there.try_number, int):
        return False
    return ours.run_id == there.run_id and ours.try_number > there.try_number


def _is_whole(store: Store, there: Manifest) -> bool:
    sizes = [size for folder in there.files.folders for size in store.sizes_below(folder).values()]
    has_files = (len(sizes), sum(sizes)) == (there.files.count, there.files.bytes)
    if has_files and all(is_intact(store, part.path, part.bytes, part.sha256) for part in there.parts):
        return True
    log.warning("The export at %s is damaged, so it is not left as it is", store.uri)
    return False
