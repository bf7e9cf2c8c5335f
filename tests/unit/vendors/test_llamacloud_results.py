"""What becomes of a file of a LlamaCloud batch, and of an item of a batch processing job, whatever comes of asking."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_batch_provider.apis.endpoint import Found
from airflow_batch_provider.apis.page import Row
from airflow_batch_provider.apis.problem import Problem, ProblemKind
from airflow_batch_provider.apis.request import Answer
from airflow_batch_provider.vendors.llamacloud import EXTRACT_JOB
from airflow_batch_provider.vendors.llamacloud_parse import KINDS
from airflow_batch_provider.vendors.llamacloud_results import RESULTS
from tests.unit.vendors.plans import (
    DENIED,
    EXPIRED,
    GONE,
    NO_FILE,
    OVER,
    STORED,
    TOO_LARGE,
    WAITED,
    WHY_GONE,
    asked,
    batch,
    found,
    parse_job,
    row,
    run,
    said,
)

SIGNED = "https://bucket.s3.amazonaws.com/f?X-Amz-Signature=1"
Said = tuple[str, str | None, list[str]]


def pages(*fields: dict[str, Any]) -> dict[str, Any]:
    return {"pages": [{"page_number": number, "success": True, **page} for number, page in enumerate(fields, 1)]}


def metadata(**files: Any) -> dict[str, Any]:
    """The signed URLs of a parse job."""
    return {"result_content_metadata": files}


def images(*names: str) -> dict[str, Any]:
    listed = [{"index": n, "filename": name, "presigned_url": SIGNED} for n, name in enumerate(names)]
    return {"images_content_metadata": {"total_count": len(names), "images": listed}}


ONE_FILE = {"presigned_url": SIGNED, "size_bytes": 5, "exists": True}
ABSENT = {"presigned_url": None, "size_bytes": 0, "exists": False}
TWO_PAGES = pages({"markdown": "# 1"}, {"markdown": "2"})
FAILED_PAGE = pages({"markdown": "# 1"}, {"success": False, "error": "x"})

PARSE: dict[str, tuple[list[str], list[Any], Said]] = {
    "ok": (["markdown"], [parse_job(markdown_full="# 1", markdown=TWO_PAGES), STORED], ("ok", None, ["markdown"])),
    "only its pages": (["markdown"], [parse_job(markdown=TWO_PAGES), STORED], ("ok", None, ["markdown"])),
    "no files are wanted": ([], [parse_job()], ("ok", None, [])),
    "an empty document": (["markdown"], [parse_job(markdown_full=""), STORED], ("ok", None, ["markdown"])),
    "failed pages": (
        ["markdown"],
        [parse_job(markdown_full="# 1", markdown=FAILED_PAGE), STORED],
        ("partial", "1 of 2 pages failed", ["markdown"]),
    ),
    "failed pages of items": (
        ["items"],
        [parse_job(items=FAILED_PAGE), STORED],
        ("partial", "1 of 2 pages failed", ["items"]),
    ),
    "too large to come within the answer": (
        ["markdown"],
        [TOO_LARGE, parse_job(**metadata(markdown=ONE_FILE)), STORED],
        ("ok", None, ["markdown"]),
    ),
    "by a signed URL although it was asked for": (
        ["markdown"],
        [parse_job(**metadata(markdown=ONE_FILE)), STORED],
        ("ok", None, ["markdown"]),
    ),
    "a kind that the configuration does not produce": (
        ["markdown", "xlsx"],
        [parse_job(markdown_full="#", **metadata(xlsx=ABSENT)), STORED],
        ("partial", "the job has produced no xlsx file", ["markdown"]),
    ),
    "a kind that is not named at all": (
        ["pdf"],
        [parse_job(), parse_job()],
        ("partial", "the job has produced no pdf file", []),
    ),
    "an undocumented spelling": (["pdf"], [parse_job(**metadata(outputPDF=ONE_FILE)), STORED], ("ok", None, ["pdf"])),
    "another spelling": (
        ["xlsx"],
        [parse_job(**metadata(XLSX_content_metadata=ONE_FILE)), STORED],
        ("ok", None, ["xlsx"]),
    ),
    "a web page instead of the file": (
        ["pdf"],
        [parse_job(**metadata(outputPDF=ONE_FILE)), NO_FILE],
        ("partial", NO_FILE.reason, []),
    ),
    "a URL that has expired once": (
        ["pdf"],
        [parse_job(**metadata(outputPDF=ONE_FILE)), EXPIRED, parse_job(**metadata(outputPDF=ONE_FILE)), STORED],
        ("ok", None, ["pdf"]),
    ),
    "the job has expired meanwhile": (
        ["pdf"],
        [parse_job(**metadata(outputPDF=ONE_FILE)), EXPIRED, GONE],
        ("partial", GONE.reason, []),
    ),
    "images": (["images"], [parse_job(**images("a.png", "b.png")), STORED, STORED], ("ok", None, ["images", "images"])),
    "no images": (["images"], [parse_job(**images())], ("ok", None, [])),
    "fewer images than it counts": (
        ["images"],
        [parse_job(images_content_metadata={**images("a.png")["images_content_metadata"], "total_count": 3}), STORED],
        ("partial", "the job lists 1 of 3 images", ["images"]),
    ),
    "an image without a name whose URL has expired": (
        ["images"],
        [
            parse_job(images_content_metadata={"images": [{"index": 0, "presigned_url": "https://f.example/a"}]}),
            EXPIRED,
            parse_job(images_content_metadata={"images": [{"index": 0, "presigned_url": "https://f.example/b"}]}),
            STORED,
        ],
        ("ok", None, ["images"]),
    ),
    "one image is gone": (
        ["images"],
        [parse_job(**images("a.png")), EXPIRED, parse_job(**images())],
        ("partial", "an image has no URL", []),
    ),
    "expired": (["markdown"], [GONE], ("missing", WHY_GONE, [])),
    "refused": (["markdown"], [DENIED, DENIED, DENIED], ("failed", DENIED.reason, [])),
    "a kind that its tier does not have is refused": (
        ["markdown", "text"],
        [DENIED, DENIED, parse_job(), DENIED, parse_job(**metadata(text=ONE_FILE)), STORED],
        ("partial", DENIED.reason, ["text"]),
    ),
    "refused with what only the guide names": (
        ["markdown"],
        [DENIED, parse_job(markdown=TWO_PAGES), STORED],
        ("ok", None, ["markdown"]),
    ),
    "failed": (["markdown"], [parse_job("FAILED", error="bad file")], ("failed", "bad file", [])),
    "failed without a reason": (["markdown"], [parse_job("FAILED")], ("failed", "its job is FAILED", [])),
    "cancelled": (["markdown"], [parse_job("CANCELLED")], ("failed", "its job is CANCELLED", [])),
    "unfinished": (
        ["markdown"],
        [parse_job("RUNNING"), WAITED, parse_job("RUNNING"), OVER],
        ("missing", "its job is not completed: its status is RUNNING", []),
    ),
    "late": (
        ["markdown"],
        [parse_job("RUNNING"), WAITED, parse_job("PENDING"), WAITED, parse_job(markdown_full="#"), STORED],
        ("ok", None, ["markdown"]),
    ),
    "a word that is not known": (
        ["markdown"],
        [parse_job("PAUSED"), WAITED, parse_job("PAUSED"), OVER],
        ("missing", "its job is not completed: its status is PAUSED", []),
    ),
    "another case": (["markdown"], [parse_job("completed", markdown_full="#"), STORED], ("ok", None, ["markdown"])),
}
FILE = row("dfl-1", "", source_directory_file_id="dfl-1", job_reference={"id": "p1", "type": "parse_v2"})


def read(file: Row, kinds: list[str], jobs: dict[str, Row], answers: list[Any]) -> tuple[Any, list[Any]]:
    return run(RESULTS.item(batch(*kinds, facts={}), file, jobs), answers)


@pytest.mark.parametrize(("kinds", "answers", "expected"), PARSE.values(), ids=PARSE)
def test_a_parsed_file_becomes(kinds: list[str], answers: list[Any], expected: Said) -> None:
    item, _ = read(FILE, kinds, {}, answers)
    assert said(item) == expected


def test_content_that_becomes_a_file_is_not_in_the_row_and_the_rest_is_to_the_digit() -> None:
    answer = found({"job": {"id": "p1", "status": "COMPLETED"}, "markdown_full": "#", "text": {"pages": []}})
    raw = answer.json[:-1] + b', "usage": {"credits": 0.12345678901234567890, "n": 9007199254740993}}'
    item, _ = read(FILE, ["markdown"], {}, [type(answer)(json.loads(raw), raw), STORED])
    assert item.result == (
        b'{"job":{"id": "p1", "status": "COMPLETED"},'
        b'"usage":{"credits": 0.12345678901234567890, "n": 9007199254740993}}'
    )


def test_markdown_is_joined_of_its_pages_without_those_that_failed() -> None:
    _, steps = read(FILE, ["markdown"], {}, [parse_job(markdown=FAILED_PAGE), STORED])
    assert steps[1].content == b"# 1"
    _, steps = read(FILE, ["markdown"], {}, [parse_job(markdown=TWO_PAGES), STORED])
    assert steps[1].content == b"# 1\n\n2"


def test_json_content_is_kept_as_it_was_written() -> None:
    answer = parse_job()
    raw = answer.json[:-1] + b', "items": {"pages": [{"n": 36893488147419103233, "s": "\\ud83d"}]}}'
    _, steps = read(FILE, ["items"], {}, [type(answer)(json.loads(raw), raw), STORED])
    assert steps[1].content == b'{"pages": [{"n": 36893488147419103233, "s": "\\ud83d"}]}'


def test_one_request_asks_for_all_kinds_but_only_those() -> None:
    _, steps = read(FILE, ["text", "pdf", "images"], {}, [GONE])
    assert steps[0].values["expand"] == [
        *("usage", "output_pdf_content_metadata", "images_content_metadata", "text", "text_full")
    ]


def test_the_size_that_is_announced_is_passed_on_but_not_to_another_url() -> None:
    again = parse_job(**metadata(outputPDF={**ONE_FILE, "size_bytes": 7}))
    _, steps = read(FILE, ["pdf"], {}, [parse_job(**metadata(outputPDF=ONE_FILE)), EXPIRED, again, STORED])
    assert asked(steps) == ["Ask llamacloud.parse_job", "Fetch pdf", "Ask llamacloud.parse_job", "Fetch pdf"]
    assert steps[1].size == 5


def listed(status: str = "COMPLETED", **fields: Any) -> dict[str, Row]:
    return {"e1": row("e1", status, **fields)}


DONE = {"status": "COMPLETED"}
EXTRACTED = row("dfl-2", "", source_directory_file_id="dfl-2", job_reference={"id": "e1", "type": "extract_v2"})
RESULT = {"account": 9_007_199_254_740_993}
EXTRACT: dict[str, tuple[dict[str, Row], list[Any], Said]] = {
    "the list has its result": (listed(extract_result=RESULT), [], ("ok", None, [])),
    "the list has a job without result": (
        listed(extract_result=None),
        [found({"id": "e1", "status": "COMPLETED", "extract_result": RESULT})],
        ("ok", None, []),
    ),
    "it is not in the list": (
        {},
        [found({"id": "e1", "status": "COMPLETED", "extract_result": RESULT})],
        ("ok", None, []),
    ),
    "an empty result": (listed(extract_result=[]), [], ("ok", None, [])),
    "no result": (
        {},
        [found({"id": "e1", "status": "COMPLETED", "extract_result": None})],
        ("missing", "the job is completed, but has no extract_result", []),
    ),
    "failed, by the list": (listed("FAILED", error_message="no text"), [], ("failed", "no text", [])),
    "failed": ({}, [found({"id": "e1", "status": "FAILED", "error_message": "no text"})], ("failed", "no text", [])),
    "cancelled": (listed("CANCELLED"), [], ("failed", "its job is CANCELLED", [])),
    "throttled": (
        listed("THROTTLED"),
        [found({"id": "e1", "status": "THROTTLED"}), OVER],
        ("missing", "its job is not completed: its status is THROTTLED", []),
    ),
    "late": (
        listed("RUNNING"),
        [found({"id": "e1", "status": "RUNNING"}), WAITED, found({"id": "e1", "extract_result": 1} | DONE)],
        ("ok", None, []),
    ),
    "expired": ({}, [GONE], ("missing", WHY_GONE, [])),
    "refused": ({}, [DENIED], ("failed", DENIED.reason, [])),
    "another case": (listed("Completed", extract_result=RESULT), [], ("ok", None, [])),
}


@pytest.mark.parametrize(("jobs", "answers", "expected"), EXTRACT.values(), ids=EXTRACT)
def test_an_extracted_file_becomes(jobs: dict[str, Row], answers: list[Any], expected: Said) -> None:
    item, _ = read(EXTRACTED, [], jobs, answers)
    assert said(item) == expected


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"error_message": "no mapping"}, ("failed", "no mapping", [])),
        ({}, ("missing", "the vendor names neither a job of the file nor an error", [])),
        ({"job_reference": {"id": "", "type": "parse_v2"}, "error_message": "x"}, ("failed", "x", [])),
        ({"job_reference": "p1"}, ("missing", "the vendor names neither a job of the file nor an error", [])),
        (
            {"job_reference": {"id": "c1", "type": "classify_v2"}},
            ("partial", "results of jobs of type 'classify' are not known here", []),
        ),
    ],
)
def test_a_file_without_a_job_becomes(fields: dict[str, Any], expected: Said) -> None:
    item, _ = read(row("dfl-3", "", **fields), ["markdown"], {}, [])
    assert said(item) == expected


@pytest.mark.parametrize(
    ("files", "described"),
    [
        (GONE, None),
        ({"dfl-1": GONE}, None),
        ({}, None),
        ({"dfl-1": Row("dfl-1", "", b'{"name": 1.50}')}, b'{"name": 1.50}'),
    ],
)
def test_the_row_of_the_directory_is_joined_if_it_is_there(files: Any, described: bytes | None) -> None:
    item, _ = run(RESULTS.item(batch(facts=files), FILE, {}), [parse_job()])
    assert (described or b"null") in item.row
    assert {**json.loads(FILE.json), "directory_file": json.loads(described or b"null")} == json.loads(item.row)


def test_jobs_are_asked_for_together_by_type_and_those_of_others_are_not_taken() -> None:
    files = [FILE, EXTRACTED, row("dfl-3", "", error_message="x")]
    jobs, steps = run(RESULTS.prepare(batch(), files), [[row("p1", "COMPLETED"), row("other", "FAILED")], GONE])  # type: ignore[misc]
    assert asked(steps) == ["AskAll llamacloud.parse_jobs", "AskAll llamacloud.extract_jobs"]
    assert [step.values["job_ids"] for step in steps] == [["p1"], ["e1"]]  # type: ignore[union-attr]
    assert set(jobs) == {"p1"}


def test_a_batch_counts_the_results_that_it_lists() -> None:
    document = {"id": "b", "status": "COMPLETED", "source_directory_id": "d"}
    document["results"] = [{"source_directory_file_id": "dfl-1"}, {"source_directory_file_id": "dfl-2"}]
    begun, steps = run(RESULTS.begin({"batch_id": "b"}), [found(document), "gathered"])
    assert (begun.expected, begun.facts) == (2, "gathered")
    assert asked(steps) == ["Ask llamacloud.batch", "Gather llamacloud.directory_files"]


@pytest.mark.parametrize("status", ["COMPLETED", "FAILED", "CANCELLED"])
def test_a_batch_that_has_ended_and_lists_no_results_is_no_empty_batch(status: str) -> None:
    begun, _ = run(RESULTS.begin({"batch_id": "b"}), [found({"id": "b", "status": status, "results": None})])
    assert isinstance(begun, Problem)
    assert begun.kind is ProblemKind.REFUSED


def test_each_kind_is_declared_once() -> None:
    assert [kind.name for kind in KINDS] == [kind.name for kind in RESULTS.kinds]


@pytest.mark.parametrize("digits", [30, 5_000, 50_000])
def test_an_extracted_integer_of_any_length_is_exact(digits: int) -> None:
    listed = b'{"id": "e1", "status": "COMPLETED", "extract_result": {"n": ' + b"7" * digits + b"}}"
    entry = row("f", "", source_directory_file_id="f", job_reference={"id": "e1", "type": "extract_v2"})
    jobs = {"e1": Row("e1", "COMPLETED", listed)}
    item, _ = run(RESULTS.item(batch(facts={}), entry, jobs), [])
    assert (said(item), item.result) == (("ok", None, []), listed)
    single = EXTRACT_JOB.find(Answer(200, {}, listed))
    assert isinstance(single, Found)
    assert single.json == listed
    assert single.document["extract_result"]["n"] == (10**digits - 1) // 9 * 7
