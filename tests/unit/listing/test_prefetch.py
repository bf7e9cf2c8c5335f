"""Pages that are asked for before they are needed."""

from __future__ import annotations

import threading
from collections.abc import Mapping

import pytest

from airflow_batch_provider.apis.page import Page, Rows
from airflow_batch_provider.apis.paging import CursorPaging, Step
from airflow_batch_provider.exceptions import AuthenticationError
from airflow_batch_provider.listing import prefetch
from airflow_batch_provider.listing.pages import read_pages
from airflow_batch_provider.vendors.llamacloud import BATCHES
from airflow_batch_provider.vendors.llamacloud import VENDOR as LLAMACLOUD
from airflow_batch_provider.vendors.talkifai import BATCH_JOBS, VENDOR
from tests.unit.connected import Connect, Start
from tests.unit.listing.test_pages import plain
from tests.vendor_server import PAGES, Answer, Script, Served, listing

NAME = "talkifai.batch_jobs"
REQUEST = BATCH_JOBS.request({"organization_id": "o"})
SECONDS_UNTIL_STUCK = 20


@pytest.fixture(autouse=True)
def slow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every answer count as a slow one."""
    monkeypatch.setattr(prefetch, "SLOW_ANSWER", -1.0)


def meeting(rows: list[str], together: int, first: int = 1) -> Script:
    """Answer only when so many requests are there at once; the first ones and the last ones need not wait."""
    barrier = threading.Barrier(together)
    lock = threading.Lock()
    asked: list[str] = []

    def script(method: str, path: str, query: dict[str, str], headers: Mapping[str, str]) -> Answer:
        with lock:
            asked.append(path)
            is_one_of_many = first < len(asked) <= first + together
        if is_one_of_many:
            barrier.wait(SECONDS_UNTIL_STUCK)
        return PAGES[NAME](Served(rows), query)

    return script


def test_as_many_requests_are_under_way_as_connections_are_allowed(start: Start, connect: Connect) -> None:
    rows = plain(2000)
    server = start(meeting(rows, together=5))
    client = connect(VENDOR, server.url, max_concurrency=5, max_attempts=1)
    pages = read_pages(client, BATCH_JOBS, REQUEST, prefetch=True)
    assert [row.json for page in pages for row in page.rows] == [row.encode() for row in rows]
    assert len({asked.connection for asked in server.asked}) <= 6


def test_a_stable_listing_costs_no_request_more(start: Start, connect: Connect) -> None:
    server = start(listing(NAME, Served(plain(2000))))
    client = connect(VENDOR, server.url, max_concurrency=4)
    assert sum(len(page.rows) for page in read_pages(client, BATCH_JOBS, REQUEST, prefetch=True)) == 2000
    asked = [request.target for request in server.asked]
    one_by_one = start(listing(NAME, Served(plain(2000))))
    for _ in read_pages(connect(VENDOR, one_by_one.url), BATCH_JOBS, REQUEST):
        pass
    assert sorted(asked) == sorted(request.target for request in one_by_one.asked)


def test_no_more_pages_are_asked_for_than_can_be_held(start: Start, connect: Connect) -> None:
    server = start(listing(NAME, Served(plain(10_000))))
    client = connect(VENDOR, server.url, max_concurrency=3)
    pages = read_pages(client, BATCH_JOBS, REQUEST, prefetch=True)
    for taken in range(1, 20):
        next(pages)
        assert len(server.asked) <= taken + 3 * prefetch.PAGES_PER_CONNECTION
    pages.close()  # type: ignore[attr-defined]
    threads = [thread for thread in threading.enumerate() if thread.name.startswith("prefetch")]
    for thread in threads:
        thread.join(SECONDS_UNTIL_STUCK)
    assert len(server.asked) <= 20 + 3 * prefetch.PAGES_PER_CONNECTION


def test_a_listing_that_moves_is_read_as_well_as_one_page_at_a_time(start: Start, connect: Connect) -> None:
    rows = plain(3000)
    held = list(rows)
    lock = threading.Lock()
    asked: list[str] = []

    def script(method: str, path: str, query: dict[str, str], headers: Mapping[str, str]) -> Answer:
        with lock:
            asked.append(path)
            if len(asked) in {5, 9, 14, 22}:
                del held[:3]
            return PAGES[NAME](Served(list(held)), query)

    server = start(script)
    client = connect(VENDOR, server.url, max_concurrency=4)
    found = [row.json for page in read_pages(client, BATCH_JOBS, REQUEST, prefetch=True) for row in page.rows]
    assert len(found) == len(set(found))
    assert set(found) >= {row.encode() for row in held}


def test_the_page_after_a_cursor_is_under_way_while_this_one_is_worked_on(start: Start, connect: Connect) -> None:
    server = start(listing("llamacloud.batches", Served(plain(50), cap=10)))
    pages = read_pages(connect(LLAMACLOUD, server.url), BATCHES, BATCHES.request({}), prefetch=True)
    next(pages)
    arrived = threading.Event()
    while len(server.asked) < 2:
        assert not arrived.wait(0.01)
    assert len([line for page in pages for line in page.rows.lines]) == 40
    assert len(server.asked) == 5


def test_a_request_that_is_not_wanted_any_more_holds_up_no_page() -> None:
    release = threading.Event()

    def get(step: Step) -> Page:
        if step == Step(REQUEST.asking(page="2")):
            release.wait(SECONDS_UNTIL_STUCK)
        return Page(Rows(), next_token=int(step.request.query["page"]) + 1)

    pages = prefetch.Prefetcher(get, CursorPaging("page"), connections=1)
    try:
        pages.get(Step(REQUEST.asking(page="1")))
        elsewhere = threading.Thread(target=pages.get, args=[Step(REQUEST.asking(page="7"))], daemon=True)
        elsewhere.start()
        elsewhere.join(SECONDS_UNTIL_STUCK / 2)
        assert not elsewhere.is_alive()
    finally:
        release.set()
        pages.close()


def test_a_page_that_fails_ends_the_listing_with_its_error(start: Start, connect: Connect) -> None:
    served = Served(plain(1000))

    def script(method: str, path: str, query: dict[str, str], headers: Mapping[str, str]) -> Answer:
        return PAGES[NAME](served, query) if int(query["page"]) < 5 else Answer(403, b'{"detail":"no"}')

    server = start(script)
    with pytest.raises(AuthenticationError):
        list(read_pages(connect(VENDOR, server.url), BATCH_JOBS, REQUEST, prefetch=True))


def test_answers_that_come_fast_are_not_asked_for_ahead(
    start: Start, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prefetch, "SLOW_ANSWER", 60.0)
    server = start(listing(NAME, Served(plain(1000))))
    pages = read_pages(connect(VENDOR, server.url), BATCH_JOBS, REQUEST, prefetch=True)
    next(pages)
    next(pages)
    assert len(server.asked) == 2
