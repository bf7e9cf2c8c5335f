"""Servers that refuse, or empty, what lies beyond a limit, and totals that promise more than comes."""

from __future__ import annotations

import logging
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from airflow_batch_provider.client.client import Client
from airflow_batch_provider.exceptions import (
    BatchProviderError,
    IncompleteListingError,
    NotFoundError,
    RequestRefusedError,
)
from airflow_batch_provider.listing.pages import NewRows, read_pages
from airflow_batch_provider.listing.passes import OnDrift
from tests.listings import LISTINGS, VALUES
from tests.unit.connected import Connect, Start
from tests.unit.listing.test_moving_listings import BEGUN, EACH, REFUSAL, SIZE_NAMES, Vendor
from tests.vendor_server import Served, listing

LLAMACLOUD, TALKIFAI = "llamacloud.batch_processing_jobs", "talkifai.batch_jobs"
REFUSED = (NotFoundError, RequestRefusedError)


class Limit:
    """Answers with a status beyond a number of rows.

    :param rows: how many rows may be had
    :param status: the status of the answer beyond them; 200 for an empty page
    :param by_end: whether a page may not end beyond them; else it may not begin there
    """

    def __init__(self, rows: int, status: int, *, by_end: bool = False) -> None:
        self.rows, self.status, self.by_end = rows, status, by_end

    def __call__(self, start: int, end: int) -> int | None:
        is_beyond = end > self.rows if self.by_end else start >= self.rows
        return self.status if is_beyond else None


def read(vendor: Vendor, size: int, on_drift: OnDrift = "retry") -> tuple[list[str], str | None, Exception | None]:
    """Return what was read, why rows may be missing, and the error that ended it."""
    known = LISTINGS[vendor.name]
    request = known.request({"organization_id": "o", SIZE_NAMES[vendor.name]: size})
    found: list[str] = []
    doubt = None
    try:
        for page in read_pages(cast(Client, vendor), known, request, begun=BEGUN, on_drift=on_drift):
            found += [str(row.id) for row in page.rows]
            doubt = page.doubt
    except BatchProviderError as error:
        return found, None, error
    return found, doubt, None


def jobs(count: int) -> list[str]:
    return [f"j{number}" for number in range(count)]


@EACH
@given(
    count=st.integers(0, 120),
    size=st.integers(1, 40),
    caps=st.lists(st.sampled_from([1, 2, 3, 7, 1000]), min_size=1, max_size=3),
    rows=st.integers(0, 130),
    status=st.sampled_from([200, 400, 404, 422]),
    by_end=st.booleans(),
    total=st.sampled_from(["exact", "absent", None]),
    echoes=st.booleans(),
)
@settings(max_examples=400)
def test_requests_are_bounded_by_the_rows_and_no_row_is_missing_in_silence(
    name: str, count: int, size: int, caps: list[int], rows: int, status: int, by_end: bool, total: Any, echoes: bool
) -> None:
    limit = Limit(rows, status, by_end=by_end)
    vendor = Vendor(name, jobs(count), caps=caps, total=total, echoes=echoes, error=limit)
    found, doubt, error = read(vendor, size)
    # Three passes, each at most two requests for a row, and what shows the end or leads back from the limit.
    assert vendor.requests <= 6 * len(found) + 60
    assert found == vendor.jobs[: len(found)]
    if error:
        assert isinstance(error, IncompleteListingError) if status == 200 else True
        assert REFUSAL in str(error) or isinstance(error, IncompleteListingError)
    elif len(found) < count:  # an empty page and no total: that is how a listing ends
        assert status == 200
        assert doubt or total != "exact"


@EACH
@given(
    count=st.integers(0, 100),
    size=st.integers(1, 40),
    caps=st.lists(st.sampled_from([1, 2, 3, 7, 30]), min_size=1, max_size=5),
    total=st.sampled_from(["exact", "absent"]),
    echoes=st.booleans(),
)
@settings(max_examples=200)
def test_a_listing_that_does_not_move_is_read_whole_whatever_the_length_of_its_pages(
    name: str, count: int, size: int, caps: list[int], total: Any, echoes: bool
) -> None:
    vendor = Vendor(name, jobs(count), caps=caps, total=total, echoes=echoes)
    found, doubt, error = read(vendor, size)
    if error and not echoes and len(set(caps)) > 1:
        # By page number, it cannot always be told where a page begins whose length is neither kept nor told.
        assert isinstance(error, IncompleteListingError)
        assert name != LLAMACLOUD
    else:
        assert (found, doubt, error) == (vendor.jobs, None, None)


