"""Results that are lines of files: what became of each item, and which answer belongs to it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_batch_provider import vendor_kit as kit
from airflow_batch_provider.apis.plans import Ask, Find, Gather, Refused
from tests.unit.vendors.plans import found

VENDOR = kit.Vendor(name="v", title="V", base_url="https://v.example", auth=kit.Basic())
BATCH_ID = kit.Parameter("batch_id", kit.Identifier(), required=True)
FILE_ID = kit.Parameter("file_id", kit.Identifier(), required=True)
ONE = kit.Resource(vendor=VENDOR, name="v.batch", path="/batches/{batch_id}", parameters=(BATCH_ID,))
BATCHES = kit.Listing(
    vendor=VENDOR, name="v.batches", path="/batches", bodies=(kit.Body(rows="data"),), paging=kit.WholePaging()
)
KIND = kit.BatchKind(
    name="v.batch",
    listing=BATCHES,
    single=ONE,
    id_parameter="batch_id",
    state=kit.StateFields({"done": kit.SUCCEEDED, "stopped": kit.CANCELLED}),
)
LINES = kit.Listing(
    vendor=VENDOR,
    name="v.lines",
    path="/files/{file_id}",
    parameters=(FILE_ID,),
    bodies=(kit.Body(is_lines=True),),
    paging=kit.WholePaging(),
    columns=kit.columns(id=kit.TEXT),
)
FIELDS = kit.ItemFields(
    status=("error.code", "status"),
    outcomes={"200": kit.ItemOutcome.OK, "late": kit.ItemOutcome.MISSING},
    error=("error.text", "said.text"),
    result="answer.body",
)
ANSWERED = kit.results(
    KIND,
    name="v.results",
    items=LINES,
    items_at={"file_id": "files.input"},
    answers=LINES,
    answers_at=({"file_id": "files.good"}, {"file_id": "files.bad"}),
    fields=FIELDS,
    counts=("counts.good", "counts.bad"),
)


def item(results: kit.Results, batch: kit.Batch, row: kit.Row, *answers: Any) -> tuple[kit.Item, list[Any]]:
    """Run the plan of an item; return what became of it, and where its answer was looked for."""
    left, asked, plan = list(answers), [], results.item(batch, row, None)
    try:
        step = next(plan)
        while True:
            assert isinstance(step, Find)
            asked.append((step.gathered, step.id))
            step = plan.send(left.pop(0))
    except StopIteration as end:
        return end.value, asked


def begun(batch: dict[str, Any]) -> tuple[kit.Batch, list[Any]]:
    """Run the plan that begins; return the batch, and which answers were asked for."""
    plan, gathered = ANSWERED.begin({"batch_id": "b"}), []
    step: Any = next(plan)
    assert isinstance(step, Ask)
    try:
        step = plan.send(found(batch))
        while True:
            assert isinstance(step, Gather)
            gathered.append(step.values)
            step = plan.send(f"answers {len(gathered)}")
    except StopIteration as end:
        return end.value, gathered


BATCH = {"id": "b", "status": "done", "files": {"input": "i", "good": "g", "bad": "e"}, "counts": {"good": 2, "bad": 1}}
ROW = kit.Row("x", "", b'{"id":"x","ask":1.10}')


def answer(**fields: Any) -> kit.Row:
    return kit.Row("x", "", json.dumps({"id": "x", **fields}).encode())


def test_the_batch_says_where_its_items_and_their_answers_are() -> None:
    batch, gathered = begun(BATCH)
    assert batch.items_at == {"file_id": "i"}
    assert gathered == [{"file_id": "g"}, {"file_id": "e"}]
    assert (batch.facts, batch.expected) == (["answers 1", "answers 2"], 3)


def test_a_file_that_the_batch_does_not_have_is_not_asked_for() -> None:
    batch, gathered = begun({**BATCH, "files": {"input": "i", "good": None}, "counts": {"good": 0}})
    assert (gathered, batch.expected) == ([], None)


def test_an_answer_is_looked_for_in_each_file_in_turn() -> None:
    batch, _ = begun(BATCH)
    became, asked = item(ANSWERED, batch, ROW, None, answer(status=200, answer={"body": {"n": 2**70}}))
    assert asked == [("answers 1", "x"), ("answers 2", "x")]
    assert became == kit.Item(outcome=kit.ItemOutcome.OK, status="200", result=b'{"n": 1180591620717411303424}')


WITHOUT: dict[str, tuple[str, Any, kit.ItemOutcome, str]] = {
    "an error": (
        "done",
        answer(status=500, error={"code": "late", "text": "too late"}),
        kit.ItemOutcome.MISSING,
        "late: too late",
    ),
    "another word": ("done", answer(status=400, said={"text": "no"}), kit.ItemOutcome.FAILED, "400: no"),
    "no words": ("done", answer(status=400), kit.ItemOutcome.FAILED, "400"),
    "no answer": ("done", None, kit.ItemOutcome.MISSING, "the batch has no answer to this item"),
    "cancelled": (
        "stopped",
        None,
        kit.ItemOutcome.SKIPPED,
        "the batch was cancelled before this item was processed",
    ),
    "deleted": ("done", Refused("HTTP 404", is_missing=True), kit.ItemOutcome.MISSING, "HTTP 404; it has expired"),
}


@pytest.mark.parametrize("case", WITHOUT)
def test_what_became_of_an_item_without_a_result(case: str) -> None:
    status, line, outcome, error = WITHOUT[case]
    batch, _ = begun({**BATCH, "status": status})
    became, _ = item(ANSWERED, batch, ROW, *([line] if line else [None, None]))
    assert became.outcome is outcome
    assert str(became.error).startswith(error)


def test_a_row_may_say_itself_what_became_of_it() -> None:
    results = kit.results(KIND, name="v.results", items=LINES, fields=FIELDS)
    row = kit.Row("x", "", b'{"id":"x","status":200,"answer":{"body":1.10}}')
    became, asked = item(results, kit.Batch(state=KIND.state(BATCH)), row)
    assert (became.row, became.result, became.outcome, asked) == (
        b'{"id":"x","status":200}',
        b"1.10",
        kit.ItemOutcome.OK,
        [],
    )


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "no such parameter": ({"items_at": {"file": "files.input"}}, "unknown parameter 'file'; declared are file_id"),
    "no such parameter of answers": ({"answers": LINES, "answers_at": [{"id": "x"}]}, "unknown parameter 'id'"),
    "no path": ({"counts": ["counts..good"]}, "'counts..good' is not a dotted path"),
    "a kind that cannot be read": ({"kind": kit.BatchKind(name="k", listing=BATCHES, state=KIND.state)}, "no single"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_declaration_fails_when_it_is_made(case: str) -> None:
    change, message = WRONG[case]
    values: dict[str, Any] = {"kind": KIND, "name": "v.results", "items": LINES, "fields": FIELDS, **change}
    with pytest.raises(kit.DeclarationError, match=message):
        kit.results(values.pop("kind"), **values)


@pytest.mark.parametrize(
    ("change", "message"), [({"outcomes": {}}, "outcomes is empty"), ({"error": "a..b"}, "dotted")]
)
def test_fields_of_an_item_are_checked(change: dict[str, Any], message: str) -> None:
    with pytest.raises(kit.DeclarationError, match=message):
        kit.ItemFields(**{"status": "s", "outcomes": FIELDS.outcomes, "error": "e", **change})
