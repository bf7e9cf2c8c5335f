"""Makes a staged export the published one, and removes what it replaces."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from msgspec.structs import replace

from airflow_batch_provider.codec import UnreadableError
from airflow_batch_provider.exceptions import DestinationError, TransientError
from airflow_batch_provider.export.existing import Existing, IfExists, decide
from airflow_batch_provider.export.manifest import MANIFEST_NAME, PART_NAME, Manifest, read_manifest
from airflow_batch_provider.export.parts import StagedPart
from airflow_batch_provider.export.staging import SECONDS_UNTIL_ORPHANED, Staging, orphaned, publish_intents
from airflow_batch_provider.stores.destination import Store
from airflow_batch_provider.stores.parallel import for_each

log = logging.getLogger(__name__)

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
    except UnreadableError as error:
        raise DestinationError(
            f"{store.uri}/{MANIFEST_NAME} cannot be replaced: it is not a manifest of this package: {error}. "
            "Choose another destination, or remove it."
        ) from error


def publish(
    store: Store,
    staging: Staging,
    staged: Sequence[StagedPart],
    manifest: Manifest,
    if_exists: IfExists = IfExists.REPLACE,
) -> Manifest:
    """Publish an export.

    The parts first, beside those of the export before: their names contain a digest, so neither is touched. Then the
    manifest, atomically, and only if no concurrent writer published meanwhile; from then on the new export is the one
    that counts. Then what it replaced is removed.

    :param store: the destination
    :param staging: the staged files of this try
    :param staged: the parts, in order
    :param manifest: the manifest, without ``replaces``
    :param if_exists: what to do about an export of another piece of work
    :return: the manifest that is published: this one, one of another try of the same piece of work, or one that is
        left as it is
    :raises ExportExistsError: there is an export of another piece of work, and it may not be replaced
    :raises TransientError: concurrent writers keep publishing, or the staged files are gone
    """
    names = [part.path for part in staged]
    for _ in range(_MOST_RACES):
        version, before = store.version(MANIFEST_NAME), published(store)
        if before and decide(store, before, manifest.export_id, if_exists) is Existing.LEAVE:
            log.info("Another task published the export at %s meanwhile; it is left as it is", store.uri)
            _clean(store, staging, set(names))
            return before
        if before and before.export_id == manifest.export_id and before.started_at > manifest.started_at:
            log.warning("A later try of this task has published the export at %s meanwhile", store.uri)
            _clean(store, staging, set(names))
            return before
        staging.write_intent(names, version)
        try:
            _publish_parts(store, staged)
        except FileNotFoundError as error:
            manifest = _of_another_try(store, manifest, error)
            _clean(store, staging, set(names))
            return manifest
        replaced = _replaced(store, before) - set(names) if before else set()
        manifest = replace(manifest, replaces=tuple(sorted(replaced)))
        if store.put_if(MANIFEST_NAME, manifest.to_json(), version):
            _restore_parts(store, staged, manifest)
            _clean(store, staging, replaced.union(names))
            return manifest
        log.info("A concurrent writer published at %s; publishing again", store.uri)
    raise TransientError(f"Concurrent writers keep publishing at {store.uri}; gave up after {_MOST_RACES} tries.")


def clean_up_after_kill(store: Store, export_id: str, current: Manifest) -> None:
    """Remove what a try left over that was killed after it had published."""
    if current.export_id == export_id:
        _clean(store, Staging(store, export_id), set(current.replaces))


def _publish_parts(store: Store, staged: Sequence[StagedPart]) -> None:
    """Put the parts under their names, if they are not there yet."""

    def publish_part(part: StagedPart) -> None:
        if store.size(part.path) == part.bytes:
            return
        store.publish(part.name, part.path)
        size = store.size(part.path)
        if size != part.bytes:
            raise TransientError(f"{store.uri}/{part.path} has {size} bytes after publishing instead of {part.bytes}.")

    for_each(store, publish_part, staged)


def _replaced(store: Store, before: Manifest) -> set[str]:
    """Return the files of an export, and those that it replaced, if its try ended before they were removed."""
    parts = {part.path for part in before.parts}
    return parts.union(store.names_below().keys() & set(before.replaces)) if before.replaces else parts


def _restore_parts(store: Store, staged: Sequence[StagedPart], manifest: Manifest) -> None:
    """Restore parts that a concurrent cleaner removed: it began before our intent was there."""
    try:
        _publish_parts(store, staged)
    except FileNotFoundError as error:
        if store.read(MANIFEST_NAME) == manifest.to_json():
            raise TransientError(f"What was published at {store.uri} is gone: {error}") from error
        log.info("A concurrent writer has replaced the export at %s already", store.uri)


def _of_another_try(store: Store, ours: Manifest, error: FileNotFoundError) -> Manifest:
    """Return what another try of the same piece of work published meanwhile; it also removed what was staged."""
    current = published(store)
    if current and current.export_id == ours.export_id and current.finished_at >= ours.started_at:
        log.warning("Another try of this task has published the export at %s meanwhile", store.uri)
        return current
    raise TransientError(f"What was staged at {store.uri} is gone: {error}") from error


def _clean(store: Store, staging: Staging, left_over: set[str]) -> None:
    """Remove what is left over. The export is published already, so a failure here does not fail it.

    :param left_over: names that are not needed any more, unless what is published now names them
    """
    try:
        version, current = store.version(MANIFEST_NAME), published(store)
        intents = publish_intents(store, staging.export_id)
        # Another try may be about to replace what was published just now; one that was going to replace what was there
        # before no longer can.
        concurrent = {
            token: intent for token, intent in intents.items() if token != staging.token and intent.replaces == version
        }
        kept = {part.path for part in current.parts} if current else set()
        kept = kept.union(*(intent.names for intent in concurrent.values()))
        gone = left_over.union(*(intent.names for intent in intents.values()))
        names = store.names_below()
        orphans = orphaned(names)
        for name, age in names.items():
            is_old = name in gone or age > SECONDS_UNTIL_ORPHANED
            is_part = PART_NAME.fullmatch(name) and is_old and name not in kept
            left_by_kill = store.is_temporary(name) and name.startswith((MANIFEST_NAME, "part-"))
            if is_part or left_by_kill or name in orphans:
                if store.version(MANIFEST_NAME) != version:
                    return  # the writer that published since then cleans up
                store.remove(name)
        staging.remove_all(but=concurrent)
    except Exception:  # whatever the store raises; the next export cleans up after this one
        log.warning("%s is published, but what it replaces could not be removed", store.uri, exc_info=True)
