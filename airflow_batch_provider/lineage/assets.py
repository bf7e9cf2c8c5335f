"""Airflow's assets: each export is an event on the outlets of its task, with what was exported in its extra.

An outlet may be an ``Asset`` of the user's, whose event gets the extra, or an ``AssetAlias``, which gets an event for
an asset with the URI of the destination. A task without either has an alias of its own. An alias and not an asset: the
destination may be a template; and where two assets share a URI under different names, Airflow fails the task of one.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from airflow.sdk import Asset, AssetAlias
from airflow.sdk.definitions.asset import AssetRef

from airflow_batch_provider.lineage.datasets import split_uri

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator, Context

LONGEST_URI = 1500
"""Airflow takes no longer one."""

# A URI is ASCII, which some of Airflow's databases insist on; what follows these two would not be the asset's path.
_KEPT = "".join(map(chr, range(0x20, 0x7F))).replace("?", "").replace("#", "")

log = logging.getLogger(__name__)


def export_alias(dag_id: str, task_id: str) -> AssetAlias:
    """Return the outlet of an export whose task declares none.

    :param dag_id: the DAG
    :param task_id: the task
    """
    return AssetAlias(f"{dag_id}/{task_id}")


def asset_uri(destination: str) -> str:
    """Return the URI of the asset that a destination is: without the connection, which is how and not what.

    :param destination: the folder, as a store spells it
    """
    scheme, host, path = split_uri(destination)
    return f"{scheme}://{host}{quote(path, safe=_KEPT)}"


def declare_outlet(task: BaseOperator, dag_id: str, task_id: str) -> None:
    """Give a task its own alias if it has neither asset nor alias among its outlets."""
    if not any(map(_is_asset, task.outlets)):
        task.outlets = [*task.outlets, export_alias(dag_id, task_id)]


def announce(task: BaseOperator, context: Context, summary: Mapping[str, Any]) -> None:
    """Put what was exported onto the events that Airflow makes of the task's outlets when it has succeeded.

    :param task: the task
    :param context: its context; empty in users' unit tests
    :param summary: the manifest's
    """
    task_instance: Any = context.get("ti")
    events: Any = context.get("outlet_events")
    if task_instance is None or events is None:
        return
    # Here for tasks that got their DAG after they were made.
    declare_outlet(task, task_instance.dag_id, task_instance.task_id)
    uri = asset_uri(summary["destination"])
    for outlet in task.outlets:
        if not isinstance(outlet, AssetAlias):
            if _is_asset(outlet):
                events[outlet].extra.update(summary)
        elif len(uri) > LONGEST_URI:
            log.warning(
                "No asset event: the URI of the destination has %d characters, more than the %d that Airflow takes",
                len(uri),
                LONGEST_URI,
            )
        else:
            events[outlet].add(Asset(uri), extra=dict(summary))


def withhold(task: BaseOperator) -> None:
    """Keep Airflow from making an event of any outlet: the task has exported nothing."""
    task.outlets = [outlet for outlet in task.outlets if not _is_asset(outlet)]


def _is_asset(outlet: object) -> bool:
    return isinstance(outlet, (Asset, AssetAlias, AssetRef))
