"""Where Airflow keeps bags of DAGs: it moved after 3.1, and there is no public name for them."""

from __future__ import annotations

try:
    from airflow.dag_processing.dagbag import DagBag, sync_bag_to_db
except ModuleNotFoundError:
    from airflow.models.dagbag import DagBag, sync_bag_to_db

__all__ = ["DagBag", "sync_bag_to_db"]
