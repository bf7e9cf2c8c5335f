"""Where rows and files to submit are read from: the same stores as exports go to, but they are only read."""

from __future__ import annotations

import contextlib
import io
import os
from typing import TYPE_CHECKING

import msgspec

from airflow_batch_provider.exceptions import InvalidParameterError
from airflow_batch_provider.stores.destination import Store, open_uri
from airflow_batch_provider.stores.destination_uri import destination_uri, is_local
from airflow_batch_provider.stores.role import Role, source_role

if TYPE_CHECKING:
    from airflow.sdk import ObjectStoragePath

RENDERED = ("[", "{", "(")
"""How a list or a mapping begins that a template has rendered as text."""


class StoredFile(msgspec.Struct, frozen=True):
    """A file, or a folder, in a store.

    :param store: a folder that contains it, or the bucket
    :param name: its name there
    """

    store: Store
    name: str

    @property
    def uri(self) -> str:
        """The URI, with the connection's id if it has one."""
        return f"{self.store.uri}/{self.name}".rstrip("/")

    def size(self) -> int | None:
        """Return its size, None if there is no such file."""
        return self.store.size(self.name) if self.name else None  # else it is a bucket

    def open(self) -> io.BufferedReader:
        """Open the file, to read it in constant memory.

        :raises InvalidParameterError: it is not there
        """
        with contextlib.suppress(FileNotFoundError):
            if self.name:
                return self.store.open(self.name)
        raise InvalidParameterError(f"{self.store.name.role}: there is no file {self.uri!r}.")


class Sources:
    """Finds files by their URIs. Each bucket, and each local folder, is opened once.

    :param name: the parameter that names the files
    :param conn_id: the Airflow connection for URIs that name none
    """

    def __init__(self, name: str, conn_id: str | None) -> None:
        self._role: Role = source_role(name)
        self._conn_id = conn_id or None
        self._stores: dict[str, Store] = {}

    def find(self, source: str | ObjectStoragePath | os.PathLike[str]) -> StoredFile:
        """Return a file or a folder, which need not be there.

        :param source: a URI, an absolute local path, or a path object
        :raises InvalidParameterError: it is no such thing, or its connection cannot be used
        :raises TransientError: its file system cannot be used for now
        """
        self._refuse_rendered(source)
        folder, name = _split(destination_uri(str(source), self._role))
        if folder not in self._stores:
            self._stores[folder] = open_uri(folder, self._conn_id, self._role)
        return StoredFile(self._stores[folder], name)

    def _refuse_rendered(self, source: object) -> None:
        if isinstance(source, str) and source.lstrip().startswith(RENDERED):
            # Without the text, which may contain personal data.
            raise InvalidParameterError(
                f"{self._role} is the text of a list or an object; use render_template_as_native_obj=True in the DAG, "
                "or pass the .output of the task that returns it."
            )


def is_path(value: object) -> bool:
    """Return whether a value is what :meth:`Sources.find` takes."""
    from airflow.sdk import ObjectStoragePath

    return isinstance(value, (str, os.PathLike, ObjectStoragePath))


def _split(uri: str) -> tuple[str, str]:
    """Return the folder to open, and the name of a file in it.

    For an object store that is the whole bucket, so that one connection serves all files.
    """
    scheme, _, rest = uri.partition("://")
    bucket, _, path = rest.partition("/")
    if not is_local(uri):
        return f"{scheme}://{bucket}", path
    folder, _, name = path.rpartition("/")
    return f"file://{bucket}/{folder}", name
