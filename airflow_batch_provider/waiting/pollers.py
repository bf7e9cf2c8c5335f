"""Which waits share a poller: those of one event loop, connection, hook, kind of batch and scope."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from functools import partial
from weakref import WeakKeyDictionary

from airflow.providers.common.compat.connection import get_async_connection, get_async_extra_dejson
from airflow.providers.common.compat.sdk import AirflowException, AirflowNotFoundException

from airflow_batch_provider.apis.batch_state import BatchKind
from airflow_batch_provider.apis.vendor import Vendor
from airflow_batch_provider.exceptions import ConnectionSettingsError, TransientError
from airflow_batch_provider.hooks.base import BatchApiHook
from airflow_batch_provider.waiting.kinds import hook_named
from airflow_batch_provider.waiting.poller import Poller
from airflow_batch_provider.waiting.reader import StateReader

_Key = tuple[str, str, str, tuple[tuple[str, str], ...]]

# By event loop, because `dag.test` runs each trigger in a loop of its own, and tasks and events belong to one loop.
_pollers: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[_Key, Poller]] = WeakKeyDictionary()


def poller_for(kind: BatchKind, connection_id: str, scope: Mapping[str, str], hook: str | None = None) -> Poller:
    """Return the poller that a wait belongs to, in the running event loop.

    :param kind: the kind of batch
    :param connection_id: the Airflow connection
    :param scope: the values of ``kind.scope``
    :param hook: the import path of the hook; the vendor's own by default
    """
    known = _pollers.setdefault(asyncio.get_running_loop(), {})
    for key in [key for key, poller in known.items() if poller.is_idle]:
        del known[key]
    key = (kind.name, connection_id, hook or "", tuple(sorted(scope.items())))
    if key not in known:
        known[key] = Poller(partial(open_reader, kind, connection_id, scope, hook))
    return known[key]


async def open_reader(
    kind: BatchKind, connection_id: str, scope: Mapping[str, str], hook: str | None = None
) -> StateReader:
    """Return a reader of states over the hook's own client, its connection read without blocking the event loop.

    :param kind: the kind of batch
    :param connection_id: the Airflow connection
    :param scope: the values of ``kind.scope``; those left out are the connection's
    :param hook: the import path of the hook; the vendor's own by default
    """
    vendor = kind.listing.vendor
    opened = await asyncio.to_thread(_make_hook, vendor, hook or vendor.hook, connection_id)
    try:
        connection = await get_async_connection(connection_id)
        saved_extras = await get_async_extra_dejson(connection)
    except AirflowNotFoundException as error:
        raise ConnectionSettingsError(f"There is no connection {connection_id!r}.", vendor=vendor.name) from error
    except (OSError, AirflowException) as error:  # Airflow's API is away; a TimeoutError is an OSError
        raise TransientError(f"Connection {connection_id!r} cannot be read now: {error!r}") from error
    opened.use_connection(connection, saved_extras)
    client = await asyncio.to_thread(opened.get_conn)
    return StateReader(client.for_polling(), kind, opened.listing_scope(kind, scope))


def _make_hook(vendor: Vendor, path: str, connection_id: str) -> BatchApiHook:
    if not path:  # a vendor that is declared without a hook
        hook = BatchApiHook(connection_id)
        hook.vendor = vendor  # type: ignore[misc]
        return hook
    return hook_named(path)(connection_id)
