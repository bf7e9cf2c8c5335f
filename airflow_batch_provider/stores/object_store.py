"""The place that an export goes to, over fsspec. All operations may be repeated, and are while the store is away."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import io
import os
from collections.abc import Callable
from datetime import UTC, datetime
from typing import IO, TYPE_CHECKING, Any

from airflow_batch_provider.exceptions import DestinationError, TransientError
from airflow_batch_provider.stores.conditional_writes import kind_of
from airflow_batch_provider.stores.new_file import NewFile, UploadedNewFile
from airflow_batch_provider.stores.retry import ConflictError, Place, Result, attempt

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

SECONDS_PER_CALL = 40.0
SECONDS_PER_LONG_CALL = 600.0
"""For what grows with the number of files or is done on the server: listings and copies."""
SLOWEST_BYTES_PER_SECOND = 256 * 1024
READ_BYTES = 8 << 20
OPERATIONS_AT_ONCE = 8
"""The stores' clients keep ten connections."""


class Store:
    """A folder in an object store.

    Of errors only FileNotFoundError (this file is not there) and this package's own leave it.

    :param fs: the file system, with its credentials
    :param root: the folder's path in it
    :param uri: the folder for people, and for downstream tasks
    :param conn_id: the Airflow connection, for people
    """

    def __init__(self, fs: AbstractFileSystem, root: str, uri: str, conn_id: str | None = None) -> None:
        self.fs = fs
        # As the file system spells it in its listings.
        self.root = str(fs._strip_protocol(root)).rstrip("/")
        self.uri = uri
        self.place = Place(uri, conn_id)
        self._is_async = bool(getattr(fs, "async_impl", False))
        self._kind = kind_of(fs)

    @property
    def operations_at_once(self) -> int:
        """How many threads may use it: file systems without an event loop of their own promise nothing."""
        return OPERATIONS_AT_ONCE if self._is_async else 1

    @property
    def account(self) -> str | None:
        """The storage account, where a bucket's name is unique only within one: Azure's."""
        client = getattr(self.fs, "service_client", None)
        return getattr(client, "account_name", None)

    def create(self, name: str) -> NewFile:
        """Begin a file; it is there once it is closed."""
        return attempt(
            lambda: UploadedNewFile(functools.partial(self._upload, name), self.place),
            "make a temporary file for an upload",
            self.place,
        )

    def open(self, name: str) -> IO[bytes]:
        """Open a file to read it from its beginning on, in constant memory.

        :raises FileNotFoundError: it is not there
        """
        size = self.size(name)
        if size is None:
            raise FileNotFoundError(f"{self.uri}/{name}")
        return io.BufferedReader(_Reader(self, name, size), READ_BYTES)

    def read(self, name: str) -> bytes | None:
        """Return a file's content as it is now, or None where there is none."""
        with contextlib.suppress(FileNotFoundError):
            return attempt(lambda: self._read(name), f"read {name}", self.place)
        return None

    def read_range(self, name: str, start: int, end: int) -> bytes:
        """Return the bytes of a file from ``start`` to before ``end``."""
        return attempt(
            lambda: bytes(self._call("cat_file", self._path(name), start=start, end=end)), f"read {name}", self.place
        )

    def put(self, name: str, content: bytes) -> None:
        """Write a small file at one stroke: readers see the old content or the new, nothing between."""
        self._writing(lambda: self._put(name, content), f"write {name}")

    def publish(self, staged: str, name: str) -> None:
        """Put a staged file under its final name, at one stroke. The staged one stays.

        :raises FileNotFoundError: the staged file is not there
        """
        attempt(lambda: self._publish(staged, name), f"publish {name}", self.place)

    def version(self, name: str) -> str | None:
        """Return what tells this content of a file from any other, or None where there is no file."""
        with contextlib.suppress(FileNotFoundError):
            return attempt(lambda: self._version(name), f"look at {name}", self.place)
        return None

    def put_if(self, name: str, content: bytes, version: str | None) -> bool:
        """Write a small file at one stroke if it has not changed; tell whether it was written.

        S3, Azure and Google check and write in one. Other stores know no condition: there the version is looked at
        right before the file is written, and a rival that writes in that moment is overwritten.

        :param name: the file
        :param content: the new content
        :param version: what :meth:`version` returned; None: only if there is no such file
        """
        tries = 0

        def put() -> None:
            nonlocal tries
            tries += 1
            self._put_if(name, content, version)

        try:
            attempt(put, f"write {name}", self.place)
        except ConflictError:
            # An earlier try of ours may have arrived though its answer was lost.
            return tries > 1 and self.read(name) == content
        except FileNotFoundError as error:
            if version is None:
                raise self._no_bucket(error) from error
            return False
        return True

    def size(self, name: str) -> int | None:
        """Return a file's size, or None where there is none."""
        with contextlib.suppress(FileNotFoundError):
            return attempt(lambda: self._size(name), f"look at {name}", self.place)
        return None

    def names_below(self, folder: str = "") -> dict[str, float]:
        """Return the files in a folder and below it, by name, with their age in seconds."""
        with contextlib.suppress(FileNotFoundError):
            return attempt(lambda: self._names_below(folder), f"list {folder or 'the files'}", self.place)
        return {}

    def remove(self, name: str) -> None:
        """Remove a file; one that is gone already is fine, another try may have been quicker."""
        with contextlib.suppress(FileNotFoundError):
            attempt(lambda: self._remove(name), f"remove {name}", self.place)

    def is_temporary(self, name: str) -> bool:
        """Tell whether a file is one that this store makes on its way to another, and a kill may leave."""
        return False

    def remove_empty_folders(self, folder: str) -> None:
        """Remove what is left of a folder without files; object stores have no folders."""

    def _path(self, name: str) -> str:
        return f"{self.root}/{name}"

    def _call(self, method: str, *args: Any, seconds: float | None = None, **kwargs: Any) -> Any:
        """Call the file system, for no longer than it should take: the stores' own retries can take half an hour."""
        if not self._is_async:
            return getattr(self.fs, method)(*args, **kwargs)
        return self._await(getattr(self.fs, f"_{method}"), *args, seconds=seconds, **kwargs)

    def _await(self, function: Any, *args: Any, seconds: float | None = None, **kwargs: Any) -> Any:
        from fsspec.asyn import sync
        from fsspec.exceptions import FSTimeoutError

        seconds = seconds or SECONDS_PER_CALL
        try:
            return sync(self.fs.loop, function, *args, timeout=seconds, **kwargs)
        except FSTimeoutError:
            raise TimeoutError(f"no answer within {seconds:.0f} s") from None

    def _writing(self, operation: Callable[[], Result], what: str) -> Result:
        try:
            return attempt(operation, what, self.place)
        except FileNotFoundError as error:
            raise self._no_bucket(error) from error

    @staticmethod
    def _no_bucket(error: FileNotFoundError) -> DestinationError:
        return DestinationError(f"{error} Check that the bucket or container exists.")

    def _upload(self, name: str, path: str) -> None:
        def upload() -> None:
            self._call("put_file", path, self._path(name), seconds=_seconds_for(os.path.getsize(path)))

        self._writing(upload, f"upload {name}")

    def _read(self, name: str) -> bytes:
        self.fs.invalidate_cache()
        return bytes(self._call("cat_file", self._path(name)))

    def _put(self, name: str, content: bytes) -> None:
        self._call("pipe_file", self._path(name), content, seconds=_seconds_for(len(content)))

    def _publish(self, staged: str, name: str) -> None:
        self.fs.invalidate_cache()
        paths = self._path(staged), self._path(name)
        if self._kind and self._kind.copy:
            self._await(self._kind.copy, self.fs, *paths, seconds=SECONDS_PER_LONG_CALL)
        else:
            self._call("cp_file", *paths, seconds=SECONDS_PER_LONG_CALL)

    def _info(self, name: str) -> dict[str, Any]:
        self.fs.invalidate_cache()
        info: dict[str, Any] = self._call("info", self._path(name))
        if info.get("type") != "file":
            raise FileNotFoundError(f"{self.uri}/{name}")
        return info

    def _size(self, name: str) -> int:
        return int(self._info(name)["size"])

    def _version(self, name: str) -> str:
        return self._kind.version(self._info(name)) if self._kind else _digest(self._read(name))

    def _put_if(self, name: str, content: bytes, version: str | None) -> None:
        if self._kind:
            self._await(self._kind.put_if, self.fs, self._path(name), content, version)
            return
        try:
            current: str | None = self._version(name)
        except FileNotFoundError:
            current = None
        if current != version:
            raise ConflictError(f"{self.uri}/{name} is another one than was expected.")
        self._put(name, content)

    def _names_below(self, folder: str) -> dict[str, float]:
        self.fs.invalidate_cache()
        top = self._path(folder).rstrip("/")
        found: dict[str, dict[str, Any]] = self._call("find", top, detail=True, seconds=SECONDS_PER_LONG_CALL)
        now = datetime.now(UTC)
        return {
            path.removeprefix(f"{self.root}/"): _age(info, now)
            for path, info in found.items()
            if info.get("type") == "file" and path.startswith(f"{top}/")
        }

    def _remove(self, name: str) -> None:
        self._call("rm_file", self._path(name))


