"""The journal counts what was written; answers can be lost, creates refused, and old records are forgotten."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import pytest
import requests

from airflow_batch_provider.sandbox import Settings, create_app
from airflow_batch_provider.sandbox.journal import MOST_NAMES, Counter, Kept, Recorder
from airflow_batch_provider.sandbox.playment_jobs import PlaymentJobs
from airflow_batch_provider.sandbox.talkifai_calls import CallingJob, Contact, TalkifAICalls
from airflow_batch_provider.sandbox.world import World

DIRECTORIES = "api/v1/beta/directories"
JOB = {"type": "parse_v2", "configuration_id": "cfg-PARSE_AGENTIC"}


def create(caller: Any, vendor: str, name: str = "mine") -> requests.Response:
    """Create a batch at a vendor, of what is there already."""
    if vendor == "playment":
        return caller.send("POST", vendor, f"{caller.project}/batch", json={"name": name})
    if vendor == "talkifai":
        body = {"name": name, "fromPhoneNumberId": "phone_0", "contacts": [{"phone": "+4930123451"}]}
        return caller.send("POST", vendor, "batch/create", json=body)
    inbox = caller.data(vendor, DIRECTORIES, name="Inbox 0")["items"][0]["id"]
    return caller.send("POST", vendor, "api/v2/batches", json={"source_directory_id": inbox, "config": {"job": JOB}})


def test_nothing_is_counted_before_something_is_written(start: Any) -> None:
    caller = start()
    caller.data("llamacloud", "api/v2/batches")
    journal = caller.sandbox.journal.as_json()
    assert set(journal) == {"playment", "llamacloud", "talkifai"}
    assert {counted["total"] for vendor in journal.values() for counted in vendor.values()} == {0}


@pytest.mark.parametrize(("vendor", "name"), [("playment", "mine"), ("llamacloud", "Inbox 0"), ("talkifai", "mine")])
def test_batches_are_counted_by_vendor_and_name(start: Any, vendor: str, name: str) -> None:
    caller = start()
    assert create(caller, vendor).status_code in (200, 201)
    journal = caller.sandbox.journal
    batches = {name: getattr(journal, name).batches.total for name in ("playment", "llamacloud", "talkifai")}
    assert batches == {"playment": 0, "llamacloud": 0, "talkifai": 0} | {vendor: 1}
    assert getattr(journal, vendor).batches.by_name == {name: 1}


def test_other_processes_read_the_same_journal(start: Any) -> None:
    caller = start()
    create(caller, "playment")
    assert caller.session.get(f"{caller.sandbox.url}/journal").json() == caller.sandbox.journal.as_json()


def test_a_view_of_the_journal_does_not_change(start: Any) -> None:
    caller = start()
    before = caller.sandbox.journal
    create(caller, "playment")
    assert (before.playment.batches.total, caller.sandbox.journal.playment.batches.total) == (0, 1)


def test_the_landing_page_is_enough_to_submit(start: Any) -> None:
    caller = start()
    page = caller.session.get(caller.sandbox.url).json()["submit"]
    flow, phones = page["playment"]["work_flow_id"], page["talkifai"]["from_phone_number_ids"]
    job = {"reference_id": "r", "work_flow_id": flow, "data": {"image_url": "https://x.invalid/1.jpg"}}
    caller.written("playment", f"v1/projects/{page['playment']['project_id']}/jobs", json=job)
    inbox = caller.data("llamacloud", DIRECTORIES)["items"][0]["id"]
    for product, configuration in page["llamacloud"]["configuration_ids"].items():
        config = {"job": {"type": product.replace("preset", "parse_v2"), "configuration_id": configuration}}
        caller.written("llamacloud", "api/v2/batches", json={"source_directory_id": inbox, "config": config})
    for phone in phones:
        body = {"name": "n", "fromPhoneNumberId": phone, "contacts": [{"phone": "+4930123451"}]}
        caller.written("talkifai", "batch/create", json=body)


@pytest.mark.parametrize("vendor", ["playment", "llamacloud", "talkifai"])
def test_a_lost_answer_has_its_effect_all_the_same(start: Any, vendor: str) -> None:
    caller = start(lose_answers=1)
    seen = set()
    for number in range(20):
        try:
            seen.add(create(caller, vendor, str(number)).status_code)
        except requests.ConnectionError:
            seen.add(0)
    assert seen == {0, 502, 504}
    journal = getattr(caller.sandbox.journal, vendor)
    assert (journal.batches.total, journal.lost.total) == (20, 20)


def test_answers_are_lost_at_the_rate_that_is_set_and_the_same_for_a_seed(start: Any) -> None:
    runs = []
    for seed in (5, 5, 6):
        caller = start(lose_answers=0.3, seed=seed)
        lost = []
        for number in range(60):
            before = caller.sandbox.journal.playment.lost.total
            with contextlib.suppress(requests.ConnectionError):
                create(caller, "playment", str(number))
            lost.append(caller.sandbox.journal.playment.lost.total - before)
        runs.append(lost)
    assert runs[0] == runs[1] != runs[2]
    assert 8 < sum(runs[0]) < 30


def test_a_refused_request_loses_no_answer(start: Any) -> None:
    caller = start(lose_answers=1)
    response = caller.send("POST", "playment", f"{caller.project}/batch", json={})
    assert response.status_code == 400
    assert caller.sandbox.journal.playment.lost.total == 0


def test_answers_to_what_only_reads_are_never_lost(start: Any) -> None:
    caller = start(lose_answers=1)
    for _ in range(5):
        response = caller.send("POST", "talkifai", "export/conversation", json={"conversationId": "none"})
        assert response.status_code == 404
        caller.data("llamacloud", "api/v2/batches")


@pytest.mark.parametrize("status", [402, 409, 422])
@pytest.mark.parametrize("vendor", ["playment", "llamacloud", "talkifai"])
def test_creates_are_refused_in_the_form_of_the_vendor(start: Any, vendor: str, status: int) -> None:
    caller = start(refuse_creates=str(status))
    for _ in range(2):
        response = create(caller, vendor)
        body = response.json()
        assert response.status_code == (400 if vendor == "playment" else status)
        assert body["error"]["code"] if vendor == "playment" else body["detail"]
    journal = getattr(caller.sandbox.journal, vendor)
    assert (journal.batches.total, journal.refused.total) == (0, 2)


def test_a_refused_batch_finds_its_directory_created(start: Any) -> None:
    caller = start(refuse_creates="402")
    assert caller.send("POST", "llamacloud", DIRECTORIES, json={"name": "x"}).status_code == 201


@pytest.mark.parametrize("vendor", ["playment", "llamacloud", "talkifai"])
def test_one_of_three_creates_is_answered_with_429_and_can_be_repeated(start: Any, vendor: str) -> None:
    caller = start(refuse_creates="429")
    answers = [create(caller, vendor, str(number)) for number in range(6)]
    assert [answer.status_code == 429 for answer in answers] == [True, False, False] * 2
    assert {answer.headers.get("Retry-After") for answer in answers} == {"0", None}
    assert getattr(caller.sandbox.journal, vendor).batches.total == 4


def test_the_oldest_record_that_has_ended_is_forgotten_first() -> None:
    ended, forgotten = {1, 3}, []
    kept = Kept[int](lambda record: record in ended, forgotten.append, most=3)
    for number in range(6):
        assert kept.add(lambda number: number) == number
    assert forgotten == [1, 3, 0]
    assert [kept.get(number) for number in range(7)] == [None, None, 2, None, 4, 5, None]
    assert kept.count == 6


def test_records_are_forgotten_when_they_have_too_many_items_but_the_latest_is_kept() -> None:
    kept = Kept[int](most_items=10)
    kept.add(lambda number: number, 8)
    kept.add(lambda number: number, 3)
    assert kept.oldest_first() == [1]
    kept.grow(1, 20)
    assert kept.oldest_first() == [1]


def test_the_calls_of_a_forgotten_job_stay_counted() -> None:
    recorder, world = Recorder(), World(Settings(run_seconds=0), lambda: 1000.0)
    calls = TalkifAICalls(world, recorder)
    calls.jobs = Kept(lambda job: True, calls._forget, most=1)
    for name in ("a", "b"):
        calls.jobs.add(
            lambda number, name=name: CallingJob(
                *(number, calls.job_id(number), 0, 0, name, None, "phone_0"),
                *((Contact("+4930123457", {}),), 5, 3, None),
            )
        )
    assert recorder.view().talkifai.calls.by_name == {"a": 3, "b": 3}


def test_a_reference_id_of_a_forgotten_batch_can_be_used_again() -> None:
    jobs = PlaymentJobs(World(Settings(run_seconds=0), lambda: 1000.0), Recorder())
    jobs.batches = Kept(jobs._is_over, jobs._forget, most=1)
    first = jobs.add_job(jobs.add_batch("a", "").id, "r", "flow", 5, {})
    assert jobs.has_reference("r")
    jobs.add_batch("b", "")
    assert not jobs.has_reference("r")
    assert jobs.find_job(first.id) is None


def test_names_are_forgotten_but_counted() -> None:
    counter = Counter()
    for number in range(MOST_NAMES + 5):
        counter.add(str(number))
    view = counter.view()
    assert (view.total, len(view.by_name), "0" in view.by_name) == (MOST_NAMES + 5, MOST_NAMES, False)


def test_the_server_survives_what_only_another_server_cannot_close() -> None:
    """Without a connection to close, which only our server offers, the answer is 502 or 504."""
    app = create_app(Settings(lose_answers=1))
    how_to = app.state.how_to["playment"]
    statuses = set()
    for number in range(20):
        path, sent = f"/v1/projects/{how_to['project_id']}/batch", []
        scope = {
            "type": "http",
            "method": "POST",
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "headers": [(b"x-api-key", how_to["api_key"].encode()), (b"host", b"x")],
            "server": ("x", 80),
            "client": ("x", 1),
            "scheme": "http",
            "http_version": "1.1",
            "root_path": "",
        }

        async def receive(number: int = number) -> dict[str, Any]:
            return {"type": "http.request", "body": b'{"name": "%d"}' % number, "more_body": False}

        async def send(message: Any, sent: list[Any] = sent) -> None:
            sent.append(message)

        asyncio.run(app(scope, receive, send))
        statuses.add(sent[0]["status"])
    assert statuses == {502, 504}
