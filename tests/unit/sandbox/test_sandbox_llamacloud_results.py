"""LlamaCloud v2: batch, directory file and job belong together; every kind of item occurs."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_batch_provider.sandbox import documents
from airflow_batch_provider.sandbox.content import loads
from airflow_batch_provider.sandbox.llamacloud import ERROR
from airflow_batch_provider.sandbox.llamacloud_directories import ADDED_LATER, DELETED, EVERY, GONE, display_name

V2, PARSE, EXTRACT = "api/v2/batches", "api/v2/parse", "api/v2/extract"
DIRECTORY = "api/v1/beta/directories/{}/files"


def completed(caller: Any, product: str) -> list[dict[str, Any]]:
    """Return the completed batches of a product with their results."""
    batches = caller.data("llamacloud", V2, page_size=100, status="COMPLETED")["items"]
    return [
        caller.data("llamacloud", f"{V2}/{batch['id']}", expand="results")
        for batch in batches
        if batch["config"]["job"]["type"] == product
    ]


def jobs_of(caller: Any, product: str) -> list[str]:
    """Return the jobs of a large completed batch."""
    batch = max(completed(caller, product), key=lambda batch: len(batch["results"]))
    return [result["job_reference"]["id"] for result in batch["results"] if result["job_reference"]]


def job_of(caller: Any, kind: str, product: str = "parse_v2") -> str:
    return next(job for job in jobs_of(caller, product) if documents.kind_of(job) == kind)


def pages(caller: Any, path: str, size: int, **parameters: Any) -> list[list[dict[str, Any]]]:
    found: list[list[dict[str, Any]]] = []
    token = None
    while True:
        page = caller.data("llamacloud", path, page_size=size, page_token=token, **parameters)
        found.append(page["items"])
        if not (token := page.get("next_page_token")):
            return found


def walk(caller: Any, path: str, **parameters: Any) -> list[dict[str, Any]]:
    return [row for page in pages(caller, path, 100, **parameters) for row in page]


def raw(caller: Any, path: str, **parameters: Any) -> Any:
    return loads(caller.get("llamacloud", path, **parameters).content)


def test_results_refer_to_the_files_of_the_directory(caller: Any) -> None:
    sizes = set()
    for batch in completed(caller, "parse_v2")[:8]:
        path, sizes = DIRECTORY.format(batch["source_directory_id"]), sizes | {len(batch["results"])}
        if caller.get("llamacloud", path).status_code == 404:
            continue
        files = {file["id"] for file in walk(caller, path, include_deleted="true")}
        mapped = [result["source_directory_file_id"] for result in batch["results"]]
        assert len(mapped) == len(set(mapped))
        assert set(mapped) <= files
    assert len(sizes) > 4
    assert max(sizes) <= 40


def test_a_directory_lists_its_files_without_deleted_ones(caller: Any) -> None:
    batch = completed(caller, "parse_v2")[0]
    path = DIRECTORY.format(batch["source_directory_id"])
    everything = walk(caller, path, include_deleted="true")
    assert len(everything) == 40 + ADDED_LATER
    assert walk(caller, path) == [file for file in everything if not file["deleted_at"]]
    assert [n for n, file in enumerate(everything) if file["deleted_at"]] == [DELETED, DELETED + EVERY]
    assert [file["display_name"] for file in everything] == [display_name(n) for n in range(len(everything))]
    assert len({file["unique_id"] for file in everything}) == len(everything)
    assert list(everything[0]) == [
        *("id", "directory_id", "display_name", "project_id", "unique_id", "file_id", "metadata"),
        *("created_at", "updated_at", "deleted_at", "download_url"),
    ]
    assert [len(page) for page in pages(caller, path, 30, include_deleted="true")] == [30, 12]


@pytest.mark.parametrize("name", ["unique_id", "file_id", "display_name"])
def test_directory_files_are_filtered_by_what_identifies_them(caller: Any, name: str) -> None:
    path = DIRECTORY.format(completed(caller, "parse_v2")[0]["source_directory_id"])
    everything = walk(caller, path)
    for file in everything:
        assert walk(caller, path, **{name: file[name]}) == [f for f in everything if f[name] == file[name]]


def test_directory_files_are_filtered_by_time_and_by_part_of_their_name(caller: Any) -> None:
    path = DIRECTORY.format(completed(caller, "parse_v2")[0]["source_directory_id"])
    everything = walk(caller, path)
    span = {
        "updated_at_on_or_after": everything[2]["updated_at"],
        "updated_at_on_or_before": everything[5]["updated_at"],
    }
    assert walk(caller, path, **span) == everything[2:6]
    assert walk(caller, path, display_name_contains="東") == [f for f in everything if "東" in f["display_name"]] != []


def test_a_directory_file_can_be_downloaded(caller: Any) -> None:
    path = DIRECTORY.format(completed(caller, "parse_v2")[0]["source_directory_id"])
    file = walk(caller, path, expand="download_url")[0]
    assert caller.session.get(file["download_url"]["url"]).content.startswith(b"%PDF-1.7\n% dfl-")
    assert caller.data("llamacloud", f"{path}/{file['id']}") == {**file, "download_url": None}
    assert caller.get("llamacloud", f"{path}/dfl-x").status_code == 404


def test_one_directory_is_gone_and_its_batches_stay(caller: Any) -> None:
    batches = caller.data("llamacloud", V2, page_size=100)["items"]
    missing = {
        batch["source_directory_id"]
        for batch in batches
        if caller.get("llamacloud", DIRECTORY.format(batch["source_directory_id"])).status_code == 404
    }
    assert missing == {batches[GONE]["source_directory_id"]}


def test_a_file_without_a_job_has_a_message(caller: Any) -> None:
    lost = [r for batch in completed(caller, "parse_v2") for r in batch["results"] if not r["job_reference"]]
    assert {result["error_message"] for result in lost} == {ERROR}


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        *(("plain", "COMPLETED"), ("failed", "FAILED"), ("failed_pages", "COMPLETED")),
        *(("cancelled", "CANCELLED"), ("large", "COMPLETED"), ("late", "COMPLETED"), ("expired", None)),
    ],
)
@pytest.mark.parametrize("product", ["parse_v2", "extract_v2"])
def test_every_kind_of_job_occurs(caller: Any, kind: str, status: str | None, product: str) -> None:
    job, path = job_of(caller, kind, product), PARSE if product == "parse_v2" else EXTRACT
    response = caller.get("llamacloud", f"{path}/{job}")
    assert response.status_code == (200 if status else 404)
    listed = walk(caller, path, job_ids=[job])
    if status:
        described = response.json()["job"] if product == "parse_v2" else response.json()
        assert (described["id"], described["status"]) == (job, status)
        assert (described["error_message"] is None) == (status != "FAILED")
        assert [row["id"] for row in listed] == [job]
        assert product != "parse_v2" or listed == [described]
    else:
        assert listed == []


def test_a_late_job_runs_on_after_its_batch(start: Any, clock: Any) -> None:
    caller = start(clock, jobs=60, duration=10, late=3)
    clock.now += 10
    statuses = {row["id"]: row["status"] for row in walk(caller, PARSE) if documents.kind_of(row["id"]) == "late"}
    assert set(statuses.values()) == {"RUNNING", "COMPLETED", "CANCELLED"}
    job = next(job for job, status in statuses.items() if status == "RUNNING")
    assert "markdown_full" not in caller.data("llamacloud", f"{PARSE}/{job}", expand="markdown_full")
    clock.now += 3
    body = caller.data("llamacloud", f"{PARSE}/{job}", expand="markdown_full")
    assert body["markdown_full"] == documents.markdown_of(job)
    assert {row["status"] for row in walk(caller, PARSE)} == {"COMPLETED", "FAILED", "CANCELLED"}


@pytest.mark.parametrize("name", documents.INLINE)
@pytest.mark.parametrize("kind", ["plain", "failed_pages"])
def test_expand_puts_pages_into_a_parse_job(caller: Any, name: str, kind: str) -> None:
    job = job_of(caller, kind)
    body = caller.data("llamacloud", f"{PARSE}/{job}", expand=[name, "job_metadata"])
    assert list(body) == ["job", name, "job_metadata"]
    assert body[name] == documents.inline_of(job, name)
    failed = [page for page in body[name]["pages"] if page.get("success") is False]
    assert len(failed) == (kind == "failed_pages" and name not in ("text", "metadata"))


def test_expand_puts_the_whole_document_and_the_usage_into_a_parse_job(caller: Any) -> None:
    job = job_of(caller, "failed_pages")
    body = caller.data("llamacloud", f"{PARSE}/{job}", expand=["markdown_full", "text_full", "usage"])
    assert (body["markdown_full"], body["text_full"]) == (documents.markdown_of(job), documents.text_of(job))
    assert body["job"]["usage"] == {"credits": 3.0}
    assert documents.markdown_of(job).count("# Report") == 2


def test_files_of_a_parse_job_are_described_and_served(caller: Any) -> None:
    names = ["markdown", "text", "items", "metadata", "forms", "raw_words", "xlsx", "output_pdf", "markdown_full"]
    found = {}
    for job in jobs_of(caller, "parse_v2"):
        if documents.kind_of(job) in ("plain", "large"):
            body = caller.data("llamacloud", f"{PARSE}/{job}", expand=[f"{n}_content_metadata" for n in names])
            for name, (key, file) in zip(names, sorted_as(names, body["result_content_metadata"]), strict=True):
                content = documents.file_of(job, name, 1_000_000)
                assert file["exists"] == (content is not None) == (file["presigned_url"] is not None)
                if content:
                    response = caller.session.get(file["presigned_url"])
                    assert response.content == b"".join(content.read())
                    assert file["size_bytes"] == content.size == len(response.content)
                found.setdefault(key, set()).add(file["exists"])
    assert found["xlsx"] == found["outputPDF"] == {True, False}
    assert found["markdown"] == {True}


def sorted_as(names: list[str], found: dict[str, Any]) -> list[tuple[str, Any]]:
    keys = {"raw_words": "rawWords", "output_pdf": "outputPDF"}
    return [(keys.get(name, name), found[keys.get(name, name)]) for name in names]


def test_images_of_a_parse_job_are_described_and_served(caller: Any) -> None:
    counts = set()
    for job in jobs_of(caller, "parse_v2"):
        if documents.kind_of(job) == "plain":
            images = caller.data("llamacloud", f"{PARSE}/{job}", expand="images_content_metadata")
            described = images["images_content_metadata"]
            assert described["total_count"] == len(described["images"])
            assert [image["filename"] for image in described["images"]] == documents.image_names(job)
            for image in described["images"]:
                response = caller.session.get(image["presigned_url"])
                assert response.content == documents.image_of(job, image["filename"])
                assert image["size_bytes"] is None
            counts.add(described["total_count"])
            if described["images"]:
                one = caller.data(
                    "llamacloud", f"{PARSE}/{job}", expand="images_content_metadata", image_filenames="image_0.png"
                )
                assert len(one["images_content_metadata"]["images"]) == 1
    assert counts == {0, 2}


def test_many_jobs_are_read_in_pages(caller: Any) -> None:
    jobs = jobs_of(caller, "parse_v2")
    there = [job for job in jobs if documents.kind_of(job) != "expired"]
    found = pages(caller, PARSE, 15, job_ids=["pjb-x", *jobs, jobs[0]])
    assert [row["id"] for page in found for row in page] == there
    assert [len(page) for page in found] == [15] * (len(there) // 15) + [len(there) % 15]
    failed = walk(caller, PARSE, job_ids=jobs, status="FAILED")
    assert [row["id"] for row in failed] == [job for job in jobs if documents.kind_of(job) == "failed"]


@pytest.mark.parametrize("path", [PARSE, EXTRACT])
def test_jobs_are_listed_without_ids(caller: Any, path: str) -> None:
    product = "parse_v2" if path == PARSE else "extract_v2"
    rows = walk(caller, path)
    ids = {row["id"] for row in rows}
    assert len(ids) == len(rows)
    expected = {
        result["job_reference"]["id"]
        for batch in completed(caller, product)
        for result in batch["results"]
        if result["job_reference"] and documents.kind_of(result["job_reference"]["id"]) != "expired"
    }
    assert expected <= ids
    assert {row["status"] for row in rows} == {"RUNNING", "COMPLETED", "FAILED", "CANCELLED"}
    for status in ("RUNNING", "FAILED", "PENDING"):
        assert walk(caller, path, status=status) == [row for row in rows if row["status"] == status]
    late, early = rows[30]["created_at"], rows[90]["created_at"]
    span = {"created_at_on_or_after": early, "created_at_on_or_before": late}
    assert walk(caller, path, **span) == [row for row in rows if early <= row["created_at"] <= late] != []


def test_an_extract_job_has_exact_numbers(caller: Any) -> None:
    shapes = set()
    for batch in completed(caller, "extract_v2"):
        jobs = [r["job_reference"]["id"] for r in batch["results"] if r["job_reference"]]
        for job in [job for job in jobs if documents.kind_of(job) == "plain"][:2]:
            body = raw(caller, f"{EXTRACT}/{job}")
            assert body["extract_result"] == documents.extract_of(job)
            assert body["extract_metadata"] is None
            shapes.add(type(body["extract_result"]))
            text = caller.get("llamacloud", f"{EXTRACT}/{job}").text
            assert '"account":9007199254740993,' in text
            assert '"rate":0.12345678901234567890,' in text
    assert shapes == {dict, list}


def test_extract_metadata_and_usage_come_with_expand(caller: Any) -> None:
    job = job_of(caller, "plain", "extract_v2")
    body = raw(caller, f"{EXTRACT}/{job}", expand=["extract_metadata", "usage", "configuration"])
    assert body["extract_metadata"] == loads(documents.dumps(documents.extract_metadata_of(job)))
    assert body["configuration"]["extraction_target"] == documents.target_of(job)
    assert body["usage"]["credits"] == 5


def test_a_listed_extract_job_may_lack_its_result(caller: Any) -> None:
    jobs = [job_of(caller, kind, "extract_v2") for kind in ("plain", "unlisted")]
    listed = raw(caller, EXTRACT, job_ids=jobs)["items"]
    assert [row["extract_result"] is None for row in listed] == [False, True]
    assert raw(caller, f"{EXTRACT}/{jobs[1]}")["extract_result"] == documents.extract_of(jobs[1])


@pytest.mark.parametrize(
    ("path", "name", "value"),
    [
        (f"{PARSE}/pjb-x", "expand", "everything"),
        (f"{EXTRACT}/ext-x", "expand", "markdown"),
        *((path, "status", "completed") for path in (PARSE, EXTRACT)),
        *((path, "page_size", "101") for path in (PARSE, EXTRACT, DIRECTORY.format("dir-x"))),
        *((path, "page_token", "x") for path in (PARSE, EXTRACT, DIRECTORY.format("dir-x"))),
        (DIRECTORY.format("dir-x"), "include_deleted", "maybe"),
    ],
)
def test_a_wrong_parameter_is_422_and_named(caller: Any, path: str, name: str, value: str) -> None:
    response = caller.get("llamacloud", path, **{name: value})
    assert (response.status_code, response.json()["detail"][0]["loc"]) == (422, ["query", name])


@pytest.mark.parametrize("path", [PARSE, f"{PARSE}/pjb-x", EXTRACT, f"{EXTRACT}/x", DIRECTORY.format("dir-x")])
def test_a_missing_key_is_401(caller: Any, path: str) -> None:
    assert caller.get("llamacloud", path, {}).status_code == 401
