"""What every store does, on a local folder and on a file system that fsspec serves without conditions."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import ClassVar

import pytest
from fsspec import AbstractFileSystem
from fsspec.implementations.memory import MemoryFileSystem

from airflow_batch_provider.exceptions import DestinationError, TransientError
from airflow_batch_provider.stores.conditional_writes import puts_atomically
from airflow_batch_provider.stores.destination import Store, open_store
from airflow_batch_provider.stores.object_store import ObjectStore
from tests.unit.export.exported import export, pages_of, work
from tests.unit.stores.writers import count_together, write


@pytest.fixture(params=["local", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    if request.param == "local":
        yield open_store(str(tmp_path))
        return
    fs = MemoryFileSystem()
    yield ObjectStore(fs, f"{tmp_path}/exports", "memory://exports")
    fs.rm(str(tmp_path), recursive=True) if fs.exists(str(tmp_path)) else None


def test_a_created_file_is_there_when_it_is_closed(store: Store) -> None:
    file = store.create("a/b/1")
    file.write(b"one")
    file.write(b"two")
    file.close()
    file.close()
    file.abandon()
    assert store.read("a/b/1") == b"onetwo"
    assert store.size("a/b/1") == 6


def test_an_abandoned_file_is_not_there(store: Store) -> None:
    file = store.create("a/b/1")
    file.write(b"one")
    file.abandon()
    file.abandon()
    assert store.read("a/b/1") is None
    assert store.names_below() == {}


def test_a_file_is_read_from_its_beginning_to_its_end(store: Store) -> None:
    content = bytes(range(256)) * 40_000
    write(store, "big", content)
    with store.open("big") as file:
        pieces = iter(lambda: file.read(1_000_000), b"")
        assert b"".join(pieces) == content


def test_opening_a_file_that_is_not_there_is_told(store: Store) -> None:
    with pytest.raises(FileNotFoundError):
        store.open("nothing")


def test_what_is_not_there_has_neither_content_nor_size_nor_version(store: Store) -> None:
    assert (store.read("x"), store.size("x"), store.version("x"), store.names_below("x")) == (None, None, None, {})
    store.remove("x")


def test_publishing_keeps_the_staged_file_and_replaces_the_one_of_the_same_name(store: Store) -> None:
    write(store, "_staging/1", b"new")
    store.put("final", b"old")
    store.publish("_staging/1", "final")
    store.publish("_staging/1", "final")
    assert {name: store.read(name) for name in store.names_below()} == {"_staging/1": b"new", "final": b"new"}


def test_publishing_what_is_gone_is_told_and_changes_nothing(store: Store) -> None:
    store.put("final", b"old")
    with pytest.raises(FileNotFoundError):
        store.publish("_staging/1", "final")
    assert {name: store.read(name) for name in store.names_below()} == {"final": b"old"}


def test_names_are_listed_with_their_age(store: Store) -> None:
    for name in ("one", "_staging/a/1", "_staging/b/2", "_staging_not/3"):
        store.put(name, b"x")
    assert set(store.names_below()) == {"one", "_staging/a/1", "_staging/b/2", "_staging_not/3"}
    assert set(store.names_below("_staging")) == {"_staging/a/1", "_staging/b/2"}
    assert all(abs(age) < 60 for age in store.names_below().values())


def test_an_object_that_is_named_like_a_folder_is_not_in_it() -> None:
    store = ObjectStore(MemoryFileSystem(), "/objects", "memory://objects")
    store.put("a", b"1")
    assert store.names_below("a") == {}
    store.remove("a")


def test_a_version_changes_with_the_content_and_only_with_it(store: Store) -> None:
    store.put("x", b"1")
    first = store.version("x")
    assert first == store.version("x")
    store.put("x", b"2")
    assert store.version("x") not in (None, first)


def test_a_conditional_put_writes_only_what_has_not_changed(store: Store) -> None:
    assert store.put_if("x", b"1", None)
    assert not store.put_if("x", b"lost", None)
    first = store.version("x")
    assert store.put_if("x", b"2", first)
    assert not store.put_if("x", b"lost", first)
    assert store.read("x") == b"2"
    store.remove("x")
    assert not store.put_if("x", b"lost", first)
    assert store.read("x") is None


def test_of_many_conditional_puts_at_once_each_follows_the_one_before(tmp_path: Path) -> None:
    assert count_together(open_store(str(tmp_path)), writers=4, times=5) == 20


def test_a_file_that_is_cut_while_it_is_read_is_not_taken_for_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    store = ObjectStore(MemoryFileSystem(), "/cut", "memory://cut")
    store.put("x", b"1" * 20)
    monkeypatch.setattr(store, "size", lambda name: 30)
    with store.open("x") as file, pytest.raises(TransientError, match="ended after 20 of 30 bytes"):
        file.read()
    store.remove("x")


@pytest.mark.parametrize("name", ["ftp.FTPFileSystem", "webhdfs.WebHDFS", "arrow.ArrowFSWrapper"])
def test_a_file_system_without_a_put_of_its_own_writes_in_place(name: str) -> None:
    module, _, class_name = name.partition(".")
    file_system = getattr(import_module(f"fsspec.implementations.{module}"), class_name)
    unconnected = type(class_name, (file_system,), {"__init__": lambda self: None, "__del__": lambda self: None})
    assert not puts_atomically(unconnected())


@pytest.mark.parametrize("name", ["s3fs.S3FileSystem", "adlfs.AzureBlobFileSystem", "gcsfs.GCSFileSystem"])
def test_the_stores_that_exports_are_tested_on_put_atomically(name: str) -> None:
    module, _, class_name = name.partition(".")
    file_system = getattr(pytest.importorskip(module), class_name)
    assert puts_atomically(file_system.__new__(file_system))


class InPlace(MemoryFileSystem):
    cachable = False
    store: ClassVar[dict[str, object]] = {}
    pipe_file = AbstractFileSystem.pipe_file


@pytest.mark.parametrize("operation", ["put", "put_if", "export"])
def test_a_file_system_that_writes_in_place_is_refused_before_anything_is_read_or_written(operation: str) -> None:
    store = ObjectStore(InPlace(), "/exports", "odd://exports")
    with pytest.raises(DestinationError, match="odd://exports can take no export: InPlace writes files in place"):
        {
            "put": lambda: store.put("x", b"1"),
            "put_if": lambda: store.put_if("x", b"1", None),
            "export": lambda: export(pages_of(1), store, work()),
        }[operation]()
    assert store.names_below() == {}


def test_a_temporary_file_that_may_not_be_made_is_an_error_about_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(**kwargs: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", "/tmp/x")

    monkeypatch.setattr("tempfile.NamedTemporaryFile", refused)
    with pytest.raises(DestinationError, match="Check the owner and permissions of that folder") as raised:
        ObjectStore(MemoryFileSystem(), "/x", "memory://x", "conn").create("x")
    assert "credentials" not in str(raised.value)


def test_a_temporary_file_that_may_not_be_written_is_an_error_about_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    file = ObjectStore(MemoryFileSystem(), "/x", "memory://x", "conn").create("x")

    def refused(data: bytes) -> int:
        raise PermissionError(errno.EACCES, "Permission denied")

    with monkeypatch.context() as broken:
        broken.setattr(file._file, "write", refused)
        with pytest.raises(DestinationError, match="Check the owner and permissions of that folder"):
            file.write(b"1")
    file.abandon()


def test_a_temporary_file_that_does_not_fit_names_its_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    file = ObjectStore(MemoryFileSystem(), "/full", "memory://full").create("x")

    def full(data: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(file._file, "write", full)
    with pytest.raises(TransientError, match=f"temporary file of '{tmp_path}' for an upload .*No space is left"):
        file.write(b"1")
    file.abandon()
    assert list(tmp_path.iterdir()) == []
