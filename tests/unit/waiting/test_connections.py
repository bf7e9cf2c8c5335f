"""Connections that cannot be looked up, are wrong, or change while something waits."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from collections.abc import Callable
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowException, AirflowNotFoundException, BaseHook, Connection
from pytest_mock import MockerFixture

from airflow_batch_provider.apis.auth import Credentials
from airflow_batch_provider.client.client import Client
from airflow_batch_provider.exceptions import (
    ConnectionNotFoundError,
    ConnectionSettingsError,
    InvalidParameterError,
    TransientError,
)
from airflow_batch_provider.hooks.base import BatchApiHook
from airflow_batch_provider.hooks.llamacloud import LlamaCloudHook
from airflow_batch_provider.hooks.playment import PlaymentHook
from airflow_batch_provider.hooks.talkifai import TalkifAIHook
from airflow_batch_provider.operators.talkifai import (
    TalkifAICancelBatchJobOperator,
    TalkifAIExportBatchJobsOperator,
    TalkifAIExportConversationsOperator,
    TalkifAIFinishedBatchJobsOperator,
    TalkifAIRunBatchJobOperator,
)
from airflow_batch_provider.sensors.llamacloud import LlamaCloudBatchSensor
from airflow_batch_provider.sensors.talkifai import TalkifAIBatchJobSensor
from airflow_batch_provider.waiting import pollers
from tests.airflow_versions import extras_are_not_checked
from tests.unit.sensors.cases import CASES, MODES, wait
from tests.unit.waiting.fake_vendor import (
    BATCH,
    LISTED,
    PLAYMENT,
    TALKIFAI,
    event_of,
    poller,
    said,
    serving,
    states,
    trigger,
    until,
)

HOOKS: list[type[BatchApiHook]] = [PlaymentHook, LlamaCloudHook, TalkifAIHook]
MANY = [f"b{number}" for number in range(12)]


def set_connection(monkeypatch: pytest.MonkeyPatch, name: str, url: str, **changes: Any) -> None:
    connection = {"conn_type": name, "host": url, "password": "the-secret-key", **changes}
    monkeypatch.setenv(f"AIRFLOW_CONN_{name.upper()}_DEFAULT", json.dumps(connection))


def failing_lookups(monkeypatch: pytest.MonkeyPatch, failures: int) -> None:
    real, left = pollers.get_async_connection, [None] * failures

    async def flaky(connection_id: str) -> Any:
        if left:
            left.pop()
            raise AirflowNotFoundException(f"The conn_id `{connection_id}` isn't defined")
        return await real(connection_id)

    monkeypatch.setattr(pollers, "get_async_connection", flaky)


def test_a_secrets_backend_that_hiccups_ends_no_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    failing_lookups(monkeypatch, 3)
    with serving(TALKIFAI, *MANY) as vendor:
        vendor.finish(*MANY)

        async def wait_for_all() -> list[dict[str, Any]]:
            return await asyncio.gather(*(event_of(trigger(id_)) for id_ in MANY))

        assert {event["error"] for event in asyncio.run(wait_for_all())} == {None}


def test_a_connection_that_is_not_found_for_max_poll_failures_ends_the_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    failing_lookups(monkeypatch, 10**6)
    with serving(TALKIFAI, "a"):
        event = asyncio.run(event_of(trigger("a", max_poll_failures=3)))
    assert event["error"] == "TransientError"
    assert "3 polls in a row failed" in event["message"]
    assert "There is no connection 'talkifai_default'. Create it" in event["message"]


@pytest.mark.parametrize("hook", HOOKS)
def test_a_connection_that_is_not_found_may_be_there_at_the_next_try(hook: type[BatchApiHook]) -> None:
    with pytest.raises(TransientError, match="no connection 'nowhere'") as raised:
        hook("nowhere").get_conn()
    assert isinstance(raised.value, AirflowNotFoundException)
    assert f"type {hook.vendor.title}" in str(raised.value)
    assert f"""AIRFLOW_CONN_NOWHERE='{{"conn_type": "{hook.vendor.name}",""" in str(raised.value)


