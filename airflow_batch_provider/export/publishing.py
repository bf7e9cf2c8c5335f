"""Makes a staged export the published one, and removes what it replaces."""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from dataclasses import replace

from airflow_batch_provider.exceptions import DestinationError, TransientError
from airflow_batch_provider.export.manifest import MANIFEST_NAME, Manifest, read_manifest
from airflow_batch_provider.export.parts import StagedPart
from airflow_batch_provider.export.staging import STAGING, Staging
from airflow_batch_provider.export.store import Store

log = logging.getLogger(__name__)

SECONDS_UNTIL_NOBODYS = 24 * 3600
"""Age after which files that belong to no export are removed: no try runs that long between two writes."""

_PART_NAME = re.compile(r"part-\d{5}-[0-9a-f]{12}\.[a-z.]+")


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


def publish(store: Store, staging: Staging, parts: Sequence[StagedPart], manifest: Manifest) -> Manifest:
    """Publish an export.

    The parts first, beside those of the export before: their names hold a digest, so neither is touched. Then the
    manifest, at one stroke; from then on the new export is the one that counts. Then what it replaced is removed.

    :param store: the destination
    :param staging: where the parts are staged
    :param parts: the parts, in order
    :param manifest: the manifest, without ``replaces``
    :return: the manifest as it was written
    """
    names = [staged.part.path for staged in parts]
    staging.declare(names)
    for staged in parts:
        store.publish(staged.name, staged.part.path)
        size = store.size(staged.part.path)
        if size != staged.part.bytes:
            raise TransientError(
                f"{store.uri}/{staged.part.path} has {size} bytes after publishing instead of {staged.part.bytes}."
            )
    before = published(store)
    replaced = {part.path for part in before.parts} - set(names) if before else set()
    manifest = replace(manifest, replaces=tuple(sorted(replaced)))
    store.put(MANIFEST_NAME, manifest.to_json())
    # What the one before replaced is usually gone, unless its try ended before it was.
    _clean(store, staging, replaced.union(before.replaces if before else ()))
    return manifest


def _clean(store: Store, staging: Staging, replaced: set[str]) -> None:
    """Remove what is left over. The export is published already, so a failure here is none of it."""
    try:
        current = published(store)
        # Another try may have published after us; then what it names stays, whatever we replaced.
        kept = {part.path for part in current.parts} if current else set()
        left_over = replaced | staging.declared()
        for name, age in store.names_below().items():
            is_ours = _PART_NAME.fullmatch(name) or name.startswith(f"{STAGING}/")
            if is_ours and (name in left_over or age > SECONDS_UNTIL_NOBODYS) and name not in kept:
                store.remove(name)
        staging.remove_all()
        store.remove_empty_folders(STAGING)
    except Exception:  # whatever the store raises; the next export cleans up after this one
        log.warning("%s is published, but what it replaces could not be removed", store.uri, exc_info=True)
