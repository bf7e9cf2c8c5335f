"""A server that means harm gets a clear error, a bounded share of memory, and never the key of another origin."""

from __future__ import annotations

import gzip
import json
import socket
import subprocess
import sys
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from airflow_batch_provider.apis.body import LONGEST_TOKEN
from airflow_batch_provider.apis.endpoint import Listing
from airflow_batch_provider.apis.problem import LARGEST_ERROR_BODY
from airflow_batch_provider.client import retry
from airflow_batch_provider.client.retry import LONGEST_RETRY_AFTER
from airflow_batch_provider.exceptions import (
    BatchProviderError,
    FatalError,
    TransientError,
    UnexpectedResponseError,
)
from airflow_batch_provider.vendors import llamacloud, playment
from tests.hostile_server import HostileServer, Script, answer, attack, forever, say
from tests.unit.client.asking import LARGEST_BODY
from tests.unit.connected import Connect, make_client

AskedApart = Callable[[Script], tuple[str, int]]

MIB = 1 << 20
OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"


@pytest.fixture(scope="module")
def asked_apart() -> Iterator[AskedApart]:
    """Ask in a process of its own; say what the client says, and by how many MiB it grew meanwhile."""
    command = [sys.executable, "-m", "tests.unit.client.asking"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin
        assert process.stdout
        to_it, from_it = process.stdin, process.stdout

        def ask(script: Script) -> tuple[str, int]:
            with attack(script) as server:
                print(server.url, file=to_it, flush=True)
                line = from_it.readline()
                while not line.startswith('{"told"'):  # what Airflow has to say
                    assert line, "the process ended"
                    line = from_it.readline()
            said = json.loads(line)
            return said["told"], said["mebibytes"]

        yield ask
        to_it.close()


def failure_of(script: Script, connect: Connect) -> BatchProviderError:
    with attack(script) as server:
        client = connect(llamacloud.VENDOR, server.url, max_attempts=2)
        with pytest.raises(BatchProviderError) as failure:
            client.send(llamacloud.BATCHES.request({}), llamacloud.BATCHES.page)
    return failure.value


def blanks(mebibytes: int) -> bytes:
    """Return blanks in gzip, a thousandth of their size."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    return b"".join([packer.compress(b" " * MIB) for _ in range(mebibytes)]) + packer.flush()


def up_to(begin: bytes, piece: bytes, mebibytes: int) -> Script:
    """Answer for so long that a client without bounds shows, but not longer."""

    def script(connection: socket.socket, head: bytes) -> None:
        connection.sendall(begin)
        for _ in range(mebibytes * MIB // len(piece)):
            connection.sendall(piece)

    return script


def at_first(script: Script) -> Script:
    """Answer so where the listing is asked for, and shortly where a redirect leads."""
    return lambda connection, head: (script if b" /api/" in head else say(answer(b"{}")))(connection, head)


GZIP_BOMB = blanks(150)
BOMBS = {
    "gzip": say(answer(GZIP_BOMB, Content_Encoding="gzip")),
    "gzip in gzip": say(answer(gzip.compress(GZIP_BOMB), Content_Encoding="gzip, gzip")),
    "gzip of many members": say(answer(blanks(15) * 10, Content_Encoding="gzip")),
    "deflate": say(answer(zlib.compress(b" " * 150 * MIB, 1), Content_Encoding="deflate")),
    "without an end": forever(OK + b"\r\n", b" " * 65536),
    "a chunk without an end": forever(CHUNKED + b"f" * 16 + b"\r\n", b" " * 65536),
    "a chunk of -1": up_to(CHUNKED + b"-1\r\n", b" " * 65536, 150),
    "a redirect without an end": at_first(up_to(b"HTTP/1.1 302 F\r\nLocation: /x\r\n\r\n", b" " * 65536, 150)),
    "a redirect in gzip": at_first(say(answer(GZIP_BOMB, 302, Location="/x", Content_Encoding="gzip"))),
}


@pytest.mark.parametrize("script", BOMBS.values(), ids=BOMBS)
def test_a_bomb_takes_a_bounded_share_of_memory(script: Script, asked_apart: AskedApart) -> None:
    told, mebibytes = asked_apart(script)
    assert told.startswith("UnexpectedResponseError: LlamaCloud answered with more than")
    # The body, the copy in which its pieces are joined, and for nested gzip what lies between.
    assert mebibytes < 4 * LARGEST_BODY / MIB


def test_many_codings_in_a_row_are_not_undone(connect: Connect) -> None:
    error = failure_of(say(answer(b"x", Content_Encoding=", ".join(["gzip"] * 6))), connect)
    assert "Too many content encodings" in str(error)


def test_a_failure_of_many_values_is_not_parsed(asked_apart: AskedApart) -> None:
    body = b'{"detail":[' + b"[]," * (4 * MIB) + b"0]}"
    told, mebibytes = asked_apart(say(answer(body, 400)))
    assert told.startswith("RequestRefusedError")
    assert len(body) > LARGEST_ERROR_BODY
    assert mebibytes < 4 * len(body) / MIB


def page_of(value: bytes) -> Script:
    return say(answer(b'{"items":[' + value + (b"," + value) * (15 * MIB // (len(value) + 1) - 1) + b"]}"))


@pytest.mark.parametrize(
    "script",
    [
        page_of(b"0"),
        page_of(b"[]"),
        page_of(b'{"id":1}'),
        page_of(b'{"id":"a","x":"' + b"x" * 400 + b'"}'),
        say(answer(b'{"items":[{"id":"a","x":"' + b"\\ud800" * (15 * MIB // 6) + b'"}]}')),
    ],
    ids=["numbers", "lists", "rows of an id", "rows", "lone surrogates"],
)
def test_a_page_of_many_small_values_takes_a_bounded_share_of_memory(script: Script, asked_apart: AskedApart) -> None:
    _, mebibytes = asked_apart(script)
    assert mebibytes < 30 * LARGEST_BODY / MIB


def long_token(listing: Listing, length: int) -> bytes:
    page = {"items": [{"id": "a"}], "next_page_token": "t" * length}
    if listing is playment.BATCH_JOBS:
        page = {"data": {"jobs": page["items"], "next_page_token": page["next_page_token"]}}
    return json.dumps(page).encode()


@pytest.mark.parametrize("listing", [playment.BATCH_JOBS, llamacloud.BATCHES], ids=lambda listing: listing.name)
def test_a_token_too_long_to_be_sent_back_is_refused(listing: Listing, connect: Connect) -> None:
    request = listing.request({"project_id": "p", "batch_id": "b"})
    with attack(say(answer(long_token(listing, LONGEST_TOKEN)))) as server:
        token = connect(listing.vendor, server.url).send(request, listing.page).next_token
        assert len(str(token)) == LONGEST_TOKEN
        server.script = say(answer(long_token(listing, LONGEST_TOKEN + 1)))
        with pytest.raises(UnexpectedResponseError, match="next_page_token"):
            connect(listing.vendor, server.url).send(request, listing.page)


@pytest.mark.parametrize(
    "script",
    [
        forever(b"HTTP/1.1 200 ", b"x" * 65536),
        forever(OK + b"x: ", b"x" * 65536),
        forever(OK, b"x: y\r\n" * 100),
        forever(CHUNKED + b"5;", b"x" * 65536),
        forever(b"", b"\x00" * 65536),
    ],
    ids=["status line", "header", "headers", "chunk extension", "NUL"],
)
def test_a_head_without_an_end_is_left_early(script: Script, connect: Connect) -> None:
    assert isinstance(failure_of(script, connect), TransientError)


@pytest.mark.parametrize(
    "raw",
    [
        CHUNKED + b"-5\r\nabcdefg\r\n",
        CHUNKED + b"z\r\nabcdefg\r\n",
        OK + b"Content-Length: " + b"9" * 5000 + b"\r\n\r\n{}",
        OK + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n{}",
        OK + b"Content-Encoding: zstd\r\n\r\n\x28\xb5\x2f\xfd",
        b"HTTP/1.1 999999 OK\r\n\r\n",
        b"HTTP/9.9 200 OK\r\n\r\n",
        b"SSH-2.0-OpenSSH\r\n",
        *(
            b"HTTP/1.1 302 F\r\nContent-Length: 0\r\nLocation: " + location + b"\r\n\r\n"
            for location in (
                b"/\xff",
                b"http://[::1",
                b"http://127.0.0.1:99999/",
                b"http://\xff\xfe.com/",
                b"file:///x",
            )
        ),
    ],
    ids=lambda raw: repr(raw[17:60]),
)
def test_what_is_no_http_is_an_error_of_ours(raw: bytes, connect: Connect) -> None:
    error = failure_of(say(raw), connect)
    assert isinstance(error, (FatalError, TransientError))
    assert len(str(error)) < 800


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    place=st.integers(0, 120),
    piece=st.binary(max_size=6) | st.sampled_from([b"\r\n", b"-1", b"Transfer-Encoding: chunked\r\n", b":", b"\x00"]),
    cut=st.integers(0, 20),
)
def test_a_bent_answer_is_read_or_an_error_of_ours(place: int, piece: bytes, cut: int, server: HostileServer) -> None:
    whole = CHUNKED.replace(b"\r\n\r\n", b"\r\nX: y\r\n\r\n") + b"16\r\n" + b'{"items":[{"id":"a"}]}' + b"\r\n0\r\n\r\n"
    server.script = say(whole[:place] + piece + whole[place + cut :])
    client = make_client(llamacloud.VENDOR, server.url, max_attempts=1, read_timeout=5)
    try:
        page = client.send(llamacloud.BATCHES.request({}), llamacloud.BATCHES.page)
    except BatchProviderError as error:
        told = str(error)
    else:
        told = f"{len(page.rows)} rows"
    finally:
        client.close()
    assert len(told) < 800


@pytest.fixture(scope="module")
def server() -> Iterator[HostileServer]:
    with attack(say(b"")) as running:
        yield running


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[HostileServer]:
    with attack(say(answer(b'{"items":[]}'))) as running:
        yield running


PARTS = st.sampled_from(
    [
        *("http:", "https:", "HTTP:", "ftp:", "/", "//", "\\", "\\\\", "@", "user:pass@", "%40", "%5C", "?", "#", ";"),
        *("{here}", "{there}", "{here}@{there}", "{there}@{here}", "[::1]", "localhost", ".", "..", ":", "\t", " "),
    ]
)


@settings(max_examples=150, deadline=None)
@example(location="//{there}/")
@example(location="http://{there}\\@{here}/")
@example(location="http://{here}\\@{there}/")
@example(location="http://{here}@{there}/")
@example(location="http:\\\\{there}/")
@example(location="\t//{there}/")
@example(location="http://localhost:{port}/")
@given(location=st.lists(PARTS, min_size=1, max_size=6).map("".join))
def test_no_redirect_takes_the_key_elsewhere(location: str, server: HostileServer, elsewhere: HostileServer) -> None:
    here, there = server.url.removeprefix("http://"), elsewhere.url.removeprefix("http://")
    target = location.format(here=here, there=there, port=elsewhere.port).encode()
    heads: list[bytes] = []

    def script(connection: socket.socket, head: bytes) -> None:
        heads.append(head)
        moved = b"HTTP/1.1 302 F\r\nContent-Length: 0\r\nConnection: close\r\nLocation: " + target + b"\r\n\r\n"
        connection.sendall(moved if len(heads) == 1 else answer(b'{"items":[]}'))

    server.script = script
    client = make_client(llamacloud.VENDOR, server.url, max_attempts=1)
    with suppress(BatchProviderError):
        client.send(llamacloud.BATCHES.request({}), llamacloud.BATCHES.page)
    client.close()
    assert elsewhere.asked == []
    assert len(heads) <= 2


def test_a_key_in_the_host_of_a_redirect_is_not_told(connect: Connect) -> None:
    key = "sk-AbC123"
    with attack(say(answer(b"", 302, Location=f"http://{key}.x.invalid/"))) as server:
        client = connect(llamacloud.VENDOR, server.url, api_key=key)
        with pytest.raises(UnexpectedResponseError) as failure:
            client.send(llamacloud.BATCHES.request({}), llamacloud.BATCHES.page)
    assert key.casefold() not in str(failure.value).casefold()


@pytest.mark.parametrize("value", ["9" * 400, "1" + "0" * 60_000, "Mon, 01 Jan 9999 00:00:00 GMT", "1e9", "-5", "inf"])
def test_a_retry_after_never_holds_a_task_for_long(value: str, connect: Connect, pauses: list[float]) -> None:
    error = failure_of(say(answer(b"{}", 429, Retry_After=value)), connect)
    assert isinstance(error, TransientError)
    assert all(seconds <= LONGEST_RETRY_AFTER for seconds in pauses)


@given(st.text(max_size=40) | st.binary(max_size=40).map(lambda raw: raw.decode("latin-1")))
def test_any_retry_after_reads_as_seconds_or_nothing(value: str) -> None:
    seconds = retry.parse_retry_after(value)
    assert seconds is None or seconds >= 0


def test_no_key_is_left_behind_a_client_that_cannot_be_made() -> None:
    with pytest.raises(BatchProviderError) as failure:
        make_client(llamacloud.VENDOR, "http://127.0.0.1:9", api_key="two\nlines")
    assert failure.value.__context__ is None
    assert failure.value.__cause__ is None
