"""What is sent in a JSON body, and the values that may be."""

from __future__ import annotations

import json
from collections import UserList
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

import msgspec
import pytest

from airflow_batch_provider.apis.batch_state import BatchKind
from airflow_batch_provider.apis.declaration import DeclarationError
from airflow_batch_provider.apis.endpoint import Resource
from airflow_batch_provider.apis.parameter import (
    Boolean,
    Choice,
    Domain,
    Identifier,
    Integer,
    JsonArray,
    JsonObject,
    Parameter,
    Text,
)
from airflow_batch_provider.apis.request import Answer, Part
from airflow_batch_provider.vendors import llamacloud, llamacloud_directories, playment, talkifai

VENDOR = playment.VENDOR


def endpoint(*parameters: Parameter, **options: Any) -> Resource:
    return Resource(vendor=VENDOR, name="playment.make", path="/make", method="POST", parameters=parameters, **options)


def in_body(name: str, domain: Domain, place: str | None = None, **options: Any) -> Parameter:
    return Parameter(name, domain, place or name, in_body=True, **options)


NESTED = endpoint(
    in_body("kind", Choice(("a", "b")), "config.job.type", default="a"),
    in_body("count", Integer(1), "config.count"),
    in_body("is_on", Boolean(), "config.job.on"),
    in_body("data", JsonObject(), "data"),
    in_body("rows", JsonArray(3), "rows"),
    in_body("id", Identifier(), "id"),
    Parameter("project", Identifier(), "project_id"),
)


@pytest.mark.parametrize(
    ("values", "body"),
    [
        ({}, {"config": {"job": {"type": "a"}}}),
        ({"kind": "b", "is_on": "True"}, {"config": {"job": {"type": "b", "on": True}}}),
        ({"is_on": False}, {"config": {"job": {"type": "a", "on": False}}}),
        ({"count": "007"}, {"config": {"job": {"type": "a"}, "count": 7}}),
        ({"count": 2**63}, {"config": {"job": {"type": "a"}, "count": 2**63}}),
        ({"data": {"a": [1, None, "ä"]}}, {"config": {"job": {"type": "a"}}, "data": {"a": [1, None, "ä"]}}),
        ({"rows": [{"a": 1}, 2]}, {"config": {"job": {"type": "a"}}, "rows": [{"a": 1}, 2]}),
        ({"id": 7}, {"config": {"job": {"type": "a"}}, "id": "7"}),
        ({"id": "1"}, {"config": {"job": {"type": "a"}}, "id": "1"}),
        ({"project": "p", "count": None}, {"config": {"job": {"type": "a"}}}),
    ],
)
def test_values_get_their_places_in_the_body(values: dict[str, Any], body: dict[str, Any]) -> None:
    request = NESTED.request(values)
    assert request.json == body
    assert dict(request.query) == ({"project_id": "p"} if "project" in values else {})


def test_two_requests_share_no_body() -> None:
    first, second = NESTED.request({"count": 1}), NESTED.request({})
    assert first.json is not None
    assert second.json == {"config": {"job": {"type": "a"}}}
    assert first.json["config"]["count"] == 1


def test_what_else_stands_in_the_body_is_added() -> None:
    assert NESTED.request({}, json={"x": 1}).json == {"config": {"job": {"type": "a"}}, "x": 1}
    assert endpoint().request({}, json=[1]).json == [1]


@pytest.mark.parametrize(
    ("sends_json", "json", "expected"), [(True, None, {}), (False, None, None), (True, {"a": 1}, {"a": 1})]
)
def test_an_empty_body_is_sent_only_where_one_is_needed(sends_json: bool, json: Any, expected: Any) -> None:
    assert endpoint(sends_json=sends_json).request({}, json=json).json == expected


def test_a_request_knows_whether_it_may_be_repeated_and_is_personal() -> None:
    part = Part("a", b"x")
    request = endpoint(is_repeatable=False, is_personal=True).request({}, parts=(part,))
    assert (request.is_repeatable, request.is_personal, request.parts) == (False, True, (part,))
    assert endpoint().request({}).is_repeatable


# The requests that the vendors' pages show.


