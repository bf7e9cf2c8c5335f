"""What stands between us and the vendor, or in its place: proxies, interim answers, other servers, other encodings."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from airflow_batch_provider.exceptions import (
    AuthenticationError,
    BatchProviderError,
    ConnectionSettingsError,
    NotFoundError,
    TransientError,
    UnexpectedResponseError,
)
from airflow_batch_provider.vendors import llamacloud, playment, talkifai
from tests.hostile_server import HostileServer, attack
from tests.unit.connected import Connect, Start
from tests.vendor_server import Answer, in_turn

LISTING = llamacloud.BATCHES
PAGE = b'{"items": [], "next_page_token": null}'
OK = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(PAGE), PAGE)
Say = Callable[[bytes], HostileServer]


@pytest.fixture
def say() -> Iterator[Say]:
    """Start a server that answers every request with bytes as they are."""
    with ExitStack() as stack:
        yield lambda answer: stack.enter_context(attack(lambda connection, head: connection.sendall(answer)))


@pytest.fixture
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy", "requests_ca_bundle", "curl_ca_bundle"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    return monkeypatch


def ask(connect: Connect, url: str, listing: Any = LISTING, **values: Any) -> Any:
    client = connect(listing.vendor, url, max_attempts=2)
    return client.send(listing.request(values), listing.page)


def failure(connect: Connect, url: str, listing: Any = LISTING, **values: Any) -> BatchProviderError:
    with pytest.raises(BatchProviderError) as raised:
        ask(connect, url, listing, **values)
    return raised.value


INTERIM = {
    "103": b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n",
    "102": b"HTTP/1.1 102 Processing\r\n\r\n",
    "100 and 103": b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\n",
    "several": b"HTTP/1.1 103 Early Hints\r\n\r\n" * 5,
    "one that nobody knows": b"HTTP/1.1 199 Nearly\r\nX: y\r\n\r\n",
}


@pytest.mark.parametrize("interim", INTERIM.values(), ids=INTERIM)
def test_interim_answers_are_skipped(interim: bytes, say: Say, connect: Connect) -> None:
    assert len(ask(connect, say(interim + OK).url).rows) == 0


@pytest.mark.parametrize("status", [201, 202, 203, 204, 205, 206, 226, 299])
def test_another_success_is_no_answer_to_a_get(status: int, start: Start, connect: Connect) -> None:
    error = failure(connect, start(in_turn(Answer(status, b""))).url)
    assert type(error) is UnexpectedResponseError
    assert f"HTTP {status}" in str(error)
    assert "Check host of connection" in str(error)


TUNNELS: dict[int, tuple[type[BatchProviderError], str]] = {
    407: (ConnectionSettingsError, "Put login and password of the proxy into HTTPS_PROXY"),
    403: (ConnectionSettingsError, "Let the proxy allow https://vendor.invalid"),
    405: (ConnectionSettingsError, "Let the proxy allow"),
    429: (TransientError, "Check HTTPS_PROXY"),
    502: (TransientError, "Check HTTPS_PROXY"),
    503: (TransientError, "Check HTTPS_PROXY"),
}


@pytest.mark.parametrize("status", TUNNELS)
def test_a_proxy_that_refuses_to_connect_is_named_as_one(
    status: int, say: Say, connect: Connect, no_proxies: pytest.MonkeyPatch, pauses: list[float]
) -> None:
    expected, advice = TUNNELS[status]
    proxy = say(b"HTTP/1.1 %d No\r\nContent-Length: 0\r\n\r\n" % status)
    no_proxies.setenv("https_proxy", proxy.url)
    error = failure(connect, "https://vendor.invalid")
    assert type(error) is expected
    assert "because of a proxy" in str(error)
    assert advice in str(error)
    assert len(proxy.asked) == (2 if expected is TransientError else 1)


def test_a_proxy_that_is_away_is_named_as_one(connect: Connect, no_proxies: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    for name, url in (("https_proxy", "https://vendor.invalid"), ("http_proxy", "http://vendor.invalid")):
        no_proxies.setenv(name, f"http://127.0.0.1:{port}")
        error = failure(connect, url)
        assert type(error) is TransientError
        assert "because of a proxy" in str(error)


def test_a_proxy_for_plain_http_that_wants_a_login_is_said(
    start: Start, connect: Connect, no_proxies: pytest.MonkeyPatch
) -> None:
    no_proxies.setenv("http_proxy", start(in_turn(Answer(407, b"<html>"))).url)
    error = failure(connect, "http://vendor.invalid")
    assert type(error) is ConnectionSettingsError
    assert "Put login and password of the proxy" in str(error)


@pytest.mark.parametrize("login", ["user:pa/ss", "user:pa@ss", "user:p%2Fss", "token", "user:"])
@pytest.mark.parametrize("port", [":9", ":99999", ":port", ""])
def test_a_proxys_login_is_never_shown(
    login: str, port: str, connect: Connect, no_proxies: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    no_proxies.setenv("https_proxy", f"http://{login}@127.0.0.1{port}")
    no_proxies.setenv("http_proxy", f"http://{login}@127.0.0.1{port}")
    for url in ("https://vendor.invalid", "http://vendor.invalid"):
        error = failure(connect, url)
        for secret in (login, login.partition(":")[2]):
            assert not secret or secret not in f"{error} {caplog.text}"


@pytest.mark.parametrize("name", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_certificates_that_are_not_there_are_named_at_once(
    name: str, connect: Connect, no_proxies: pytest.MonkeyPatch
) -> None:
    no_proxies.setenv(name, "/nowhere/ca.pem")
    error = failure(connect, "https://vendor.invalid")
    assert type(error) is ConnectionSettingsError
    assert "there are no certificates at /nowhere/ca.pem" in str(error)


def test_a_location_in_raw_utf_8_is_followed(connect: Connect) -> None:
    def script(connection: socket.socket, head: bytes) -> None:
        moved = "HTTP/1.1 307 Moved\r\nLocation: /größe/?ä=ö\r\nContent-Length: 0\r\n\r\n".encode()
        connection.sendall(OK if b"gr%C3%B6%C3%9Fe" in head else moved)

    with attack(script) as server:
        assert len(ask(connect, server.url).rows) == 0
        assert b"GET /gr%C3%B6%C3%9Fe/?%C3%A4=%C3%B6 " in server.asked[-1]


def test_headers_that_are_none_are_not_logged(
    say: Say, connect: Connect, key: str, caplog: pytest.LogCaptureFixture
) -> None:
    more = b"".join(b"X-%d: %s\r\n" % (number, b"y" * 60_000) for number in range(12))
    with caplog.at_level("DEBUG"):
        answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nno header " % len(PAGE) + key.encode() + b"\r\n" + more
        assert len(ask(connect, say(answer + b"\r\n" + PAGE).url).rows) == 0
    assert key not in caplog.text
    assert len(caplog.text) < 5000


def test_queries_are_not_logged_at_debug(start: Start, connect: Connect, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("DEBUG"):
        ask(connect, start(in_turn(Answer(200, PAGE))).url, source_directory_id="from-a-vendor")
    assert "GET /api/v2/batches" in caplog.text
    assert "from-a-vendor" not in caplog.text


BODIES = {
    "NaN": (b'{"items": [{"id": "a", "x": NaN}]}', "the body contains NaN"),
    "Infinity": (b'{"items": [{"id": "a", "x": -Infinity}]}', "the body contains -Infinity"),
    "UTF-16": (json.dumps({"items": []}).encode("utf-16"), "the body is UTF-16"),
    "UTF-16 without a mark": (json.dumps({"items": []}).encode("utf-16-le"), "the body is UTF-16"),
    "Latin-1": ('{"items": [{"id": "ä"}]}'.encode("latin-1"), "the body is not UTF-8, which JSON is, at byte 19"),
    "HTML": (b"<!doctype html>", "a page of HTML"),
    "nothing": (b" ", "the body is empty"),
    "half": (b'{"items": [', "or ends early"),
}


@pytest.mark.parametrize("body", BODIES)
def test_what_is_wrong_with_a_body_is_said(body: str, start: Start, connect: Connect) -> None:
    content, said = BODIES[body]
    assert said in str(failure(connect, start(in_turn(Answer(200, content), Answer(200, content))).url))


@pytest.mark.parametrize("status", [404, 405, 410])
def test_a_web_page_instead_of_not_found_means_another_server(status: int, start: Start, connect: Connect) -> None:
    error = failure(connect, start(in_turn(Answer(status, b"<html>Not Found</html>"))).url)
    assert type(error) is UnexpectedResponseError
    assert "a page of HTML" in str(error)
    assert "Check host of connection 'my_connection'" in str(error)


@pytest.mark.parametrize("status", [403, 404])
def test_a_refusal_says_which_ids_were_asked_for(status: int, start: Start, connect: Connect) -> None:
    expected = {403: AuthenticationError, 404: NotFoundError}[status]
    cases = (
        (talkifai.BATCH_JOBS, {"organization_id": "org-7"}, "organizationId=org-7"),
        (llamacloud.BATCHES, {"project_id": "p-7"}, "project_id=p-7"),
        (playment.BATCHES, {"project_id": "p-7"}, "/v1/projects/p-7/details"),
    )
    for listing, values, said in cases:
        error = failure(connect, start(in_turn(Answer(status, b'{"detail": "no"}'))).url, listing, **values)
        assert type(error) is expected
        assert said in str(error)
