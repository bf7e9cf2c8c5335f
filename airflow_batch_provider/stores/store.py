"""A folder that an export goes to: what every store can do. All operations may be repeated, and are retried."""

from __future__ import annotations

import contextlib
import hashlib
import io
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, ClassVar

from airflow_batch_provider.exceptions import DestinationError
from airflow_batch_provider.stores.errors import Cause
from airflow_batch_provider.stores.new_file import NewFile
from airflow_batch_provider.stores.retry import ConflictError, DestinationName, Result, attempt
from airflow_batch_provider.stores.role import DESTINATION, Role

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem


class Store(ABC):
    """A folder for exports.

    Its methods raise FileNotFoundError (this file is not there) and this package's own errors, nothing else. A subclass
    implements the primitives, which may raise whatever their library raises.

    :param fs: the file system, with its credentials
    :param root: the folder's path in it
    :param uri: the folder for people, and for downstream tasks
    :param conn_id: the Airflow connection, for people
    :param role: what the folder is to the task, for people
    """

    on_disk: ClassVar[bool] = False
    """Whether it is a local disk."""

    def __init__(
        self, fs: AbstractFileSystem, root: str, uri: str, conn_id: str | None = None, role: Role = DESTINATION
    ) -> None:
        self.fs = fs
        self.root = str(fs._strip_protocol(root)).rstrip("/")  # as the file system spells it in its listings
        self.uri = uri
        self.name = DestinationName(uri, conn_id, self.on_disk, role)

    @property
    def operations_at_once(self) -> int:
        """How many threads may use it."""
        return 1

    def uri_of(self, name: str) -> str:
        """Return the URI of a file for readers that know no Airflow connection."""
        scheme, _, rest = self.uri.partition("://")
        bucket, slash, folder = rest.partition("/")
        scheme = "file" if self.on_disk else scheme
        return f"{scheme}://{bucket.rpartition('@')[2]}{slash}{folder}/{name}"

    @property
    def is_conditional(self) -> bool:
        """Whether :meth:`put_if` checks and writes in one step."""
        return False

    @property
    def account(self) -> str | None:
        """The storage account, if a bucket's name is unique only within one: Azure's."""
        return None

    @abstractmethod
    def create(self, name: str) -> NewFile:
        """Begin a file; it is there once it is closed."""

    @abstractmethod
    def open(self, name: str) -> io.BufferedReader:
        """Open a file to read it from its beginning on, in constant memory.

        :raises FileNotFoundError: it is not there
        """

    def is_temporary(self, name: str) -> bool:
        """Return whether a file is one that this store makes on its way to another, and a kill may leave."""
        return False

    def remove_empty_folders(self, folder: str) -> None:  # noqa: B027 - object stores have no folders
        """Remove what is left of a folder without files, if the store has folders."""

    def read(self, name: str) -> bytes | None:
        """Return a file's content as it is now, or None if there is none."""
        with contextlib.suppress(FileNotFoundError):
            return attempt(lambda: self._read(name), f"read {name}", self.name)
        return None

    def put(self, name: str, content: bytes) -> None:
        """Write a small file atomically: readers see the old content or the new, nothing between."""
        self._writing(lambda: self._put(name, content), f"write {name}")

    def publish(self, staged: str, name: str) -> None:
        """Put a staged file under its final name, atomically. The staged one stays.

        :raises FileNotFoundError: the staged file is not there
        """
        attempt(lambda: self._publish(staged, name), f"publish {name}", self.name)

    def version(self, name: str) -> str | None:
        """Return a file's version (ETag, generation), which changes with its content, or None if there is no file."""
        with contextlib.suppress(FileNotFoundError):
            return attempt(lambda: self._version(name), f"look at {name}", self.name)
        return None

    def versions_of(self, names: Sequence[str]) -> dict[str, str] | None:
        """Return the versions of those of many files that are there, if the store can list them together.

        It costs a request for a thousand files, or for each that is asked for, whichever is less. A file may be left
        out although it is there, if the store lists in an order of its own; a version that is returned is right.

        :param names: the files
        :return: None if the store cannot
        """
        return None

    def put_if(self, name: str, content: bytes, version: str | None) -> bool:
        """Write a small file atomically if it has not changed; return whether it was written.

        S3, Azure and Google check and write in one request. Other stores have no conditional writes: there the version
        is read right before the file is written, and a concurrent writer in that moment is overwritten.

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
            attempt(put, f"write {name}", self.name)
        except ConflictError:
            # An earlier try of ours may have arrived though its answer was lost.
            return tries > 1 and self.read(name) == content
        except FileNotFoundError as error:
            if version is None:
                raise self._no_folder(error) from error
            return False
        return True

    def size(self, name: str) -> int | None:
        """Return a file's size, or None if there is none."""
        with contextlib.suppress(FileNotFoundError):
            return attempt(lambda: self._size(name), f"look at {name}", self.name)
        return None

    def names_below(self, folder: str = "") -> dict[str, float]:
        """Return the files in a folder and below it, by name, with their age in seconds."""
        with contextlib.suppress(FileNotFoundError):
            found = attempt(lambda: self._found_below(folder), f"list {folder or 'the files'}", self.name)
            return {name: age for name, (age, _) in found.items()}
        return {}

    def sizes_below(self, folder: str) -> dict[str, int]:
        """Return the files in a folder and below it, by name, with their sizes."""
        with contextlib.suppress(FileNotFoundError):
            found = attempt(lambda: self._found_below(folder), f"list {folder}", self.name)
            return {name: size for name, (_, size) in found.items()}
        return {}

    def remove(self, name: str) -> None:
        """Remove a file; one that is gone already is fine, another try may have been quicker."""
        with contextlib.suppress(FileNotFoundError):
            attempt(lambda: self._remove(name), f"remove {name}", self.name)

    def _path(self, name: str) -> str:
        return f"{self.root}/{name}"

    def _writing(self, operation: Callable[[], Result], what: str) -> Result:
        try:
            return attempt(operation, what, self.name)
        except FileNotFoundError as error:
            raise self._no_folder(error) from error

    def _no_folder(self, error: FileNotFoundError) -> DestinationError:
        return DestinationError(f"{error} {self.name.advice(Cause.NO_FILE)}")

    @abstractmethod
    def _read(self, name: str) -> bytes: ...

    @abstractmethod
    def _put(self, name: str, content: bytes) -> None: ...

    @abstractmethod
    def _publish(self, staged: str, name: str) -> None: ...

    @abstractmethod
    def _size(self, name: str) -> int: ...

    @abstractmethod
    def _version(self, name: str) -> str: ...

    def _put_if(self, name: str, content: bytes, version: str | None) -> None:
        """Write a file if it has a version; without conditional writes, a concurrent writer can slip in between."""
        try:
            current: str | None = self._version(name)
        except FileNotFoundError:
            current = None
        if current != version:
            raise ConflictError(f"{self.uri}/{name} is another one than was expected.")
        self._put(name, content)

    @abstractmethod
    def _found_below(self, folder: str) -> dict[str, tuple[float, int]]:
        """Return the files in a folder and below it, by name, with their age in seconds and their size."""
        ...

    @abstractmethod
    def _remove(self, name: str) -> None: ...


def content_version(content: bytes) -> str:
    """Return the version of a content, for stores that keep none."""
    return hashlib.sha256(content).hexdigest()
