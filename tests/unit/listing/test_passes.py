from __future__ import annotations

import pytest

from airflow_batch_provider.listing.passes import Fit, Pass, PassMemory
from airflow_batch_provider.listing.seen import SeenRows
from airflow_batch_provider.vendors.llamacloud import BATCH_PROCESSING_JOBS
from airflow_batch_provider.vendors.talkifai import BATCH_JOBS


def digests(rows: str) -> list[bytes]:
    return [row.encode() * 16 for row in rows]


def add(memory: PassMemory, rows: str, overlap: int = 0, size: int = 9) -> Fit:
    return memory.add(digests(rows), memory.seen.add(digests(rows)), overlap=overlap, size=size)


def after(*pages: str, before: PassMemory | None = None) -> PassMemory:
    """Return the memory of a pass that has read pages which overlap by a row."""
    memory = PassMemory(SeenRows(), before)
    for place, rows in enumerate(pages):
        add(memory, rows, overlap=bool(place))
    return memory


@pytest.mark.parametrize(
    ("rows", "fit"),
    [
        ("cde", Fit(2)),
        ("c", Fit(0)),  # the end
        ("bcd", Fit(1, pushed=1)),  # a row joined in front
        ("abcd", Fit(1, pushed=2)),
        ("bde", Fit(2, is_shuffled=True)),  # the row before is not the one that it was
        ("dce", Fit(2, is_shuffled=True)),  # a new row before a known one
        ("cda", Fit(1, pushed=1, is_shuffled=True)),
        ("def", Fit(3, pushed=-1, overlaps=False)),
    ],
)
def test_a_page_fits_the_one_before_if_only_rows_that_join_in_front_explain_it(rows: str, fit: Fit) -> None:
    assert add(after("abc"), rows, overlap=1) == fit


def test_a_page_that_is_longer_than_the_one_before_shows_that_a_short_one_is_no_end() -> None:
    assert not add(after("abc"), "cdef", overlap=1, size=3).overlaps


def test_a_capped_page_within_what_was_read_shows_nothing() -> None:
    memory = after("abc")
    assert add(memory, "b", overlap=2) == Fit(0)
    assert add(memory, "cd", overlap=1) == Fit(1)


def test_passes_agree_if_they_read_the_same_rows_in_the_same_order_over_any_pages() -> None:
    first = after("abc", "cde")
    second = after("ab", "bcde", before=first)
    third = after("abcde", before=second)
    assert (first.agreeing, second.agreeing, third.agreeing) == (1, 2, 3)
    assert after("abced", before=second).agreeing == 1


def test_a_pass_that_an_earlier_try_began_agrees_with_none() -> None:
    resumed = PassMemory(SeenRows(), has_begun=True)
    add(resumed, "abc")
    assert after("abc", before=resumed).agreeing == 1


def test_a_page_of_which_an_earlier_try_used_a_part_is_no_sign_of_a_move() -> None:
    resumed = PassMemory(SeenRows(b"".join(digests("abc"))), has_begun=True)
    assert add(resumed, "bcde", overlap=1) == Fit(2)


def test_a_pass_must_come_as_far_as_the_one_before() -> None:
    assert after("abc", before=after("abc")).has_come_as_far
    assert after("abcd", before=after("abc")).has_come_as_far
    assert not after("ab", before=after("abc")).has_come_as_far


@pytest.mark.parametrize(
    ("passes", "agreeing", "is_proof"),
    [
        ({}, 1, True),
        ({"disjoint": True}, 1, False),
        ({"disjoint": True}, 2, True),
        ({"shuffled": True, "moved": True}, 2, False),
        ({"shuffled": True, "moved": True}, 3, True),  # rows that are listed twice
        ({"shuffled": True, "moved": True, "fell": True}, 3, False),
        ({"pushed": 1, "moved": True}, 1, False),
        ({"moved": True, "fell": True}, 1, True),  # rows left; the overlap shows that none is missing
        ({"missed": 1}, 3, False),
        ({"number": 1}, 1, False),  # no total
        ({"number": 1, "pages": 1}, 1, True),
    ],
)
def test_a_pass_is_proof_on_its_own_or_by_those_that_agree(
    passes: dict[str, int], agreeing: int, is_proof: bool
) -> None:
    memory = None
    for _ in range(agreeing):
        memory = after("abc", before=memory)
    assert memory is not None
    current = Pass(**{"number": 2, "pages": 3, "read": 3, **passes})  # type: ignore[arg-type]
    assert (current.doubt(BATCH_PROCESSING_JOBS, 0, 3, memory) is None) is is_proof


@pytest.mark.parametrize(
    ("total", "read", "exact", "estimate"), [(5, 5, True, True), (5, 4, False, False), (5, 6, True, False)]
)
def test_everything_that_is_reported_has_come_at_the_total(total: int, read: int, exact: bool, estimate: bool) -> None:
    current = Pass(total=total, read=read)
    assert current.has_all_reported(BATCH_JOBS, 0) is exact
    assert current.has_all_reported(BATCH_PROCESSING_JOBS, 0) is estimate
    assert not Pass(read=read).has_all_reported(BATCH_JOBS, 0)
