"""A body of JSON lines is read some lines at a time, whatever its size, and resumed by what was seen."""

from __future__ import annotations

import json

import pytest

from airflow_batch_provider import vendor_kit as kit
from airflow_batch_provider.client import session
from airflow_batch_provider.exceptions import NotFoundError, TransientError, UnexpectedResponseError
from airflow_batch_provider.listing import lines
from airflow_batch_provider.listing.pages import NewRows, read_pages
from airflow_batch_provider.listing.seen import SeenRows
from tests.unit.apis.test_answers import LINES, VENDOR
from tests.unit.connected import Connect, Start
from tests.vendor_server import Answer, How, in_turn

ROWS = [{"id": f"row {number}", "text": "ä" * number} for number in range(200)]
BODY = "".join(json.dumps(row) + "\n" for row in ROWS).encode()
REQUEST = LINES.request({"file_id": "f"})


@pytest.fixture(autouse=True)
def _small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "CHUNK", 1000)
    monkeypatch.setattr(session, "BLOCK", 100)


def read(start: Start, connect: Connect, *answers: Answer, seen: SeenRows | None = None) -> list[NewRows]:
    client = connect(VENDOR, start(in_turn(*answers)).url)
    return list(read_pages(client, LINES, REQUEST, seen=seen))


def ids(pages: list[NewRows]) -> list[object]:
    return [row.id for page in pages for row in page.rows]


@pytest.mark.parametrize("how", [How.PLAIN, How.CHUNKED, How.GZIP])
def test_it_may_be_larger_than_any_page(
    how: How, start: Start, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "LARGEST_BODY", 100)
    pages = read(start, connect, Answer(body=BODY, how=how))
    assert [json.loads(row.json) for page in pages for row in page.rows] == ROWS
    assert len(pages) > 10
    assert max(len(page.rows) for page in pages) < 50
    assert (sum(page.pages for page in pages), sum(page.requests for page in pages)) == (1, 1)
    assert (pages[-1].pages, {page.duplicates for page in pages}) == (1, {0})


@pytest.mark.parametrize("how", [How.BROKEN_OFF, How.CHUNKS_BROKEN_OFF, How.GZIP_BROKEN_OFF])
def test_what_broke_off_is_read_again_from_its_start(how: How, start: Start, connect: Connect) -> None:
    longer = BODY + b'{"id":"of the first answer"}\n'
    pages = read(start, connect, Answer(body=longer, how=how), Answer(body=BODY))
    assert ids(pages) == [row["id"] for row in ROWS]


def test_it_is_resumed_by_what_was_seen(start: Start, connect: Connect) -> None:
    first = read(start, connect, Answer(body=BODY))
    seen = SeenRows(b"".join(digest for page in first[:5] for digest in page.digests))
    rest = read(start, connect, Answer(body=BODY), seen=seen)
    assert ids(rest) == ids(first[5:])
    assert first[3].position == first[-1].position
    assert {page.duplicates for page in rest} == {0}


@pytest.mark.parametrize("body", [b"", b"\n", b"\xef\xbb\xbf"])
def test_without_lines_there_is_a_page_without_rows(body: bytes, start: Start, connect: Connect) -> None:
    (page,) = read(start, connect, Answer(body=body))
    assert (len(page.rows), page.pages) == (0, 1)


def test_a_byte_order_mark_and_other_line_ends_do_no_harm(start: Start, connect: Connect) -> None:
    body = b'\xef\xbb\xbf{"id":"a"}\r\n\r\n{"id":"b"}'
    assert ids(read(start, connect, Answer(body=body))) == ["a", "b"]


def test_a_line_that_comes_twice_is_counted(start: Start, connect: Connect) -> None:
    (page,) = read(start, connect, Answer(body=b'{"id":"a"}\n{"id":"a"}\n'))
    assert (ids([page]), page.duplicates) == (["a"], 1)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (Answer(404, b'{"detail":"gone"}'), NotFoundError),
        (Answer(body=b'{"id":"a"}\n{"id":"b"'), TransientError),
        (Answer(body=b"<html>Sign in</html>"), TransientError),
        (Answer(body=b'{"name":"a"}\n'), UnexpectedResponseError),
    ],
)
def test_what_is_no_file_of_lines_fails(answer: Answer, error: type[Exception], start: Start, connect: Connect) -> None:
    with pytest.raises(error):
        read(start, connect, answer)


@pytest.mark.parametrize("how", [How.PLAIN, How.GZIP])
def test_even_a_file_has_an_end(how: How, start: Start, connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "LARGEST_FILE", 5000)
    with pytest.raises(UnexpectedResponseError, match="more than"):
        read(start, connect, Answer(body=BODY, how=how))


def test_what_is_paged_is_no_file() -> None:
    assert LINES.is_stream
    paged = kit.Listing(
        vendor=VENDOR, name="v.paged", path="/x", bodies=(kit.Body(is_lines=True),), paging=kit.LinkPaging()
    )
    assert not paged.is_stream
