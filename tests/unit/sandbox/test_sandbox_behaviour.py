"""What all three APIs share: the landing page, faults on purpose, the form of a last page, lasting order."""

from __future__ import annotations

import ast
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_batch_provider import sandbox
from airflow_batch_provider.sandbox import Settings, create_app, faults

V2, V1 = "api/v2/batches", "api/v1/beta/batch-processing"


def listings(caller: Any) -> dict[str, list[str]]:
    """Read every listing in one plain way."""
    walks: dict[str, list[str]] = {}
    details = caller.data("playment", f"{caller.project}/details")["data"]
    walks["batches"] = [batch["id"] for batch in details["batches"]]
    token, walks["jobs"] = "", []
    while token is not None:
        data = caller.data("playment", caller.batch, page_token=token)["data"]
        walks["jobs"] += [job["id"] for job in data["jobs"]]
        token = data.get("next_page_token") or None
    token, walks["v2"] = "", []
    while token is not None:
        data = caller.data("llamacloud", V2, page_size=100, page_token=token)
        walks["v2"] += [batch["id"] for batch in data["items"]]
        token = data.get("next_page_token") or None
    walks["v1"] = [job["id"] for job in caller.data("llamacloud", V1, limit=1000)["items"]]
    query = {"organizationId": caller.organization_id, "pageSize": 100}
    walks["talkifai"] = [
        job["id"] for n in (1, 2, 3) for job in caller.data("talkifai", "batch/jobs", page=n, **query)["batchJobs"]
    ]
    return walks


def test_the_landing_page_is_enough_to_use_every_listing(caller: Any) -> None:
    how_to = caller.session.get(caller.sandbox.url).json()
    assert how_to == caller.sandbox.how_to
    assert set(how_to["playment"]) == {"api_key", "project_id", "batch_id"}
    assert set(how_to["llamacloud"]) == {"api_key"}
    assert set(how_to["talkifai"]) == {"api_key", "organization_id"}
    assert len(how_to["listings"]) == 5
    for name, path in how_to["listings"].items():
        assert caller.get(name.partition(".")[0], path[1:]).status_code == 200


def test_keys_and_ids_depend_on_the_seed_alone() -> None:
    first, again, other = (create_app(Settings(seed=seed)).state.how_to for seed in (1, 1, 2))
    assert first == again
    assert not {str(v) for v in first.values()} - {first["about"]} & {str(v) for v in other.values()}


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "nothing", 404),
        ("GET", "batch/jobs/", 404),
        ("GET", "v2/projects/x/details", 404),
        ("POST", "batch/jobs", 405),
    ],
)
def test_what_is_not_served_is_told_in_json(caller: Any, method: str, path: str, status: int) -> None:
    response = caller.session.request(method, f"{caller.sandbox.url}/{path}", allow_redirects=False)
    assert response.status_code == status
    assert isinstance(response.json()["detail"], str)


def test_ids_and_their_order_stay_while_batches_finish(start: Any, clock: Any) -> None:
    caller = start(clock, jobs=250, duration=100)
    first = listings(caller)
    assert [len(ids) for ids in first.values()] == [6, 250, 250, 250, 250]
    for _ in range(3):
        clock.now += 40
        assert listings(caller) == first
    for path, status in ((V2, "RUNNING"), (V1, "pending")):
        assert caller.data("llamacloud", path, status=status)["items"] == []


@pytest.mark.parametrize("jobs", [0, 1, 100, 101])
def test_listings_are_as_long_as_asked_for(start: Any, jobs: int) -> None:
    walks = listings(start(jobs=jobs))
    assert [len(ids) for ids in walks.values()] == [6, jobs, jobs, jobs, jobs]


@pytest.mark.parametrize(
    ("form", "expected"),
    [("absent", {}), ("null", {"next_page_token": None}), ("empty", {"next_page_token": ""})],
)
def test_the_last_page_takes_each_form(start: Any, form: str, expected: dict[str, Any]) -> None:
    caller = start(jobs=3, last_page=form)
    pages = [
        caller.data("playment", caller.batch)["data"],
        caller.data("llamacloud", V2),
        caller.data("llamacloud", V1),
    ]
    for page in pages:
        assert {name: page[name] for name in page if name == "next_page_token"} == expected


@pytest.mark.parametrize(
    ("vendor", "path", "answers"),
    [
        ("playment", "{project}/details", {(400, "FS_0000")}),
        ("llamacloud", V2, {(503, "Service temporarily unavailable")}),
        ("talkifai", "batch/jobs", {(429, "Rate limit exceeded"), (500, "Failed to list batch jobs")}),
    ],
)
def test_transient_faults_come_in_the_vendors_own_form(
    start: Any, vendor: str, path: str, answers: set[tuple[int, str]]
) -> None:
    caller = start(failure_rate=1)
    seen = set()
    for _ in range(20):
        response = caller.get(vendor, path.format(project=caller.project))
        body = response.json()
        seen.add((response.status_code, body["error"]["code"] if vendor == "playment" else body["detail"]))
        assert response.headers.get("Retry-After") == ("0" if response.status_code == 429 else None)
    assert seen == answers
    assert caller.session.get(caller.sandbox.url).status_code == 200


