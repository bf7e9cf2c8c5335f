from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qsl, unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_batch_provider.apis.auth import KeyHeader
from airflow_batch_provider.apis.body import Body
from airflow_batch_provider.apis.endpoint import Endpoint, Listing, Resource
from airflow_batch_provider.apis.page import Page
from airflow_batch_provider.apis.paging import CursorPaging, Paging, WholePaging
from airflow_batch_provider.apis.parameter import Identifier, Integer, Parameter, first_missing, first_violation
from airflow_batch_provider.apis.problem import Problem, ProblemKind
from airflow_batch_provider.apis.request import Answer
from airflow_batch_provider.apis.vendor import Vendor
from airflow_batch_provider.apis.windows import NumberPaging, OffsetPaging
from airflow_batch_provider.vendors import llamacloud, playment, talkifai


def answer_of(body: bytes) -> Answer:
    return Answer(200, {}, body)


LISTINGS: tuple[tuple[Listing, dict[str, Any], str], ...] = (
    (playment.BATCHES, {"project_id": "p"}, "/v1/projects/p/details"),
    (playment.BATCH_JOBS, {"project_id": "p", "batch_id": "b"}, "/v1/projects/p/batch/b"),
    (llamacloud.BATCHES, {}, "/api/v2/batches"),
    (llamacloud.BATCH_PROCESSING_JOBS, {}, "/api/v1/beta/batch-processing"),
    (talkifai.BATCH_JOBS, {"organization_id": "o"}, "/batch/jobs"),
)
RESOURCES: tuple[tuple[Resource, dict[str, Any], str], ...] = (
    (playment.PROJECT, {"project_id": "p"}, "/v1/projects/p/details"),
    (playment.JOB_RESULT, {"project_id": "p", "job_id": "j"}, "/v1/projects/p/jobs/j"),
    (llamacloud.BATCH, {"batch_id": "b"}, "/api/v2/batches/b"),
    (llamacloud.BATCH_PROCESSING_JOB, {"job_id": "j"}, "/api/v1/beta/batch-processing/j"),
    (talkifai.BATCH_JOB, {"batch_job_id": "j"}, "/batch/jobs/j"),
)
EACH_LISTING = pytest.mark.parametrize(
    ("listing", "values", "path"), LISTINGS, ids=[listing.name for listing, _, _ in LISTINGS]
)


@pytest.mark.parametrize(
    ("endpoint", "values", "path"),
    [*LISTINGS, *RESOURCES],
    ids=[endpoint.name for endpoint, _, _ in (*LISTINGS, *RESOURCES)],
)
def test_the_path_is_the_documented_one(endpoint: Endpoint, values: dict[str, Any], path: str) -> None:
    assert endpoint.request(values).path == path


