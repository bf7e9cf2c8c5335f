"""How plans of submission run: what creates is sent once, and every error says what is there by then."""

from __future__ import annotations

import json
import threading
import traceback
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from structlog.tracebacks import ExceptionDictTransformer

from airflow_batch_provider.apis.endpoint import Found, Resource
from airflow_batch_provider.apis.parameter import Integer, Parameter
from airflow_batch_provider.apis.plans import NEVER, Plan, Refused, ask, pause
from airflow_batch_provider.apis.submissions import Ambiguous, Know, Standing, Stopped, Tell, create, each
from airflow_batch_provider.exceptions import (
    AmbiguousRequestError,
    AuthenticationError,
    BatchProviderError,
    NotFoundError,
    PaymentRequiredError,
    RateLimitedError,
    RequestRefusedError,
    SubmissionConflictError,
    SubmissionUnclearError,
    TransientError,
    UnexpectedResponseError,
)
from airflow_batch_provider.submitting.runner import SubmissionRunner
from airflow_batch_provider.vendors import llamacloud
from tests.unit.connected import KEY, Connect, Start
from tests.vendor_server import Answer, How, VendorServer, in_turn

VENDOR = llamacloud.VENDOR
PARAMETERS = (
    Parameter("name", Integer(1, 9), "name", required=True, in_body=True),
    Parameter("project_id", Integer(1), "project_id"),
)
CREATE = Resource(
    vendor=VENDOR,
    name="llamacloud.make",
    path="/things",
    method="POST",
    parameters=PARAMETERS,
    is_repeatable=False,
)
CHANGE = Resource(vendor=VENDOR, name="llamacloud.change", path="/change", method="POST", id=None)
READ = Resource(vendor=VENDOR, name="llamacloud.thing", path="/thing")
OK = Answer(body=b'{"id": "t1"}')
VALUES = {"name": 3, "project_id": 7, "of_another": "x"}

Make = Callable[..., tuple[SubmissionRunner, VendorServer]]


@pytest.fixture
def make(start: Start, connect: Connect) -> Make:
    """Make a runner whose vendor answers as told."""

    def made(*answers: Answer, values: Any = VALUES, **options: Any) -> tuple[SubmissionRunner, VendorServer]:
        server = start(in_turn(*(answers or (OK,))))
        settings = {"max_concurrency": options.pop("max_concurrency", 4)}
        return SubmissionRunner(connect(VENDOR, server.url, **settings), values, **options), server

    return made


def made_of(**options: Any) -> Plan[Any]:
    """A plan that makes something and returns what came of it."""
    return (yield from create(CREATE, **options))


# What is sent.


def test_a_creation_is_sent_with_the_tasks_values_that_it_takes(make: Make) -> None:
    runner, server = make()
    found = runner.finish(made_of(values={"name": 4}, json={"more": True}))
    assert found == Found({"id": "t1"}, b'{"id": "t1"}')
    (asked,) = server.asked
    assert (asked.method, asked.path, asked.query) == ("POST", "/things", {"project_id": "7"})
    assert json.loads(asked.body) == {"name": 4, "more": True}


@pytest.mark.parametrize(
    "answer",
    [Answer(500), Answer(502), Answer(503), Answer(504), Answer(how=How.CLOSE), Answer(how=How.BROKEN_OFF)],
    ids=lambda answer: f"{answer.status} {answer.how.name}",
)
def test_a_creation_whose_answer_is_lost_is_sent_once_and_ambiguous(answer: Answer, make: Make) -> None:
    runner, server = make(answer, OK)
    end = runner.finish(made_of())
    assert isinstance(end, Ambiguous)
    assert isinstance(end.cause, AmbiguousRequestError)
    assert len(server.asked) == 1


def test_a_creation_that_is_too_soon_is_sent_again(make: Make) -> None:
    runner, server = make(Answer(429, headers={"Retry-After": "0"}), OK)
    assert isinstance(runner.finish(made_of()), Found)
    assert len(server.asked) == 2


