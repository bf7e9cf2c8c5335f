"""LlamaCloud v1 beta: items add up to the counters of their job; results come from v1, v2, or nowhere."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_batch_provider.sandbox import documents
from airflow_batch_provider.sandbox.llamacloud_items import ITEM_STATUSES, MOST_ITEMS

V1, PARSING = "api/v1/beta/batch-processing", "api/v1/parsing/job"


def jobs(caller: Any, **parameters: Any) -> list[dict[str, Any]]:
    return caller.data("llamacloud", V1, limit=1000, **parameters)["items"]


def items_of(caller: Any, job_id: str, **parameters: Any) -> list[dict[str, Any]]:
    path, found = f"{V1}/{job_id}/items", []
    while page := caller.data("llamacloud", path, limit=60, offset=len(found), **parameters)["items"]:
        found += page
    return found


def parsed(caller: Any) -> list[dict[str, Any]]:
    """Return the completed items of a completed parse job that has many, and its pages with failures."""
    many = [job for job in jobs(caller, job_type="parse", status="completed") if 40 < job["total_items"] < MOST_ITEMS]
    return items_of(caller, many[0]["id"], status="completed")


def job_of(caller: Any, wanted: Any) -> str:
    return next(item["job_id"] for item in parsed(caller) if wanted(item["job_id"]))


def test_items_add_up_to_the_counters_at_every_moment(start: Any, clock: Any) -> None:
    caller = start(clock, jobs=60, duration=100)
    seen = set()
    for seconds in (0, 35, 65):
        clock.now += seconds
        for job in jobs(caller):
            if job["total_items"] > MOST_ITEMS:
                continue
            items = items_of(caller, job["id"])
            words = [item["status"] for item in items]
            assert len({item["item_id"] for item in items}) == len(items) == job["total_items"]
            assert (words.count("failed"), words.count("skipped")) == (job["failed_items"], job["skipped_items"])
            done = words.count("completed") + words.count("failed") + words.count("skipped")
            assert done == job["processed_items"]
            seen |= set(words)
    assert seen == set(ITEM_STATUSES)


def test_items_have_the_documented_shape(caller: Any) -> None:
    found: dict[str, dict[str, Any]] = {}
    for job in jobs(caller)[:60]:
        for item in caller.data("llamacloud", f"{V1}/{job['id']}/items", limit=20)["items"]:
            found[item["status"]] = item
            for name in ("started_at", "completed_at"):
                assert item[name] is None or job["started_at"] <= item[name] <= job["updated_at"]
    assert list(found["completed"]) == [
        *("item_id", "item_name", "status", "completed_at", "effective_at", "error_message", "job_id"),
        *("job_record_id", "skip_reason", "started_at"),
    ]
    assert found["completed"]["job_id"]
    assert found["failed"]["error_message"]
    assert (found["skipped"]["skip_reason"], found["skipped"]["job_id"]) == ("already_processed", None)


@pytest.mark.parametrize("status", ITEM_STATUSES)
def test_items_are_filtered_by_status(caller: Any, status: str) -> None:
    for job in jobs(caller)[:20]:
        if job["total_items"] < MOST_ITEMS:
            everything = items_of(caller, job["id"])
            assert items_of(caller, job["id"], status=status) == [i for i in everything if i["status"] == status]


def test_a_job_that_claims_too_many_items_lists_the_first(caller: Any) -> None:
    huge = max(jobs(caller), key=lambda job: job["total_items"])
    assert huge["total_items"] == 2**53 + 1
    assert len(items_of(caller, huge["id"])) == MOST_ITEMS


def test_an_item_has_several_runs_of_which_one_is_of_the_job(caller: Any) -> None:
    job = next(job for job in jobs(caller, job_type="parse", status="completed") if 40 < job["total_items"] < 1000)
    item = items_of(caller, job["id"], status="completed")[0]
    path = f"{V1}/items/{item['item_id']}/processing-results"
    body = caller.data("llamacloud", path)
    assert (body["item_id"], body["item_name"]) == (item["item_id"], item["item_name"])
    runs = body["processing_results"]
    assert [run["job_type"] for run in runs] == ["parse", "parse", "classify"]
    span = job["started_at"], job["completed_at"]
    inside = [run for run in runs if run["job_type"] == "parse" and span[0] <= run["processed_at"] <= span[1]]
    assert inside == [runs[1]]
    assert caller.data("llamacloud", path, job_type="classify")["processing_results"] == [runs[2]]
    assert list(runs[0]) == [
        *("result_id", "item_id", "job_type", "job_config", "parameters_hash", "output_s3_path"),
        *("output_metadata", "processed_at"),
    ]


@pytest.mark.parametrize(("status", "runs"), [("skipped", 1), ("failed", 0)])
def test_an_item_without_a_run_of_the_job_may_have_older_ones(caller: Any, status: str, runs: int) -> None:
    items = [item for job in jobs(caller, status="completed") for item in items_of(caller, job["id"], status=status)]
    path = f"{V1}/items/{items[0]['item_id']}/processing-results"
    assert len(caller.data("llamacloud", path)["processing_results"]) == runs


@pytest.mark.parametrize("kind", ["plain", "failed_pages"])
def test_the_old_parse_api_has_the_results(caller: Any, kind: str) -> None:
    job = job_of(caller, lambda job_id: documents.kind_of(job_id) == kind)
    path = f"{PARSING}/{job}"
    status = "PARTIAL_SUCCESS" if kind == "failed_pages" else "SUCCESS"
    assert caller.data("llamacloud", path)["status"] == status
    assert caller.data("llamacloud", f"{path}/result/markdown")["markdown"] == documents.markdown_of(job)
    assert caller.data("llamacloud", f"{path}/result/text")["text"] == documents.text_of(job)
    body = caller.data("llamacloud", f"{path}/result/json")
    assert body["pages"] == documents.v1_pages_of(job)
    assert body["job_metadata"]["job_pages"] == len(documents.page_numbers(job))


def test_the_old_parse_api_has_files_of_some(caller: Any) -> None:
    job = job_of(caller, documents.has_files)
    for kind, name in (("xlsx", "xlsx"), ("pdf", "output_pdf")):
        response = caller.get("llamacloud", f"{PARSING}/{job}/result/{kind}")
        content = documents.file_of(job, name)
        assert content is not None
        assert (response.content, response.headers["Content-Type"]) == (b"".join(content.read()), content.media_type)
    for name in documents.image_names(job):
        response = caller.get("llamacloud", f"{PARSING}/{job}/result/image/{name}")
        assert response.content == documents.image_of(job, name)
    without = job_of(caller, lambda job_id: not documents.has_files(job_id) and documents.kind_of(job_id) == "plain")
    for name in ("xlsx", "pdf", "image/image_0.png"):
        assert caller.get("llamacloud", f"{PARSING}/{without}/result/{name}").status_code == 404


def test_the_result_of_an_item_may_be_gone(caller: Any) -> None:
    job = job_of(caller, lambda job_id: documents.kind_of(job_id) == "expired")
    for path in (f"{PARSING}/{job}", f"{PARSING}/{job}/result/markdown", f"api/v2/parse/{job}"):
        assert caller.get("llamacloud", path).status_code == 404


@pytest.mark.parametrize(("setting", "statuses"), [("v1", (200, 404)), ("v2", (404, 200)), ("neither", (404, 404))])
def test_one_api_or_none_has_the_results(start: Any, setting: str, statuses: tuple[int, int]) -> None:
    caller = start(jobs=60, v1_results=setting)
    job = job_of(caller, lambda job_id: documents.kind_of(job_id) == "plain")
    answers = [
        caller.get("llamacloud", f"{PARSING}/{job}/result/markdown"),
        caller.get("llamacloud", f"api/v2/parse/{job}", expand="markdown_full"),
    ]
    assert tuple(answer.status_code for answer in answers) == statuses
    if setting == "v2":
        body = answers[1].json()
        assert (body["job"]["id"], body["markdown_full"]) == (job, documents.markdown_of(job))


@pytest.mark.parametrize(
    ("path", "status"),
    [
        (f"{V1}/bjb-x/items", 404),
        (f"{V1}/items/itm-x/processing-results", 404),
        (f"{V1}/bjb-x/items?limit=1001", 422),
        (f"{V1}/bjb-x/items?status=running", 422),
        (f"{V1}/items/itm-x/processing-results?job_type=split", 422),
        (f"{PARSING}/11111111-2222-4333-8444-000000000001", 404),
    ],
)
def test_errors(caller: Any, path: str, status: int) -> None:
    assert caller.get("llamacloud", path).status_code == status
    assert caller.get("llamacloud", path, {}).status_code == 401
