"""Files come whole or not at all, over real sockets, and the API key stays at home."""

from __future__ import annotations

import socket
import threading
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_batch_provider.client import bounds, download, file_transport
from airflow_batch_provider.client.download import (
    Downloaded,
    ExpiredUrlError,
    UnusableFileError,
)
from airflow_batch_provider.exceptions import (
    RateLimitedError,
    TransientError,
)
from airflow_batch_provider.testing import no_backoff
from tests.hostile_server import HostileServer, Script, answer, attack, forever, say
from tests.unit.client.downloads import (
    CHUNKED,
    CONTENT,
    OK,
    QUERY,
    Make,
    Storage,
    Target,
    failure,
    fetch,
    header,
    in_order,
    make_downloader,
)
from tests.unit.connected import KEY


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
    "interim answers without an end": (forever(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 100), "more beside the file"),
    "headers without an end": (forever(OK, b"x: y\r\n" * 100), "more beside the file"),
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
