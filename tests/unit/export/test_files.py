"""Files beside the parts: equal ones once, from any thread, and nothing of one that is given up."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_batch_provider.exceptions import TransientError
from airflow_batch_provider.export.files import FileWriter, StagedFile
from airflow_batch_provider.export.staging import Staging
from airflow_batch_provider.listing.file_sink import StoredFile
from airflow_batch_provider.stores.destination import LocalStore
from airflow_batch_provider.stores.new_file import LocalNewFile
from tests.unit.export.exported import local

DIGITS = "0" * 12
THREADS = 8
SECONDS_UNTIL_STUCK = 30


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def writer(folder: Path, staged: tuple[StagedFile, ...] = ()) -> FileWriter:
    store = local(folder)
    return FileWriter(store, Staging(store, "a" * 32), DIGITS, staged)


def store(files: FileWriter, content: bytes, extension: str = "txt") -> StoredFile:
    file = files.new_file()
    file.write(content)
    return file.finish(extension)


def staged_in(folder: Path) -> list[bytes]:
    return sorted(path.read_bytes() for path in folder.rglob("*.file"))


@given(contents=st.lists(st.sampled_from([b"", b"a", b"b" * 1000]), max_size=8))
def test_equal_files_are_stored_once_the_empty_one_too(
    contents: list[bytes], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("files")
    files = writer(folder)
    for content in contents:
        stored = store(files, content)
        assert stored == StoredFile(f"files/{DIGITS}/{sha256(content)}.txt", len(content), sha256(content))
        assert files.staged(stored.path).bytes == len(content)
    assert staged_in(folder) == sorted(set(contents))


def test_equal_files_with_another_extension_are_files_of_their_own(tmp_path: Path) -> None:
    files = writer(tmp_path)
    assert store(files, b"a", "md").path != store(files, b"a", "txt").path
    assert staged_in(tmp_path) == [b"a", b"a"]


def test_what_an_earlier_try_has_staged_is_not_stored_again(tmp_path: Path) -> None:
    first = writer(tmp_path)
    stored = store(first, b"a")
    second = writer(tmp_path, (first.staged(stored.path),))
    assert store(second, b"a") == stored
    assert second.staged(stored.path) == first.staged(stored.path)
    assert staged_in(tmp_path) == [b"a"]


def in_threads(work: Callable[[int], Any]) -> list[Any]:
    """Run something in many threads at once; return what each returned or raised."""

    def caught(number: int) -> Any:
        try:
            return work(number)
        except Exception as error:  # noqa: BLE001 - the test looks at it
            return error

    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(caught, range(THREADS)))


def finish_together(files: FileWriter, is_there: Callable[[], Any] = lambda: True) -> list[Any]:
    """Let many threads finish the same content at the same time; check in each, when it has, that it is there."""
    together = threading.Barrier(THREADS)

    def work(number: int) -> StoredFile:
        file = files.new_file()
        try:
            file.write(b"same")
            together.wait(SECONDS_UNTIL_STUCK)
            stored = file.finish("txt")
            assert is_there()
            return stored
        finally:
            file.abandon()

    return in_threads(work)


def test_the_same_content_that_many_threads_finish_at_once_is_there_once_when_each_of_them_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first one is stored when the others have given up theirs; they must not go on before."""
    close, abandon = LocalNewFile.close, LocalNewFile.abandon
    closed: list[LocalNewFile] = []
    others = threading.Barrier(THREADS)

    def close_last(file: LocalNewFile) -> None:
        others.wait(SECONDS_UNTIL_STUCK)
        close(file)
        closed.append(file)

    def abandon_first(file: LocalNewFile) -> None:
        if not file._is_done:
            abandon(file)
            others.wait(SECONDS_UNTIL_STUCK)

    monkeypatch.setattr(LocalNewFile, "close", close_last)
    monkeypatch.setattr(LocalNewFile, "abandon", abandon_first)
    files = writer(tmp_path)
    stored = finish_together(files, lambda: closed)
    assert set(stored) == {StoredFile(f"files/{DIGITS}/{sha256(b'same')}.txt", 4, sha256(b"same"))}
    assert len(closed) == 1
    assert staged_in(tmp_path) == [b"same"]
    assert (tmp_path / files.staged(stored[0].path).name).read_bytes() == b"same"


