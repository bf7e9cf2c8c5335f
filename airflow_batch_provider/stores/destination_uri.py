"""How a destination is written: one spelling for each folder, and none that a store would change by itself."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

from airflow_batch_provider.apis.shown import has_login
from airflow_batch_provider.exceptions import InvalidParameterError
from airflow_batch_provider.stores.role import DESTINATION, Role

if TYPE_CHECKING:
    from airflow.sdk import ObjectStoragePath

LOCAL = {"file", "local"}

_UNPRINTABLE = {"Cc", "Cs", "Zl", "Zp"}
"""Control characters, line separators and lone surrogates. URL parsers drop some of them without a word."""


def destination_uri(destination: str | ObjectStoragePath, role: Role = DESTINATION) -> str:
    """Return the URI of a destination, with single slashes and none at the end.

    Some stores collapse ``a//b`` and others keep it; there a listing of the folder finds nothing, or everything twice.

    :param destination: a URI, an absolute local path, or a path object
    :param role: what it is to the task, which decides what errors are raised
    :raises InvalidParameterError: it has a character that no folder should have
    :raises DestinationError: it is no such thing, or names no folder
    """
    text = "" if destination is None else str(destination)
    _check_characters(text, role)
    scheme, bucket, folder = _split(text.strip(), destination, role)
    host = bucket.rpartition("@")[2]
    segments = [segment for segment in folder.split("/") if segment]
    uri = "/".join([f"{scheme}://{bucket}", *segments])
    if role.thing == DESTINATION.thing and "None" in segments:
        raise role.error(f"{role}={uri!r} has a folder 'None': a template renders to that if its value is missing.")
    if scheme in LOCAL and (host or not segments):
        raise role.error(f"{role}={uri!r} must name a {role.thing} by three slashes: 'file:///data/exports'.")
    if scheme not in LOCAL:
        _check_object_store(uri, host, segments, role)
    return uri


def is_local(uri: str) -> bool:
    """Return whether a URI leads to a local folder."""
    return uri.partition("://")[0] in LOCAL


def _check_characters(text: str, role: Role) -> None:
    for position, character in enumerate(text):
        if unicodedata.category(character) in _UNPRINTABLE:
            # Without the destination, which was not checked for credentials yet.
            raise InvalidParameterError(
                f"{role} has the control character {character!r} at position {position}; remove it, or what renders it."
            )


def _split(text: str, destination: object, role: Role) -> tuple[str, str, str]:
    """Return scheme, bucket and folder as they were written; nothing is decoded."""
    if text.startswith("/"):
        return "file", "", text
    scheme, separator, rest = text.partition("://")
    if not separator:
        raise role.error(
            f"{role}={destination!r} is neither a URI such as 's3://aws_default@bucket/folder' nor an absolute path."
        )
    if has_login(text):
        raise role.error(f"{role} contains credentials; put them into a connection and name its id instead.")
    bucket, _, folder = rest.partition("/")
    return scheme.lower(), bucket, folder


def _check_object_store(uri: str, host: str, segments: list[str], role: Role) -> None:
    if not host:
        raise role.error(f"{role}={uri!r} names no bucket or container.")
    if not {".", ".."}.isdisjoint(segments):
        raise role.error(f"{role}={uri!r} has '.' or '..' as a folder, which some stores resolve.")
    if "?versionid=" in uri.lower():
        raise role.error(f"{role}={uri!r} names a version of a file; name a {role.thing}.")
