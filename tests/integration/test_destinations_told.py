"""What an object store is called in asset events and in OpenLineage."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk import DAG
from airflow.sdk.execution_time.context import OutletEventAccessors
from airflow.sdk.execution_time.task_runner import _serialize_outlet_events

from airflow_batch_provider.export import verify_export
from airflow_batch_provider.operators.playment import PlaymentExportBatchesOperator
from airflow_batch_provider.sandbox import Sandbox
from tests.integration.object_servers import AZURE_ACCOUNT, BUCKET, ObjectServer

NAMESPACES = {
    "s3": f"s3://{BUCKET}",
    "azure": f"abfss://{BUCKET}@{AZURE_ACCOUNT}.dfs.core.windows.net",
    "google": f"gs://{BUCKET}",
}


def test_a_store_is_named_without_the_connection_that_the_extra_names(
    server: ObjectServer, vendors: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not server.connections():  # Airflow's Google provider, which would need one, is not there
        monkeypatch.setattr("airflow_batch_provider.stores.destination.open_store", lambda *_: server.open("jobs"))
    with DAG("nightly"):
        task = PlaymentExportBatchesOperator(
            task_id="export", destination=f"{server.scheme}://{BUCKET}/jobs", destination_conn_id="store_test"
        )
    events = OutletEventAccessors()
    context: Any = {
        "ti": SimpleNamespace(dag_id="nightly", task_id="export", run_id="run", map_index=-1),
        "outlet_events": events,
    }
    summary = task.execute(context)
    (event,) = _serialize_outlet_events(events)
    assert event["dest_asset_key"] == dict.fromkeys(("name", "uri"), f"{server.scheme}://{BUCKET}/jobs")
    assert event["extra"] == summary
    assert verify_export(summary["destination"]).rows == summary["rows"]
    (written,) = task.get_openlineage_facets_on_complete(None).outputs
    assert (written.namespace, written.name) == (NAMESPACES[server.name], "jobs")
