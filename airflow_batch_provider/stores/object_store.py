"""A folder in an object store, over fsspec."""

from __future__ import annotations

import bisect
import functools
import inspect
import io
import math
import os
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow_batch_provider.exceptions import DestinationError, TransientError
from airflow_batch_provider.stores.conditional_writes import conditional_writes_of, puts_atomically
from airflow_batch_provider.stores.new_file import NewFile, UploadedNewFile
from airflow_batch_provider.stores.parallel import for_each
from airflow_batch_provider.stores.retry import attempt
from airflow_batch_provider.stores.role import DESTINATION, Role
from airflow_batch_provider.stores.store import Store, content_version

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

SECONDS_PER_CALL = 40.0
SECONDS_PER_LONG_CALL = 600.0
"""For what grows with the number of files or is done on the server: listings and copies."""
SLOWEST_BYTES_PER_SECOND = 256 * 1024
READ_BYTES = 8 << 20
OPERATIONS_AT_ONCE = 8
"""The stores' clients keep ten connections."""


class ObjectStore(Store):
    """A folder in an object store; parameters as for :class:`Store`."""

    def __init__(
        self, fs: AbstractFileSystem, root: str, uri: str, conn_id: str | None = None, role: Role = DESTINATION
    ) -> None:
        super().__init__(fs, root, uri, conn_id, role)
        self._is_async = bool(getattr(fs, "async_impl", False))
        self._conditional = conditional_writes_of(fs)

    @property
    def operations_at_once(self) -> int:
        """How many threads may use it: file systems without an event loop of their own promise nothing."""
        return OPERATIONS_AT_ONCE if self._is_async else 1

    @property
    def is_conditional(self) -> bool:
        """Whether :meth:`put_if` checks and writes in one step: fsspec has no word for it, some stores do."""
        return self._conditional is not None

    @property
    def account(self) -> str | None:
        """The storage account, where a bucket's name is unique only within one: Azure's."""
        client = getattr(self.fs, "service_client", None)
        return getattr(client, "account_name", None)

    def create(self, name: str) -> NewFile:
        """Begin a file; it is there once it is closed."""
        return attempt(
            lambda: UploadedNewFile(functools.partial(self._upload, name), self.name),
            "make a temporary file for an upload",
            self.name.via_disk(),
        )

    def open(self, name: str) -> io.BufferedReader:
        """Open a file to read it from its beginning on, in constant memory.

        :raises FileNotFoundError: it is not there
        """
        size = self.size(name)
        if size is None:
            raise FileNotFoundError(f"{self.uri}/{name}")
        return io.BufferedReader(_Reader(self, name, size), READ_BYTES)

    def versions_of(self, names: Sequence[str]) -> dict[str, str] | None:
        """Return the versions of those of many files that are there; None if the store cannot list from a name on."""
        if self._conditional is None or self._conditional.list_after is None:
            return None
        wanted, found = sorted(names), dict[str, str]()
        share = max(1, math.ceil(len(wanted) / self.operations_at_once))
        shares = [wanted[start : start + share] for start in range(0, len(wanted), share)]
        for_each(self, lambda names: found.update(self._versions_in_order(names)), shares)
        return found

    def _versions_in_order(self, names: Sequence[str]) -> dict[str, str]:
        """Return the versions of files, listing from the first to the last of them and leaping over what is between."""
        found: dict[str, str] = {}
        wanted = set(names)
        after = names[0][:-1]  # the listing begins after what it is given
        while True:
            try:
                listed, has_more = attempt(functools.partial(self._list_after, after), "list the files", self.name)
            except FileNotFoundError:  # there is no such bucket
                return found
            found.update({name: version for name, version in listed if name in wanted})
            last = listed[-1][0] if listed else ""
            following = bisect.bisect_right(names, last)
            if not has_more or last <= after or following == len(names):
                return found
            after = max(last, names[following][:-1])

    def _list_after(self, after: str) -> tuple[list[tuple[str, str]], bool]:
        assert self._conditional
        listed: tuple[list[tuple[str, str]], bool] = self._await(
            self._conditional.list_after, self.fs, self.root, after
        )
        return listed

    def read_range(self, name: str, start: int, end: int) -> bytes:
        """Return the bytes of a file from ``start`` to before ``end``."""
        return attempt(
            lambda: bytes(self._call("cat_file", self._path(name), start=start, end=end)), f"read {name}", self.name
        )

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

    def _upload(self, name: str, path: str) -> None:
        def upload() -> None:
            self._call("put_file", path, self._path(name), seconds=_seconds_for(os.path.getsize(path)))

        self._writing(upload, f"upload {name}")

    def _read(self, name: str) -> bytes:
        self.fs.invalidate_cache()
        # s3fs asks for the size first, to read large files in pieces, unless it is told not to.
        takes = inspect.signature(self.fs._cat_file).parameters if self._is_async else {}
        options = {"max_concurrency": 1} if "max_concurrency" in takes else {}
        return bytes(self._call("cat_file", self._path(name), **options))

    def _put(self, name: str, content: bytes) -> None:
        if not puts_atomically(self.fs):
            raise DestinationError(
                f"{self.uri} can take no export: {type(self.fs).__name__} writes files in place, so readers could meet "
                "half a manifest. Export to a local folder or an object store, and copy from there."
            )
        self._call("pipe_file", self._path(name), content, seconds=_seconds_for(len(content)))

    def _publish(self, staged: str, name: str) -> None:
        self.fs.invalidate_cache()
        paths = self._path(staged), self._path(name)
        if self._conditional and self._conditional.copy:
            self._await(self._conditional.copy, self.fs, *paths, seconds=SECONDS_PER_LONG_CALL)
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
        return self._conditional.version(self._info(name)) if self._conditional else content_version(self._read(name))

    def _put_if(self, name: str, content: bytes, version: str | None) -> None:
        if self._conditional:
            self._await(self._conditional.put_if, self.fs, self._path(name), content, version)
        else:
            super()._put_if(name, content, version)

    def _found_below(self, folder: str) -> dict[str, tuple[float, int]]:
        self.fs.invalidate_cache()
        top = self._path(folder).rstrip("/")
        found: dict[str, dict[str, Any]] = self._call("find", top, detail=True, seconds=SECONDS_PER_LONG_CALL)
        now = datetime.now(UTC)
        return {
            path.removeprefix(f"{self.root}/"): (_age(info, now), int(info.get("size") or 0))
            for path, info in found.items()
            if info.get("type") == "file" and path.startswith(f"{top}/")
        }

    def _remove(self, name: str) -> None:
        self._call("rm_file", self._path(name))


class _Reader(io.RawIOBase):
    """A file that is read piece by piece, each piece as often as it takes."""

    def __init__(self, store: ObjectStore, name: str, size: int) -> None:
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
