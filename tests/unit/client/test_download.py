"""Files come whole or not at all, over real sockets, and neither their URLs nor the API key go anywhere else."""

from __future__ import annotations

import logging
import re
import socket
import threading
import traceback
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_batch_provider.apis.auth import Credentials
from airflow_batch_provider.client import bounds, download, file_transport
from airflow_batch_provider.client.download import (
    Downloaded,
    Downloader,
    ExpiredUrlError,
    UnusableFileError,
)
from airflow_batch_provider.client.settings import Settings
from airflow_batch_provider.exceptions import (
    BatchProviderError,
    ConnectionSettingsError,
    RateLimitedError,
    TransientError,
)
from airflow_batch_provider.testing import no_backoff
from airflow_batch_provider.vendors import llamacloud
from tests.certificates import make_certificate, server_context
from tests.hostile_server import HostileServer, Script, answer, attack, forever, say
from tests.unit.connected import KEY

VENDOR = llamacloud.VENDOR
SIGNATURE = "c2lnbmF0dXJl-of-this-url"
SECRET_PATH = "/bucket/a-persons-name.pdf"
QUERY = f"{SECRET_PATH}?X-Amz-Signature={SIGNATURE}"
CONTENT = bytes(range(256)) * 40
OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"

Download = Callable[..., Downloaded]
Make = Callable[..., Downloader]


class Target:
    """Remembers what was written, and how."""

    def __init__(self) -> None:
        self.data = b""
        self.pieces: list[int] = []
        self.restarts = -1  # the first one is the beginning

    def write(self, data: bytes) -> None:
        self.data += data
        self.pieces.append(len(data))

    def restart(self) -> None:
        self.data = b""
        self.restarts += 1


def make_downloader(base_url: str, **settings: Any) -> Downloader:
    auth, credentials = VENDOR.auth, Credentials(settings.pop("api_key", KEY))
    return Downloader(
        VENDOR,
        Settings(connection_id="my_connection", base_url=base_url, auth=auth, credentials=credentials, **settings),
    )


@pytest.fixture
def make(pauses: list[float], no_proxies: pytest.MonkeyPatch) -> Iterator[Make]:
    with ExitStack() as stack:

        def made(base_url: str, **settings: Any) -> Downloader:
            downloader = make_downloader(base_url, **settings)
            stack.callback(downloader.close)
            return downloader

        yield made


@pytest.fixture
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy", "requests_ca_bundle", "curl_ca_bundle"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    return monkeypatch


def in_order(*scripts: Script) -> Script:
    """Answer with one script after the other; the last one stays."""
    left = list(scripts)
    return lambda connection, head: (left.pop(0) if len(left) > 1 else left[0])(connection, head)


def fetch(make: Make, script: Script, *, size: int | None = None, **settings: Any) -> tuple[Downloaded, Target, Any]:
    """Download from a server beside the API; return also the target and what was asked."""
    with attack(script) as server:
        target = Target()
        found = make(server.url, **settings).download(server.url + QUERY, target, size=size)
    return found, target, server.asked


def failure(make: Make, script: Script, *, size: int | None = None, **settings: Any) -> tuple[Exception, list[bytes]]:
    with attack(script) as server, pytest.raises(Exception) as raised:  # noqa: PT011
        make(server.url, **settings).download(server.url + QUERY, Target(), size=size)
    return raised.value, server.asked


def header(head: bytes, name: str) -> str | None:
    found = re.search(rf"(?im)^{name}: (.*?)\r$", head.decode("latin-1"))
    return found[1] if found else None


