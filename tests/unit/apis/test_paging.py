from __future__ import annotations

from dataclasses import dataclass

import pytest

from airflow_batch_provider.apis.paging import CursorPaging, NumberPaging, OffsetPaging, WholePaging
from airflow_batch_provider.apis.request import Request


@dataclass(frozen=True)
class Facts:
    next_token: str | int | None = None
    total: int | None = None
    page_size: int | None = None


FIRST = Request("/things", {"page_token": "old", "status": "done"})


@pytest.mark.parametrize("token", [None, "", " ", "\t\n"])
@pytest.mark.parametrize("rows", [0, 100])
def test_cursor_ends_with_any_form_of_no_token(token: str | None, rows: int) -> None:
    assert CursorPaging("page_token").following(FIRST, Facts(token), rows, rows) is None


@pytest.mark.parametrize("token", ["new", "+/=", "0", 0, 1575822103313046000])
@pytest.mark.parametrize("rows", [0, 100])
def test_cursor_goes_on_with_any_token_also_after_an_empty_page(token: str | int, rows: int) -> None:
    following = CursorPaging("page_token").following(FIRST, Facts(token), rows, rows)
    assert following == Request("/things", {"page_token": str(token), "status": "done"})


@pytest.mark.parametrize("rows", [0, 5])
def test_a_whole_listing_has_one_page(rows: int) -> None:
    assert WholePaging().following(FIRST, Facts("token", total=99), rows, rows) is None


OFFSET = OffsetPaging("offset")
AT_40 = Request("/things", {"limit": "100", "offset": "40"})


def test_offset_ends_with_an_empty_page_only() -> None:
    assert OFFSET.following(AT_40, Facts(), 0, 40) is None


@pytest.mark.parametrize("total", [None, 0, 41, 10**6])
@pytest.mark.parametrize("token", [None, "token"])
def test_offset_goes_on_after_a_short_page_whatever_total_and_token_say(total: int | None, token: str | None) -> None:
    following = OFFSET.following(AT_40, Facts(token, total), 1, 41)
    assert following is not None
    assert following.query.keys() == AT_40.query.keys()


def test_offset_advances_by_what_came_at_most() -> None:
    following = OFFSET.following(AT_40, Facts(), 7, 47)
    assert following is not None
    assert int(following.query["offset"]) <= 47


def test_offset_knows_the_rows_before_its_first() -> None:
    assert OFFSET.rows_before(AT_40) == 40


NUMBER = NumberPaging("page", "size")
PAGE_3 = Request("/things", {"page": "3", "size": "100"})


def test_number_ends_with_an_empty_page_even_below_the_total() -> None:
    assert NUMBER.following(PAGE_3, Facts(total=999), 0, 200) is None


def test_number_ends_with_a_short_page_that_reaches_the_total() -> None:
    assert NUMBER.following(PAGE_3, Facts(total=207), 7, 207) is None


@pytest.mark.parametrize(
    ("rows", "facts"),
    [
        (100, Facts(total=300)),  # full: the total could be that of the pages so far
        (7, Facts(total=208)),  # short, but the total says that there are more
        (7, Facts()),  # short, without a total
        (50, Facts(total=250, page_size=50)),  # full by the size that the server used
    ],
)
def test_number_goes_on_where_only_one_sign_or_none_says_end(rows: int, facts: Facts) -> None:
    assert NUMBER.following(PAGE_3, facts, rows, 200 + rows) is not None


@pytest.mark.parametrize("page_size", [0, None, 1000])
def test_number_survives_an_echoed_page_size_that_makes_no_sense(page_size: int | None) -> None:
    assert NUMBER.following(PAGE_3, Facts(total=207, page_size=page_size), 7, 207) is None


def test_number_knows_the_rows_before_its_first() -> None:
    assert NUMBER.rows_before(PAGE_3) == 200
