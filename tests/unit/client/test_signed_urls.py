"""Where the URLs of files may lead."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_batch_provider.client.download import (
    UnusableFileError,
)
from airflow_batch_provider.exceptions import (
    BatchProviderError,
    ConnectionSettingsError,
    TransientError,
)
from tests.certificates import make_certificate, server_context
from tests.hostile_server import HostileServer, answer, attack, say
from tests.unit.client.downloads import (
    CONTENT,
    PUBLIC,
    QUERY,
    SIGNATURE,
    VENDOR,
    Make,
    Names,
    Storage,
    Target,
    assert_unseen,
    failure,
    fetch,
    header,
    in_order,
    names,
)

REFUSED_URLS = {
    "": "is no URL",
    " ": "is no URL",
    "no url": "is neither https nor http",
    "/path": "is neither https nor http",
    "//host/path": "is neither https nor http",
    "file:///etc/passwd": "is neither https nor http",
    "ftp://files.example/a": "is neither https nor http",
    "data:text/plain,abc": "is neither https nor http",
    "gopher://files.example/": "is neither https nor http",
    "https:///path": "is no URL",
    "https://": "is no URL",
    "https:files.example": "is no URL",
    "https://?query": "is no URL",
    "https://user:pw@files.example/": "contains a login",
    "https://user@files.example/": "contains a login",
    "https://@files.example/": "contains a login",
    "https://files.example\\@evil.example/": "contains a login",
    "https://files.example\\.evil.example/": "is no URL",
    "https://files.example:99999/": "is no URL",
    "https://files.example:0/": "is no URL",
    "https://files.example:port/": "is no URL",
    "https://[::1/": "is no URL",
    "https://[files.example]/": "is no URL",
    "https://a b/": "is no URL",
    "https://a%20b/": "is no URL",
    "https://*.example/": "is no URL",
    f"https://{'a' * 64}.example/": "is no URL",
    "https://files.example/\ud800": "is no URL",
    "https://files.example/a\r\nX: y": "contains control characters",
    "https://files.example/\x00": "contains control characters",
    "https://files.example/\x7f": "contains control characters",
    "https://files.example/\x85": "contains control characters",
    "\thttps://files.example/": "contains control characters",
    f"https://files.example/{'a' * 16_384}": "is longer than 16384 characters",
    "http://files.example/": "is not https",
    "http://api.vendor.example:8080/": "is not https",
    "https://127.0.0.1/": "not public",
    "https://127.0.0.1:8443/": "not public",
    "https://10.0.0.1/": "not public",
    "https://172.16.0.1/": "not public",
    "https://192.168.1.1/": "not public",
    "https://169.254.169.254/latest/meta-data/": "not public",
    "https://100.64.0.1/": "not public",
    "https://0.0.0.0/": "not public",
    "https://255.255.255.255/": "not public",
    "https://224.0.0.1/": "not public",
    "https://240.0.0.1/": "not public",
    "https://[::1]/": "not public",
    "https://[::]/": "not public",
    "https://[fe80::1]/": "not public",
    "https://[fe80::1%25eth0]/": "not public",
    "https://[fd00:ec2::254]/": "not public",
    "https://[fec0::1]/": "not public",
    "https://[ff02::1]/": "not public",
    "https://[::ffff:127.0.0.1]/": "not public",
    "https://[::127.0.0.1]/": "not public",
    "https://[2002:7f00:1::]/": "not public",
    "https://[64:ff9b::7f00:1]/": "not public",
    "https://[64:ff9b::10.0.0.1]/": "not public",
    "https://2130706433/": "not public",
    "https://0x7f000001/": "not public",
    "https://0177.0.0.1/": "not public",
    "https://127.1/": "not public",
    "https://localhost/": "not public",
    "https://LOCALHOST./": "not public",
    "https://sub.localhost/": "not public",
}


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: Any, **kwargs: Any) -> Any:
        pytest.fail("a connection was opened")

    monkeypatch.setattr("urllib3.util.connection.create_connection", refuse)


@pytest.mark.usefixtures("no_network")
@pytest.mark.parametrize("proxied", [False, True], ids=["direct", "proxied"])
@pytest.mark.parametrize("url", REFUSED_URLS)
def test_such_a_url_is_refused_before_anything_is_sent(
    url: str, proxied: bool, make: Make, no_proxies: pytest.MonkeyPatch
) -> None:
    if proxied:
        no_proxies.setenv("https_proxy", "http://proxy.example:3128")
    no_proxies.setattr(socket, "getaddrinfo", names({"api.vendor.example": PUBLIC}))
    with pytest.raises(UnusableFileError) as refused:
        make("https://api.vendor.example").download(url, Target())
    assert refused.value.reason.startswith("its URL ")
    assert REFUSED_URLS[url] in refused.value.reason
    assert_unseen(refused.value, url.strip())


class _Elsewhere(socket.socket):
    """A socket that says it is connected to where its name leads."""

    peer = ("", 0)

    def getpeername(self) -> Any:
        return self.peer


class Internet:
    """Connects every name to one local server, as if that lay at the name's address."""

    def __init__(self, server: HostileServer, known: Names, monkeypatch: pytest.MonkeyPatch) -> None:
        self.connected: list[str] = []
        self._port = server.port
        self._real = socket.getaddrinfo
        self.resolve = names(known)
        monkeypatch.setattr(socket, "getaddrinfo", self.resolve)
        monkeypatch.setattr("urllib3.util.connection.create_connection", self.create_connection)

    def create_connection(self, address: tuple[str, int], timeout: Any = None, **options: Any) -> socket.socket:
        peer = self.resolve(*address)[0][4]
        self.connected.append(peer[0])
        plain = socket.socket()
        plain.connect(("127.0.0.1", self._port))
        found = _Elsewhere(fileno=plain.detach())
        found.peer = peer
        found.settimeout(5)
        return found


