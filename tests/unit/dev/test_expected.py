"""The expected requests are those that an export sends."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlencode

import pytest

from airflow_batch_provider.apis.endpoint import Listing
from airflow_batch_provider.apis.request import Answer, Request
from airflow_batch_provider.listing.pages import read_pages
from airflow_batch_provider.vendors import llamacloud, playment, talkifai
from dev.bench import guide
from dev.bench.expected import CONNECTIONS, SCOPE, connections_of, expected, requests_of, seconds
from dev.bench.server import Pages

PAGES = Pages()
LISTINGS = (playment.BATCH_JOBS, llamacloud.BATCHES, llamacloud.BATCH_PROCESSING_JOBS, talkifai.BATCH_JOBS)


class CountingClient:
    """Takes pages out of the benchmark's server, without sockets."""

    settings = SimpleNamespace(max_concurrency=CONNECTIONS)

    def __init__(self, listing: Listing, jobs: int) -> None:
        self.vendor = listing.vendor
        self.sent = 0
        self._jobs = jobs

    def send(self, request: Request, read: Callable[[Answer], Any]) -> Any:
        self.sent += 1
        pieces = PAGES.body(request.path, urlencode(request.query), self._jobs)
        assert pieces is not None
        return read(Answer(200, {}, b"".join(pieces)))


@pytest.mark.parametrize("jobs", [0, 1, 99, 100, 101, 199, 200, 999, 1000, 1001, 1999, 2000, 4321, 10_000])
@pytest.mark.parametrize("listing", LISTINGS, ids=lambda listing: str(listing.name))
def test_the_requests_are_those_of_a_real_reading(listing: Listing, jobs: int) -> None:
    client: Any = CountingClient(listing, jobs)
    read = sum(len(page.rows) for page in read_pages(client, listing, listing.request(SCOPE)))
    assert (read, requests_of(listing, jobs)) == (jobs, client.sent)


def test_the_slower_of_rate_limit_and_latency_decides() -> None:
    assert seconds(600, 60, 8) == 600
    assert seconds(600, 6000, 1) == 120
    assert seconds(600, None, 8) == 15


def test_only_numbered_pages_are_read_over_several_connections() -> None:
    assert [connections_of(listing) for listing in LISTINGS] == [1, 1, 1, CONNECTIONS]


def test_the_guide_holds_the_expected_table() -> None:
    text = guide.GUIDE.read_text()
    assert guide.with_block(text, "expected", expected()) == text


def test_the_guide_holds_the_figures_of_the_latest_report() -> None:
    text = guide.GUIDE.read_text()
    figures = guide.measured(guide.RESULTS.read_text()) if guide.RESULTS.exists() else guide.NOT_MEASURED
    assert guide.with_block(text, "measured", figures) == text


def test_a_block_is_replaced_between_its_markers_alone() -> None:
    text = "a\n<!-- x: begin -->old<!-- x: end -->\nb <!-- y: begin --><!-- y: end -->"
    replaced = "a\n<!-- x: begin -->\n\nnew\n\n<!-- x: end -->\nb <!-- y: begin --><!-- y: end -->"
    assert guide.with_block(text, "x", "new") == replaced


def test_a_document_without_markers_is_not_written() -> None:
    with pytest.raises(ValueError, match="lacks the markers of x"):
        guide.with_block("a <!-- x: begin --> b", "x", "new")


def test_goals_and_date_are_taken_from_a_report() -> None:
    report = "Written by `make bench` on 2026-11-22: x\n\n## Goals\n\n| goal |\n| --- |\n| a |\n\n## (a)\n\n| b |\n"
    assert guide.measured(report) == "| goal |\n| --- |\n| a |\n\nMeasured on 2026-11-22."