class Storage:
    """Serves one file, breaking the connection off after so many bytes of each answer in turn; then whole."""

    def __init__(self, content: bytes, *cuts: int, ranges: bool = True, chunked: bool = False, **headers: str) -> None:
        self.content = content
        self.cuts = list(cuts)
        self.ranges = ranges
        self.chunked = chunked
        self.headers = {"ETag": '"v1"', **headers} if ranges else headers

    def __call__(self, connection: socket.socket, head: bytes) -> None:
        asked = header(head, "Range")
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked and self.ranges else 0
        if start and header(head, "If-Range") != self.headers.get("ETag"):
            start = 0
        body = self.content[start:]
        named = dict(self.headers)
        if start:
            named["Content-Range"] = f"bytes {start}-{len(self.content) - 1}/{len(self.content)}"
        named |= {"Transfer-Encoding": "chunked"} if self.chunked else {"Content-Length": str(len(body))}
        lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in named.items())
        connection.sendall(f"HTTP/1.1 {206 if start else 200} Said\r\n{lines}\r\n".encode())
        if self.chunked:
            body = b"".join(
                b"%x\r\n%s\r\n" % (len(body[at : at + 7]), body[at : at + 7]) for at in range(0, len(body), 7)
            )
            body += b"0\r\n\r\n"
        connection.sendall(body[: self.cuts.pop(0)] if self.cuts else body)


# What travels.


def test_a_file_comes_whole(make: Make) -> None:
    found, target, asked = fetch(make, say(answer(CONTENT, Content_Type="Text/HTML; charset=utf-8")), size=len(CONTENT))
    assert found == Downloaded(len(CONTENT), "text/html")
    assert (target.data, target.restarts, len(asked)) == (CONTENT, 0, 1)


def test_a_chunked_file_comes_whole(make: Make) -> None:
    found, target, _ = fetch(make, Storage(CONTENT, chunked=True))
    assert (found.size, target.data) == (len(CONTENT), CONTENT)


@pytest.mark.parametrize("script", [say(answer(b"")), say(CHUNKED + b"0\r\n\r\n")], ids=["length", "chunks"])
@pytest.mark.parametrize("size", [None, 0])
def test_an_empty_file_is_one(script: Script, size: int | None, make: Make) -> None:
    found, target, _ = fetch(make, script, size=size)
    assert (found.size, target.data, target.pieces) == (0, b"", [])


