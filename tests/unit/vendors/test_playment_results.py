"""What becomes of a job of TELUS/Playment, for each thing that may come of asking for it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_batch_provider.apis.page import Row
from airflow_batch_provider.apis.plans import Location
from airflow_batch_provider.apis.problem import Problem, ProblemKind
from airflow_batch_provider.vendors.playment_results import JOB_RESULTS
from tests.unit.vendors.plans import (
    DENIED,
    EXPIRED,
    GONE,
    NO_FILE,
    STORED,
    Stored,
    asked,
    batch,
    found,
    row,
    run,
    said,
    url,
)

PUBLIC = "https://old.example/results/j.json"
ATTACHED = "https://api.playment.io/v1/attachments?url=https%3A%2F%2Fbucket%2Fj.json"
JOB = row("j", "completed")
RESULT = found({"job_id": "j", "result": ATTACHED})
WHY_GONE = f"{GONE.reason}; it has expired, was deleted, or belongs to another project"
REFUSED_TWICE = "its signed URL is refused, also one that was asked for again"


def masks(*urls: str, at: str = "annotations_data", **fields: Any) -> Stored:
    """A result with a mask at each URL."""
    annotations = [{"_id": f"a{number}", "url": where, **fields} for number, where in enumerate(urls)]
    inner = annotations if at == "annotations" else {"annotations": annotations}
    return Stored(json.dumps({"data": {at: inner}}).encode())


CASES: dict[str, tuple[Row, list[str], list[Any], tuple[str, str | None, list[str]]]] = {
    "ok": (JOB, ["result"], [RESULT, url(), STORED], ("ok", None, ["result"])),
    "no files are wanted": (JOB, [], [RESULT], ("ok", None, [])),
    "a public result of before 2021": (
        JOB,
        ["result"],
        [found({"result": PUBLIC}), STORED],
        ("ok", None, ["result"]),
    ),
    "a result of before 2021 that is not public": (
        JOB,
        ["result"],
        [found({"result": PUBLIC}), EXPIRED, url(), STORED],
        ("ok", None, ["result"]),
    ),
    "a result of before 2021 that is gone": (
        JOB,
        ["result"],
        [found({"result": PUBLIC}), EXPIRED, GONE],
        ("missing", WHY_GONE, []),
    ),
    "the attachment is the file itself": (
        JOB,
        ["result"],
        [RESULT, Location(content=b"{}"), STORED],
        ("ok", None, ["result"]),
    ),
    "failed": (row("j", "Failed"), ["result"], [], ("failed", "the vendor says that the job has failed", [])),
    "unfinished": (
        row("j", "in_progress"),
        ["result"],
        [],
        ("missing", "the job is not completed: its status is 'in_progress'", []),
    ),
    "expired": (JOB, ["result"], [GONE], ("missing", WHY_GONE, [])),
    "refused": (JOB, ["result"], [DENIED], ("failed", DENIED.reason, [])),
    "the attachment is gone": (JOB, ["result"], [RESULT, GONE], ("missing", WHY_GONE, [])),
    "the attachment is refused": (JOB, ["result"], [RESULT, DENIED], ("partial", DENIED.reason, [])),
    "an error page, or half a file": (
        JOB,
        ["result"],
        [RESULT, url(), NO_FILE],
        ("partial", NO_FILE.reason, []),
    ),
    "a URL that has expired once": (
        JOB,
        ["result"],
        [RESULT, url(), EXPIRED, url(), STORED],
        ("ok", None, ["result"]),
    ),
    "a URL that has expired twice": (
        JOB,
        ["result"],
        [RESULT, url(), EXPIRED, url(), EXPIRED],
        ("missing", f"{REFUSED_TWICE}; it has expired, was deleted, or belongs to another project", []),
    ),
    "masks and the result": (
        JOB,
        ["result", "masks"],
        [RESULT, url(), masks(PUBLIC, f"{PUBLIC}2"), STORED, STORED],
        ("ok", None, ["result", "masks", "masks"]),
    ),
    "masks alone": (JOB, ["masks"], [RESULT, url(), masks(PUBLIC), STORED], ("ok", None, ["masks"])),
    "no masks in it": (JOB, ["masks"], [RESULT, url(), masks()], ("ok", None, [])),
    "one mask is no image": (
        JOB,
        ["masks"],
        [RESULT, url(), masks(PUBLIC, f"{PUBLIC}2"), NO_FILE, STORED],
        ("partial", NO_FILE.reason, ["masks"]),
    ),
    "a mask behind an attachment": (
        JOB,
        ["masks"],
        [RESULT, url(), masks(ATTACHED), url(), STORED],
        ("ok", None, ["masks"]),
    ),
}


@pytest.mark.parametrize(("job", "kinds", "answers", "expected"), CASES.values(), ids=CASES)
def test_a_job_becomes(
    job: Row, kinds: list[str], answers: list[Any], expected: tuple[str, str | None, list[str]]
) -> None:
    item, _ = run(JOB_RESULTS.item(batch(*kinds), job, None), answers)
    assert said(item) == expected


@pytest.mark.parametrize("result", [None, "", "  ", 5, {"url": PUBLIC}])
def test_a_completed_job_without_a_result_is_missing_and_its_object_is_kept(result: object) -> None:
    answer = found({"job_id": "j", "result": result})
    item, _ = run(JOB_RESULTS.item(batch("result"), JOB, None), [answer])
    assert said(item) == ("missing", "the job is completed, but the vendor names no result", [])
    assert item.result == answer.json


@pytest.mark.parametrize("result", ["http://[::1/attachments?url=x", "https://[bad]/x"])
def test_a_result_that_is_no_url_costs_its_job_alone(result: str) -> None:
    item, _ = run(JOB_RESULTS.item(batch("result"), JOB, None), [found({"result": result})])
    assert said(item) == ("partial", "its URL is no URL", [])


def test_the_attachment_is_asked_for_by_the_url_in_its_query() -> None:
    _, steps = run(JOB_RESULTS.item(batch("result"), JOB, None), [RESULT, url(), STORED])
    assert asked(steps) == ["Ask playment.job_result", "Locate playment.attachment", "Fetch result"]
    assert steps[1].values == {"url": "https://bucket/j.json"}  # type: ignore[union-attr]
    assert steps[2].name == "j.json"  # type: ignore[union-attr]


def test_a_file_that_is_not_public_is_asked_for_by_its_own_address() -> None:
    _, steps = run(
        JOB_RESULTS.item(batch("result"), JOB, None),
        [found({"result": PUBLIC}), EXPIRED, url(), STORED],
    )
    assert asked(steps) == ["Ask playment.job_result", "Fetch result", "Locate playment.attachment", "Fetch result"]
    assert steps[2].values == {"url": PUBLIC}  # type: ignore[union-attr]


@pytest.mark.parametrize("at", ["annotations", "annotation_data", "annotations_data"])
def test_masks_are_found_wherever_the_pages_say_and_each_once(at: str) -> None:
    content = masks(PUBLIC, PUBLIC, f"{PUBLIC}2", at=at)
    item, steps = run(JOB_RESULTS.item(batch("masks"), JOB, None), [RESULT, url(), content, STORED, STORED])
    assert [file.name for file in item.files] == ["a0", "a2"]
    assert [step.url for step in steps[3:]] == [PUBLIC, f"{PUBLIC}2"]  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "annotations",
    [
        None,
        "text",
        {"rectangles": [{"url": PUBLIC}]},  # of an image, which has no masks
        [None, 5, "text", {}, {"url": None}, {"url": ""}, {"_id": 5}],
    ],
)
def test_a_result_of_any_other_shape_has_no_masks(annotations: object) -> None:
    content = Stored(json.dumps({"data": {"annotations": annotations}}).encode())
    item, _ = run(JOB_RESULTS.item(batch("masks"), JOB, None), [RESULT, url(), content])
    assert said(item) == ("ok", None, [])


@pytest.mark.parametrize("body", [b"[]", b"5", b"null", b'{"data": []}', b'{"data": null}'])
def test_a_result_that_is_no_object_has_no_masks(body: bytes) -> None:
    item, _ = run(JOB_RESULTS.item(batch("masks"), JOB, None), [RESULT, url(), Stored(body)])
    assert said(item) == ("ok", None, [])


def test_an_annotation_in_a_list_of_its_own_may_have_a_mask_too() -> None:
    content = Stored(json.dumps({"annotations": [[{"url": PUBLIC}]]}).encode())
    item, _ = run(JOB_RESULTS.item(batch("masks"), JOB, None), [RESULT, url(), content, STORED])
    assert said(item) == ("ok", None, ["masks"])


def test_a_result_with_numbers_that_python_does_not_read_by_itself_has_masks() -> None:
    content = Stored(b'{"data": {"annotations": [{"url": "https://a/m", "n": ' + b"9" * 5000 + b"}]}}")
    item, _ = run(JOB_RESULTS.item(batch("masks"), JOB, None), [RESULT, url(), content, STORED])
    assert said(item) == ("ok", None, ["masks"])


def test_a_result_that_is_nested_without_end_has_unknown_masks() -> None:
    content = Stored(b'{"data": {"annotations": [{"url": "u", "n": ' + b"[" * 100_000 + b"]" * 100_000 + b"}]}}")
    item, _ = run(JOB_RESULTS.item(batch("result", "masks"), JOB, None), [RESULT, url(), content])
    assert said(item) == ("partial", "its masks were not fetched, because its result cannot be searched", ["result"])


def test_the_batch_counts_its_jobs() -> None:
    rows = [row("a", "x"), row("b", "Complete", total_jobs=7)]
    begun, steps = run(JOB_RESULTS.begin({"project_id": "p", "batch_id": "b"}), [rows])
    assert (begun.expected, begun.state.outcome) == (7, "succeeded")
    assert asked(steps) == ["AskAll playment.batches"]


def test_a_batch_that_the_project_does_not_have() -> None:
    begun, _ = run(JOB_RESULTS.begin({"project_id": "p", "batch_id": "b"}), [[row("a", "x")]])
    assert isinstance(begun, Problem)
    assert begun.kind is ProblemKind.NOT_FOUND
