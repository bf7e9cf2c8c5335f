from __future__ import annotations

import socket
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from airflow_batch_provider.apis.request import Request
from airflow_batch_provider.apis.vendor import Vendor
from airflow_batch_provider.client import session
from airflow_batch_provider.exceptions import (
    BatchProviderError,
    ConnectionSettingsError,
    TransientError,
    UnexpectedResponseError,
)
from airflow_batch_provider.vendors import llamacloud, playment, talkifai
from tests.unit.connected import Connect, Start
from tests.vendor_server import Answer, How, in_turn, redirect

VENDORS = pytest.mark.parametrize(
    "vendor", [playment.VENDOR, llamacloud.VENDOR, talkifai.VENDOR], ids=lambda vendor: vendor.name
)
OK = Answer(200, b'{"ok":1}')
ASK = Request("/x", {"a": "b"})


def body(answer: Any) -> bytes:
    return bytes(answer.body)


@VENDORS
def test_the_key_travels_in_the_vendors_header_only(vendor: Vendor, start: Start, connect: Connect, key: str) -> None:
    server = start(in_turn(OK))
    connect(vendor, server.url).send(ASK, body)
    headers = dict(server.asked[0].headers)
    assert headers.pop(vendor.auth.header) == vendor.auth.prefix + key
    assert key not in str(headers) + server.asked[0].target


def test_requests_say_who_asks_and_for_what(start: Start, connect: Connect) -> None:
    server = start(in_turn(OK))
    connect(llamacloud.VENDOR, server.url).send(ASK, body)
    headers = server.asked[0].headers
    assert headers["Accept"] == "application/json"
    assert headers["User-Agent"].startswith("airflow-batch-provider/")


@pytest.mark.parametrize("base", ["", "/", "/prefix", "/prefix/v9/"])
def test_a_path_in_the_base_url_stands_before_every_path(base: str, start: Start, connect: Connect) -> None:
    server = start(in_turn(OK))
    connect(llamacloud.VENDOR, server.url + base).send(ASK, body)
    assert server.asked[0].target == base.rstrip("/") + "/x?a=b"


@pytest.mark.parametrize("text", ["/", "?", "#", "%", "%2F", "+", "=", " ", "ä漢", "&", "..", "'", "[", "a b+c", "\\"])
def test_odd_text_arrives_as_it_was_sent(text: str, start: Start, connect: Connect) -> None:
    server = start(in_turn(OK))
    client = connect(playment.VENDOR, server.url)
    client.send(Request("/x", {"page_token": text}), body)
    assert server.asked[0].query == {"page_token": text}
    values = {"project_id": f"{text}-1"}
    client.send(playment.BATCHES.request(values), body)
    assert server.asked[1].target == f"/v1/projects/{quote(values['project_id'], safe='')}/details"


@pytest.mark.parametrize("how", [How.PLAIN, How.CHUNKED, How.GZIP])
def test_every_common_transfer_is_read_whole(how: How, start: Start, connect: Connect) -> None:
    content = b'{"long":"' + b"x" * 200_000 + b'"}'
    server = start(in_turn(Answer(200, content, how=how)))
    client = connect(llamacloud.VENDOR, server.url)
    assert [client.send(ASK, body), client.send(ASK, body)] == [content, content]
    assert len({asked.connection for asked in server.asked}) == 1


def test_a_body_larger_than_any_page_is_not_read(
    start: Start, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "LARGEST_BODY", 1000)
    server = start(in_turn(Answer(200, b" " * 1_000_000, how=How.GZIP)))
    with pytest.raises(UnexpectedResponseError):
        connect(llamacloud.VENDOR, server.url).send(ASK, body)
    assert len(server.asked) == 1


@VENDORS
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_to_another_origin_is_not_followed(
    vendor: Vendor, status: int, start: Start, connect: Connect, pauses: list[float]
) -> None:
    elsewhere = start(in_turn(OK))
    server = start(in_turn(redirect(f"{elsewhere.url}/y?signature=abc", status)))
    with pytest.raises(UnexpectedResponseError) as failure:
        connect(vendor, server.url).send(ASK, body)
    assert (elsewhere.asked, len(server.asked), pauses) == ([], 1, [])
    assert f"redirects to {elsewhere.url}" in str(failure.value)
    assert "signature" not in str(failure.value)


@VENDORS
def test_another_name_of_the_same_port_is_another_origin(vendor: Vendor, start: Start, connect: Connect) -> None:
    server = start(in_turn(OK))
    server.restart(in_turn(redirect(f"http://localhost:{server.server_port}/y")))
    with pytest.raises(UnexpectedResponseError):
        connect(vendor, server.url).send(ASK, body)
    assert len(server.asked) == 1


@VENDORS
def test_a_redirect_without_a_scheme_may_leave_the_origin_too(vendor: Vendor, start: Start, connect: Connect) -> None:
    elsewhere = start(in_turn(OK))
    server = start(in_turn(redirect(f"//127.0.0.1:{elsewhere.server_port}/y")))
    with pytest.raises(UnexpectedResponseError):
        connect(vendor, server.url).send(ASK, body)
    assert elsewhere.asked == []


