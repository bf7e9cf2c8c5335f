"""The operators that find finished batches: those without an export of this very state, oldest first."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import BaseOperator, ObjectStoragePath

from airflow_batch_provider.exceptions import InvalidParameterError, TransientError
from airflow_batch_provider.export import verify_export
from airflow_batch_provider.hooks.llamacloud import LlamaCloudHook
from airflow_batch_provider.hooks.playment import PlaymentHook
from airflow_batch_provider.hooks.talkifai import TalkifAIHook
from airflow_batch_provider.operators.finished import FinishedBatchesOperator, finished_batches
from airflow_batch_provider.operators.llamacloud import (
    LlamaCloudExportBatchProcessingResultsOperator,
    LlamaCloudExportBatchResultsOperator,
    LlamaCloudFinishedBatchesOperator,
    LlamaCloudFinishedBatchProcessingJobsOperator,
)
from airflow_batch_provider.operators.playment import (
    PlaymentExportBatchJobsOperator,
    PlaymentExportJobResultsOperator,
    PlaymentFinishedBatchesOperator,
)
from airflow_batch_provider.operators.talkifai import (
    TalkifAIExportContactsOperator,
    TalkifAIFinishedBatchJobsOperator,
)
from airflow_batch_provider.sandbox import Settings
from airflow_batch_provider.testing import no_backoff, sandbox
from airflow_batch_provider.vendors import playment
from tests.projects import Project, project

FINDERS: dict[str, tuple[type[FinishedBatchesOperator], type[BaseOperator], str, Any]] = {
    "playment": (
        PlaymentFinishedBatchesOperator,
        PlaymentExportJobResultsOperator,
        "batch_id",
        lambda: [batch for batch in PlaymentHook().iter_batches() if batch["status"] == "Complete"],
    ),
    "llamacloud": (
        LlamaCloudFinishedBatchesOperator,
        LlamaCloudExportBatchResultsOperator,
        "batch_id",
        lambda: LlamaCloudHook().iter_batches(status="COMPLETED"),
    ),
    "processing": (
        LlamaCloudFinishedBatchProcessingJobsOperator,
        LlamaCloudExportBatchProcessingResultsOperator,
        "job_id",
        lambda: LlamaCloudHook().iter_batch_processing_jobs(status="completed"),
    ),
    "talkifai": (
        TalkifAIFinishedBatchJobsOperator,
        TalkifAIExportContactsOperator,
        "batch_job_id",
        lambda: TalkifAIHook().iter_batch_jobs(status="completed"),
    ),
}
"""For each finder: what exports what it finds, the name of the id, and the vendor's own finished batches."""

EACH = pytest.mark.parametrize("name", FINDERS)


def find(name: str, exports: Path, **parameters: Any) -> list[dict[str, str]]:
    finder = FINDERS[name][0]
    return finder(**{"task_id": "find", "exports": exports.as_uri(), **parameters}).execute({})


@EACH
def test_every_finished_batch_is_found_until_it_is_exported(name: str, tmp_path: Path) -> None:
    _, exporter, field, finished = FINDERS[name]
    with sandbox(Settings(jobs=6, files=3, duration=0)), no_backoff():
        expected = {batch["id"] for batch in finished()}
        found = find(name, tmp_path)
        assert {batch[field] for batch in found} == expected
        assert len(found) == len(expected) > 1
        for batch in found:
            assert set(batch) == {field, "destination"}
            exporter(task_id="export", if_exists="refresh", **batch).execute({})  # type: ignore[attr-defined]
            assert verify_export(batch["destination"]).params[field] == batch[field]
        assert find(name, tmp_path) == []


@EACH
def test_the_oldest_comes_first(name: str, tmp_path: Path) -> None:
    _, _, field, finished = FINDERS[name]
    with sandbox(Settings(jobs=12, duration=0)), no_backoff():
        created = {batch["id"]: str(batch.get("created_at") or batch.get("createdAt")) for batch in finished()}
        order = [created[batch[field]] for batch in find(name, tmp_path)]
        assert order == sorted(order)
        assert len(set(order)) > 1


