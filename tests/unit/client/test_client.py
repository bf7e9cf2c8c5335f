from __future__ import annotations

import json
import logging
import traceback
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_batch_provider.apis.endpoint import Listing
from airflow_batch_provider.apis.page import Page
from airflow_batch_provider.apis.problem import Problem, ProblemKind
from airflow_batch_provider.client.client import Client
from airflow_batch_provider.exceptions import (
    AuthenticationError,
    BatchProviderError,
    FatalError,
    NotFoundError,
    PaymentRequiredError,
    RateLimitedError,
    RequestRefusedError,
    TransientError,
    UnexpectedResponseError,
)
from airflow_batch_provider.vendors import llamacloud, playment, talkifai
from tests.unit.connected import Connect, Start
from tests.vendor_server import Answer, How, in_turn, redirect

GOOD = {
    playment.BATCH_JOBS.name: b'{"data":{"jobs":[{"id":"a"}]},"success":true}',
    llamacloud.BATCHES.name: b'{"items":[{"id":"a"}]}',
    talkifai.BATCH_JOBS.name: b'{"batchJobs":[{"id":"a"}],"total":1}',
}
EACH = pytest.mark.parametrize(
    "listing", [playment.BATCH_JOBS, llamacloud.BATCHES, talkifai.BATCH_JOBS], ids=lambda listing: listing.vendor.name
)


def ask(client: Client, listing: Listing) -> Page:
    """Read the first page."""
    request = listing.request({"project_id": "p", "batch_id": "b", "organization_id": "o"})
    return client.send(request, listing.page)


def good(listing: Listing, how: How = How.PLAIN) -> Answer:
    return Answer(200, GOOD[listing.name], how=how)


def failure_of(client: Client, listing: Listing) -> BatchProviderError:
    with pytest.raises(BatchProviderError) as failure:
        ask(client, listing)
    return failure.value


@EACH
@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
@pytest.mark.parametrize("body", [b'{"detail":"later"}', b"<html>Bad Gateway</html>", b""])
def test_a_status_that_may_pass_is_asked_again(
    listing: Listing, status: int, body: bytes, start: Start, connect: Connect, pauses: list[float]
) -> None:
    server = start(in_turn(Answer(status, body), Answer(status, body), good(listing)))
    assert len(ask(connect(listing.vendor, server.url), listing).rows) == 1
    assert (len(server.asked), len(pauses)) == (3, 2)


@pytest.mark.parametrize("code", ["FS_0000", "FS_0008", "api_error"])
@pytest.mark.parametrize("status", [200, 400])
def test_a_passing_fault_of_playment_is_asked_again_although_its_status_says_no(
    status: int, code: str, start: Start, connect: Connect, pauses: list[float]
) -> None:
    fault = Answer(status, json.dumps({"error": {"code": code, "message": "later"}, "success": False}).encode())
    server = start(in_turn(fault, good(playment.BATCH_JOBS)))
    ask(connect(playment.VENDOR, server.url), playment.BATCH_JOBS)
    assert (len(server.asked), len(pauses)) == (2, 1)


@EACH
@pytest.mark.parametrize("attempts", [1, 2, 6])
@pytest.mark.parametrize("status", [429, 503])
def test_the_number_of_attempts_is_bounded(
    listing: Listing, attempts: int, status: int, start: Start, connect: Connect, pauses: list[float]
) -> None:
    server = start(in_turn(Answer(status, b'{"detail":"busy"}')))
    error = failure_of(connect(listing.vendor, server.url, max_attempts=attempts), listing)
    assert (len(server.asked), len(pauses)) == (attempts, attempts - 1)
    assert isinstance(error, TransientError)
    assert not isinstance(error, AirflowFailException)
    assert (error.vendor, error.status) == (listing.vendor.name, status)
    assert "busy" in str(error)


def test_six_attempts_are_the_default(start: Start, connect: Connect) -> None:
    server = start(in_turn(Answer(503)))
    failure_of(connect(llamacloud.VENDOR, server.url), llamacloud.BATCHES)
    assert len(server.asked) == 6


@EACH
@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("seconds", ["7", "60"])
def test_retry_after_in_seconds_is_waited_for(
    listing: Listing, status: int, seconds: str, start: Start, connect: Connect, pauses: list[float]
) -> None:
    server = start(in_turn(Answer(status, headers={"Retry-After": seconds}), good(listing)))
    ask(connect(listing.vendor, server.url), listing)
    assert pauses == [float(seconds)]


def test_retry_after_as_a_date_is_waited_for(start: Start, connect: Connect, pauses: list[float]) -> None:
    moment = format_datetime(datetime.now(UTC) + timedelta(seconds=55), usegmt=True)
    server = start(in_turn(Answer(429, headers={"retry-after": moment}), good(llamacloud.BATCHES)))
    ask(connect(llamacloud.VENDOR, server.url), llamacloud.BATCHES)
    assert len(pauses) == 1
    assert 0 < pauses[0] <= 55


