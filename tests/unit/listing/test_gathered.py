"""Rows of a listing that is read beside other work."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from airflow_batch_provider.apis.page import Row, Rows
from airflow_batch_provider.exceptions import NotFoundError
from airflow_batch_provider.listing import gathered as gathering
from airflow_batch_provider.listing.gathered import Gathered
from airflow_batch_provider.listing.pages import NewRows

ROWS = [Row(f"id {number}", "", b"{}") for number in range(4)]


def page(*rows: Row) -> NewRows:
    return NewRows(Rows.of(rows), 0, None)


def gathered(pages: Iterator[NewRows]) -> Gathered:
    return Gathered(pages, lambda pages: next(pages, None))


def test_a_row_is_there_before_the_listing_ends() -> None:
    may_go_on = threading.Event()

    def pages() -> Iterator[NewRows]:
        yield page(*ROWS[:2])
        assert may_go_on.wait(60)
        yield page(*ROWS[2:])

    found = gathered(pages())
    assert found.find("id 1") == ROWS[1]
    may_go_on.set()
    assert found.find("id 3") == ROWS[3]


def test_a_row_that_is_not_listed_is_missed_at_the_end() -> None:
    assert gathered(iter([page(*ROWS)])).find("another") is None


def test_what_came_before_a_failure_is_there_and_who_waits_is_told() -> None:
    def pages() -> Iterator[NewRows]:
        yield page(ROWS[0])
        raise NotFoundError("gone")

    found = gathered(pages())
    assert found.find("id 0") == ROWS[0]
    with pytest.raises(NotFoundError, match="gone"):
        found.find("id 1")


def test_more_rows_than_fit_into_memory_are_found_in_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gathering, "MOST_IN_MEMORY", 1)
    rows = [Row(number, f"status {number}", b'{"n":%d}' % 10**number) for number in range(30)]
    was_found = threading.Event()

    def pages() -> Iterator[NewRows]:
        yield page(*rows[:10])
        assert was_found.wait(60)
        yield page(*rows[10:])

    found = gathered(pages())
    assert found.find("3") == rows[3]
    was_found.set()
    assert [found.find(str(number)) for number in reversed(range(30))] == rows[::-1]


def test_nobody_waits_any_more_once_it_is_closed() -> None:
    may_go_on = threading.Event()

    def pages() -> Iterator[NewRows]:
        yield page(ROWS[0])
        assert may_go_on.wait(60)

    found = gathered(pages())
    threading.Timer(0, found.close).start()
    assert found.find("id 1") is None
    may_go_on.set()
