"""What is done with what there is of a piece of work: adopt it, fail, submit another, cancel it."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest

from airflow_batch_provider.apis.batch_state import Outcome
from airflow_batch_provider.apis.plans import Plan
from airflow_batch_provider.apis.submissions import (
    Copy,
    Existing,
    Know,
    Preflight,
    Stopped,
    Submission,
    Work,
    cancel,
    create,
    kept_first,
)
from airflow_batch_provider.exceptions import (
    AuthenticationError,
    BatchExistsError,
    InvalidParameterError,
    RequestRefusedError,
    SubmissionConflictError,
)
from airflow_batch_provider.submitting.piece_of_work import SUBMITTED_KEY, Memory, PieceOfWork
from airflow_batch_provider.submitting.submit import Submitter, cancel_batch, inspect, start_batch_job, work_of
from airflow_batch_provider.vendors import llamacloud, playment, talkifai
from tests.unit.connected import Connect, Start
from tests.vendor_server import Answer, VendorServer

KIND = llamacloud.BATCH_KIND
KEY = "k"


class Store(dict[str, Any]):
    """Airflow's task state store."""

    set = dict.__setitem__


@dataclass
class World:
    """A vendor: its batches by the key of their work, and what was done to them."""

    batches: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    listed: bool = True
    submitted: list[Work] = field(default_factory=list)
    cancelled: list[str] = field(default_factory=list)
    finds: list[str] = field(default_factory=list)
    at_find: Callable[[], None] = lambda: None
    refuses: bool = False

    def add(self, key: str, identifier: str, status: str = "RUNNING") -> None:
        batch = {"id": identifier, "status": status, "created_at": f"2026-01-01T00:00:{len(self.all):02d}Z"}
        self.batches.setdefault(key, []).append(batch)

    @property
    def all(self) -> dict[str, dict[str, Any]]:
        return {batch["id"]: batch for batches in self.batches.values() for batch in batches}

    def answer(self, method: str, path: str, query: Mapping[str, str], headers: Any) -> Answer:
        identifier = path.removesuffix("/cancel").rpartition("/")[2]
        batch = self.all.get(identifier)
        if self.refuses:
            return Answer(401)
        if batch is None:
            return Answer(404)
        if method == "POST":
            if batch["status"] not in {"RUNNING", "PENDING"}:
                return Answer(409)
            batch["status"] = "CANCELLED"
            self.cancelled.append(identifier)
        return Answer(body=json.dumps(batch).encode())

    def submission(self, *, waits: bool = False, **options: Any) -> Submission:
        def find(work: Work) -> Plan[Existing]:
            self.finds.append(work.key)
            self.at_find()
            listed = self.batches.get(work.key, []) if self.listed else []
            copies = [Copy(id=b["id"], created=b["created_at"], document=b, state=KIND.state(b)) for b in listed]
            return Existing(copies)
            yield

        def submit(work: Work, existing: Existing) -> Plan[Copy | Stopped]:
            self.submitted.append(work)
            if not existing.batches:
                self.add(work.key, f"new-{work.key}")
                yield Know(f"new-{work.key}")
                return Copy(id=f"new-{work.key}")
            kept = kept_first(existing.batches)[0]
            yield Know(kept.id)
            return kept

        def find_waiting(work: Work) -> Plan[list[Copy]]:
            existing = yield from find(work)
            return [copy for copy in existing.batches if copy.outcome is Outcome.PENDING]

        return Submission(
            **{
                "vendor": llamacloud.VENDOR,
                "name": "llamacloud.batch",
                "kind": KIND,
                "parameters": (),
                "inspect": lambda work: Preflight(items=work.items),
                "find": find,
                "submit": submit,
                "most_items": 5,
                "what": "files",
                "is_void": lambda document: document.get("status") == "FAILED",
                "find_waiting": find_waiting if waits else None,
                **options,
            }
        )


Make = Callable[..., Submitter]


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def server(world: World, start: Start) -> VendorServer:
    return start(world.answer)


@pytest.fixture
def make(world: World, server: VendorServer, connect: Connect) -> Make:
    """Make what submits, in another try each time."""

    def made(
        *,
        store: Store | None = None,
        on_existing: str = "adopt",
        is_retry: bool = False,
        known: list[str] | None = None,
        **options: Any,
    ) -> Submitter:
        context: Any = {} if store is None else {"task_state_store": store}
        work = Work(key=KEY, description="d", values={}, is_retry=is_retry, now=datetime(2026, 1, 1, tzinfo=UTC))
        return Submitter(
            connect(llamacloud.VENDOR, server.url, max_attempts=1),
            world.submission(**options),
            work,
            memory=Memory(context, KEY),
            on_existing=on_existing,
            know=(known if known is not None else []).append,
        )

    return made


