"""A folder of a local file system as a destination."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import io
import os
import re
import shutil
import stat
import time
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from airflow_batch_provider.stores.new_file import BUFFER_BYTES, LocalNewFile, NewFile
from airflow_batch_provider.stores.retry import attempt, run_once
from airflow_batch_provider.stores.store import Store, content_version

Made = TypeVar("Made")

SECONDS_OF_LOCK = 10.0
SECONDS_BETWEEN_LOCKS = 0.005

_MOST_RACES = 100
_TEMPORARY = re.compile(r"\.\d+\.[0-9a-f]{8}\.tmp$")
_NO_LOCKS = {errno.EBADF, errno.EINVAL, errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP}
_NO_LINKS = {errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EXDEV, errno.EINVAL}


class LocalStore(Store):
    """A folder of a local file system, which gives atomic renames and needs its folders made.

    Conditional puts hold a lock on the folder. Network file systems that cannot lock a folder give what
    :meth:`Store.put_if` says of stores without conditions.
    """

    on_disk = True

    @property
    def is_conditional(self) -> bool:
        def can_lock() -> bool:
            with self._lock() as is_locked:
                return is_locked

        return attempt(can_lock, "lock the folder", self.name)

    def create(self, name: str) -> NewFile:
        path = self._path(name)

        def make() -> NewFile:
            file = _in_folder(path, lambda: open(path, "wb", buffering=BUFFER_BYTES))  # noqa: SIM115 (it outlives this)
            return LocalNewFile(file, path, self.name)

        return self._writing(make, f"write {name}")

    def open(self, name: str) -> io.BufferedReader:
        return attempt(lambda: io.BufferedReader(_Reader(self, name)), f"read {name}", self.name)

    def _read(self, name: str) -> bytes:
        with open(self._path(name), "rb") as file:
            return file.read()

    def _put_if(self, name: str, content: bytes, version: str | None) -> None:
        with self._lock():
            super()._put_if(name, content, version)

    def _put(self, name: str, content: bytes) -> None:
        # Without the lock: a process that is stopped while it writes a name of its own blocks no other.
        def write(beside: str) -> None:
            with open(beside, "wb") as file:
                file.write(content)

        self._put_beside(name, write)

    def _publish(self, staged: str, name: str) -> None:
        source = self._path(staged)

        def link(beside: str) -> None:
            try:
                os.link(source, beside)
            except OSError as error:
                if error.errno not in _NO_LINKS:
                    raise
                shutil.copyfile(source, beside)

        self._put_beside(name, link, needs=source)

    def _put_beside(self, name: str, make: Callable[[str], None], needs: str | None = None) -> None:
        """Make a file beside another and rename it; a concurrent cleaner may take it for what a kill has left."""

        def put() -> None:
            with self._beside(name) as beside:
                make(beside)
                os.replace(beside, self._path(name))

        _in_folder(self._path(name), put, needs)

    def _version(self, name: str) -> str:
        return content_version(self._read(name))

    def _size(self, name: str) -> int:
        status = os.stat(self._path(name))
        if not stat.S_ISREG(status.st_mode):  # as in an object store, which has no folders
            raise FileNotFoundError(f"{self.uri}/{name}")
        return status.st_size

    def _found_below(self, folder: str) -> dict[str, tuple[float, int]]:
        now = time.time()
        found = {}
        for current, _, names in os.walk(self._path(folder).rstrip("/"), onerror=_fail_unless_gone):
            for name in names:
                path = os.path.join(current, name)
                with contextlib.suppress(FileNotFoundError):  # a concurrent cleaner may be at work
                    status = os.lstat(path)
                    found[path.removeprefix(f"{self.root}/")] = now - status.st_mtime, status.st_size
        return found

    def _remove(self, name: str) -> None:
        os.remove(self._path(name))

    def is_temporary(self, name: str) -> bool:
        return _TEMPORARY.search(name) is not None

    def remove_empty_folders(self, folder: str) -> None:
        for current, _, _ in os.walk(self._path(folder), topdown=False):
            with contextlib.suppress(OSError):  # another export is at work in it
                os.rmdir(current)

    @contextlib.contextmanager
    def _beside(self, name: str) -> Iterator[str]:
        """Give a path for a new file beside another, and leave nothing there."""
        path = f"{self._path(name)}.{os.getpid()}.{os.urandom(4).hex()}.tmp"
        try:
            yield path
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.remove(path)

    @contextlib.contextmanager
    def _lock(self) -> Iterator[bool]:
        """Keep the folder's lock for the block; yield whether there is one."""
        os.makedirs(self.root, exist_ok=True)
        descriptor = os.open(self.root, os.O_RDONLY)
        is_locked = True
        try:
            try:
                _lock_soon(descriptor)
            except OSError as error:
                if error.errno not in _NO_LOCKS:
                    raise
                is_locked = False
            yield is_locked
        finally:
            os.close(descriptor)


class _Reader(io.FileIO):
    """A file whose errors are ours."""

    def __init__(self, store: LocalStore, name: str) -> None:
        super().__init__(store._path(name))
        self._store = store
        self._what = f"read {name}"

    def readinto(self, buffer: Any, /) -> int | None:
        return run_once(lambda: super(_Reader, self).readinto(buffer), self._what, self._store.name)

    def readall(self) -> bytes:
        return run_once(super().readall, self._what, self._store.name)


def _lock_soon(descriptor: int) -> None:
    """Lock a folder; the process that has the lock writes a small file, unless it was stopped meanwhile.

    :raises TimeoutError: it is held for too long
    """
    ends = time.monotonic() + SECONDS_OF_LOCK
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > ends:
                raise TimeoutError(f"another process has held the folder for {SECONDS_OF_LOCK:g} s") from None
            time.sleep(SECONDS_BETWEEN_LOCKS)
        else:
            return


def _in_folder(path: str, make: Callable[[], Made], needs: str | None = None) -> Made:
    """Make a file, and its folder, which a concurrent cleaner may remove while it is empty.

    :param path: the file
    :param make: makes it
    :param needs: another file that must be there
    """
    with contextlib.suppress(FileNotFoundError):
        return make()  # the folder is there already for all files but the first
    for attempts_left in reversed(range(_MOST_RACES)):
        try:
            os.makedirs(os.path.dirname(path), exist_ok=True)
            return make()
        except (FileNotFoundError, FileExistsError):  # makedirs raises either if the folder vanishes meanwhile
            if not attempts_left or (needs and not os.path.exists(needs)):
                raise
    raise AssertionError("unreachable")


def _fail_unless_gone(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError):
        raise error
