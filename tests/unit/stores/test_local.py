"""What local folders do: full disks, folders that are none, file systems without links, rivals."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from airflow_batch_provider.exceptions import DestinationError, TransientError
from airflow_batch_provider.stores.destination import Store, open_store


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store(str(tmp_path / "exports"))


def failing(code: int) -> Any:
    def fail(*args: object, **kwargs: object) -> None:
        raise OSError(code, os.strerror(code))

    return fail


def files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_put_that_fails_leaves_the_old_content_and_nothing_else(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.put("x", b"old")
    monkeypatch.setattr("os.replace", failing(errno.ENOSPC))
    with pytest.raises(TransientError, match="No space is left"):
        store.put("x", b"new")
    assert files(tmp_path) == {"exports/x": b"old"}


def test_a_disk_that_is_full_while_a_file_is_written_is_said_and_nothing_is_left(tmp_path: Path) -> None:
    """The limit of a file's size stands for the disk: the system refuses to write more."""
    import resource
    import signal

    store = open_store(str(tmp_path))
    file = store.create("_staging/1")
    file.write(b"x" * 900_000)  # fits into the buffer
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    try:
        with pytest.raises(TransientError, match="No space is left"):
            file.write(b"x" * 900_000)
        file.abandon()  # what is left in the buffer does not fit either
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    file.abandon()
    assert files(tmp_path) == {}


def test_a_close_that_fails_can_be_abandoned(tmp_path: Path) -> None:
    import resource
    import signal

    store = open_store(str(tmp_path))
    file = store.create("_staging/1")
    file.write(b"x" * 200_000)  # stays in the buffer until the file is closed
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    try:
        with pytest.raises(TransientError, match="No space is left"):
            file.close()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    file.abandon()
    assert files(tmp_path) == {}