# The first time, and again.


def test_what_is_not_there_is_submitted_and_its_id_known(make: Make, world: World) -> None:
    known: list[str] = []
    submitter = make(known=known)
    assert submitter.submit() == "new-k"
    assert (known, submitter.work.key, world.finds) == (["new-k"], "k", ["k"])


def test_another_try_adopts_it_and_says_so(make: Make, world: World, caplog: pytest.LogCaptureFixture) -> None:
    make().submit()
    known: list[str] = []
    assert make(known=known).submit() == "new-k"
    assert known == ["new-k"]
    assert "Adopting new-k" in caplog.text
    assert len(world.all) == 1


@pytest.mark.parametrize("on_existing", ["adopt", "fail", "new"])
def test_the_first_time_every_choice_submits(on_existing: str, make: Make) -> None:
    assert make(on_existing=on_existing).submit() == "new-k"


def test_what_is_there_fails_where_that_was_asked_for(make: Make, world: World) -> None:
    world.add("k", "b1")
    with pytest.raises(BatchExistsError) as raised:
        make(on_existing="fail").submit()
    assert str(raised.value) == (
        "llamacloud.batch: b1 was submitted for this piece of work already. Nothing was submitted now; to wait for it, "
        "set on_existing='adopt'."
    )
    assert not world.submitted


# Another one.


@pytest.mark.parametrize("status", ["COMPLETED", "FAILED", "CANCELLED"])
def test_another_is_submitted_only_once_the_one_before_has_ended(status: str, make: Make, world: World) -> None:
    world.add("k", "b1")
    assert make(on_existing="new").submit() == "b1"
    world.all["b1"]["status"] = status
    submitter = make(on_existing="new")
    assert submitter.submit() == "new-k.2"
    assert submitter.work.key == "k.2"
    assert make(on_existing="new").submit() == "new-k.2"  # it runs
    world.all["new-k.2"]["status"] = status
    assert make(on_existing="new").submit() == "new-k.3"
    assert world.finds[-3:] == ["k", "k.2", "k.3"]


def test_an_ended_one_is_adopted_unless_another_was_asked_for(make: Make, world: World) -> None:
    world.add("k", "b1", "FAILED")
    assert make().submit() == "b1"


def test_each_generation_knows_whether_it_was_sent_before(make: Make, world: World) -> None:
    store = Store()
    make(store=store).submit()
    world.all["new-k"]["status"] = "COMPLETED"
    make(store=store, on_existing="new").submit()
    assert [(work.key, work.was_sent) for work in world.submitted] == [("k", False), ("k.2", False)]
    assert store[SUBMITTED_KEY] == {"work": "k", "batches": {"k": "new-k", "k.2": "new-k.2"}}


@pytest.mark.parametrize("is_retry", [False, True])
@pytest.mark.parametrize("has_store", [False, True])
def test_a_retry_may_have_been_sent_unless_airflow_remembers(
    has_store: bool, is_retry: bool, make: Make, world: World
) -> None:
    make(store=Store() if has_store else None, is_retry=is_retry).submit()
    assert world.submitted[0].may_be_sent is (is_retry and not has_store)


# What Airflow remembers.


def test_a_batch_that_no_listing_shows_is_adopted_from_memory(make: Make, world: World) -> None:
    store = Store()
    make(store=store).submit()
    world.listed = False
    assert make(store=store).submit() == "new-k"
    assert len(world.all) == 1
    assert [work.was_sent for work in world.submitted] == [False, True]


def test_a_batch_that_is_gone_is_remembered_no_more(make: Make, world: World) -> None:
    store = Store()
    make(store=store).submit()
    world.batches.clear()
    assert make(store=store).submit() == "new-k"
    assert len(world.submitted) == 2


def test_a_batch_that_is_as_good_as_none_is_remembered_no_more(make: Make, world: World) -> None:
    store = Store({SUBMITTED_KEY: {"work": "k", "batches": {"k": "void"}}})
    world.add("elsewhere", "void", "FAILED")
    assert make(store=store).submit() == "new-k"


def test_a_batch_that_the_listing_shows_is_not_read_again(make: Make, server: VendorServer) -> None:
    store = Store()
    make(store=store).submit()
    make(store=store).submit()
    assert not server.asked


def test_a_remembered_batch_cannot_be_read_alone_everywhere(make: Make, server: VendorServer) -> None:
    store = Store({SUBMITTED_KEY: {"work": "k", "batches": {"k": "b"}}})
    assert make(store=store, kind=playment.BATCH_KIND).submit() == "new-k"
    assert not server.asked


