from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from airflow_batch_provider.apis.endpoint import Listing
from airflow_batch_provider.client.client import Client
from airflow_batch_provider.exceptions import (
    AuthenticationError,
    IncompleteListingError,
    NotFoundError,
    RequestRefusedError,
)
from airflow_batch_provider.listing.pages import NewRows, read_pages
from airflow_batch_provider.vendors import llamacloud, playment, talkifai
from tests.listings import LISTINGS, VALUES
from tests.unit.connected import Connect, Start
from tests.vendor_server import LAST_PAGES, PAGES, Answer, Script, Served, VendorServer, in_turn, listing

LARGEST_PAGE = {"llamacloud.batch_processing_jobs": 1000}

EACH = pytest.mark.parametrize("name", LISTINGS)
WITH_CURSOR = pytest.mark.parametrize("name", ["playment.batch_jobs", "llamacloud.batches"])
OF_JOBS_THAT_SHIFT = pytest.mark.parametrize("name", ["llamacloud.batch_processing_jobs", "talkifai.batch_jobs"])


def read(client: Client, name: str, **values: Any) -> list[NewRows]:
    known: Listing = LISTINGS[name]
    return list(read_pages(client, known, known.request({**VALUES, **values})))


def lines(pages: Sequence[NewRows]) -> list[bytes]:
    return [row.json for page in pages for row in page.rows]


def ids(pages: Sequence[NewRows]) -> list[str | int]:
    return [row.id for page in pages for row in page.rows]


def exact(text: str | bytes) -> str:
    """Return a form in which two JSON texts agree only in every value, its type, and the order of keys."""
    return repr(json.loads(text, object_pairs_hook=lambda pairs: ("object", *pairs)))


def plain(count: int, prefix: str = "j") -> list[str]:
    return [json.dumps({"id": f"{prefix}{number}", "status": "done"}) for number in range(count)]


LITERALS = st.sampled_from(
    [
        "1.10",
        "1e5",
        "-0.0",
        "0",
        "1",
        "true",
        "null",
        "0.1",
        "123456789012345678901234567890",
        "-9223372036854775809",
        '"\\ud800"',
        '"\\udc00 \\u00e4 ä漢🎉"',
        '"line\\nbreak, \\u2028"',
        '"{\\"id\\": [1, 2]}"',
        "[]",
        "{}",
        '{ "id" : "inner", "z": [1.50,\n {"a":null}] }',
    ]
)
NAMES = st.sampled_from(["status", "name", "ä", "a b", "\\u0041", 'q\\"', "Id", "items", "next_page_token", ""])
PARTS = st.text(st.sampled_from('/?#%+= ä漢"\\&') | st.characters(exclude_categories=["Cs"]), max_size=5)


@st.composite
def rows(draw: st.DrawFn) -> list[str]:
    """Draw rows as JSON texts, each with an id of its own, often a page or so of them."""
    texts = []
    for number in range(draw(st.integers(0, 23))):
        odd = draw(st.sampled_from(["text", "text", "number", "surrogate"]))
        identifier = {
            "text": json.dumps(f"{draw(PARTS)}-{number}", ensure_ascii=draw(st.booleans())),
            "number": str(10**20 + number),
            "surrogate": f'"\\ud800{number}"',
        }[odd]
        fields = [f'"{key}":{draw(LITERALS)}' for key in draw(st.lists(NAMES, unique=True, max_size=3))]
        fields.insert(draw(st.integers(0, len(fields))), f'"id": {identifier}')
        texts.append("{" + draw(st.sampled_from([",", ", ", ",\n  ", "\r\n,\t"])).join(fields) + "}")
    return texts


