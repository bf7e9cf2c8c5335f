from __future__ import annotations

import pytest

from airflow_batch_provider.apis.auth import Basic
from airflow_batch_provider.apis.body import Body
from airflow_batch_provider.apis.endpoint import Listing
from airflow_batch_provider.apis.page import Page, Rows
from airflow_batch_provider.apis.paging import CursorPaging, LastIdPaging, Step, Taken, WholePaging
from airflow_batch_provider.apis.problem import Problem
from airflow_batch_provider.apis.request import Answer, Request
from airflow_batch_provider.apis.vendor import Vendor

FIRST = Step(Request("/things", {"page_token": "old", "status": "done"}))
CURSOR = CursorPaging("page_token")


def taken(rows: int, token: str | int | None = None, total: int | None = None) -> Taken:
    return Taken(Page(Rows(), token, total), rows, rows, rows)


@pytest.mark.parametrize("token", [None, "", " ", "\t\n"])
@pytest.mark.parametrize("rows", [0, 100])
def test_cursor_ends_with_any_form_of_no_token(token: str | None, rows: int) -> None:
    assert CURSOR.following(FIRST, taken(rows, token)) is None


@pytest.mark.parametrize("token", ["new", "+/=", "0", 0, 1575822103313046000])
@pytest.mark.parametrize("rows", [0, 100])
def test_cursor_goes_on_with_any_token_also_after_an_empty_page(token: str | int, rows: int) -> None:
    following = CURSOR.following(FIRST, taken(rows, token))
    assert following is not None
    assert following.request == Request("/things", {"page_token": str(token), "status": "done"})


@pytest.mark.parametrize("rows", [0, 5])
def test_a_whole_listing_has_one_page(rows: int) -> None:
    assert WholePaging().following(FIRST, taken(rows, "token", total=99)) is None


@pytest.mark.parametrize("paging", [CURSOR, WholePaging()], ids=["cursor", "whole"])
def test_pages_that_do_not_shift_are_taken_as_they_come(paging: CursorPaging | WholePaging) -> None:
    assert not paging.shifts
    assert paging.takes(FIRST, 100, known=False)
    assert paging.overlap(FIRST, Page(Rows())) == 0


LAST_ID = LastIdPaging("after")


def page(*ids: str | int, more: bool | None = None) -> Taken:
    rows = Rows(list(ids), [""] * len(ids), [b"{}"] * len(ids))
    return Taken(Page(rows, more=more), len(ids), len(ids), len(ids))


@pytest.mark.parametrize("more", [True, None])
def test_the_last_id_of_a_page_leads_to_the_next_one(more: bool | None) -> None:
    following = LAST_ID.following(FIRST, page("a", 7, more=more))
    assert following is not None
    assert following.request == Request("/things", {"page_token": "old", "status": "done", "after": "7"})


@pytest.mark.parametrize("last", [page("a", more=False), page(more=False), page(more=None), page(more=True)])
def test_pages_by_the_last_id_end_with_one_that_says_so_or_is_empty(last: Taken) -> None:
    assert LAST_ID.following(FIRST, last) is None


def test_an_empty_page_that_promises_more_leads_nowhere() -> None:
    listing = Listing(
        vendor=Vendor(name="v", title="V", base_url="https://v.example", auth=Basic()),
        name="v.things",
        path="/things",
        bodies=(Body(rows="data", more="has_more"),),
        paging=LAST_ID,
    )
    assert isinstance(listing.page(Answer(200, {}, b'{"data":[],"has_more":true}')), Problem)
    assert isinstance(listing.page(Answer(200, {}, b'{"data":[],"has_more":false}')), Page)
