"""Where TalkifAI exports conversations, and by which header, the connection says; only one header has the key."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest

from airflow_batch_provider.hooks.talkifai import TalkifAIHook
from airflow_batch_provider.operators.talkifai import TalkifAIExportConversationsOperator
from airflow_batch_provider.vendors import talkifai
from tests.unit.connected import Start
from tests.vendor_server import Answer, VendorServer

KEY = "key-of-this-test"
ROOM = "outbound_+15550100"
HEADERS = {"bearer": ("Authorization", f"Bearer {KEY}"), "x-api-key": ("x-api-key", KEY)}
DEFAULT = "api/export/conversation/json"


def script(method: str, path: str, query: dict[str, str], headers: Mapping[str, str]) -> Answer:
    if method == "POST":
        return Answer(200, b'{"conversation": {"transcript": [1], "analysis": {"a": 1}}}')
    contact = {"id": "c", "status": "completed", "roomName": ROOM}
    listed = {"contacts": [contact], "contactsTotal": 1, "contactsPage": 1, "contactsPageSize": 500}
    return Answer(200, json.dumps({"id": "j", "status": "completed", "totalContacts": 1, **listed}).encode())


def connected(start: Start, monkeypatch: pytest.MonkeyPatch, extra: dict[str, str]) -> VendorServer:
    server = start(script)
    connection = {"conn_type": "talkifai", "host": server.url, "password": KEY, "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_TALKIFAI_DEFAULT", json.dumps(connection))
    return server


def keys_in(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if KEY in value}


@pytest.mark.parametrize("export_auth", [None, *talkifai.AUTHS])
@pytest.mark.parametrize("auth_header", [None, *talkifai.AUTHS])
@pytest.mark.parametrize("path", [None, *talkifai.EXPORT_PATHS])
def test_a_conversation_is_asked_for_at_the_path_and_with_the_header_of_the_connection(
    path: str | None, auth_header: str | None, export_auth: str | None, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    extra = {"export_path": path, "auth_header": auth_header, "export_auth": export_auth}
    server = connected(start, monkeypatch, {name: value for name, value in extra.items() if value})
    TalkifAIHook().get_conversation(ROOM)
    (asked,) = server.asked
    assert asked.path == f"/{path or DEFAULT}"
    assert keys_in(asked.headers) == dict([HEADERS[export_auth or auth_header or "bearer"]])
    kind = asked.headers["Content-Type"]
    assert kind.startswith("multipart/form-data" if path == "api/export/conversation" else "application/json")
    assert ROOM.encode() in asked.body
    assert ROOM not in asked.target


@pytest.mark.parametrize("path", talkifai.EXPORT_PATHS)
def test_an_export_uses_the_header_of_each_endpoint(
    path: str, start: Start, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    server = connected(start, monkeypatch, {"export_path": path, "export_auth": "x-api-key"})
    folder = tmp_path_factory.mktemp("export")
    task = TalkifAIExportConversationsOperator(task_id="t", destination=folder.as_uri(), batch_job_id="j")
    assert task.execute({})["outcomes"] == {"ok": 1}
    for asked in server.asked:
        assert keys_in(asked.headers) == dict([HEADERS["x-api-key" if asked.method == "POST" else "bearer"]])
    assert [asked.path for asked in server.asked if asked.method == "POST"] == [f"/{path}"]
