"""What a step of a plan comes to, asked of a real server: what is the item's, and what is the task's."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from airflow_batch_provider.apis.plans import FileKind, Refused, ask, fetch, need
from airflow_batch_provider.exceptions import BatchProviderError, UnexpectedResponseError
from airflow_batch_provider.listing.file_sink import NewStoredFile, StoredFile
from airflow_batch_provider.listing.plans import PlanRunner
from airflow_batch_provider.vendors import talkifai, talkifai_results
from airflow_batch_provider.vendors.llamacloud import BATCH, EXTRACT_JOB, VENDOR
from airflow_batch_provider.vendors.llamacloud_parse import MARKDOWN
from tests.unit.connected import Connect, Start, connect, key, start
from tests.vendor_server import Answer, in_turn

__all__ = ["connect", "key", "start"]

PAGE = b"<!DOCTYPE html><html>Sign in</html>"


class _File:
    def __init__(self) -> None:
        self.content = b""

    def write(self, data: bytes) -> None:
        self.content += data

    def restart(self) -> None:
        self.content = b""

    def finish(self, extension: str) -> StoredFile:
        sha256 = hashlib.sha256(self.content).hexdigest()
        return StoredFile(f"files/{'0' * 12}/{sha256}.{extension}", len(self.content), sha256)

    def abandon(self) -> None:
        pass


class _Files:
    def new_file(self) -> NewStoredFile:
        return _File()


def _run(connect: Connect, url: str, plan: Any) -> Any:
    runner = PlanRunner(connect(VENDOR, url), {}, _Files())
    try:
        return runner.run(plan)
    finally:
        runner.close()


@pytest.mark.parametrize("body", [b"[]", b'{"id":null}', b'"x"', b"5"])
def test_an_answer_of_another_shape_is_the_items_failure(start: Start, connect: Connect, body: bytes) -> None:
    server = start(in_turn(Answer(body=body)))
    answer = _run(connect, server.url, ask(EXTRACT_JOB, job_id="e"))
    assert isinstance(answer, Refused)
    assert answer.reason == "GET /api/v2/extract/e: HTTP 200, but not as documented"


def test_where_nothing_can_be_read_without_it_that_is_the_tasks(start: Start, connect: Connect) -> None:
    server = start(in_turn(Answer(body=b"[]")))
    with pytest.raises(UnexpectedResponseError):
        _run(connect, server.url, need(BATCH, batch_id="b"))


def test_a_redirect_elsewhere_is_the_tasks(start: Start, connect: Connect) -> None:
    server = start(in_turn(Answer(302, headers={"Location": "https://login.example/"})))
    with pytest.raises(UnexpectedResponseError):
        _run(connect, server.url, ask(EXTRACT_JOB, job_id="e"))


@pytest.mark.parametrize(
    ("kind", "content", "content_type", "is_kept"),
    [
        (MARKDOWN, PAGE, "text/html; charset=utf-8", False),
        (MARKDOWN, PAGE, "text/markdown", True),  # the text of a document about web pages
        (MARKDOWN, b"# A", "text/html", True),
        (FileKind(name="page", content_type="text/html", extension="html"), PAGE, "text/html", True),
        (FileKind(name="images"), PAGE, "image/png", False),
    ],
)
def test_a_web_page_instead_of_a_text_is_no_file(
    start: Start, connect: Connect, kind: FileKind, content: bytes, content_type: str, is_kept: bool
) -> None:
    server = start(in_turn(Answer(body=content, headers={"Content-Type": content_type})))
    saved = _run(connect, server.url, fetch(kind, "a.md", lambda: iter(()), url=f"{server.url}/a"))  # type: ignore[arg-type, return-value]
    assert saved == Refused(f"its {kind.name} file is a web page, not the file") if not is_kept else saved.bytes


@pytest.mark.parametrize("status", [200, 400, 401, 403, 404, 422, 429, 500])
def test_an_error_that_repeats_the_room_tells_nothing_of_it(
    start: Start, connect: Connect, caplog: pytest.LogCaptureFixture, status: int
) -> None:
    room = "outbound_a_+15550100_1"
    words = b'{"success":false,"detail":"no %b","code":"%b","error":"%b"}' % ((room.encode(),) * 3)
    server = start(in_turn(Answer(status, words)))
    runner = PlanRunner(connect(talkifai.VENDOR, server.url, max_attempts=2), {}, _Files())
    caplog.set_level(1)
    try:
        told = repr(runner.run(ask(talkifai.CONVERSATION, **talkifai_results.conversation({}, room, recording=False))))
    except BatchProviderError as error:
        told = f"{error} {error!r}"
    finally:
        runner.close()
    assert "5550100" not in told + caplog.text
