from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest

from airflow_batch_provider.apis.body import LONGEST_TOKEN, NO_STATUS, Body, read_page, whole_number
from airflow_batch_provider.apis.declaration import DeclarationError
from airflow_batch_provider.apis.page import Page, Row
from airflow_batch_provider.apis.problem import Problem, ProblemKind
from airflow_batch_provider.vendors import llamacloud, playment, talkifai

Shapes = Sequence[Body]
SHAPE = llamacloud.BATCHES.bodies


def read(row: str | bytes) -> Row:
    text = row if isinstance(row, bytes) else row.encode()
    answer = read_page(SHAPE, b'{"items":[' + text + b"]}")
    assert not isinstance(answer, Problem), answer
    return answer.rows[0]


def refused(body: bytes, shape: Shapes = SHAPE) -> ProblemKind:
    answer = read_page(shape, body)
    assert isinstance(answer, Problem), answer
    return answer.kind


@pytest.mark.parametrize(
    "row",
    [
        '{"z":1.10,"id":"a","b":1e5,"c":-0.0,"d":1E+2}',
        '{"id":"a","big":123456789012345678901234567890,"tiny":0.1000000000000000055511151231257827}',
        '{"id":"a","text":"ä漢🎉\\u00e4\\n\\/\\u2028"}',
        '{"id":"a","id ":{"id":"b"},"":null}',
        '{ "id" : "a" , "nested" : [ { "x" : [ ] } ] }',
        '{"id":"a","huge":1e400}',
    ],
)
def test_a_row_stays_the_bytes_that_came(row: str) -> None:
    assert read(row).json == row.encode()


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_a_pretty_row_becomes_one_line_of_the_same_value(newline: str) -> None:
    row = '{\n  "id": "a",\n  "x": 1.10,\n  "big": 123456789012345678901234567890,\n  "t": "x\\n y: [1, 2]"\n}'
    line = read(row.replace("\n", newline)).json
    assert not {10, 13} & set(line)
    assert b"1.10" in line
    assert json.loads(line) == json.loads(row)


@pytest.mark.parametrize("text", ["\\ud800", "\\udc00\\ud800", "x\\uDFFFy", "ä\\ud800"])
@pytest.mark.parametrize("place", ['{{"id":"a","x":"{}"}}', '{{"id":"a","x":["{}",123456789012345678901]}}'])
def test_a_lone_surrogate_escape_is_kept(text: str, place: str) -> None:
    row = place.format(text)
    line = read(row).json
    assert json.loads(line) == json.loads(row)
    line.decode()  # valid UTF-8, so it is escaped


def test_a_lone_surrogate_may_stand_in_an_id_and_a_status() -> None:
    assert read('{"id":"\\ud800","status":"\\udfff"}')[:2] == ("\ud800", "\udfff")


def test_a_lone_surrogate_may_stand_in_a_key() -> None:
    row = '{"id":"a","k\\ud800":1}'
    assert json.loads(read(row).json) == json.loads(row)


@pytest.mark.parametrize("number", ["0.12345678901234567890", "1e400"])
def test_numbers_beside_a_lone_surrogate_keep_their_digits(number: str) -> None:
    assert number.encode() in read(f'{{"id":"a","x":"\\ud800","y":{number}}}').json


@pytest.mark.parametrize(
    ("row", "identifier"),
    [
        ('{"id":"a"}', "a"),
        ('{"id":7}', 7),
        ('{"id":123456789012345678901234567890}', 123456789012345678901234567890),
        ('{"x":{"id":"no"},"id":"/?#%+= ä漢"}', "/?#%+= ä漢"),
        ('{"\\u0069d":"a"}', "a"),
    ],
)
def test_the_id_is_read_as_it_came(row: str, identifier: str | int) -> None:
    assert read(row).id == identifier


@pytest.mark.parametrize("status", ["", ',"status":null', ',"status":5', ',"status":{"a":1}'])
def test_a_status_that_is_no_text_never_fails_a_row(status: str) -> None:
    assert read(f'{{"id":"a"{status}}}').status == NO_STATUS


def test_a_status_is_kept_as_it_came() -> None:
    assert read('{"status":"  CompLeted ","id":"a"}').status == "  CompLeted "


@pytest.mark.parametrize(
    "row", ["{}", '{"id":null}', '{"id":""}', '{"id":" "}', '{"id":true}', '{"id":1.5}', '{"id":["a"]}', "null", '"a"']
)
def test_a_row_without_an_id_is_of_the_wrong_shape(row: str) -> None:
    assert refused(f'{{"items":[{{"id":"good"}},{row}]}}'.encode()) is ProblemKind.WRONG_SHAPE