@pytest.fixture
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def server(certificate: Path) -> Iterator[HostileServer]:
    with attack(say(answer(CONTENT)), server_context(certificate)) as running:
        yield running


API = "https://api.vendor.example"
FILES = "https://files.example"


def test_a_public_host_is_asked_by_https(server: HostileServer, make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    internet = Internet(server, {"files.example": PUBLIC}, monkeypatch)
    target = Target()
    make(API, verify_tls=False).download(FILES + QUERY, target)
    assert (target.data, internet.connected) == (CONTENT, [PUBLIC])
    assert header(server.asked[0], "Host") == "files.example"


LOCAL = (
    "127.0.0.1",
    "10.1.2.3",
    "169.254.169.254",
    "100.64.0.1",
    "0.0.0.0",
    "224.0.0.1",
    "::1",
    "fe80::1",
    "fd00::1",
    "::ffff:10.0.0.1",
    "2002:a00:1::",
    "64:ff9b::a00:1",
)


@pytest.mark.parametrize("address", LOCAL)
def test_a_name_that_leads_inside_is_refused_before_a_byte_is_sent(
    address: str, server: HostileServer, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    internet = Internet(server, {"files.example": address, "api.vendor.example": PUBLIC}, monkeypatch)
    with pytest.raises(UnusableFileError, match="leads to an address that is not public") as refused:
        make(API, verify_tls=False).download(FILES + QUERY, Target())
    assert (internet.connected, server.asked) == ([], [])
    assert_unseen(refused.value)


@pytest.mark.parametrize(
    "address", ["64:ff9b::5db8:d822", "::ffff:93.184.216.34", "2606:2800:220:1:248:1893:25c8:1946"]
)
def test_public_addresses_within_ipv6_are_public(
    address: str, server: HostileServer, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    Internet(server, {"files.example": address}, monkeypatch)
    assert make(API, verify_tls=False).download(FILES + QUERY, Target()).size == len(CONTENT)


def test_one_address_inside_is_enough(server: HostileServer, make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    internet = Internet(server, {"files.example": (PUBLIC, "10.0.0.1"), "api.vendor.example": PUBLIC}, monkeypatch)
    with pytest.raises(UnusableFileError):
        make(API, verify_tls=False).download(FILES + QUERY, Target())
    assert internet.connected == []


@pytest.mark.parametrize("address", LOCAL)
def test_a_name_that_is_bound_again_meanwhile_is_refused_by_its_socket(
    address: str, certificate: Path, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    came: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        known = {"files.example": [PUBLIC, address], "api.vendor.example": PUBLIC}
        internet = Internet(SimpleNamespace(port=port), known, monkeypatch)  # type: ignore[arg-type]
        with pytest.raises(UnusableFileError, match="not public") as refused:
            make(API, verify_tls=False).download(FILES + QUERY, Target())
        connection, _ = listener.accept()
        with connection:
            came.append(connection.recv(100))
    assert internet.connected == [address]
    assert came == [b""]  # not even a TLS hello
    assert_unseen(refused.value)


REDIRECTS = {
    "https://10.0.0.1/": "not public",
    "http://files.example/": "is not https",
    "https://inside.example/": "not public",
    "https://user:pw@files.example/": "contains a login",
    "file:///etc/passwd": "is neither https nor http",
    "//localhost/x": "not public",
    "https://[": "is no URL",
}


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("location", REDIRECTS)
def test_a_redirect_is_checked_like_a_url(
    location: str, status: int, server: HostileServer, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = {"files.example": PUBLIC, "inside.example": "10.0.0.1", "api.vendor.example": PUBLIC}
    internet = Internet(server, known, monkeypatch)
    server.script = in_order(say(answer(b"", 302, Location="/second")), say(answer(b"", status, Location=location)))
    with pytest.raises(UnusableFileError) as refused:
        make(API, verify_tls=False).download(FILES + QUERY, Target())
    assert REDIRECTS[location] in refused.value.reason
    assert set(internet.connected) == {PUBLIC}
    assert_unseen(refused.value, location)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_followed(status: int, make: Make) -> None:
    script = in_order(
        say(answer(b"x", status, Location="next?größe=1#there".encode().decode("latin-1"))), say(answer(b"y"))
    )
    _, target, asked = fetch(make, script)
    assert target.data == b"y"
    assert asked[1].startswith(b"GET /bucket/next?gr%C3%B6%C3%9Fe=1 HTTP")


def test_redirects_have_an_end(make: Make) -> None:
    error, asked = failure(make, say(answer(b"", 302, Location="/again")))
    assert isinstance(error, UnusableFileError)
    assert error.reason == "its URL leads on more than 5 times"
    assert len(asked) == 6


def test_a_part_is_asked_for_along_redirects(make: Make) -> None:
    file = Storage(CONTENT, 1000)

    def script(connection: socket.socket, head: bytes) -> None:
        moved = say(answer(b"", 302, Location="/moved"))
        (file if b"/moved" in head else moved)(connection, head)

    _, target, asked = fetch(make, script)
    assert (target.data, target.restarts) == (CONTENT, 0)
    assert [header(head, "Range") for head in asked] == [None, None, "bytes=1000-", "bytes=1000-"]


APIS: dict[str, tuple[str, Names, str, Names, bool]] = {
    "its own origin by http": ("http://api.vendor.example", {}, "http://api.vendor.example/", {}, True),
    "another host by http": ("http://api.vendor.example", {}, "http://files.example/", {}, False),
    "an API inside": ("http://sandbox:80", {"sandbox": "172.18.0.2"}, "http://files.example/", {}, True),
    "from inside to inside": (
        "https://sandbox",
        {"sandbox": "172.18.0.2"},
        "https://files.example/",
        {"files.example": "10.0.0.1"},
        True,
    ),
    "from inside to link-local": (
        "https://sandbox",
        {"sandbox": "172.18.0.2"},
        "http://169.254.169.254/latest",
        {},
        False,
    ),
    "an API that is inside and outside": (
        "https://sandbox",
        {"sandbox": ("127.0.0.1", PUBLIC)},
        "https://files.example/",
        {"files.example": "10.0.0.1"},
        False,
    ),
    "a vendor's own API that says it is inside": (
        VENDOR.base_url,
        {"api.cloud.llamaindex.ai": "127.0.0.1"},
        "https://files.example/",
        {"files.example": "10.0.0.1"},
        False,
    ),
    "an API by an address": ("https://127.0.0.1:1", {}, "https://files.example/", {"files.example": "127.0.0.1"}, True),
}


@pytest.mark.parametrize("case", APIS)
def test_where_the_api_lies_files_may_lie_too(
    case: str, certificate: Path, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    api, where, url, files, taken = APIS[case]
    tls = server_context(certificate) if url.startswith("https") else None
    with attack(say(answer(CONTENT)), tls) as server:
        known = {"files.example": PUBLIC, "api.vendor.example": PUBLIC, **where, **files}
        Internet(server, known, monkeypatch)
        downloader = make(api, verify_tls=False)
        if taken:
            assert downloader.download(url, Target()).size == len(CONTENT)
        else:
            with pytest.raises(UnusableFileError):
                downloader.download(url, Target())
    assert len(server.asked) == taken


def test_an_api_that_cannot_be_resolved_now_may_be_later(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    with attack(say(answer(CONTENT))) as server:
        known: Names = {"files.example": "10.0.0.1"}
        Internet(server, known, monkeypatch)
        downloader = make("http://sandbox", max_attempts=1)
        with pytest.raises(TransientError, match="its name cannot be resolved"):
            downloader.download("http://files.example/", Target())
        known["sandbox"] = "172.18.0.2"
        assert downloader.download("http://files.example/", Target()).size == len(CONTENT)


# Proxies and certificates.


@pytest.mark.parametrize("name", ["http_proxy", "ALL_PROXY"])
def test_a_proxy_is_used_and_its_address_is_no_ones_business(
    name: str, make: Make, no_proxies: pytest.MonkeyPatch
) -> None:
    with attack(say(answer(CONTENT))) as proxy:
        no_proxies.setenv(name, proxy.url)
        target = Target()
        make("http://vendor.invalid").download("http://vendor.invalid" + QUERY, target)
    assert target.data == CONTENT
    assert proxy.asked[0].decode().split(" ")[1] == "http://vendor.invalid" + QUERY
    assert "X-Target" not in proxy.asked[0].decode()


TUNNELS = {407: ConnectionSettingsError, 403: ConnectionSettingsError, 502: TransientError}


@pytest.mark.parametrize("status", TUNNELS)
def test_a_proxy_that_refuses_is_named_as_one(status: int, make: Make, no_proxies: pytest.MonkeyPatch) -> None:
    with attack(say(b"HTTP/1.1 %d No\r\nContent-Length: 0\r\n\r\n" % status)) as proxy:
        no_proxies.setenv("https_proxy", proxy.url)
        with pytest.raises(BatchProviderError, match="a proxy stands in the way") as failed:
            make(API, max_attempts=1).download(FILES + QUERY, Target())
    assert type(failed.value) is TUNNELS[status]
    assert proxy.asked[0].startswith(b"CONNECT files.example:443 ")
    assert SIGNATURE.encode() not in proxy.asked[0]
    assert_unseen(failed.value)


def test_a_proxy_for_plain_http_that_wants_a_login_is_said(make: Make, no_proxies: pytest.MonkeyPatch) -> None:
    with attack(say(answer(b"", 407))) as proxy:
        no_proxies.setenv("http_proxy", proxy.url)
        with pytest.raises(ConnectionSettingsError, match="Put login and password of the proxy"):
            make("http://vendor.invalid").download("http://vendor.invalid" + QUERY, Target())


def test_a_certificate_that_nobody_vouches_for_is_for_the_user_to_fix(
    server: HostileServer, make: Make, pauses: list[float]
) -> None:
    with pytest.raises(
        ConnectionSettingsError, match="showed a certificate that does not verify: self-signed"
    ) as failed:
        make(server.url).download(server.url + QUERY, Target())
    assert (server.asked, pauses) == ([], [])
    assert_unseen(failed.value)


def test_a_certificate_that_the_environment_vouches_for_is_taken(
    server: HostileServer, make: Make, certificate: Path, no_proxies: pytest.MonkeyPatch
) -> None:
    no_proxies.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    assert make(server.url).download(server.url + QUERY, Target()).size == len(CONTENT)
    other_name = server.url.replace("127.0.0.1", "localhost")
    with pytest.raises(ConnectionSettingsError, match="Hostname mismatch"):
        make(server.url).download(other_name + QUERY, Target())


def test_certificates_that_are_not_there_are_named(make: Make, no_proxies: pytest.MonkeyPatch) -> None:
    no_proxies.setenv("REQUESTS_CA_BUNDLE", "/nowhere/ca.pem")
    with pytest.raises(ConnectionSettingsError, match=r"there are no certificates at /nowhere/ca\.pem"):
        make(API).download(FILES + QUERY, Target())