def test_what_may_be_repeated_is_sent_again(make: Make) -> None:
    runner, server = make(Answer(503), OK)
    assert isinstance(runner.finish(create(CHANGE)), Found)
    assert len(server.asked) == 2


@pytest.mark.parametrize(
    ("status", "body", "clashes"),
    [
        (409, b"{}", ("409",)),
        (400, b"{}", ("400", "409", "422")),
        (404, b"{}", ("404",)),
        (422, b"{}", ("422",)),
    ],
)
def test_a_refusal_that_may_mean_that_it_is_there_is_the_plans(
    status: int, body: bytes, clashes: tuple[str, ...], make: Make
) -> None:
    runner, server = make(Answer(status, body))
    end = runner.finish(made_of(clashes=clashes))
    assert isinstance(end, Refused)
    assert end.is_missing is (status == 404)
    assert isinstance(end.cause, (NotFoundError, RequestRefusedError))
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, RequestRefusedError),
        (401, AuthenticationError),
        (402, PaymentRequiredError),
        (404, NotFoundError),
        (422, RequestRefusedError),
    ],
)
def test_any_other_refusal_fails_after_one_request(status: int, error: type[Exception], make: Make) -> None:
    runner, server = make(Answer(status))
    with pytest.raises(error):
        runner.finish(made_of(clashes=("409", "BAD")))
    assert len(server.asked) == 1


def test_an_answer_of_another_shape_is_ambiguous(make: Make) -> None:
    """Something was taken, and what became of it is not known."""
    runner, server = make(Answer(201, b"[]"))
    assert isinstance(runner.finish(made_of()), Ambiguous)
    assert len(server.asked) == 1


@pytest.mark.parametrize("name", [None, 10, "x"])
def test_what_may_not_be_sent_is_not_sent(name: Any, make: Make) -> None:
    runner, server = make(values={"name": name})
    with pytest.raises(SubmissionConflictError) as raised:
        runner.finish(made_of())
    assert str(raised.value) == "llamacloud.make: name is not allowed; allowed is a whole number from 1 to 9."
    assert not server.asked


# What is noted.


def test_what_costs_is_noted_once_and_before_it_is_sent(make: Make) -> None:
    noted: list[int] = []
    runner, server = make(note_sending=lambda: noted.append(len(server.asked)))

    def plan() -> Plan[None]:
        yield from create(CREATE)
        yield from create(CREATE, is_paid=True)
        yield from create(CREATE, is_paid=True)

    runner.finish(plan())
    assert noted == [1]
    assert len(server.asked) == 3


def test_what_cannot_be_noted_is_not_sent(make: Make) -> None:
    def fail() -> None:
        raise RuntimeError("the task is not running any more")

    runner, server = make(note_sending=fail)
    for _ in range(2):
        with pytest.raises(RuntimeError, match="not running"):
            runner.finish(made_of(is_paid=True))
    assert not server.asked


def test_many_that_cost_are_noted_once(make: Make) -> None:
    noted: list[None] = []
    runner, server = make(note_sending=lambda: noted.append(None))
    runner.finish(each([lambda: made_of(is_paid=True)] * 20, most=4))
    assert len(noted) == 1
    assert len(server.asked) == 20


@pytest.mark.parametrize("identifier", ["b\x00", "b\n1", "b\x1b[31m", KEY, "b\u202e"])
def test_an_id_that_cannot_be_shown_is_refused(identifier: str, make: Make) -> None:
    known: list[str] = []
    runner, _ = make(know=known.append)

    def plan() -> Plan[None]:
        yield Know(identifier)

    with pytest.raises(UnexpectedResponseError, match="LlamaCloud gave the batch an id that cannot be used") as raised:
        runner.finish(plan())
    assert not known
    assert identifier not in str(raised.value)


# Many at a time.