def test_a_key_that_is_refused_while_it_is_looked_up_fails(make: Make, world: World) -> None:
    store = Store({SUBMITTED_KEY: {"work": "k", "batches": {"k": "b"}}})
    world.refuses = True
    with pytest.raises(AuthenticationError):
        make(store=store).submit()
    assert not world.submitted


# The end.


def sending(work: Work, existing: Existing) -> Plan[Copy | Stopped]:
    """A plan that sends a request."""
    yield from cancel(KIND, "b1")
    return Stopped("It was sent.")


def test_a_submitter_that_was_stopped_sends_nothing(make: Make, server: VendorServer) -> None:
    submitter = make(submit=sending)
    submitter.stop()
    with pytest.raises(RuntimeError, match="the task has ended"):
        submitter.submit()
    assert not server.asked


def test_one_that_is_stopped_while_it_looks_sends_nothing(make: Make, world: World, server: VendorServer) -> None:
    """The plan that looks may end with its answer, and take no further step."""
    submitter = make(submit=sending)
    world.at_find = submitter.stop
    with pytest.raises(RuntimeError, match="the task has ended"):
        submitter.submit()
    assert not server.asked


def test_a_known_batch_is_cancelled_without_looking(make: Make, world: World, connect: Connect) -> None:
    world.add("k", "b1")
    world.add("k", "b2")
    submitter = make()
    submitter.cancel(submitter._client, "b2")
    assert (world.cancelled, world.finds) == (["b2"], [])


def test_where_no_batch_is_known_whatever_runs_is_cancelled(make: Make, world: World) -> None:
    for identifier, status in (("a", "RUNNING"), ("b", "COMPLETED"), ("c", "PENDING")):
        world.add("k", identifier, status)
    submitter = make()
    submitter.stop()
    submitter.cancel(submitter._client, None)
    assert world.cancelled == ["a", "c"]


def lost(work: Work, existing: Existing) -> Plan[Copy | Stopped]:
    """A plan whose request takes effect, and whose answer is lost."""
    yield from create(llamacloud.CANCEL_BATCH, {"batch_id": "b1"}, clashes=("404",), is_paid=True)
    return Stopped("Its answer was lost.")


@pytest.mark.parametrize("is_sent", [True, False])
def test_what_may_have_been_sent_is_looked_for_until_it_is_listed(make: Make, world: World, is_sent: bool) -> None:
    submitter = make(submit=lost)
    if is_sent:
        with pytest.raises(SubmissionConflictError):
            submitter.submit()
    world.finds.clear()
    world.at_find = lambda: world.add("k", "late") if len(world.finds) == 2 else None
    submitter.cancel(submitter._client, None)
    assert (world.cancelled, len(world.finds)) == ((["late"], 2) if is_sent else ([], 1))


