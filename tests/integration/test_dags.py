"""Every example DAG runs to success against the sandbox, with and without a logical date, and exports all rows."""

from __future__ import annotations

import gzip
import hashlib
import json
import re
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.definitions.mappedoperator import MappedOperator
from pytest_mock import MockerFixture

from airflow_batch_provider.export import folder_name, read_export, verify_export
from airflow_batch_provider.hooks.llamacloud import LlamaCloudHook
from airflow_batch_provider.hooks.playment import PlaymentHook
from airflow_batch_provider.hooks.talkifai import TalkifAIHook
from airflow_batch_provider.operators.verify import VerifyExportOperator
from airflow_batch_provider.sandbox import Sandbox, Settings, annotation, conversations, documents, serve
from airflow_batch_provider.testing import connections, no_backoff, sandbox
from airflow_batch_provider.triggers.batch import BatchStatusTrigger

pytestmark = pytest.mark.usefixtures("airflow_database")

DAY = datetime(2026, 3, 1, tzinfo=UTC)
WITHOUT_A_DATE: dict[str, Any] = {"logical_date": None, "run_after": DAY}
"""A run as the REST API, ``airflow dags trigger`` and assets start it."""

LISTINGS = {
    "playment_batches": ("playment/batches", lambda how: PlaymentHook().iter_batches()),
    "playment_batch_jobs": (
        "playment/batch_jobs",
        lambda how: PlaymentHook().iter_batch_jobs(None, how["playment"]["batch_id"]),
    ),
    "llamacloud_batches": ("llamacloud/batches", lambda how: LlamaCloudHook().iter_batches()),
    "llamacloud_batch_processing_jobs": (
        "llamacloud/batch_processing_jobs",
        lambda how: LlamaCloudHook().iter_batch_processing_jobs(),
    ),
    "talkifai_batch_jobs": ("talkifai/batch_jobs", lambda how: TalkifAIHook().iter_batch_jobs()),
}


@pytest.fixture(scope="session")
def dags() -> dict[str, Any]:
    from tests.dag_bags import DagBag

    bag = DagBag(dag_folder=str(Path(__file__).parents[2] / "dags"))
    assert bag.import_errors == {}
    return dict(bag.dags)


def exported_rows(folder: Path) -> list[dict[str, Any]]:
    manifest = json.loads((folder / "_MANIFEST.json").read_text())
    files = {path.name for path in folder.iterdir()}
    assert files == {"_MANIFEST.json", *(part["path"] for part in manifest["parts"])}
    rows = []
    for part in manifest["parts"]:
        content = (folder / part["path"]).read_bytes()
        assert hashlib.sha256(content).hexdigest() == part["sha256"]
        assert len(content) == part["bytes"]
        rows += [json.loads(line) for line in gzip.decompress(content).splitlines()]
    assert len(rows) == manifest["rows"]
    return rows


def job_id_of(row: dict[str, Any]) -> str:
    """Return the parse job of a row of LlamaCloud's v2 or v1 results."""
    item = row["item"]
    return str(item["job_id"] if "job_id" in item else item["job_reference"]["id"])


def annotations(row: dict[str, Any], running: Sandbox) -> object:
    size = Settings().large_bytes
    content = annotation.result_file(row["id"], running.url, running.files_url, size)
    return json.loads(b"".join(content.read()))


def batch_files(batch_id: str) -> list[str]:
    results = LlamaCloudHook().get_batch(batch_id, expand_results=True)["results"]
    return [result["source_directory_file_id"] for result in results]


RESULTS: dict[str, tuple[str, Any, Any, Any, set[str]]] = {
    "playment_wait_and_export": (
        "playment/results",
        lambda how: {"batch_id": how["playment.batch_jobs"]["batch_id"]},
        lambda batch_id: [job["id"] for job in PlaymentHook().iter_batch_jobs(None, batch_id)],
        lambda row, content, running: json.loads(content) == annotations(row, running),
        {"ok", "partial"},
    ),
    "llamacloud_wait_and_export": (
        "llamacloud/results",
        lambda how: {"batch_id": how["llamacloud.batches (parse)"]["batch_id"]},
        batch_files,
        lambda row, content, running: content.decode() == documents.markdown_of(job_id_of(row)),
        {"ok", "partial", "failed", "missing"},
    ),
    "llamacloud_batch_processing_wait_and_export": (
        "llamacloud/processing_results",
        lambda how: {"job_id": how["llamacloud.batch_processing_jobs"]["id"]},
        lambda job_id: [item["item_id"] for item in LlamaCloudHook().iter_batch_processing_items(job_id)],
        lambda row, content, running: content.decode() == documents.markdown_of(job_id_of(row)),
        {"ok", "partial", "failed"},
    ),
    "talkifai_wait_and_export": (
        "talkifai/conversations",
        lambda how: {"job_id": how["talkifai.batch_jobs"]["batch_job_id"]},
        lambda job_id: [contact["id"] for contact in TalkifAIHook().iter_contacts(job_id)],
        lambda row, content, running: json.loads(content) == conversations.transcript_of(row["id"]),
        {"ok", "failed", "missing"},
    ),
}
"""For each DAG that exports results: its folder, its parameters by the landing page, the ids of the batch's items,
whether the content of an item's first file is what the sandbox has, and the outcomes that there are."""

