"""What a vendor's requests may be: methods, bodies, headers, authentication, and what is sent only once."""

from __future__ import annotations

import io
import json
import tracemalloc
from collections.abc import Mapping
from email.parser import BytesParser
from typing import IO, Any

import pytest

from airflow_batch_provider import vendor_kit as kit
from airflow_batch_provider.apis.auth import Credentials
from airflow_batch_provider.apis.endpoint import Endpoint
from airflow_batch_provider.apis.request import Answer as Received
from airflow_batch_provider.apis.request import Part, Request, next_link
from airflow_batch_provider.client.multipart import encode_body
from airflow_batch_provider.exceptions import (
    AmbiguousRequestError,
    AuthenticationError,
    BatchProviderError,
    RequestRefusedError,
    TransientError,
    UnexpectedResponseError,
)
from airflow_batch_provider.listing.pages import documents, read_pages
from tests.unit.connected import Connect, Start
from tests.vendor_server import Answer, How, in_turn

VENDOR = kit.Vendor(
    name="tests",
    title="Tests",
    base_url="https://api.tests.example",
    auth=kit.KeyHeader("x-key"),
    headers={"X-Version": "2026-01-01"},
)
CREATE = Endpoint(vendor=VENDOR, name="tests.create", path="/jobs", method="POST", is_repeatable=False)
OK = Answer(201, b'{"id":"a"}')


def read(answer: Received) -> Any:
    return json.loads(answer.body)


def test_a_request_has_a_method_static_headers_and_a_json_body(start: Start, connect: Connect, key: str) -> None:
    server = start(in_turn(OK))
    assert connect(VENDOR, server.url).send(CREATE.request({}, json={"name": "ä\ud800", "n": 2**70}), read) == {
        "id": "a"
    }
    (asked,) = server.asked
    assert (asked.method, asked.target) == ("POST", "/jobs")
    assert (asked.headers["X-Version"], asked.headers["x-key"]) == ("2026-01-01", key)
    assert asked.headers["Content-Type"] == "application/json"
    assert json.loads(asked.body) == {"name": "ä\ud800", "n": 2**70}


def test_a_multipart_body_has_its_parts(start: Start, connect: Connect) -> None:
    server = start(in_turn(OK))
    parts = (
        Part("purpose", b"parse"),
        Part(
            "file", open=lambda: io.BytesIO(b"%PDF\r\n"), size=6, filename='a "b".pdf', content_type="application/pdf"
        ),
    )
    connect(VENDOR, server.url).send(CREATE.request({}, parts=parts), read)
    (asked,) = server.asked
    head = f"Content-Type: {asked.headers['Content-Type']}\r\n\r\n".encode()
    purpose, file = BytesParser().parsebytes(head + asked.body).get_payload()
    assert purpose.get_payload(decode=True) == b"parse"
    assert (file.get_payload(decode=True), file.get_content_type()) == (b"%PDF\r\n", "application/pdf")
    assert 'name="file"' in file["Content-Disposition"]
    assert asked.headers["Content-Length"] == str(len(asked.body))


class Zeros(io.RawIOBase):
    """A large file that takes no memory."""

    def __init__(self, size: int) -> None:
        self._left = size

    def read(self, size: int = -1) -> bytes:
        block = bytes(min(size, self._left))
        self._left -= len(block)
        return block


def zeros(size: int) -> IO[bytes]:
    return Zeros(size)  # type: ignore[return-value]


def test_a_large_part_is_streamed() -> None:
    size = 300 << 20
    body, headers = encode_body(CREATE.request({}, parts=(Part("file", open=lambda: zeros(size), size=size),)))
    tracemalloc.start()
    try:
        sent = sum(map(len, body))  # type: ignore[arg-type]
        assert tracemalloc.get_traced_memory()[1] < 4 << 20
    finally:
        tracemalloc.stop()
    assert str(sent) == headers["Content-Length"]


@pytest.mark.parametrize("size", [5, 7])
def test_a_file_that_changed_meanwhile_garbles_no_body(size: int) -> None:
    body, _ = encode_body(CREATE.request({}, parts=(Part("file", open=lambda: io.BytesIO(b"123456"), size=size),)))
    with pytest.raises(OSError, match=r"part 'file' has another size than the \d bytes declared"):
        list(body)  # type: ignore[arg-type]


def test_a_stream_without_a_size_is_refused() -> None:
    with pytest.raises(ValueError, match="its size must be given"):
        Part("file", open=lambda: io.BytesIO(b""))


AMBIGUOUS = {
    **{str(status): Answer(status) for status in (500, 502, 503, 504)},
    "lost": Answer(how=How.CLOSE),
    "silent": Answer(how=How.SILENT),
    "cut": Answer(201, b'{"id":"a"}', how=How.BROKEN_OFF),
    "created, but not JSON": Answer(201, b"<html>"),
    "with Retry-After": Answer(503, headers={"Retry-After": "1"}),
}


def read_object(answer: Received) -> Any:
    resource = kit.Resource(vendor=VENDOR, name="tests.job", path="/job")
    return resource.read(answer)