@EACH
def test_a_batch_that_is_not_finished_is_found_once_it_is(name: str, tmp_path: Path) -> None:
    with sandbox(Settings(jobs=12, duration=3_000_000)), no_backoff():
        before = find(name, tmp_path)
    with sandbox(Settings(jobs=12, duration=0)), no_backoff():
        assert len(find(name, tmp_path)) > len(before)


@EACH
def test_everything_that_a_finder_takes_is_a_template(name: str) -> None:
    finder = FINDERS[name][0]
    listed = {"exports", "exports_conn_id", "finished_outcomes", "limit", finder.hook_class.conn_name_attr}
    assert {*listed, *finder.filters} == set(finder.template_fields)


@EACH
@pytest.mark.parametrize(
    ("parameter", "value", "allowed"),
    [
        ("limit", 0, "a whole number from 1 up"),
        ("limit", "many", "a whole number from 1 up"),
        ("finished_outcomes", "running", "one of 'succeeded', 'failed', 'cancelled'"),
        ("finished_outcomes", ["succeeded", "done"], "one of 'succeeded'"),
        ("finished_outcomes", [], "one of 'succeeded'"),
    ],
)
def test_a_value_that_is_not_allowed_is_refused(
    name: str, parameter: str, value: object, allowed: str, tmp_path: Path
) -> None:
    with pytest.raises(InvalidParameterError, match=f"{parameter}=.* is not allowed; allowed is {allowed}"):
        find(name, tmp_path, **{parameter: value})


# What a listing can be asked for.


def test_the_filters_are_those_of_the_listing(tmp_path: Path) -> None:
    with sandbox(Settings(jobs=40, duration=0)), no_backoff():
        batches = list(LlamaCloudHook().iter_batches(status="COMPLETED"))
        directory = batches[0]["source_directory_id"]
        found = find("llamacloud", tmp_path, source_directory_id=directory)
        assert {batch["batch_id"] for batch in found} == {
            batch["id"] for batch in batches if batch["source_directory_id"] == directory
        }
        assert find("llamacloud", tmp_path, created_at_on_or_after=datetime(2999, 1, 1, tzinfo=UTC)) == []
        types = {job["job_type"] for job in LlamaCloudHook().iter_batch_processing_jobs(status="completed")}
        found = [batch for kind in types for batch in find("processing", tmp_path, job_type=kind)]
        assert len(found) == len(find("processing", tmp_path))


def test_other_ends_than_success_are_found_if_they_are_asked_for(tmp_path: Path) -> None:
    with sandbox(Settings(jobs=40, duration=0)), no_backoff():
        ends = {
            end: {batch["batch_id"] for batch in find("llamacloud", tmp_path, finished_outcomes=end)}
            for end in ("succeeded", "failed", "cancelled", "succeeded, failed")
        }
    assert ends["failed"]
    assert ends["succeeded, failed"] == ends["succeeded"] | ends["failed"]


# Batches that a test changes.


@pytest.fixture
def world() -> Iterator[Project]:
    with project() as made:
        yield made


def export(batch: dict[str, str], **parameters: Any) -> dict[str, Any]:
    return PlaymentExportBatchJobsOperator(task_id="export", **{"if_exists": "refresh", **batch, **parameters}).execute(
        {}
    )


def ids(found: list[dict[str, str]]) -> list[str]:
    return [batch["batch_id"] for batch in found]


def test_a_batch_that_is_opened_again_is_found_again_once_it_is_finished(world: Project, tmp_path: Path) -> None:
    world.put("a", 2)
    world.put("b", 1)
    for batch in find("playment", tmp_path):
        export(batch)
    world.put("a", 3, done=False)
    assert find("playment", tmp_path) == []
    world.put("a", 3)
    (again,) = find("playment", tmp_path)
    assert (again["batch_id"], export(again)["rows"]) == ("a", 3)
    assert find("playment", tmp_path) == []
    assert world.exported == ["a", "b", "a"]


