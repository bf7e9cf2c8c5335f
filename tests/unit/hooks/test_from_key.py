"""Hooks made from an API key alone, as in a notebook."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from airflow_batch_provider.exceptions import BatchProviderError
from airflow_batch_provider.hooks.base import BatchApiHook
from airflow_batch_provider.hooks.llamacloud import LlamaCloudHook
from airflow_batch_provider.hooks.playment import PlaymentHook
from airflow_batch_provider.hooks.talkifai import TalkifAIHook
from airflow_batch_provider.sandbox import Sandbox, Settings, serve

ROOT = Path(__file__).parents[3]
SECRET = "llx-7f3kQ2v"

HOOKS: dict[str, type[BatchApiHook]] = {
    "playment": PlaymentHook,
    "llamacloud": LlamaCloudHook,
    "talkifai": TalkifAIHook,
}
LISTED: dict[str, Callable[[Any], Iterator[dict[str, Any]]]] = {
    "playment": lambda hook: hook.iter_batches(),
    "llamacloud": lambda hook: hook.iter_batches(),
    "talkifai": lambda hook: hook.iter_batch_jobs(),
}
CREATED: dict[str, Callable[[Any], dict[str, Any]]] = {
    "playment": lambda hook: hook.create_batch(None, "Streets"),
    "llamacloud": lambda hook: hook.create_directory("invoices"),
    "talkifai": lambda hook: hook.create_batch_job(
        name="Renewals",
        from_phone_number_id="phone_0",
        contacts=[{"phone": "+4930123456"}],
        scheduled_start_time="2100-01-01T09:00:00Z",
    ),
}


@pytest.fixture(scope="module")
def running() -> Iterator[Sandbox]:
    """The three vendors, to which no Airflow connection leads."""
    with serve(Settings(jobs=24)) as running:
        yield running


def hook_for(vendor: str, running: Sandbox) -> BatchApiHook:
    facts = running.how_to[vendor]
    extras = {name: facts[name] for name in HOOKS[vendor].vendor.extras if name in facts}
    return HOOKS[vendor].from_key(facts["api_key"], host=running.url, **extras)


@pytest.mark.parametrize("vendor", HOOKS)
def test_a_hook_from_a_key_lists_and_creates(vendor: str, running: Sandbox) -> None:
    hook = hook_for(vendor, running)
    assert list(LISTED[vendor](hook))
    created = CREATED[vendor](hook)
    assert json.dumps(created)
    assert hook.test_connection()[0]


def test_without_a_host_a_hook_from_a_key_calls_the_vendor() -> None:
    assert LlamaCloudHook.from_key(SECRET).get_conn().settings.base_url == "https://api.cloud.llamaindex.ai"
    eu = LlamaCloudHook.from_key(SECRET, region="eu", requests_per_minute=60).get_conn().settings
    assert (eu.base_url, eu.requests_per_minute) == ("https://api.cloud.eu.llamaindex.ai", 60)


@pytest.mark.parametrize(
    ("key", "extras", "message"),
    [
        ("llx-1", {"regoin": "eu"}, "'LlamaCloudHook.from_key()' has an unknown extra 'regoin'"),
        ("llx-1", {"region": "asia"}, "Extra 'region' of connection 'LlamaCloudHook.from_key()' is 'asia'"),
        ("", {}, "Connection 'LlamaCloudHook.from_key()' has no API key"),
    ],
)
def test_what_is_wrong_with_the_arguments_is_named(key: str, extras: dict[str, Any], message: str) -> None:
    with pytest.raises(BatchProviderError, match="from_key") as caught:
        LlamaCloudHook.from_key(key, **extras).get_conn()
    assert message in str(caught.value)


def test_neither_the_hook_nor_its_client_nor_an_error_shows_the_key(running: Sandbox) -> None:
    hook = LlamaCloudHook.from_key(SECRET, host=running.url)
    with pytest.raises(BatchProviderError) as caught:
        list(hook.iter_batches())
    client = hook.get_conn()
    shown = [repr(hook), str(hook), repr(client), repr(vars(client)), *traceback.format_exception(caught.value)]
    assert SECRET not in "".join(shown)


def test_importing_a_hook_creates_no_settings_file_and_no_database(tmp_path: Path) -> None:
    code = "from airflow_batch_provider.hooks.llamacloud import LlamaCloudHook; LlamaCloudHook.from_key('llx-1')"
    environment = {**os.environ, "AIRFLOW_HOME": str(tmp_path / "home")}
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT, env=environment)
    assert [path.name for path in (tmp_path / "home").rglob("*")] in ([], ["logs"])
