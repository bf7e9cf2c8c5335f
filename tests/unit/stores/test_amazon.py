"""Certificates of an S3 server are verified as the connection and AWS_CA_BUNDLE say, as Airflow's S3Hook does."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from airflow_batch_provider.exceptions import BatchProviderError, DestinationError
from airflow_batch_provider.stores.destination import open_store
from airflow_batch_provider.testing import no_backoff
from tests.certificates import make_certificate, server_context
from tests.hostile_server import HostileServer, answer, attack

pytest.importorskip("s3fs")

Connect = Callable[..., None]


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def server(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HostileServer]:
    monkeypatch.delenv("AWS_CA_BUNDLE", raising=False)
    monkeypatch.setattr("airflow.sdk.io.store._STORE_CACHE", {})
    with attack(give_hello, server_context(certificate)) as running:
        yield running


def give_hello(connection: socket.socket, head: bytes) -> None:
    whole = answer(b"hello", ETag='"1"')
    connection.sendall(whole.removesuffix(b"hello") if head.startswith(b"HEAD") else whole)


@pytest.fixture
def connect(server: HostileServer, monkeypatch: pytest.MonkeyPatch) -> Connect:
    def connect(**extra: Any) -> None:
        once = {"retries": {"max_attempts": 0}}
        extra = {"endpoint_url": server.url, "region_name": "us-east-1", "config_kwargs": once, **extra}
        connection = {"conn_type": "aws", "login": "key", "password": "secret", "extra": extra}
        monkeypatch.setenv("AIRFLOW_CONN_TLS", json.dumps(connection))

    return connect


def test_a_certificate_that_nobody_vouches_for_is_refused(connect: Connect, server: HostileServer) -> None:
    connect()
    with pytest.raises(DestinationError, match="certificate verify failed"):
        open_store("s3://tls@raw/x").read("y")
    assert server.asked == []


@pytest.mark.parametrize("is_connected", [False, True])
@pytest.mark.parametrize("how", ["bundle", "off"])
def test_verify_of_the_connection_is_honoured(
    how: str, is_connected: bool, connect: Connect, server: HostileServer, certificate: Path
) -> None:
    if is_connected:  # somebody has used the connection in this process already, before verify was set
        connect()
        assert open_store("s3://tls@raw/x").fs.s3
    connect(verify=str(certificate) if how == "bundle" else False)
    assert open_store("s3://tls@raw/x").read("y") == b"hello"
    assert open_store("s3://raw/x", "tls").read("y") == b"hello"
    assert server.asked


def test_the_bundle_of_the_environment_is_honoured(
    connect: Connect, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect()
    monkeypatch.setenv("AWS_CA_BUNDLE", str(certificate))
    assert open_store("s3://tls@raw/x").read("y") == b"hello"


@pytest.mark.parametrize("where", ["connection", "environment"])
def test_a_bundle_that_is_not_there_is_named_at_once(
    where: str, connect: Connect, server: HostileServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect(**({"verify": "/nowhere/ca.pem"} if where == "connection" else {}))
    if where == "environment":
        monkeypatch.setenv("AWS_CA_BUNDLE", "/nowhere/ca.pem")
    with pytest.raises(DestinationError, match=r"no bundle of .* '/nowhere/ca\.pem'.*AWS_CA_BUNDLE"):
        open_store("s3://tls@raw/x")
    assert server.asked == []


def test_verify_beside_a_signer_names_the_variable_that_goes_with_it(connect: Connect) -> None:
    signer = {"signer": "S3V4RestSigner", "signer_uri": "http://127.0.0.1:1", "signer_token": "sesame"}
    connect(verify=False, service_config={"s3": signer})
    with pytest.raises(DestinationError, match="does not go with a signer; set AWS_CA_BUNDLE") as raised:
        open_store("s3://tls@raw/x")
    assert "sesame" not in str(raised.value)


@pytest.mark.parametrize("login", ["user:sesame", "user:sesa/me"])
@pytest.mark.parametrize("port", ["", ":9", ":99999", ":port"])
def test_the_login_in_an_endpoint_is_never_shown(login: str, port: str, monkeypatch: pytest.MonkeyPatch) -> None:
    name = f"endpoint_{abs(hash((login, port)))}"  # Airflow keeps the file system of a connection
    extra = {"endpoint_url": f"http://{login}@127.0.0.1{port}", "config_kwargs": {"retries": {"max_attempts": 1}}}
    connection = {"conn_type": "aws", "login": "k", "password": "s", "extra": extra}
    monkeypatch.setenv(f"AIRFLOW_CONN_{name.upper()}", json.dumps(connection))
    with no_backoff(), pytest.raises(BatchProviderError) as failure:
        open_store(f"s3://{name}@raw/x").read("_MANIFEST.json")
    assert "sesa" not in str(failure.value)
    if "/" in login or port in (":99999", ":port"):
        assert isinstance(failure.value, DestinationError)