WAITING = {*RESULTS, "playment_project_wait_and_export", "playment_pipeline"}
FINDING = "llamacloud_export_new"
ON_ASSETS = {"playment_on_finished_batch", "talkifai_on_export"}
SUBMITTING: dict[str, tuple[str, dict[str, Any], dict[str, int]]] = {
    "llamacloud_files_to_markdown": (
        "llamacloud",
        {"llamacloud/markdown/2026-03-01": {"ok": 4, "failed": 1}},
        {"directories": 1, "files": 5, "batches": 1},
    ),
    "llamacloud_submit_failed_again": (
        "llamacloud",
        {
            "llamacloud/submitted_again/2026-03-01/first": {"ok": 4, "failed": 1},
            "llamacloud/submitted_again/2026-03-01/second": {"failed": 1},
        },
        {"directories": 2, "files": 6, "batches": 2},
    ),
    "talkifai_contacts_to_transcripts": (
        "talkifai",
        {"talkifai/transcripts/2026-03-01": {"ok": 9, "failed": 1}},
        {"batches": 1, "starts": 1, "calls": 12},  # one does not answer, and is called three times
    ),
    "playment_images_to_annotations": (
        "playment",
        {"playment/annotations/2026-03-01": {"ok": 6}},
        {"batches": 1, "jobs": 6},
    ),
}
"""For each DAG that submits: its vendor, the outcomes in its folders, and what the vendor counted."""


def test_there_is_an_example_for_every_listing_and_every_way_to_wait(dags: dict[str, Any]) -> None:
    assert set(dags) == {*LISTINGS, "playment_project_jobs", *WAITING, *ON_ASSETS, *SUBMITTING, FINDING}


def test_every_example_has_tags_and_says_what_it_does_and_needs(dags: dict[str, Any]) -> None:
    for dag_id, dag in dags.items():
        vendor = dag_id.partition("_")[0]
        assert vendor in dag.tags
        assert len(dag.tags) > 1
        source = Path(dag.fileloc).read_text()
        variables = {name for name in re.findall(r"""var\.value\.(?:get\(')?(\w+)""", source) if name != "get"}
        needs = [*(f"the variable `{name}`" for name in variables), *(f"the parameter `{name}`" for name in dag.params)]
        if variables:
            needs.append(f"the connection `{vendor}_default`")
        what, needed = dag.doc_md.split("\n\nIt needs\n\n")
        assert what.endswith(".")
        assert [need for need in needs if f"* {need}" not in needed] == []


def test_the_templates_of_every_example_have_the_day_of_the_run(dags: dict[str, Any]) -> None:
    """``ds`` if the run has a logical date, whenever it runs; the day on which it runs if not."""
    run = {"dag_run": SimpleNamespace(run_after=DAY), "ti": SimpleNamespace(map_index=0), "params": {}}
    variables = {"var": {"value": {"exports": "exports"}}}
    found = 0
    for dag in dags.values():
        environment = dag.get_template_env()
        for task in dag.tasks:
            templates = [getattr(task, name, None) for name in ("destination", "name")]
            for template in [text for text in templates if isinstance(text, str) and "run_after" in text]:
                texts = [
                    environment.from_string(template).render({**variables, **run, **date})
                    for date in ({}, {"ds": "2026-03-01"}, {"ds": "2025-12-24"})
                ]
                assert texts[0] == texts[1]
                assert "2026-03-01" in texts[0]
                assert "2025-12-24" in texts[2]
                found += 1
    assert found > len(dags) / 2


@pytest.mark.parametrize("dag_id", SUBMITTING)
def test_a_dag_goes_from_its_input_to_results_and_submits_once(
    dag_id: str, dags: dict[str, Any], exports: Path
) -> None:
    vendor, folders, counted = SUBMITTING[dag_id]
    dag = dags[dag_id]
    for task in dag.tasks:
        task.retry_delay = timedelta(seconds=0.1)
        if hasattr(task, "poke_interval"):
            task.poke_interval = 0.1
    with sandbox(Settings(run_seconds=0.5)) as running, no_backoff():
        assert dag.test(**WITHOUT_A_DATE).state == "success"
        journal = running.journal.as_json()[vendor]
    assert {name: journal[name]["total"] for name in counted} == counted
    found = {folder: json.loads((exports / folder / "_MANIFEST.json").read_text())["outcomes"] for folder in folders}
    assert found == folders


