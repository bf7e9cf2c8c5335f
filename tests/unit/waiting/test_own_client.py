"""A hook that makes its client in a way of its own is used wherever something waits."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from collections.abc import Iterator
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import TaskDeferred
from msgspec.structs import replace

from airflow_batch_provider.apis.auth import Credentials
from airflow_batch_provider.apis.request import Request
from airflow_batch_provider.client.client import Client
from airflow_batch_provider.exceptions import InvalidParameterError
from airflow_batch_provider.hooks.llamacloud import LlamaCloudHook
from airflow_batch_provider.sensors.llamacloud import LlamaCloudBatchSensor
from airflow_batch_provider.triggers.batch import BatchFinishedEventTrigger, BatchStatusTrigger
from tests.unit.waiting.fake_vendor import BATCH, FakeVendor, event_of, serving, trigger

SECRET, TOKEN = "the-secret-key", "a-token-for-the-secret"


class ExchangingHook(LlamaCloudHook):
    """Exchanges the client secret of the connection for a token, as OAuth2 does."""

    def get_conn(self) -> Client:
        client = super().get_conn()
        assert client.settings.credentials.secret == SECRET
        return Client(client.vendor, dataclasses.replace(client.settings, credentials=Credentials(TOKEN)))


def exchanged(request: Request, credentials: Credentials, renew: bool) -> dict[str, str]:
    assert credentials.secret == SECRET
    return {"Authorization": f"Bearer {TOKEN}"}


class AuthenticatingHook(LlamaCloudHook):
    """Declares another authentication for the vendor."""

    vendor = replace(LlamaCloudHook.vendor, auth=exchanged)


class ExchangingSensor(LlamaCloudBatchSensor):
    hook_class = ExchangingHook


class AuthenticatingSensor(LlamaCloudBatchSensor):
    hook_class = AuthenticatingHook


HOOKS = pytest.mark.parametrize("sensor_class", [ExchangingSensor, AuthenticatingSensor])


@pytest.fixture
def vendor() -> Iterator[FakeVendor]:
    with serving(BATCH, "a") as running:
        yield running
        keys = {asked.headers["Authorization"] for asked in running.server.asked}
        assert keys == {f"Bearer {TOKEN}"}


def deferred(sensor_class: type[LlamaCloudBatchSensor]) -> BatchStatusTrigger:
    """Return the trigger that the sensor defers to, as the triggerer makes it."""
    sensor = sensor_class(task_id="wait", batch_id="a", poke_interval=0.02, deferrable=True)
    with pytest.raises(TaskDeferred) as signal:
        sensor.execute({})
    return BatchStatusTrigger(**json.loads(json.dumps(signal.value.trigger.serialize()[1])))


@HOOKS
def test_a_sensor_on_the_worker_uses_it(vendor: FakeVendor, sensor_class: type[LlamaCloudBatchSensor]) -> None:
    vendor.finish("a")
    assert sensor_class(task_id="wait", batch_id="a", poke_interval=0.02).execute({})["id"] == "a"


@HOOKS
def test_a_deferred_wait_uses_it(vendor: FakeVendor, sensor_class: type[LlamaCloudBatchSensor]) -> None:
    waiting = deferred(sensor_class)
    assert waiting.hook == f"{__name__}.{sensor_class.hook_class.__name__}"
    vendor.finish("a")
    assert asyncio.run(event_of(waiting))["error"] is None


@HOOKS
def test_a_watcher_uses_it(vendor: FakeVendor, sensor_class: type[LlamaCloudBatchSensor]) -> None:
    vendor.finish("a")
    path = f"{__name__}.{sensor_class.hook_class.__name__}"
    watcher = BatchFinishedEventTrigger(kind=BATCH, connection_id="llamacloud_default", hook=path)

    async def poll() -> list[tuple[str, dict[str, Any]]]:
        return await anext(BatchFinishedEventTrigger.open_shared_stream(watcher.serialize()[1]))

    assert [batch_id for batch_id, _ in asyncio.run(poll())] == ["a"]


def test_a_hook_that_the_triggerer_could_not_import_fails_on_the_worker(vendor: FakeVendor) -> None:
    class LocalHook(ExchangingHook):
        def get_conn(self) -> Client:
            return super().get_conn()

    class LocalSensor(LlamaCloudBatchSensor):
        hook_class = LocalHook

    sensor = LocalSensor(task_id="wait", batch_id="a", deferrable=True)
    with pytest.raises(InvalidParameterError, match=r"hook='.*LocalHook' is not allowed.*every worker and triggerer"):
        sensor.execute({})


@pytest.mark.parametrize("path", ["json.JSONDecoder", f"{__name__}.TOKEN"])
def test_what_is_no_hook_ends_a_wait_with_a_clear_message(path: str) -> None:
    with serving(BATCH, "a"):
        event = asyncio.run(event_of(trigger("a", BATCH, hook=path)))
    assert event["error"] == "InvalidParameterError"
    assert event["message"].startswith(f"hook={path!r} is not allowed; allowed is the import path of a hook")


def test_a_hook_that_makes_no_client_of_its_own_need_not_be_importable() -> None:
    class Renamed(LlamaCloudHook):
        """Adds nothing to how the client is made."""

    class RenamedSensor(LlamaCloudBatchSensor):
        hook_class = Renamed

    with serving(BATCH, "a"), pytest.raises(TaskDeferred) as signal:
        RenamedSensor(task_id="wait", batch_id="a", deferrable=True).execute({})
    assert signal.value.trigger.serialize()[1]["hook"] is None
