"""The operators that run batches: submitted once, waited for, cancelled where that was asked for."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowSkipException, AirflowTaskTimeout

from airflow_batch_provider.exceptions import (
    AmbiguousRequestError,
    BatchCancelledError,
    BatchExistsError,
    BatchProviderError,
    BatchTimeoutError,
    InvalidParameterError,
    NotFoundError,
    PaymentRequiredError,
    SubmissionConflictError,
    TransientError,
)
from airflow_batch_provider.hooks.base import BatchApiHook
from airflow_batch_provider.operators.run import RunBatchOperator
from airflow_batch_provider.operators.talkifai import TalkifAIRunBatchJobOperator
from airflow_batch_provider.vendors import talkifai, talkifai_submission
from airflow_batch_provider.waiting import verdict
from airflow_batch_provider.waiting.kinds import hook_named
from tests.unit.operators.run_cases import (
    NAMES,
    PHONES,
    Case,
    Store,
    TaskInstance,
    Vendors,
    cases,
    context_of,
    deferred,
    resumed,
    trigger_of,
    vendors,
)

EACH = pytest.mark.parametrize("name", NAMES)
CANCELLABLE = pytest.mark.parametrize("name", NAMES[1:])


@pytest.fixture
def case(name: str, tmp_path: Path) -> Case:
    return cases(tmp_path)[name]


@pytest.fixture
def talkifai_case(tmp_path: Path) -> Case:
    return cases(tmp_path)["talkifai"]


@pytest.fixture
def world() -> Iterator[Vendors]:
    """The vendors, whose batches run until the test lets them end."""
    with vendors() as served:
        yield served


@pytest.fixture
def quick() -> Iterator[Vendors]:
    """The vendors, whose batches end at once."""
    with vendors(run_seconds=0) as served:
        yield served


def submitted(world: Vendors, case: Case) -> int:
    return world.journal(case).batches.total


def state_of(case: Case, batch_id: str) -> str:
    """Return what a batch's status means."""
    from airflow_batch_provider.waiting.reader import StateReader

    kind = case.operator.kind
    hook: BatchApiHook = case.operator.hook_class(getattr(case.make(), case.operator.hook_class.conn_name_attr))
    state = StateReader(hook.connect(), kind, hook.listing_scope(kind, {})).read_one(batch_id)
    return state.outcome.value


# A batch's whole life.


@EACH
def test_a_batch_is_submitted_waited_for_and_returned_as_its_sensor_does(case: Case, quick: Vendors) -> None:
    instance = TaskInstance()
    result = case.make().execute(context_of(instance))
    assert submitted(quick, case) == 1
    assert instance.xcoms["batch_id"] == result["id"]
    assert result["outcome"] == "succeeded"
    assert set(result) >= {"id", "status", "outcome", "counts", "message"}


@EACH
def test_a_deferred_wait_ends_the_same(case: Case, world: Vendors) -> None:
    instance = TaskInstance()
    signal = deferred(case.make(deferrable=True), context_of(instance))
    batch_id = instance.xcoms["batch_id"]
    assert trigger_of(signal).batch_id == batch_id
    world.finish()
    result = resumed(case.make(deferrable=True), signal, context_of(TaskInstance()))
    assert (result["id"], result["outcome"]) == (batch_id, "succeeded")
    assert submitted(world, case) == 1


@EACH
def test_the_same_in_poke_mode_while_the_batch_runs(
    case: Case, world: Vendors, monkeypatch: pytest.MonkeyPatch
) -> None:
    poke = RunBatchOperator.poke

    def then_finish(self: RunBatchOperator, context: Any) -> Any:
        end = poke(self, context)
        world.finish()
        return end

    monkeypatch.setattr(RunBatchOperator, "poke", then_finish)
    assert case.make().execute(context_of())["outcome"] == "succeeded"


@EACH
def test_a_task_that_does_not_wait_returns_the_state_of_the_moment(case: Case, world: Vendors) -> None:
    instance = TaskInstance()
    result = case.make(wait_for_completion="False", deferrable=True).execute(context_of(instance))
    assert result["id"] == instance.xcoms["batch_id"]
    assert result["outcome"] in {"pending", "running"}
    assert result["message"].startswith(case.operator.kind.listing.vendor.title)