def test_the_dag_that_exports_what_is_new_exports_each_batch_once(dags: dict[str, Any], exports: Path) -> None:
    folder = exports / "llamacloud/new_results"
    with sandbox(Settings(duration=0, jobs=24, files=3)), no_backoff():
        finished = {batch["id"] for batch in LlamaCloudHook().iter_batches(status="COMPLETED")}
        assert 10 < len(finished) <= 20
        for count in (10, len(finished), len(finished)):
            assert dags[FINDING].test(logical_date=DAY + timedelta(hours=count)).state == "success"
            results = {
                verify_export(path.parent.as_uri()).params["batch_id"] for path in folder.glob("*/_MANIFEST.json")
            }
            assert len(results) == count
        times = {path.stat().st_mtime_ns for path in folder.glob("*/_MANIFEST.json")}
        assert dags[FINDING].test(**WITHOUT_A_DATE).state == "success"
    assert results == finished
    assert {path.stat().st_mtime_ns for path in folder.glob("*/_MANIFEST.json")} == times


@pytest.mark.parametrize("dag_id", LISTINGS)
def test_a_scheduled_run_exports_the_whole_listing(
    dag_id: str, dags: dict[str, Any], vendors: Sandbox, exports: Path
) -> None:
    folder, listing = LISTINGS[dag_id]
    run = dags[dag_id].test(logical_date=DAY)
    assert run.state == "success"
    rows = exported_rows(exports / folder / "2026-03-01")
    assert [row["id"] for row in rows] == [row["id"] for row in listing(vendors.how_to)]
    assert rows


@pytest.mark.parametrize("dag_id", [*LISTINGS, "playment_project_jobs"])
def test_a_run_without_a_logical_date_takes_the_day_it_runs(
    dag_id: str, dags: dict[str, Any], vendors: Sandbox, exports: Path
) -> None:
    run = dags[dag_id].test(**WITHOUT_A_DATE)
    assert run.state == "success"
    manifests = [json.loads(path.read_text()) for path in exports.rglob("2026-03-01/**/_MANIFEST.json")]
    assert manifests
    assert all(manifest["logical_date"] is None for manifest in manifests)
    assert all(manifest["dag_id"] == dag_id and manifest["run_id"] == run.run_id for manifest in manifests)


def test_the_mapped_dag_exports_every_batch_of_the_project(
    dags: dict[str, Any], vendors: Sandbox, exports: Path
) -> None:
    assert dags["playment_project_jobs"].test(logical_date=DAY).state == "success"
    folder, hook = exports / "playment/project_jobs/2026-03-01", PlaymentHook()
    batches = [batch["id"] for batch in hook.iter_batches()]
    assert {path.name for path in folder.iterdir()} == set(map(folder_name, batches))
    for batch_id in batches:
        expected = [job["id"] for job in hook.iter_batch_jobs(None, batch_id)]
        assert [row["id"] for row in exported_rows(folder / folder_name(batch_id))] == expected


def unfinished(dag_id: str) -> dict[str, str]:
    """Return parameters that name a batch which is at work and will be completed."""
    if dag_id == "playment_wait_and_export":
        return {"batch_id": max(PlaymentHook().iter_batches(), key=lambda batch: batch["total_jobs"])["id"]}
    if dag_id == "llamacloud_wait_and_export":
        return {"batch_id": list(LlamaCloudHook().iter_batches(status="RUNNING"))[3]["id"]}
    if dag_id == "llamacloud_batch_processing_wait_and_export":
        return {"job_id": list(LlamaCloudHook().iter_batch_processing_jobs(status="running"))[3]["id"]}
    if dag_id == "talkifai_wait_and_export":
        return {"job_id": list(TalkifAIHook().iter_batch_jobs(status="running"))[3]["id"]}
    return {}


def results_in(folder: Path) -> list[dict[str, Any]]:
    """Return the rows of results, once each file of theirs is known to be whole."""
    manifest = verify_export(folder.as_uri())
    rows = list(read_export(folder.as_uri()))
    assert sum(manifest.outcomes.values()) == len(rows) == manifest.rows
    assert {file["path"] for row in rows for file in row["files"]} == {
        path.relative_to(folder).as_posix() for path in folder.glob("files/*/*")
    }
    return rows


