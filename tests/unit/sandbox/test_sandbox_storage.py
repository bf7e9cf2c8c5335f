"""The second origin: signed URLs that expire, no keys, ranges, and what can go wrong with a file."""

from __future__ import annotations

from typing import Any

import pytest
import requests
import urllib3

from airflow_batch_provider.sandbox.content import BLOCK, Content
from airflow_batch_provider.sandbox.documents import kind_of, markdown_of, pdf_of

V2 = "api/v2/batches"


def parse_jobs(caller: Any) -> list[str]:
    """Return the jobs of the first completed parse batch with many files."""
    for batch in caller.data("llamacloud", V2)["items"]:
        results = caller.data("llamacloud", f"{V2}/{batch['id']}", expand="results")["results"] or []
        jobs = [result["job_reference"]["id"] for result in results if result["job_reference"]]
        if batch["config"]["job"]["type"] == "parse_v2" and len(jobs) > 20:
            return jobs
    raise AssertionError("no such batch")


def signed(caller: Any, kind: str = "plain", name: str = "markdown", key: str = "markdown") -> tuple[str, str]:
    """Return a job and a signed URL of one of its files."""
    job = next(job for job in parse_jobs(caller) if kind_of(job) == kind)
    body = caller.data("llamacloud", f"api/v2/parse/{job}", expand=f"{name}_content_metadata")
    return job, body["result_content_metadata"][key]["presigned_url"]


def fetch(caller: Any, url: str, **headers: str) -> requests.Response:
    return caller.session.get(url, headers=headers, allow_redirects=False)


def test_a_signed_url_leads_to_the_file_on_another_origin(caller: Any) -> None:
    job, url = signed(caller)
    response = fetch(caller, url)
    assert url.startswith(f"{caller.sandbox.files_url}/parse/{job}/markdown?X-Amz-Algorithm=")
    assert caller.sandbox.files_url != caller.sandbox.url
    assert (response.status_code, response.text) == (200, markdown_of(job))
    assert response.headers["Content-Length"] == str(len(markdown_of(job).encode()))
    assert response.headers["Content-Type"] == "text/markdown; charset=utf-8"
    assert caller.sandbox.file_requests[-1] == f"GET /parse/{job}/markdown"


def test_signed_urls_are_never_the_same(caller: Any) -> None:
    assert signed(caller)[1] != signed(caller)[1]


@pytest.mark.parametrize("name", ["Authorization", "x-api-key", "Cookie"])
def test_a_request_with_a_key_is_refused(caller: Any, name: str) -> None:
    response = fetch(caller, signed(caller)[1], **{name: "llx-any"})
    assert (response.status_code, response.headers["Content-Type"]) == (400, "application/xml")
    assert "<Code>InvalidArgument</Code>" in response.text


@pytest.mark.parametrize(
    ("old", "new", "status", "code"),
    [
        ("X-Amz-Signature=", "X-Amz-Signature=0", 403, "SignatureDoesNotMatch"),
        ("X-Amz-Expires=60", "X-Amz-Expires=6000", 403, "SignatureDoesNotMatch"),
        ("/markdown?", "/text?", 403, "SignatureDoesNotMatch"),
        ("X-Amz-Signature=", "x=", 403, "AccessDenied"),
    ],
)
def test_a_url_that_was_not_signed_so_is_refused(caller: Any, old: str, new: str, status: int, code: str) -> None:
    response = fetch(caller, signed(caller)[1].replace(old, new))
    assert (response.status_code, f"<Code>{code}</Code>" in response.text) == (status, True)


def test_a_url_is_for_one_method(caller: Any) -> None:
    assert caller.session.head(signed(caller)[1]).status_code == 403


def test_a_url_expires_after_the_seconds_set(start: Any, clock: Any) -> None:
    caller = start(clock, jobs=30, url_seconds=5)
    _, url = signed(caller)
    statuses = []
    for _ in range(3):
        statuses.append(fetch(caller, url).status_code)
        clock.now += 3
    assert statuses == [200, 200, 403]
    assert "Request has expired" in fetch(caller, url).text
    assert fetch(caller, signed(caller)[1]).status_code == 200


def test_a_url_expires_after_the_uses_set(start: Any) -> None:
    caller = start(jobs=30, url_uses=2)
    _, url = signed(caller)
    assert [fetch(caller, url).status_code for _ in range(4)] == [200, 200, 403, 403]
    assert fetch(caller, signed(caller)[1]).status_code == 200


