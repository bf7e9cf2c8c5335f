"""Neither a log nor an exception has seen the URL of a file."""

from __future__ import annotations

import logging
import socket

import pytest

from airflow_batch_provider.client.download import (
    ExpiredUrlError,
    UnusableFileError,
)
from airflow_batch_provider.exceptions import (
    BatchProviderError,
    TransientError,
)
from tests.hostile_server import Script, answer, attack, say
from tests.unit.client.downloads import (
    CHUNKED,
    CONTENT,
    OK,
    QUERY,
    SECRET_PATH,
    SIGNATURE,
    Make,
    Storage,
    Target,
    assert_unseen,
    fetch,
    in_order,
)

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
