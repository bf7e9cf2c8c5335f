"""Runs a DAG that a test makes, as Airflow runs those of the folder of DAGs."""

from __future__ import annotations

from typing import Any


def run_dag(dag: Any) -> Any:
    """Run a DAG once and return its run."""
    from airflow.dag_processing.bundles.manager import DagBundlesManager

    from tests.dag_bags import DagBag, sync_bag_to_db

    # ``dag.test`` looks DAGs up in the database, and finds those of the folder of DAGs by itself only.
    bag = DagBag(dag_folder="/dev/null")
    bag.bag_dag(dag)
    DagBundlesManager().sync_bundles_to_db()
    sync_bag_to_db(bag, "dags-folder", None)
    return dag.test()
