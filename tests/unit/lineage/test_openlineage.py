"""What OpenLineage is told of an export: datasets in and out, their schema, rows and sizes."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from openlineage.client.serde import Serde

from airflow_batch_provider.apis.columns import Column, ListOf, Struct
from airflow_batch_provider.apis.endpoint import Listing
from airflow_batch_provider.lineage.openlineage import listing_name, operator_lineage
from airflow_batch_provider.operators.export import ListingExportOperator
from airflow_batch_provider.operators.talkifai import TalkifAIExportBatchJobsOperator
from airflow_batch_provider.sandbox import Sandbox, Settings
from airflow_batch_provider.testing import sandbox
from airflow_batch_provider.vendors import llamacloud, playment, talkifai
from tests.airflow_versions import providers_may_be_broken
from tests.unit.export.exported import manifest_of
from tests.unit.operators.test_export_operators import OPERATORS


@pytest.fixture(scope="module")
def vendors() -> Iterator[Sandbox]:
    with sandbox(Settings(jobs=20)) as running:
        yield running


def lineage(task: ListingExportOperator) -> dict[str, Any]:
    """Return what a task tells, as it goes over the wire."""
    told = task.get_openlineage_facets_on_complete(None)
    return {
        "inputs": [Serde.to_dict(dataset) for dataset in told.inputs],
        "outputs": [Serde.to_dict(dataset) for dataset in told.outputs],
    }


@pytest.mark.parametrize("operator", OPERATORS)
def test_every_export_reads_a_listing_and_writes_a_folder(
    operator: type[ListingExportOperator], vendors: Sandbox, tmp_path: Path
) -> None:
    given = {name: vendors.how_to["playment"][name] for name in OPERATORS[operator] if name == "batch_id"}
    task = operator(task_id="t", destination=str(tmp_path), rows_per_part=8, **given)
    task.execute({})
    manifest = manifest_of(tmp_path)
    told = lineage(task)
    (read,), (written,) = told["inputs"], told["outputs"]
    assert read["namespace"] == vendors.url
    assert read["name"].partition("?")[0] == task.listing.name
    assert read["inputFacets"]["inputStatistics"]["rowCount"] == manifest["rows"] > 0
    assert (written["namespace"], written["name"]) == ("file", str(tmp_path))
    statistics = written["outputFacets"]["outputStatistics"]
    assert {name: statistics[name] for name in ("rowCount", "size", "fileCount")} == {
        "rowCount": manifest["rows"],
        "size": manifest["bytes"],
        "fileCount": len(manifest["parts"]),
    }
    columns = [column.name for column in task.listing.columns]
    assert [field["name"] for field in read["facets"]["schema"]["fields"]] == columns
    assert [field["name"] for field in written["facets"]["schema"]["fields"]] == columns


@pytest.mark.parametrize("file_format", ["csv", "parquet"])
def test_a_table_has_the_column_for_what_is_not_documented(file_format: str, vendors: Sandbox, tmp_path: Path) -> None:
    task = TalkifAIExportBatchJobsOperator(task_id="t", destination=str(tmp_path), file_format=file_format)
    task.execute({})
    (written,) = lineage(task)["outputs"]
    assert [field["name"] for field in written["facets"]["schema"]["fields"]][-1] == "_extra"


def test_a_table_has_the_columns_that_were_added(vendors: Sandbox, tmp_path: Path) -> None:
    task = TalkifAIExportBatchJobsOperator(
        task_id="t", destination=str(tmp_path), file_format="csv", add_params="organization_id"
    )
    task.execute({})
    (written,) = lineage(task)["outputs"]
    assert [field["name"] for field in written["facets"]["schema"]["fields"]][:2] == ["organization_id", "id"]


def kinds(fields: list[dict[str, Any]]) -> tuple[Column, ...]:
    """Read a schema back into columns."""
    return tuple(Column(field["name"], kind(field)) for field in fields)


def kind(field: dict[str, Any]) -> Any:
    if field["type"] == "struct":
        return Struct(kinds(field["fields"]))
    if field["type"] == "array":
        (element,) = field["fields"]
        return ListOf(kind(element))
    return field["type"]


@pytest.mark.parametrize("operator", OPERATORS)
def test_the_schema_holds_nested_fields_too(
    operator: type[ListingExportOperator], vendors: Sandbox, tmp_path: Path
) -> None:
    given = {name: vendors.how_to["playment"][name] for name in OPERATORS[operator] if name == "batch_id"}
    task = operator(task_id="t", destination=str(tmp_path), **given)
    task.execute({})
    (read,) = lineage(task)["inputs"]
    assert kinds(read["facets"]["schema"]["fields"]) == task.listing.columns


@pytest.mark.parametrize(
    ("listing", "params", "name"),
    [
        (
            playment.BATCH_JOBS,
            {"project_id": "p", "batch_id": "b&1"},
            "playment.batch_jobs?batch_id=b%261&project_id=p",
        ),
        (llamacloud.BATCHES, {}, "llamacloud.batches"),
        (
            llamacloud.BATCHES,
            {"status": "FAILED", "created_at_on_or_after": "2026-01-01T00:00:00+00:00", "page_size": "10"},
            "llamacloud.batches",
        ),
        (talkifai.BATCH_JOBS, {"organization_id": "o", "page_size": "5"}, "talkifai.batch_jobs?organization_id=o"),
    ],
)
def test_a_listing_is_named_by_whose_it_is_and_not_by_how_it_is_read(
    listing: Listing, params: dict[str, str], name: str
) -> None:
    assert listing_name(listing, params) == name


def test_no_key_is_told(vendors: Sandbox, tmp_path: Path) -> None:
    task = TalkifAIExportBatchJobsOperator(task_id="t", destination=str(tmp_path))
    task.execute({})
    assert vendors.how_to["talkifai"]["api_key"] not in str(lineage(task))


def test_nothing_is_told_of_an_export_that_did_not_happen(vendors: Sandbox, tmp_path: Path) -> None:
    TalkifAIExportBatchJobsOperator(task_id="t", destination=str(tmp_path)).execute({})
    skipped = TalkifAIExportBatchJobsOperator(task_id="t", destination=str(tmp_path), if_exists="skip")
    skipped.execute({})
    assert lineage(skipped) == {"inputs": [], "outputs": []}
    assert operator_lineage(None).outputs == []


WITHOUT_OPENLINEAGE = """
import json, sys
from airflow.configuration import conf  # which reads what providers are installed

class NotInstalled:
    def find_spec(self, name, path=None, target=None):
        if name.startswith(("openlineage", "airflow.providers.openlineage")):
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, NotInstalled())
from airflow_batch_provider.operators.talkifai import TalkifAIExportBatchJobsOperator
print(json.dumps(TalkifAIExportBatchJobsOperator(task_id="t", destination=sys.argv[1]).execute({})))
"""


@providers_may_be_broken
def test_an_export_is_the_same_where_openlineage_is_not_installed(vendors: Sandbox, tmp_path: Path) -> None:
    command = [sys.executable, "-c", WITHOUT_OPENLINEAGE, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert manifest_of(tmp_path)["rows"] == 20