@EACH
@pytest.mark.parametrize("status", [429, 503])
def test_a_retry_after_beyond_the_cap_fails_at_once_and_says_when_to_come_back(
    listing: Listing, status: int, start: Start, connect: Connect, pauses: list[float]
) -> None:
    server = start(in_turn(Answer(status, headers={"Retry-After": "3600"})))
    error = failure_of(connect(listing.vendor, server.url), listing)
    assert (len(server.asked), pauses) == (1, [])
    assert isinstance(error, RateLimitedError)
    assert error.retry_after == 3600
    assert "3600 s" in str(error)
    assert not isinstance(error, AirflowFailException)


def test_a_date_beyond_the_cap_fails_at_once_too(start: Start, connect: Connect) -> None:
    server = start(in_turn(Answer(429, headers={"Retry-After": "Fri, 01 Jan 2999 00:00:00 GMT"})))
    error = failure_of(connect(llamacloud.VENDOR, server.url), llamacloud.BATCHES)
    assert isinstance(error, RateLimitedError)
    assert len(server.asked) == 1


def test_a_retry_after_that_makes_no_sense_falls_back_to_backoff(
    start: Start, connect: Connect, pauses: list[float]
) -> None:
    server = start(in_turn(Answer(429, headers={"Retry-After": "soon"}), good(llamacloud.BATCHES)))
    ask(connect(llamacloud.VENDOR, server.url), llamacloud.BATCHES)
    assert len(pauses) == 1


def test_a_retry_after_beyond_the_calendar_falls_back_to_backoff(start: Start, connect: Connect) -> None:
    answer = Answer(429, headers={"Retry-After": "Mon, 01 Jan 99999999999999999999 00:00:00 GMT"})
    server = start(in_turn(answer, good(llamacloud.BATCHES)))
    ask(connect(llamacloud.VENDOR, server.url), llamacloud.BATCHES)


FATAL = {401: AuthenticationError, 403: AuthenticationError, 402: PaymentRequiredError, 404: NotFoundError}
FATAL |= {410: NotFoundError, 400: RequestRefusedError, 409: RequestRefusedError, 422: RequestRefusedError}


@EACH
@pytest.mark.parametrize(("status", "error_class"), FATAL.items())
@pytest.mark.parametrize("body", [b'{"detail":"no"}', b"", b"Forbidden", b'[{"id":"a"}]'])
def test_a_status_that_will_not_pass_is_asked_once(
    listing: Listing,
    status: int,
    error_class: type[FatalError],
    body: bytes,
    start: Start,
    connect: Connect,
    pauses: list[float],
) -> None:
    server = start(in_turn(Answer(status, body, {"Retry-After": "1"})))
    error = failure_of(connect(listing.vendor, server.url), listing)
    assert type(error) is error_class
    assert isinstance(error, AirflowFailException)
    assert (len(server.asked), pauses) == (1, [])
    assert (error.vendor, error.status) == (listing.vendor.name, status)
    assert error.endpoint == f"GET {server.asked[0].path}"


@pytest.mark.parametrize(
    ("code", "error_class"),
    [
        ("auth-failure", AuthenticationError),
        ("core.webutil.token_auth", AuthenticationError),
        ("unauthorized", AuthenticationError),
        ("core.webutil.auther", AuthenticationError),
        ("FS_0006", NotFoundError),
        ("GE_0001", RequestRefusedError),
        ("invalid_request_error", RequestRefusedError),
        ("unheard_of", RequestRefusedError),
    ],
)
@pytest.mark.parametrize("status", [200, 400])
def test_playments_codes_decide_the_class(
    status: int, code: str, error_class: type[FatalError], start: Start, connect: Connect
) -> None:
    body = json.dumps({"error": {"code": code, "message": "no"}, "success": False}).encode()
    server = start(in_turn(Answer(status, body)))
    error = failure_of(connect(playment.VENDOR, server.url), playment.BATCH_JOBS)
    assert (type(error), error.code, len(server.asked)) == (error_class, code, 1)
    assert code in str(error)


@EACH
def test_success_false_with_status_200_is_a_failure(listing: Listing, start: Start, connect: Connect) -> None:
    server = start(in_turn(Answer(200, b'{"success":false,"error":"no such thing"}')))
    error = failure_of(connect(listing.vendor, server.url), listing)
    assert type(error) is RequestRefusedError
    assert "no such thing" in str(error)
    assert len(server.asked) == 1


