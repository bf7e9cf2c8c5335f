"""Airflow's assets: each export is an event on the outlets of its task, with what was exported in its extra.

An outlet may be an ``Asset`` of the user's, whose event gets the extra, or an ``AssetAlias``, which gets an event for
an asset with the URI of the destination's root. A task without either has an alias of its own. An alias and not an
asset: the root may be a template; and where two assets share a URI under different names, Airflow fails the task of
one.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow.sdk import Asset, AssetAlias
from airflow.sdk.definitions.asset import AssetRef

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator, Context

LONGEST_URI = 1500
"""Airflow takes no longer one."""

log = logging.getLogger(__name__)


def export_alias(dag_id: str, task_id: str) -> AssetAlias:
    """Return the outlet of an export whose task declares none.

    :param dag_id: the DAG
    :param task_id: the task
    """
    return AssetAlias(f"{dag_id}/{task_id}")


def declare_outlet(task: BaseOperator, dag_id: str, task_id: str) -> None:
    """Give a task its own alias if it has neither asset nor alias among its outlets."""
    if not any(map(_is_asset, task.outlets)):
        task.outlets = [*task.outlets, export_alias(dag_id, task_id)]


def announce(
    task: BaseOperator, context: Context, summary: Mapping[str, Any], uri: str, partition: str | None = None
) -> None:
    """Put what was exported onto the events that Airflow makes of the task's outlets when it has succeeded.

    :param task: the task
    :param context: its context; empty in users' unit tests
    :param summary: the manifest's
    :param uri: the URI of the asset that aliases get an event for
    :param partition: the key of the partition that events of assets are for
    """
    task_instance: Any = context.get("ti")
    events: Any = context.get("outlet_events")
    if task_instance is None or events is None:
        return
    # Here for tasks that got their DAG after they were made.
    declare_outlet(task, task_instance.dag_id, task_instance.task_id)
    for outlet in task.outlets:
        if not isinstance(outlet, AssetAlias):
            if _is_asset(outlet):
                events[outlet].extra.update(summary)
                if partition is not None:
                    events[outlet].add_partitions(partition)
        elif len(uri) > LONGEST_URI:
            log.warning(
                "No asset event: the URI of the asset has %d characters, more than the %d that Airflow takes",
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