@pytest.mark.parametrize(
    ("listing", "query"),
    [
        (playment.BATCHES, {}),
        (playment.BATCH_JOBS, {}),
        (llamacloud.BATCHES, {"page_size": "100"}),
        (llamacloud.BATCH_PROCESSING_JOBS, {"limit": "1000", "offset": "0"}),
        (talkifai.BATCH_JOBS, {"organizationId": "o", "page": "1", "pageSize": "100"}),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_a_listing_asks_for_the_largest_documented_page(listing: Listing, query: dict[str, str]) -> None:
    values = next(values for known, values, _ in LISTINGS if known is listing)
    assert dict(listing.request(values).query) == query


ODD = st.text(st.sampled_from("/?#%+=& ä漢.'\"\\;:@~\t\n") | st.characters(exclude_categories=["Cs"]), min_size=1)


@given(project=ODD, batch=ODD)
def test_any_id_stays_one_segment_of_the_path(project: str, batch: str) -> None:
    values = {"project_id": project, "batch_id": batch}
    if first_violation(playment.BATCH_JOBS.parameters, values):
        return
    target = playment.BATCH_JOBS.request(values).target
    segments = target.split("/")
    assert target.isascii()
    assert [unquote(segments[3]), unquote(segments[5])] == [project, batch]
    assert len(segments) == 6
    assert not {"?", "#", " "} & set(target)


@given(value=ODD)
def test_any_value_survives_the_query(value: str) -> None:
    target = llamacloud.BATCHES.request({}).asking(page_token=value).target
    assert dict(parse_qsl(target.partition("?")[2], keep_blank_values=True))["page_token"] == value
    assert "+" not in target  # %20 for a space: not every server takes a plus for one


def test_a_token_that_has_no_utf8_is_a_problem_of_the_page() -> None:
    page = llamacloud.BATCHES.page(answer_of(b'{"items":[{"id":"a"}],"next_page_token":"\\ud800"}'))
    assert isinstance(page, Problem)


def test_asking_leaves_the_first_request_as_it_was() -> None:
    request = llamacloud.BATCHES.request({})
    assert request.asking(page_token="x") != request == llamacloud.BATCHES.request({})


def test_given_names_only_what_was_given_by_our_names() -> None:
    values = {"organization_id": 7, "status": None, "page_size": " 5 "}
    assert talkifai.BATCH_JOBS.given(values) == {"organization_id": "7", "page_size": "5"}


def test_none_falls_back_to_the_default() -> None:
    assert llamacloud.BATCHES.request({"page_size": None}).query == {"page_size": "100"}


def test_a_moment_keeps_its_offset_in_the_query() -> None:
    target = llamacloud.BATCHES.request({"created_at_on_or_after": "2026-01-31T00:00:00+05:30"}).target
    assert "created_at_on_or_after=2026-01-31T00%3A00%3A00%2B05%3A30" in target


@EACH_LISTING
def test_what_a_listing_needs_is_what_its_path_and_vendor_need(
    listing: Listing, values: dict[str, Any], path: str
) -> None:
    assert first_missing(listing.parameters, values) is None
    for name in values:
        assert first_missing(listing.parameters, {**values, name: None}) is not None


REFUSAL = b'{"error":{"code":"x","message":"no"},"success":false}'


@EACH_LISTING
def test_success_false_is_a_refusal_although_the_list_is_missing(
    listing: Listing, values: dict[str, Any], path: str
) -> None:
    assert listing.page(answer_of(REFUSAL)) == Problem(ProblemKind.REFUSED, "no", "x")


@pytest.mark.parametrize(
    ("listing", "body"),
    [
        (playment.BATCHES, b'{"data":{"batches":[{"id":"a"}]},"success":false,"error":{"message":"no"}}'),
        (playment.BATCH_JOBS, b'{"data":{"jobs":[]},"success":false,"error":{"message":"no"}}'),
        (talkifai.BATCH_JOBS, b'{"success":false,"data":{"batchJobs":[]},"error":"no"}'),
    ],
)
def test_success_false_is_a_refusal_although_there_is_a_list(listing: Listing, body: bytes) -> None:
    assert listing.page(answer_of(body)) == Problem(ProblemKind.REFUSED, "no")


def test_a_passing_fault_may_come_with_status_200() -> None:
    body = b'{"error":{"code":"FS_0000","message":"later"},"success":false}'
    problem = playment.BATCH_JOBS.page(answer_of(body))
    assert isinstance(problem, Problem)
    assert problem.kind is ProblemKind.TRANSIENT


def test_playments_token_is_only_looked_for_inside_data() -> None:
    page = playment.BATCH_JOBS.page(answer_of(b'{"data":{"jobs":[{"id":"a"}]},"next_page_token":"x","success":true}'))
    assert isinstance(page, Page)
    assert page.next_token is None


def test_talkifais_wrapped_list_reads_like_the_bare_one() -> None:
    inner = {"batchJobs": [{"id": "a"}], "total": 3, "page": 1, "pageSize": 1}
    bare = talkifai.BATCH_JOBS.page(answer_of(json.dumps(inner).encode()))
    wrapped = talkifai.BATCH_JOBS.page(answer_of(json.dumps({"success": True, "data": inner}).encode()))
    assert isinstance(bare, Page)
    assert bare == wrapped
    assert bare.total == 3


@pytest.mark.parametrize("data", ["null", "{}", "[]", '"x"'])
def test_talkifais_bare_list_may_have_another_field_called_data(data: str) -> None:
    assert isinstance(talkifai.BATCH_JOBS.page(answer_of(f'{{"batchJobs":[],"data":{data}}}'.encode())), Page)


@pytest.mark.parametrize(
    ("resource", "body", "expected"),
    [
        (playment.PROJECT, '{"data":{"batches":[]},"success":true}', {"batches": []}),
        (playment.JOB_RESULT, '{"data":{"job_id":"j","result":""},"success":true}', {"job_id": "j", "result": ""}),
        (llamacloud.BATCH, '{"id":"b","results":null}', {"id": "b", "results": None}),
        (llamacloud.BATCH_PROCESSING_JOB, '{"job":{"id":"j"},"progress_percentage":5.0}', None),
        (talkifai.BATCH_JOB, '{"id":"j","contacts":[]}', {"id": "j", "contacts": []}),
        (talkifai.BATCH_JOB, '{"success":true,"data":{"id":"j"}}', {"id": "j"}),
    ],
)
def test_a_resource_reads_its_documented_answer(resource: Resource, body: str, expected: object) -> None:
    assert resource.read(answer_of(body.encode())) == (json.loads(body) if expected is None else expected)


@pytest.mark.parametrize("resource", [resource for resource, _, _ in RESOURCES], ids=lambda resource: resource.name)
@pytest.mark.parametrize(
    "body", ["{}", "[]", "null", '"id"', '{"data":null}', '{"job":5}', '{"success":true,"data":[]}']
)
def test_a_resource_of_another_shape_is_said_to_be_so(resource: Resource, body: str) -> None:
    problem = resource.read(answer_of(body.encode()))
    assert isinstance(problem, Problem)
    assert problem.kind is ProblemKind.WRONG_SHAPE


def test_a_job_that_is_a_text_is_of_the_wrong_shape() -> None:
    assert isinstance(llamacloud.BATCH_PROCESSING_JOB.read(answer_of(b'{"job":"hidden"}')), Problem)


@pytest.mark.parametrize("resource", [resource for resource, _, _ in RESOURCES], ids=lambda resource: resource.name)
@pytest.mark.parametrize("body", [b"", b"<html>", b'{"id":', b"\xff", b'{"id":"\xff"}', b'{"a":' * 10**5])
def test_a_resource_that_is_not_json_is_said_to_be_so(resource: Resource, body: bytes) -> None:
    problem = resource.read(answer_of(body))
    assert isinstance(problem, Problem)
    assert problem.kind is ProblemKind.NOT_JSON


@pytest.mark.parametrize("resource", [resource for resource, _, _ in RESOURCES], ids=lambda resource: resource.name)
def test_a_resource_that_says_success_false_is_a_refusal(resource: Resource) -> None:
    assert resource.read(answer_of(REFUSAL)) == Problem(ProblemKind.REFUSED, "no", "x")


TESTS = Vendor(name="tests", title="Tests", base_url="https://api.tests.example", auth=KeyHeader("x-key"))


def test_lists_repeat_their_query_key_and_paths_may_keep_slashes() -> None:
    endpoint = Endpoint(
        vendor=TESTS,
        name="tests.files",
        path="/folders/{folder}/files/{file}",
        parameters=(
            Parameter("folder", Identifier(may_contain_slashes=True), required=True),
            Parameter("file", Identifier(), required=True),
            Parameter("ids", Identifier(), "id", repeated=True),
        ),
    )
    values = {"folder": "a b/c", "file": "d/e", "ids": ["x", "y z"]}
    assert endpoint.request(values).target == "/folders/a%20b/c/files/d%2Fe?id=x&id=y%20z"
    assert endpoint.given(values) == {"folder": "a b/c", "file": "d/e", "ids": ["x", "y z"]}


def more_listing(paging: Paging) -> Listing:
    parameters = tuple(
        Parameter(name, Integer(0), name, default=default) for name, default in (("page", 1), ("size", 10))
    )
    return Listing(
        vendor=TESTS,
        name="tests.jobs",
        path="/jobs",
        parameters=parameters,
        bodies=(Body(rows="jobs", next_token="after", more="has_more"),),
        paging=paging,
    )


PAGINGS = {
    "cursor": CursorPaging("after"),
    "none": WholePaging(),
    "numbers": NumberPaging("page", "size"),
    "offset": OffsetPaging("page", "size"),
}
MORE: dict[str, tuple[str, str, bool]] = {
    "more and a cursor": ("cursor", '{"jobs":[{"id":1}],"has_more":true,"after":"x"}', True),
    "more and a null cursor": ("cursor", '{"jobs":[{"id":1}],"has_more":true,"after":null}', False),
    "more and no cursor": ("cursor", '{"jobs":[{"id":1}],"has_more":true}', False),
    "more and a blank cursor": ("cursor", '{"jobs":[{"id":1}],"has_more":true,"after":" "}', False),
    "more without paging": ("none", '{"jobs":[{"id":1}],"has_more":true,"after":"x"}', False),
    "more rows by number": ("numbers", '{"jobs":[{"id":1}],"has_more":true}', True),
    "more, but none by number": ("numbers", '{"jobs":[],"has_more":true}', False),
    "more, but none by offset": ("offset", '{"jobs":[],"has_more":true}', False),
    "nothing said": ("cursor", '{"jobs":[{"id":1}]}', True),
    "no more": ("none", '{"jobs":[{"id":1}],"has_more":false}', True),
}


@pytest.mark.parametrize("case", MORE)
def test_more_rows_without_a_way_to_them_are_an_error(case: str) -> None:
    paging, body, is_page = MORE[case]
    answer = more_listing(PAGINGS[paging]).page(answer_of(body.encode()))
    assert isinstance(answer, Page) is is_page, answer
    if isinstance(answer, Problem):
        assert "there are more rows" in answer.message


def test_no_more_rows_end_a_listing_whatever_the_cursor() -> None:
    page = more_listing(PAGINGS["cursor"]).page(answer_of(b'{"jobs":[{"id":1}],"has_more":false,"after":"x"}'))
    assert isinstance(page, Page)
    assert page.next_token is None