@VENDORS
def test_the_second_of_two_redirects_may_not_leave_either(vendor: Vendor, start: Start, connect: Connect) -> None:
    elsewhere = start(in_turn(OK))
    server = start(in_turn(redirect("/y"), redirect(f"{elsewhere.url}/z")))
    with pytest.raises(UnexpectedResponseError):
        connect(vendor, server.url).send(ASK, body)
    assert ([asked.path for asked in server.asked], elsewhere.asked) == (["/x", "/y"], [])


@VENDORS
@pytest.mark.parametrize("absolute", [True, False])
def test_a_redirect_within_the_origin_is_followed_with_the_key(
    vendor: Vendor, absolute: bool, start: Start, connect: Connect, key: str
) -> None:
    server = start(in_turn(OK))
    server.restart(in_turn(redirect((server.url if absolute else "") + "/y?c=d"), OK))
    assert connect(vendor, server.url).send(ASK, body) == OK.body
    assert [asked.target for asked in server.asked] == ["/x?a=b", "/y?c=d"]
    assert key in server.asked[1].headers[vendor.auth.header]


def test_a_circle_of_redirects_ends_in_a_settings_error(start: Start, connect: Connect) -> None:
    server = start(in_turn(redirect("/x")))
    with pytest.raises(ConnectionSettingsError, match="my_connection"):
        connect(llamacloud.VENDOR, server.url).send(ASK, body)
    assert len(server.asked) < 50


def test_the_fragment_of_a_redirect_is_not_told(start: Start, connect: Connect) -> None:
    server = start(in_turn(redirect("http://login.invalid/#access_token=abc")))
    with pytest.raises(UnexpectedResponseError) as failure:
        connect(llamacloud.VENDOR, server.url).send(ASK, body)
    assert "access_token" not in str(failure.value)


def test_the_credentials_of_a_redirect_are_not_told(start: Start, connect: Connect) -> None:
    server = start(in_turn(redirect("http://user:pa55@login.invalid/")))
    with pytest.raises(UnexpectedResponseError) as failure:
        connect(llamacloud.VENDOR, server.url).send(ASK, body)
    assert "pa55" not in str(failure.value)


@VENDORS
def test_netrc_does_not_replace_the_key(
    vendor: Vendor, start: Start, connect: Connect, key: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = start(in_turn(redirect("/y"), OK))
    for name in (".netrc", "_netrc"):
        (tmp_path / name).write_text("machine 127.0.0.1 login someone password else\n")
        (tmp_path / name).chmod(0o600)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    connect(vendor, server.url).send(ASK, body)
    for asked in server.asked:
        assert asked.headers[vendor.auth.header] == vendor.auth.prefix + key
        assert "Basic" not in str(asked.headers)


@pytest.fixture
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    return monkeypatch


@pytest.mark.parametrize("name", ["http_proxy", "HTTP_PROXY", "ALL_PROXY"])
def test_a_proxy_from_the_environment_is_used(
    name: str, start: Start, connect: Connect, no_proxies: pytest.MonkeyPatch
) -> None:
    proxy = start(in_turn(OK))
    no_proxies.setenv(name, proxy.url)
    client = connect(llamacloud.VENDOR, "http://vendor.invalid/prefix")
    assert client.send(llamacloud.BATCHES.request({"source_directory_id": "a/ä"}), body) == OK.body
    assert proxy.asked[0].target == (
        "http://vendor.invalid/prefix/api/v2/batches?page_size=100&source_directory_id=a%2F%C3%A4"
    )


@pytest.mark.parametrize("exempt", ["127.0.0.1", "*", "example.invalid, 127.0.0.1"])
def test_no_proxy_exempts_a_host(exempt: str, start: Start, connect: Connect, no_proxies: pytest.MonkeyPatch) -> None:
    server, proxy = start(in_turn(OK)), start(in_turn(OK))
    no_proxies.setenv("http_proxy", proxy.url)
    no_proxies.setenv("NO_PROXY", exempt)
    connect(llamacloud.VENDOR, server.url).send(ASK, body)
    assert (len(server.asked), proxy.asked) == (1, [])


def test_a_vendor_that_does_not_answer_in_time_may_pass(start: Start, connect: Connect, pauses: list[float]) -> None:
    server = start(in_turn(Answer(how=How.SILENT)))
    with pytest.raises(TransientError, match="my_connection"):
        connect(llamacloud.VENDOR, server.url, read_timeout=0.05, max_attempts=2).send(ASK, body)
    assert (len(server.asked), len(pauses)) == (2, 1)


def test_a_refused_connection_names_the_airflow_connection(connect: Connect, pauses: list[float]) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"  # bound, but it does not listen
        with pytest.raises(TransientError, match="my_connection") as failure:
            connect(llamacloud.VENDOR, url, max_attempts=3).send(ASK, body)
    assert len(pauses) == 2
    assert url in str(failure.value)
    assert "refused" in str(failure.value)
    assert not hasattr(failure.value, "retry_after")


@pytest.mark.parametrize("url", ["http://a b", "http://*.x"])
def test_a_base_url_that_is_none_is_a_settings_error(url: str, connect: Connect) -> None:
    with pytest.raises(BatchProviderError):
        connect(llamacloud.VENDOR, url).send(ASK, body)
