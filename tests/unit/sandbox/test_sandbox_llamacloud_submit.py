"""LlamaCloud takes writes: directories, files, configurations, batches, and what becomes of them."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest

DIRECTORIES, BATCHES, V1 = "api/v1/beta/directories", "api/v2/batches", "api/v1/beta/batch-processing"
CONFIGURATIONS, FILES = "api/v1/beta/configurations", "api/v1/beta/files"
LC = "llamacloud"


def directory(caller: Any, name: str = "mine", **fields: Any) -> str:
    return str(caller.written(LC, DIRECTORIES, json={"name": name, **fields})["id"])


def upload(caller: Any, directory_id: str, name: str, content: bytes = b"content", **fields: str) -> Any:
    return caller.written(
        LC, f"{DIRECTORIES}/{directory_id}/files/upload", files={"upload_file": (name, content)}, data=fields
    )


def batch(caller: Any, directory_id: str, product: str = "parse_v2", configuration: str = "cfg-PARSE_AGENTIC") -> Any:
    job = {"type": product, "configuration_id": configuration}
    return caller.written(LC, BATCHES, json={"source_directory_id": directory_id, "config": {"job": job}})


def extract_configuration(caller: Any, **parameters: Any) -> str:
    parameters = {"product_type": "extract_v2", "data_schema": {"type": "object"}, **parameters}
    return str(caller.written(LC, CONFIGURATIONS, json={"name": "x", "parameters": parameters})["id"])


def test_a_directory_is_found_by_its_name_until_it_is_deleted(start: Any) -> None:
    caller = start()
    made = caller.written(LC, DIRECTORIES, json={"name": "mine", "type": "ephemeral"})
    assert (made["name"], made["type"], made["deleted_at"]) == ("mine", "ephemeral", None)
    assert caller.data(LC, DIRECTORIES, name="mine")["items"] == [made]
    assert caller.data(LC, DIRECTORIES, name="min")["items"] == []
    assert caller.data(LC, f"{DIRECTORIES}/{made['id']}") == made
    assert caller.send("DELETE", LC, f"{DIRECTORIES}/{made['id']}").status_code == 204
    assert caller.get(LC, f"{DIRECTORIES}/{made['id']}").status_code == 404
    assert caller.data(LC, DIRECTORIES, name="mine")["items"] == []
    (deleted,) = caller.data(LC, DIRECTORIES, name="mine", include_deleted="true")["items"]
    assert deleted["deleted_at"]
    directory(caller)


def test_directories_are_listed_newest_first_and_whole(start: Any) -> None:
    caller = start()
    made = [directory(caller, f"d{n}") for n in range(5)]
    listed, token = [], ""
    while token is not None:
        page = caller.data(LC, DIRECTORIES, page_size=2, page_token=token)
        listed += [row["id"] for row in page["items"]]
        token = page.get("next_page_token")
        directory(caller, f"meanwhile {len(listed)}")
    assert listed[:5] == made[::-1]
    assert len(listed) == len(set(listed)) == 8


@pytest.mark.parametrize(("names", "status"), [("unique", 409), ("any", 201)])
def test_a_second_directory_of_a_name_is_refused_unless_settings_allow_it(start: Any, names: str, status: int) -> None:
    caller = start(directory_names=names)
    directory(caller)
    assert caller.send("POST", LC, DIRECTORIES, json={"name": "mine"}).status_code == status


def test_a_directory_is_renamed(start: Any) -> None:
    caller = start()
    path = f"{DIRECTORIES}/{directory(caller)}"
    directory(caller, "taken")
    assert caller.send("PATCH", LC, path, json={"name": "taken"}).status_code == 409
    assert caller.written(LC, path, "PATCH", json={"name": "new"})["name"] == "new"
    assert [row["name"] for row in caller.data(LC, DIRECTORIES)["items"]][:2] == ["taken", "new"]


def test_an_uploaded_file_has_what_was_sent_with_it(start: Any) -> None:
    caller = start()
    here = directory(caller)
    file = upload(caller, here, "a ü.pdf", unique_id="0-abc", metadata=json.dumps({"submit_key": "k", "n": [""]}))
    shown = {name: file[name] for name in ("display_name", "unique_id", "metadata", "directory_id")}
    assert shown == {
        "display_name": "a ü.pdf",
        "unique_id": "0-abc",
        "directory_id": here,
        "metadata": {"submit_key": "k", "n": [""]},
    }
    assert caller.data(LC, f"{DIRECTORIES}/{here}/files")["items"] == [file]
    assert caller.data(LC, f"{DIRECTORIES}/{here}/files/{file['id']}") == file
    named = upload(caller, here, "b.pdf", display_name="shown", external_file_id="e")
    assert (named["display_name"], named["unique_id"]) == ("shown", "e")
    assert upload(caller, here, "c.pdf")["unique_id"] == "c.pdf"


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ({"unique_id": "1"}, ["b.pdf"]),
        ({"display_name": "a.pdf"}, ["a.pdf"]),
        ({"display_name_contains": ".pdf"}, ["a.pdf", "b.pdf"]),
        ({"include_deleted": "true"}, ["a.pdf", "b.pdf", "gone.txt"]),
        ({"updated_at_on_or_after": "2100-01-01T00:00:00Z"}, []),
    ],
)
def test_files_of_a_directory_are_filtered(start: Any, filters: dict[str, str], found: list[str]) -> None:
    caller = start()
    here = directory(caller)
    for number, name in enumerate(("a.pdf", "b.pdf", "gone.txt")):
        file = upload(caller, here, name, unique_id=str(number))
    assert caller.send("DELETE", LC, f"{DIRECTORIES}/{here}/files/{file['id']}").status_code == 204
    items = caller.data(LC, f"{DIRECTORIES}/{here}/files", **filters)["items"]
    assert [row["display_name"] for row in items] == found


def test_a_second_upload_with_the_same_unique_id_is_another_file(start: Any) -> None:
    caller = start()
    here = directory(caller)
    assert upload(caller, here, "a", unique_id="1")["id"] != upload(caller, here, "a", unique_id="1")["id"]
    assert len(caller.data(LC, f"{DIRECTORIES}/{here}/files", unique_id="1")["items"]) == 2
    assert caller.sandbox.journal.llamacloud.files.by_name == {"mine/1": 2}


def test_a_file_of_a_directory_is_changed(start: Any) -> None:
    caller = start()
    here = directory(caller)
    path = f"{DIRECTORIES}/{here}/files/{upload(caller, here, 'a')['id']}"
    changed = caller.written(LC, path, "PATCH", json={"display_name": "b", "metadata": {"n": 1}})
    assert (changed["display_name"], changed["metadata"], changed["unique_id"]) == ("b", {"n": 1}, "a")
    assert caller.data(LC, path) == changed


def test_a_file_of_the_files_api_is_attached_to_a_directory(start: Any) -> None:
    caller = start()
    stored = caller.written(
        LC, FILES, files={"file": ("a.pdf", b"1")}, data={"purpose": "parse", "external_file_id": "e"}
    )
    assert caller.data(LC, FILES, external_file_id="e")["items"] == [stored]
    assert caller.data(LC, f"{FILES}/{stored['id']}") == stored
    file = caller.written(LC, f"{DIRECTORIES}/{directory(caller)}/files", json={"file_id": stored["id"]})
    assert (file["file_id"], file["unique_id"], file["display_name"]) == (stored["id"], "e", "a.pdf")


def test_a_configuration_of_the_same_name_and_product_keeps_its_id(start: Any) -> None:
    caller = start()
    first = extract_configuration(caller)
    assert extract_configuration(caller, extraction_target="per_page") == first
    (listed,) = caller.data(LC, CONFIGURATIONS, name="x")["items"]
    assert (listed["id"], listed["parameters"]["extraction_target"]) == (first, "per_page")
    assert caller.data(LC, f"{CONFIGURATIONS}/{first}") == listed
    products = [row["product_type"] for row in caller.data(LC, CONFIGURATIONS)["items"]]
    assert products == ["extract_v2", "extract_v2", "parse_v2"]


def test_a_batch_waits_runs_and_completes(start: Any, clock: Any) -> None:
    caller = start(clock, run_seconds=10)
    here = directory(caller)
    for name in ("a", "b"):
        upload(caller, here, name)
    made = batch(caller, here)
    path = f"{BATCHES}/{made['id']}"
    seen = [made["status"]]
    for _ in range(3):
        clock.now += 4.9
        shown = caller.data(LC, path, expand="results")
        seen.append(shown["status"])
        assert (shown["results"] is None) == (shown["status"] != "COMPLETED")
    assert seen == ["PENDING", "RUNNING", "RUNNING", "COMPLETED"]
    assert caller.data(LC, path)["results"] is None
    assert [result["job_reference"]["type"] for result in shown["results"]] == ["parse_v2"] * 2


def test_the_markdown_of_a_file_shows_its_name_and_hash(start: Any) -> None:
    caller = start(run_seconds=0)
    here = directory(caller)
    contents = {"a.pdf": b"first", "b ü.pdf": b"second" * 100_000}
    ids = {upload(caller, here, name, content)["id"]: name for name, content in contents.items()}
    made = caller.data(LC, f"{BATCHES}/{batch(caller, here)['id']}", expand="results")
    assert [ids[result["source_directory_file_id"]] for result in made["results"]] == list(contents)
    for result in made["results"]:
        name = ids[result["source_directory_file_id"]]
        job = f"api/v2/parse/{result['job_reference']['id']}"
        expand = ["markdown_full", "text_full", "markdown", "items", "metadata", "markdown_content_metadata"]
        body = caller.data(LC, job, expand=[*expand, "images_content_metadata"])
        assert body["job"]["status"] == "COMPLETED"
        sha256 = hashlib.sha256(contents[name]).hexdigest()
        for text in (body["markdown_full"], body["text_full"], json.dumps(body["items"], ensure_ascii=False)):
            assert name in text
            assert sha256 in text
        url = body["result_content_metadata"]["markdown"]["presigned_url"]
        assert caller.session.get(url).text == body["markdown_full"]
        (image,) = body["images_content_metadata"]["images"]
        assert caller.session.get(image["presigned_url"]).content[:4] == b"\x89PNG"


@pytest.mark.parametrize("target", ["per_doc", "per_page", "per_table_row"])
def test_the_extract_result_of_a_file_shows_its_name_and_hash(start: Any, target: str) -> None:
    caller = start(run_seconds=0)
    here = directory(caller)
    upload(caller, here, "a.pdf", b"x")
    made = batch(caller, here, "extract_v2", extract_configuration(caller, extraction_target=target))
    (result,) = caller.data(LC, f"{BATCHES}/{made['id']}", expand="results")["results"]
    (listed,) = caller.data(LC, "api/v2/extract", job_ids=result["job_reference"]["id"])["items"]
    row = listed["extract_result"] if target == "per_doc" else listed["extract_result"][0]
    assert (row["file_name"], row["sha256"]) == ("a.pdf", hashlib.sha256(b"x").hexdigest())
    assert listed["configuration_id"] == made["config"]["job"]["configuration_id"]
    single = caller.data(LC, f"api/v2/extract/{listed['id']}", expand="extract_metadata")
    assert single["extract_result"] == listed["extract_result"]
    assert single["extract_metadata"]["field_metadata"]


def test_files_fail_by_their_names(start: Any) -> None:
    caller = start(run_seconds=0)
    here = directory(caller)
    for name in ("good", "will fail", "unmappable"):
        upload(caller, here, name)
    results = caller.data(LC, f"{BATCHES}/{batch(caller, here)['id']}", expand="results")["results"]
    assert [bool(result["error_message"]) for result in results] == [False, False, True]
    assert results[2]["job_reference"] is None
    jobs = [caller.data(LC, f"api/v2/parse/{result['job_reference']['id']}")["job"] for result in results[:2]]
    assert [(job["status"], bool(job["error_message"])) for job in jobs] == [("COMPLETED", False), ("FAILED", True)]


def test_a_batch_has_the_files_of_the_moment_of_its_creation(start: Any) -> None:
    caller = start(run_seconds=0)
    here = directory(caller)
    file = upload(caller, here, "a")
    made = batch(caller, here)
    upload(caller, here, "late")
    caller.send("DELETE", LC, f"{DIRECTORIES}/{here}/files/{file['id']}")
    results = caller.data(LC, f"{BATCHES}/{made['id']}", expand="results")["results"]
    assert [result["source_directory_file_id"] for result in results] == [file["id"]]


def test_a_batch_takes_the_files_of_a_seeded_directory(start: Any) -> None:
    caller = start(run_seconds=0, files=5)
    (seeded, *_) = (row for row in caller.data(LC, DIRECTORIES)["items"] if row["name"] == "Inbox 0")
    files = caller.data(LC, f"{DIRECTORIES}/{seeded['id']}/files")["items"]
    results = caller.data(LC, f"{BATCHES}/{batch(caller, seeded['id'])['id']}", expand="results")["results"]
    assert [result["source_directory_file_id"] for result in results] == [file["id"] for file in files]


@pytest.mark.parametrize(
    ("change", "at"),
    [
        ({"source_directory_id": "dir-none"}, ["source_directory_id"]),
        ({"source_directory_id": None}, ["source_directory_id"]),
        ({"config": {}}, ["config", "job"]),
        (
            {"config": {"job": {"type": "classify_v2", "configuration_id": "cfg-PARSE_AGENTIC"}}},
            ["config", "job", "type"],
        ),
        ({"config": {"job": {"type": "parse_v2", "configuration_id": "cfg-x"}}}, ["config", "job", "configuration_id"]),
        (
            {"config": {"job": {"type": "extract_v2", "configuration_id": "cfg-PARSE_AGENTIC"}}},
            ["config", "job", "configuration_id"],
        ),
        ({"webhook_configuration_ids": list("12345")}, ["webhook_configuration_ids"]),
    ],
)
def test_a_batch_with_a_wrong_field_is_refused_by_its_name(start: Any, change: dict[str, Any], at: list[str]) -> None:
    caller = start()
    body = {
        "source_directory_id": directory(caller),
        "config": {"job": {"type": "parse_v2", "configuration_id": "cfg-PARSE_AGENTIC"}},
    }
    response = caller.send("POST", LC, BATCHES, json=body | change)
    assert response.status_code == 422
    assert ["body", *at] in [problem["loc"] for problem in response.json()["detail"]]
    assert caller.sandbox.journal.llamacloud.batches.total == 0


def test_submitted_batches_are_listed_before_the_seeded_ones_newest_first(start: Any, clock: Any) -> None:
    caller = start(clock, jobs=5)
    seeded = [row["id"] for row in caller.data(LC, BATCHES)["items"]]
    made, here = [], directory(caller)
    for _ in range(3):
        clock.now += 1
        made.append(batch(caller, here)["id"])
    listed, token = [], ""
    while token is not None:
        page = caller.data(LC, BATCHES, page_size=2, page_token=token)
        listed += [row["id"] for row in page["items"]]
        token = page.get("next_page_token")
        batch(caller, here)
    assert listed == made[::-1] + seeded
    assert len(caller.data(LC, BATCHES, source_directory_id=here)["items"]) == 3 + 4
    assert caller.data(LC, BATCHES, source_directory_id=here, status="COMPLETED")["items"] == []


def test_a_cancelled_batch_finishes_the_file_it_is_busy_with(start: Any, clock: Any) -> None:
    caller = start(clock, run_seconds=10)
    here = directory(caller)
    for name in "abcd":
        upload(caller, here, name)
    path = f"{BATCHES}/{batch(caller, here)['id']}"
    clock.now += 4
    assert caller.written(LC, f"{path}/cancel")["status"] == "RUNNING"
    clock.now += 4
    ended = caller.data(LC, path, expand="results")
    assert ended["status"] == "CANCELLED"
    ids = [result["job_reference"]["id"] for result in ended["results"]]
    jobs = caller.data(LC, "api/v2/parse", job_ids=ids)["items"]
    assert [job["status"] for job in jobs] == ["COMPLETED", "COMPLETED", "CANCELLED", "CANCELLED"]
    assert caller.send("POST", LC, f"{path}/cancel").status_code == 409
    assert caller.sandbox.journal.llamacloud.cancels.by_name == {"mine": 1}


def test_the_job_of_one_file_is_cancelled(start: Any, clock: Any) -> None:
    caller = start(clock, run_seconds=10)
    here = directory(caller)
    upload(caller, here, "a")
    batch(caller, here)
    clock.now += 5
    job = next(iter(caller.data(LC, "api/v2/parse")["items"]))
    assert job["status"] == "RUNNING"
    assert caller.written(LC, f"api/v2/parse/{job['id']}/cancel")["status"] == "CANCELLED"
    clock.now += 10
    assert caller.data(LC, f"api/v2/parse/{job['id']}")["job"]["status"] == "CANCELLED"


def test_jobs_of_submitted_batches_are_listed_first_and_page_by_page(start: Any) -> None:
    caller = start(run_seconds=0, jobs=20)
    seeded = [job["id"] for job in caller.data(LC, "api/v2/parse", page_size=100)["items"]]
    here = directory(caller)
    for name in "abc":
        upload(caller, here, name)
    batch(caller, here)
    listed, token = [], ""
    while token is not None and len(listed) < 20:
        page = caller.data(LC, "api/v2/parse", page_size=2, page_token=token)
        listed += [job["id"] for job in page["items"]]
        token = page.get("next_page_token")
    assert listed[3:] == seeded[: len(listed) - 3]
    assert not set(listed[:3]) & set(seeded)


def test_what_is_new_is_listed_late_but_read_at_once(start: Any, clock: Any) -> None:
    caller = start(clock, late_listing=30, run_seconds=0, jobs=0)
    here = directory(caller)
    upload(caller, here, "a")
    config = {"job_name": "parse_raw_file_job", "parameters": {"type": "parse"}}
    single = [
        f"{DIRECTORIES}/{here}",
        f"{BATCHES}/{batch(caller, here)['id']}",
        f"{V1}/{caller.written(LC, V1, json={'directory_id': here, 'job_config': config})['id']}",
    ]
    listings = {DIRECTORIES: {"name": "mine"}, BATCHES: {}, V1: {}, "api/v2/parse": {}}
    for count in (0, 1):
        assert [len(caller.data(LC, path, **query)["items"]) for path, query in listings.items()] == [count] * 4
        assert all(caller.get(LC, path).status_code == 200 for path in single)
        clock.now += 30


def v1_job(caller: Any, directory_id: str, **parameters: Any) -> Any:
    config = {"job_name": "parse_raw_file_job", "partitions": {}, "parameters": {"type": "parse", **parameters}}
    return caller.written(LC, V1, json={"directory_id": directory_id, "job_config": config})


@pytest.mark.parametrize("where", ["v1", "v2"])
def test_a_v1_job_parses_the_files_of_a_directory(start: Any, where: str) -> None:
    caller = start(run_seconds=0, v1_results=where)
    here = directory(caller)
    files = [upload(caller, here, name)["id"] for name in ("a.pdf", "fail.pdf")]
    made = v1_job(caller, here)
    job = caller.data(LC, f"{V1}/{made['id']}")
    assert job["progress_percentage"] == 100
    counts = [job["job"][f"{name}_items"] for name in ("total", "processed", "failed", "skipped")]
    assert (job["job"]["status"], counts) == ("completed", [2, 2, 1, 0])
    items = caller.data(LC, f"{V1}/{made['id']}/items")["items"]
    assert [(item["item_id"], item["status"]) for item in items] == list(
        zip(files, ("completed", "failed"), strict=True)
    )
    assert caller.data(LC, f"{V1}/{made['id']}/items", status="failed")["items"] == items[1:]
    (run,) = caller.data(LC, f"{V1}/items/{files[0]}/processing-results")["processing_results"]
    assert run["job_type"] == "parse"
    path = {"v1": "api/v1/parsing/job/{}/result/markdown", "v2": "api/v2/parse/{}"}[where]
    body = caller.data(LC, path.format(items[0]["job_id"]), **({} if where == "v1" else {"expand": "markdown_full"}))
    markdown = body["markdown" if where == "v1" else "markdown_full"]
    assert "a.pdf" in markdown
    assert hashlib.sha256(b"content").hexdigest() in markdown


def test_a_second_v1_job_with_the_same_parameters_skips_what_is_done(start: Any) -> None:
    caller = start(run_seconds=0)
    here = directory(caller)
    upload(caller, here, "a")
    v1_job(caller, here)
    for parameters, skipped in (({}, 1), ({"mode": "other"}, 0)):
        made = v1_job(caller, here, **parameters)
        assert caller.data(LC, f"{V1}/{made['id']}")["job"]["skipped_items"] == skipped


def test_a_v1_job_takes_files_by_id_and_is_cancelled(start: Any, clock: Any) -> None:
    caller = start(clock, run_seconds=10)
    here = directory(caller)
    ids = [upload(caller, here, name)["id"] for name in "abc"]
    config = {"job_name": "parse_raw_file_job", "parameters": {"type": "parse"}}
    made = caller.written(LC, V1, json={"item_ids": ids[:2], "job_config": config})
    assert (made["total_items"], made["directory_id"], made["status"]) == (2, None, "pending")
    path = f"{V1}/{made['id']}"
    assert caller.send("POST", LC, f"{path}/cancel").status_code == 422
    clock.now += 2
    assert caller.written(LC, f"{path}/cancel", json={})["processed_items"] == 0
    clock.now += 10
    assert caller.data(LC, path)["job"]["status"] == "cancelled"
    words = [item["status"] for item in caller.data(LC, f"{path}/items")["items"]]
    assert words == ["completed", "cancelled"]
    assert caller.send("POST", LC, f"{path}/cancel", json={}).status_code == 400
    assert caller.data(LC, V1, limit=1)["items"][0]["id"] == made["id"]


@pytest.mark.parametrize(
    "body",
    [
        {"directory_id": "dir-none", "job_config": {}},
        {"job_config": {}},
        {"directory_id": "dir-none", "item_ids": [], "job_config": {}},
        {"item_ids": ["dfl-none"], "job_config": {}},
        {"item_ids": []},
    ],
)
def test_a_v1_job_with_a_wrong_field_is_refused(start: Any, body: dict[str, Any]) -> None:
    assert start().send("POST", LC, V1, json=body).status_code == 422


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("PATCH", DIRECTORIES + "/{}", 403),
        ("DELETE", DIRECTORIES + "/{}", 403),
    ],
)
def test_what_is_seeded_cannot_be_changed(start: Any, method: str, path: str, status: int) -> None:
    caller = start()
    seeded = caller.data(LC, DIRECTORIES)["items"][0]["id"]
    assert caller.send(method, LC, path.format(seeded), json={"name": "new"}).status_code == status


def test_seeded_batches_cannot_be_cancelled(start: Any) -> None:
    caller = start()
    for listing, sent in ((BATCHES, {}), (V1, {"json": {}})):
        seeded = caller.data(LC, listing)["items"][0]["id"]
        assert caller.send("POST", LC, f"{listing}/{seeded}/cancel", **sent).status_code in (400, 409)
        assert caller.send("POST", LC, f"{listing}/none/cancel", **sent).status_code == 404


@pytest.mark.parametrize(
    ("path", "sent"),
    [
        (DIRECTORIES, {"data": b"no json"}),
        (DIRECTORIES, {"json": []}),
        (DIRECTORIES, {"data": b'{"name": "a", "description": NaN}'}),
        (DIRECTORIES, {"data": b'{"name": "\\ud83d"}'}),
        (DIRECTORIES, {"json": {}}),
        (DIRECTORIES, {"json": {"name": ""}}),
        (DIRECTORIES, {"json": {"name": "x", "type": "index"}}),
        (DIRECTORIES + "/{}/files/upload", {"json": {}}),
        (DIRECTORIES + "/{}/files/upload", {"files": {"other": b""}}),
        (DIRECTORIES + "/{}/files/upload", {"files": {"upload_file": b""}, "data": {"metadata": "[]"}}),
        (DIRECTORIES + "/{}/files/upload", {"files": {"upload_file": b""}, "data": {"metadata": '{"a":{}}'}}),
        (FILES, {"files": {"file": b""}}),
        (CONFIGURATIONS, {"json": {"name": "x" * 256, "parameters": {"product_type": "parse_v2"}}}),
        (CONFIGURATIONS, {"json": {"name": "x", "parameters": {"product_type": "extract_v2"}}}),
    ],
)
def test_a_wrong_body_is_refused(start: Any, path: str, sent: dict[str, Any]) -> None:
    caller = start()
    assert caller.send("POST", LC, path.format(directory(caller, "other")), **sent).status_code == 422