TASKS: dict[str, Callable[[], Any]] = {
    "exports a listing": lambda: TalkifAIExportBatchJobsOperator(
        task_id="t", destination="/tmp/x", talkifai_conn_id="no"
    ),
    "exports results": lambda: TalkifAIExportConversationsOperator(
        task_id="t", destination="/tmp/x", batch_job_id="a", talkifai_conn_id="no"
    ),
    "submits": lambda: TalkifAIRunBatchJobOperator(
        task_id="t",
        name="n",
        contacts=[{"phone": "+14155550123"}],
        from_phone_number_id="f",
        submit_key="k",
        talkifai_conn_id="no",
    ),
    "cancels": lambda: TalkifAICancelBatchJobOperator(task_id="t", batch_job_id="a", talkifai_conn_id="no"),
    "finds": lambda: TalkifAIFinishedBatchJobsOperator(task_id="t", exports="/tmp/x", talkifai_conn_id="no"),
    "waits": lambda: TalkifAIBatchJobSensor(
        task_id="t", batch_job_id="a", talkifai_conn_id="no", max_poll_failures=1, poke_interval=0.01
    ),
}


@pytest.mark.parametrize("case", TASKS)
def test_a_task_whose_connection_is_not_found_says_how_to_create_it(case: str) -> None:
    with pytest.raises(ConnectionNotFoundError, match=r"no connection 'no'\. Create it in .* AIRFLOW_CONN_NO="):
        TASKS[case]().execute({})


@pytest.mark.parametrize("error", [AirflowException("API_SERVER_ERROR"), ValueError("of a backend")])
def test_a_look_up_that_fails_otherwise_is_transient_too(error: Exception, mocker: MockerFixture) -> None:
    mocker.patch.object(BaseHook, "get_connection", side_effect=error)
    with pytest.raises(TransientError, match="Connection 'talkifai_default' cannot be read now"):
        TalkifAIHook().iter_batch_jobs()


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "another type": (
        {"conn_type": "http"},
        "is of type 'http', not '{}'. Give the task the id of a connection of type",
    ),
    "an extra that is no JSON": ({"extra": "region: eu"}, "extra of connection '{}_default' is not a JSON object"),
    "an extra that is cut short": (
        {"extra": '{"region": "eu"'},
        "extra of connection '{}_default' is not a JSON object",
    ),
    "an extra that is a list": ({"extra": "[1]"}, "extra of connection '{}_default' is not a JSON object"),
    "an extra that is null": ({"extra": "null"}, "extra of connection '{}_default' is not a JSON object"),
    "an extra that is a text": ({"extra": '"{}"'}, "extra of connection '{}_default' is not a JSON object"),
}

each_wrong_connection = pytest.mark.parametrize(
    "case", [pytest.param(case, marks=extras_are_not_checked if "extra" in case else ()) for case in WRONG]
)


