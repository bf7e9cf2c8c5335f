"""What to do about an export that is at the destination already."""

from __future__ import annotations

from enum import Enum, StrEnum

from airflow_batch_provider.exceptions import ExportExistsError
from airflow_batch_provider.export.manifest import Manifest
from airflow_batch_provider.stores.destination import Store


class IfExists(StrEnum):
    """What a user wants to be done about it."""

    REPLACE = "replace"
    ERROR = "error"
    SKIP = "skip"


class Existing(Enum):
    """What is done about it."""

    REPLACE = "export again, and replace it"
    LEAVE = "leave it, and return its summary: another piece of work published it"
    FINISH = "report it: an earlier try of this piece of work published it, and was ended before it could say so"


def decide(store: Store, before: Manifest, export_id: str, if_exists: IfExists) -> Existing:
    """Return what to do about a published export.

    :param store: the destination, for the message
    :param before: the export that is published
    :param export_id: of the piece of work that is about to publish
    :param if_exists: what the user wants
    :raises ExportExistsError: it must not be replaced
    """
    is_own = before.export_id == export_id
    if if_exists is IfExists.SKIP:
        return Existing.FINISH if is_own else Existing.LEAVE
    if if_exists is IfExists.ERROR and not is_own:
        raise ExportExistsError(
            f"{store.uri} holds an export of {before.finished_at} already; choose another destination "
            "or if_exists='replace'."
        )
    return Existing.REPLACE