@pytest.mark.parametrize("case", AMBIGUOUS)
def test_a_request_that_creates_is_sent_once_if_it_may_have_taken_effect(
    case: str, start: Start, connect: Connect
) -> None:
    server = start(in_turn(AMBIGUOUS[case], OK))
    with pytest.raises(AmbiguousRequestError, match=r"POST /jobs.*It may have taken effect all the same") as raised:
        connect(VENDOR, server.url, read_timeout=0.3).send(CREATE.request({}), read_object)
    assert isinstance(raised.value, TransientError)
    assert raised.value.endpoint == "POST /jobs"
    assert len(server.asked) == 1


@pytest.mark.parametrize("case", ["500", "lost", "cut"])
def test_a_request_that_may_be_repeated_is(case: str, start: Start, connect: Connect) -> None:
    server = start(in_turn(AMBIGUOUS[case], OK))
    request = Request("/jobs", method="POST", json={})
    assert connect(VENDOR, server.url).send(request, read_object) == {"id": "a"}
    assert len(server.asked) == 2


def test_a_rate_limit_is_definite_so_the_request_is_sent_again(start: Start, connect: Connect) -> None:
    server = start(in_turn(Answer(429, headers={"Retry-After": "1"}), OK))
    assert connect(VENDOR, server.url).send(CREATE.request({}), read_object) == {"id": "a"}
    assert len(server.asked) == 2


@pytest.mark.parametrize("status", [400, 404, 409, 422, 302])
def test_a_refusal_is_definite(status: int, start: Start, connect: Connect) -> None:
    server = start(in_turn(Answer(status, headers={"Location": "/elsewhere"})))
    with pytest.raises(BatchProviderError) as raised:
        connect(VENDOR, server.url).send(CREATE.request({}), read_object)
    assert not isinstance(raised.value, AmbiguousRequestError)
    assert [asked.method for asked in server.asked] == ["POST"]


def test_a_vendor_that_cannot_be_reached_got_nothing_so_it_is_tried_again(
    connect: Connect, pauses: list[float]
) -> None:
    with pytest.raises(TransientError) as raised:
        connect(VENDOR, "http://127.0.0.1:1", max_attempts=3).send(CREATE.request({}), read_object)
    assert not isinstance(raised.value, AmbiguousRequestError)
    assert len(pauses) == 2


@pytest.mark.parametrize("status", [307, 308])
def test_a_redirect_that_keeps_the_method_is_followed(status: int, start: Start, connect: Connect) -> None:
    server = start(in_turn(Answer(status, headers={"Location": "/v2/jobs"}), OK))
    connect(VENDOR, server.url).send(CREATE.request({}, json={"a": 1}), read)
    assert [(asked.method, asked.path, asked.body) for asked in server.asked] == [
        ("POST", "/jobs", b'{"a": 1}'),
        ("POST", "/v2/jobs", b'{"a": 1}'),
    ]


def test_basic_authentication_uses_login_and_password(start: Start, connect: Connect) -> None:
    server = start(in_turn(OK))
    client = connect(VENDOR, server.url, auth=kit.Basic(), credentials=Credentials("p:ä", login="me"))
    client.send(CREATE.request({}), read)
    assert server.asked[0].headers["Authorization"] == "Basic bWU6cDrDpA=="


class Tokens:
    """A token that a vendor takes for so many requests; then another one must be fetched."""

    def __init__(self) -> None:
        self.fetched = 0

    def __call__(self, request: Request, credentials: Credentials, renew: bool) -> Mapping[str, str]:
        if renew or not self.fetched:
            self.fetched += 1
        return {"Authorization": f"Bearer token-{self.fetched}-of-{credentials.secret}"}


JOBS = kit.Listing(
    vendor=VENDOR,
    name="tests.jobs",
    path="/jobs",
    bodies=(kit.Body(rows="jobs", next_token="after"),),
    paging=kit.CursorPaging("after"),
)


def test_a_token_that_expires_in_the_middle_of_a_listing_is_renewed(start: Start, connect: Connect) -> None:
    seen: list[str] = []

    def answer(method: str, path: str, query: dict[str, str], headers: Any) -> Answer:
        seen.append(headers["Authorization"])
        page = int(query.get("after", 0))
        if page >= 2 and "token-1-" in headers["Authorization"]:
            return Answer(401, b'{"error":"expired"}')
        after = f',"after":"{page + 1}"' if page < 4 else ""
        return Answer(200, f'{{"jobs":[{{"id":{page}}}]{after}}}'.encode())

    server = start(answer)
    client = connect(VENDOR, server.url, auth=Tokens())
    rows = [row for page in read_pages(client, JOBS, JOBS.request({})) for row in documents(page.rows)]
    assert [row["id"] for row in rows] == [0, 1, 2, 3, 4]
    assert [header.partition("-of-")[0] for header in seen] == ["Bearer token-1"] * 3 + ["Bearer token-2"] * 3


