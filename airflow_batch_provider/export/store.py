"""The place that an export goes to: a local folder or an object store, over fsspec."""

from __future__ import annotations

import contextlib
import os
from datetime import UTC, datetime
from typing import IO, TYPE_CHECKING, Any
from urllib.parse import urlsplit

from airflow_batch_provider.exceptions import DestinationError

if TYPE_CHECKING:
    from airflow.sdk import ObjectStoragePath
    from fsspec import AbstractFileSystem


class Store:
    """A folder in an object store.

    :param fs: the file system, with its credentials
    :param root: the folder's path in it
    :param uri: the folder for people, and for downstream tasks
    """

    def __init__(self, fs: AbstractFileSystem, root: str, uri: str) -> None:
        self.fs = fs
        # As the file system spells it in its listings.
        self.root = str(fs._strip_protocol(root)).rstrip("/")
        self.uri = uri

    def _path(self, name: str) -> str:
        return f"{self.root}/{name}"

    def open_new(self, name: str) -> IO[bytes]:
        """Open a file to write. It may become visible unfinished, so only staged files are written so."""
        file: IO[bytes] = self.fs.open(self._path(name), "wb")
        return file

    def read(self, name: str) -> bytes | None:
        """Return a file's content as it is now, or None where there is none."""
        self.fs.invalidate_cache()
        try:
            content: bytes = self.fs.cat_file(self._path(name))
        except FileNotFoundError:
            return None
        except PermissionError as error:
            raise DestinationError(f"{self.uri} refuses access: {error}. Check its connection and rights.") from error
        return content

    def put(self, name: str, content: bytes) -> None:
        """Write a small file at one stroke: readers see the old content or the new, nothing between."""
        self.fs.pipe_file(self._path(name), content)

    def publish(self, staged: str, name: str) -> None:
        """Put a staged file under its final name."""
        self.fs.cp_file(self._path(staged), self._path(name))

    def size(self, name: str) -> int | None:
        """Return a file's size, or None where there is none."""
        self.fs.invalidate_cache()
        try:
            return int(self.fs.info(self._path(name))["size"])
        except FileNotFoundError:
            return None

    def names_below(self, folder: str = "") -> dict[str, float]:
        """Return the files in a folder and below it, by name, with their age in seconds."""
        self.fs.invalidate_cache()
        top = self._path(folder).rstrip("/")
        try:
            found: dict[str, dict[str, Any]] = self.fs.find(top, detail=True)
        except FileNotFoundError:
            return {}
        now = datetime.now(UTC)
        return {path.removeprefix(f"{self.root}/"): _age(info, now) for path, info in found.items()}

    def remove(self, name: str) -> None:
        """Remove a file; one that is gone already is fine, another try may have been quicker."""
        with contextlib.suppress(FileNotFoundError):
            self.fs.rm_file(self._path(name))

    def remove_empty_folders(self, folder: str) -> None:
        """Remove what is left of a folder without files; object stores have no folders."""


class LocalStore(Store):
    """A folder of a local file system, which gives atomic renames and needs its folders made."""

    def open_new(self, name: str) -> IO[bytes]:
        """See :class:`Store`."""
        os.makedirs(os.path.dirname(self._path(name)), exist_ok=True)
        return open(self._path(name), "wb")

    def put(self, name: str, content: bytes) -> None:
        """See :class:`Store`."""
        beside = f"{self._path(name)}.{os.getpid()}.{os.urandom(4).hex()}.tmp"
        os.makedirs(os.path.dirname(beside), exist_ok=True)
        try:
            with open(beside, "wb") as file:
                file.write(content)
            os.replace(beside, self._path(name))
        finally:
            if os.path.exists(beside):
                os.remove(beside)

    def publish(self, staged: str, name: str) -> None:
        """See :class:`Store`."""
        os.replace(self._path(staged), self._path(name))

    def remove_empty_folders(self, folder: str) -> None:
        """See :class:`Store`."""
        for current, _, _ in os.walk(self._path(folder), topdown=False):
            try:
                os.rmdir(current)
            except OSError:
                return  # another export is at work in it


def _age(info: dict[str, Any], now: datetime) -> float:
    """Return a file's age in seconds, from whatever its store calls the time of change; 0 where it says none."""
    for key in ("mtime", "LastModified", "last_modified", "updated"):
        changed = info.get(key)
        if isinstance(changed, (int, float)):
            return now.timestamp() - changed
        if isinstance(changed, str):
            changed = datetime.fromisoformat(changed)
        if isinstance(changed, datetime):
            return (now - changed).total_seconds()
    return 0.0


def open_store(destination: str | ObjectStoragePath, conn_id: str | None = None) -> Store:
    """Open the folder that an export goes to.

    :param destination: a URI such as ``s3://aws_default@raw/playment``, an absolute local path, or a path object
    :param conn_id: the Airflow connection for a URI that names none
    :raises DestinationError: it is no such thing, or its file system cannot be had
    """
    from airflow.sdk import ObjectStoragePath

    uri = str(destination) if isinstance(destination, ObjectStoragePath) else _as_uri(destination)
    if "@" in urlsplit(uri).netloc:
        conn_id = None  # the one in the URI counts
    try:
        path = ObjectStoragePath(uri, conn_id=conn_id)
    except ValueError as error:
        raise DestinationError(f"Cannot open destination {uri!r}: {error}.") from error
    fs = _file_system(path)
    is_local = path.protocol in {"file", "local"}
    return (LocalStore if is_local else Store)(fs, path.path, str(path).rstrip("/"))


def _as_uri(destination: object) -> str:
    text = destination.strip() if isinstance(destination, str) else ""
    if text.startswith("/"):
        return f"file://{text}"
    if "://" not in text:
        raise DestinationError(
            f"destination={destination!r} is neither a URI such as 's3://aws_default@bucket/folder' "
            "nor an absolute path."
        )
    if ":" in urlsplit(text).netloc.rpartition("@")[0]:
        raise DestinationError("destination holds credentials; put them into a connection and name its id instead.")
    return text


def _file_system(path: ObjectStoragePath) -> AbstractFileSystem:
    """Resolve the file system now: left to itself, Airflow falls back to an anonymous one when it fails."""
    from airflow.providers.common.compat.sdk import AirflowNotFoundException, BaseHook

    place = f"destination {path.as_uri()!r}" + (f" with connection {path.conn_id!r}" if path.conn_id else "")
    if path.conn_id:
        try:
            BaseHook.get_connection(path.conn_id)
        except AirflowNotFoundException:
            raise DestinationError(f"There is no connection {path.conn_id!r} for {place}.") from None
    try:
        return path.fs
    except (ValueError, ImportError, OSError, AttributeError) as error:
        raise DestinationError(
            f"Cannot open {place}: {error}. Is the provider package of that store installed?"
        ) from error