def test_the_default_batch_is_never_finished(world: Project, tmp_path: Path) -> None:
    world.put("default", 7, is_default=True)
    world.put("a", 1)
    assert ids(find("playment", tmp_path)) == ["a"]


def test_at_most_so_many_are_found_and_the_log_says_how_many_wait(
    world: Project, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(5):
        world.put(f"b{number}", 1)
    assert ids(find("playment", tmp_path, limit="2")) == ["b0", "b1"]
    assert "3 more finished batches wait for the next run; limit is 2" in caplog.text
    for batch in find("playment", tmp_path, limit=2):
        export(batch)
    assert ids(find("playment", tmp_path, limit=2)) == ["b2", "b3"]


def test_an_export_that_failed_stays_to_be_found(world: Project, tmp_path: Path) -> None:
    world.put("a", 1)
    (batch,) = find("playment", tmp_path)
    with pytest.raises(InvalidParameterError):
        export(batch, file_format="odd")
    assert find("playment", tmp_path) == [batch]


def test_two_runs_at_once_export_a_state_whole_and_the_next_one_finds_nothing(world: Project, tmp_path: Path) -> None:
    for number in range(4):
        world.put(f"b{number}", number)
    found = [find("playment", tmp_path) for _ in range(2)]
    assert found[0] == found[1]

    def run(batches: list[dict[str, str]]) -> None:
        for batch in batches:
            export(batch)

    runs = [threading.Thread(target=run, args=(batches,)) for batches in found]
    for thread in runs:
        thread.start()
    for thread in runs:
        thread.join()
    assert [verify_export(batch["destination"]).rows for batch in found[0]] == [0, 1, 2, 3]
    assert find("playment", tmp_path) == []


def test_an_id_that_is_no_name_of_a_folder_is_exported_all_the_same(world: Project, tmp_path: Path) -> None:
    for batch_id in ("B1", "b1", "_staging"):
        world.put(batch_id, 1)
    found = find("playment", tmp_path)
    assert ids(found) == ["B1", "b1", "_staging"]
    for batch in found:
        export(batch)
    assert len({batch["destination"].lower() for batch in found}) == 3
    assert find("playment", tmp_path) == []


@pytest.mark.parametrize("batch_id", ["a\u202eb", "..", "x\ud800", "k" * 3000])
def test_an_id_that_cannot_be_passed_on_hides_no_other(batch_id: str, world: Project, tmp_path: Path) -> None:
    world.put(batch_id, 1)
    world.put("a", 1)
    assert ids(find("playment", tmp_path)) == ["a"]


def test_a_path_object_is_taken_as_the_folder(world: Project, tmp_path: Path) -> None:
    world.put("a", 1)
    exports = ObjectStoragePath(tmp_path.as_uri())
    found = PlaymentFinishedBatchesOperator(task_id="find", exports=exports).execute({})
    assert found == [{"batch_id": "a", "destination": f"{tmp_path.as_uri()}/a"}]


def test_there_is_a_function_for_taskflow(world: Project, tmp_path: Path) -> None:
    world.put("a", 1)
    found = finished_batches(PlaymentHook(), playment.BATCH_KIND, tmp_path.as_uri(), limit=5, project_id="p")
    assert found == find("playment", tmp_path)
    with pytest.raises(TypeError, match="has no parameter batch_id"):
        finished_batches(PlaymentHook(), playment.BATCH_KIND, tmp_path.as_uri(), batch_id="x")


def test_a_vendor_that_does_not_answer_fails_the_task(world: Project, tmp_path: Path) -> None:
    assert world.server
    world.server.end()
    with pytest.raises(TransientError):
        find("playment", tmp_path)
