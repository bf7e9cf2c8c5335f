"""A batch that one request makes is made once: found by its key, or left to people where it has none."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from airflow_batch_provider import vendor_kit as kit
from airflow_batch_provider.apis.submissions import PAUSES, Existing
from tests.unit.apis.test_answers import BATCHES, KIND, ONE, VENDOR
from tests.unit.submissions import KEY, LOST, NOW, run, work

CREATE = kit.Resource(vendor=VENDOR, name="v.create", path="/batches", method="POST", is_repeatable=False)
CANCEL = kit.Resource(
    vendor=VENDOR, name="v.cancel", path="/batches/{batch_id}/cancel", method="POST", parameters=ONE.parameters
)
LISTING = kit.Listing(
    vendor=VENDOR,
    name="v.batches",
    path="/batches",
    bodies=(kit.Body(rows="data"),),
    paging=kit.WholePaging(),
    created_field="created",
)
CANCELLABLE = kit.BatchKind(
    name="v.batch", listing=LISTING, single=ONE, id_parameter="batch_id", cancel=CANCEL, state=KIND.state
)


def create(work: kit.Work) -> kit.Plan[kit.Found | kit.Refused | kit.Ambiguous]:
    return (yield from kit.create(CREATE, json={"rows": [row for _, row in work.items]}, is_paid=True))


def submission(kind: kit.BatchKind = CANCELLABLE, **by: Any) -> kit.Submission:
    rows = (kit.Parameter("id", kit.Text(), required=True), kit.Parameter("n", kit.Integer(0)))
    return kit.submission(kind, name="v.batch", what="rows", rows=rows, unique="id", most_items=2, create=create, **by)


MARKED = submission(key="labels.airflow")
UNMARKED = submission(counts=("counts.open", "counts.done"))
ITEMS = [(1, {"id": "a"}), (2, {"id": "b"})]
CREATED = {"id": "new", "status": "running"}


def batch(name: str, key: str = KEY, **fields: Any) -> dict[str, Any]:
    created = (NOW + timedelta(seconds=len(name))).isoformat()
    return {"id": name, "status": "running", "created": created, "labels": {"airflow": key}, **fields}


def ours(**fields: Any) -> kit.Work:
    return work({}, ITEMS, **fields)


def test_a_batch_is_found_by_its_key() -> None:
    ran = run(MARKED.find(ours()), [("v.batches", [batch("x", "another"), batch("y"), {"id": "z"}])])
    assert [copy.id for copy in ran.end.batches] == ["y"]


def test_what_is_there_is_kept_and_nothing_sent() -> None:
    existing = Existing([kit.Copy(id="y", created="1")])
    ran = run(MARKED.submit(ours(), existing), [])
    assert (ran.end.id, ran.known, ran.sent) == ("y", ["y"], [])


def test_what_is_not_there_is_made_by_one_request() -> None:
    script = [("v.create", CREATED), ("v.batches", [batch("new")])]
    ran = run(MARKED.submit(ours(was_sent=False), Existing()), script)
    assert (ran.end.id, ran.known[0], ran.names) == ("new", "new", ["v.create"])
    assert ran.sent[0].json == {"rows": [{"id": "a"}, {"id": "b"}]}
    assert ran.sent[0].is_paid


def test_a_batch_whose_answer_was_lost_is_adopted() -> None:
    ran = run(MARKED.submit(ours(was_sent=False), Existing()), [("v.create", LOST), ("v.batches", [batch("new")])])
    assert (ran.end.id, ran.names) == ("new", ["v.create"])


def test_a_second_copy_is_cancelled() -> None:
    script = [
        ("v.create", CREATED),
        ("v.batches", [batch("new"), batch("a")]),
        ("v.cancel", {"id": "new"}),
        ("v.batch", {"id": "new", "status": "stopped"}),
    ]
    ran = run(MARKED.submit(ours(was_sent=False), Existing()), script)
    assert (ran.end.id, ran.names) == ("a", ["v.create", "v.cancel"])


def test_nothing_is_looked_up_where_nothing_shows_whose_a_batch_is() -> None:
    assert run(UNMARKED.find(ours()), []).end == Existing()


@pytest.mark.parametrize("existing", [Existing(), Existing([kit.Copy(id="remembered")])])
def test_without_a_key_it_is_made_unless_airflow_remembers_it(existing: Existing) -> None:
    script = [] if existing.batches else [("v.create", CREATED)]
    ran = run(UNMARKED.submit(ours(was_sent=False), existing), script)
    assert ran.end.id == ran.known[0] == (existing.batches[0].id if existing.batches else "new")


def alike(name: str = "other", **counts: int) -> dict[str, Any]:
    return batch(name, counts=counts or {"open": 1, "done": 1})


def test_without_a_key_a_lost_answer_names_what_it_may_have_made() -> None:
    ran = run(UNMARKED.submit(ours(was_sent=False), Existing()), [("v.create", LOST), ("v.batches", [alike()])])
    assert isinstance(ran.end, kit.Stopped)
    assert ran.end.reason.startswith("It may have been submitted: other looks like it")
    assert (ran.end.cause, ran.end.may_pass) == (LOST.cause, False)


def test_without_a_key_another_try_sends_nothing_if_something_looks_like_it() -> None:
    ran = run(UNMARKED.submit(ours(was_sent=True), Existing()), [("v.batches", [alike()])])
    assert isinstance(ran.end, kit.Stopped)
    assert (ran.sent, ran.end.cause) == ([], None)


NOT_ALIKE = {
    "another size": alike(open=1, done=2),
    "older than the run": {**alike(), "created": (NOW - timedelta(hours=1)).isoformat()},
}


@pytest.mark.parametrize("case", NOT_ALIKE)
def test_what_cannot_be_the_tasks_own_does_not_keep_it_from_submitting(case: str) -> None:
    looks = [("v.batches", [NOT_ALIKE[case]])] * (len(PAUSES) + 1)
    ran = run(UNMARKED.submit(ours(was_sent=True, began=NOW), Existing()), [*looks, ("v.create", CREATED)])
    assert ran.end.id == "new"


def test_without_a_key_and_a_trace_the_next_try_looks_again() -> None:
    looks: list[tuple[str, Any]] = [("v.batches", [])] * (len(PAUSES) + 1)
    ran = run(UNMARKED.submit(ours(was_sent=False), Existing()), [("v.create", LOST), *looks])
    assert isinstance(ran.end, kit.Stopped)
    assert (ran.end.may_pass, ran.end.cause) == (True, LOST.cause)
    assert ran.end.reason.startswith("No batch like it was listed")


WRONG_ROWS: dict[str, tuple[list[dict[str, Any]], str]] = {
    "unknown": ([{"id": "a", "x": 1}], "Row 1 of rows has an unknown field 'x'; known are id, n."),
    "not allowed": ([{"id": "a"}, {"id": "b", "n": -1}], "Row 2 of rows: n is not allowed; allowed is a whole number"),
    "missing": ([{"n": 1}], "Row 1 of rows: id is missing"),
    "twice": ([{"id": "a"}, {"id": "a"}], "Row 2 of rows has the id 'a' of a row before it."),
    "too many": ([{"id": text} for text in "abc"], "There are 3 rows; allowed is 1 to 2."),
}


@pytest.mark.parametrize("case", WRONG_ROWS)
def test_rows_are_checked_without_a_request(case: str) -> None:
    rows, message = WRONG_ROWS[case]
    stopped = MARKED.inspect(work({}, list(enumerate(rows, 1))))
    assert isinstance(stopped, kit.Stopped)
    assert stopped.reason.startswith(message)


def test_rows_that_may_be_submitted_are_counted() -> None:
    assert MARKED.inspect(ours()) == kit.Preflight(items=2)


@pytest.mark.parametrize(("change", "message"), [({"key": "a..b"}, "dotted"), ({"counts": ("",)}, "dotted")])
def test_a_wrong_path_fails_when_it_is_declared(change: dict[str, Any], message: str) -> None:
    with pytest.raises(kit.DeclarationError, match=message):
        submission(**change)


def test_a_kind_without_a_way_to_cancel_keeps_the_oldest_copy() -> None:
    kind = kit.BatchKind(name="v.batch", listing=BATCHES, single=ONE, id_parameter="batch_id", state=KIND.state)
    copies = [kit.Copy(id="b", created="2"), kit.Copy(id="a", created="1")]
    ran = run(submission(kind, key="labels.airflow").submit(ours(), Existing(copies)), [])
    assert ran.end.id == "a"