def test_playments_job_is_sent_as_documented() -> None:
    values = {"project_id": "p", "reference_id": 17, "work_flow_id": "w", "data": {"image_url": "u"}, "batch_id": "b"}
    request = playment.CREATE_JOB.request({**values, "priority_weight": "3"})
    assert (request.method, request.path, request.is_repeatable) == ("POST", "/v1/projects/p/jobs", False)
    assert request.json == {
        "reference_id": "17",
        "work_flow_id": "w",
        "data": {"image_url": "u"},
        "batch_id": "b",
        "priority_weight": 3,
    }


def test_llamaclouds_batch_is_sent_as_documented() -> None:
    request = llamacloud.CREATE_BATCH.request(
        {"source_directory_id": "dir-1", "job_type": "parse_v2", "configuration_id": "cfg-1", "project_id": "p"}
    )
    assert request.json == {
        "source_directory_id": "dir-1",
        "config": {"job": {"type": "parse_v2", "configuration_id": "cfg-1"}},
    }
    assert dict(request.query) == {"project_id": "p"}


def test_talkifais_job_is_sent_as_documented() -> None:
    request = talkifai.CREATE_BATCH_JOB.request(
        {
            "name": "n",
            "from_phone_number_id": "f",
            "contacts": [{"phone": "+14155550123"}],
            "max_attempts": "2",
            "scheduled_start_time": datetime(2026, 3, 1, 12, tzinfo=UTC),
        }
    )
    assert request.json == {
        "name": "n",
        "fromPhoneNumberId": "f",
        "contacts": [{"phone": "+14155550123"}],
        "maxAttempts": 2,
        "scheduledStartTime": "2026-03-01T12:00:00",
        "timezone": "UTC",
    }
    assert (request.is_repeatable, request.is_personal) == (False, True)


@pytest.mark.parametrize(
    ("resource", "is_repeatable"),
    [
        (playment.CREATE_BATCH, False),
        (playment.CREATE_JOB, False),
        (llamacloud.CREATE_BATCH, False),
        (llamacloud.CREATE_BATCH_PROCESSING_JOB, False),
        (llamacloud_directories.CREATE_DIRECTORY, False),
        (llamacloud_directories.UPLOAD_FILE, False),
        (llamacloud_directories.ADD_FILE, False),
        (talkifai.CREATE_BATCH_JOB, False),
        (llamacloud.CANCEL_BATCH, True),
        (llamacloud.CANCEL_BATCH_PROCESSING_JOB, True),
        (llamacloud_directories.SAVE_CONFIGURATION, True),
        (llamacloud_directories.DELETE_FILE, True),
        (talkifai.START_BATCH_JOB, True),
        (talkifai.RESCHEDULE_BATCH_JOB, True),
        (talkifai.CANCEL_BATCH_JOB, True),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_what_creates_is_sent_once_and_the_rest_may_be_repeated(resource: Resource, is_repeatable: bool) -> None:
    assert resource.is_repeatable is is_repeatable


def test_a_processing_job_is_cancelled_with_an_empty_object() -> None:
    assert llamacloud.CANCEL_BATCH_PROCESSING_JOB.request({"job_id": "j"}).json == {}
    assert llamacloud.CANCEL_BATCH.request({"batch_id": "b"}).json is None


def test_an_upload_has_the_fields_of_the_form_and_the_file() -> None:
    parts = llamacloud_directories.upload_parts(
        "a.pdf", lambda: pytest.fail("not yet"), 5, unique_id="u", display_name="d", metadata={"k": "v"}
    )
    texts = {part.name: part.content for part in parts[:-1]}
    assert texts == {"unique_id": b"u", "display_name": b"d", "metadata": b'{"k": "v"}'}
    file = parts[-1]
    assert (file.name, file.filename, file.size, file.content_type) == ("upload_file", "a.pdf", 5, "application/pdf")


def test_an_upload_says_only_what_is_known() -> None:
    (file,) = llamacloud_directories.upload_parts("data.unknown-ending", lambda: pytest.fail("not yet"), 5)
    assert file.content_type == "application/octet-stream"


@pytest.mark.parametrize(("body", "document"), [(b"", {}), (b" \n", {}), (b'{"a":1}', {"a": 1})])
def test_an_answer_may_be_empty_where_that_is_declared(body: bytes, document: dict[str, Any]) -> None:
    found = llamacloud_directories.DELETE_FILE.find(Answer(204, {}, body))
    assert getattr(found, "document", None) == document
    assert json.loads(getattr(found, "json", b"null")) == document


# Declarations that cannot be right fail when they are made.


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Parameter("a", Identifier(), in_body=True), "parameter a: in_body needs wire, its place in the body"),
        (
            lambda: Parameter("a", Identifier(), "a", repeated=True, in_body=True),
            "parameter a: only a query key can be repeated",
        ),
        (
            lambda: in_body("a", Text(3), default="abcd"),
            "its default is not allowed; allowed is a text that is not blank, of 3 characters at most",
        ),
        (
            lambda: endpoint(in_body("a", Identifier(), "x.y"), in_body("b", Identifier(), "x.y")),
            "query key",
        ),
    ],
    ids=["no place", "repeated", "default", "same place"],
)
def test_a_wrong_declaration_fails_when_it_is_made(make: Any, message: str) -> None:
    with pytest.raises(DeclarationError, match=message):
        make()


