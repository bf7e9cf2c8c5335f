from __future__ import annotations

from itertools import islice, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_batch_provider.apis.page import Page, Rows
from airflow_batch_provider.apis.paging import Paging, Step, Taken
from airflow_batch_provider.apis.request import Request
from airflow_batch_provider.apis.windows import NumberPaging, OffsetPaging

OFFSET = OffsetPaging("offset", "limit")
NUMBER = NumberPaging("page", "size")


def offset_step(offset: int = 0, limit: int = 100) -> Step:
    return OFFSET.first(Request("/things", {"limit": str(limit), "offset": str(offset), "status": "done"}))


def number_step(page: int = 1, size: int = 100) -> Step:
    return NUMBER.first(Request("/things", {"page": str(page), "size": str(size), "status": "done"}))


def taken(rows: int, read: int | None = None, *, fresh: int | None = None, page: Page | None = None) -> Taken:
    return Taken(page or Page(Rows()), rows, rows if fresh is None else fresh, rows if read is None else read)


def asked(step: Step | None) -> dict[str, int]:
    """Return the numbers that a step asks for; everything else must stay as it was."""
    assert step is not None
    query = dict(step.request.query)
    assert query.pop("status") == "done"
    return {name: int(value) for name, value in query.items()}


def walk(paging: Paging, step: Step, rows: int, size: str) -> list[dict[str, int]]:
    """Read a listing that does not move, and return what is asked for."""
    queries = []
    following: Step | None = step
    read = 0
    while following:
        query = asked(following)
        queries.append(query)
        start = query["offset"] if "offset" in query else (query["page"] - 1) * query["size"]
        came = max(0, min(query[size], rows - start))
        assert paging.takes(following, came, known=start < read)
        fresh = max(0, start + came - read)
        read += fresh
        total = None if "offset" in query else rows
        following = paging.following(following, taken(came, read, fresh=fresh, page=Page(Rows(), total=total)))
    assert read == rows
    return queries


def test_offsets_overlap_by_a_row_and_end_behind_a_short_page() -> None:
    assert [query["offset"] for query in walk(OFFSET, offset_step(), 250, "limit")] == [0, 99, 198, 250]


def test_offsets_end_with_an_empty_page_where_the_last_one_was_full() -> None:
    assert [query["offset"] for query in walk(OFFSET, offset_step(), 199, "limit")] == [0, 99, 198, 199]


def test_a_server_that_gives_fewer_than_the_limit_is_asked_to_overlap_all_the_same() -> None:
    step = OFFSET.following(offset_step(), taken(30))
    assert asked(step)["offset"] == 30  # it could be the end
    assert step is not None
    assert not OFFSET.takes(step, 30, known=False)
    step = OFFSET.back(step)
    assert asked(step)["offset"] == 29
    assert OFFSET.takes(step, 30, known=True)
    assert asked(OFFSET.following(step, taken(30)))["offset"] == 58


def test_pages_of_one_row_cannot_overlap() -> None:
    assert [query["offset"] for query in walk(OFFSET, offset_step(limit=1), 3, "limit")] == [0, 1, 2, 3]


def test_numbers_overlap_in_windows_of_falling_size() -> None:
    queries = walk(NUMBER, number_step(), 1000, "size")
    assert [(query["page"], query["size"]) for query in queries[:4]] == [(1, 100), (2, 99), (3, 98), (4, 97)]


def test_overlapping_numbers_cost_14_percent_more_requests() -> None:
    assert len(walk(NUMBER, number_step(), 100_000, "size")) == pytest.approx(1140, abs=10)


@pytest.mark.parametrize("rows", [0, 99, 1000])
def test_numbers_from_zero_ask_for_the_same_pages(rows: int) -> None:
    queries, paging = [], NumberPaging("page", "size", first_number=0)
    step: Step | None = paging.first(Request("/things", {"page": "0", "size": "100", "status": "done"}))
    for expected in walk(NUMBER, number_step(), rows, "size"):
        query = asked(step)
        queries.append({**query, "page": query["page"] + 1})
        came = max(0, min(query["size"], rows - query["page"] * query["size"]))
        assert step is not None
        assert paging.back(step).request.query["page"] in {"0", *map(str, range(query["page"] + 1))}
        facts = Page(Rows(), total=rows)
        step = paging.following(step, taken(came, query["page"] * query["size"] + came, page=facts))
        assert queries[-1] == expected
    assert step is None