@pytest.mark.parametrize(
    "row",
    [
        b'{"id":"a","x":01}',
        b'{"id":"a","x":1.}',
        b'{"id":"a","x":NaN}',
        b'{"id":"a","x":-Infinity}',
        b'{"id":"a","x":"\x01"}',
        b'{"id":"a","x":"line\nbreak"}',
        b'{"id":"a","x":"\\q"}',
        b'{"id":"a","x":"\\u12g4"}',
        b'{"id":"a","x":"\xff"}',
        b'{"id":"a","x":"\xed\xa0\x80"}',  # a surrogate as UTF-8 would have it
        b'{"id":"a","x":"\\ud800\xff"}',
        b'{"id":"a","x":[1,]}',
        b'{"id":"a",}',
    ],
)
def test_what_no_parser_may_take_is_a_broken_page_also_deep_in_a_row(row: bytes) -> None:
    assert refused(b'{"items":[' + row + b"]}") is ProblemKind.NOT_JSON


@pytest.mark.parametrize("cut", range(29))
def test_a_body_cut_anywhere_is_a_broken_page(cut: int) -> None:
    body = b'{"items":[{"id":"a","x":"y"}]}'
    assert refused(body[:cut]) is ProblemKind.NOT_JSON


@pytest.mark.parametrize("opening", [b'{"items":[{"id":"a","x":', b'{"items":', b'{"items":[', b""])
@pytest.mark.parametrize(("left", "right"), [(b"[", b"]"), (b'{"a":', b"}")])
def test_a_body_nested_too_deeply_is_of_the_wrong_shape(opening: bytes, left: bytes, right: bytes) -> None:
    closing = {b"": b"", b'{"items":': b"}", b'{"items":[': b"]}"}.get(opening, b"}]}")
    depth = 500_000  # Python 3.14 takes more than 50,000
    assert refused(opening + left * depth + b"1" + right * depth + closing) is ProblemKind.WRONG_SHAPE


SHAPES = {
    "playment.batches": (playment.BATCHES.bodies, '{{"data":{{"batches":{}}},"success":true}}'),
    "playment.batch_jobs": (playment.BATCH_JOBS.bodies, '{{"data":{{"jobs":{}}},"success":true}}'),
    "llamacloud.batches": (llamacloud.BATCHES.bodies, '{{"items":{}}}'),
    "llamacloud.batch_processing_jobs": (llamacloud.BATCH_PROCESSING_JOBS.bodies, '{{"items":{}}}'),
    "talkifai.batch_jobs": (talkifai.BATCH_JOBS.bodies, '{{"batchJobs":{}}}'),
    "talkifai.batch_jobs, wrapped": (talkifai.BATCH_JOBS.bodies, '{{"success":true,"data":{{"batchJobs":{}}}}}'),
}
EACH_SHAPE = pytest.mark.parametrize(("shape", "body"), SHAPES.values(), ids=SHAPES)


@EACH_SHAPE
def test_each_listing_finds_its_rows(shape: Shapes, body: str) -> None:
    answer = read_page(shape, body.format('[{"id":"a"},{"id":"b"}]').encode())
    assert not isinstance(answer, Problem), answer
    assert [row.id for row in answer.rows] == ["a", "b"]


@EACH_SHAPE
@pytest.mark.parametrize("rows", ["{}", '"x"', "1", "true", '{"0":{"id":"a"}}', "[[]]", "[1]"])
def test_each_listing_refuses_rows_that_are_no_list_of_objects(shape: Shapes, body: str, rows: str) -> None:
    assert refused(body.format(rows).encode(), shape) is ProblemKind.WRONG_SHAPE


@EACH_SHAPE
@pytest.mark.parametrize("other", ["{}", '{"data":{}}', '{"success":true}', '{"data":null}', '{"data":[]}', "[]", "7"])
def test_each_listing_refuses_a_body_without_its_list(shape: Shapes, body: str, other: str) -> None:
    assert refused(other.encode(), shape) is ProblemKind.WRONG_SHAPE


@pytest.mark.parametrize("name", ["playment.batches", "playment.batch_jobs"])
def test_playment_may_write_an_empty_list_as_null(name: str) -> None:
    shape, body = SHAPES[name]
    answer = read_page(shape, body.format("null").encode())
    assert not isinstance(answer, Problem), answer
    assert list(answer.rows) == []


@pytest.mark.parametrize(
    ("value", "expected"),
    [(0, 0), (7, 7), (-1, None), (True, None), (None, None), ("7", None), (7.0, None), ([], None)],
)
def test_a_count_that_makes_no_sense_is_none(value: object, expected: int | None) -> None:
    assert whole_number(value) == expected


@pytest.mark.parametrize("total", ["null", '"many"', "-1", "1.5", "{}", "true"])
@pytest.mark.parametrize(
    ("shape", "body"),
    [
        (llamacloud.BATCHES.bodies, '{{"items":[{{"id":"a"}}],"total_size":{}}}'),
        (llamacloud.BATCH_PROCESSING_JOBS.bodies, '{{"items":[{{"id":"a"}}],"total_size":{}}}'),
        (talkifai.BATCH_JOBS.bodies, '{{"batchJobs":[{{"id":"a"}}],"total":{}}}'),
    ],
)
def test_an_odd_total_never_fails_a_page(shape: Shapes, body: str, total: str) -> None:
    answer = read_page(shape, body.format(total).encode())
    assert not isinstance(answer, Problem), answer
    assert answer.total is None


