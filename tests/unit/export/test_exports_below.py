"""Which states were exported below a folder: the manifests say so, and no index can say otherwise."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_batch_provider.exceptions import TransientError
from airflow_batch_provider.export.exports_below import ExportsBelow
from airflow_batch_provider.export.folder_names import folder_name
from airflow_batch_provider.export.manifest import MANIFEST_NAME
from airflow_batch_provider.stores.destination import LocalStore, Store
from tests.unit.export import exported
from tests.unit.export.exported import local, pages_of, work

INDEX = "_index/batch_id.json"


def version(number: int) -> dict[str, Any]:
    return {"status": "completed", "counts": {"files": number}, "updated_at": None}


class Listing(LocalStore):
    """A local folder that lists versions as an object store does, and counts what is read."""

    hides: frozenset[str] = frozenset()
    refuses_index = False

    def __init__(self, folder: Path) -> None:
        store = local(folder)
        super().__init__(store.fs, store.root, store.uri)
        self.reads: list[str] = []

    def versions_of(self, names: Sequence[str]) -> dict[str, str] | None:
        found = {name: self.version(name) for name in names if name not in self.hides}
        self.reads.clear()
        return {name: known for name, known in found.items() if known}

    def read(self, name: str) -> bytes | None:
        self.reads.append(name)
        return super().read(name)

    def put(self, name: str, content: bytes) -> None:
        if self.refuses_index:
            raise TransientError("not now")
        super().put(name, content)

    @property
    def manifests_read(self) -> int:
        return sum(name.endswith(MANIFEST_NAME) for name in self.reads)


def export(folder: Path, batch_id: str, number: int | None, **params: str) -> None:
    spec = dataclasses.replace(
        work(**{"batch_id": batch_id, **params}), version_now=lambda: None if number is None else version(number)
    )
    exported.exporting.export(lambda **_: pages_of(1), local(folder / folder_name(batch_id)), spec)


def missing(store: Store, states: dict[str, int], most: int = 1000) -> tuple[list[str], int]:
    return ExportsBelow(store, "batch_id").missing([(key, version(number)) for key, number in states.items()], most)


EACH = pytest.mark.parametrize("open_folder", [local, Listing], ids=["reads each", "has an index"])
Open = Callable[[Path], Store]


@EACH
def test_a_batch_without_an_export_and_one_of_another_state_are_missing(open_folder: Open, tmp_path: Path) -> None:
    export(tmp_path, "same", 1)
    export(tmp_path, "changed", 1)
    states = {"none": 1, "same": 1, "changed": 2}
    for _ in range(2):
        assert missing(open_folder(tmp_path), states) == (["none", "changed"], 0)
    export(tmp_path, "changed", 2)
    export(tmp_path, "none", 1)
    assert missing(open_folder(tmp_path), states) == ([], 0)


@EACH
def test_an_export_that_is_removed_is_missing_again(open_folder: Open, tmp_path: Path) -> None:
    export(tmp_path, "a", 1)
    assert missing(open_folder(tmp_path), {"a": 1}) == ([], 0)
    (tmp_path / "a" / MANIFEST_NAME).unlink()
    assert missing(open_folder(tmp_path), {"a": 1}) == (["a"], 0)


@EACH
def test_a_state_that_comes_back_is_missing_if_another_one_was_exported(open_folder: Open, tmp_path: Path) -> None:
    export(tmp_path, "a", 1)
    assert missing(open_folder(tmp_path), {"a": 1}) == ([], 0)
    export(tmp_path, "a", 2)
    assert missing(open_folder(tmp_path), {"a": 1}) == (["a"], 0)


@EACH
def test_an_export_without_a_state_or_of_another_batch_does_not_count(open_folder: Open, tmp_path: Path) -> None:
    export(tmp_path, "a", None)
    export(tmp_path, "b", 1)
    (tmp_path / "b").rename(tmp_path / "c")
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / MANIFEST_NAME).write_text("{}")
    for _ in range(2):
        assert missing(open_folder(tmp_path), {"a": 1, "c": 1, "d": 1}) == (["a", "c", "d"], 0)


@EACH
def test_at_most_so_many_are_returned_in_their_order(open_folder: Open, tmp_path: Path) -> None:
    export(tmp_path, "b", 1)
    states = dict.fromkeys("dbca", 1)
    assert missing(open_folder(tmp_path), states, 2) == (["d", "c"], 1)
    assert missing(open_folder(tmp_path), {}) == ([], 0)


def test_the_index_saves_reading_the_manifests(tmp_path: Path) -> None:
    states = {f"b{number}": 1 for number in range(9)}
    for batch_id in states:
        export(tmp_path, batch_id, 1)
    store = Listing(tmp_path)
    reads = []
    for _ in range(3):
        missing(store, states)
        reads.append(store.manifests_read)
    export(tmp_path, "b4", 2)
    missing(store, {**states, "b4": 2})
    assert [*reads, store.manifests_read] == [9, 0, 0, 1]


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b'{"version": 2}', b'{"version": 1, "manifests": {"a": 7}}', b"\xff"]
)
def test_a_torn_index_costs_requests_and_nothing_else(content: bytes, tmp_path: Path) -> None:
    export(tmp_path, "a", 1)
    store = Listing(tmp_path)
    missing(store, {"a": 1})
    (tmp_path / INDEX).write_bytes(content)
    assert missing(store, {"a": 1, "b": 1}) == (["b"], 0)
    assert missing(store, {"a": 1}) == ([], 0)
    assert store.manifests_read == 0


def test_a_store_that_leaves_out_what_is_there_costs_requests_and_nothing_else(tmp_path: Path) -> None:
    for batch_id in "abc":
        export(tmp_path, batch_id, 1)
    store = Listing(tmp_path)
    store.hides = frozenset({f"a/{MANIFEST_NAME}", f"b/{MANIFEST_NAME}"})
    assert missing(store, dict.fromkeys("abcd", 1), 1) == (["d"], 0)


def test_an_index_that_cannot_be_written_is_no_failure(tmp_path: Path) -> None:
    export(tmp_path, "a", 1)
    store = Listing(tmp_path)
    store.refuses_index = True
    assert missing(store, {"a": 1, "b": 1}) == (["b"], 0)


def test_what_other_batches_have_in_the_index_stays(tmp_path: Path) -> None:
    for batch_id in "ab":
        export(tmp_path, batch_id, 1)
    store = Listing(tmp_path)
    missing(store, {"a": 1})
    missing(store, {"b": 1})
    missing(store, {"a": 1, "b": 1})
    assert store.manifests_read == 0


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
@given(
    steps=st.lists(
        st.one_of(
            st.tuples(st.just("export"), st.sampled_from("ab"), st.integers(1, 3)),
            st.tuples(st.just("find"), st.sampled_from("ab"), st.integers(1, 3)),
            st.tuples(st.sampled_from(["keep index", "put it back", "lose index"]), st.just(""), st.just(0)),
        ),
        max_size=12,
    )
)
def test_an_index_of_any_age_changes_no_answer(
    steps: list[tuple[str, str, int]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("exports")
    index, kept = folder / INDEX, b""
    truth: dict[str, int] = {}
    for step, batch_id, number in steps:
        if step == "export":
            export(folder, batch_id, number)
            truth[batch_id] = number
        elif step == "find":
            expected = [] if truth.get(batch_id) == number else [batch_id]
            assert missing(Listing(folder), {batch_id: number}) == (expected, 0)
        elif step == "keep index" and index.exists():
            kept = index.read_bytes()
        elif step == "put it back" and kept:
            index.parent.mkdir(exist_ok=True)
            index.write_bytes(kept)
        elif step == "lose index":
            index.unlink(missing_ok=True)
