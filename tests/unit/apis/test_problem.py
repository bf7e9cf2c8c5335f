from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_batch_provider.apis.problem import Problem, ProblemKind, kind_of_status, not_json, read_error_response
from airflow_batch_provider.vendors import playment

NONE: dict[str, ProblemKind] = {}


@pytest.mark.parametrize(
    ("statuses", "kind"),
    [
        ((401, 403), ProblemKind.AUTHENTICATION),
        ((402,), ProblemKind.PAYMENT),
        ((404, 410), ProblemKind.NOT_FOUND),
        ((400, 405, 409, 413, 422), ProblemKind.REFUSED),
        ((429,), ProblemKind.RATE_LIMITED),
        ((408, 425, 500, 502, 503, 504), ProblemKind.TRANSIENT),
    ],
)
def test_every_status_has_a_meaning(statuses: tuple[int, ...], kind: ProblemKind) -> None:
    assert {kind_of_status(status) for status in statuses} == {kind}


@pytest.mark.parametrize(
    ("body", "message", "code"),
    [
        (b'{"error":{"code":"FS_0003","message":"job data invalid"},"success":false}', "job data invalid", "FS_0003"),
        (b'{"detail":"Not authenticated"}', "Not authenticated", None),
        (b'{"detail":{"code":"job_not_found","message":"no such job"}}', "no such job", "job_not_found"),
        (b'{"success":false,"error":"Invalid page","code":"invalid_page"}', "Invalid page", "invalid_page"),
        (b'{"message":"Forbidden"}', "Forbidden", None),
        (
            b'{"detail":[{"loc":["query","limit"],"msg":"too large","type":"x"},{"loc":["query",0],"msg":"bad"}]}',
            "query.limit: too large; query.0: bad",
            None,
        ),
        (b'{"error":{"code":7,"message":"seven"}}', "seven", "7"),
        (b"{}", "no message", None),
        (b'{"error":null,"detail":" ","message":"third"}', "third", None),
    ],
)
def test_every_documented_envelope_is_read(body: bytes, message: str, code: str | None) -> None:
    assert read_error_response(422, body, NONE) == Problem(ProblemKind.REFUSED, message, code)


def test_what_the_caller_sent_is_not_repeated_from_a_validation_error() -> None:
    body = b'{"detail":[{"loc":["body"],"msg":"bad","input":"+49 170 1","ctx":{"x":"+49 170 1"}}]}'
    assert "+49" not in read_error_response(422, body, NONE).message


@pytest.mark.parametrize("body", [b"", b"<html>Bad Gateway</html>", b"\xff\xfe", b"[1]", b'"text"', b"[" * 10**5, b"{"])
@pytest.mark.parametrize(
    ("status", "kind"), [(403, ProblemKind.AUTHENTICATION), (502, ProblemKind.TRANSIENT), (400, ProblemKind.REFUSED)]
)
def test_a_failure_without_an_envelope_is_judged_by_its_status(body: bytes, status: int, kind: ProblemKind) -> None:
    assert read_error_response(status, body, NONE).kind is kind


@pytest.mark.parametrize("loc", ["null", "5"])
def test_an_odd_location_in_a_validation_error_is_no_crash(loc: str) -> None:
    assert (
        read_error_response(422, f'{{"detail":[{{"loc":{loc},"msg":"bad"}}]}}'.encode(), NONE).kind
        is ProblemKind.REFUSED
    )


@pytest.mark.parametrize(
    "body",
    [b'{"error":{"code":{"a":1}}}', b'{"detail":["a",5,null]}', b'{"message":5}', b'{"error":[],"detail":{}}'],
)
def test_an_odd_envelope_is_no_crash(body: bytes) -> None:
    assert read_error_response(400, body, NONE).kind is ProblemKind.REFUSED


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner)))
def test_any_value_in_an_envelope_is_no_crash(value: object) -> None:
    for key in ("error", "message", "code"):
        read_error_response(500, json.dumps({key: value}).encode(), NONE)


@pytest.mark.parametrize(
    ("codes", "kind"),
    [
        (
            ("auth-failure", "core.webutil.token_auth", "unauthorized", "core.webutil.auther"),
            ProblemKind.AUTHENTICATION,
        ),
        (("FS_0000", "FS_0008", "api_error"), ProblemKind.TRANSIENT),
        (("FS_0006", "resource_error"), ProblemKind.NOT_FOUND),
        (("GE_0001", "GE_0002", "FS_0003", "invalid_request_error", "never_seen", ""), ProblemKind.REFUSED),
    ],
)
def test_playments_codes_tell_more_than_its_400(codes: tuple[str, ...], kind: ProblemKind) -> None:
    for code in codes:
        problem = playment.VENDOR.error_response(400, f'{{"error":{{"code":"{code}","message":"m"}}}}'.encode())
        assert (problem.kind, problem.code) == (kind, code)


def test_an_unknown_code_leaves_the_meaning_to_the_status() -> None:
    assert playment.VENDOR.error_response(503, b'{"error":{"code":"new","message":"m"}}').kind is ProblemKind.TRANSIENT


@pytest.mark.parametrize(
    ("body", "words"), [(b" \n", "empty"), (b"\n <!DOCTYPE html>", "HTML"), (b'{"x', "4 bytes"), (b"secret", "6 bytes")]
)
def test_a_body_that_is_not_json_is_described_and_not_quoted(body: bytes, words: str) -> None:
    problem = not_json(body if body != b'{"x' else b'{"x"')
    assert problem.kind is ProblemKind.NOT_JSON
    assert words in problem.message
    assert "secret" not in problem.message


def read_fault(body: dict[str, Any]) -> tuple[object, object]:
    return body["fault"]["text"], body["fault"]["word"]


@pytest.mark.parametrize(
    ("body", "message", "code"),
    [
        ({"fault": {"text": "later", "word": "warm"}}, "later", "warm"),
        ({"fault": {"text": "later", "word": 7}}, "later", "7"),
        ({"fault": {"text": "later", "word": None}, "code": "usual"}, "later", "usual"),
        ({"fault": {"text": " ", "word": "warm"}, "message": "usual"}, "usual", "warm"),
        ({"fault": {"text": ["x"], "word": {}}}, "no message", None),
        ({"fault": "odd", "message": "usual"}, "usual", None),
        ({"fault": None, "detail": "usual"}, "usual", None),
        ({"error": {"code": "gate", "message": "of a gateway"}}, "of a gateway", "gate"),
    ],
)
def test_an_error_reader_goes_before_the_usual_places(body: dict[str, Any], message: str, code: str | None) -> None:
    assert read_error_response(422, json.dumps(body).encode(), NONE, read_fault) == Problem(
        ProblemKind.REFUSED, message, code
    )


def test_a_code_that_an_error_reader_finds_tells_more_than_the_status() -> None:
    body = b'{"fault":{"text":"later","word":"warm"}}'
    assert read_error_response(409, body, {"warm": ProblemKind.TRANSIENT}, read_fault).kind is ProblemKind.TRANSIENT
