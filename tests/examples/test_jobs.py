"""Whole jobs at vendors that were declared in a file of 150 lines: list, wait, submit once, results, cancel, find."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_batch_provider.apis.batch_state import Outcome
from airflow_batch_provider.exceptions import (
    AmbiguousRequestError,
    BatchCancelledError,
    BatchFailedError,
    BatchUnfinishedError,
    InvalidParameterError,
    NotFoundError,
    RequestRefusedError,
    SubmissionConflictError,
)
from airflow_batch_provider.export import failed_items, read_export
from tests.examples.cases import CASES, IDS, Case
from tests.unit.operators.run_cases import Store, TaskInstance, context_of

OPENAI, ANTHROPIC = CASES["openai"], CASES["anthropic"]


def test_it_takes_a_file_of_at_most_150_lines(case: Case) -> None:
    assert len(Path(str(case.module.__file__)).read_text().splitlines()) <= 150


def test_every_batch_is_listed_over_several_pages(case: Case, account: Any) -> None:
    ids = [case.add(account, "row-1") for _ in range(25)]
    hook = getattr(case.module, f"{case.prefix}BatchesHook")()
    listed = hook.iter_listing(case.module.BATCHES, page_size=10)
    assert [row["id"] for row in listed] == ids[::-1]
    assert len(account.server.asked) == 3


OPENAI_WORDS = {
    **dict.fromkeys(("validating", "in_progress", "finalizing", "cancelling"), Outcome.RUNNING),
    "completed": Outcome.SUCCEEDED,
    "failed": Outcome.FAILED,
    "expired": Outcome.FAILED,
    "cancelled": Outcome.CANCELLED,
    "paused": Outcome.UNKNOWN,
}


@pytest.mark.parametrize("word", OPENAI_WORDS)
def test_each_word_of_openai_has_a_meaning(word: str) -> None:
    batch = {"id": "b", "status": word, "completed_at": 1_767_225_600, "request_counts": {"total": 3, "failed": 2}}
    state = OPENAI.module.BATCH.state(batch)
    assert (state.outcome, state.failed_items) == (OPENAI_WORDS[word], 2)
    assert state.counts == {"request_counts.total": 3, "request_counts.failed": 2}
    assert state.updated_at == "2026-01-01T00:00:00+00:00"


@pytest.mark.parametrize(
    ("word", "counts", "outcome"),
    [
        ("in_progress", {"processing": 3}, Outcome.RUNNING),
        ("canceling", {"processing": 3}, Outcome.RUNNING),
        ("ended", {"succeeded": 1, "errored": 1, "expired": 1}, Outcome.SUCCEEDED),
        ("ended", {"succeeded": 2, "canceled": 1}, Outcome.CANCELLED),
        ("paused", {}, Outcome.UNKNOWN),
    ],
)
def test_each_word_of_anthropic_has_a_meaning(word: str, counts: Mapping[str, int], outcome: Outcome) -> None:
    state = ANTHROPIC.module.BATCH.state({"id": "b", "processing_status": word, "request_counts": counts})
    assert (state.outcome, state.failed_items) == (outcome, counts.get("errored", 0) + counts.get("expired", 0))


def test_the_sensor_waits_until_a_batch_has_ended(case: Case, account: Any) -> None:
    batch_id = case.add(account)
    result = case.task("BatchSensor", batch_id=batch_id, poke_interval=0.01).execute({})
    assert (result["id"], result["outcome"]) == (batch_id, "succeeded")
    assert len(account.server.asked) > 2


def test_a_batch_that_is_not_there_fails_at_once(case: Case, account: Any) -> None:
    with pytest.raises(NotFoundError):
        case.task("BatchSensor", batch_id="none").execute({})
    assert len(account.server.asked) == 1


def test_a_batch_that_openai_refuses_says_why() -> None:
    with OPENAI.serving() as account:
        rows = [{**row, "url": "/v1/embeddings"} for row in OPENAI.rows("row-1")]
        batch_id = account.add(account.add_file(OPENAI.api.lines_of(rows), "requests.jsonl"))["id"]
        with pytest.raises(BatchFailedError, match="does not match the endpoint of the batch"):
            OPENAI.task("BatchSensor", batch_id=batch_id, poke_interval=0.01).execute({})


def test_its_connection_is_tested_by_one_request_for_one_row(case: Case, account: Any) -> None:
    hook = getattr(case.module, f"{case.prefix}BatchesHook")()
    assert hook.test_connection() == (True, f"{case.prefix} batches answered and accepted the API key.")
    (asked,) = account.server.asked
    assert asked.query == {"limit": "1"}


def run(case: Case, rows: Any, context: Any = None, **parameters: Any) -> Any:
    task = case.task("RunBatchOperator", requests=rows, poll_interval=0.01, **parameters)
    return task.execute(context_of() if context is None else context)


def test_requests_are_submitted_as_they_are_and_waited_for(case: Case, account: Any) -> None:
    rows = case.rows("row-1", "row-2")
    instance = TaskInstance()
    assert run(case, rows, context_of(instance))["outcome"] == "succeeded"
    (batch_id,) = account.batches
    assert instance.xcoms["batch_id"] == batch_id
    sent = [*account.requests(account.batches[batch_id])] if case is OPENAI else account.requests[batch_id]
    assert sent == rows
    assert case.created(account) == 1
    if case is OPENAI:
        assert account.batches[batch_id]["metadata"]["task"] == "Airflow: DAG d, run r, task run"


def test_requests_come_from_a_file(case: Case, account: Any, tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in case.rows(*IDS)))
    assert run(case, str(tmp_path / "rows.jsonl"), wait_for_completion=False)["id"] in account.batches


WRONG_ROWS = {
    "twice": (["row-1", "row-1"], {}, "Row 2 of requests has the custom_id 'row-1' of a row before it"),
    "without an id": (["row-1"], {"custom_id": None}, "Row 1 of requests: custom_id is missing"),
    "an unknown field": (["row-1"], {"tag": 1}, "Row 1 of requests has an unknown field 'tag'"),
    "none": ([], {}, "there are no requests to submit"),
}


@pytest.mark.parametrize("wrong", WRONG_ROWS)
def test_rows_are_checked_before_anything_is_sent(case: Case, account: Any, wrong: str) -> None:
    ids, change, message = WRONG_ROWS[wrong]
    with pytest.raises(InvalidParameterError, match=message):
        run(case, [{**row, **change} for row in case.rows(*ids)])
    assert not account.server.asked


def test_another_try_adopts_the_batch_that_airflow_remembers(case: Case, account: Any) -> None:
    store = Store()
    for try_number in (1, 2):
        context = context_of(TaskInstance(try_number=try_number), task_state_store=store)
        run(case, case.rows("row-1"), context)
    assert (case.created(account), len(account.batches)) == (1, 1)


def test_another_piece_of_work_is_another_batch(case: Case, account: Any) -> None:
    for task_id in ("one", "other"):
        run(case, case.rows("row-1"), context_of(TaskInstance(task_id=task_id)))
    assert len(account.batches) == 2


def began(moment: datetime | None = None) -> Any:
    return SimpleNamespace(start_date=moment or datetime.now(UTC))


def test_anthropic_shows_no_key_so_a_lost_answer_is_for_people_and_never_paid_twice() -> None:
    with ANTHROPIC.serving() as account:
        account.loses_answers = 1
        with pytest.raises(AmbiguousRequestError, match="It may have been submitted: msgbatch_0000 looks like it"):
            run(ANTHROPIC, ANTHROPIC.rows("row-1"), context_of(dag_run=began()))
        with pytest.raises(SubmissionConflictError, match="msgbatch_0000 looks like it"):
            run(ANTHROPIC, ANTHROPIC.rows("row-1"), context_of(TaskInstance(try_number=2), dag_run=began()))
        assert len(account.batches) == 1
        context = context_of(TaskInstance(try_number=2), dag_run=began(), task_state_store=Store())
        run(ANTHROPIC, ANTHROPIC.rows("row-1"), context, submit_key="another")
        assert len(account.batches) == 2


def ended(case: Case, account: Any, *ids: str) -> str:
    batch_id = case.add(account, *ids)
    case.task("BatchSensor", batch_id=batch_id, poke_interval=0.01).execute({})
    return batch_id


def export(case: Case, folder: Path, batch_id: str, **parameters: Any) -> Any:
    task = case.task("ExportResultsOperator", batch_id=batch_id, destination=folder.as_uri(), **parameters)
    return task.execute({})


def test_results_have_a_row_for_each_request(case: Case, account: Any, tmp_path: Path) -> None:
    summary = export(case, tmp_path, ended(case, account))
    assert summary["outcomes"] == {"ok": 2, "failed": 1, "missing": 1}
    rows = {row["id"]: row for row in read_export(tmp_path.as_uri())}
    assert {row_id: row["outcome"] for row_id, row in rows.items()} == {
        "row-1": "ok",
        "bad-2": "failed",
        "late-3": "missing",
        "row-4": "ok",
    }
    assert all(row["item"]["custom_id"] == row_id for row_id, row in rows.items())
    assert "Grüß Gott, row-4" in json.dumps(rows["row-4"]["result"], ensure_ascii=False)
    assert str(2**53 + 1) in json.dumps(rows["row-4"]["result"])
    assert rows["bad-2"]["error"] == {"openai": "404: The model does not exist"}.get(
        case.prefix.lower(), "errored: model: not found"
    )


def test_the_items_of_openai_are_in_the_order_of_the_requests(tmp_path: Path) -> None:
    with OPENAI.serving() as account:
        export(OPENAI, tmp_path, ended(OPENAI, account))
    rows = list(read_export(tmp_path.as_uri()))
    assert [row["item"] for row in rows] == OPENAI.rows(*IDS)


def test_failed_requests_of_openai_can_be_submitted_again(tmp_path: Path) -> None:
    with OPENAI.serving() as account:
        export(OPENAI, tmp_path, ended(OPENAI, account))
        again = failed_items(tmp_path.as_uri(), results=OPENAI.module.RESULTS)
    assert again == OPENAI.rows("bad-2", "late-3")


def test_results_of_a_batch_that_is_running_are_not_exported(case: Case, account: Any, tmp_path: Path) -> None:
    account.stays = True
    with pytest.raises(BatchUnfinishedError):
        export(case, tmp_path, case.add(account))


def test_files_that_were_deleted_are_missing_row_by_row(tmp_path: Path) -> None:
    with OPENAI.serving() as account:
        batch_id = ended(OPENAI, account)
        del account.files[account.batches[batch_id]["output_file_id"]]
        assert export(OPENAI, tmp_path, batch_id)["outcomes"] == {"missing": 4}


def test_a_batch_that_names_no_input_file_says_what_is_missing(tmp_path: Path) -> None:
    with OPENAI.serving() as account:
        batch_id = ended(OPENAI, account)
        account.batches[batch_id]["input_file_id"] = None
        with pytest.raises(RequestRefusedError, match="its items cannot be listed: file_id is missing"):
            export(OPENAI, tmp_path, batch_id)


def test_a_batch_that_is_cancelled_keeps_the_results_that_it_has(case: Case, account: Any, tmp_path: Path) -> None:
    batch_id = case.add(account, "row-1", "row-2", "row-3")
    assert case.task("CancelBatchOperator", batch_id=batch_id).execute({})["outcome"] in {"running", "cancelled"}
    with pytest.raises(BatchCancelledError):
        case.task("BatchSensor", batch_id=batch_id, poke_interval=0.01).execute({})
    assert export(case, tmp_path, batch_id)["outcomes"] == {"ok": 1, "skipped": 2}
    assert case.task("CancelBatchOperator", batch_id=batch_id).execute({})["outcome"] == "cancelled"


def test_finished_batches_are_found_until_they_are_exported(case: Case, account: Any, tmp_path: Path) -> None:
    batch_id = ended(case, account)
    find = case.task("FinishedBatchesOperator", exports=tmp_path.as_uri())
    (found,) = find.execute({})
    assert found["batch_id"] == batch_id
    case.task("ExportResultsOperator", if_exists="refresh", **found).execute({})
    assert find.execute({}) == []