@EACH
def test_the_id_is_stored_before_anything_else_can_go_wrong(
    case: Case, world: Vendors, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(self: RunBatchOperator) -> None:
        raise TransientError("not now")

    monkeypatch.setattr(RunBatchOperator, "_read_state", fail)
    instance, store = TaskInstance(), Store()
    with pytest.raises(TransientError):
        case.make(wait_for_completion=False).execute(context_of(instance, task_state_store=store))
    assert instance.xcoms["batch_id"]
    (stored,) = store.values()
    assert list(stored["batches"].values()) == [instance.xcoms["batch_id"]]


@EACH
def test_it_runs_without_a_context_and_each_time_is_another_batch(case: Case, quick: Vendors) -> None:
    values = (
        {"jobs": [{"reference_id": f"s{n}", "data": {"image_url": "https://x/1.png"}} for n in (1, 2)]}
        if case.vendor == "playment"
        else {}
    )
    ids = {case.make().execute({})["id"], case.make(**values).execute({})["id"]}
    assert len(ids) == submitted(quick, case) == 2


def test_a_page_of_the_batch_is_linked_while_the_task_waits(talkifai_case: Case, world: Vendors) -> None:
    instance = TaskInstance()
    operator = talkifai_case.make(deferrable=True)
    deferred(operator, context_of(instance))
    (link,) = operator.operator_extra_links
    assert instance.xcoms[link.xcom_key].endswith(f"/batch-calls/{instance.xcoms['batch_id']}")


# Once.


@EACH
@pytest.mark.parametrize("has_store", [False, True])
def test_another_try_adopts_the_batch(has_store: bool, case: Case, world: Vendors) -> None:
    ids, store = set(), Store()
    more = {"task_state_store": store} if has_store else {}
    for number in (1, 2, 3):
        instance = TaskInstance(try_number=number)
        deferred(case.make(deferrable=True), context_of(instance, **more))
        ids.add(instance.xcoms["batch_id"])
    assert (len(ids), submitted(world, case)) == (1, 1)
    assert world.journal(case).cancels.total == 0


@EACH
def test_another_map_index_or_submit_key_is_another_batch(case: Case, world: Vendors) -> None:
    for number, (index, key) in enumerate([(0, None), (1, None), (0, "x")]):
        jobs = [{"reference_id": f"{number}-{n}", "data": {"image_url": "https://x/1.png"}} for n in (1, 2)]
        values = {"jobs": jobs} if case.vendor == "playment" else {}
        deferred(case.make(deferrable=True, submit_key=key, **values), context_of(TaskInstance(map_index=index)))
    assert submitted(world, case) == 3


@EACH
def test_what_is_there_fails_the_task_where_that_was_asked_for(case: Case, world: Vendors) -> None:
    deferred(case.make(deferrable=True), context_of())
    with pytest.raises(BatchExistsError):
        case.make(on_existing="fail").execute(context_of(TaskInstance(try_number=2)))
    assert submitted(world, case) == 1


def test_a_job_that_waits_for_its_time_is_left_alone_by_a_task_that_fails_for_it(
    talkifai_case: Case, world: Vendors
) -> None:
    later = talkifai_case.make(deferrable=True, start_at="2999-01-01T00:00:00", wait_for_completion=False)
    batch_id = later.execute(context_of())["id"]
    with pytest.raises(BatchExistsError):
        talkifai_case.make(on_existing="fail").execute(context_of(TaskInstance(try_number=3)))
    assert state_of(talkifai_case, batch_id) == "pending"


@CANCELLABLE
def test_another_is_submitted_once_the_first_has_ended(case: Case, world: Vendors) -> None:
    first = TaskInstance()
    deferred(case.make(deferrable=True), context_of(first))
    world.finish()
    ids = {first.xcoms["batch_id"]}
    for number in (2, 3):  # the third adopts the second one
        instance = TaskInstance(try_number=number)
        signal = deferred(case.make(deferrable=True, on_existing="new"), context_of(instance))
        ids.add(instance.xcoms["batch_id"])
    assert (len(ids), submitted(world, case)) == (2, 2)
    world.finish()
    result = resumed(case.make(deferrable=True, on_existing="new"), signal, context_of(TaskInstance(try_number=3)))
    assert result["id"] in ids - {first.xcoms["batch_id"]}


@EACH
def test_a_lost_answer_and_a_late_listing_make_one_batch(case: Case) -> None:
    with vendors(run_seconds=0, lose_answers=0.5, seed=3) as world:
        for number in range(1, 20):
            try:
                result = case.make().execute(context_of(TaskInstance(try_number=number, max_tries=50)))
                break
            except TransientError:
                continue
        assert result["outcome"] == "succeeded"
        assert submitted(world, case) == 1


# What is wrong before any request.

WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "a choice": ({"on_existing": "again"}, "on_existing='again' is not allowed"),
    "a flag": ({"cancel_on_kill": "perhaps"}, "cancel_on_kill='perhaps' is not allowed"),
    "an amount": ({"max_items": 0}, "max_items=0 is not allowed"),
    "a key": ({"submit_key": " "}, "submit_key=' ' is not allowed"),
    "a batch": ({"continues": ""}, "continues='' is not allowed"),
    "emptiness": ({"if_empty": "x"}, "if_empty='x' is not allowed"),
    "too many": ({"max_items": "1"}, "more than the max_items=1 that are allowed. Nothing was submitted."),
}


