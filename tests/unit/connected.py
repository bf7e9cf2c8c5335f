"""A client of any vendor, connected to a scripted server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from airflow_batch_provider.apis.auth import Credentials
from airflow_batch_provider.apis.vendor import Vendor
from airflow_batch_provider.client.client import Client
from airflow_batch_provider.client.settings import Settings
from tests.vendor_server import Script, VendorServer, serve

KEY = "llx-Zm9v+YmFy/QmF6cXV4Q29ycmVjdEhvcnNl=="

Connect = Callable[..., Client]
Start = Callable[[Script], VendorServer]


def make_client(vendor: Vendor, url: str, **settings: Any) -> Client:
    return Client(
        vendor,
        Settings(
            **{
                "connection_id": "my_connection",
                "base_url": url,
                "auth": vendor.auth,
                "credentials": Credentials(settings.pop("api_key", KEY)),
                **settings,
            }
        ),
    )


@pytest.fixture
def key() -> str:
    """The API key of every client."""
    return KEY


@pytest.fixture
def start() -> Iterator[Start]:
    """Start a server with a script; it ends with the test."""
    with ExitStack() as stack:
        yield lambda script: stack.enter_context(serve(script))


@pytest.fixture
def connect(pauses: list[float]) -> Iterator[Connect]:
    """Make a client that does not sleep; it is closed with the test."""
    with ExitStack() as stack:

        def connected(vendor: Vendor, url: str, **settings: Any) -> Client:
            client = make_client(vendor, url, **settings)
            stack.callback(client.close)
            return client

        yield connected


@pytest.fixture(scope="module")
def shared_server() -> Iterator[VendorServer]:
    """A server for property tests, which set its script for each example."""
    with serve(lambda method, path, query, headers: pytest.fail("no script yet")) as server:
        yield server


@pytest.fixture(scope="module")
def shared_connect() -> Iterator[Connect]:
    """Make a client for a property test."""
    with ExitStack() as stack:

        def connected(vendor: Vendor, url: str, **settings: Any) -> Client:
            client = make_client(vendor, url, **settings)
            stack.callback(client.close)
            return client

        yield connected
