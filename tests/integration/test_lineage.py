"""What the OpenLineage provider writes when a DAG with an export runs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from airflow_batch_provider.sandbox import Sandbox

DAG_ID = "talkifai_batch_jobs"


@pytest.fixture
def told(tmp_path_factory: pytest.TempPathFactory, vendors: Sandbox, exports: Path) -> list[dict[str, Any]]:
    """The events of a run, as the provider's file transport has written them."""
    home = tmp_path_factory.mktemp("airflow-home")
    log = home / "lineage.jsonl"
    transport = {"type": "file", "log_file_path": str(log), "append": True}
    environment = {**os.environ, "AIRFLOW_HOME": str(home), "AIRFLOW__OPENLINEAGE__TRANSPORT": json.dumps(transport)}
    for arguments in (("db", "migrate"), ("dags", "test", DAG_ID, "2026-03-01")):
        command = [sys.executable, "-m", "airflow", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
        assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]
    return [json.loads(line) for line in log.read_text().splitlines()]


def test_an_export_is_told_with_its_datasets_schema_and_statistics(
    told: list[dict[str, Any]], vendors: Sandbox, exports: Path
) -> None:
    folder = exports / "talkifai/batch_jobs/2026-03-01"
    manifest = json.loads((folder / "_MANIFEST.json").read_text())
    of_the_task = [event for event in told if event["job"]["name"] == f"{DAG_ID}.export"]
    assert [event["eventType"] for event in of_the_task] == ["START", "COMPLETE"]
    (read,), (written,) = of_the_task[-1]["inputs"], of_the_task[-1]["outputs"]
    organization = vendors.how_to["talkifai"]["organization_id"]
    assert (read["namespace"], read["name"]) == (
        vendors.url,
        f"talkifai.batch_jobs?organization_id={organization}",
    )
    assert read["inputFacets"]["inputStatistics"]["rowCount"] == 350
    assert (written["namespace"], written["name"]) == ("file", str(folder))
    statistics = written["outputFacets"]["outputStatistics"]
    assert [statistics[name] for name in ("rowCount", "size", "fileCount")] == [350, manifest["bytes"], 1]
    fields = {field["name"]: field["type"] for field in written["facets"]["schema"]["fields"]}
    assert (fields["id"], fields["totalContacts"], fields["retryPolicy"]) == ("text", "integer", "struct")
