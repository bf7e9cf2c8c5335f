from __future__ import annotations

import pytest

from airflow_batch_provider.apis.page import Page, Rows
from airflow_batch_provider.apis.paging import CursorPaging, Step, Taken, WholePaging
from airflow_batch_provider.apis.request import Request

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
