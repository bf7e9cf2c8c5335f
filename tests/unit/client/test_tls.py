"""Certificates are verified unless the connection says otherwise, and then that is said."""

from __future__ import annotations

import logging
import socketserver
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from airflow_batch_provider.client.client import Client
from airflow_batch_provider.exceptions import ConnectionSettingsError, TransientError, UnexpectedResponseError
from airflow_batch_provider.vendors import llamacloud
from tests.certificates import make_certificate, server_context
from tests.hostile_server import HostileServer, answer, attack, say
from tests.unit.connected import Connect

PAGE = say(answer(b'{"items":[{"id":"a"}]}'))


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def server(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HostileServer]:
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    with attack(PAGE, server_context(certificate)) as running:
        yield running


def ask(client: Client) -> int:
    return len(client.send(llamacloud.BATCHES.request({}), llamacloud.BATCHES.page).rows)


def test_a_certificate_that_nobody_vouches_for_is_refused_before_the_key_is_sent(
    server: HostileServer, connect: Connect, pauses: list[float]
) -> None:
    with pytest.raises(ConnectionSettingsError, match="showed a certificate that does not verify"):
        ask(connect(llamacloud.VENDOR, server.url))
    assert (server.asked, pauses) == ([], [])


def test_a_certificate_that_the_environment_vouches_for_is_taken(
    server: HostileServer, connect: Connect, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    assert ask(connect(llamacloud.VENDOR, server.url)) == 1


def test_a_certificate_of_another_name_is_refused(
    server: HostileServer, connect: Connect, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    with pytest.raises(ConnectionSettingsError):
        ask(connect(llamacloud.VENDOR, f"https://localhost:{server.port}"))
    assert server.asked == []


def test_whoever_turns_verification_off_is_warned_once_per_client(
    server: HostileServer, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    client = connect(llamacloud.VENDOR, server.url, verify_tls=False)
    assert [ask(client), ask(client)] == [1, 1]
    (warning,) = [record for record in caplog.records if "does not verify the certificate" in record.getMessage()]
    assert warning.levelno == logging.WARNING
    assert "'my_connection'" in warning.getMessage()


def test_nobody_is_warned_where_certificates_are_verified(connect: Connect, caplog: pytest.LogCaptureFixture) -> None:
    connect(llamacloud.VENDOR, "https://api.invalid")
    assert not caplog.records


class _Plain(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        self.request.recv(65536)
        self.request.sendall(answer(status=400))


def test_a_server_without_tls_is_named_as_one(connect: Connect, pauses: list[float]) -> None:
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Plain) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        with pytest.raises(TransientError, match=r"speaks no TLS: if this is intended, begin host .* with http://"):
            ask(connect(llamacloud.VENDOR, f"https://127.0.0.1:{server.server_address[1]}"))
        server.shutdown()


def test_a_redirect_from_https_to_http_is_not_followed(server: HostileServer, connect: Connect) -> None:
    with attack(PAGE) as plain:
        server.script = say(answer(b"", 302, Location=f"{plain.url}/x"))
        with pytest.raises(UnexpectedResponseError, match="redirects to http://"):
            ask(connect(llamacloud.VENDOR, server.url, verify_tls=False))
    assert plain.asked == []
