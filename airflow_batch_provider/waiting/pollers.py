"""Which waits share a poller: those of one event loop, connection, hook, kind of batch and scope."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Mapping
from functools import partial
from weakref import WeakKeyDictionary

from airflow.providers.common.compat.connection import get_async_connection, get_async_extra_dejson

from airflow_batch_provider.apis.batch_state import BatchKind
from airflow_batch_provider.apis.vendor import Vendor
from airflow_batch_provider.hooks.base import BatchApiHook
from airflow_batch_provider.hooks.connection import lookup_error
from airflow_batch_provider.waiting.kinds import hook_named
from airflow_batch_provider.waiting.poller import Poller
from airflow_batch_provider.waiting.reader import StateReader
from airflow_batch_provider.waiting.threads import ConnectionThreads

_Key = tuple[str, str, str, tuple[tuple[str, str], ...]]


class _Shared:
    """What the waits of one event loop share."""

    def __init__(self) -> None:
        self.pollers: dict[_Key, Poller] = {}
        self.threads: dict[str, ConnectionThreads] = defaultdict(ConnectionThreads)


# By event loop, because `dag.test` runs each trigger in a loop of its own, and tasks and events belong to one loop.
_shared: WeakKeyDictionary[asyncio.AbstractEventLoop, _Shared] = WeakKeyDictionary()


def threads_of(connection_id: str) -> ConnectionThreads:
    """Return the threads of a connection, in the running event loop."""
    return _shared_here().threads[connection_id]


def _shared_here() -> _Shared:
    for loop in [loop for loop in _shared if loop.is_closed()]:  # what they share keeps them alive
        for threads in _shared.pop(loop).threads.values():
            threads.close()
    return _shared.setdefault(asyncio.get_running_loop(), _Shared())


def poller_for(kind: BatchKind, connection_id: str, scope: Mapping[str, str], hook: str | None = None) -> Poller:
    """Return the poller that a wait belongs to, in the running event loop.

    :param kind: the kind of batch
    :param connection_id: the Airflow connection
    :param scope: the values of ``kind.scope``
    :param hook: the import path of the hook; the vendor's own by default
    """
    known = _shared_here().pollers
    for key in [key for key, poller in known.items() if poller.is_idle]:
        del known[key]
    key = (kind.name, connection_id, hook or "", tuple(sorted(scope.items())))
    if key not in known:
        known[key] = Poller(partial(open_reader, kind, connection_id, scope, hook), threads_of(connection_id))
    return known[key]


async def open_reader(
    kind: BatchKind, connection_id: str, scope: Mapping[str, str], hook: str | None = None
) -> StateReader:
    """Return a reader of states over the hook's own client, its connection read without blocking the event loop.

    :param kind: the kind of batch
    :param connection_id: the Airflow connection
    :param scope: the values of ``kind.scope``; those left out are the connection's
    :param hook: the import path of the hook; the vendor's own by default
    :raises TransientError: the connection cannot be read now
    :raises ConnectionSettingsError: it is wrong
    """
    vendor, threads = kind.listing.vendor, threads_of(connection_id)
    opened = await threads.call(_make_hook, vendor, hook or vendor.hook, connection_id)
    try:
        connection = await get_async_connection(connection_id)
        saved_extras = await get_async_extra_dejson(connection)
    except Exception as error:
        raise lookup_error(vendor, connection_id, error) from error
    opened.use_connection(connection, saved_extras)
    client = await threads.call(opened.connect)
    return StateReader(client, kind, opened.listing_scope(kind, scope))


def _make_hook(vendor: Vendor, path: str, connection_id: str) -> BatchApiHook:
    if not path:  # a vendor that is declared without a hook
        hook = BatchApiHook(connection_id)
        hook.vendor = vendor  # type: ignore[misc]
        return hook
    return hook_named(path)(connection_id)
