"""Partitions of assets by batch: from Airflow 3.3 on, a DAG can run once for each batch that is exported."""

from __future__ import annotations

from collections.abc import Iterable

from airflow.sdk import Asset
from airflow.sdk.definitions.asset import AssetRef

from airflow_batch_provider.airflow_version import installed_airflow

OLDEST = (3, 3)
"""The first Airflow in which a task names the partition of its event."""

LONGEST_KEY = 250
"""Characters that Airflow's database has room for."""


def violation_of(outlets: Iterable[object], *, is_of_a_batch: bool) -> str | None:
    """Return why the events of a task cannot have partitions, or None if they can.

    :param outlets: the task's
    :param is_of_a_batch: whether one export is of one batch
    """
    if not is_of_a_batch:
        return "partition_assets is for exports of one batch, whose id is the key of the partition"
    if (found := installed_airflow()) and found < OLDEST:
        return (
            f"partition_assets needs Airflow 3.3 or newer, but {found[0]}.{found[1]} is installed; without it, the "
            "params in the extra of an event have the batch's id"
        )
    if not any(isinstance(outlet, (Asset, AssetRef)) for outlet in outlets):
        return (
            "partition_assets needs an asset among the outlets, such as outlets=[Asset('results')]: Airflow has no "
            "partitions of the alias that a task has otherwise"
        )
    return None


def partition_key(batch_id: str) -> str:
    """Return the key of a batch: its id, or the safe form of an id that Airflow's database would not take.

    :param batch_id: the batch
    """
    # Imported here: parsing a DAG needs nothing of exports.
    from airflow_batch_provider.export.folder_names import folder_name

    return batch_id if len(batch_id) <= LONGEST_KEY and batch_id.isprintable() else folder_name(batch_id)