def test_what_cannot_be_cancelled_is_left_with_a_word(
    make: Make, world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.add("k", "b1")
    submitter = make(kind=playment.BATCH_KIND)
    submitter.cancel(submitter._client, "b1")
    assert not world.cancelled
    assert "it continues, since the vendor has no way to cancel it by API" in caplog.text


@pytest.mark.parametrize(("starts", "cancelled"), [(True, ["b"]), (False, [])])
def test_only_what_would_start_by_itself_is_cancelled_when_nobody_comes_back(
    starts: bool, cancelled: list[str], make: Make, world: World
) -> None:
    for identifier, status in (("a", "RUNNING"), ("b", "PENDING"), ("c", "COMPLETED")):
        world.add("k", identifier, status)
    make(waits=starts).cancel_waiting()
    assert world.cancelled == cancelled


@pytest.mark.parametrize(("starts", "cancelled"), [(True, ["a"]), (False, [])])
def test_copies_that_became_visible_late_are_cancelled(
    starts: bool, cancelled: list[str], make: Make, world: World
) -> None:
    for identifier, status in (("a", "PENDING"), ("b", "RUNNING"), ("c", "COMPLETED")):
        world.add("k", identifier, status)
    make(waits=starts).cancel_waiting(kept="b")
    assert world.cancelled == cancelled


def test_without_copies_nothing_is_cancelled(make: Make, world: World) -> None:
    world.add("k", "b", "COMPLETED")
    make(waits=True).cancel_waiting(kept="b")
    assert not world.cancelled


# One batch.


@pytest.mark.parametrize(
    ("status", "outcome", "said"),
    [
        ("RUNNING", Outcome.CANCELLED, "llamacloud.batch: cancelled: b1 has status 'CANCELLED'"),
        ("CANCELLED", Outcome.CANCELLED, "llamacloud.batch: cancelled: b1 has status 'CANCELLED'"),
        ("COMPLETED", Outcome.SUCCEEDED, "it had ended before it could be cancelled: b1 has status 'COMPLETED'"),
        ("FAILED", Outcome.FAILED, "it had ended before it could be cancelled: b1 has status 'FAILED'"),
    ],
)
def test_cancelling_returns_the_state_and_logs_it(
    status: str,
    outcome: Outcome,
    said: str,
    world: World,
    server: VendorServer,
    connect: Connect,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    world.add("k", "b1", status)
    state = cancel_batch(connect(llamacloud.VENDOR, server.url), KIND, "b1", {})
    assert state.outcome is outcome
    assert said in caplog.text


def test_a_batch_that_goes_on_although_it_was_to_be_cancelled_is_an_error(start: Start, connect: Connect) -> None:
    def answer(method: str, path: str, query: Any, headers: Any) -> Answer:
        return Answer(409, b'{"detail": "no"}') if method == "POST" else Answer(body=b'{"id":"b","status":"RUNNING"}')

    with pytest.raises(RequestRefusedError, match=r"It has not ended either\."):
        cancel_batch(connect(llamacloud.VENDOR, start(answer).url), KIND, "b", {})


def test_playments_batches_cannot_be_cancelled(server: VendorServer, connect: Connect) -> None:
    with pytest.raises(RequestRefusedError, match="TELUS/Playment has no way to cancel a batch by API"):
        cancel_batch(connect(playment.VENDOR, server.url), playment.BATCH_KIND, "b", {})
    assert not server.asked


@pytest.mark.parametrize("first", ["scheduled", "running"])
def test_a_calling_job_is_started_once_and_its_state_returned(first: str, start: Start, connect: Connect) -> None:
    status = first

    def answer(method: str, path: str, query: Any, headers: Any) -> Answer:
        nonlocal status
        if method == "POST" and status == "running":
            return Answer(400, b'{"detail": "already running"}')
        status = "running" if method == "POST" else status
        return Answer(body=json.dumps({"id": "j", "status": status}).encode())

    server = start(answer)
    state = start_batch_job(connect(talkifai.VENDOR, server.url), "j")
    assert (state.id, state.outcome) == ("j", Outcome.RUNNING)
    assert [asked.path for asked in server.asked if asked.method == "POST"] == ["/batch/jobs/j/start"]


def test_a_calling_job_that_has_ended_is_not_started(start: Start, connect: Connect) -> None:
    def answer(method: str, path: str, query: Any, headers: Any) -> Answer:
        return Answer(400) if method == "POST" else Answer(body=b'{"id": "j", "status": "scheduled"}')

    with pytest.raises(RequestRefusedError, match=r"The job j was not started\."):
        start_batch_job(connect(talkifai.VENDOR, start(answer).url), "j")


# Before any request.


def test_the_work_is_that_of_the_piece() -> None:
    began = datetime(2026, 1, 1, tzinfo=UTC)
    piece = PieceOfWork(key="k", description="d", is_retry=True, began=began)
    work = work_of(piece, {"a": 1}, [2], continues="b0")
    assert (work.key, work.description, work.values, work.items, work.began) == ("k", "d", {"a": 1}, [2], began)
    assert work.text == "d; continues b0"
    assert work.now.tzinfo is UTC
    assert (work.was_sent, work.is_retry) == (None, True)


def inspected(items: int, most: int | None, **options: Any) -> Preflight:
    piece = PieceOfWork(key="k", description="d")
    return inspect(World().submission(**options), work_of(piece, {}, items), most)


@pytest.mark.parametrize("most", [None, 3, 4])
def test_as_many_items_as_are_allowed_are_taken(most: int | None) -> None:
    assert inspected(3, most) == Preflight(items=3)


def test_more_items_than_are_allowed_are_refused() -> None:
    with pytest.raises(InvalidParameterError) as raised:
        inspected(3, 2)
    assert str(raised.value) == (
        "llamacloud.batch: there are 3 files, more than the max_items=2 that are allowed. Nothing was submitted."
    )


def test_what_is_wrong_is_said_with_the_name() -> None:
    with pytest.raises(InvalidParameterError, match=r"^llamacloud\.batch: It is empty\.$"):
        inspected(0, None, inspect=lambda work: Stopped("It is empty."))


def test_a_plan_that_stops_fails_the_submission(make: Make) -> None:
    def submit(work: Work, existing: Existing) -> Plan[Copy | Stopped]:
        return Stopped("Look there.")
        yield

    with pytest.raises(SubmissionConflictError, match=r"Look there\."):
        make(submit=submit).submit()
