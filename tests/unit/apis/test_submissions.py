"""How something is made once: looked for, made, looked for again; and which of two copies both workers keep."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import product
from typing import Any

import pytest

from airflow_batch_provider.apis.batch_state import BatchState, Outcome
from airflow_batch_provider.apis.plans import Pause, Plan, Refused
from airflow_batch_provider.apis.submissions import (
    PAUSES,
    Ambiguous,
    Copy,
    Once,
    Stopped,
    cancel,
    cancel_others,
    kept_first,
    look_again,
    oldest_first,
    once,
)
from airflow_batch_provider.exceptions import RequestRefusedError
from airflow_batch_provider.vendors import llamacloud, talkifai
from tests.unit.submissions import CLASH, LOST, MISSING, run

OLD = Copy(id="z", created="2026-01-01T00:00:00Z")
NEW = Copy(id="a", created="2026-01-02T00:00:00Z")
STOP = Stopped("no such number")
NONE: list[Copy] = []
ALL_PAUSES = len(PAUSES)


def making(
    listed: Sequence[Sequence[Copy]], made: Any, *, was_sent: bool = False
) -> tuple[Once | Stopped, list[str | float]]:
    """Make something; return what there is in the end, and what was done for that."""
    done: list[str | float] = []
    answers = list(listed)

    def find() -> Plan[Sequence[Copy]]:
        done.append("find")
        return answers.pop(0)
        yield

    def make() -> Plan[Any]:
        done.append("make")
        return made
        yield

    plan = once(find, make, what="thing named x", was_sent=was_sent)
    try:
        step = next(plan)
        while True:
            assert isinstance(step, Pause)
            done.append(step.seconds)
            step = plan.send(True)
    except StopIteration as end:
        assert not answers
        return end.value, done


def looked(times: int) -> list[str | float]:
    """What is done to look so many times."""
    done: list[str | float] = ["find"]
    for seconds in PAUSES[: times - 1]:
        done += [seconds, "find"]
    return done


def test_what_is_there_is_taken_and_nothing_is_made() -> None:
    assert making([[NEW, OLD]], None) == (Once([OLD, NEW], is_new=False), ["find"])


def test_what_is_not_there_is_made_and_seen() -> None:
    assert making([NONE, [NEW]], NEW) == (Once([NEW], is_new=True), ["find", "make", "find"])


@pytest.mark.parametrize("place", range(1, ALL_PAUSES + 2))
def test_what_may_have_been_sent_is_looked_for_until_it_is_found(place: int) -> None:
    end, done = making([*[NONE] * (place - 1), [OLD]], None, was_sent=True)
    assert (end, done) == (Once([OLD], is_new=False), looked(place))


def test_what_may_have_been_sent_and_is_not_found_is_made() -> None:
    end, done = making([*[NONE] * (ALL_PAUSES + 1), [NEW]], NEW, was_sent=True)
    assert end == Once([NEW], is_new=True)
    assert done == [*looked(ALL_PAUSES + 1), "make", "find"]


@pytest.mark.parametrize(("made", "is_new"), [(LOST, True), (CLASH, False)])
@pytest.mark.parametrize("place", range(1, ALL_PAUSES + 2))
def test_what_may_be_there_after_all_is_looked_for_and_sent_no_more(
    place: int, made: Ambiguous | Refused, is_new: bool
) -> None:
    end, done = making([NONE, *[NONE] * (place - 1), [OLD]], made)
    assert end == Once([OLD], is_new=is_new)
    assert done == ["find", "make", *looked(place)]


def test_a_lost_answer_without_a_trace_is_left_to_the_next_try() -> None:
    end, done = making([NONE] * (ALL_PAUSES + 2), LOST)
    assert isinstance(end, Stopped)
    assert (end.may_pass, end.cause) == (True, LOST.cause)
    assert end.reason == (
        "No thing named x was listed in the 230 s after that; it is not sent again in this try. The next try looks for "
        "it first."
    )
    assert done.count("make") == 1


def test_a_clash_with_nothing_to_be_seen_fails_with_its_cause() -> None:
    end, _ = making([NONE] * (ALL_PAUSES + 2), CLASH)
    assert end == Stopped("No thing named x is listed.", CLASH.cause)


def test_what_stops_the_making_stops_at_once() -> None:
    assert making([NONE], STOP) == (STOP, ["find", "make"])


@pytest.mark.parametrize("place", range(1, ALL_PAUSES + 2))
def test_what_was_made_is_waited_for_until_it_is_listed(place: int) -> None:
    """Only then is what was made before it certainly listed too."""
    end, done = making([NONE, *[NONE] * (place - 1), [OLD, NEW]], NEW)
    assert end == Once([OLD, NEW], is_new=True)
    assert done == ["find", "make", *looked(place)]


@pytest.mark.parametrize("made", [NEW, Copy(id="a")], ids=["with its time", "without its time"])
def test_what_is_never_listed_is_taken_as_the_newest(made: Copy) -> None:
    end, _ = making([NONE, *[[OLD]] * (ALL_PAUSES + 1)], made)
    assert end == Once([OLD, made], is_new=True)


def test_copies_are_ordered_by_time_then_id_and_without_a_time_last() -> None:
    copies = [Copy(id="c"), NEW, Copy(id="b", created=NEW.created), OLD]
    assert [copy.id for copy in oldest_first(copies)] == ["z", "a", "b", "c"]


# Two workers make the same thing at the same time.


class LaggingVendor:
    """Makes whatever it is asked for, and lists it later, in the order in which it was made."""

    def __init__(self) -> None:
        self.made: list[Copy] = []
        self.listed = 0
        self.cancelled: set[str] = set()

    def make(self) -> Copy:
        number = len(self.made)
        # Ids say nothing of the order.
        self.made.append(Copy(id="ba"[number], created=f"2026-01-0{number + 1}"))
        return self.made[-1]

    def listing(self) -> list[Copy]:
        return self.made[: self.listed][::-1]


def worker(vendor: LaggingVendor, kept: list[str]) -> Iterator[None]:
    """A worker that hands over before each request."""

    def find() -> Plan[Sequence[Copy]]:
        yield Pause(0, None)  # type: ignore[arg-type]
        return vendor.listing()

    def make() -> Plan[Copy]:
        yield Pause(0, None)  # type: ignore[arg-type]
        return vendor.make()

    made: Any = yield from once(find, make, what="", was_sent=False)
    first, *others = made.copies
    for other in others:
        yield
        vendor.cancelled.add(other.id)
    kept.append(first.id)


A, B, LIST = range(3)
STEPS = 9


def interleavings() -> Iterator[tuple[int, ...]]:
    """Every order of steps of two workers and of what the listing shows one more of."""
    return product((A, B, LIST), repeat=STEPS)


def test_two_workers_keep_the_same_copy_and_cancel_the_other_in_every_order() -> None:
    both = 0
    for order in interleavings():
        vendor = LaggingVendor()
        kept: list[str] = []
        workers = [worker(vendor, kept), worker(vendor, kept)]
        for actor in order:
            if actor == LIST:
                vendor.listed = min(vendor.listed + 1, len(vendor.made))
            else:
                next(workers[actor], None)
        vendor.listed = len(vendor.made)  # in the end all is listed
        for each in workers:
            for _ in each:
                vendor.listed = len(vendor.made)
        assert set(kept) == {vendor.made[0].id}, order
        assert len(kept) == 2
        assert vendor.cancelled == {copy.id for copy in vendor.made[1:]}, order
        both += len(vendor.made) == 2
    assert both > 1000  # or nothing was tried


# Which batch is kept.


def batch(identifier: str, outcome: Outcome, created: str = "") -> Copy:
    return Copy(id=identifier, created=created, state=BatchState(identifier, outcome.value, outcome))


@pytest.mark.parametrize(
    ("copies", "expected"),
    [
        ([], []),
        ([("a", Outcome.RUNNING, "1")], ["a"]),
        ([("b", Outcome.RUNNING, "2"), ("a", Outcome.PENDING, "1")], ["a", "b"]),
        ([("a", Outcome.CANCELLED, "1"), ("b", Outcome.RUNNING, "2")], ["b"]),
        ([("a", Outcome.CANCELLED, "1"), ("b", Outcome.CANCELLED, "2")], ["b"]),
        ([("a", Outcome.SUCCEEDED, "1"), ("b", Outcome.RUNNING, "2")], ["a", "b"]),
        ([("a", Outcome.FAILED, "2"), ("b", Outcome.UNKNOWN, "1")], ["b", "a"]),
    ],
)
def test_the_oldest_that_was_not_cancelled_is_kept(copies: list[tuple[str, Outcome, str]], expected: list[str]) -> None:
    assert [copy.id for copy in kept_first(batch(*copy) for copy in copies)] == expected


def test_a_copy_without_a_state_is_of_unknown_outcome() -> None:
    assert Copy(id="a").outcome is Outcome.UNKNOWN


# Cancelling.

KIND = llamacloud.BATCH_KIND
CANCEL, READ = "llamacloud.cancel_batch", "llamacloud.batch"
RUNNING = {"id": "b", "status": "RUNNING"}
ENDED = {"id": "b", "status": "COMPLETED"}
CANCELLED = {"id": "b", "status": "CANCELLED"}


@pytest.mark.parametrize("read", [RUNNING, CANCELLED, ENDED])
def test_a_cancel_that_is_taken_returns_the_state(read: dict[str, Any]) -> None:
    ran = run(cancel(KIND, "b"), [(CANCEL, CANCELLED), (READ, read)])
    assert ran.end == KIND.state(read)
    assert ran.asked[0] == {"batch_id": "b"}
    assert ran.asked[1] == {"batch_id": "b", "expand": "results"}


@pytest.mark.parametrize("read", [CANCELLED, ENDED])
def test_a_batch_that_has_ended_stays_as_it_is(read: dict[str, Any]) -> None:
    assert run(cancel(KIND, "b"), [(CANCEL, CLASH), (READ, read)]).end == KIND.state(read)


def test_a_cancel_that_is_refused_while_the_batch_runs_stops() -> None:
    ran = run(cancel(KIND, "b"), [(CANCEL, CLASH), (READ, RUNNING)])
    assert ran.end == Stopped("It has not ended either.", CLASH.cause)
    assert ran.sent[0].clashes == ("400", "409", "422")


def test_a_batch_that_cannot_be_read_after_its_cancel_stops_with_the_cause() -> None:
    assert run(cancel(KIND, "b"), [(CANCEL, CLASH), (READ, MISSING)]).end == Stopped("", MISSING.cause)


def test_only_copies_that_still_run_are_cancelled() -> None:
    kept = batch("k", Outcome.RUNNING)
    others = [batch(outcome.value, outcome) for outcome in Outcome]
    ran = run(
        cancel_others(talkifai.BATCH_JOB_KIND, kept, [kept, *others]),
        [
            step
            for name in ("pending", "running", "unknown")
            for step in [
                ("talkifai.cancel_batch_job", {}),
                ("talkifai.batch_job", {"id": name, "status": "cancelled"}),
            ]
        ],
    )
    assert ran.end is None
    assert [step.values["batch_job_id"] for step in ran.sent] == ["pending", "running", "unknown"]
    assert ran.told[0] == "talkifai.batch_job: pending is a second copy of k, so it is cancelled"


def test_a_copy_that_cannot_be_cancelled_is_reported_and_the_others_are_cancelled_all_the_same() -> None:
    copies = [batch("x", Outcome.RUNNING), batch("y", Outcome.RUNNING)]
    ran = run(
        cancel_others(KIND, batch("k", Outcome.RUNNING), copies),
        [(CANCEL, CLASH), (READ, RUNNING), (CANCEL, CANCELLED), (READ, CANCELLED)],
    )
    assert isinstance(ran.end, Stopped)
    assert ran.end.reason == "x is a second copy of k, and could not be cancelled. It has not ended either."
    assert isinstance(ran.end.cause, RequestRefusedError)


# Looking again.


@pytest.mark.parametrize("place", [*range(1, ALL_PAUSES + 2), None])
def test_looking_again_ends_with_the_pauses(place: int | None) -> None:
    answers = [NONE] * (place - 1 if place else ALL_PAUSES + 1) + ([[OLD]] if place else [])
    find = finder(answers)
    ran = run(look_again(find), [])
    assert ran.end == ([OLD] if place else NONE)
    assert tuple(ran.paused) == PAUSES[: (place - 1 if place else ALL_PAUSES)]
    assert not answers


def finder(answers: list[list[Copy]]) -> Callable[[], Plan[Sequence[Copy]]]:
    def find() -> Plan[Sequence[Copy]]:
        return answers.pop(0)
        yield

    return find