@EACH
@pytest.mark.parametrize("wrong", WRONG)
def test_what_is_wrong_is_said_without_a_request(wrong: str, case: Case, world: Vendors) -> None:
    parameters, expected = WRONG[wrong]
    before = len(world.running.requests)
    with pytest.raises(InvalidParameterError) as raised:
        case.make(**parameters).execute(context_of())
    assert expected in str(raised.value)
    assert len(world.running.requests) == before


BAD_ITEMS: list[tuple[str, Any, str]] = [
    ("talkifai", [{"phone": "0155"}], "1 of 1 contacts have no phone in the form of E.164"),
    ("talkifai", [{"phone": PHONES[0]}] * 2, "1 of 2 contacts have the phone of one before them: rows 2."),
    ("talkifai", [{"phone": f"+1415{n:07d}"} for n in range(10_001)], "There are more than 10000 contacts"),
    ("playment", [{"reference_id": "r", "data": {}}] * 2, "Row 2 of jobs has the reference_id 'r' of a row before it."),
    ("playment", [{"reference_id": "r"}], "Row 1 of jobs: data is missing"),
    ("llamacloud", ["/no/such/file.pdf"], "/no/such/file.pdf"),
    ("llamacloud", None, "Either files or source_directory_id is needed, and not both."),
    ("processing", None, "Either files or directory_id is needed, and not both."),
]


@pytest.mark.parametrize(("name", "items", "expected"), BAD_ITEMS)
def test_items_that_would_be_refused_are_refused_without_a_request(
    items: Any, expected: str, case: Case, world: Vendors, caplog: pytest.LogCaptureFixture
) -> None:
    before = len(world.running.requests)
    with pytest.raises(InvalidParameterError) as raised:
        case.make(**{case.items: items}).execute(context_of())
    assert expected in str(raised.value)
    assert len(world.running.requests) == before
    assert not any(phone in str(raised.value) + caplog.text for phone in PHONES)


@pytest.mark.parametrize("name", ["llamacloud", "processing"])
def test_an_empty_file_is_refused_without_a_request(case: Case, world: Vendors, tmp_path: Path) -> None:
    (tmp_path / "empty.pdf").touch()
    before = len(world.running.requests)
    with pytest.raises(InvalidParameterError, match=r"empty\.pdf"):
        case.make(files=[str(tmp_path / "empty.pdf")]).execute(context_of())
    assert len(world.running.requests) == before


@pytest.mark.parametrize("name", ["playment", "talkifai"])
def test_nothing_to_submit_fails_or_skips(case: Case, world: Vendors) -> None:
    with pytest.raises(InvalidParameterError, match="To skip the task then, set if_empty='skip'"):
        case.make(**{case.items: []}).execute(context_of())
    with pytest.raises(AirflowSkipException):
        case.make(**{case.items: []}, if_empty="skip").execute(context_of())
    assert submitted(world, case) == 0


