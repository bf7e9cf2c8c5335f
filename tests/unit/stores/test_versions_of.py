"""The versions of many files of an object store, by as few requests as it takes."""

from __future__ import annotations

from bisect import bisect_right
from types import SimpleNamespace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from airflow_batch_provider.stores import conditional_writes
from airflow_batch_provider.stores.conditional_writes import ConditionalWrites
from airflow_batch_provider.stores.object_store import OPERATIONS_AT_ONCE, ObjectStore


class Bucket(ObjectStore):
    """An object store that has names only, and lists so many at a time."""

    def __init__(self, names: list[str], page: int, *, is_sorted: bool = True) -> None:
        fs = SimpleNamespace(_strip_protocol=lambda path: path)
        super().__init__(fs, "bucket/exports", "s3://bucket/exports")  # type: ignore[arg-type]
        self.names = sorted(names) if is_sorted else sorted(names, reverse=True)
        self.page = page
        self.is_sorted = is_sorted
        self.requests = 0
        self._conditional = ConditionalWrites("ETag", None, list_after=None)  # type: ignore[arg-type]

    @property
    def operations_at_once(self) -> int:
        return 1

    def _list_after(self, after: str) -> tuple[list[tuple[str, str]], bool]:
        self.requests += 1
        assert self.requests < 1000
        begin = bisect_right(self.names, after) if self.is_sorted else 0
        names = self.names[begin : begin + self.page]
        return [(name, f"version of {name}") for name in names], begin + self.page < len(self.names)


def versions(bucket: Bucket, names: list[str]) -> Any:
    bucket._conditional = ConditionalWrites("ETag", None, list_after=lambda *_: None)  # type: ignore[arg-type,return-value]
    return bucket.versions_of(names)


NAMES = st.lists(st.text(alphabet="ab-./_", min_size=1, max_size=4), unique=True, max_size=30)


@given(NAMES, NAMES, st.integers(1, 5))
def test_all_that_are_there_are_found(there: list[str], wanted: list[str], page: int) -> None:
    found = versions(Bucket(there, page), wanted)
    assert found == {name: f"version of {name}" for name in wanted if name in there}


def test_a_page_has_many_small_folders() -> None:
    names = [f"{number:04d}/{name}" for number in range(1000) for name in ("_MANIFEST.json", "part-0")]
    bucket = Bucket(names, 1000)
    assert len(versions(bucket, names[::2])) == 1000
    assert bucket.requests == 2


def test_large_folders_are_leapt_over() -> None:
    files = [f"files/{number}" for number in range(500)]
    names = [f"{number}/{name}" for number in range(9) for name in ("_MANIFEST.json", *files)]
    bucket = Bucket(names, 100)
    assert len(versions(bucket, [f"{number}/_MANIFEST.json" for number in range(9)])) == 9
    assert bucket.requests == 9


def test_a_store_that_lists_in_another_order_ends_all_the_same() -> None:
    names = [f"{number:03d}" for number in range(100)]
    found = versions(Bucket(names, 10, is_sorted=False), names)
    assert all(version == f"version of {name}" for name, version in found.items())


def test_only_s3_can_list_from_a_name_on() -> None:
    able = {name for name, store in conditional_writes._STORES.items() if store.list_after}
    assert able == {"S3FileSystem"}
    assert OPERATIONS_AT_ONCE > 1
    bucket = Bucket([], 1)
    assert bucket.versions_of(["a"]) is None