def kind_with_cancel(kind: BatchKind, cancel: Any) -> BatchKind:
    # Created again: the oldest msgspec does not check what structs.replace returns.
    return BatchKind(**{**msgspec.structs.asdict(kind), "cancel": cancel})


def test_a_cancel_needs_a_way_to_read_the_batch() -> None:
    with pytest.raises(DeclarationError, match="id_parameter, single_values and cancel need single"):
        kind_with_cancel(playment.BATCH_KIND, llamacloud.CANCEL_BATCH)


def test_a_cancel_takes_the_id_by_the_same_name_as_the_reading() -> None:
    with pytest.raises(DeclarationError, match="batch_id"):
        kind_with_cancel(llamacloud.BATCH_KIND, llamacloud.CANCEL_BATCH_PROCESSING_JOB)


@pytest.mark.parametrize(
    ("kind", "cancel"),
    [
        (playment.BATCH_KIND, None),
        (llamacloud.BATCH_KIND, llamacloud.CANCEL_BATCH),
        (llamacloud.BATCH_PROCESSING_JOB_KIND, llamacloud.CANCEL_BATCH_PROCESSING_JOB),
        (talkifai.BATCH_JOB_KIND, talkifai.CANCEL_BATCH_JOB),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_what_can_be_cancelled_is_declared(kind: BatchKind, cancel: Resource | None) -> None:
    assert kind.cancel is cancel


# Texts and JSON.


@pytest.mark.parametrize("value", ["a", "ä漢😀", " a ", "a\nb", "x" * 5])
def test_text_is_sent_as_it_is(value: str) -> None:
    assert Text(5).encode(value) == value


@pytest.mark.parametrize("value", ["", " \n", "x" * 6, "\ud800", None, 7, b"a", True])
def test_text_that_is_blank_too_long_or_none_is_refused(value: object) -> None:
    assert Text(5).encode(value) is None


def test_text_may_be_of_any_length_unless_the_vendor_says() -> None:
    assert Text().encode("x" * 10_000) == "x" * 10_000
    assert (Text().allowed, Text(5).allowed) == (
        "a text that is not blank",
        "a text that is not blank, of 5 characters at most",
    )


@pytest.mark.parametrize("value", [{}, {"a": {"b": [1, 2.5, None, True]}}])
def test_an_object_is_sent_to_the_value(value: Any) -> None:
    assert json.loads(str(JsonObject().encode(value))) == value


def _endless() -> dict[str, Any]:
    value: dict[str, Any] = {}
    value["self"] = value
    return value


@pytest.mark.parametrize(
    "value",
    [None, [], "{}", 1, {"a": float("nan")}, {"a": object()}, {(1,): 2}, _endless(), MappingProxyType({"a": 1})],
)
def test_what_is_no_json_object_is_refused(value: object) -> None:
    assert JsonObject().encode(value) is None


@pytest.mark.parametrize("value", [[1], (1,), [1, "a", {}]])
def test_an_array_is_sent_to_the_value(value: Any) -> None:
    assert json.loads(str(JsonArray(3).encode(value))) == list(value)


@pytest.mark.parametrize("value", [None, [], (), [1, 2, 3, 4], "abc", b"abc", {"a": 1}, 1, [object()], UserList([1])])
def test_what_is_no_json_array_is_refused(value: object) -> None:
    assert JsonArray(3).encode(value) is None


def test_what_json_domains_allow_is_said() -> None:
    assert JsonArray(3).allowed == "a list of 1 to 3 values of what JSON knows"
    assert JsonObject().allowed == "a JSON object: a dict of what JSON knows"