@given(size=st.integers(1, 100), rows=st.integers(0, 600))
def test_windows_of_any_size_leave_nothing_out_and_go_on(size: int, rows: int) -> None:
    queries = walk(NUMBER, number_step(size=size), rows, "size")
    assert all(1 <= query["size"] <= size for query in queries)
    assert len(queries) <= rows + 2


@pytest.mark.parametrize("rows", [1, 99, 100, 101, 5000])
def test_what_lies_ahead_is_what_will_be_asked_for(rows: int) -> None:
    ahead = [asked(step) for step in islice(NUMBER.upcoming(number_step(), Page(Rows(), total=rows)), 1000)]
    later = walk(NUMBER, number_step(), rows, "size")[1:]
    assert later[: len(ahead)] == ahead
    assert len(later) <= len(ahead) + 1  # a last page that is full needs one more to be known as the last


@pytest.mark.parametrize(
    ("paging", "step"), [(OFFSET, offset_step()), (NUMBER, number_step())], ids=["offset", "number"]
)
def test_a_page_that_does_not_join_is_asked_for_again_further_back_each_time(paging: Paging, step: Step) -> None:
    for _ in range(20):
        following = paging.following(step, taken(int(asked(step).get("size", 100)), 10**6))
        assert following is not None
        step = following
    reached = step.reached
    behind = [paging.overlap(step, Page(Rows()))]
    while behind[-1] < reached:
        assert not paging.takes(step, 100, known=False)
        assert not paging.takes(step, 0, known=False)
        step = paging.back(step)
        behind.append(paging.overlap(step, Page(Rows())))
    assert all(later >= 2 * earlier or later == reached for earlier, later in pairwise(behind))
    assert paging.takes(step, 100, known=False)  # there is nothing before the first row


@pytest.mark.parametrize("rows", [0, 7])
def test_a_number_ends_with_a_short_page_that_reaches_the_total(rows: int) -> None:
    assert NUMBER.following(number_step(3), taken(rows, 7, page=Page(Rows(), total=207))) is None


@pytest.mark.parametrize(
    ("rows", "facts"),
    [
        (100, Page(Rows(), total=300)),  # full: the total could be that of the pages so far
        (7, Page(Rows(), total=208)),  # short, but the total says that there are more
        (7, Page(Rows())),  # short, without a total
        (50, Page(Rows(), total=250, page_size=50)),  # full by the size that the server used
    ],
)
def test_a_number_goes_on_where_only_one_sign_or_none_says_end(rows: int, facts: Page) -> None:
    assert NUMBER.following(number_step(), taken(rows, page=facts)) is not None


@pytest.mark.parametrize("page_size", [0, None, 1000])
def test_a_number_survives_an_echoed_page_size_that_makes_no_sense(page_size: int | None) -> None:
    assert NUMBER.following(number_step(3), taken(7, page=Page(Rows(), total=207, page_size=page_size))) is None


def test_a_server_that_uses_smaller_pages_is_asked_for_no_larger_ones() -> None:
    step = NUMBER.following(number_step(), taken(30, page=Page(Rows(), total=250, page_size=30)))
    assert asked(step) == {"page": 2, "size": 29}


def test_a_capped_page_that_begins_earlier_than_asked_leads_no_further_back() -> None:
    step = NUMBER.following(number_step(9), taken(100, page=Page(Rows(), total=2000, page_size=100)))
    assert step is not None
    assert step.reached == 900
    following = NUMBER.following(step, taken(7, fresh=0, page=Page(Rows(), total=2000, page_size=7)))
    assert following is not None
    assert (following.reached, following.size) == (900, 7)


def test_what_ends_a_listing_that_tells_neither_total_nor_page_size_is_an_empty_page_behind_it() -> None:
    step = NUMBER.following(number_step(), taken(100))
    step = NUMBER.following(step, taken(31, fresh=30)) if step else None
    assert step is not None
    assert step.reached == 130
    step = NUMBER.following(step, taken(20, fresh=0))
    assert asked(step) == {"page": 11, "size": 13}  # behind 130 rows, not in a larger window that overlaps
    assert step is not None
    assert NUMBER.following(step, taken(0)) is None


def test_rows_that_others_push_behind_the_end_end_a_listing_after_some_pages() -> None:
    step: Step | None = OFFSET.following(offset_step(), taken(5))
    offsets = []
    while step:
        offsets.append(asked(step)["offset"])
        step = OFFSET.following(step, taken(1, fresh=0))
    assert offsets == [5, 6, 7]
