"""Which rows a reading has met."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_batch_provider.listing.seen import DIGEST_SIZE, SeenRows, digests_of

IDS = st.lists(st.one_of(st.text(), st.integers(), st.text("ab", max_size=2)))


@given(pages=st.lists(IDS))
def test_a_row_is_new_where_no_row_before_it_has_its_id(
    pages: list[list[str | int]],
) -> None:
    seen, met = SeenRows(), set[str | int]()
    for ids in pages:
        new = []
        for place, identifier in enumerate(ids):
            if identifier not in met:
                new.append(place)
                met.add(identifier)
        assert list(seen.add(digests_of(ids))) == new
        assert len(seen) == len(met)


@given(ids=IDS)
def test_hashes_do_not_depend_on_what_else_the_page_holds(ids: list[str | int]) -> None:
    together = digests_of(ids)
    assert together == [digest for identifier in ids for digest in digests_of([identifier])]
    assert all(len(digest) == DIGEST_SIZE for digest in together)


@pytest.mark.parametrize(("one", "other"), [(1, "1"), (-1, "-1"), ("a", "A"), ("", " "), ("\ud800", "\ud801")])
def test_ids_that_are_not_the_same_have_other_hashes(one: str | int, other: str | int) -> None:
    assert digests_of([one]) != digests_of([other])


def test_hashes_stay_the_same_from_one_try_to_the_next() -> None:
    hashes = [digest.hex() for digest in digests_of(["bat-1", 7])]
    assert hashes == ["8e8d0fc7e32866a2846250c74e51de0d", "f09842d3e594d7c036e4451cd671299b"]


def test_rows_of_an_earlier_try_are_known() -> None:
    digests = digests_of(["a", "b", "c"])
    seen = SeenRows(b"".join(digests[:2]))
    assert len(seen) == 2
    assert list(seen.add(digests)) == [2]
    assert seen.any(digests[2:])
    assert not seen.any(digests_of(["d"]))
