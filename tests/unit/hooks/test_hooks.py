"""The hooks' public methods, against the sandbox."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from airflow_batch_provider.exceptions import (
    AuthenticationError,
    InvalidParameterError,
    NotFoundError,
    TransientError,
    UnexpectedResponseError,
)
from airflow_batch_provider.hooks.base import BatchApiHook
from airflow_batch_provider.hooks.llamacloud import LlamaCloudHook
from airflow_batch_provider.hooks.playment import PlaymentHook
from airflow_batch_provider.hooks.talkifai import TalkifAIHook
from airflow_batch_provider.sandbox import Sandbox, Settings
from airflow_batch_provider.testing import connections, sandbox
from tests.vendor_server import Served, listing, serve

JOBS = 205


@pytest.fixture(scope="module")
def vendors() -> Iterator[Sandbox]:
    with sandbox(Settings(jobs=JOBS)) as running:
        yield running


LISTINGS: dict[str, Callable[[Sandbox], Iterator[dict[str, Any]]]] = {
    "playment.batch_jobs": lambda s: PlaymentHook().iter_batch_jobs(None, s.how_to["playment"]["batch_id"]),
    "llamacloud.batches": lambda s: LlamaCloudHook().iter_batches(),
    "llamacloud.batch_processing_jobs": lambda s: LlamaCloudHook().iter_batch_processing_jobs(),
    "talkifai.batch_jobs": lambda s: TalkifAIHook().iter_batch_jobs(),
}


@pytest.mark.parametrize("page_size", [None, 1, 2, 7, 100, 500])
def test_contacts_come_once_each_whatever_the_page_size(page_size: int | None, vendors: Sandbox) -> None:
    hook = TalkifAIHook()
    jobs = list(hook.iter_batch_jobs())
    largest = max(jobs, key=lambda job: job["totalContacts"])
    none = min(jobs, key=lambda job: job["totalContacts"])
    for job in (none, *jobs[:5], *([largest] if page_size != 1 else [])):
        ids = [contact["id"] for contact in hook.iter_contacts(job["id"], page_size=page_size)]
        assert len(set(ids)) == len(ids) == job["totalContacts"]


def test_contacts_can_be_chosen_by_status(vendors: Sandbox) -> None:
    hook = TalkifAIHook()
    job = next(job for job in hook.iter_batch_jobs(status="completed") if job["failedCalls"])
    failed = list(hook.iter_contacts(job["id"], "failed"))
    assert {contact["status"] for contact in failed} == {"failed"}
    assert len(failed) == job["failedCalls"]


def test_contacts_that_change_while_they_are_read_are_read_once(vendors: Sandbox) -> None:
    """No contact comes twice, and none is missing, although calls end meanwhile."""
    with sandbox(Settings(jobs=60, duration=0.5)):
        hook = TalkifAIHook()
        job = max(hook.iter_batch_jobs(), key=lambda job: job["totalContacts"])
        ids = [contact["id"] for contact in hook.iter_contacts(job["id"], page_size=20)]
        assert len(set(ids)) == len(ids) == job["totalContacts"]


@pytest.mark.parametrize("listing", LISTINGS)
def test_a_listing_yields_every_row_once_as_dicts(listing: str, vendors: Sandbox) -> None:
    rows = list(LISTINGS[listing](vendors))
    assert len({row["id"] for row in rows}) == len(rows) == JOBS


@pytest.mark.parametrize(
    ("listing", "requests"),
    [
        ("playment.batch_jobs", 3),
        ("llamacloud.batches", 3),
        ("llamacloud.batch_processing_jobs", 2),  # the second is empty: only that ends an offset listing
        ("talkifai.batch_jobs", 4),  # the last one looks whether the first page is still the same
    ],
)
def test_the_largest_pages_are_asked_for(listing: str, requests: int, vendors: Sandbox) -> None:
    before = len(vendors.requests)
    list(LISTINGS[listing](vendors))
    assert len(vendors.requests) - before == requests


def test_pages_are_read_as_they_are_needed(vendors: Sandbox) -> None:
    before = len(vendors.requests)
    rows = TalkifAIHook().iter_batch_jobs()
    assert len(vendors.requests) == before
    next(rows)
    assert len(vendors.requests) == before + 1


@pytest.mark.parametrize("status", ["pending", "scheduled", "running", "completed", "failed", "cancelled"])
def test_talkifai_filters_by_status(status: str, vendors: Sandbox) -> None:
    assert {row["status"] for row in TalkifAIHook().iter_batch_jobs(status=status)} <= {status}


def test_llamacloud_filters_reach_the_vendor_under_their_names(vendors: Sandbox) -> None:
    first = next(LlamaCloudHook().iter_batches())
    list(
        LlamaCloudHook().iter_batches(
            status="COMPLETED",
            source_directory_id=first["source_directory_id"],
            created_at_on_or_after="2026-01-01T00:00:00+05:30",
            created_at_on_or_before="2026-12-31",
            project_id=first["project_id"],
            page_size=50,
        )
    )
    request = vendors.requests[-1]
    assert "status=COMPLETED" in request
    assert "created_at_on_or_after=2026-01-01T00%3A00%3A00%2B05%3A30" in request
    assert "created_at_on_or_before=2026-12-31T00%3A00%3A00%2B00%3A00" in request
    assert "page_size=50" in request


def test_batch_processing_jobs_may_begin_at_an_offset(vendors: Sandbox) -> None:
    everything = [row["id"] for row in LlamaCloudHook().iter_batch_processing_jobs()]
    assert [row["id"] for row in LlamaCloudHook().iter_batch_processing_jobs(offset=200, limit=2)] == everything[200:]


def test_talkifai_jobs_may_begin_at_a_page(vendors: Sandbox) -> None:
    everything = [row["id"] for row in TalkifAIHook().iter_batch_jobs()]
    assert [row["id"] for row in TalkifAIHook().iter_batch_jobs(page=3, page_size=50)] == everything[100:]


BAD_CALLS: dict[str, tuple[Callable[[], object], str]] = {
    "page size 0": (lambda: TalkifAIHook().iter_batch_jobs(page_size=0), "page_size=0 .* from 1 to 100"),
    "page size 101": (lambda: TalkifAIHook().iter_batch_jobs(page_size=101), "page_size=101 .* from 1 to 100"),
    "page 0": (lambda: TalkifAIHook().iter_batch_jobs(page=0), "page=0 .* from 1 up"),
    "status": (lambda: TalkifAIHook().iter_batch_jobs(status="done"), "status='done' .* 'pending', 'scheduled'"),
    "contact status": (
        lambda: TalkifAIHook().iter_contacts("j", "done"),
        "contact_status='done' .* 'pending', 'queued'",
    ),
    "contacts of no job": (lambda: TalkifAIHook().iter_contacts(" "), "batch_job_id=' ' "),
    "contacts per page": (lambda: TalkifAIHook().iter_contacts("j", page_size=501), "page_size=501 .* from 1 to 500"),
    "organization": (lambda: TalkifAIHook().iter_batch_jobs(""), "organization_id='' "),
    "limit 0": (lambda: LlamaCloudHook().iter_batch_processing_jobs(limit=0), "limit=0 .* from 1 to 1000"),
    "limit 1001": (lambda: LlamaCloudHook().iter_batch_processing_jobs(limit=1001), "limit=1001 .* from 1 to 1000"),
    "offset": (lambda: LlamaCloudHook().iter_batch_processing_jobs(offset=-1), "offset=-1 .* from 0 up"),
    "job type": (lambda: LlamaCloudHook().iter_batch_processing_jobs(job_type="PARSE"), "job_type='PARSE' .* 'parse'"),
    "v2 status": (lambda: LlamaCloudHook().iter_batches(status="completed"), "status='completed' .* 'COMPLETED'"),
    "v2 time": (lambda: LlamaCloudHook().iter_batches(created_at_on_or_after="soon"), "created_at_on_or_after='soon'"),
    "batch id": (lambda: PlaymentHook().iter_batch_jobs("p", " "), "batch_id=' ' "),
    "no batch id": (lambda: PlaymentHook().iter_batch_jobs("p", None), "batch_id is missing"),
    "dots": (lambda: PlaymentHook().get_batch("p", ".."), "batch_id='..' "),
    "get": (lambda: LlamaCloudHook().get_batch(""), "batch_id='' "),
    "get job": (lambda: LlamaCloudHook().get_batch_processing_job(""), "job_id='' "),
    "get call": (lambda: TalkifAIHook().get_batch_job(""), "batch_job_id='' "),
    "get result": (lambda: PlaymentHook().get_job_result("p", ""), "job_id='' "),
}


@pytest.mark.parametrize("case", BAD_CALLS)
def test_a_bad_value_is_named_before_a_request_is_sent(case: str, vendors: Sandbox) -> None:
    call, message = BAD_CALLS[case]
    before = len(vendors.requests)
    with pytest.raises(InvalidParameterError, match=message) as raised:
        call()
    assert isinstance(raised.value, ValueError)
    assert len(vendors.requests) == before


def test_a_missing_project_is_named_where_the_connection_has_none_either(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_PLAYMENT_DEFAULT", json.dumps({"conn_type": "playment", "password": "key"}))
    with pytest.raises(
        InvalidParameterError, match=r"project_id is missing\. .* set Project ID in connection 'playment_default'"
    ):
        PlaymentHook().iter_batches()


def test_playment_reads_single_objects(vendors: Sandbox) -> None:
    hook, batch_id = PlaymentHook(), vendors.how_to["playment"]["batch_id"]
    assert batch_id in {batch["id"] for batch in hook.get_project()["batches"]}
    assert hook.get_batch(None, batch_id)["total_jobs"] == JOBS
    job = next(hook.iter_batch_jobs(None, batch_id))
    assert hook.get_job_result(None, job["id"])["job_id"] == job["id"]


def test_a_batch_that_the_project_does_not_have_is_not_found(vendors: Sandbox) -> None:
    with pytest.raises(NotFoundError, match="no batch 'b'"):
        PlaymentHook().get_batch(None, "b")


def test_llamacloud_reads_single_objects(vendors: Sandbox) -> None:
    hook = LlamaCloudHook()
    batch = next(hook.iter_batches(status="COMPLETED"))
    assert hook.get_batch(batch["id"])["results"] is None
    assert hook.get_batch(batch["id"], expand_results=True)["results"] is not None
    job = next(hook.iter_batch_processing_jobs())
    assert hook.get_batch_processing_job(job["id"])["job"]["id"] == job["id"]


def test_talkifai_reads_a_job_with_one_contact_at_most(vendors: Sandbox) -> None:
    job = next(TalkifAIHook().iter_batch_jobs())
    detail = TalkifAIHook().get_batch_job(job["id"])
    assert detail["id"] == job["id"]
    assert len(detail["contacts"]) <= 1


HOOKS: list[type[BatchApiHook]] = [PlaymentHook, LlamaCloudHook, TalkifAIHook]


@pytest.mark.parametrize("hook", HOOKS)
def test_the_connection_test_makes_one_request(hook: Callable[[], BatchApiHook], vendors: Sandbox) -> None:
    before = len(vendors.requests)
    assert hook().test_connection() == (True, f"{hook().vendor.title} answered and accepted the API key.")
    assert len(vendors.requests) == before + 1


@pytest.mark.parametrize(("hook", "size"), [(LlamaCloudHook, "page_size=1"), (TalkifAIHook, "pageSize=1")])
def test_the_connection_test_asks_for_one_row_where_the_vendor_lets(
    hook: Callable[[], BatchApiHook], size: str, vendors: Sandbox
) -> None:
    assert hook().test_connection()[0]
    assert size in vendors.requests[-1].partition("?")[2].split("&")


@pytest.mark.parametrize("hook", HOOKS)
def test_a_wrong_key_fails_at_once_and_says_what_to_mend(
    hook: Callable[[], BatchApiHook], vendors: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"AIRFLOW_CONN_{hook().vendor.name.upper()}_DEFAULT"
    connection = json.loads(connections(vendors)[name])
    monkeypatch.setenv(name, json.dumps({**connection, "password": "wrong-key"}))
    before = len(vendors.requests)
    worked, message = hook().test_connection()
    assert not worked
    assert "Check that the API key (password) of this connection is right" in message
    assert "wrong-key" not in message
    assert len(vendors.requests) == before + 1


def test_an_unreachable_host_says_which_connection_to_check(
    monkeypatch: pytest.MonkeyPatch, pauses: list[float]
) -> None:
    import socket

    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # bound, but nobody listens
        host = f"http://127.0.0.1:{closed.getsockname()[1]}"
        monkeypatch.setenv(
            "AIRFLOW_CONN_TALKIFAI_DEFAULT",
            json.dumps({"conn_type": "talkifai", "password": "key", "host": host, "extra": {"organization_id": "o"}}),
        )
        with pytest.raises(TransientError, match=f"Check host of connection 'talkifai_default' \\({host}\\)"):
            list(TalkifAIHook().iter_batch_jobs())
    assert len(pauses) == 5


def test_a_foreign_project_is_told_apart_from_a_fault(vendors: Sandbox) -> None:
    with pytest.raises(AuthenticationError, match="code unauthorized"):
        PlaymentHook().get_project("11111111-2222-4333-8444-555555555555")


def test_transient_faults_of_every_vendor_are_overcome(pauses: list[float]) -> None:
    with sandbox(Settings(jobs=JOBS, failure_rate=0.3)) as faulty:
        for listing in LISTINGS.values():
            assert len(list(listing(faulty))) == JOBS
    assert pauses


def test_a_row_that_python_cannot_hold_is_an_error_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    row = f'{{"id":"a","n":{"9" * 5000}}}'
    with serve(listing("llamacloud.batches", Served([row]))) as server:
        connection = {"conn_type": "llamacloud", "host": server.url, "password": "key"}
        monkeypatch.setenv("AIRFLOW_CONN_LLAMACLOUD_DEFAULT", json.dumps(connection))
        with pytest.raises(UnexpectedResponseError, match="4300 digits"):
            list(LlamaCloudHook().iter_batches())