@pytest.mark.parametrize("dag_id", RESULTS)
def test_the_results_of_a_finished_batch_are_those_of_the_vendor(
    dag_id: str, dags: dict[str, Any], exports: Path
) -> None:
    place, params, ids, is_right, outcomes = RESULTS[dag_id]
    with sandbox(Settings(duration=0)) as running, no_backoff():
        conf = params(running.how_to["results"])
        assert dags[dag_id].test(logical_date=DAY, run_conf=conf).state == "success"
        folder = exports / place / "2026-03-01"
        rows = results_in(folder)
        assert [row["id"] for row in rows] == ids(*conf.values())
        assert {row["outcome"] for row in rows} == outcomes
        for row in rows:
            assert row["outcome"] in (("ok", "partial") if row["files"] else outcomes - {"ok"})
            for file in row["files"][:1]:
                assert is_right(row, (folder / file["path"]).read_bytes(), running)


def test_the_contacts_are_exported_beside_their_conversations(dags: dict[str, Any], exports: Path) -> None:
    with sandbox(Settings(duration=0)) as running, no_backoff():
        job_id = running.how_to["results"]["talkifai.batch_jobs"]["batch_job_id"]
        dags["talkifai_wait_and_export"].test(logical_date=DAY, run_conf={"job_id": job_id})
        contacts = exported_rows(exports / "talkifai/contacts/2026-03-01")
        assert contacts == list(TalkifAIHook().iter_contacts(job_id))
    assert [row["item"] for row in results_in(exports / "talkifai/conversations/2026-03-01")] == contacts


def test_the_mapped_dag_exports_the_results_of_every_batch_but_the_default_one(
    dags: dict[str, Any], exports: Path
) -> None:
    with sandbox(Settings(duration=0, jobs=120)):
        assert dags["playment_project_wait_and_export"].test(logical_date=DAY).state == "success"
        folder = exports / "playment/project_results/2026-03-01"
        hook = PlaymentHook()
        batches = [batch["id"] for batch in hook.iter_batches() if not batch["is_default"]]
        assert {path.name for path in folder.iterdir()} == {folder_name(batch_id) for batch_id in batches}
        for batch_id in batches:
            expected = [job["id"] for job in hook.iter_batch_jobs(None, batch_id)]
            assert [row["id"] for row in results_in(folder / folder_name(batch_id))] == expected


def poll_often(task: Any) -> None:
    if isinstance(task, MappedOperator):
        task.partial_kwargs["poke_interval"] = 0.2
    else:
        task.poke_interval = 0.2


@pytest.mark.parametrize("dag_id", sorted(WAITING))
def test_a_deferred_wait_ends_in_an_export(
    dag_id: str, dags: dict[str, Any], exports: Path, mocker: MockerFixture
) -> None:
    deferred = mocker.spy(BatchStatusTrigger, "run")
    poll_often(dags[dag_id].get_task("batch.wait" if dag_id == "playment_project_wait_and_export" else "wait"))
    began = time.time()
    settings = Settings(duration=1000)

    def clock() -> float:
        """Stand still until the wait is in the triggerer; then all is over."""
        return began + (2 * settings.duration if deferred.call_count else 0.0)

    with serve(settings, clock) as running, pytest.MonkeyPatch.context() as patch, no_backoff():
        for name, connection in connections(running).items():
            patch.setenv(name, connection)
        assert dags[dag_id].test(**WITHOUT_A_DATE, run_conf=unfinished(dag_id)).state == "success"
    assert deferred.call_count >= 1
    manifests = [verify_export(path.parent.as_uri()) for path in exports.rglob("2026-03-01/**/_MANIFEST.json")]
    assert sum(manifest.rows for manifest in manifests) > 0


def test_the_dag_on_finished_batches_exports_nothing_where_it_is_run_by_hand(
    dags: dict[str, Any], vendors: Sandbox, exports: Path
) -> None:
    run = dags["playment_on_finished_batch"].test(**WITHOUT_A_DATE)
    assert run.state == "success"
    assert not list(exports.rglob("_MANIFEST.json"))


def test_the_dag_on_exports_takes_the_latest_where_it_is_run_by_hand(
    dags: dict[str, Any], vendors: Sandbox, exports: Path, mocker: MockerFixture
) -> None:
    for day in (DAY, DAY + timedelta(days=1)):
        assert dags["talkifai_batch_jobs"].test(logical_date=day).state == "success"
    verified = mocker.spy(VerifyExportOperator, "execute")
    assert dags["talkifai_on_export"].test(**WITHOUT_A_DATE).state == "success"
    (call,) = verified.spy_return_list
    assert call["destination"] == (exports / "talkifai/batch_jobs/2026-03-02").as_uri()
