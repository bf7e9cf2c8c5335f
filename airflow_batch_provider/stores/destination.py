"""The destination that an export goes to: a local folder or an object store, over fsspec."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from airflow_batch_provider.exceptions import TransientError
from airflow_batch_provider.stores.amazon import honour_verify
from airflow_batch_provider.stores.destination_uri import destination_uri, is_local
from airflow_batch_provider.stores.local import LocalStore
from airflow_batch_provider.stores.new_file import NewFile
from airflow_batch_provider.stores.object_store import ObjectStore
from airflow_batch_provider.stores.retry import DestinationName, run_once
from airflow_batch_provider.stores.role import DESTINATION, Role
from airflow_batch_provider.stores.store import Store

if TYPE_CHECKING:
    from airflow.sdk import ObjectStoragePath
    from fsspec import AbstractFileSystem

__all__ = ["LocalStore", "NewFile", "Store", "open_store"]

_CONN_TYPES = {
    **dict.fromkeys(("s3", "s3a", "s3n"), ("aws", "s3")),
    **dict.fromkeys(("abfs", "abfss", "adl"), ("wasb", "adls", "azure")),
    **dict.fromkeys(("gs", "gcs"), ("google", "gcp")),
}
"""How the connection types begin that lead to a store. Given another one, Airflow's file systems take what they find in
it, which is nothing, and go to the vendor's public endpoint with the machine's own credentials."""


def open_store(destination: str | ObjectStoragePath, conn_id: str | None = None, role: Role = DESTINATION) -> Store:
    """Open the folder that an export goes to.

    :param destination: a URI such as ``s3://aws_default@raw/playment``, an absolute local path, or a path object. What
        follows the bucket is taken as it is, but for empty folders: nothing is decoded, ``?`` and ``#`` are characters
        like others.
    :param conn_id: the Airflow connection for a URI that names none
    :param role: what it is to the task, which decides what errors are raised
    :raises InvalidParameterError: it has a control character
    :raises DestinationError: it is no such thing, or its file system cannot be had
    :raises TransientError: its file system cannot be had for now
    """
    return open_uri(destination_uri(destination, role), conn_id, role)


def open_uri(uri: str, conn_id: str | None, role: Role) -> Store:
    """Open the folder of a URI from :func:`~.destination_uri.destination_uri`. Errors are those of :func:`open_store`.

    :param uri: the URI
    :param conn_id: the Airflow connection for a URI that names none
    :param role: what it is to the task
    """
    from airflow.sdk import ObjectStoragePath

    scheme, netloc = urlsplit(uri)[:2]
    conn_id = netloc.rpartition("@")[0] or conn_id  # the one in the URI counts
    name = DestinationName(uri, conn_id, role=role)
    if conn_id:
        # Before there is a path: making one logs in already.
        _check_connection(conn_id, scheme, name)
    # Airflow 3.1 takes a conn_id of None for an answer, and goes to the vendor without a connection.
    options = {} if "@" in netloc else {"conn_id": conn_id}
    try:
        path = ObjectStoragePath(uri, **options)
    except ValueError as error:
        raise role.error(f"Cannot open {role} {uri!r}: {error}.") from error
    fs = _file_system(path, name)
    store = LocalStore if is_local(uri) else ObjectStore
    return store(fs, path.path, str(path).removesuffix("/"), conn_id, role)


def _file_system(path: ObjectStoragePath, destination: DestinationName) -> AbstractFileSystem:
    """Resolve the file system now: left to itself, Airflow falls back to an anonymous one when it fails."""

    def log_in() -> AbstractFileSystem:
        fs = path.fs
        honour_verify(fs, destination)
        return fs

    try:
        return run_once(log_in, "log in", destination)
    except (FileNotFoundError, ValueError) as error:
        raise destination.role.error(str(error)) from error
    except TransientError as error:
        if isinstance(error.__cause__, (OSError, ConnectionError)):
            raise
        # Not the store, but what the connection says or what is installed.
        raise destination.role.error(f"{error} Is the provider package of that store installed?") from error


def _check_connection(conn_id: str, scheme: str, destination: DestinationName) -> None:
    from airflow.providers.common.compat.sdk import AirflowNotFoundException, BaseHook

    role = destination.role
    try:
        conn_type = BaseHook.get_connection(conn_id).conn_type or ""
    except AirflowNotFoundException:
        raise role.error(
            f"There is no connection {conn_id!r} for {role} {destination.uri!r}. "
            "Create it in Airflow's UI (Admin > Connections), or correct the id."
        ) from None
    except ValueError as error:
        # Without its cause, which may show the connection.
        raise role.error(f"Connection {conn_id!r} cannot be read: {type(error).__name__}.") from None
    expected = _CONN_TYPES.get(scheme)
    if expected and conn_type not in ("", "generic") and not conn_type.startswith(expected):
        raise role.error(
            f"Connection {conn_id!r} of {role} {destination.uri!r} is of type {conn_type!r}, "
            f"which leads to no {scheme!r} store."
        )