def test_a_number_to_call_from_that_does_not_exist_is_named(talkifai_case: Case, world: Vendors) -> None:
    with pytest.raises(NotFoundError, match=r"knows no phone number with the id 'phone_9' \(from_phone_number_id\)"):
        talkifai_case.make(from_phone_number_id="phone_9").execute(context_of())


@pytest.mark.parametrize("name", NAMES[1:])
def test_no_credits_fail_at_once_and_say_what_is_there(case: Case) -> None:
    with vendors(refuse_creates="402") as world:
        with pytest.raises(PaymentRequiredError) as raised:
            case.make().execute(context_of())
        assert submitted(world, case) == 0
    assert ("which cost nothing yet" in str(raised.value)) is (case.vendor == "llamacloud")


@EACH
@pytest.mark.parametrize("parameter", ["mode", "poke_interval", "exponential_backoff"])
def test_how_to_wait_has_one_name(parameter: str, case: Case) -> None:
    with pytest.raises(InvalidParameterError, match=f"takes no {parameter}; set poll_interval and deferrable instead"):
        case.make(**{parameter: 1})


@EACH
def test_everything_that_a_task_says_is_a_template(case: Case) -> None:
    fields = set(case.operator.template_fields)
    assert {parameter.name for parameter in case.operator.submission.parameters} <= fields
    assert {"on_existing", "max_items", "submit_key", "continues", "wait_for_completion", "cancel_on_kill"} <= fields
    assert {"cancel_on_timeout", "fail_on_item_failures", "stalled_after", case.items} <= fields
    assert case.operator.hook_class.conn_name_attr in fields
    assert hook_named(case.operator.kind.listing.vendor.hook) is case.operator.hook_class


ROWS = {
    "talkifai": ("contacts", [{"phone": "+14155550123", "name": "{{ ds }}"}]),
    "playment": ("jobs", [{"reference_id": "{{ ds }}", "data": {"image_url": "https://x/1.png?signature=secret"}}]),
}


@pytest.mark.parametrize("name", ROWS)
def test_rows_are_rendered_and_not_stored_as_a_rendered_field(case: Case, name: str) -> None:
    field, rows = ROWS[name]
    task = case.make(**{field: rows})
    task.render_template_fields({"ds": "2026-03-01"})
    assert str(getattr(task, field)) == "1 rows"
    ((_, row),) = task.items()
    assert "2026-03-01" in str(row)


def test_the_operator_without_items_is_abstract() -> None:
    assert RunBatchOperator.__abstractmethods__ == {"items"}


# The end of a task.


@EACH
def test_a_task_that_is_ended_cancels_its_batch(case: Case, world: Vendors, caplog: pytest.LogCaptureFixture) -> None:
    instance = TaskInstance()
    operator = case.make(deferrable=True)
    deferred(operator, context_of(instance))
    operator.on_kill()
    assert (state_of(case, instance.xcoms["batch_id"]) == "cancelled") is case.cancels
    assert ("has no way to cancel it by API" in caplog.text) is not case.cancels


@CANCELLABLE
def test_a_task_that_is_ended_leaves_its_batch_where_that_was_asked_for(case: Case, world: Vendors) -> None:
    instance = TaskInstance()
    operator = case.make(deferrable=True, cancel_on_kill="false")
    deferred(operator, context_of(instance))
    operator.on_kill()
    assert state_of(case, instance.xcoms["batch_id"]) in {"running", "pending"}


@CANCELLABLE
def test_a_task_that_was_resumed_cancels_its_batch_too(case: Case, world: Vendors) -> None:
    signal = deferred(case.make(deferrable=True), context_of())
    operator = case.make(deferrable=True)
    with pytest.raises(BatchTimeoutError):
        resumed(operator, signal, context_of(), event=verdict.of_timeout("It", None, 60).to_event())
    operator.on_kill()
    assert state_of(case, trigger_of(signal).batch_id) == "cancelled"


@CANCELLABLE
def test_a_task_that_is_ended_before_it_has_begun_submits_nothing(case: Case, world: Vendors) -> None:
    operator = case.make()
    operator.on_kill()
    with pytest.raises(RuntimeError, match="the task has ended"):
        operator.execute(context_of())
    assert submitted(world, case) == 0