@pytest.mark.parametrize(
    ("sent", "part"),
    [
        ("bytes=0-0", slice(0, 1)),
        ("bytes=10-19", slice(10, 20)),
        ("bytes=10-", slice(10, None)),
        ("bytes=10-99999999", slice(10, None)),
        ("bytes=-7", slice(-7, None)),
    ],
)
def test_a_range_is_served_if_the_file_is_still_the_same(caller: Any, sent: str, part: slice) -> None:
    job, url = signed(caller)
    whole = markdown_of(job).encode()
    etag = fetch(caller, url).headers["ETag"]
    response = fetch(caller, url, Range=sent, **{"If-Range": etag})
    assert (response.status_code, response.content) == (206, whole[part])
    begin, end, _ = part.indices(len(whole))
    assert response.headers["Content-Range"] == f"bytes {begin}-{end - 1}/{len(whole)}"
    other = fetch(caller, url, Range=sent, **{"If-Range": '"other"'})
    assert (other.status_code, other.content) == (200, whole)
    assert caller.sandbox.file_requests[-1].endswith(f"/markdown {sent}")


def test_a_range_behind_the_end_is_refused(caller: Any) -> None:
    job, url = signed(caller)
    response = fetch(caller, url, Range="bytes=1000000-")
    assert response.status_code == 416
    assert response.headers["Content-Range"] == f"bytes */{len(markdown_of(job).encode())}"


def test_a_cut_file_can_be_continued(start: Any) -> None:
    caller = start(jobs=30, file_fault="cut")
    job, url = signed(caller)
    with caller.session.get(url, stream=True) as response:
        assert response.headers["Content-Length"] == str(len(markdown_of(job).encode()))
        head = response.raw.read(len(markdown_of(job).encode()) // 2)
        with pytest.raises(urllib3.exceptions.ProtocolError):
            response.raw.read()
    whole = markdown_of(job).encode()
    assert head == whole[: len(whole) // 2]
    rest = fetch(caller, url, Range=f"bytes={len(head)}-")
    assert (rest.status_code, head + rest.content) == (206, whole)
    assert fetch(caller, url).content == whole


def test_a_wrong_length_is_larger_than_the_file(start: Any, caplog: pytest.LogCaptureFixture) -> None:
    caller = start(jobs=30, file_fault="length")
    with pytest.raises(requests.exceptions.RequestException):
        fetch(caller, signed(caller)[1])
    assert caplog.records == []  # a fault on purpose is no error of the server


def test_ranges_can_be_switched_off(start: Any) -> None:
    caller = start(jobs=30, file_fault="no-range")
    job, url = signed(caller)
    response = fetch(caller, url, Range="bytes=5-")
    assert (response.status_code, response.text) == (200, markdown_of(job))
    assert "Accept-Ranges" not in response.headers


def test_a_page_may_come_instead_of_the_file(start: Any) -> None:
    caller = start(jobs=30, file_fault="html")
    response = fetch(caller, signed(caller)[1])
    assert (response.status_code, response.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert "Maintenance" in response.text


def test_a_redirect_leads_to_another_signed_url(start: Any) -> None:
    caller = start(jobs=30, file_fault="redirect")
    job, url = signed(caller)
    response = fetch(caller, url)
    assert response.status_code == 307
    assert response.headers["Location"].startswith(caller.sandbox.files_url)
    assert fetch(caller, response.headers["Location"]).text == markdown_of(job)


def test_a_large_file_has_the_size_set_and_is_streamed(start: Any) -> None:
    size = 3_000_000
    caller = start(jobs=30, large_bytes=size)
    job, url = signed(caller, "large", "output_pdf", "outputPDF")
    response = fetch(caller, url)
    assert len(response.content) == size == int(response.headers["Content-Length"])
    assert response.content == b"".join(pdf_of(job, size).read())
    middle = fetch(caller, url, Range="bytes=1500000-1500100")
    assert middle.content == response.content[1_500_000:1_500_101]


@pytest.mark.parametrize("filler", [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK + 5])
@pytest.mark.parametrize("start", [0, 3, 4, BLOCK, BLOCK + 4, 2 * BLOCK])
def test_any_part_of_a_file_can_be_computed(filler: int, start: int) -> None:
    content = Content("text/plain", b"head", filler, b"tail")
    whole = b"".join(content.read())
    assert len(whole) == content.size
    assert (whole[:4], whole[-4:]) == (b"head", b"tail")
    assert b"".join(content.read(start)) == whole[start:]
    assert b"".join(content.read(start, start + 10)) == whole[start : start + 10]


def test_the_filler_shows_where_it_belongs() -> None:
    blocks = list(Content("text/plain", b"", 1 << 40).read(5 * BLOCK, 7 * BLOCK))
    assert [block[:16] for block in blocks] == [b"000000000000005 ", b"000000000000006 "]
