"""What becomes of each kind of item of a batch processing job (v1 beta)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_batch_provider.apis.page import Row
from airflow_batch_provider.vendors import llamacloud_results
from airflow_batch_provider.vendors.llamacloud_results import PROCESSING_JOB_RESULTS
from tests.unit.vendors.plans import (
    GONE,
    STORED,
    WHY_GONE,
    batch,
    found,
    parse_job,
    row,
    run,
    said,
)

Said = tuple[str, str | None, list[str]]


def result(identifier: str, processed: str, job_type: str = "parse") -> dict[str, Any]:
    return {"result_id": identifier, "job_type": job_type, "processed_at": processed}


def results(*listed: dict[str, Any]) -> Any:
    return found({"item_id": "i", "processing_results": list(listed)})


ITEM = row(
    "i", "completed", job_id="p1", started_at="2026-03-01T10:00:00Z", completed_at="2026-03-01T11:00:00Z"
)  # within an hour
NOW = result("now", "2026-03-01T10:30:00Z")
MARKDOWN = found({"markdown": "#"})
NEITHER = "neither API has the content of these items, so only their references are exported"
PROCESSED: dict[str, tuple[Row, list[str], list[Any], Said]] = {
    "ok": (ITEM, ["markdown"], [results(NOW), MARKDOWN, STORED], ("ok", None, ["markdown"])),
    "no files are wanted": (ITEM, [], [results(NOW)], ("ok", None, [])),
    "its content is in the other API": (
        ITEM,
        ["markdown"],
        [results(NOW), GONE, parse_job(markdown_full="#"), STORED],
        ("ok", None, ["markdown"]),
    ),
    "its content is in neither API": (
        ITEM,
        ["markdown"],
        [results(NOW), GONE, GONE],
        ("partial", WHY_GONE, []),
    ),
    "its results are gone": (
        ITEM,
        ["markdown"],
        [GONE, MARKDOWN, STORED],
        ("partial", GONE.reason, ["markdown"]),
    ),
    "it has no results": (ITEM, ["markdown"], [results(), MARKDOWN, STORED], ("ok", None, ["markdown"])),
    "it names no job": (
        row("i", "completed"),
        ["markdown"],
        [results(NOW)],
        ("partial", "the vendor names no job of the item, so its content cannot be asked for", []),
    ),
    "failed": (row("i", "failed", error_message="no text"), ["markdown"], [], ("failed", "no text", [])),
    "failed without a reason": (row("i", "failed"), ["markdown"], [], ("failed", "the vendor names no reason", [])),
    "cancelled": (row("i", "cancelled"), ["markdown"], [], ("skipped", "it was cancelled", [])),
    "skipped": (
        row("i", "skipped", skip_reason="already_processed"),
        ["markdown"],
        [results(NOW)],
        ("skipped", "already_processed", []),
    ),
    "unfinished": (
        row("i", "processing"),
        ["markdown"],
        [],
        ("missing", "it is not completed: its status is 'processing'", []),
    ),
    "another case": (row("i", "Completed"), [], [results()], ("ok", None, [])),
    "no text where one should be": (
        ITEM,
        ["markdown"],
        [results(NOW), found({"markdown": None}), GONE],
        ("partial", WHY_GONE, []),
    ),
}


@pytest.mark.parametrize("job_type", ["parse", "PARSE", "Parse", None, ""])
def test_the_type_of_a_job_is_read_in_any_case(job_type: str | None) -> None:
    job = found({"job": {"id": "j", "status": "completed", "total_items": 1, "job_type": job_type}})
    begun, _ = run(PROCESSING_JOB_RESULTS.begin({"job_id": "j"}), [job])
    listed = [results(result("now", "2026-03-01T10:30:00Z", str(job_type or "parse"))), MARKDOWN, STORED]
    item, _ = run(PROCESSING_JOB_RESULTS.item(batch("markdown", facts=begun.facts), ITEM, None), listed)
    assert said(item) == ("ok", None, ["markdown"])
    assert json.loads(item.result)["result_id"] == "now"


def facts(job_type: str = "parse") -> Any:
    return llamacloud_results._ContentPath(job_type)


@pytest.mark.parametrize(("item", "kinds", "answers", "expected"), PROCESSED.values(), ids=PROCESSED)
def test_a_processed_item_becomes(item: Row, kinds: list[str], answers: list[Any], expected: Said) -> None:
    became, _ = run(PROCESSING_JOB_RESULTS.item(batch(*kinds, facts=facts()), item, None), answers)
    assert said(became) == expected


@pytest.mark.parametrize(
    ("listed", "chosen"),
    [
        ([NOW], "now"),
        ([result("old", "2026-02-01T10:30:00Z"), NOW, result("new", "2026-03-02T00:00:00Z")], "now"),
        ([result("a", "2026-03-01T10:30:00Z"), result("b", "2026-03-01T10:40:00Z")], "b"),
        ([result("of another type", "2026-03-01T10:40:00Z", "classify"), NOW], "now"),
        ([result("old", "2026-02-01T00:00:00Z"), result("older", "2026-01-01T00:00:00Z")], "old"),
        # As texts, each of these compares the other way round.
        ([result("at its start", "2026-03-01T10:00:00.5Z"), result("after", "2026-03-01T12:00:00Z")], "at its start"),
        ([result("after", "2026-03-01T12:40:00+00:00"), result("elsewhere", "2026-03-01T12:30:00+02:00")], "elsewhere"),
        ([result("no time", ""), NOW], "now"),
        ([result("no time", "soon")], "no time"),
    ],
)
def test_of_all_results_of_an_item_the_latest_of_this_job_is_taken(listed: list[Any], chosen: str) -> None:
    item, _ = run(PROCESSING_JOB_RESULTS.item(batch(facts=facts()), ITEM, None), [results(*listed)])
    assert json.loads(item.result)["result_id"] == chosen


def test_the_api_that_has_the_content_of_one_item_is_asked_for_all_others() -> None:
    path = facts()
    run(PROCESSING_JOB_RESULTS.item(batch("markdown", facts=path), ITEM, None), [results(), GONE, GONE])
    run(
        PROCESSING_JOB_RESULTS.item(batch("markdown", facts=path), ITEM, None),
        [results(), GONE, parse_job(markdown_full="#"), STORED],
    )
    item, _ = run(PROCESSING_JOB_RESULTS.item(batch("markdown", facts=path), ITEM, None), [results(), GONE])
    assert said(item) == ("partial", WHY_GONE, [])


def test_after_five_items_without_content_only_references_are_exported() -> None:
    path = facts()
    for _ in range(5):
        run(PROCESSING_JOB_RESULTS.item(batch("markdown", facts=path), ITEM, None), [results(NOW), GONE, GONE])
    item, _ = run(PROCESSING_JOB_RESULTS.item(batch("markdown", facts=path), ITEM, None), [results(NOW)])
    assert said(item) == ("partial", NEITHER, [])
    assert json.loads(item.result)["result_id"] == "now"


def test_only_items_that_were_parsed_have_content() -> None:
    item, _ = run(PROCESSING_JOB_RESULTS.item(batch("markdown", facts=facts("classify")), ITEM, None), [results()])
    assert said(item) == ("ok", None, [])
