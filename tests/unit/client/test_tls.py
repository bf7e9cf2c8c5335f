"""Certificates are verified unless the connection says otherwise, and then that is said."""

from __future__ import annotations

import ipaddress
import logging
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from airflow_batch_provider.client.client import Client
from airflow_batch_provider.exceptions import ConnectionSettingsError, UnexpectedResponseError
from airflow_batch_provider.vendors import llamacloud
from tests.hostile_server import HostileServer, answer, attack, say
from tests.unit.connected import Connect

PAGE = say(answer(b'{"items":[{"id":"a"}]}'))


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate of 127.0.0.1 that signs itself, with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "nobody you know")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False)
        .add_extension(x509.BasicConstraints(True, None), True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "certificate.pem"
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.write_bytes(private + made.public_bytes(Encoding.PEM))
    return path


@pytest.fixture
def server(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HostileServer]:
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with attack(PAGE, context) as running:
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


def test_a_redirect_from_https_to_http_is_not_followed(server: HostileServer, connect: Connect) -> None:
    with attack(PAGE) as plain:
        server.script = say(answer(b"", 302, Location=f"{plain.url}/x"))
        with pytest.raises(UnexpectedResponseError, match="redirects to http://"):
            ask(connect(llamacloud.VENDOR, server.url, verify_tls=False))
    assert plain.asked == []
