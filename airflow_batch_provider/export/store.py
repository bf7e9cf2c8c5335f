"""The place that an export goes to: a local folder or an object store, over fsspec."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from airflow_batch_provider.exceptions import DestinationError
from airflow_batch_provider.export.local_store import LocalStore
from airflow_batch_provider.export.new_file import NewFile
from airflow_batch_provider.export.object_store import Store

if TYPE_CHECKING:
    from airflow.sdk import ObjectStoragePath
    from fsspec import AbstractFileSystem

__all__ = ["LocalStore", "NewFile", "Store", "open_store"]


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
    return (LocalStore if is_local else Store)(fs, path.path, str(path).rstrip("/"), path.conn_id)


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
