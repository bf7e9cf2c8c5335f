"""Makes a staged export the published one, and removes what it replaces."""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from dataclasses import replace

from airflow_batch_provider.exceptions import DestinationError, ExportExistsError, TransientError
from airflow_batch_provider.export.manifest import MANIFEST_NAME, Manifest, read_manifest
from airflow_batch_provider.export.parts import StagedPart
from airflow_batch_provider.export.staging import SECONDS_UNTIL_NOBODYS, Staging, abandoned, declarations
from airflow_batch_provider.stores.destination import Store
from airflow_batch_provider.stores.parallel import for_each

log = logging.getLogger(__name__)

PART_NAME = re.compile(r"part-\d{5,}-[0-9a-f]{12}\.[a-z0-9.]+")
_MOST_RACES = 20


def published(store: Store) -> Manifest | None:
    """Return what is published at a destination now.

    :raises DestinationError: there is a manifest that is not ours, which must not be replaced
    """
    content = store.read(MANIFEST_NAME)
    if content is None:
        return None
    try:
        return read_manifest(content)
    except ValueError as error:
        raise DestinationError(
            f"{store.uri}/{MANIFEST_NAME} cannot be replaced: {error}. Choose another destination, or remove it."
        ) from error


def publish(
    store: Store, staging: Staging, staged: Sequence[StagedPart], manifest: Manifest, *, may_replace: bool = True
) -> Manifest:
    """Publish an export.

    The parts first, beside those of the export before: their names hold a digest, so neither is touched. Then the
    manifest, at one stroke, and only if nobody else published meanwhile; from then on the new export is the one that
    counts. Then what it replaced is removed.

    :param store: the destination
    :param staging: the place in it for this try
    :param staged: the parts, in order
    :param manifest: the manifest, without ``replaces``
    :param may_replace: whether the export of another work may be replaced
    :return: the manifest that is published: this one, or that of a later try of the same work, or of one which was
        quicker and cleaned up after itself
    :raises ExportExistsError: there is an export of another work, and it may not be replaced
    :raises TransientError: others keep publishing, or the staged files are gone
    """
    names = [part.part.path for part in staged]
    for _ in range(_MOST_RACES):
        version, before = store.version(MANIFEST_NAME), published(store)
        if before and before.export_id != manifest.export_id and not may_replace:
            raise exists_already(store, before)
        if before and before.export_id == manifest.export_id and before.started_at > manifest.started_at:
            log.warning("A later try of this task has published the export at %s meanwhile", store.uri)
            _clean(store, staging, set(names))
            return before
        staging.declare(names, version)
        try:
            _place(store, staged)
        except FileNotFoundError as error:
            manifest = _of_another_try(store, manifest, error)
            _clean(store, staging, set(names))
            return manifest
        replaced = _replaced(store, before) - set(names) if before else set()
        manifest = replace(manifest, replaces=tuple(sorted(replaced)))
        if store.put_if(MANIFEST_NAME, manifest.to_json(), version):
            _place_again(store, staged, manifest)
            _clean(store, staging, replaced.union(names))
            return manifest
        log.info("Another export was published at %s in this moment; publishing again", store.uri)
    raise TransientError(f"Others keep publishing at {store.uri}; gave up after {_MOST_RACES} tries.")


def exists_already(store: Store, before: Manifest) -> ExportExistsError:
    """Return the error for a destination that holds an export which may not be replaced."""
    return ExportExistsError(
        f"{store.uri} holds an export of {before.finished_at} already; choose another destination "
        "or if_exists='replace'."
    )


def clean_up_after_kill(store: Store, work_id: str, current: Manifest) -> None:
    """Remove what a try of a work left over that was killed after it had published."""
    if current.export_id == work_id:
        _clean(store, Staging(store, work_id), set(current.replaces))


def _place(store: Store, staged: Sequence[StagedPart]) -> None:
    """Put the parts under their names, where they are not there yet."""

    def place(part: StagedPart) -> None:
        if store.size(part.part.path) == part.part.bytes:
            return
        store.publish(part.name, part.part.path)
        size = store.size(part.part.path)
        if size != part.part.bytes:
            raise TransientError(
                f"{store.uri}/{part.part.path} has {size} bytes after publishing instead of {part.part.bytes}."
            )

    for_each(store, place, staged)


def _replaced(store: Store, before: Manifest) -> set[str]:
    """Return the files of an export, and those that it replaced, if its try ended before they were removed."""
    parts = {part.path for part in before.parts}
    return parts.union(store.names_below().keys() & set(before.replaces)) if before.replaces else parts


def _place_again(store: Store, staged: Sequence[StagedPart], manifest: Manifest) -> None:
    """Put back what a rival removed that began to clean before we declared, and took it for of the export before."""
    try:
        _place(store, staged)
    except FileNotFoundError as error:
        if store.read(MANIFEST_NAME) == manifest.to_json():
            raise TransientError(f"What was published at {store.uri} is gone: {error}") from error
        log.info("The export at %s was replaced at once by another one", store.uri)


def _of_another_try(store: Store, ours: Manifest, error: FileNotFoundError) -> Manifest:
    """Return what another try of the same work published while this one ran; it also removed what was staged."""
    current = published(store)
    if current and current.export_id == ours.export_id and current.finished_at >= ours.started_at:
        log.warning("Another try of this task has published the export at %s meanwhile", store.uri)
        return current
    raise TransientError(f"What was staged at {store.uri} is gone: {error}") from error


def _clean(store: Store, staging: Staging, left_over: set[str]) -> None:
    """Remove what is left over. The export is published already, so a failure here is none of it.

    :param left_over: names that nobody needs, unless what is published now names them
    """
    try:
        version, current = store.version(MANIFEST_NAME), published(store)
        said = declarations(store, staging.work_id)
        # Another try may be about to replace what was published just now; one that meant to replace what was there
        # before cannot any more.
        rivals = {token: one for token, one in said.items() if token != staging.token and one.replaces == version}
        kept = {part.path for part in current.parts} if current else set()
        kept = kept.union(*(rival.names for rival in rivals.values()))
        gone = left_over.union(*(one.names for one in said.values()))
        names = store.names_below()
        nobodys = abandoned(names)
        for name, age in names.items():
            is_part = PART_NAME.fullmatch(name) and (name in gone or age > SECONDS_UNTIL_NOBODYS) and name not in kept
            left_by_kill = store.is_temporary(name) and name.startswith((MANIFEST_NAME, "part-"))
            if is_part or left_by_kill or name in nobodys:
                if store.version(MANIFEST_NAME) != version:
                    return  # whoever published since then cleans up
                store.remove(name)
        staging.remove_all(but=rivals)
    except Exception:  # whatever the store raises; the next export cleans up after this one
        log.warning("%s is published, but what it replaces could not be removed", store.uri, exc_info=True)