def test_faults_are_as_many_as_asked_for_and_the_same_for_a_seed(start: Any) -> None:
    runs = []
    for seed in (5, 5, 6):
        caller = start(failure_rate=0.3, seed=seed)
        runs.append([caller.get("llamacloud", V1, limit=1).status_code for _ in range(200)])
    assert runs[0] == runs[1] != runs[2]
    assert 30 < runs[0].count(503) < 90


def test_answers_are_delayed_without_stopping_others(start: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    slept = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    monkeypatch.setattr(faults, "asyncio", SimpleNamespace(sleep=sleep))
    caller = start(latency=0.25)
    caller.data("llamacloud", V2)
    caller.data("playment", caller.batch)
    assert slept == [0.25, 0.25]


def test_requests_are_recorded(start: Any) -> None:
    caller = start(jobs=1)
    caller.data("llamacloud", V2, page_size=7)
    caller.data("playment", caller.batch)
    assert list(caller.sandbox.requests) == [f"GET /{V2}?page_size=7", f"GET /{caller.batch}"]


def test_a_page_of_a_huge_listing_computes_only_its_own_rows(start: Any) -> None:
    caller = start(jobs=1_000_000)
    assert len(caller.data("llamacloud", V1, limit=1000, offset=999_500)["items"]) == 500
    assert len(caller.data("llamacloud", V2, page_size=100, status="FAILED")["items"]) == 100
    body = caller.data("talkifai", "batch/jobs", organizationId=caller.organization_id, page=10_000, pageSize=100)
    assert (len(body["batchJobs"]), body["total"]) == (100, 1_000_000)


@pytest.mark.parametrize(
    "wrong",
    [
        *({"jobs": n} for n in (-1, 1_000_001)),
        *({"files": n} for n in (-1, 1001)),
        {"large_bytes": -1},
        *({name: -1} for name in ("late", "url_seconds", "url_uses")),
        *({name: "all"} for name in ("file_fault", "v1_results")),
        *({name: share} for name in ("failure_rate", "lose_answers") for share in (-0.1, 1.1, float("nan"))),
        *(
            {name: s}
            for name in ("latency", "duration", "run_seconds", "late_listing")
            for s in (-1.0, float("inf"), float("nan"))
        ),
        *({name: "500"} for name in ("refuse_creates", "directory_names")),
        {"last_page": "none"},
    ],
)
def test_settings_out_of_range_are_refused_by_name(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong)).replace("_", " ")):
        Settings(**wrong)


def test_the_sandbox_imports_nothing_of_the_provider_and_nothing_of_airflow() -> None:
    allowed = {*sys.stdlib_module_names, "starlette", "uvicorn", "airflow_batch_provider.sandbox"}
    for path in Path(sandbox.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            assert not isinstance(node, ast.ImportFrom) or node.level == 0
            for name in names:
                assert name.partition(".")[0] in allowed or ".".join(name.split(".")[:2]) in allowed, (
                    path,
                    name,
                )


def test_the_landing_page_has_one_item_of_each_kind(caller: Any) -> None:
    results = caller.session.get(caller.sandbox.url).json()["results"]
    jobs = results["playment.batch_jobs"]["job_ids"]
    assert set(jobs) == {"image", "video", "segmentation", "file_itself", "missing", "large"}
    for job in jobs.values():
        body = caller.data("playment", f"{caller.project}/jobs/{job}")["data"]
        assert (body["status"], body["batch_id"]) == ("completed", results["playment.batch_jobs"]["batch_id"])
        assert body["result"]
    odd = {"plain", "failed", "failed_pages", "cancelled", "expired", "large", "unlisted", "late"}
    for product in ("parse", "extract"):
        page = results[f"llamacloud.batches ({product})"]
        assert set(page["job_ids"]) == odd
        mapped = caller.data("llamacloud", f"{V2}/{page['batch_id']}", expand="results")["results"]
        assert set(page["job_ids"].values()) <= {r["job_reference"]["id"] for r in mapped if r["job_reference"]}
        nameless = caller.data("llamacloud", f"{V2}/{page['batch_id_without_directory']}")
        path = f"api/v1/beta/directories/{nameless['source_directory_id']}/files"
        assert caller.get("llamacloud", path).status_code == 404
    page = results["llamacloud.batch_processing_jobs"]
    items = caller.data("llamacloud", f"{V1}/{page['id']}/items", limit=1000)["items"]
    assert set(page["job_ids"]) == {"plain", "failed_pages", "expired", "large"}
    assert set(page["job_ids"].values()) <= {item["job_id"] for item in items}
    for name, word in (("id_with_skipped_item", "skipped"), ("id_with_failed_items", "failed")):
        assert caller.data("llamacloud", f"{V1}/{page[name]}/items", status=word)["items"]
    page = results["talkifai.batch_jobs"]
    contacts = caller.data("talkifai", f"batch/jobs/{page['batch_job_id']}", contactsPageSize=500)["contacts"]
    assert set(page["room_names"]) == {"plain", "no_recording", "late", "no_transcript", "gone", "large", "failed"}
    assert set(page["room_names"].values()) <= {contact["roomName"] for contact in contacts}


@pytest.mark.parametrize(("jobs", "kinds"), [(0, 0), (1, 0), (5, 2), (14, 6)])
def test_the_landing_page_of_few_jobs_has_what_there_is(jobs: int, kinds: int) -> None:
    how_to = create_app(Settings(jobs=jobs)).state.how_to
    assert len(how_to["results"]["playment.batch_jobs"]["job_ids"]) == kinds
