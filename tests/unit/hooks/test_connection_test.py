"""The test of a connection: it names what is missing, and speaks of "this connection"."""

from __future__ import annotations

import json
import socket
from typing import Any

import pytest

from airflow_batch_provider.hooks.base import BatchApiHook
from airflow_batch_provider.hooks.llamacloud import LlamaCloudHook
from airflow_batch_provider.hooks.playment import PlaymentHook
from airflow_batch_provider.hooks.talkifai import TalkifAIHook
from tests.airflow_versions import extras_are_not_checked

TEMPORARY = "x8fJ2kQ1"
"""Airflow's UI tests a copy of the connection under an id like this one."""

NEEDED: dict[str, tuple[type[BatchApiHook], dict[str, str]]] = {
    "Project ID": (PlaymentHook, {"project_id": "p"}),
    "Organization ID": (TalkifAIHook, {"organization_id": "o"}),
}
HOOKS = [(PlaymentHook, {"project_id": "p"}), (LlamaCloudHook, {}), (TalkifAIHook, {"organization_id": "o"})]


@pytest.fixture
def nobody() -> Any:
    """A URL at which nobody listens."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{closed.getsockname()[1]}"


def set_connection(monkeypatch: pytest.MonkeyPatch, hook: type[BatchApiHook], **fields: Any) -> None:
    connection = {"conn_type": hook.conn_type, "password": "the-secret-key", **fields}
    monkeypatch.setenv(f"AIRFLOW_CONN_{TEMPORARY.upper()}", json.dumps(connection))


@pytest.mark.parametrize("label", NEEDED)
def test_what_the_test_needs_and_the_connection_lacks_is_named_by_its_label(
    label: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    hook, _ = NEEDED[label]
    set_connection(monkeypatch, hook)
    assert hook(TEMPORARY).test_connection() == (False, f"Set {label} here to test this connection.")


def test_llamacloud_needs_nothing_but_the_key(nobody: str, monkeypatch: pytest.MonkeyPatch) -> None:
    set_connection(monkeypatch, LlamaCloudHook, host=nobody, extra={"max_attempts": 1})
    assert "Check host of this connection" in LlamaCloudHook(TEMPORARY).test_connection()[1]


FAULTS: dict[str, dict[str, Any]] = {
    "no key": {"password": ""},
    "a key with a blank": {"password": "two words"},
    "another type": {"conn_type": "http"},
    "an extra that is no JSON": {"extra": "region: eu"},
    "an unknown extra": {"extra": {"max_attempt": 1}},
    "an extra out of range": {"extra": {"max_attempts": 0}},
    "a host that is no URL": {"host": "ftp://x"},
    "a host that nobody answers at": {},
}


@pytest.mark.parametrize(
    "case",
    [pytest.param(case, marks=extras_are_not_checked if "no JSON" in case else ()) for case in FAULTS],
)
@pytest.mark.parametrize(("hook", "extra"), HOOKS, ids=lambda value: getattr(value, "__name__", ""))
def test_a_fault_is_one_of_this_connection(
    hook: type[BatchApiHook], extra: dict[str, str], case: str, nobody: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    changes = dict(FAULTS[case])
    if not isinstance(changes.get("extra"), str):
        changes["extra"] = {**extra, "max_attempts": 1, **changes.get("extra", {})}
    set_connection(monkeypatch, hook, **{"host": nobody, **changes})
    worked, message = hook(TEMPORARY).test_connection()
    assert not worked
    assert "this connection" in message.lower()
    assert TEMPORARY not in message


def test_an_id_that_is_unknown_is_named_by_the_test_too() -> None:
    worked, message = PlaymentHook("nowhere").test_connection()
    assert not worked
    assert "There is no connection 'nowhere'" in message