def test_a_key_that_renewal_does_not_mend_fails_after_one_more_request(
    start: Start, connect: Connect, key: str, caplog: pytest.LogCaptureFixture
) -> None:
    def echo(method: str, path: str, query: dict[str, str], headers: Any) -> Answer:
        return Answer(401, json.dumps({"message": f"not {headers['Authorization']}"}).encode())

    server = start(echo)
    with pytest.raises(AuthenticationError, match=r"not \*\*\*") as raised:
        connect(VENDOR, server.url, auth=Tokens()).send(Request("/jobs"), read)
    assert len(server.asked) == 2
    assert "token-" not in f"{raised.value} {caplog.text}"


def test_signed_requests_sign_each_request(start: Start, connect: Connect) -> None:
    server = start(in_turn(OK))

    def sign(request: Request, credentials: Credentials, renew: bool) -> Mapping[str, str]:
        return {"X-Signature": f"{request.method} {request.target}"}

    client = connect(VENDOR, server.url, auth=sign)
    client.send(Request("/a", {"b": "c"}, method="POST"), read)
    client.send(Request("/d", method="POST"), read)
    assert [asked.headers["X-Signature"] for asked in server.asked] == ["POST /a?b=c", "POST /d"]


def links(**changes: Any) -> kit.Listing:
    values = {"vendor": VENDOR, "name": "tests.links", "path": "/jobs", "paging": kit.LinkPaging()}
    return kit.Listing(**{**values, "bodies": (kit.Body(),), **changes})


@pytest.mark.parametrize("form", ["{url}/jobs?page={page}", "/jobs?page={page}", "?page={page}", "jobs?page={page}"])
@pytest.mark.parametrize("in_body", [True, False], ids=["in the body", "in a header"])
def test_a_next_page_may_be_a_link(form: str, in_body: bool, start: Start, connect: Connect) -> None:
    listing = links(bodies=(kit.Body(rows="jobs", next_link="links.next"),)) if in_body else links()

    def answer(method: str, path: str, query: dict[str, str], headers: Any) -> Answer:
        page = int(query.get("page", 0))
        url = form.format(url=f"http://{headers['Host']}", page=page + 1) if page < 3 else None
        rows = [{"id": page}]
        if in_body:
            return Answer(200, json.dumps({"jobs": rows, "links": {"next": url}}).encode())
        link = {"Link": f'</jobs>; rel="first", <{url}>; rel="next"'} if url else {}
        return Answer(200, json.dumps(rows).encode(), link)

    server = start(answer)
    pages = read_pages(connect(VENDOR, server.url), listing, listing.request({}))
    assert [row["id"] for page in pages for row in documents(page.rows)] == [0, 1, 2, 3]


@pytest.mark.parametrize("link", ["http://elsewhere.invalid/jobs?page=1", "//elsewhere.invalid/jobs", "ftp://x/y"])
def test_a_link_to_another_origin_is_not_followed(link: str, start: Start, connect: Connect) -> None:
    server = start(in_turn(Answer(200, b'[{"id":1}]', {"Link": f'<{link}>; rel="next"'})))
    with pytest.raises(UnexpectedResponseError, match="where the API key may not go"):
        list(read_pages(connect(VENDOR, server.url), links(), links().request({})))
    assert len(server.asked) == 1


def test_links_in_a_circle_are_an_error(start: Start, connect: Connect) -> None:
    server = start(in_turn(Answer(200, b'[{"id":1}]', {"Link": '</jobs?page=2>; rel="next"'})))
    with pytest.raises(BatchProviderError, match="repeats a page"):
        list(read_pages(connect(VENDOR, server.url), links(), links().request({})))


@pytest.mark.parametrize(
    ("header", "url"),
    [
        (None, None),
        ("", None),
        ('<https://x/2>; rel="next"', "https://x/2"),
        ("<https://x/2>;rel=next", "https://x/2"),
        ('</1>; rel="prev", </2,3>; title="a, b"; rel="next last"', "/2,3"),
        ('</1>; rel="prev"; title="rel=next"', None),
        ('</1>; rel="nextish"', None),
        ("</1>", None),
    ],
)
def test_a_link_header_names_the_next_page(header: str | None, url: str | None) -> None:
    assert next_link({} if header is None else {"Link": header}) == url


def test_more_rows_without_a_cursor_fail_the_listing(start: Start, connect: Connect) -> None:
    listing = links(
        bodies=(kit.Body(rows="jobs", next_token="after", more="has_more"),), paging=kit.CursorPaging("after")
    )
    server = start(in_turn(Answer(200, b'{"jobs":[{"id":1}],"has_more":true,"after":null}')))
    with pytest.raises(UnexpectedResponseError, match="there are more rows, but not how to get to them"):
        list(read_pages(connect(VENDOR, server.url), listing, listing.request({})))


def test_a_refusal_by_status_is_told_with_its_method(start: Start, connect: Connect) -> None:
    server = start(in_turn(Answer(422, b'{"detail":"name is taken"}')))
    with pytest.raises(RequestRefusedError, match=r"HTTP 422: name is taken \(POST /jobs\)"):
        connect(VENDOR, server.url).send(CREATE.request({}), read)
