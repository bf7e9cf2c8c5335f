"""What the vendors' objects say of a batch, in one vocabulary."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_batch_provider.apis.batch_state import ALL, BatchKind, BatchState, Outcome, StateFields
from airflow_batch_provider.apis.declaration import DeclarationError
from airflow_batch_provider.vendors import llamacloud, playment, talkifai

PENDING, RUNNING, SUCCEEDED, FAILED, CANCELLED = (
    *(Outcome.PENDING, Outcome.RUNNING, Outcome.SUCCEEDED),
    *(Outcome.FAILED, Outcome.CANCELLED),
)
# As the vendors' pages document them, written here a second time.
LLAMACLOUD_WORDS = {"PENDING": PENDING, "RUNNING": RUNNING, "COMPLETED": SUCCEEDED, "FAILED": FAILED}
WORDS: dict[str, tuple[BatchKind, dict[str, Outcome]]] = {
    "playment": (playment.BATCH_KIND, {"Complete": SUCCEEDED}),
    "v2": (llamacloud.BATCH_KIND, {**LLAMACLOUD_WORDS, "THROTTLED": PENDING, "CANCELLED": CANCELLED}),
    "v1": (
        llamacloud.BATCH_PROCESSING_JOB_KIND,
        {**LLAMACLOUD_WORDS, "dispatched": RUNNING, "cancelled": CANCELLED},
    ),
    "talkifai": (
        talkifai.BATCH_JOB_KIND,
        {
            "pending": PENDING,
            "scheduled": PENDING,
            "running": RUNNING,
            "completed": SUCCEEDED,
            "failed": FAILED,
            "cancelled": CANCELLED,
        },
    ),
}
each_kind = pytest.mark.parametrize("kind", [kind for kind, _ in WORDS.values()], ids=WORDS)


@pytest.mark.parametrize(
    ("kind", "word", "outcome"),
    [
        pytest.param(kind, spelt(word), outcome, id=f"{name}-{spelt(word)}")
        for name, (kind, words) in WORDS.items()
        for word, outcome in words.items()
        for spelt in (str.upper, str.lower, str.title)
    ],
)
def test_a_documented_word_is_understood_in_any_case_and_kept_as_it_came(
    kind: BatchKind, word: str, outcome: Outcome
) -> None:
    state = kind.state({"id": "a", "status": word})
    assert (state.outcome, state.status) == (outcome, word)


@each_kind
def test_a_batch_without_a_status_is_unknown(kind: BatchKind) -> None:
    assert kind.state({"id": "a"}).outcome is Outcome.UNKNOWN


COUNTERS = {
    "playment": ("total_jobs", "completed_jobs", "total_frames", "completed_frames", "annotations"),
    "v1": ("total_items", "processed_items", "failed_items", "skipped_items"),
    "talkifai": ("totalContacts", "contactsProcessed", "successfulCalls", "failedCalls"),
}


@pytest.mark.parametrize("name", COUNTERS)
def test_the_counters_are_kept_under_the_vendors_names(name: str) -> None:
    counts = {counter: 2**53 + number for number, counter in enumerate(COUNTERS[name])}
    assert WORDS[name][0].state({"id": "a", "status": "", **counts}).counts == counts


@pytest.mark.parametrize("name", COUNTERS)
@pytest.mark.parametrize("value", [None, "many", -1.5, [], {}], ids=repr)
def test_a_counter_that_is_no_count_is_left_out(name: str, value: Any) -> None:
    first, *_ = COUNTERS[name]
    assert first not in WORDS[name][0].state({"id": "a", "status": "", first: value}).counts


FAILED_ITEMS: dict[str, tuple[str, dict[str, Any]]] = {
    "v1": ("v1", {"failed_items": 2}),
    "v1, read alone": ("v1", {"job": {"id": "a", "status": "completed", "failed_items": 2}}),
    "v2": ("v2", {"results": [{"error_message": "x"}, {"error_message": None}, {}, {"error_message": "y"}]}),
    "talkifai": ("talkifai", {"failedCalls": 2}),
}


@pytest.mark.parametrize(("name", "facts"), FAILED_ITEMS.values(), ids=FAILED_ITEMS)
def test_failed_items_are_counted(name: str, facts: dict[str, Any]) -> None:
    assert WORDS[name][0].state({"id": "a", "status": "completed", **facts}).failed_items == 2


def test_several_counters_of_failed_items_are_added_up() -> None:
    read = StateFields({"done": SUCCEEDED}, counts=("n.bad", "n.late", "n.good"), failed_items=("n.bad", "n.late"))
    assert read({"id": "a", "status": "done", "n": {"bad": 1, "late": 2, "good": 4}}).failed_items == 3
    with pytest.raises(DeclarationError, match="unknown counter 'late'"):
        StateFields({"done": SUCCEEDED}, counts=("bad",), failed_items=("bad", "late"))


@pytest.mark.parametrize(
    ("errors", "reason"), [([{"text": "no"}], "no"), ([], None), ("odd", None), ({"0": {"text": "no"}}, "no")]
)
def test_a_reason_may_lie_in_a_list(errors: Any, reason: str | None) -> None:
    read = StateFields({"done": SUCCEEDED}, reason="errors.0.text")
    assert read({"id": "a", "status": "done", "errors": errors}).reason == reason


@pytest.mark.parametrize("results", [None, [], {}, "text", [None, 1, "x"]], ids=repr)
def test_results_without_errors_are_no_failed_items(results: Any) -> None:
    state = llamacloud.BATCH_KIND.state({"id": "a", "status": "COMPLETED", "results": results})
    assert state.failed_items == 0


def test_a_processing_job_that_failed_gives_its_reason() -> None:
    job = {"id": "a", "status": "failed", "error_message": "quota"}
    assert llamacloud.BATCH_PROCESSING_JOB_KIND.state(job).reason == "quota"


def batch(id_: str, status: str, *, is_default: bool = False, total: int = 0, done: int = 0) -> dict[str, Any]:
    return {"id": id_, "status": status, "is_default": is_default, "total_jobs": total, "completed_jobs": done}


def test_an_empty_playment_batch_is_not_complete_by_its_counters() -> None:
    assert not playment.BATCH_KIND.state(batch("a", "In Progress")).outcome.is_terminal


def test_a_playment_batch_whose_counters_are_full_is_not_complete_by_them() -> None:
    assert not playment.BATCH_KIND.state(batch("a", "In Progress", total=3, done=3)).outcome.is_terminal


PROJECTS = {
    "no batches": ([], False),
    "the default one only": ([batch("d", "Complete", is_default=True)], False),
    "all but the default one complete": ([batch("d", "In Progress", is_default=True), batch("a", "Complete")], True),
    "one runs": ([batch("a", "Complete"), batch("b", "In Progress")], False),
    "one is unknown": ([batch("a", "Complete"), batch("b", "paused")], False),
    "all complete": ([batch("a", "Complete"), batch("b", "completed")], True),
}


@pytest.mark.parametrize(("batches", "is_over"), PROJECTS.values(), ids=PROJECTS)
def test_a_project_is_finished_once_it_has_batches_and_each_is(batches: list[dict[str, Any]], is_over: bool) -> None:
    state = playment.project_state(batches)
    assert state.outcome is (SUCCEEDED if is_over else RUNNING)
    assert state.id == ALL


def test_a_project_adds_up_the_counters_of_its_batches_without_the_default_one() -> None:
    batches = [
        batch("d", "In Progress", is_default=True, total=100, done=1),
        batch("a", "Complete", total=3, done=3),
        batch("b", "In Progress", total=4, done=1),
    ]
    assert playment.project_state(batches).counts == {
        "batches": 2,
        "finished": 1,
        "total_jobs": 7,
        "completed_jobs": 4,
    }


MOVEMENTS: dict[str, tuple[str, dict[str, Any]]] = {
    "a status": ("v2", {"status": "THROTTLED"}),
    "a time of change": ("v2", {"updated_at": "2026-01-01T00:00:01Z"}),
    "a counter": ("talkifai", {"contactsProcessed": 5}),
    "a processing job's counter": ("v1", {"skipped_items": 5}),
    "a batch's counter": ("playment", {"annotations": 5}),
}


@pytest.mark.parametrize(("name", "moved"), MOVEMENTS.values(), ids=MOVEMENTS)
def test_the_mark_changes_when_anything_moves(name: str, moved: dict[str, Any]) -> None:
    before = {"id": "a", "status": "RUNNING", **dict.fromkeys(COUNTERS.get(name, ()), 4), "updated_at": "2026"}
    read = WORDS[name][0].state
    assert read(before).mark != read({**before, **moved}).mark
    assert read(before).mark == read({**before, "name": "renamed"}).mark


def test_a_running_batch_has_the_same_mark_alone_and_in_the_listing() -> None:
    listed = {"id": "a", "status": "RUNNING", "updated_at": "2026-01-01T00:00:00Z", "results": None}
    read = llamacloud.BATCH_KIND.state
    assert read(listed).mark == read({**listed, "results": []}).mark


def test_state_fields_may_have_other_names() -> None:
    read = StateFields(
        {"done": SUCCEEDED},
        id="key",
        status="phase",
        counts=("files", "bad"),
        failed_items="bad",
        reason="why",
        updated_at="at",
    )
    batch = {"key": 7, "phase": "Done", "files": 3, "bad": 2, "why": "torn", "at": "2026-01-01"}
    expected = BatchState("7", "Done", SUCCEEDED, {"files": 3, "bad": 2}, 2, "torn", "2026-01-01")
    assert read(batch) == expected


def test_state_fields_that_are_not_named_are_not_read() -> None:
    batch = {"id": "a", "status": "done", "": "x", "error_message": "x", "updated_at": "x", "failed_items": 3}
    assert StateFields({"done": SUCCEEDED})(batch) == BatchState("a", "done", SUCCEEDED)