@each_wrong_connection
@pytest.mark.parametrize("hook", HOOKS)
def test_a_wrong_connection_is_an_error_in_hooks(
    hook: type[BatchApiHook], case: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    changes, message = WRONG[case]
    set_connection(monkeypatch, hook.conn_type, "http://127.0.0.1:9", **changes)
    with pytest.raises(ConnectionSettingsError, match=message.replace("{}", hook.conn_type, 1)):
        hook().get_conn()
    assert hook().test_connection()[0] is False


@each_wrong_connection
@pytest.mark.parametrize("kind", [*LISTED, PLAYMENT])
def test_a_wrong_connection_ends_a_deferred_wait(kind: str, case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(kind, "a") as vendor:
        set_connection(monkeypatch, kind.partition(".")[0], vendor.server.url, **WRONG[case][0])
        assert asyncio.run(event_of(trigger("a", kind)))["error"] == "ConnectionSettingsError"
        assert vendor.server.asked == []


@extras_are_not_checked
@pytest.mark.parametrize("mode", MODES)
def test_a_wrong_connection_fails_a_sensor_in_each_mode(mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(TALKIFAI, "a") as vendor:
        set_connection(monkeypatch, "talkifai", vendor.server.url, extra="region: eu")
        with pytest.raises(ConnectionSettingsError):
            wait(mode, CASES["TalkifAIBatchJobSensor"])
        assert vendor.server.asked == []


@pytest.mark.parametrize("extra", [None, "", pytest.param(" ", marks=extras_are_not_checked), "{}"])
def test_a_connection_without_extras_is_fine(extra: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    set_connection(monkeypatch, "llamacloud", "http://127.0.0.1:9", extra=extra)
    assert LlamaCloudHook().get_conn().settings.max_attempts


def only_key(vendor: Any, key: str) -> None:
    """Let the vendor take one key alone."""
    vendor.fault = lambda path, query: (
        None if key in json.dumps(dict(vendor.server.asked[-1].headers)) else said(401, "revoked")
    )


@pytest.mark.parametrize("kind", [*LISTED, PLAYMENT])
@pytest.mark.parametrize("ids", [MANY[:1], MANY], ids=["one", "many"])
def test_a_key_that_is_replaced_while_something_waits_is_taken_up(
    kind: str, ids: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(kind, *ids) as vendor:

        async def wait_for_all() -> list[dict[str, Any]]:
            waiting = [asyncio.create_task(event_of(trigger(id_, kind))) for id_ in ids]
            await states(poller(kind), ids[0], 2)
            set_connection(monkeypatch, kind.partition(".")[0], vendor.server.url, password="another-key")
            only_key(vendor, "another-key")
            vendor.finish(*ids)
            return await asyncio.gather(*waiting)

        assert {event["error"] for event in asyncio.run(wait_for_all())} == {None}


def test_a_key_that_is_revoked_is_looked_up_once_in_a_poll_and_ends_the_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    looked_up = []
    real = pollers.get_async_connection

    async def counting(connection_id: str) -> Any:
        looked_up.append(connection_id)
        return await real(connection_id)

    monkeypatch.setattr(pollers, "get_async_connection", counting)
    with serving(TALKIFAI, *MANY) as vendor:

        async def wait_for_all() -> list[dict[str, Any]]:
            waiting = [asyncio.create_task(event_of(trigger(id_, scope={}))) for id_ in MANY]
            await until(lambda: set(MANY) <= set(vendor.singles))
            vendor.fault = lambda path, query: said(401, "revoked")
            return await asyncio.gather(*waiting)

        assert {event["error"] for event in asyncio.run(wait_for_all())} == {"AuthenticationError"}
    assert len(looked_up) < 5  # once in a poll, not once for each wait


class ExchangingHook(LlamaCloudHook):
    """Exchanges the secret for a token that expires."""

    issued = 0

    def get_conn(self) -> Client:
        type(self).issued += 1
        client = super().get_conn()
        token = Credentials(f"token-{self.issued}")
        return Client(client.vendor, dataclasses.replace(client.settings, credentials=token))


def test_a_token_that_expires_while_something_waits_is_exchanged_anew() -> None:
    with serving(BATCH, "a") as vendor:

        async def wait_for_it() -> dict[str, Any]:
            path = f"{__name__}.{ExchangingHook.__name__}"
            waiting = asyncio.create_task(event_of(trigger("a", BATCH, hook=path)))
            await until(lambda: len(vendor.server.asked) > 1)
            only_key(vendor, "token-2")
            vendor.finish("a")
            return await waiting

        assert asyncio.run(wait_for_it())["error"] is None


class DecryptingHook(LlamaCloudHook):
    """Reads connections in a way of its own, which only a worker can do."""

    @classmethod
    def get_connection(cls, conn_id: str) -> Connection:
        connection = super().get_connection(conn_id)
        connection.password = "decrypted"
        return connection


class DecryptingSensor(LlamaCloudBatchSensor):
    hook_class = DecryptingHook


def test_a_hook_that_reads_connections_itself_is_refused_where_the_triggerer_would_not_ask_it() -> None:
    with serving(BATCH, "a") as vendor:
        with pytest.raises(InvalidParameterError, match="DecryptingHook overrides get_connection"):
            DecryptingSensor(task_id="wait", batch_id="a", deferrable=True).execute({})
        vendor.finish("a")
        assert DecryptingSensor(task_id="wait", batch_id="a").execute({})["outcome"] == "succeeded"
        assert "decrypted" in str(vendor.server.asked[-1].headers)
