"""The hooks' methods that create, start and cancel: what is sent, what is refused before, and that it is sent once."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from airflow_batch_provider.exceptions import AmbiguousRequestError, InvalidParameterError, RequestRefusedError
from airflow_batch_provider.hooks.base import BatchApiHook
from airflow_batch_provider.hooks.llamacloud import LlamaCloudHook
from airflow_batch_provider.hooks.playment import PlaymentHook
from airflow_batch_provider.hooks.talkifai import TalkifAIHook
from tests.vendor_server import Answer, Asked, How, Script, VendorServer, in_turn, serve

PROJECT = {"project_id": "p", "organization_id": "o"}
CONTACTS = [{"phone": "+14155550101", "name": "N"}]
CONFIG = {"job_name": "parse_raw_file_job", "parameters": {"type": "parse"}}
WHEN = datetime(2026, 3, 1, 12, tzinfo=UTC)
ANSWER = {
    "id": "x",
    "job_id": "x",
    "batchJobId": "x",
    "data": {"batch_id": "x", "job_id": "x"},
}

Call = Callable[[Any], dict[str, Any]]

CALLS: dict[str, tuple[type[BatchApiHook], Call, str, dict[str, Any] | None, bool]] = {
    "playment batch": (
        PlaymentHook,
        lambda hook: hook.create_batch("p", "Cats", "About cats"),
        "POST /v1/projects/p/batch",
        {"name": "Cats", "description": "About cats"},
        True,
    ),
    "playment job": (
        PlaymentHook,
        lambda hook: hook.create_job("p", "b", reference_id="r", work_flow_id="w", data={"a": 1}, priority_weight=2),
        "POST /v1/projects/p/jobs",
        {"reference_id": "r", "work_flow_id": "w", "data": {"a": 1}, "batch_id": "b", "priority_weight": 2},
        True,
    ),
    "playment job of the default batch": (
        PlaymentHook,
        lambda hook: hook.create_job(None, None, reference_id="r", work_flow_id="w", data={"a": 1}),
        "POST /v1/projects/mine/jobs",
        {"reference_id": "r", "work_flow_id": "w", "data": {"a": 1}},
        True,
    ),
    "directory": (
        LlamaCloudHook,
        lambda hook: hook.create_directory("d", description="x", **PROJECT),
        "POST /api/v1/beta/directories?project_id=p&organization_id=o",
        {"name": "d", "type": "user", "description": "x"},
        True,
    ),
    "file that is there": (
        LlamaCloudHook,
        lambda hook: hook.add_file("dir", "f", unique_id="u", display_name="d", metadata={"a": 1}, **PROJECT),
        "POST /api/v1/beta/directories/dir/files?project_id=p&organization_id=o",
        {"file_id": "f", "unique_id": "u", "display_name": "d", "metadata": {"a": 1}},
        True,
    ),
    "configuration": (
        LlamaCloudHook,
        lambda hook: hook.save_configuration("c", {"product_type": "parse_v2"}, **PROJECT),
        "POST /api/v1/beta/configurations?project_id=p&organization_id=o",
        {"name": "c", "parameters": {"product_type": "parse_v2"}},
        False,
    ),
    "batch": (
        LlamaCloudHook,
        lambda hook: hook.create_batch(
            source_directory_id="dir", job_type="parse_v2", configuration_id="cfg", **PROJECT
        ),
        "POST /api/v2/batches?project_id=p&organization_id=o",
        {"source_directory_id": "dir", "config": {"job": {"type": "parse_v2", "configuration_id": "cfg"}}},
        True,
    ),
    "cancelled batch": (
        LlamaCloudHook,
        lambda hook: hook.cancel_batch("b/1", **PROJECT),
        "POST /api/v2/batches/b%2F1/cancel?project_id=p&organization_id=o",
        None,
        False,
    ),
    "processing job": (
        LlamaCloudHook,
        lambda hook: hook.create_batch_processing_job(directory_id="dir", job_config=CONFIG, **PROJECT),
        "POST /api/v1/beta/batch-processing?project_id=p&organization_id=o",
        {"directory_id": "dir", "job_config": CONFIG},
        True,
    ),
    "cancelled processing job": (
        LlamaCloudHook,
        lambda hook: hook.cancel_batch_processing_job("j", **PROJECT),
        "POST /api/v1/beta/batch-processing/j/cancel?project_id=p&organization_id=o",
        {},
        False,
    ),
    "calling job": (
        TalkifAIHook,
        lambda hook: hook.create_batch_job(
            name="n",
            contacts=CONTACTS,
            from_phone_number_id="f",
            description="d",
            concurrent_call_limit=5,
            max_attempts=2,
            scheduled_start_time=WHEN,
        ),
        "POST /batch/create",
        {
            "name": "n",
            "fromPhoneNumberId": "f",
            "contacts": CONTACTS,
            "description": "d",
            "concurrentCallLimit": 5,
            "maxAttempts": 2,
            "scheduledStartTime": "2026-03-01T12:00:00",
            "timezone": "UTC",
        },
        True,
    ),
    "started job": (
        TalkifAIHook,
        lambda hook: hook.start_batch_job("j"),
        "POST /batch/jobs/j/start",
        None,
        False,
    ),
    "rescheduled job": (
        TalkifAIHook,
        lambda hook: hook.reschedule_batch_job("j", "2026-03-01T13:00:00+01:00"),
        "PATCH /batch/jobs/j/reschedule?scheduledStartTime=2026-03-01T12%3A00%3A00&timezone=UTC",
        None,
        False,
    ),
    "cancelled job": (
        TalkifAIHook,
        lambda hook: hook.cancel_batch_job("j"),
        "POST /batch/jobs/j/cancel",
        None,
        False,
    ),
}
EACH = pytest.mark.parametrize("name", CALLS)


@contextmanager
def serving(hook: type[BatchApiHook], script: Script, monkeypatch: pytest.MonkeyPatch) -> Iterator[VendorServer]:
    with serve(script) as server:
        extra = {"project_id": "mine"} if hook is PlaymentHook else {}
        connection = {"conn_type": hook.conn_type, "host": server.url, "password": "k", "extra": extra}
        monkeypatch.setenv(f"AIRFLOW_CONN_{hook.conn_type.upper()}_DEFAULT", json.dumps(connection))
        yield server


def call(
    hook: type[BatchApiHook], do: Call, monkeypatch: pytest.MonkeyPatch, *answers: Answer
) -> tuple[Any, list[Asked]]:
    """Call a method; return its answer or its error, and what was sent."""
    ok = Answer(body=json.dumps(ANSWER).encode())
    with serving(hook, in_turn(*answers, ok), monkeypatch) as server:
        try:
            return do(hook()), server.asked  # type: ignore[call-arg]
        except (AmbiguousRequestError, InvalidParameterError, RequestRefusedError) as error:
            return error, server.asked


@EACH
def test_a_method_sends_what_is_documented(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    hook, do, address, body, _ = CALLS[name]
    answer, (asked,) = call(hook, do, monkeypatch)
    assert f"{asked.method} {asked.target}" == address
    assert (json.loads(asked.body) if asked.body else None) == body
    assert answer == (ANSWER["data"] if hook is PlaymentHook else ANSWER)


@EACH
@pytest.mark.parametrize("lost", [Answer(503), Answer(how=How.CLOSE)], ids=["503", "closed"])
def test_what_creates_is_sent_once_and_the_rest_again(
    name: str, lost: Answer, monkeypatch: pytest.MonkeyPatch, pauses: list[float]
) -> None:
    hook, do, _, _, is_sent_once = CALLS[name]
    answer, asked = call(hook, do, monkeypatch, lost)
    assert isinstance(answer, AmbiguousRequestError) is is_sent_once
    assert len(asked) == (1 if is_sent_once else 2)


@EACH
def test_what_is_refused_is_sent_once(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    hook, do, _, _, _ = CALLS[name]
    answer, asked = call(hook, do, monkeypatch, Answer(422))
    assert isinstance(answer, RequestRefusedError)
    assert len(asked) == 1


WRONG: dict[str, tuple[type[BatchApiHook], Call, str]] = {
    "no name": (PlaymentHook, lambda hook: hook.create_batch("p", " "), "playment.create_batch: name=' '"),
    "no data": (
        PlaymentHook,
        lambda hook: hook.create_job("p", "b", reference_id="r", work_flow_id="w", data="x"),
        "playment.create_job: data='x' is not allowed",
    ),
    "a wrong type of directory": (
        LlamaCloudHook,
        lambda hook: hook.create_directory("d", type="index"),
        "type='index' is not allowed; allowed is one of 'user', 'ephemeral'",
    ),
    "a wrong type of job": (
        LlamaCloudHook,
        lambda hook: hook.create_batch(source_directory_id="d", job_type="classify", configuration_id="c"),
        "job_type='classify' is not allowed",
    ),
    "no configuration": (
        LlamaCloudHook,
        lambda hook: hook.create_batch(source_directory_id="d", job_type="parse_v2", configuration_id=""),
        "configuration_id='' is not allowed",
    ),
    "a long name of a configuration": (
        LlamaCloudHook,
        lambda hook: hook.save_configuration("x" * 256, {}),
        "of 255 characters at most",
    ),
    "a config that is none": (
        LlamaCloudHook,
        lambda hook: hook.create_batch_processing_job(directory_id="d", job_config="parse"),
        "job_config='parse' is not allowed",
    ),
    "a long name": (
        TalkifAIHook,
        lambda hook: hook.create_batch_job(name="x" * 201, contacts=CONTACTS, from_phone_number_id="f"),
        "of 200 characters at most",
    ),
    "a wrong number": (
        TalkifAIHook,
        lambda hook: hook.create_batch_job(name="n", contacts=[{"phone": "0155501"}], from_phone_number_id="f"),
        "talkifai.create_batch_job: 1 of 1 contacts have no phone in the form of E.164",
    ),
    "a number twice": (
        TalkifAIHook,
        lambda hook: hook.create_batch_job(name="n", contacts=CONTACTS * 2, from_phone_number_id="f"),
        "1 of 2 contacts have the phone of one before them: rows 2.",
    ),
    "nobody to call": (
        TalkifAIHook,
        lambda hook: hook.create_batch_job(name="n", contacts=[], from_phone_number_id="f"),
        "There are no contacts; allowed is 1 to 10000.",
    ),
    "too many at a time": (
        TalkifAIHook,
        lambda hook: hook.create_batch_job(
            name="n", contacts=CONTACTS, from_phone_number_id="f", concurrent_call_limit=51
        ),
        "allowed is a whole number from 1 to 50",
    ),
    "no time": (
        TalkifAIHook,
        lambda hook: hook.reschedule_batch_job("j", "tomorrow"),
        "scheduled_start_time='tomorrow' is not allowed",
    ),
    "no job": (TalkifAIHook, lambda hook: hook.start_batch_job(".."), "batch_job_id='..' is not allowed"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_would_be_refused_is_not_sent(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    hook, do, expected = WRONG[name]
    answer, asked = call(hook, do, monkeypatch)
    assert isinstance(answer, InvalidParameterError)
    assert expected in str(answer)
    assert not asked
    assert "0155501" not in str(answer)
    assert CONTACTS[0]["phone"] not in str(answer)


# A file is streamed.


def upload(path: Any, **values: Any) -> Call:
    return lambda hook: hook.upload_file("dir", path, **values)


def test_a_file_is_uploaded_as_a_form(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "a.pdf"
    file.write_bytes(b"%PDF content")
    do = upload(file.as_uri(), unique_id="u", display_name="d", metadata={"a": 1}, **PROJECT)
    answer, (asked,) = call(LlamaCloudHook, do, monkeypatch)
    assert answer == ANSWER
    assert asked.target == "/api/v1/beta/directories/dir/files/upload?project_id=p&organization_id=o"
    assert asked.headers["Content-Type"].startswith("multipart/form-data; boundary=")
    for part in (b'name="unique_id"', b'name="display_name"', b'{"a": 1}', b'filename="a.pdf"', b"%PDF content"):
        assert part in asked.body


@pytest.mark.parametrize("as_uri", [True, False])
def test_an_upload_is_sent_once(as_uri: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "a.pdf"
    file.write_bytes(b"x")
    do = upload(file.as_uri() if as_uri else str(file))
    answer, asked = call(LlamaCloudHook, do, monkeypatch, Answer(how=How.CLOSE))
    assert isinstance(answer, AmbiguousRequestError)
    assert len(asked) == 1


# Listings that submitting needs.


def test_directories_and_their_files_are_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    page = Answer(body=b'{"items": [{"id": "x"}]}')
    with serving(LlamaCloudHook, in_turn(page), monkeypatch) as server:
        hook = LlamaCloudHook()
        rows = [
            *hook.iter_directories(name="n", include_deleted=True, **PROJECT),
            *hook.iter_directory_files("d", unique_id="u"),
        ]
        assert rows == [{"id": "x"}] * 2
        first, second = server.asked
    assert first.query == {"name": "n", "include_deleted": "true", "page_size": "100", **PROJECT}
    assert (second.path, second.query) == (
        "/api/v1/beta/directories/d/files",
        {"unique_id": "u", "page_size": "100"},
    )