def test_many_run_some_at_a_time_and_none_is_left_out(make: Make) -> None:
    lock, running, most = threading.Lock(), 0, 0
    gate = threading.Barrier(3)

    def one(number: int) -> Plan[int | None]:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        if number < 3:
            gate.wait(10)  # three run at the same time, or none ends
        with lock:
            running -= 1
        return None if number % 2 else number
        yield

    runner, _ = make()

    def plans() -> Iterator[Callable[[], Plan[int | None]]]:
        return ((lambda number=number: one(number)) for number in range(250))  # type: ignore[misc]

    assert runner.finish(each(plans(), most=3)) == list(range(0, 250, 2))
    assert most == 3


def test_no_more_run_at_a_time_than_the_connection_allows(make: Make) -> None:
    lock, running, most = threading.Lock(), 0, 0

    def one() -> Plan[None]:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        yield Tell("x")
        with lock:
            running -= 1

    runner, _ = make(max_concurrency=1)
    assert runner.finish(each([one] * 50, most=8)) == []
    assert most == 1


def test_an_empty_list_of_plans_is_nothing(make: Make) -> None:
    assert make()[0].finish(each([], most=3)) == []


def test_the_error_of_one_of_many_is_raised_with_what_is_there(make: Make) -> None:
    runner, _ = make(Answer(402))

    def plan() -> Plan[None]:
        yield Standing("Two are there.")
        yield from each([made_of] * 3, most=2)

    with pytest.raises(PaymentRequiredError, match=r"Two are there\."):
        runner.finish(plan())


# What an error says.


def standing(answer: Plan[Any]) -> Plan[Any]:
    yield Standing("Nothing is there.")
    yield Standing("One is there.")
    return (yield from answer)


@pytest.mark.parametrize(
    ("answer", "error", "code"),
    [
        (Answer(422, b'{"detail": "no"}'), RequestRefusedError, None),
        (Answer(401), AuthenticationError, None),
        (Answer(402), PaymentRequiredError, None),
        (Answer(429, headers={"Retry-After": "3000"}), RateLimitedError, None),
    ],
    ids=["422", "401", "402", "429"],
)
def test_an_error_keeps_all_that_it_says_and_gets_what_is_there(
    answer: Answer, error: type[BatchProviderError], code: str | None, make: Make
) -> None:
    plain, _ = make(answer)
    with pytest.raises(error) as without:
        plain.finish(made_of())
    runner, _ = make(answer)
    with pytest.raises(error) as raised:
        runner.finish(standing(made_of()))
    assert type(raised.value) is type(without.value) is error
    own = {name: value for name, value in vars(raised.value).items() if name not in {"args"}}
    assert own == vars(without.value)
    assert own["status"] == answer.status
    assert str(raised.value).endswith(" One is there.")
    assert "is there" not in str(without.value)
    assert getattr(raised.value, "retry_after", None) == (3000.0 if answer.status == 429 else None)


def test_what_stopped_a_plan_is_raised_after_its_cause(make: Make) -> None:
    runner, _ = make(Answer(409, b'{"detail": "taken"}'))

    def plan() -> Plan[Any]:
        refused = yield from made_of(clashes=("409",))
        return Stopped("None is listed.", refused.cause)

    with pytest.raises(RequestRefusedError, match=r"HTTP 409.* None is listed\. One is there\.") as raised:
        runner.finish(standing(plan()))
    assert raised.value.status == 409


@pytest.mark.parametrize(("may_pass", "error"), [(True, SubmissionUnclearError), (False, SubmissionConflictError)])
def test_a_stop_without_a_cause_says_whether_another_try_may_help(
    may_pass: bool, error: type[Exception], make: Make
) -> None:
    def plan() -> Plan[Any]:
        return Stopped(f"It is {KEY}.", may_pass=may_pass)
        yield

    with pytest.raises(error, match=r"It is \S+\. One is there\.") as raised:
        make()[0].finish(standing(plan()))
    assert KEY not in str(raised.value)