LONG = b'{"items":[],"data":{"jobs":[],"batchJobs":[]},"batchJobs":[],"x":"' + b"x" * 1000 + b'"}'
BROKEN = {
    "connection closed": Answer(how=How.CLOSE),
    "broken off": Answer(200, LONG, how=How.BROKEN_OFF),
    "chunks broken off": Answer(200, LONG, how=How.CHUNKS_BROKEN_OFF),
    "gzip broken off": Answer(200, LONG, how=How.GZIP_BROKEN_OFF),
    "not gzip": Answer(200, LONG, how=How.NOT_GZIP),
    "cut by the vendor": Answer(200, LONG[:-1]),
    "not JSON": Answer(200, b"Service Unavailable"),
    "HTML": Answer(200, b"<!doctype html><html></html>", {"Content-Type": "text/html"}),
    "invalid UTF-8": Answer(200, LONG.replace(b"xx", b"\xff\xfe")),
    "empty": Answer(200, b""),
    "blank": Answer(200, b" \r\n"),
    "two documents": Answer(200, LONG + LONG),
}
EACH_BROKEN = pytest.mark.parametrize("broken", BROKEN.values(), ids=BROKEN)


@EACH
@EACH_BROKEN
def test_a_broken_answer_is_asked_again(
    listing: Listing, broken: Answer, start: Start, connect: Connect, pauses: list[float]
) -> None:
    server = start(in_turn(good(listing), broken, broken, good(listing, How.GZIP)))
    client = connect(listing.vendor, server.url)
    ask(client, listing)  # so that a connection is there already
    assert len(ask(client, listing).rows) == 1
    assert (len(server.asked), len(pauses)) == (4, 2)


@EACH
@EACH_BROKEN
def test_an_answer_that_stays_broken_is_a_clear_transient_error(
    listing: Listing, broken: Answer, start: Start, connect: Connect
) -> None:
    server = start(in_turn(broken))
    error = failure_of(connect(listing.vendor, server.url, max_attempts=3), listing)
    assert type(error) is TransientError
    assert len(server.asked) == 3
    assert listing.vendor.title in str(error)
    assert "my_connection" in str(error)
    assert "xxx" not in str(error)  # nothing of a customer's data


WRONG = {
    "no list": b'{"success":true}',
    "empty object": b"{}",
    "a list": b'[{"id":"a"}]',
    "a text": b'"hello"',
    "null": b"null",
    "row without id": b'{"items":[{"x":1}],"data":{"jobs":[{"x":1}]},"batchJobs":[{"x":1}]}',
    "row with null id": b'{"items":[{"id":null}],"data":{"jobs":[{"id":null}]},"batchJobs":[{"id":null}]}',
    "row of text": b'{"items":["a"],"data":{"jobs":["a"]},"batchJobs":["a"]}',
    "list as object": b'{"items":{},"data":{"jobs":{}},"batchJobs":{}}',
    "token as object": b'{"items":[],"data":{"jobs":[],"next_page_token":{}},"next_page_token":{},"batchJobs":{}}',
    "deep": b'{"items":' + b"[" * 5000 + b"]" * 5000 + b"}",
    "deep object": b'{"a":' * 5000 + b"1" + b"}" * 5000,
}


@EACH
@pytest.mark.parametrize("body", WRONG.values(), ids=WRONG)
def test_json_of_another_shape_fails_at_once(
    listing: Listing, body: bytes, start: Start, connect: Connect, pauses: list[float]
) -> None:
    server = start(in_turn(Answer(200, body)))
    error = failure_of(connect(listing.vendor, server.url), listing)
    assert type(error) is UnexpectedResponseError
    assert isinstance(error, AirflowFailException)
    assert (len(server.asked), pauses) == (1, [])
    assert server.url in str(error)


@pytest.mark.parametrize("status", [201, 202, 204, 206, 304])
def test_another_success_than_200_is_no_page(status: int, start: Start, connect: Connect) -> None:
    body = b"" if status in {204, 304} else GOOD[llamacloud.BATCHES.name]
    server = start(in_turn(Answer(status, body)))
    assert isinstance(failure_of(connect(llamacloud.VENDOR, server.url), llamacloud.BATCHES), FatalError)


def test_failed_attempts_share_one_connection(start: Start, connect: Connect) -> None:
    faults = [Answer(status, b'{"detail":"x"}' * 100) for status in (503, 429, 500)]
    server = start(in_turn(*faults, good(llamacloud.BATCHES)))
    ask(connect(llamacloud.VENDOR, server.url), llamacloud.BATCHES)
    assert len({asked.connection for asked in server.asked}) == 1