@CANCELLABLE
@pytest.mark.parametrize("cancels", [True, False])
def test_a_trigger_cancels_the_batch_if_it_was_told_to(cancels: bool, case: Case, world: Vendors) -> None:
    trigger = trigger_of(deferred(case.make(deferrable=True, cancel_on_kill=cancels), context_of()))
    assert trigger.cancel_on_kill is cancels
    asyncio.run(trigger.on_kill())
    assert (state_of(case, trigger.batch_id) == "cancelled") is cancels


def test_a_trigger_whose_vendor_cannot_cancel_is_not_told_to(tmp_path: Path, world: Vendors) -> None:
    case = cases(tmp_path)["playment"]
    assert not trigger_of(deferred(case.make(deferrable=True), context_of())).cancel_on_kill


def run_poking(case: Case, options: dict[str, Any], context: Any) -> Any:
    return case.make(**options).execute(context)


def run_deferred(case: Case, options: dict[str, Any], context: Any) -> Any:
    return resumed(case.make(**options), deferred(case.make(**options), context), context_of())


@CANCELLABLE
@pytest.mark.parametrize("cancels", [True, False])
@pytest.mark.parametrize("deferrable", [True, False])
def test_a_timeout_cancels_only_if_asked(deferrable: bool, cancels: bool, case: Case, world: Vendors) -> None:
    instance = TaskInstance()
    options = {"cancel_on_timeout": cancels, "deferrable": deferrable, "timeout": 0.001}
    with pytest.raises(BatchTimeoutError):
        (run_deferred if deferrable else run_poking)(case, options, context_of(instance))
    assert (state_of(case, instance.xcoms["batch_id"]) == "cancelled") is cancels


