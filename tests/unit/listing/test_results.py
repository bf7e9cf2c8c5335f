"""Results over real sockets: a vendor's failure is the task's, an item's is its own, and limits hold."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from airflow_batch_provider.client.client import Client
from airflow_batch_provider.client.rate_limit import RateLimiter
from airflow_batch_provider.client.settings import Settings
from airflow_batch_provider.exceptions import (
    AuthenticationError,
    BatchProviderError,
    PaymentRequiredError,
    RateLimitedError,
    TransientError,
)
from airflow_batch_provider.export.files import FileWriter
from airflow_batch_provider.export.staging import Staging
from airflow_batch_provider.listing.file_sink import NoFiles, extension_of
from airflow_batch_provider.listing.results import ResultsReader, ResultsRequest
from airflow_batch_provider.vendors import playment, playment_results, talkifai, talkifai_results
from tests.unit.connected import KEY, Connect, Start
from tests.unit.export.exported import local
from tests.vendor_server import Answer, How, VendorServer, redirect

JOBS = 12
PNG = b"\x89PNG\r\n\x1a\n" + bytes(100)
HTML = b"<!DOCTYPE html><title>Sign in</title>"


def said(document: Any, status: int = 200) -> Answer:
    return Answer(status, json.dumps(document).encode())


class Playment:
    """A batch of jobs with a result each, whose files are at the same origin.

    :param result: what a job's result is answered with
    :param file: what the signed URL is answered with
    :param attachment: what the attachment is answered with
    """

    def __init__(self, **answers: Answer) -> None:
        self.answers = answers
        self.server: VendorServer
        self.with_key: list[str] = []

    def __call__(self, method: str, path: str, query: dict[str, str], headers: Mapping[str, str]) -> Answer:
        if "x-api-key" in {name.lower() for name in headers}:
            self.with_key.append(path)
        if path.endswith("/details"):
            return said({"data": {"batches": [{"id": "b", "status": "Complete", "total_jobs": JOBS}]}, "success": True})
        if "/batch/" in path:
            jobs = [{"id": f"j{number}", "status": "completed"} for number in range(JOBS)]
            return said({"data": {"jobs": jobs}, "success": True})
        if "/jobs/" in path:
            url = f"{self.server.url}/v1/attachments?url=file"
            return self.answers.get("result") or said({"data": {"job_id": path[-2:], "result": url}, "success": True})
        if path == "/v1/attachments":
            return self.answers.get("attachment") or redirect(f"{self.server.url}/bucket/file?X-Amz-Signature=1")
        assert path == "/bucket/file"
        return self.answers.get("file") or Answer(200, b'{"data": {}}')


def read(
    vendor: Playment, start: Start, connect: Connect, folder: Path, *kinds: str, **settings: Any
) -> list[dict[str, Any]]:
    vendor.server = start(vendor)
    client = connect(playment.VENDOR, vendor.server.url, **settings)
    values = {"project_id": "p", "batch_id": "b"}
    request = ResultsRequest(results=playment_results.JOB_RESULTS, values=values, kinds=frozenset(kinds or ("result",)))
    store = local(folder)
    files = FileWriter(store, Staging(store, "a" * 32), "0" * 12)
    return [json.loads(bytes(line)) for page in ResultsReader(client, request).rows(files) for line in page.rows.lines]


ITEM_FAILURES: dict[str, tuple[dict[str, Answer], str, str]] = {
    "the result is gone": (
        {"result": said({"success": False, "error": {"code": "FS_0006", "message": "x"}}, 400)},
        "missing",
        "HTTP 400, code FS_0006",
    ),
    "the result is refused": (
        {"result": said({"success": False, "error": {"code": "GE_0001", "message": "x"}}, 400)},
        "failed",
        "HTTP 400, code GE_0001",
    ),
    "the attachment is refused": ({"attachment": Answer(422, b"{}")}, "partial", "HTTP 422"),
    "the attachment is an error of the vendor's own": (
        {"attachment": said({"success": False, "error": {"code": "FS_0007", "message": "x"}})},
        "partial",
        "FS_0007",
    ),
    "the attachment is a web page": ({"attachment": Answer(200, HTML)}, "partial", "is no JSON, or ends early"),
    "a web page instead of the file": ({"file": Answer(200, HTML)}, "partial", "is no JSON, or ends early"),
    "JSON that ends early": ({"file": Answer(200, b'{"data": {"a": [1, 2')}, "partial", "is no JSON, or ends early"),
    "nothing": ({"file": Answer(200, b"")}, "partial", "is no JSON, or ends early"),
    "two values": ({"file": Answer(200, b"{}{}")}, "partial", "is no JSON, or ends early"),
    "a file that is gone": ({"file": Answer(404, b"")}, "missing", "its signed URL is refused"),
    "a file that is refused": ({"file": Answer(400, b"<Error/>")}, "partial", "its URL answered HTTP 400"),
    "a redirect to a private address": (
        {"attachment": redirect("http://169.254.169.254/latest")},
        "partial",
        "its result file cannot be fetched",
    ),
    "a redirect to a file": ({"attachment": redirect("file:///etc/passwd")}, "partial", "cannot be fetched"),
}


@pytest.mark.parametrize(("answers", "outcome", "error"), ITEM_FAILURES.values(), ids=ITEM_FAILURES)
def test_an_items_failure_is_its_own(
    answers: dict[str, Answer], outcome: str, error: str, start: Start, connect: Connect, tmp_path: Path
) -> None:
    rows = read(Playment(**answers), start, connect, tmp_path)
    assert len(rows) == JOBS
    assert {row["outcome"] for row in rows} == {outcome}
    for row in rows:
        assert error in row["error"]
        assert row["files"] == []
        assert "X-Amz" not in json.dumps(row)
    assert not list(tmp_path.rglob("*.file"))


TASK_FAILURES: dict[str, tuple[dict[str, Answer], type[BatchProviderError]]] = {
    "401": ({"result": Answer(401, b"{}")}, AuthenticationError),
    "402": ({"result": Answer(402, b"{}")}, PaymentRequiredError),
    "a key that is refused by code": (
        {"result": said({"success": False, "error": {"code": "auth-failure", "message": "x"}}, 400)},
        AuthenticationError,
    ),
    "429": ({"result": Answer(429, b"{}")}, RateLimitedError),
    "500": ({"result": Answer(500, b"{}")}, TransientError),
    "503 of an attachment": ({"attachment": Answer(503, b"{}")}, TransientError),
    "503 of a file": ({"file": Answer(503, b"")}, TransientError),
    "a broken answer": ({"result": Answer(200, b'{"data": {', {}, How.BROKEN_OFF)}, TransientError),
    "no JSON": ({"result": Answer(200, HTML)}, TransientError),
    "a file that breaks off": ({"file": Answer(200, b'{"data": {}}', {}, How.BROKEN_OFF)}, TransientError),
}


@pytest.mark.parametrize(("answers", "error"), TASK_FAILURES.values(), ids=TASK_FAILURES)
def test_a_failure_of_the_vendor_is_the_tasks(
    answers: dict[str, Answer], error: type[BatchProviderError], start: Start, connect: Connect, tmp_path: Path
) -> None:
    with pytest.raises(error) as failure:
        read(Playment(**answers), start, connect, tmp_path, max_attempts=2, max_concurrency=2)
    assert type(failure.value) is error
    assert KEY not in str(failure.value)
    assert "X-Amz" not in str(failure.value)


def test_the_key_goes_to_the_api_alone(start: Start, connect: Connect, tmp_path: Path) -> None:
    vendor = Playment()
    rows = read(vendor, start, connect, tmp_path)
    assert {row["outcome"] for row in rows} == {"ok"}
    fetched = [asked for asked in vendor.server.asked if asked.path == "/bucket/file"]
    assert len(fetched) == JOBS
    assert "/bucket/file" not in vendor.with_key
    assert not any(KEY in str(asked.headers) for asked in fetched)
    assert set(vendor.with_key) >= {"/v1/attachments", "/v1/projects/p/jobs/j0"}


def test_each_request_to_the_api_waits_for_its_turn_and_no_more_run_at_once_than_the_connection_allows(
    start: Start, tmp_path: Path
) -> None:
    class Counting(RateLimiter):
        turns = 0

        def __init__(self) -> None:
            super().__init__(None)

        def wait_for_turn(self) -> None:
            with lock:
                Counting.turns += 1

    lock = threading.Lock()
    now = most = 0
    vendor = Playment()

    def counted(method: str, path: str, query: dict[str, str], headers: Mapping[str, str]) -> Answer:
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        try:
            return vendor(method, path, query, headers)
        finally:
            with lock:
                now -= 1

    vendor.server = start(counted)
    settings = _settings(vendor.server.url, max_concurrency=3)
    client = Client(playment.VENDOR, settings, Counting())
    values = {"project_id": "p", "batch_id": "b"}
    request = ResultsRequest(results=playment_results.JOB_RESULTS, values=values, kinds=frozenset())
    pages = list(ResultsReader(client, request).rows(NoFiles()))
    client.close()
    assert Counting.turns == len(vendor.server.asked) == 2 + JOBS
    assert sum(page.requests for page in pages) == 1 + 1 + JOBS
    assert 1 <= most <= 3


def _settings(url: str, **settings: Any) -> Settings:
    from airflow_batch_provider.apis.auth import Credentials

    return Settings(
        connection_id="c", base_url=url, auth=playment.VENDOR.auth, credentials=Credentials(KEY), **settings
    )


@pytest.mark.parametrize(
    ("content_type", "extension"),
    [
        ("audio/mpeg", "mp3"),
        ("audio/wav", "wav"),
        ("audio/ogg", "ogg"),
        ("image/png", "png"),
        ("application/json", "json"),
        ("application/octet-stream", "bin"),
        ("x/../../etc", "bin"),
        ("", "bin"),
        ("text/x-\n", "bin"),
    ],
)
def test_the_name_of_a_file_ends_as_its_media_type_says_and_takes_nothing_from_the_vendor(
    content_type: str, extension: str
) -> None:
    assert extension_of(content_type) == extension


def test_a_recording_that_is_a_web_page_is_none(start: Start, connect: Connect, tmp_path: Path) -> None:
    def script(method: str, path: str, query: dict[str, str], headers: Mapping[str, str]) -> Answer:
        if path == "/r.mp3":
            return Answer(200, b"\n <HTML>log in", {"Content-Type": "audio/mpeg"})
        if path.startswith("/batch/jobs/"):
            contact = {"id": "c", "status": "completed", "roomName": "+1555", "completedAt": None}
            job = {"id": "j", "status": "completed", "totalContacts": 1}
            return said({**job, "contacts": [contact], "contactsTotal": 1, "contactsPage": 1, "contactsPageSize": 500})
        url = f"{server.url}/r.mp3?sig=1"
        return said({"conversation": {"transcript": [1], "analysis": {"a": 1}, "recordingUrl": url}})

    server = start(script)
    client = connect(talkifai.VENDOR, server.url)
    store = local(tmp_path)
    request = ResultsRequest(
        results=talkifai_results.CONVERSATIONS,
        values={"batch_job_id": "j"},
        kinds=frozenset({"transcript", "recording"}),
    )
    files = FileWriter(store, Staging(store, "a" * 32), "0" * 12)
    lines = [line for page in ResultsReader(client, request).rows(files) for line in page.rows.lines]
    (row,) = [json.loads(bytes(line)) for line in lines]
    assert (row["outcome"], row["error"]) == ("partial", "its recording file is a web page, not the file")
    assert [file["kind"] for file in row["files"]] == ["transcript"]
    assert row["result"]["conversation"]["recordingUrl"] is None


def test_a_line_keeps_what_the_vendor_wrote(start: Start, connect: Connect, tmp_path: Path) -> None:
    """Numbers to the digit, repeated keys, escapes; only the signed URL is null, and line breaks are gone."""
    written = (
        b'{"success": true, "data": {\n "job_id": "j", "big": 36893488147419103233, "long": 0.12345678901234567890,'
        b'\r\n "s": "\\ud83d", "a": {"x": 1, "x": 2}, "u": "https://h/?X-Amz-Signature=1", "result": ""}}'
    )
    vendor = Playment(result=Answer(200, written))
    vendor.server = start(vendor)
    client = connect(playment.VENDOR, vendor.server.url)
    request = ResultsRequest(results=playment_results.JOB_RESULTS, values={"project_id": "p", "batch_id": "b"})
    line = next(bytes(line) for page in ResultsReader(client, request).rows(NoFiles()) for line in page.rows.lines)
    assert (
        b'"result":{"job_id":"j","big":36893488147419103233,"long":0.12345678901234567890,"s":"\\ud83d",'
        b'"a":{"x":1,"x":2},"u":null,"result":""}' in line
    )