def test_each_retry_is_logged_as_a_warning_that_says_why(
    start: Start, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    server = start(in_turn(Answer(503, b'{"detail":"down for a moment"}'), good(llamacloud.BATCHES)))
    ask(connect(llamacloud.VENDOR, server.url), llamacloud.BATCHES)
    warnings = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert len(warnings) == 1
    assert "Attempt 1 of 6" in warnings[0].getMessage()
    assert "down for a moment" in warnings[0].getMessage()


def test_attempts_count_against_the_requests_per_minute(start: Start, connect: Connect, pauses: list[float]) -> None:
    server = start(in_turn(Answer(429, headers={"Retry-After": "5"}), good(llamacloud.BATCHES)))
    ask(connect(llamacloud.VENDOR, server.url, requests_per_minute=1), llamacloud.BATCHES)
    assert pauses[0] == 5.0
    assert 0 < pauses[1] <= 60  # the second attempt waits for its turn too


def told(error: BaseException) -> str:
    """Return all that a log, a traceback or a repr could show of an exception and those behind it."""
    texts = traceback.format_exception(error)
    behind: BaseException | None = error
    while behind:
        texts += [str(behind), repr(behind), repr(behind.args), repr(vars(behind))]
        behind = behind.__cause__ or (None if behind.__suppress_context__ else behind.__context__)
    return "\n".join(texts)


def echoes(key: str) -> dict[str, Answer]:
    return {
        "message": Answer(401, json.dumps({"error": {"code": "auth-failure", "message": f"bad {key}!"}}).encode()),
        "detail": Answer(503, json.dumps({"detail": f"token {key} is over its limit"}).encode()),
        "validation": Answer(422, json.dumps({"detail": [{"loc": ["header", key], "msg": key}]}).encode()),
        "plain text": Answer(403, f"Forbidden: {key}".encode()),
        "not JSON": Answer(200, key.encode()),
        "unknown shape": Answer(200, json.dumps({key: [key]}).encode()),
        "wrong row": Answer(200, json.dumps({"items": [{"id": {"key": key}}], "data": key}).encode()),
        "redirect": redirect(f"http://elsewhere.invalid/{key.partition('/')[0]}/{key}?key={key}"),
        "no answer": Answer(how=How.CLOSE),
        "success false": Answer(200, json.dumps({"success": False, "error": {"message": key}}).encode()),
    }


@EACH
@pytest.mark.parametrize("echo", echoes(""))
def test_the_key_is_in_no_exception_and_no_log(
    listing: Listing, echo: str, start: Start, connect: Connect, key: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    server = start(in_turn(echoes(key)[echo]))
    client = connect(listing.vendor, server.url, max_attempts=2)
    error = failure_of(client, listing)
    assert key in server.asked[0].headers[listing.vendor.auth.header]
    assert key not in told(error)
    assert any(record.name.startswith("urllib3") for record in caplog.records)
    assert key not in "\n".join(f"{record.getMessage()} {vars(record)}" for record in caplog.records)
    for thing in (client, client.settings, client.errors, client.vendor):
        assert key not in repr(thing) + str(thing)


def test_a_key_that_is_cut_with_a_long_message_is_not_told_in_part(start: Start, connect: Connect, key: str) -> None:
    server = start(in_turn(Answer(401, json.dumps({"detail": "x" * 270 + " " + key}).encode())))
    assert key[:12] not in told(failure_of(connect(llamacloud.VENDOR, server.url), llamacloud.BATCHES))


def test_a_key_that_is_echoed_as_the_code_is_not_told(start: Start, connect: Connect, key: str) -> None:
    server = start(in_turn(Answer(401, json.dumps({"error": {"code": key, "message": "no"}}).encode())))
    assert key not in told(failure_of(connect(llamacloud.VENDOR, server.url), llamacloud.BATCHES))


def test_a_key_that_is_echoed_percent_encoded_is_not_told(start: Start, connect: Connect, key: str) -> None:
    encoded = key.replace("+", "%2B").replace("/", "%2F").replace("=", "%3D")
    server = start(in_turn(redirect(f"http://elsewhere.invalid/login/{encoded}")))
    assert encoded not in told(failure_of(connect(llamacloud.VENDOR, server.url), llamacloud.BATCHES))


def test_what_a_vendor_says_can_be_printed(start: Start, connect: Connect) -> None:
    server = start(in_turn(Answer(404, b'{"detail":"no job \\ud800"}')))
    str(failure_of(connect(llamacloud.VENDOR, server.url), llamacloud.BATCHES)).encode()


def test_a_reader_that_finds_a_passing_problem_is_asked_again(start: Start, connect: Connect) -> None:
    server = start(in_turn(Answer()))
    answers: list[Problem | str] = [Problem(ProblemKind.TRANSIENT, "not yet"), "done"]
    client = connect(llamacloud.VENDOR, server.url)
    assert client.send(llamacloud.BATCHES.request({}), lambda body: answers.pop(0)) == "done"
    assert len(server.asked) == 2