@pytest.mark.parametrize("code", [errno.EPERM, errno.EOPNOTSUPP, errno.EMLINK])
def test_where_links_are_refused_publishing_copies(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    store.put("staged", b"new")
    store.put("final", b"old")
    monkeypatch.setattr("os.link", failing(code))
    store.publish("staged", "final")
    assert files(tmp_path) == {"exports/staged": b"new", "exports/final": b"new"}


def test_a_published_file_is_no_copy_where_links_are_had(store: Store, tmp_path: Path) -> None:
    store.put("staged", b"new")
    store.publish("staged", "final")
    assert (tmp_path / "exports/final").samefile(tmp_path / "exports/staged")
    assert set(files(tmp_path)) == {"exports/staged", "exports/final"}


@pytest.mark.parametrize("code", [errno.EBADF, errno.ENOLCK])
def test_where_folders_cannot_be_locked_conditional_puts_still_compare(
    store: Store, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    monkeypatch.setattr("fcntl.flock", failing(code))
    assert store.put_if("x", b"1", None)
    assert not store.put_if("x", b"2", None)
    assert store.read("x") == b"1"


@pytest.fixture
def blocked(tmp_path: Path) -> Store:
    """A destination below a file."""
    (tmp_path / "file").write_bytes(b"")
    return open_store(str(tmp_path / "file/exports"))


def test_a_folder_that_is_a_file_is_an_error_that_says_so(blocked: Store, tmp_path: Path) -> None:
    for store in (blocked, open_store(str(tmp_path / "file"))):
        for operation in (lambda s: s.put("x", b"1"), lambda s: s.create("a/x"), lambda s: s.put_if("x", b"", None)):
            with pytest.raises(DestinationError, match="Check that each part of this path is a folder"):
                operation(store)


@pytest.mark.parametrize("code", [errno.EACCES, errno.EROFS])
def test_a_folder_that_may_not_be_written_is_an_error_that_says_so(
    store: Store, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    """The tests may run as root, whom no permission stops."""
    monkeypatch.setattr("os.makedirs", failing(code))
    with pytest.raises(DestinationError, match="Check the owner and permissions of that folder"):
        store.put("x", b"1")


OPERATIONS: dict[str, Callable[[Store], object]] = {
    "put": lambda store: store.put("x", b"1"),
    "create": lambda store: store.create("a/x"),
    "put_if": lambda store: store.put_if("x", b"1", None),
    "list": lambda store: store.names_below(),
    "read": lambda store: store.read("x"),
    "open": lambda store: store.open("x"),
    "remove": lambda store: store.remove("x"),
}
NOT_OF_A_DISK = re.compile("bucket|container|credential|connection|endpoint|region|lease")


@pytest.mark.parametrize("below", ["", "/exports", "/exports/today"])
@pytest.mark.parametrize("target", ["nowhere", "link"])
@pytest.mark.parametrize("operation", ["put", "create", "put_if"])
def test_a_link_that_leads_nowhere_or_to_itself_is_an_error_about_the_path(
    operation: str, target: str, below: str, tmp_path: Path
) -> None:
    (tmp_path / "link").symlink_to(tmp_path / target)
    with pytest.raises(DestinationError, match="Check that each part of this path is a folder, or a link") as raised:
        OPERATIONS[operation](open_store(f"{tmp_path}/link{below}"))
    assert not NOT_OF_A_DISK.search(str(raised.value))


@pytest.mark.parametrize(
    "code", [errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.ELOOP, errno.EEXIST, errno.ENAMETOOLONG]
)
@pytest.mark.parametrize("operation", OPERATIONS)
def test_no_error_of_a_disk_speaks_of_buckets_or_credentials(
    operation: str, code: int, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("os.makedirs", "os.scandir", "os.remove"):
        monkeypatch.setattr(name, failing(code))
    for name in ("open", "_Reader"):
        monkeypatch.setattr(f"airflow_batch_provider.stores.local.{name}", failing(code), raising=False)
    with pytest.raises(DestinationError, match=r"\[Errno \d+\] .*\. Check ") as raised:
        OPERATIONS[operation](store)
    assert not NOT_OF_A_DISK.search(str(raised.value))


def test_a_rival_that_removes_the_empty_folder_stops_no_new_file(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pauses: list[float]
) -> None:
    store.put("staged", b"1")
    makedirs = os.makedirs
    removed: set[str] = set()

    def rival(path: str, exist_ok: bool) -> None:
        makedirs(path, exist_ok=exist_ok)
        if path not in removed and not os.listdir(path):
            removed.add(path)
            os.rmdir(path)

    monkeypatch.setattr("os.makedirs", rival)
    store.create("a/1").close()
    store.put("b/1", b"1")
    store.publish("staged", "c/1")
    assert len(removed) == 3
    assert pauses == []
    assert set(files(tmp_path / "exports")) == {"staged", "a/1", "b/1", "c/1"}


def test_a_folder_that_is_removed_just_after_it_was_found_is_made_again(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pauses: list[float]
) -> None:
    store.put("b", b"1")
    mkdir = os.mkdir

    def exists_no_longer(path: str, mode: int = 0o777) -> None:
        monkeypatch.setattr("os.mkdir", mkdir)
        raise FileExistsError(errno.EEXIST, "it was there", path)

    monkeypatch.setattr("os.mkdir", exists_no_longer)
    store.put("a/x", b"1")
    assert pauses == []
    assert set(files(tmp_path / "exports")) == {"b", "a/x"}


def test_files_that_vanish_while_they_are_listed_are_left_out(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    store.put("a", b"1")
    store.put("b", b"1")
    lstat = os.lstat

    def gone(path: Any, **kwargs: Any) -> os.stat_result:
        if str(path).endswith("/a"):
            raise FileNotFoundError(errno.ENOENT, "gone")
        return lstat(path, **kwargs)

    monkeypatch.setattr("os.lstat", gone)
    assert set(store.names_below()) == {"b"}


def test_a_folder_that_cannot_be_listed_is_not_an_empty_one(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    store.put("a", b"1")
    monkeypatch.setattr("os.scandir", failing(errno.EACCES))
    with pytest.raises(DestinationError, match="Cannot list"):
        store.names_below()


def test_a_disk_that_fails_for_a_moment_is_tried_again(
    store: Store, monkeypatch: pytest.MonkeyPatch, pauses: list[float]
) -> None:
    store.put("a", b"1")
    monkeypatch.setattr("os.path.getsize", failing(errno.EIO))
    real = os.stat
    monkeypatch.setattr(
        "airflow_batch_provider.backoff.pause",
        lambda seconds: monkeypatch.setattr("os.path.getsize", lambda path: real(path).st_size),
    )
    assert store.size("a") == 1