@EACH
@pytest.mark.parametrize("status", [400, 404, 422])
@pytest.mark.parametrize("by_end", [False, True], ids=["begins beyond", "ends beyond"])
@pytest.mark.parametrize("size", [1, 3, 10])
def test_an_error_response_before_all_came_is_the_error_in_the_vendors_words(
    name: str, status: int, by_end: bool, size: int
) -> None:
    vendor = Vendor(name, jobs(100), error=Limit(60, status, by_end=by_end))
    found, _, error = read(vendor, size, "warn")
    assert isinstance(error, REFUSED)
    assert REFUSAL in str(error)
    assert vendor.requests <= 2 * len(found) + 30


def test_a_result_window_shorter_than_the_reported_total_is_no_end() -> None:
    vendor = Vendor(LLAMACLOUD, jobs(25_000), error=Limit(10_000, 400))
    found, _, error = read(vendor, 1000)
    assert REFUSAL in str(error)
    assert len(found) >= 10_000
    assert vendor.requests <= 50


@EACH
@pytest.mark.parametrize("status", [400, 404])
@pytest.mark.parametrize("size", [1, 2, 7, 50, 60, 100])
def test_an_error_response_after_all_that_was_reported_is_the_end(name: str, status: int, size: int) -> None:
    vendor = Vendor(name, jobs(50), error=Limit(50, status))
    assert read(vendor, size) == (vendor.jobs, None, None)


def test_an_error_response_is_no_end_because_of_an_estimate_that_is_too_low() -> None:
    vendor = Vendor(LLAMACLOUD, jobs(100), total=50, error=Limit(60, 400))
    assert REFUSAL in str(read(vendor, 10)[2])


@pytest.mark.parametrize("by_end", [False, True])
def test_empty_pages_before_an_exact_total_fail_the_listing(by_end: bool) -> None:
    vendor = Vendor(TALKIFAI, jobs(1500), error=Limit(1000, 200, by_end=by_end))
    found, _, error = read(vendor, 100)
    assert isinstance(error, IncompleteListingError)
    assert vendor.requests <= len(found)


def test_empty_pages_that_contradict_those_before_fail_a_listing_without_a_total() -> None:
    vendor = Vendor(LLAMACLOUD, jobs(10), total=None, error=Limit(6, 200, by_end=True))
    _, _, error = read(vendor, 3)
    assert isinstance(error, IncompleteListingError)
    assert "returns no rows after the first 6" in str(error)
    assert vendor.requests <= 20


# Estimates


def with_total(name: str, start: Start, connect: Connect, total: int, **options: Any) -> list[NewRows]:
    server = start(listing(name, Served([f'{{"id":"j{number}"}}' for number in range(100)], total=total, last="null")))
    known = LISTINGS[name]
    return list(read_pages(connect(known.vendor, server.url), known, known.request(VALUES), **options))


ESTIMATES = pytest.mark.parametrize("name", ["llamacloud.batches", LLAMACLOUD])


@ESTIMATES
def test_an_estimate_above_what_came_is_a_doubt_and_a_warning(
    name: str, start: Start, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    pages = with_total(name, start, connect, 500)
    assert sum(len(page.rows) for page in pages) == 100
    assert pages[-1].doubt == "ended after 100 rows of 500 that it reports"
    assert not any(page.doubt for page in pages[:-1])
    warnings = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert [record.getMessage() for record in warnings] == [
        f"The listing {name} may lack rows: it ended after 100 rows of 500 that it reports"
    ]


@ESTIMATES
def test_an_estimate_above_what_came_fails_if_drift_must_fail(name: str, start: Start, connect: Connect) -> None:
    with pytest.raises(IncompleteListingError, match="100 rows of 500"):
        with_total(name, start, connect, 500, on_drift="fail")


@ESTIMATES
@pytest.mark.parametrize("total", [0, 99, 100])
def test_an_estimate_that_was_reached_is_no_doubt(name: str, total: int, start: Start, connect: Connect) -> None:
    assert not any(page.doubt for page in with_total(name, start, connect, total))


def test_an_exact_total_fails_a_listing_with_a_cursor_too(start: Start, connect: Connect) -> None:
    known = replace(LISTINGS["llamacloud.batches"], total_is_exact=True)
    server = start(listing(known.name, Served(['{"id":1}'], total=2)))
    with pytest.raises(IncompleteListingError, match="1 rows of 2"):
        list(read_pages(connect(known.vendor, server.url), known, known.request(VALUES)))