def page_of(body: Body, content: str) -> Page:
    answer = read_page((body,), content.encode())
    assert not isinstance(answer, Problem), answer
    return answer


OTHER = Body(rows="things", next_token="after", id="uuid", status="phase")


def test_a_vendor_may_call_id_and_status_otherwise() -> None:
    page = page_of(OTHER, '{"things":[{"uuid":"a","phase":"done","id":5}],"after":"x"}')
    assert list(page.rows) == [Row("a", "done", b'{"uuid":"a","phase":"done","id":5}')]
    assert page.next_token == "x"


def test_a_row_without_the_id_of_its_vendor_is_of_the_wrong_shape() -> None:
    assert refused(b'{"things":[{"id":"a"}]}', (OTHER,)) is ProblemKind.WRONG_SHAPE


DEEP = Body(
    rows="data.page.jobs",
    next_token="data.page.after",
    next_link="links.next",
    more="meta.has_more",
    total="meta.counts.all",
    page_size="meta.per-page",
    id="job.id",
    status="job.state.word",
)


def test_everything_may_lie_deep() -> None:
    page = page_of(
        DEEP,
        '{"data":{"page":{"jobs":[{"job":{"id":"a","state":{"word":"done"}}}],"after":7}},'
        '"links":{"next":"/jobs?after=7"},"meta":{"has_more":true,"counts":{"all":9},"per-page":1}}',
    )
    assert next(iter(page.rows))[:2] == ("a", "done")
    assert page == Page(page.rows, 7, 9, 1, "/jobs?after=7", True)


@pytest.mark.parametrize("meta", ["", ',"meta":null', ',"meta":{"counts":null}', ',"links":{}'])
@pytest.mark.parametrize("state", ["", ',"state":null', ',"state":{}'])
def test_what_lies_deep_may_be_absent_but_for_rows_and_ids(meta: str, state: str) -> None:
    page = page_of(DEEP, f'{{"data":{{"page":{{"jobs":[{{"job":{{"id":"a"{state}}}}}]}}}}{meta}}}')
    assert page == Page(page.rows)
    assert next(iter(page.rows))[:2] == ("a", NO_STATUS)


@pytest.mark.parametrize("body", ['{"data":{"page":{}}}', '{"data":{"page":{"jobs":[{}]}}}', '{"data":null}', "[]"])
def test_rows_and_ids_that_lie_deep_must_be_there(body: str) -> None:
    assert refused(body.encode(), (DEEP,)) is ProblemKind.WRONG_SHAPE


def test_a_body_may_be_a_bare_array() -> None:
    page = page_of(Body(), '[{"id":"a","status":"done"},\n {"id":"b"}]')
    assert list(page.rows) == [Row("a", "done", b'{"id":"a","status":"done"}'), Row("b", NO_STATUS, b'{"id":"b"}')]


@pytest.mark.parametrize("end", ["", "\n", "\r\n", "\n\n"])
def test_a_body_may_be_json_lines(end: str) -> None:
    page = page_of(Body(is_lines=True), '{"id":"a","x":1.10}\n{"id":"b"}' + end)
    assert [row.json for row in page.rows] == [b'{"id":"a","x":1.10}', b'{"id":"b"}']


def test_json_lines_may_hold_lone_surrogates_and_be_empty() -> None:
    assert (
        json.loads(page_of(Body(is_lines=True), '{"id":"a"}\n{"id":"b","x":"\\ud800"}').rows[1].json)["x"] == "\ud800"
    )
    assert len(page_of(Body(is_lines=True), "").rows) == 0


@pytest.mark.parametrize("lines", ['{"id":"a"}\n{"id":', '{"id":"a"}\n{}', '{"id":"a"}\n7'])
def test_broken_json_lines_are_a_broken_page(lines: str) -> None:
    assert refused(lines.encode(), (Body(is_lines=True),)) in {ProblemKind.NOT_JSON, ProblemKind.WRONG_SHAPE}


def test_a_token_beyond_any_request_is_of_the_wrong_shape() -> None:
    body = json.dumps({"things": [], "after": "x" * (LONGEST_TOKEN + 1)})
    assert refused(body.encode(), (OTHER,)) is ProblemKind.WRONG_SHAPE


WRONG: dict[str, dict[str, Any]] = {
    "an empty part of a path": {"rows": "data..jobs"},
    "a path that ends in a dot": {"rows": "jobs", "id": "id."},
    "facts beside a bare array": {"next_token": "after"},
    "rows of JSON lines": {"rows": "jobs", "is_lines": True},
    "a fact within the rows": {"rows": "jobs", "total": "jobs.total"},
    "rows within a fact": {"rows": "page.jobs", "next_token": "page"},
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_declaration_fails_when_it_is_made(case: str) -> None:
    with pytest.raises(DeclarationError, match="Body: "):
        Body(**WRONG[case])
