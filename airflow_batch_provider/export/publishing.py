"""Makes a staged export the published one, and removes what it replaces.

Why nothing that lives is ever removed: an attempt to publish looks at the manifest's version, then puts its parts under
names that no other attempt has, then puts the manifest if the version is still the same. A writer that lists the
destination and publishes afterwards has changed the version, so a part in that list is of an attempt that has lost, or
of an export that was replaced. If the store has no conditional writes, an attempt counts as over only if its export was
there and is replaced, or after a day.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from msgspec.structs import replace

from airflow_batch_provider.codec import UnreadableError
from airflow_batch_provider.exceptions import DestinationError, InvalidParameterError, TransientError
from airflow_batch_provider.export.documents import MOST_BYTES
from airflow_batch_provider.export.files import StagedFile
from airflow_batch_provider.export.manifest import (
    FILES,
    MANIFEST_NAME,
    Manifest,
    Part,
    digits_of,
    load_manifest,
    place_of,
)
from airflow_batch_provider.export.parts import StagedPart
from airflow_batch_provider.export.staging import Staging, orphaned
from airflow_batch_provider.stores.destination import Store
from airflow_batch_provider.stores.parallel import for_each

log = logging.getLogger(__name__)

_MOST_RACES = 20


@dataclass(frozen=True)
class Found:
    """What is published at a destination.

    :param version: the manifest's version; None if there is none
    :param content: its bytes, which may be of a later version
    :param manifest: the same, read
    """

    version: str | None
    content: bytes | None = None
    manifest: Manifest | None = None


@dataclass(frozen=True)
class Unpublished:
    """A whole export that is staged.

    :param manifest: its manifest, without ``parts`` and ``replaces``
    :param parts: its parts, in order
    :param suffix: how the names of the parts end
    :param files: the files beside the parts
    :param digits: the digits of the folder that these go into
    """

    manifest: Manifest
    parts: tuple[StagedPart, ...]
    suffix: str
    files: tuple[StagedFile, ...] = ()
    digits: str = ""

    def named(self, token: str) -> tuple[Part, ...]:
        """Return the parts under the names that a token gives them."""
        return tuple(
            part.published(f"part-{number:05d}-{token}{self.suffix}") for number, part in enumerate(self.parts)
        )


def find(store: Store) -> Found:
    """Return what is published at a destination now.

    :raises DestinationError: there is a manifest that is not ours, which must not be replaced
    """
    version = store.version(MANIFEST_NAME)
    return Found(version, *_load(store))


def published(store: Store) -> Manifest | None:
    """Return the manifest of what is published at a destination now; errors as for :func:`find`."""
    return _load(store)[1]


def _load(store: Store) -> tuple[bytes | None, Manifest | None]:
    try:
        return load_manifest(store) or (None, None)
    except UnreadableError as error:
        raise DestinationError(
            f"{store.uri}/{MANIFEST_NAME} cannot be replaced: it is not a manifest of this package: {error}. "
            "Choose another destination, or remove it."
        ) from error


def publish(
    store: Store,
    staging: Staging,
    export: Unpublished,
    *,
    begun: str | None,
    stays: Callable[[Manifest], bool],
    check: Callable[[Manifest | None], object],
) -> Manifest:
    """Publish an export.

    The parts first, beside those of the export before. Then the manifest, atomically, and only if no concurrent writer
    published meanwhile; from then on the new export is the one that counts. Then what it replaced is removed:
    ``replaces`` names it, so that the next export can finish this after a kill.

    :param store: the destination
    :param staging: the staged files of this try
    :param export: what is published
    :param begun: the version of the manifest that was there when this try began
    :param stays: returns whether an export that was published since then stays, and may raise
    :param check: takes the manifest that is about to be replaced, and raises if this export must not replace it
    :return: the manifest that is published: this one, or one that stays
    :raises TransientError: concurrent writers keep publishing, or the staged files are gone
    """
    manifest, content = export.manifest, b""
    names: Mapping[str, float] = {}
    has_files = False
    for _ in range(_MOST_RACES):
        found = find(store)
        if content:
            if found.content == content:  # the put took effect, but its answer was lost
                return _finish(store, staging, manifest, names)
            _withdraw(store, manifest.parts)
            staging.renew()
        if found.manifest and found.version != begun and stays(found.manifest):
            if found.manifest.export_id == manifest.export_id:
                log.warning("Another try of this task has published the export at %s meanwhile", store.uri)
            return _leave(store, staging, found.manifest)
        check(found.manifest)  # the same that is replaced: if another takes its place before the put, the put fails
        if export.files and staging.is_published_by_another(export.digits, found.version):
            raise TransientError(f"Another try of this task has published files of the same digits at {store.uri}.")
        names, parts = store.names_below(), export.named(staging.token)
        try:
            if not has_files:  # which another attempt of this try has put there: their names are their content
                _publish_files(store, export.files)
                has_files = True
            _publish_parts(store, export.parts, parts)
        except FileNotFoundError as error:
            return _leave(store, staging, _of_another_try(store, manifest, begun, stays, error))
        gone = _replaced(store, staging, found.manifest, names) - {f"{FILES}/{export.digits}"}
        manifest = replace(manifest, parts=parts, replaces=tuple(sorted(gone)))
        content = manifest.to_json()
        if len(content) > MOST_BYTES:
            _withdraw(store, parts)
            raise InvalidParameterError(f"{len(parts)} parts are too many for one manifest; raise rows_per_part.")
        if export.files:
            staging.mark_published(export.digits, found.version)
        if store.put_if(MANIFEST_NAME, content, found.version):
            return _finish(store, staging, manifest, names)
        log.info("A concurrent writer published at %s; publishing again", store.uri)
    raise TransientError(f"Concurrent writers keep publishing at {store.uri}; gave up after {_MOST_RACES} tries.")


def clean_up_after_kill(store: Store, staging: Staging, current: Manifest) -> None:
    """Remove what earlier tries of a piece of work have left over, although an export stays."""
    staging.note_earlier()
    _leave(store, staging, current)


def _publish_parts(store: Store, staged: Sequence[StagedPart], parts: Sequence[Part]) -> None:
    """Put the parts under their names; if that fails, leave none there."""

    def publish_part(pair: tuple[StagedPart, Part]) -> None:
        source, part = pair
        store.publish(source.name, part.path)
        size = store.size(part.path)
        if size != part.bytes:
            raise TransientError(f"{store.uri}/{part.path} has {size} bytes after publishing instead of {part.bytes}.")

    try:
        for_each(store, publish_part, [*zip(staged, parts, strict=True)])
    except BaseException:
        with suppress(Exception):
            _withdraw(store, parts)
        raise


def _publish_files(store: Store, files: Sequence[StagedFile]) -> None:
    """Put the files beside the parts under their names. They stay there if that fails: a later try may publish them."""
    if not files:
        return
    for_each(store, lambda file: store.publish(file.name, file.path), files)
    sizes = store.sizes_below(place_of(files[0].path))
    # A try that was killed has left these; a zombie would make its own again.
    for_each(store, store.remove, list(filter(store.is_temporary, sizes)))
    for file in files:
        if sizes.get(file.path) != file.bytes:
            raise TransientError(
                f"{store.uri}/{file.path} has {sizes.get(file.path)} bytes after publishing instead of {file.bytes}."
            )


def _withdraw(store: Store, parts: Sequence[Part]) -> None:
    """Remove parts that this try has put there, and that no manifest names nor will."""
    for_each(store, store.remove, [part.path for part in parts])


def _replaced(store: Store, staging: Staging, before: Manifest | None, names: Mapping[str, float]) -> set[str]:
    """Return the parts and the folders of files that are no longer needed once the new manifest is there."""
    gone = {place_of(name) for name in orphaned(names) if digits_of(name)}
    if store.is_conditional:
        gone.update(place_of(name) for name in names if digits_of(name) in staging.earlier)
    if before:
        gone.update(part.path for part in before.parts)
        gone.update(before.files.folders)
        gone.update(set(map(place_of, names)) & set(before.replaces))
    return gone


def _of_another_try(
    store: Store, ours: Manifest, begun: str | None, stays: Callable[[Manifest], bool], error: FileNotFoundError
) -> Manifest:
    """Return what another try of the same piece of work published meanwhile; it also removed what was staged."""
    found = find(store)
    is_own = found.manifest is not None and found.manifest.export_id == ours.export_id
    if found.manifest and is_own and found.version != begun and stays(found.manifest):
        log.warning("Another try of this task has published the export at %s meanwhile", store.uri)
        return found.manifest
    raise TransientError(f"What was staged at {store.uri} is gone: {error}") from error


def _finish(store: Store, staging: Staging, manifest: Manifest, names: Mapping[str, float]) -> Manifest:
    """Read the manifest back, and remove what it replaced.

    :param names: the files of the destination, as they were before the manifest was put
    """
    current = published(store)
    if current is None:
        raise TransientError(f"What was published at {store.uri} is gone: somebody has removed {MANIFEST_NAME}.")
    gone = _at(names, manifest.replaces)
    # Their writers no longer have the lock, or have made them again since.
    gone |= {name for name in names if name.startswith(MANIFEST_NAME) and store.is_temporary(name)}
    if (current.export_id, current.parts) != (manifest.export_id, manifest.parts):
        log.info("A concurrent writer has replaced the export at %s already", store.uri)
        gone |= {part.path for part in manifest.parts}
        if current.files.path != manifest.files.path:
            gone |= _at(store.names_below(), manifest.files.folders)
    _clean(store, staging, names, gone, current)
    rows, parts, size = manifest.rows, len(manifest.parts), manifest.bytes
    log.info("Published %s in %s, %d bytes, at %s", _counted(rows, "row"), _counted(parts, "part"), size, store.uri)
    if manifest.outcomes:
        files, outcomes = manifest.files, ", ".join(f"{count} {word}" for word, count in manifest.outcomes.items())
        log.info("Items: %s; %d files, %d bytes; %s requests", outcomes, files.count, files.bytes, manifest.requests)
    return manifest


def _counted(number: int, thing: str) -> str:
    return f"{number} {thing}{'' if number == 1 else 's'}"


def _leave(store: Store, staging: Staging, current: Manifest) -> Manifest:
    """Clean up after this try, which publishes nothing, and those before it."""
    names = store.names_below()
    is_own = current.export_id == staging.export_id
    _clean(store, staging, names, _at(names, current.replaces) if is_own else set(), current)
    return current


def _at(names: Iterable[str], places: Sequence[str]) -> set[str]:
    """Return the files that are named, or are in a folder that is.

    :param names: the files of the destination
    :param places: names of parts, and folders of files
    """
    known = set(places)
    return {name for name in names if place_of(name) in known}


def _clean(store: Store, staging: Staging, names: Mapping[str, float], gone: set[str], current: Manifest) -> None:
    """Remove what is left over. An export is published already, so a failure here does not fail it.

    :param names: the files of the destination
    :param gone: those beside the staged ones that no manifest will name again
    :param current: the manifest that is there, which is not to be broken even if it was forged
    """
    named = {part.path for part in current.parts} | _at(names, current.files.folders)
    gone = gone - named
    beside = {name for name in names if digits_of(name)} - gone - named
    staged = {*staging.left(names, beside), *(name for name in orphaned(names) if not digits_of(name))}
    marks = staging.marks_of_published(staged)
    try:
        staging.remove(gone, staged - marks, marks)
    except Exception:  # whatever the store raises; the next export cleans up after this one
        log.warning("%s is published, but what it replaces could not be removed", store.uri, exc_info=True)
