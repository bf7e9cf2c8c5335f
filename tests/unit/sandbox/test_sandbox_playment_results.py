"""Playment: a result lies behind an attachment, and so does each mask in it; its annotations are those counted."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from airflow_batch_provider.sandbox import annotation
from airflow_batch_provider.sandbox.content import loads
from airflow_batch_provider.sandbox.world import number_of


def jobs_of(caller: Any) -> list[dict[str, Any]]:
    """Return the completed jobs of the first page of the big batch."""
    jobs = caller.data("playment", caller.batch)["data"]["jobs"]
    return [job for job in jobs if job["status"] == "completed"]


def address_of(caller: Any, job_id: str) -> str:
    return caller.data("playment", f"{caller.project}/jobs/{job_id}")["data"]["result"]


def hop(caller: Any, url: str, version: str = "v1") -> Any:
    """Ask for an attachment, without following."""
    return caller.session.get(
        f"{caller.sandbox.url}/{version}/attachments",
        params={"url": url},
        headers=caller.headers["playment"],
        allow_redirects=False,
    )


def follow(caller: Any, address: str) -> Any:
    """Ask for an address below the API itself, then for the file without the key."""
    response = caller.session.get(address, headers=caller.headers["playment"], allow_redirects=False)
    assert response.status_code == 302, response.text
    assert response.headers["Location"].startswith(f"{caller.sandbox.files_url}/playment/")
    return caller.session.get(response.headers["Location"])


def job_where(caller: Any, wanted: Any) -> dict[str, Any]:
    return next(job for job in jobs_of(caller) if wanted(number_of(job["id"])))


@pytest.mark.parametrize(
    ("shape", "keys"),
    [
        ("image", ["annotations"]),
        ("video", ["annotation_data", "annotations"]),
        ("segmentation", ["annotations_data", "annotations"]),
    ],
)
def test_results_have_the_shapes_of_their_kind(caller: Any, shape: str, keys: list[str]) -> None:
    seen = 0
    for job in jobs_of(caller):
        position = number_of(job["id"])
        if annotation.shape_of(job["id"]) != shape or position % 10 == annotation.PUBLIC:
            continue
        if annotation.is_gone(job["id"]) or position % annotation.EVERY == annotation.LARGE:
            continue
        response = follow(caller, address_of(caller, job["id"]))
        assert response.headers["Content-Type"] == "application/json"
        body = loads(response.content)
        urls = caller.sandbox.url, caller.sandbox.files_url
        assert response.content == b"".join(annotation.result_file(job["id"], *urls).read())
        found = body["data"]
        for key in keys:
            found = found[key]
        count = sum(map(len, found.values())) if isinstance(found, dict) else len(found)
        assert count == job["annotations"]
        seen += count
    assert seen > 5


def test_each_mask_is_an_attachment_of_its_own(caller: Any) -> None:
    job = job_where(caller, lambda n: n % 10 == 6 and annotation.annotation_count(n) > 2)
    body = follow(caller, address_of(caller, job["id"])).json()
    masks = body["data"]["annotations_data"]["annotations"]
    assert len(masks) == job["annotations"] > 2
    for number, mask in enumerate(masks):
        response = follow(caller, mask["url"])
        assert (response.headers["Content-Type"], response.content[:4]) == ("image/png", b"\x89PNG")
        assert response.content == annotation.mask_of(job["id"], number)


def test_an_address_of_old_is_the_file_itself_and_needs_the_attachment_too(caller: Any) -> None:
    job = job_where(caller, lambda n: n % 10 == annotation.PUBLIC)
    address = address_of(caller, job["id"])
    assert address.startswith(f"{caller.sandbox.files_url}/playment/")
    assert caller.session.get(address).status_code == 403
    location = hop(caller, address).headers["Location"]
    assert caller.session.get(location).json() == annotation.result_of(job["id"])


@pytest.mark.parametrize("version", ["v0", "v1"])
def test_the_address_of_an_attachment_can_be_given_as_its_url(caller: Any, version: str) -> None:
    job = job_where(caller, lambda n: n % 10 == 0)
    address = address_of(caller, job["id"])
    direct = parse_qs(urlsplit(address).query)["url"][0]
    for url in (address, direct):
        location = hop(caller, url, version).headers["Location"]
        assert caller.session.get(location).json() == annotation.result_of(job["id"])


@pytest.mark.parametrize(
    ("headers", "query", "code"),
    [
        ({}, {"url": "x"}, "auth-failure"),
        (None, {}, "GE_0002"),
        (None, {"url": "https://elsewhere.invalid/x"}, "FS_0007"),
        (None, {"url": "{files}/playment/11111111-2222-4333-8444-555555555555.json"}, "FS_0007"),
        (None, {"url": "{files}/playment/{image}/masks/0.png"}, "FS_0007"),
        (None, {"url": "{files}/playment/{segmented}/masks/99.png"}, "FS_0007"),
        (None, {"url": "{files}/playment/{gone}.json"}, "FS_0007"),
        (None, {"url": "{files}/playment/{pending}.json"}, "FS_0007"),
    ],
)
def test_a_failure_is_http_400_with_a_code(
    caller: Any, headers: dict[str, str] | None, query: dict[str, str], code: str
) -> None:
    every = caller.data("playment", caller.batch)["data"]["jobs"]
    ids = {
        "files": caller.sandbox.files_url,
        "image": job_where(caller, lambda n: n % 10 == 0)["id"],
        "segmented": job_where(caller, lambda n: n % 10 == 6)["id"],
        "gone": job_where(caller, lambda n: n % annotation.EVERY == annotation.GONE)["id"],
        "pending": next(job["id"] for job in every if job["status"] == "pending"),
    }
    sent = {name: text.format(**ids) for name, text in query.items()}
    response = caller.get("playment", "v1/attachments", headers, **sent)
    assert (response.status_code, response.json()["error"]["code"]) == (400, code)


def test_a_large_result_is_json_of_the_size_set(start: Any) -> None:
    caller = start(jobs=30, duration=0, large_bytes=300_000)
    job = job_where(caller, lambda n: n % annotation.EVERY == annotation.LARGE)
    response = follow(caller, address_of(caller, job["id"]))
    assert len(response.content) == 300_000
    assert {**response.json(), "notes": ""} == {**annotation.result_of(job["id"]), "notes": ""}
