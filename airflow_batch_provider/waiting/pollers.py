"""Which waits share a poller: those of one event loop, connection, kind of batch and scope."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from weakref import WeakKeyDictionary

from airflow.providers.common.compat.connection import get_async_connection, get_async_extra_dejson
from airflow.providers.common.compat.sdk import AirflowException, AirflowNotFoundException

from airflow_batch_provider.apis.batch_state import BatchKind
from airflow_batch_provider.client.client import Client
from airflow_batch_provider.client.rate_limit import shared_rate_limiter
from airflow_batch_provider.exceptions import ConnectionSettingsError, TransientError
from airflow_batch_provider.hooks.connection import read_extras, read_settings
from airflow_batch_provider.waiting.poller import Poller
from airflow_batch_provider.waiting.reader import StateReader

_Key = tuple[str, str, tuple[tuple[str, str], ...]]

# By event loop, because `dag.test` runs each trigger in a loop of its own, and tasks and events belong to one loop.
_pollers: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[_Key, Poller]] = WeakKeyDictionary()


def poller_for(kind: BatchKind, connection_id: str, scope: Mapping[str, str]) -> Poller:
    """Return the poller that a wait belongs to, in the running event loop.

    :param kind: the kind of batch
    :param connection_id: the Airflow connection
    :param scope: the values of ``kind.scope``
    """
    known = _pollers.setdefault(asyncio.get_running_loop(), {})
    for key in [key for key, poller in known.items() if poller.is_idle]:
        del known[key]
    key = (kind.name, connection_id, tuple(sorted(scope.items())))
    if key not in known:
        known[key] = Poller(partial(open_reader, kind, connection_id, scope))
    return known[key]


async def open_reader(kind: BatchKind, connection_id: str, scope: Mapping[str, str]) -> StateReader:
    """Return a reader of states, its connection read without blocking the event loop.

    :param kind: the kind of batch
    :param connection_id: the Airflow connection
    :param scope: the values of ``kind.scope``; those left out are the connection's
    """
    vendor = kind.listing.vendor
    try:
        connection = await get_async_connection(connection_id)
        saved_extras = await get_async_extra_dejson(connection)
    except AirflowNotFoundException as error:
        raise ConnectionSettingsError(f"There is no connection {connection_id!r}.", vendor=vendor.name) from error
    except (OSError, AirflowException) as error:  # Airflow's API is away; a TimeoutError is an OSError
        raise TransientError(f"Connection {connection_id!r} cannot be read now: {error!r}") from error
    extras = read_extras(vendor, connection_id, saved_extras)
    # The poller itself tries again, later: a retry here would hold a thread while it sleeps.
    settings = replace(read_settings(vendor, connection, extras), max_attempts=1)
    rate_limiter = shared_rate_limiter(connection_id, settings.requests_per_minute)
    defaults = {name: str(extras[name]) for name in kind.scope if name in extras}
    return StateReader(await asyncio.to_thread(Client, vendor, settings, rate_limiter), kind, {**defaults, **scope})
