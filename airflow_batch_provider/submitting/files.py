"""The files that a task submits: found, checked and hashed before anything is sent."""

from __future__ import annotations

import hashlib
import logging
import os
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import IO, TYPE_CHECKING, TypeVar

import msgspec

from airflow_batch_provider.exceptions import InvalidParameterError
from airflow_batch_provider.stores.parallel import for_each
from airflow_batch_provider.submitting.sources import Sources, StoredFile, is_path

if TYPE_CHECKING:
    from airflow.sdk import ObjectStoragePath

log = logging.getLogger(__name__)

Content = bytes  # a field below is called bytes
Result = TypeVar("Result")

_PIECE = 1 << 20
_MEGABYTE = 1_000_000
_NAMED = 5


class SourceFile(msgspec.Struct, frozen=True):
    """A file to submit.

    :param uri: the URI, with the connection's id if it has one; it leads to the file when it is passed again
    :param name: the name for people: within a folder the path relative to it, else the last part of the path
    :param bytes: the size
    :param sha256: the digest of the content
    :param open: opens the file, to read it in constant memory
    """

    uri: str
    name: str
    bytes: int
    sha256: str
    open: Callable[[], IO[Content]]


def source_files(
    files: Sequence[str | ObjectStoragePath | os.PathLike[str]] | str | ObjectStoragePath | os.PathLike[str],
    conn_id: str | None = None,
    *,
    name: str,
    most: int,
    largest: int,
) -> list[SourceFile]:
    """Return the files to submit. Each is read once, several at a time in an object store.

    A single path may be that of a folder: its files and those below it are taken in the order of their names, without
    those that begin with a dot or are in a folder that does. Links to folders are not followed.

    :param files: URIs, absolute local paths or ``ObjectStoragePath``s of files; or one of them, or one of a folder
    :param conn_id: the Airflow connection for URIs that name none
    :param name: the parameter that is read, for errors
    :param most: how many files there may be
    :param largest: how many bytes each may have
    :raises InvalidParameterError: a file is missing, empty, too large or named twice, or there are none or too many
    :raises TransientError: a store cannot be read for now
    """
    search = _Search(name, conn_id)
    found = search.single(files) if is_path(files) else search.each(files)  # type: ignore[arg-type]
    if len(found) > most:
        raise InvalidParameterError(
            f"{name}: there are {len(found)} files, but at most {most} can be submitted at once."
        )
    _check_sizes(name, found, [size for _, _, size in found], largest)
    hashed = _in_parallel([file for file, _, _ in found], _hash)
    _check_sizes(name, found, [size for size, _ in hashed], largest)  # links to files have sizes of their own
    return [
        SourceFile(file.uri, shown, size, digest, file.open)
        for (file, shown, _), (size, digest) in zip(found, hashed, strict=True)
    ]


Found = tuple[StoredFile, str, int]
"""A file, its name for people, and the size that the store lists."""


class _Search:
    """Finds files.

    :param name: the parameter that names them
    :param conn_id: the Airflow connection for URIs that name none
    """

    def __init__(self, name: str, conn_id: str | None) -> None:
        self._name = name
        self._sources = Sources(name, conn_id)

    def single(self, path: str | ObjectStoragePath | os.PathLike[str]) -> list[Found]:
        """Return a file, or the files of a folder."""
        place = self._sources.find(path)
        size = place.size()
        if size is not None:
            return [(place, _base(place), size)]
        listed = place.store.sizes_below(place.name)
        prefix = f"{place.name}/" if place.name else ""
        # A name that ends with a slash is an empty object by which a store's console makes a folder.
        files = {name: size for name, size in sorted(listed.items()) if not name.endswith("/")}
        shown = {name.removeprefix(prefix): size for name, size in files.items()}
        kept = {name: size for name, size in shown.items() if not _is_hidden(name)}
        if hidden := len(shown) - len(kept):
            log.info("Files of %s left out because their names begin with a dot: %d", place.uri, hidden)
        if not kept:
            raise InvalidParameterError(f"{self._name}: {place.uri!r} is neither a file nor a folder with files.")
        return [(StoredFile(place.store, f"{prefix}{name}"), name, size) for name, size in kept.items()]

    def each(self, paths: Iterable[str | ObjectStoragePath | os.PathLike[str]]) -> list[Found]:
        """Return files that are named one by one."""
        if not isinstance(paths, Iterable):
            raise InvalidParameterError(f"{self._name} must be a list of paths or URIs of files, or one of a folder.")
        listed = list(paths)
        if not listed:
            raise InvalidParameterError(f"{self._name}: there are no files to submit.")
        if not all(map(is_path, listed)):
            raise InvalidParameterError(f"{self._name} must be a list of paths or URIs of files, or one of a folder.")
        places = [self._sources.find(path) for path in listed]
        self._check_unique(places)
        sizes = _in_parallel(places, StoredFile.size)
        self._check_there([place for place, size in zip(places, sizes, strict=True) if size is None])
        return [(place, _base(place), size or 0) for place, size in zip(places, sizes, strict=True)]

    def _check_unique(self, places: Sequence[StoredFile]) -> None:
        again = [uri for uri, count in Counter(place.uri for place in places).items() if count > 1]
        if again:
            raise InvalidParameterError(f"{self._name}: files are named more than once: {_names(again)}.")

    def _check_there(self, missing: Sequence[StoredFile]) -> None:
        if not missing:
            return
        folders = [place.uri for place in missing[:_NAMED] if place.store.sizes_below(place.name)]
        if folders:
            raise InvalidParameterError(
                f"{self._name}: folders can be passed only alone, as {self._name}={folders[0]!r}, but these are among "
                f"several paths: {_names(folders)}."
            )
        raise InvalidParameterError(f"{self._name}: files are not there: {_names([file.uri for file in missing])}.")


def _check_sizes(name: str, found: Sequence[Found], sizes: Sequence[int], largest: int) -> None:
    sized = [(file.uri, size) for (file, _, _), size in zip(found, sizes, strict=True)]
    if empty := [uri for uri, size in sized if not size]:
        raise InvalidParameterError(f"{name}: files are empty: {_names(empty)}.")
    if large := [uri for uri, size in sized if size > largest]:
        limit = f"{largest / _MEGABYTE:g} MB"
        raise InvalidParameterError(
            f"{name}: files are larger than {limit}, the most that is accepted: {_names(large)}."
        )


def _hash(file: StoredFile) -> tuple[int, str]:
    """Return a file's size and digest."""
    digest, size = hashlib.sha256(), 0
    with file.open() as content:
        while piece := content.read(_PIECE):
            digest.update(piece)
            size += len(piece)
    return size, digest.hexdigest()


def _in_parallel(files: Sequence[StoredFile], operation: Callable[[StoredFile], Result]) -> list[Result]:
    """Return the results of an operation for each file, in order; several run in parallel if the store allows it."""
    results: dict[int, Result] = {}

    def run(index: int) -> None:
        results[index] = operation(files[index])

    by_store: dict[int, list[int]] = {}
    for index, file in enumerate(files):
        by_store.setdefault(id(file.store), []).append(index)
    for indexes in by_store.values():
        for_each(files[indexes[0]].store, run, indexes)
    return [results[index] for index in range(len(files))]


def _is_hidden(name: str) -> bool:
    return any(part.startswith(".") for part in name.split("/"))


def _base(file: StoredFile) -> str:
    return file.name.rpartition("/")[2]


def _names(uris: Sequence[str]) -> str:
    said = ", ".join(map(repr, uris[:_NAMED]))
    return said if len(uris) <= _NAMED else f"{said} and {len(uris) - _NAMED} more"
