"""An example DAG is triggered in the UI, succeeds, and its tasks link to the batch and to what they exported."""

from __future__ import annotations

import json
from urllib.parse import quote

import pytest
from playwright.sync_api import Page, expect

from dev.local.layout import Layout
from tests.ui.airflow_api import AirflowApi
from tests.ui.browser import Browser


def trigger(ui: Browser, api: AirflowApi, dag_id: str) -> str:
    """Trigger a DAG as a person does, wait until its run has succeeded, and return the path of the run."""
    ui.open(f"/dags/{dag_id}")
    ui.page.get_by_test_id("trigger-dag-button").click()
    with ui.page.expect_response(lambda answer: answer.request.method == "POST" and "dagRuns" in answer.url) as answer:
        ui.page.get_by_test_id("trigger-dag-submit").click()
    run_id = answer.value.json()["dag_run_id"]
    # A DAG that is switched on runs for today first, and this run is queued until then.
    assert api.wait_for_run(f"/api/v2/dags/{dag_id}/dagRuns/{quote(run_id)}") == "success"
    path = f"/dags/{dag_id}/runs/{run_id}"
    ui.open(path)
    expect(ui.page.get_by_test_id("state-badge").first).to_contain_text("Success")
    return path


def follow(ui: Browser, name: str) -> Page:
    """Click on a link of a task, which opens a page of its own."""
    with ui.page.context.expect_page() as opened:
        ui.page.get_by_role("link", name=name).click()
    opened.value.wait_for_load_state()
    return opened.value


@pytest.fixture(scope="module")
def run(logged_in: Browser, api: AirflowApi) -> str:
    """A run that waited for a job and exported."""
    return trigger(logged_in, api, "talkifai_wait_and_export")


def test_a_triggered_dag_succeeds(ui: Browser, run: str) -> None:
    ui.open(run)
    for task in ("choose_job", "wait", "export"):
        expect(ui.page.get_by_role("link", name=task).first).to_be_visible()
    ui.picture("dag-run")


def test_the_link_of_an_export_leads_to_what_was_published(ui: Browser, run: str) -> None:
    ui.open(f"{run}/tasks/export/details")
    expect(ui.page.get_by_role("link", name="Published export")).to_be_visible()
    ui.picture("task-links")
    page = follow(ui, "Published export")
    page.get_by_role("link", name="_MANIFEST.json").click()
    manifest = json.loads(page.inner_text("body"))
    assert (manifest["dag_id"], manifest["task_id"]) == ("talkifai_wait_and_export", "export")
    assert run.endswith(manifest["run_id"])
    assert set(manifest["status_counts"]) == {"completed"}
    page.close()


def test_the_link_of_a_wait_leads_to_the_batch_at_the_vendor(ui: Browser, stack: Layout, run: str) -> None:
    ui.open(f"{run}/tasks/wait/details")
    page = follow(ui, "Batch at the vendor")
    assert page.url.startswith(f"{stack.sandbox_url}/batch-calls/batch_")
    expect(page.get_by_role("cell", name="completed", exact=True)).to_be_visible()
    page.close()


def test_each_mapped_export_has_a_link_of_its_own(ui: Browser, api: AirflowApi) -> None:
    run = trigger(ui, api, "playment_project_jobs")
    folders = set()
    for index in (0, 1):
        ui.open(f"{run}/tasks/export/mapped/{index}/details")
        page = follow(ui, "Published export")
        folders.add(page.url)
        expect(page.get_by_role("link", name="_MANIFEST.json")).to_be_visible()
        page.close()
    assert len(folders) == 2
