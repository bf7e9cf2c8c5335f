"""Reads the state of the batch that an export is of: what a manifest calls ``source_version``."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from airflow_batch_provider.apis.batch_state import BatchKind
from airflow_batch_provider.exceptions import NotFoundError, RequestRefusedError, UnexpectedResponseError

if TYPE_CHECKING:
    from airflow_batch_provider.hooks.base import BatchApiHook

log = logging.getLogger(__name__)

VersionReader = Callable[[], dict[str, Any] | None]

_OF_THE_BATCH = (NotFoundError, RequestRefusedError, UnexpectedResponseError)
"""What is wrong with one batch. Whether its rows can be read is found out by reading them."""


def version_reader(hook: BatchApiHook, kind: BatchKind, values: Mapping[str, Any], batch_id: str) -> VersionReader:
    """Return what reads the state of a batch; it returns None if that cannot be read, or the batch is gone.

    :param hook: the hook of the connection
    :param kind: the kind of batch
    :param values: the parameters of the export, checked
    :param batch_id: the id of the batch
    """
    from airflow_batch_provider.waiting.reader import StateReader

    scope = hook.listing_scope(kind, {name: values[name] for name in kind.scope if name in values})
    reader = StateReader(hook.connect(), kind, scope, is_patient=True)

    def read() -> dict[str, Any] | None:
        try:
            return kind.version_of(reader.read_one(batch_id))
        except _OF_THE_BATCH as error:
            log.warning("The state of the batch cannot be read, so the manifest does not have it: %s", error)
            return None

    return read