def test_the_key_is_never_sent(make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login someone password else\n")
    (tmp_path / ".netrc").chmod(0o600)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    moved = answer(b"", 302, Location="/next", Set_Cookie="a=b; Path=/")
    _, _, asked = fetch(make, in_order(say(moved), say(answer(b"x"))))
    assert len(asked) == 2
    for head in asked:
        lines = head.decode().splitlines()
        names = {line.partition(":")[0] for line in lines[1:] if line}
        assert names == {"Host", "Accept", "Accept-Encoding", "User-Agent"}
        assert header(head, "Accept-Encoding") == "identity"
        assert str(header(head, "User-Agent")).startswith("airflow-batch-provider/")
        assert KEY not in head.decode()


@pytest.mark.parametrize(
    ("path", "sent"),
    [
        ("/a%2Fb/%7e?sig=a%2b%2F%3d&x=~", "/a%2Fb/%7e?sig=a%2b%2F%3d&x=~"),
        ("/a b/ä?q=é ü", "/a%20b/%C3%A4?q=%C3%A9%20%C3%BC"),
        ("?a=b", "/?a=b"),
        ("/a#fragment", "/a"),
        ("/a/../b/./c", "/a/../b/./c"),
        ("//double?x=//", "//double?x=//"),
    ],
)
def test_a_signed_url_is_sent_as_it_is(path: str, sent: str, make: Make) -> None:
    with attack(say(answer(b"x"))) as server:
        make(server.url).download(server.url + path, Target())
    assert server.asked[0].decode().split(" ")[1] == sent


def test_a_connection_is_used_again(make: Make) -> None:
    def script(connection: socket.socket, head: bytes) -> None:
        for body in (b"", b"abc", b"", b"moved", b"gone"):
            status = {b"moved": 302, b"gone": 404}.get(body, 200)
            connection.sendall(answer(body, status, Connection="keep-alive", Location="/x"))
            heads.append(connection.recv(65536))

    heads: list[bytes] = []
    with attack(script) as server:
        downloader = make(server.url)
        sizes = [downloader.download(server.url + QUERY, Target()).size for _ in range(3)]
        with pytest.raises(ExpiredUrlError):
            downloader.download(server.url + QUERY, Target())
        assert (sizes, len(server.asked)) == ([0, 3, 0], 1)


def test_a_large_file_takes_no_memory(make: Make) -> None:
    class Sink(Target):
        def write(self, data: bytes) -> None:
            self.pieces.append(len(data))

    size = 100 << 20
    block = bytes(1 << 16)

    def script(connection: socket.socket, head: bytes) -> None:
        connection.sendall(OK + b"Content-Length: %d\r\n\r\n" % size)
        for _ in range(size // len(block)):
            connection.sendall(block)

    with attack(script) as server:
        downloader, target = make(server.url), Sink()
        tracemalloc.start()
        try:
            found = downloader.download(server.url + QUERY, target)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert found.size == sum(target.pieces) == size
    assert max(target.pieces) <= 1 << 20
    assert peak < 8 << 20


def test_threads_share_a_downloader(make: Make) -> None:
    def script(connection: socket.socket, head: bytes) -> None:
        name = head.split(b" ")[1]
        connection.sendall(answer(name * 20_000))

    with attack(script) as server:
        downloader = make(server.url, max_concurrency=8)
        targets = [Target() for _ in range(16)]
        threads = [
            threading.Thread(target=downloader.download, args=(f"{server.url}/{number}", target))
            for number, target in enumerate(targets)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert [target.data for target in targets] == [b"/%d" % number * 20_000 for number in range(16)]


CONTENT_TYPES = {
    "application/PDF": "application/pdf",
    " text/csv ; header=present": "text/csv",
    "image/svg+xml": "image/svg+xml",
    "": None,
    "text": None,
    "text/": None,
    "text/html, text/plain": None,
    "a/b\x1b[31m": None,
    "text/ht\xe4ml": None,
    "x/" + "y" * 200: None,
    f"{KEY[:4]}/{KEY[4:12]}": f"{KEY[:4]}/{KEY[4:12]}".lower(),
}


@pytest.mark.parametrize("said", CONTENT_TYPES)
def test_a_content_type_is_harmless(said: str, make: Make) -> None:
    assert fetch(make, say(answer(b"x", Content_Type=said)))[0].content_type == CONTENT_TYPES[said]


def test_a_content_type_that_repeats_the_key_is_none(make: Make) -> None:
    script = say(answer(b"x", Content_Type="application/Secret-Key-12345"))
    assert fetch(make, script, api_key="secret-key-12345")[0].content_type is None


def test_no_content_type_is_none(make: Make) -> None:
    assert fetch(make, say(answer(b"x")))[0].content_type is None


# What breaks.


def test_a_file_that_breaks_off_is_resumed(make: Make, pauses: list[float]) -> None:
    found, target, asked = fetch(make, Storage(CONTENT, 1000, 2000))
    assert (found.size, target.data, target.restarts) == (len(CONTENT), CONTENT, 0)
    assert [header(head, "Range") for head in asked] == [None, "bytes=1000-", "bytes=3000-"]
    assert [header(head, "If-Range") for head in asked] == [None, '"v1"', '"v1"']
    assert len(pauses) == 2


def test_chunks_that_break_off_are_resumed(make: Make) -> None:
    found, target, asked = fetch(make, Storage(CONTENT, 1000, chunked=True))
    assert (found.size, target.data, target.restarts) == (len(CONTENT), CONTENT, 0)
    assert header(asked[1], "Range")


def test_a_file_without_ranges_begins_again(make: Make) -> None:
    found, target, asked = fetch(make, Storage(CONTENT, 1000, ranges=False))
    assert (found.size, target.data, target.restarts) == (len(CONTENT), CONTENT, 1)
    assert header(asked[1], "Range") is None


def test_a_file_that_has_changed_begins_again(make: Make) -> None:
    old, new = Storage(CONTENT, 1000), Storage(CONTENT[::-1], ETag='"v2"')
    found, target, asked = fetch(make, in_order(old, new))
    assert (found.size, target.data, target.restarts) == (len(CONTENT), CONTENT[::-1], 1)
    assert header(asked[1], "If-Range") == '"v1"'


DATES = {"Last_Modified": "Sun, 29 Nov 2026 10:00:00 GMT", "Date": "Sun, 29 Nov 2026 11:00:00 GMT"}
VALIDATORS: dict[str, tuple[dict[str, str], str | None]] = {
    "a strong ETag": ({"ETag": '"a"'}, '"a"'),
    "ETag before date": ({"ETag": '"a"', "Accept_Ranges": "bytes", **DATES}, '"a"'),
    "a weak ETag": ({"ETag": 'W/"a"', "Accept_Ranges": "bytes"}, None),
    "a date": ({"Accept_Ranges": "bytes", **DATES}, DATES["Last_Modified"]),
    "a date without ranges": (DATES, None),
    "a date of this second": ({"Accept_Ranges": "bytes", **DATES, "Date": DATES["Last_Modified"]}, None),
    "no date": ({"Accept_Ranges": "bytes", **DATES, "Last_Modified": "yesterday"}, None),
    "no ranges": ({"Accept_Ranges": "none", "ETag": '"a"'}, None),
    "ranges alone": ({"Accept_Ranges": "bytes"}, None),
}


@pytest.mark.parametrize("case", VALIDATORS)
def test_only_a_file_that_is_surely_the_same_is_resumed(case: str, make: Make) -> None:
    headers, expected = VALIDATORS[case]
    cut = answer(CONTENT, **headers)[:-5000]
    _, target, asked = fetch(make, in_order(say(cut), say(answer(CONTENT))))
    assert target.data == CONTENT
    assert header(asked[1], "If-Range") == expected
    assert (header(asked[1], "Range") is None) == (expected is None)


def part(first: int, last: int, total: object, **headers: str) -> Script:
    return say(answer(CONTENT[first : last + 1], 206, Content_Range=f"bytes {first}-{last}/{total}", **headers))


END = len(CONTENT) - 1
WRONG_PARTS = {
    "from elsewhere": part(999, END, len(CONTENT)),
    "of another length": part(1000, END, len(CONTENT) + 1),
    "of an unknown whole": part(1000, END, "*", ETag='"v2"'),
    "of another version": part(1000, END, len(CONTENT), ETag='"v2"'),
    "without a range": say(answer(CONTENT[1000:], 206)),
    "with two": say(answer(CONTENT[1000:], 206, Content_Range="bytes 1000-9/10, 1-2/3")),
    "that ends before it begins": say(answer(b"", 206, Content_Range=f"bytes 1000-9/{len(CONTENT)}")),
    "shorter than it says": say(answer(CONTENT[1000:-1], 206, Content_Range=f"bytes 1000-{END}/{len(CONTENT)}")),
    "416": say(answer(b"", 416, Content_Range="bytes */5")),
}


@pytest.mark.parametrize("script", WRONG_PARTS.values(), ids=WRONG_PARTS)
def test_a_part_that_does_not_fit_begins_again(script: Script, make: Make) -> None:
    found, target, asked = fetch(make, in_order(Storage(CONTENT, 1000), script, Storage(CONTENT)))
    assert (found.size, target.data, target.restarts) == (len(CONTENT), CONTENT, 1)
    assert header(asked[2], "Range") is None


def test_a_part_that_is_shorter_than_asked_for_is_continued(make: Make) -> None:
    first = part(1000, 1999, len(CONTENT))
    _, target, asked = fetch(make, in_order(Storage(CONTENT, 1000), first, Storage(CONTENT)))
    assert (target.data, target.restarts, header(asked[2], "Range")) == (CONTENT, 0, "bytes=2000-")


def test_attempts_that_bring_something_are_not_counted(make: Make) -> None:
    _, target, asked = fetch(make, Storage(CONTENT, *[100] * 20), max_attempts=2)
    assert (target.data, target.restarts, len(asked)) == (CONTENT, 0, 21)


def test_attempts_have_an_end_all_the_same(make: Make) -> None:
    error, asked = failure(make, Storage(CONTENT, *[1] * 1000), max_attempts=2)
    assert type(error) is TransientError
    assert len(asked) == download.MOST_ATTEMPTS


def test_attempts_that_get_no_further_are_counted(make: Make) -> None:
    error, asked = failure(make, Storage(CONTENT, *[100] * 9, ranges=False), max_attempts=3)
    assert type(error) is TransientError
    assert len(asked) == 3


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
def test_what_passes_is_asked_again(status: int, make: Make, pauses: list[float]) -> None:
    script = in_order(say(answer(b"busy", status, Retry_After="7")), say(answer(CONTENT)))
    _, target, asked = fetch(make, script)
    assert (target.data, len(asked), pauses) == (CONTENT, 2, [7.0])


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
def test_what_does_not_pass_is_an_error_that_may(status: int, make: Make) -> None:
    error, asked = failure(make, say(answer(b"busy", status)), max_attempts=3)
    assert type(error) is (RateLimitedError if status == 429 else TransientError)
    assert f"LlamaCloud: a file could not be downloaded from 127.0.0.1: it answered HTTP {status}." in str(error)
    assert len(asked) == 3


def test_a_server_that_asks_for_an_hour_is_not_waited_for(make: Make, pauses: list[float]) -> None:
    error, asked = failure(make, say(answer(b"", 503, Retry_After="3600")))
    assert isinstance(error, RateLimitedError)
    assert (error.retry_after, len(asked), pauses) == (3600.0, 1, [])


@pytest.mark.parametrize("status", [401, 403, 404, 410])
def test_an_expired_url_is_one(status: int, make: Make, pauses: list[float]) -> None:
    error, asked = failure(make, say(answer(b"<Error/>", status)))
    assert isinstance(error, ExpiredUrlError)
    assert (error.status, len(asked), pauses) == (status, 1, [])


def test_an_expired_token_is_an_expired_url(make: Make) -> None:
    error, _ = failure(make, say(answer(b"<Error><Code>ExpiredToken</Code></Error>", 400)))
    assert isinstance(error, ExpiredUrlError)


def test_a_url_that_expires_between_attempts_is_expired(make: Make) -> None:
    error, _ = failure(make, in_order(Storage(CONTENT, 1000), say(answer(b"", 403))))
    assert isinstance(error, ExpiredUrlError)


@pytest.mark.parametrize("status", [204, 206, 300, 304, 400, 402, 405, 416, 422, 451])
def test_another_answer_means_that_there_is_no_file(status: int, make: Make, pauses: list[float]) -> None:
    error, asked = failure(make, say(answer(b"", status)))
    assert isinstance(error, UnusableFileError)
    assert (error.reason, len(asked), pauses) == (f"its URL answered HTTP {status}", 1, [])


SIZES = {
    "shorter": (say(answer(CONTENT)), len(CONTENT) + 1),
    "longer": (say(answer(CONTENT)), len(CONTENT) - 1),
    "empty": (say(answer(b"")), 1),
    "not empty": (say(answer(b"x")), 0),
    "shorter chunks": (Storage(CONTENT, chunked=True), len(CONTENT) + 1),
    "longer chunks": (Storage(CONTENT, chunked=True), len(CONTENT) - 1),
}


@pytest.mark.parametrize("case", SIZES)
def test_a_file_of_another_size_is_unusable(case: str, make: Make, pauses: list[float]) -> None:
    script, size = SIZES[case]
    error, asked = failure(make, script, size=size)
    assert isinstance(error, UnusableFileError)
    assert f"not the {size} that were announced" in error.reason
    assert (len(asked), pauses) == (1, [])


UNUSABLE = {
    "no length": (say(OK + b"\r\nabc"), "does not say how long it is"),
    "two lengths": (say(OK + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabc"), "no HTTP"),
    "a length that is none": (say(OK + b"Content-Length: -3\r\n\r\nabc"), "does not say how long it is"),
    "a length in other digits": (say(OK + "Content-Length: ²\r\n\r\nabc".encode("latin-1")), "does not say how long"),
    "another coding": (
        say(OK + b"Transfer-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc"),
        "does not say how long it is",
    ),
    "too large": (say(OK + b"Content-Length: %d\r\n\r\nabc" % (5 * 2**40 + 1)), "it has more than 5497558138880 bytes"),
    "compressed": (say(answer(b"x", Content_Encoding="gzip")), "compresses it"),
    "headers without an end": (forever(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 100), "more beside the file"),
    "trailers without an end": (forever(CHUNKED + b"0\r\n", b"x: y\r\n" * 100), "more beside the file"),
}


@pytest.mark.parametrize("case", UNUSABLE)
def test_an_answer_that_proves_nothing_is_unusable(case: str, make: Make) -> None:
    script, reason = UNUSABLE[case]
    error, asked = failure(make, script)
    assert isinstance(error, UnusableFileError)
    assert reason in error.reason
    assert len(asked) == 1


@pytest.mark.parametrize("size", [100_000, None])
def test_chunks_without_an_end_are_left_at_the_size(
    size: int | None, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "LARGEST_FILE", 100_000)
    target = Target()
    with attack(forever(CHUNKED, b"400\r\n" + bytes(1024) + b"\r\n")) as server:
        downloader = make(server.url)
        with pytest.raises(UnusableFileError, match="it has more than 100000 bytes"):
            downloader.download(server.url + QUERY, target, size=size)
    assert len(target.data) <= 100_000


def test_more_than_its_length_is_not_taken(make: Make) -> None:
    longer = answer(b"abc", Connection="keep-alive") + b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"
    with attack(in_order(say(longer), say(answer(b"good")))) as server:
        downloader, first, second = make(server.url), Target(), Target()
        downloader.download(server.url + QUERY, first)
        downloader.download(server.url + QUERY, second)
    assert (first.data, second.data) == (b"abc", b"good")


def test_a_server_that_drips_is_left(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(0, 1_000_000, 20))
    monkeypatch.setattr(bounds, "time", SimpleNamespace(monotonic=lambda: next(clock)))

    def drip(connection: socket.socket, head: bytes) -> None:
        connection.sendall(OK + b"Content-Length: 1000\r\n\r\n")
        never = threading.Event()
        for _ in range(500):
            never.wait(0.01)
            connection.sendall(b"x")

    error, asked = failure(make, drip, max_attempts=1)
    assert type(error) is TransientError
    assert "it sends too slowly: fewer than 1024 bytes a second" in str(error)
    assert len(asked) == 1


def test_a_server_that_is_slow_but_steady_is_waited_for(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(0, 1_000_000, 20))
    monkeypatch.setattr(bounds, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    monkeypatch.setattr(file_transport, "SLOWEST", 100)

    def steady(connection: socket.socket, head: bytes) -> None:
        connection.sendall(OK + b"Content-Length: 300000\r\n\r\n")
        never = threading.Event()
        for _ in range(30):
            never.wait(0.01)
            connection.sendall(bytes(10_000))

    assert fetch(make, steady)[0].size == 300_000


def test_a_silent_server_is_left_after_the_read_timeout(make: Make) -> None:
    with attack(lambda connection, head: server.ending.wait(5) and None) as server:
        with pytest.raises(TransientError, match="it did not answer in time"):
            make(server.url, read_timeout=0.05, max_attempts=1).download(server.url + QUERY, Target())
        server.ending.set()


@pytest.mark.parametrize("error", [TransientError("the disk is full"), OSError(28, "no space"), KeyboardInterrupt()])
@pytest.mark.parametrize("when", ["write", "restart"])
def test_errors_of_the_target_pass_through(error: BaseException, when: str, make: Make) -> None:
    class Full(Target):
        def write(self, data: bytes) -> None:
            if when == "write" or self.restarts:
                raise error

        def restart(self) -> None:
            super().restart()
            if when == "restart" and self.restarts:
                raise error

    script = (
        Storage(CONTENT, 1000, ranges=False) if when == "write" else in_order(say(answer(b"", 503)), say(answer(b"")))
    )
    target = Full()
    if when == "restart":
        target.restart()
    with attack(script) as server, pytest.raises(type(error)) as raised:
        make(server.url).download(server.url + QUERY, target)
    assert raised.value is error
    assert len(server.asked) <= 1


def test_a_closed_downloader_does_not_try_again(make: Make, pauses: list[float]) -> None:
    with attack(lambda connection, head: downloader.close()) as server:
        downloader = make(server.url)
        with pytest.raises(TransientError):
            downloader.download(server.url + QUERY, Target())
    assert pauses == []


@pytest.fixture(scope="module")
def storage() -> Iterator[HostileServer]:
    with attack(say(b"")) as server:
        yield server


@given(
    content=st.binary(max_size=300),
    cuts=st.lists(st.integers(0, 400), max_size=8),
    ranges=st.booleans(),
    chunked=st.booleans(),
    changes=st.booleans(),
    announced=st.sampled_from([None, 0, 1]),
)
def test_whatever_breaks_a_target_has_the_file_or_there_is_an_error(
    content: bytes,
    cuts: list[int],
    ranges: bool,
    chunked: bool,
    changes: bool,
    announced: int | None,
    storage: HostileServer,
) -> None:
    now = Storage(content, *cuts, ranges=ranges, chunked=chunked)
    before = Storage(content[::-1], 150, ETag='"v0"')
    storage.script = in_order(before, now) if changes else now
    downloader, target = make_downloader(storage.url, max_attempts=4), Target()
    size = None if announced is None else len(content) + announced
    try:
        with no_backoff():
            found = downloader.download(storage.url + QUERY, target, size=size)
    except TransientError:
        assert cuts
    except UnusableFileError:
        assert announced
    else:
        assert target.data in ({content, content[::-1]} if changes else {content})
        assert found.size == len(target.data)
        assert size in {None, found.size}
    finally:
        downloader.close()


# Where it may lead.

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


PUBLIC = "93.184.216.34"
Names = dict[str, Any]


def names(known: Names) -> Callable[..., list[Any]]:
    """Resolve by a table; a list gives one address after the other, and the last one stays. Tuples are several."""

    def getaddrinfo(host: str, port: Any, *args: Any, **kwargs: Any) -> list[Any]:
        asked.append(host)
        addresses = known.get(host)
        if addresses is None:
            if re.fullmatch(r"[0-9.]+|.*:.*", host):
                addresses = host
            else:
                raise socket.gaierror(socket.EAI_NONAME, f"no {host}")
        if isinstance(addresses, list):
            addresses = addresses.pop(0) if len(addresses) > 1 else addresses[0]
        several = addresses if isinstance(addresses, tuple) else (addresses,)
        return [
            (socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))
            for address in several
        ]

    asked: list[str] = []
    return getaddrinfo


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


# What is said.


def assert_unseen(error: BaseException, *secrets: str) -> None:
    """Check that nothing of an exception, of those behind it, or of our frames, has seen the URL."""
    hidden = [SIGNATURE, SECRET_PATH, *(secret for secret in secrets if len(secret) > 12)]
    seen: list[BaseException] = []
    left: list[Any] = [error]
    while left:
        current = left.pop()
        if not isinstance(current, BaseException) or current in seen:
            continue
        seen.append(current)
        left += [current.__cause__, current.__context__, *current.args, *vars(current).values()]
        said = [str(current), repr(current), repr(current.args), repr(vars(current))]
        said += ["".join(traceback.format_exception(current))]
        for frame, _ in traceback.walk_tb(current.__traceback__):
            if frame.f_code.co_filename != __file__:
                said += map(repr, frame.f_locals.values())
        assert not [secret for secret in hidden if any(secret in text for text in said)]


ENDINGS = {
    "a file": say(answer(CONTENT)),
    "a file that breaks off": Storage(CONTENT, 1000),
    "a redirect": in_order(say(answer(b"", 302, Location=QUERY + "2")), say(answer(b"x"))),
    "redirects without an end": say(answer(b"", 302, Location=QUERY)),
    "a redirect to nowhere": say(answer(b"", 302, Location=f"https://[{QUERY}")),
    "a redirect inside a login": say(answer(b"", 302, Location=f"https://a:{SIGNATURE}@b.example/")),
    "expired": say(answer(QUERY.encode(), 403)),
    "no such": say(answer(QUERY.encode(), 418)),
    "an error that repeats the URL": say(f"HTTP/1.1 503 {QUERY}\r\nRetry-After: {QUERY}\r\n\r\n{QUERY}".encode()),
    "no HTTP": say(f"{QUERY}\r\n\r\n".encode()),
    "a bad header": say(OK + f"{QUERY}\r\nContent-Length: 1\r\n\r\nx".encode()),
    "a bad chunk": say(CHUNKED + f"{QUERY}\r\n".encode()),
    "a bad range": in_order(Storage(CONTENT, 1000), say(answer(b"", 206, Content_Range=QUERY))),
    "a bad type": say(answer(b"x", Content_Type=QUERY)),
    "a bad length": say(OK + f"Content-Length: {QUERY}\r\n\r\n".encode()),
    "both lengths": say(OK + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n"),
    "nothing": say(b""),
    "a reset": lambda connection, head: connection.close(),
}


@pytest.mark.parametrize("script", ENDINGS.values(), ids=ENDINGS)
def test_a_url_is_neither_logged_nor_raised(
    script: Script, make: Make, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    for name in [None, *logging.root.manager.loggerDict]:
        caplog.set_level(logging.DEBUG, logger=name)
    with attack(script) as server:
        try:
            make(server.url, max_attempts=2).download(server.url + QUERY, Target())
        except (BatchProviderError, ExpiredUrlError, UnusableFileError) as error:
            assert_unseen(error)
    assert [record for record in caplog.records if record.name == "urllib3.connectionpool"]
    output = capfd.readouterr()
    for record in caplog.records:
        said = f"{record.getMessage()} {record.__dict__}"
        assert SIGNATURE not in said
        assert SECRET_PATH not in said
    assert SIGNATURE not in output.out + output.err


def test_http_client_does_not_print_it_either(
    make: Make, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("http.client.HTTPConnection.debuglevel", 1)
    fetch(make, say(answer(b"x")))
    assert SIGNATURE not in capfd.readouterr().out


def test_a_connection_that_is_refused_is_told_without_the_url(make: Make, pauses: list[float]) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        with pytest.raises(TransientError, match="Connection refused") as failed:
            make(url, max_attempts=3).download(url + QUERY, Target())
    assert len(pauses) == 2
    assert_unseen(failed.value)


def test_a_retry_is_logged_without_the_url(make: Make, caplog: pytest.LogCaptureFixture) -> None:
    fetch(make, Storage(CONTENT, 1000), max_attempts=3)
    (warning,) = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert "Attempt 1 of 3 failed" in warning.getMessage()
    assert "could not be downloaded from 127.0.0.1: the file broke off" in warning.getMessage()