def test_if_the_first_one_cannot_be_stored_all_fail_and_the_next_one_is_stored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = writer(tmp_path)

    def fail(file: LocalNewFile) -> None:
        raise TransientError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(LocalNewFile, "close", fail)
        assert {type(error) for error in finish_together(files)} == {TransientError}
    assert staged_in(tmp_path) == []
    stored = store(files, b"same")
    assert staged_in(tmp_path) == [b"same"]
    assert files.staged(stored.path).bytes == 4


def test_a_file_that_begins_again_forgets_what_was_written(tmp_path: Path) -> None:
    file = writer(tmp_path).new_file()
    for content in (b"half", b"", b"whole"):
        file.write(content)
        if content != b"whole":
            file.restart()
    assert file.finish("txt").sha256 == sha256(b"whole")
    file.abandon()
    assert staged_in(tmp_path) == [b"whole"]


def test_a_file_that_is_given_up_is_not_there(tmp_path: Path) -> None:
    file = writer(tmp_path).new_file()
    file.write(b"half")
    file.abandon()
    file.abandon()
    assert staged_in(tmp_path) == []


def test_after_the_end_no_thread_writes_any_more(tmp_path: Path) -> None:
    files = writer(tmp_path)
    file = files.new_file()
    files.close()
    with pytest.raises(RuntimeError, match="has ended"):
        file.write(b"late")
    with pytest.raises(RuntimeError, match="has ended"):
        files.new_file()


def test_a_thread_of_before_a_new_beginning_removes_nothing_of_what_came_after(tmp_path: Path) -> None:
    """A try that cannot resume begins again, while threads may still be writing."""
    destination = local(tmp_path)
    staging = Staging(destination, "a" * 32)
    before = FileWriter(destination, staging, DIGITS)
    file = before.new_file()
    before.close()
    after = FileWriter(destination, staging, DIGITS)
    stored = store(after, b"a")
    file.abandon()
    assert (tmp_path / after.staged(stored.path).name).read_bytes() == b"a"


@pytest.mark.parametrize(
    "change",
    [
        {"name": "part-00000-000000000000.jsonl"},
        {"name": "_staging/../../etc/passwd"},
        {"path": "files/000000000000/../x"},
        {"path": f"files/{'g' * 12}/{'0' * 64}.txt"},
        {"path": f"other/{'0' * 12}/{'0' * 64}.txt"},
        {"sha256": "x"},
    ],
)
def test_a_forged_list_of_files_is_no_list(change: dict[str, str]) -> None:
    fields = {
        "name": f"_staging/{'a' * 32}/{'0' * 12}-00000000.file",
        "path": f"files/{DIGITS}/{'0' * 64}.txt",
        "sha256": "0" * 64,
    }
    StagedFile(**fields, bytes=1)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"names a file|SHA-256"):
        StagedFile(**{**fields, **change}, bytes=1)  # type: ignore[arg-type]


def test_the_store_is_used_by_no_more_threads_than_it_takes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LocalStore, "on_disk", False)
    monkeypatch.setattr(LocalStore, "operations_at_once", 2)
    close, lock = LocalNewFile.close, threading.Lock()
    now, most = 0, 0

    def count(file: LocalNewFile) -> None:
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        close(file)
        with lock:
            now -= 1

    monkeypatch.setattr(LocalNewFile, "close", count)
    files = writer(tmp_path)
    in_threads(lambda number: store(files, str(number).encode()))
    assert most <= 2
    assert len(staged_in(tmp_path)) == THREADS