class _Reader(io.RawIOBase):
    """A file that is read piece by piece, each piece as often as it takes."""

    def __init__(self, store: Store, name: str, size: int) -> None:
        self._store = store
        self._name = name
        self._size = size
        self._position = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        end = min(self._size, self._position + len(buffer))
        if end <= self._position:
            return 0
        piece = self._store.read_range(self._name, self._position, end)
        if not piece:
            raise TransientError(f"{self._store.uri}/{self._name} ended after {self._position} of {self._size} bytes.")
        buffer[: len(piece)] = piece
        self._position += len(piece)
        return len(piece)


def _digest(content: bytes) -> str:
    """Return the version of a content where the store has none."""
    return hashlib.sha256(content).hexdigest()


def _seconds_for(size: int) -> float:
    return SECONDS_PER_CALL + size / SLOWEST_BYTES_PER_SECOND


def _age(info: dict[str, Any], now: datetime) -> float:
    """Return a file's age in seconds, from whatever its store calls the time of change; 0 where it says none."""
    for key in ("mtime", "LastModified", "last_modified", "updated"):
        changed = info.get(key)
        if isinstance(changed, (int, float)):
            return now.timestamp() - changed
        if isinstance(changed, str):
            changed = datetime.fromisoformat(changed)
        if isinstance(changed, datetime):
            return (now - changed.replace(tzinfo=changed.tzinfo or UTC)).total_seconds()
    return 0.0
