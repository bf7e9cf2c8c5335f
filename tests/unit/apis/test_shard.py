"""The shards of a batch are exactly the batch: every item is in one of them, wherever and whenever it is read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_batch_provider.apis.shard import Shard, Shards, read_shard

IDS = st.one_of(st.text(), st.text(alphabet=st.characters(categories=["Cs"]), max_size=3), st.integers())


@given(identifiers=st.lists(IDS, max_size=20), of=st.integers(1, 64))
def test_each_item_is_in_exactly_one_shard(identifiers: list[str | int], of: int) -> None:
    for identifier in identifiers:
        assert sum(identifier in Shard(number, of) for number in range(1, of + 1)) == 1


@given(identifier=IDS, of=st.integers(1, 64))
def test_shard_0_is_the_last_one_for_those_who_count_from_0(identifier: str | int, of: int) -> None:
    first = read_shard(f"0/{of}")
    assert first is not None
    assert (identifier in first) == (identifier in Shard(of, of))
    assert Shards().encode(f"0/{of}") == f"{of}/{of}"


@given(identifier=st.integers())
def test_an_id_that_is_a_number_is_where_it_is_as_a_text(identifier: int) -> None:
    assert (identifier in Shard(1, 3)) == (str(identifier) in Shard(1, 3))


def test_an_item_stays_in_its_shard_from_release_to_release() -> None:
    """Tasks of a mapped run may run on workers of different releases."""
    ids = ("a", "dfl-1", "東京", "\ud83d", "7")
    assert [next(n for n in range(1, 17) if name in Shard(n, 16)) for name in ids] == [10, 16, 5, 12, 14]


def test_shards_are_of_about_the_same_size() -> None:
    sizes = [sum(f"contact_{number}" in Shard(share, 16) for number in range(1_600)) for share in range(1, 17)]
    assert 70 < min(sizes) <= max(sizes) < 130


@pytest.mark.parametrize("text", ["1/1", "3/16", "16/16", "0/16", "000001/000016", "999999/999999"])
def test_a_shard_is_written_as_a_fraction(text: str) -> None:
    assert read_shard(text) is not None


@pytest.mark.parametrize(
    "value",
    ["", "3", "/", "3/", "/16", "17/16", "0/0", "1/0", "-1/16", "+1/16", "1/-1", "1 /16", " 1/16", "1/16\n", "1.0/16",
     "1/1_0", "٣/١٦", "1/16/2", "1000000/1000000", None, 3, 0.5, b"1/2", ["1/2"], True],
)  # fmt: skip
def test_anything_else_is_none(value: object) -> None:
    assert read_shard(value) is None
    assert Shards().encode(value) is None