@pytest.mark.parametrize("may_pass", [True, False])
def test_long_sentences_are_not_cut_off(may_pass: bool, make: Make, caplog: pytest.LogCaptureFixture) -> None:
    """The end says what to look at."""
    long = "word " * 150

    def plan() -> Plan[Any]:
        yield Standing(f"{long}standing.")
        yield Tell(f"{long}told.")
        return Stopped(f"{long}reason.", AmbiguousRequestError("Lost.") if may_pass else None)

    with pytest.raises(BatchProviderError, match=r"reason\. .*standing\.$"):
        make()[0].finish(plan())
    assert "told." in caplog.text


def failing(make: Make, case: str) -> BatchProviderError:
    runner, _ = make(Answer(422))

    def stopped() -> Plan[Any]:
        refused = yield from made_of(clashes=("422",))
        return Stopped("Why." if case == "a reason" else "", refused.cause)

    plans: dict[str, Callable[[], Plan[Any]]] = {
        "an error": made_of,
        "an error, with what is there": lambda: standing(made_of()),
    }
    with pytest.raises(RequestRefusedError) as raised:
        runner.finish(plans.get(case, stopped)())
    return raised.value


@pytest.mark.parametrize("case", ["an error", "an error, with what is there", "no reason", "a reason"])
def test_an_error_is_not_its_own_cause(case: str, make: Make) -> None:
    """Airflow's log follows causes to their end, and would never come to one."""
    error: BaseException | None = failing(make, case)
    seen: list[BaseException] = []
    while error is not None:
        assert error not in seen
        seen.append(error)
        error = error.__cause__ or error.__context__
    first = seen[0]
    assert ExceptionDictTransformer()((type(first), first, first.__traceback__))
    assert traceback.format_exception(first)


# The end.


def test_a_closed_runner_sends_nothing_and_knows_what_was_made(make: Make) -> None:
    known: list[str] = []
    runner, server = make(know=known.append)

    def plan() -> Plan[Any]:
        made = yield from create(CREATE)
        runner.close()  # as by a signal, while the request is under way
        yield Know(str(made.document["id"]))
        return (yield from create(CREATE))

    with pytest.raises(RuntimeError, match="the task has ended"):
        runner.finish(plan())
    assert known == ["t1"]
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    "step",
    [
        lambda: create(CREATE),
        lambda: each([made_of], most=1),
        lambda: ask(READ),
        lambda: pause(5, NEVER),
    ],
    ids=["create", "each", "ask", "pause"],
)
def test_a_closed_runner_takes_no_step(step: Callable[[], Plan[Any]], make: Make) -> None:
    runner, server = make()
    runner.close()
    with pytest.raises(RuntimeError, match="the task has ended"):
        runner.finish(step())
    assert not server.asked


def test_many_that_run_end_with_the_runner(make: Make) -> None:
    runner, server = make()

    def one() -> Plan[None]:
        runner.close()
        yield from create(CREATE)

    with pytest.raises(RuntimeError, match="the task has ended"):
        runner.finish(each([one] * 200, most=2))
    assert not server.asked


def test_sentences_are_logged_without_what_must_not_be_there(make: Make, caplog: pytest.LogCaptureFixture) -> None:
    def plan() -> Plan[None]:
        yield Tell(f"Making \x1b[31m {KEY}")

    make()[0].finish(plan())
    assert "Making" in caplog.text
    assert KEY not in caplog.text
    assert "\x1b" not in caplog.text


def test_the_plans_of_results_run_too(make: Make) -> None:
    runner, server = make(Answer(503), OK)
    with pytest.raises(TransientError, match="One is there"):
        make(Answer(503))[0].finish(standing(ask(READ)))
    assert runner.finish(ask(READ)) == Found({"id": "t1"}, b'{"id": "t1"}')
    assert len(server.asked) == 2