@EACH
@given(
    texts=rows(),
    cap=st.sampled_from([1, 2, 3, 5, 7, 100]),
    last=st.sampled_from(sorted(LAST_PAGES)),
    total=st.sampled_from(["exact", "absent", None]),
    mark=st.sampled_from(["+/=", "a b&c#?%2F", "漢", "0"]),
    glue=st.sampled_from([",", ",\n", " , \r\n"]),
    echoes=st.booleans(),
)
def test_every_row_comes_once_in_order_and_to_the_value(
    name: str,
    shared_server: VendorServer,
    shared_connect: Connect,
    texts: list[str],
    cap: int,
    last: str,
    total: Any,
    mark: str,
    glue: str,
    echoes: bool,
) -> None:
    served = Served(texts, cap, last, total, mark, glue, echoes)
    shared_server.restart(listing(name, served))
    pages = read(shared_connect(LISTINGS[name].vendor, shared_server.url, max_attempts=1), name)
    assert [exact(line) for line in lines(pages)] == [exact(text) for text in texts]
    assert not any({10, 13} & set(line) for line in lines(pages))
    assert ids(pages) == [json.loads(text)["id"] for text in texts]
    assert sum(page.duplicates for page in pages) == 0


@EACH
@pytest.mark.parametrize("last", LAST_PAGES)
@pytest.mark.parametrize("pages", [0, 1, 2])
@pytest.mark.parametrize("more", [-1, 0, 1])
def test_a_listing_may_end_right_at_the_edge_of_a_page(
    name: str, last: str, pages: int, more: int, start: Start, connect: Connect
) -> None:
    size = LARGEST_PAGE.get(name, 100)
    texts = plain(max(0, pages * size + more))
    server = start(listing(name, Served(texts, cap=size, last=last)))
    read_back = read(connect(LISTINGS[name].vendor, server.url), name)
    assert lines(read_back) == [text.encode() for text in texts]
    passes = 2 if name == "llamacloud.batch_processing_jobs" and len(texts) >= size else 1  # it reports no total
    assert len(server.asked) <= passes * (len(texts) // size * 1.2 + 3)


@OF_JOBS_THAT_SHIFT
@pytest.mark.parametrize("total", [None, "absent", "exact"])
@pytest.mark.parametrize("cap", [1, 30, 99])
def test_a_server_that_gives_fewer_rows_than_asked_for_loses_none(
    name: str, cap: int, total: Any, start: Start, connect: Connect
) -> None:
    server = start(listing(name, Served(plain(120), cap=cap, total=total, echoes=False)))
    assert len(ids(read(connect(LISTINGS[name].vendor, server.url), name))) == 120


@pytest.mark.parametrize("total", [None, 0, 1, 50, 10**6, "absent"])
@pytest.mark.parametrize("mark", ["a-token-that-no-parameter-takes", ""])
def test_the_v1_total_and_token_of_llamacloud_are_no_reason_to_stop(
    total: Any, mark: str, start: Start, connect: Connect
) -> None:
    name = "llamacloud.batch_processing_jobs"
    server = start(listing(name, Served(plain(120), cap=50, total=total, mark=mark)))
    pages = read(connect(llamacloud.VENDOR, server.url), name)
    assert len(ids(pages)) == 120
    assert not any("page_token" in asked.query for asked in server.asked)


@pytest.mark.parametrize("total", [0, 1, 100])
def test_a_total_of_talkifai_that_is_too_low_ends_nothing_before_a_short_page(
    total: int, start: Start, connect: Connect
) -> None:
    name = "talkifai.batch_jobs"
    server = start(listing(name, Served(plain(250), total=total)))
    assert len(ids(read(connect(talkifai.VENDOR, server.url), name))) == 250


def test_talkifai_reporting_more_rows_than_come_is_an_error_that_says_so(start: Start, connect: Connect) -> None:
    name = "talkifai.batch_jobs"
    server = start(listing(name, Served(plain(120), total=123)))
    with pytest.raises(IncompleteListingError, match=r"\b(3 rows|120 rows of 123)\b") as failure:
        read(connect(talkifai.VENDOR, server.url), name)
    assert failure.value.vendor == "talkifai"
    assert len(server.asked) <= 10


def test_talkifai_reporting_more_rows_only_on_an_early_page_is_an_error_too(start: Start, connect: Connect) -> None:
    first = f'{{"batchJobs":[{",".join(plain(100))}],"total":150,"page":1,"pageSize":100}}'
    rest = '{"batchJobs":[],"total":null,"page":2,"pageSize":100}'
    server = start(in_turn(Answer(200, first.encode()), Answer(200, rest.encode())))
    with pytest.raises(IncompleteListingError):
        read(connect(talkifai.VENDOR, server.url), "talkifai.batch_jobs")


def refusing_behind_the_end(rows: int, refusal: Answer) -> Script:
    """Serve listing 5 as a server does that refuses pages which begin behind the last row."""

    def script(method: str, path: str, query: dict[str, str], headers: Mapping[str, str]) -> Answer:
        if rows and (int(query["page"]) - 1) * int(query["pageSize"]) >= rows:
            return refusal
        return PAGES["talkifai.batch_jobs"](Served(plain(rows)), query)

    return script


REFUSALS = [Answer(400, b'{"detail":"invalid_page"}'), Answer(404, b'{"detail":"no such page"}')]


@pytest.mark.parametrize("rows", [0, 1, 99, 100, 101, 198, 1000])
@pytest.mark.parametrize("refusal", REFUSALS, ids=["400", "404"])
def test_a_server_that_refuses_pages_behind_the_last_row_is_not_asked_for_them(
    refusal: Answer, rows: int, start: Start, connect: Connect
) -> None:
    server = start(refusing_behind_the_end(rows, refusal))
    assert len(ids(read(connect(talkifai.VENDOR, server.url), "talkifai.batch_jobs"))) == rows


@pytest.mark.parametrize("refusal", REFUSALS, ids=["400", "404"])
def test_a_page_refused_because_the_listing_shrank_hides_no_row(
    refusal: Answer, start: Start, connect: Connect
) -> None:
    before, after = plain(250), plain(250)[180:]

    def script(method: str, path: str, query: dict[str, str], headers: Mapping[str, str]) -> Answer:
        if len(server.asked) <= 2:
            return PAGES["talkifai.batch_jobs"](Served(before), query)
        if (int(query["page"]) - 1) * int(query["pageSize"]) >= len(after):
            return refusal
        return PAGES["talkifai.batch_jobs"](Served(after), query)

    server = start(script)
    found = ids(read(connect(talkifai.VENDOR, server.url), "talkifai.batch_jobs"))
    assert len(found) == len(set(found))
    assert set(found) >= {json.loads(text)["id"] for text in after}


@pytest.mark.parametrize("total", ["101", "null"])
@pytest.mark.parametrize("refusal", REFUSALS, ids=["400", "404"])
def test_pages_that_are_refused_for_good_fail_talkifais_listing(
    refusal: Answer, total: str, start: Start, connect: Connect
) -> None:
    full = f'{{"batchJobs":[{",".join(plain(100))}],"total":{total},"page":1,"pageSize":100}}'
    server = start(in_turn(Answer(200, full.encode()), refusal))
    with pytest.raises((NotFoundError, RequestRefusedError)):
        read(connect(talkifai.VENDOR, server.url), "talkifai.batch_jobs")
    assert len(server.asked) == 3


def test_a_listing_read_from_a_later_page_on_is_not_taken_for_incomplete(start: Start, connect: Connect) -> None:
    server = start(listing("talkifai.batch_jobs", Served(plain(250))))
    pages = read(connect(talkifai.VENDOR, server.url), "talkifai.batch_jobs", page=3)
    assert ids(pages)[-50:] == [f"j{number}" for number in range(200, 250)]


@EACH
@given(st.lists(st.integers(0, 9), max_size=30), st.sampled_from([1, 3, 100]))
@example([0, 0, 0], 1)
@example([0, 1, 0, 2, 1], 2)
def test_a_row_that_comes_again_is_dropped_and_counted(
    name: str, shared_server: VendorServer, shared_connect: Connect, numbers: list[int], cap: int
) -> None:
    texts = [f'{{"id":"j{number}","seen":{place}}}' for place, number in enumerate(numbers)]
    shared_server.restart(listing(name, Served(texts, cap, total="absent")))
    pages = read(shared_connect(LISTINGS[name].vendor, shared_server.url, max_attempts=1), name)
    first = dict(zip(reversed(numbers), reversed(texts), strict=True))
    assert lines(pages) == [first[number].encode() for number in dict.fromkeys(numbers)]
    assert sum(page.duplicates for page in pages) == len(numbers) - len(first)


def cursor_page(name: str, texts: Sequence[str], token: str) -> Answer:
    """Return a page with any token."""
    mark = Served([*texts, "{}"], cap=len(texts), mark=token.removesuffix(str(len(texts))))
    return PAGES[name](mark, {"page_size": "100"})


def turning(name: str, tokens: Sequence[str], texts: Sequence[str]) -> Script:
    """Return pages whose tokens turn in a circle, each with rows of its own if there are any."""
    asked: list[str] = []

    def script(method: str, path: str, query: dict[str, str], headers: Mapping[str, str]) -> Answer:
        asked.append(path)
        rows = [text.replace("j", f"j{len(asked)}-") for text in texts]
        return cursor_page(name, rows, tokens[(len(asked) - 1) % len(tokens)])

    return script


@WITH_CURSOR
@pytest.mark.parametrize("texts", [plain(0), plain(3)], ids=["empty pages", "new rows"])
@pytest.mark.parametrize("tokens", [["same"], ["a", "b"], ["a", "b", "c", "d"]], ids=len)
def test_a_cursor_that_comes_again_is_an_error_and_no_loop(
    name: str, tokens: list[str], texts: list[str], start: Start, connect: Connect
) -> None:
    server = start(turning(name, [token + str(len(texts)) for token in tokens], texts))
    with pytest.raises(IncompleteListingError):
        read(connect(LISTINGS[name].vendor, server.url), name)
    assert len(server.asked) <= len(tokens) + 2


@WITH_CURSOR
@pytest.mark.parametrize("texts", [plain(0), plain(3)], ids=["empty pages", "the same rows"])
def test_new_cursors_without_new_rows_come_to_an_end(
    name: str, texts: list[str], start: Start, connect: Connect
) -> None:
    asked: list[str] = []

    def script(method: str, path: str, query: dict[str, str], headers: Mapping[str, str]) -> Answer:
        asked.append(path)
        return cursor_page(name, texts, f"t{len(asked)}-{len(texts)}")

    server = start(script)
    with pytest.raises(IncompleteListingError):
        read(connect(LISTINGS[name].vendor, server.url), name)
    assert len(server.asked) <= 200


@WITH_CURSOR
def test_an_empty_page_in_the_middle_ends_nothing(name: str, start: Start, connect: Connect) -> None:
    pages = [cursor_page(name, texts, f"{mark}{len(texts)}") for texts, mark in (([], "a"), (plain(2), "b"), ([], "c"))]
    end = PAGES[name](Served(plain(1, "last")), {"page_size": "100"})
    server = start(in_turn(*pages, end))
    assert ids(read(connect(LISTINGS[name].vendor, server.url), name)) == ["j0", "j1", "last0"]
    assert [asked.query.get("page_token") for asked in server.asked] == [None, "a0", "b2", "c0"]


def test_a_numeric_cursor_is_sent_back_digit_by_digit(start: Start, connect: Connect) -> None:
    first = b'{"data":{"jobs":[{"id":"a"}],"next_page_token":15758221033130460001},"success":true}'
    server = start(in_turn(Answer(200, first), Answer(200, b'{"data":{"jobs":[]},"success":true}')))
    read(connect(playment.VENDOR, server.url), "playment.batch_jobs")
    assert server.asked[1].query["page_token"] == "15758221033130460001"


def test_filters_are_repeated_on_every_page(start: Start, connect: Connect) -> None:
    server = start(listing("llamacloud.batches", Served(plain(5), cap=2)))
    read(connect(llamacloud.VENDOR, server.url), "llamacloud.batches", status="FAILED", source_directory_id="d+1")
    assert len(server.asked) == 3
    assert {(asked.query["status"], asked.query["source_directory_id"]) for asked in server.asked} == {
        ("FAILED", "d+1")
    }


@OF_JOBS_THAT_SHIFT
@pytest.mark.parametrize("total", ["exact", "absent", 10**6])
def test_a_server_that_answers_every_page_with_the_first_is_an_error(
    name: str, total: Any, start: Start, connect: Connect
) -> None:
    size = LARGEST_PAGE.get(name, 100)
    served = Served(plain(3 * size), cap=size, total=total)

    def script(method: str, path: str, query: dict[str, str], headers: Mapping[str, str]) -> Answer:
        return PAGES[name](served, {**query, "offset": "0", "page": "1"})

    server = start(script)
    with pytest.raises(IncompleteListingError):
        read(connect(LISTINGS[name].vendor, server.url), name)
    assert len(server.asked) <= 200


def shifting(name: str, before: list[str], after: list[str], size: int) -> Script:
    """Serve rows, and others from the second request on."""
    asked: list[str] = []

    def script(method: str, path: str, query: dict[str, str], headers: Mapping[str, str]) -> Answer:
        asked.append(path)
        return PAGES[name](Served(before if len(asked) == 1 else after, cap=size), query)

    return script


@OF_JOBS_THAT_SHIFT
def test_a_job_that_leaves_while_a_listing_is_read_hides_no_other(name: str, start: Start, connect: Connect) -> None:
    size = LARGEST_PAGE.get(name, 100)
    texts = plain(2 * size + 5)
    server = start(shifting(name, texts, texts[1:], size))
    found = ids(read(connect(LISTINGS[name].vendor, server.url), name))
    assert len(found) == len(set(found))
    assert set(found) >= {json.loads(text)["id"] for text in texts[1:]}


@OF_JOBS_THAT_SHIFT
def test_a_job_that_joins_while_a_listing_is_read_hides_and_doubles_no_other(
    name: str, start: Start, connect: Connect
) -> None:
    size = LARGEST_PAGE.get(name, 100)
    texts = plain(2 * size + 5)
    server = start(shifting(name, texts, [*plain(1, "new"), *texts], size))
    found = ids(read(connect(LISTINGS[name].vendor, server.url), name))
    assert len(found) == len(set(found))
    assert set(found) >= {json.loads(text)["id"] for text in texts}


def test_many_pages_use_one_connection(start: Start, connect: Connect) -> None:
    server = start(listing("llamacloud.batches", Served(plain(40), cap=1)))
    read(connect(llamacloud.VENDOR, server.url), "llamacloud.batches")
    assert len(server.asked) == 40
    assert len({asked.connection for asked in server.asked}) == 1


@EACH
def test_pages_are_asked_for_as_they_are_needed(name: str, start: Start, connect: Connect) -> None:
    server = start(listing(name, Served(plain(500), cap=100)))
    known = LISTINGS[name]
    pages = read_pages(connect(known.vendor, server.url), known, known.request(VALUES))
    assert server.asked == []
    next(pages)
    assert len(server.asked) == 1


@EACH
def test_a_page_that_fails_for_good_ends_the_listing_with_its_error(name: str, start: Start, connect: Connect) -> None:
    if name == "playment.batches":
        return  # it has one page only
    serve_rows = listing(name, Served(plain(300), cap=100))
    answers: list[Answer] = []

    def script(method: str, path: str, query: dict[str, str], headers: Mapping[str, str]) -> Answer:
        answers.append(serve_rows(method, path, query, headers) if not answers else Answer(403, b'{"detail":"no"}'))
        return answers[-1]

    server = start(script)
    known = LISTINGS[name]
    pages = read_pages(connect(known.vendor, server.url), known, known.request(VALUES))
    assert len(next(pages).rows) == 100
    with pytest.raises(AuthenticationError):
        next(pages)


def test_ids_that_differ_only_in_a_lone_surrogate_are_two_rows(start: Start, connect: Connect) -> None:
    server = start(listing("llamacloud.batches", Served(['{"id":"\\ud800"}', '{"id":"\\ud801"}', '{"id":"\\ufffd"}'])))
    assert len(ids(read(connect(llamacloud.VENDOR, server.url), "llamacloud.batches"))) == 3


def test_a_number_and_the_text_of_it_are_two_ids(start: Start, connect: Connect) -> None:
    server = start(listing("llamacloud.batches", Served(['{"id":1}', '{"id":"1"}'])))
    assert len(ids(read(connect(llamacloud.VENDOR, server.url), "llamacloud.batches"))) == 2