@CANCELLABLE
@pytest.mark.parametrize("cancels", [True, False])
def test_an_execution_timeout_cancels_only_if_asked(
    cancels: bool, case: Case, world: Vendors, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However ``cancel_on_kill`` is set: Airflow calls ``on_kill`` for both."""

    def time_out(self: RunBatchOperator, context: Any) -> Any:
        raise AirflowTaskTimeout("execution_timeout")

    monkeypatch.setattr(RunBatchOperator, "poke", time_out)
    instance = TaskInstance()
    operator = case.make(cancel_on_timeout=cancels, cancel_on_kill=not cancels)
    try:
        operator.execute(context_of(instance))
    except AirflowTaskTimeout:
        operator.on_kill()  # as Airflow does
    assert (state_of(case, instance.xcoms["batch_id"]) == "cancelled") is cancels


def test_a_batch_that_was_cancelled_elsewhere_fails_the_task(tmp_path: Path, world: Vendors) -> None:
    case = cases(tmp_path)["llamacloud"]
    signal = deferred(case.make(deferrable=True), context_of())
    asyncio.run(trigger_of(signal).on_kill())
    with pytest.raises(BatchCancelledError):
        resumed(case.make(deferrable=True), signal, context_of())


def test_a_cancel_that_fails_is_logged(talkifai_case: Case, world: Vendors, capsys: pytest.CaptureFixture[str]) -> None:
    operator = talkifai_case.make(deferrable=True)
    operator.cancel_quietly()  # there is nothing yet
    deferred(operator, context_of())
    operator.submitted_id = "batch_of_nobody"
    operator.on_kill()
    assert "The batch could not be cancelled" in capsys.readouterr().out


# TalkifAI: nobody is called by what nobody looks after.


def failing_start(monkeypatch: pytest.MonkeyPatch, error: BatchProviderError) -> None:
    def start(job_id: str) -> Any:
        raise error
        yield

    monkeypatch.setattr(talkifai_submission, "start", start)


@pytest.mark.parametrize(
    ("number", "error", "state"),
    [
        (1, TransientError("down"), "pending"),
        (2, TransientError("down"), "pending"),
        (3, TransientError("down"), "cancelled"),
        (1, SubmissionConflictError("no"), "cancelled"),
    ],
)
def test_a_job_that_was_not_started_is_cancelled_when_no_other_try_comes(
    number: int,
    error: BatchProviderError,
    state: str,
    talkifai_case: Case,
    world: Vendors,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    failing_start(monkeypatch, error)
    instance = TaskInstance(try_number=number)
    with pytest.raises(type(error), match="is scheduled for a time far ahead and nobody has been called"):
        talkifai_case.make().execute(context_of(instance))
    assert state_of(talkifai_case, instance.xcoms["batch_id"]) == state
    world.finish()
    assert world.journal(talkifai_case).calls.total == 0


def test_the_next_try_starts_a_job_that_was_not_started(
    talkifai_case: Case, world: Vendors, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        failing_start(patch, TransientError("down"))
        with pytest.raises(TransientError):
            talkifai_case.make().execute(context_of())
    signal = deferred(talkifai_case.make(deferrable=True), context_of(TaskInstance(try_number=2)))
    world.finish()
    resumed(talkifai_case.make(deferrable=True), signal, context_of())
    journal = world.journal(talkifai_case)
    assert (journal.batches.total, journal.starts.total, journal.calls.total) == (1, 1, len(PHONES))


def test_what_cannot_be_cancelled_at_the_end_is_logged(
    talkifai_case: Case, world: Vendors, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    failing_start(monkeypatch, TransientError("down"))

    def fail(self: Any, kept: str | None = None) -> None:
        raise TransientError("down as well")

    monkeypatch.setattr("airflow_batch_provider.submitting.submit.Submitter.cancel_waiting", fail)
    with pytest.raises(TransientError, match=r"^down The job"):
        talkifai_case.make().execute(context_of(TaskInstance(try_number=3)))
    assert (
        "A batch that was created and not started could not be cancelled, so it may start by itself: down as well"
        in capsys.readouterr().out
    )


def test_a_job_with_a_later_start_waits_for_it(talkifai_case: Case, world: Vendors) -> None:
    later = talkifai_case.make(wait_for_completion=False, start_at="2999-01-01T00:00:00+00:00")
    result = later.execute(context_of())
    job = later.hook_class("talkifai_default").get_batch_job(result["id"])  # type: ignore[attr-defined]
    assert job["scheduledStartTime"].startswith("2999-01-01T00:00:00")
    assert result["status"] == "scheduled"
    assert world.journal(talkifai_case).starts.total == 0


def test_a_copy_that_appears_while_the_task_waits_is_cancelled_at_the_end(talkifai_case: Case, world: Vendors) -> None:
    instance = TaskInstance()
    signal = deferred(talkifai_case.make(deferrable=True), context_of(instance))
    hook: Any = talkifai_case.operator.hook_class("talkifai_default")
    name = hook.get_batch_job(instance.xcoms["batch_id"])["name"]
    copy = hook.create_batch_job(
        name=name,
        contacts=[{"phone": PHONES[0]}],
        from_phone_number_id="phone_0",
        scheduled_start_time="2999-01-01T00:00:00",
    )
    world.finish()
    result = resumed(talkifai_case.make(deferrable=True), signal, context_of())
    assert result["outcome"] == "succeeded"
    assert state_of(talkifai_case, copy["batchJobId"]) == "cancelled"


def test_no_number_is_in_a_log_or_an_xcom(
    talkifai_case: Case, world: Vendors, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level("DEBUG")
    instance, store = TaskInstance(), Store()
    signal = deferred(talkifai_case.make(deferrable=True), context_of(instance, task_state_store=store))
    logged = caplog.text + capsys.readouterr().out
    assert "to submit: 2 contacts" in logged
    seen = f"{logged} {instance.xcoms} {store} {signal.trigger.serialize()} {signal.kwargs}"
    assert not any(phone.removeprefix("+") in seen for phone in PHONES)


def test_the_kind_of_an_operator_is_that_of_its_submission() -> None:
    assert TalkifAIRunBatchJobOperator.kind is talkifai.BATCH_JOB_KIND


def test_an_answer_that_stays_lost_says_what_to_look_at(talkifai_case: Case) -> None:
    with vendors(lose_answers=1.0, late_listing=1e6) as world:
        with pytest.raises(AmbiguousRequestError, match="you cancel it in Studio: its name ends in") as raised:
            talkifai_case.make().execute(context_of())
        assert submitted(world, talkifai_case) == 1
    assert not any(phone in str(raised.value) for phone in PHONES)
