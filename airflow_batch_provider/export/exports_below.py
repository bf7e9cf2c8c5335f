"""Which states of batches have been exported below a folder. The manifests there say so; an index is only a cache.

Each batch has a folder, and in it the manifest of its export. Reading ten thousand manifests takes a minute on S3, so
the index remembers what was read: for each manifest its version (ETag), and a digest of the batch and the state that it
names. An entry counts only if the manifest still has that version. No content has the version of another, so an index
that is stale, torn, of another run, or gone costs requests and nothing else. A store that cannot list the versions of
many files at a time has no index, and every manifest is read.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping, Sequence
from contextlib import suppress
from itertools import islice
from typing import Any

import msgspec

from airflow_batch_provider import codec
from airflow_batch_provider.codec import UnreadableError
from airflow_batch_provider.exceptions import BatchProviderError
from airflow_batch_provider.export.folder_names import folder_name
from airflow_batch_provider.export.manifest import MANIFEST_NAME, read_manifest
from airflow_batch_provider.stores.parallel import for_each
from airflow_batch_provider.stores.store import Store

log = logging.getLogger(__name__)

INDEX_VERSION = 1
INDEX_FOLDER = "_index"
MOST_ENTRIES = 200_000


class ExportIndex(msgspec.Struct, frozen=True):
    """What was read of the manifests below a folder.

    :param manifests: for each folder's name the version of its manifest, and the digest of what it is an export of
    """

    version: int = INDEX_VERSION
    manifests: dict[str, tuple[str, str | None]] = {}


class ExportsBelow:
    """The exports below a folder, each of one batch.

    :param store: the folder
    :param id_name: the parameter that has the batch's id in the manifests
    """

    def __init__(self, store: Store, id_name: str) -> None:
        self._store = store
        self._id_name = id_name
        self._index_name = f"{INDEX_FOLDER}/{id_name}.json"
        self._exported: dict[str, str | None] = {}
        self._certain: set[str] = set()

    def missing(self, states: Sequence[tuple[str, Mapping[str, Any]]], most: int) -> tuple[list[str], int]:
        """Return the ids of the batches that have no export, or one of another state.

        Those that are returned are certain: their manifest was read, or is not there. Beside them, it returns about how
        many more there are.

        :param states: each batch's id, and the version of its state, in the order that is wanted
        :param most: how many ids to return at most
        """
        wanted = {batch_id: (folder_name(batch_id), state_digest(batch_id, version)) for batch_id, version in states}
        self._look_up([name for name, _ in wanted.values()])

        def is_missing(batch_id: str) -> bool:
            name, digest = wanted[batch_id]
            return self._exported.get(name) != digest

        left, found = list(filter(is_missing, wanted)), list[str]()
        while left and len(found) < most:
            some, left = left[: most - len(found)], left[most - len(found) :]
            self._read([wanted[batch_id][0] for batch_id in some])
            found += filter(is_missing, some)
        return found, len(left)

    def _look_up(self, names: Sequence[str]) -> None:
        """Find out what the folders have, from the index as far as it is right, and bring it up to date."""
        manifests = {_manifest_in(name): name for name in names}
        listed = self._store.versions_of(list(manifests)) if names else {}
        if listed is None:
            self._read(names)
            return
        versions = {manifests[path]: version for path, version in listed.items()}
        known = self._load_index()
        fresh = {name: known[name] for name, version in versions.items() if known.get(name, ("",))[0] == version}
        self._exported.update({name: digest for name, (_, digest) in fresh.items()})
        self._read([name for name in versions if name not in fresh])
        if len(fresh) != len(versions):
            now = {name: (version, self._exported.get(name)) for name, version in versions.items()}
            others = {name: entry for name, entry in known.items() if name not in manifests.values()}
            self._save_index({**dict(islice(others.items(), max(0, MOST_ENTRIES - len(now)))), **now})

    def _read(self, names: Sequence[str]) -> None:
        """Read the manifests of folders that were not read yet."""
        new = [name for name in names if name not in self._certain]
        for_each(self._store, self._read_one, new)
        self._certain.update(new)

    def _read_one(self, name: str) -> None:
        content = self._store.read(_manifest_in(name))
        self._exported[name] = None
        if content is not None:
            with suppress(UnreadableError):  # an export will say what is wrong with it
                manifest = read_manifest(content)
                batch_id = str(manifest.params.get(self._id_name))
                if manifest.source_version is not None:
                    self._exported[name] = state_digest(batch_id, manifest.source_version)

    def _load_index(self) -> dict[str, tuple[str, str | None]]:
        content = self._store.read(self._index_name)
        if content is not None:
            with suppress(UnreadableError):
                return codec.decode(content, ExportIndex, version=INDEX_VERSION).manifests
            log.info("The index of exports at %s cannot be read, so it is made again", self._store.uri)
        return {}

    def _save_index(self, manifests: dict[str, tuple[str, str | None]]) -> None:
        try:
            self._store.put(self._index_name, codec.encode(ExportIndex(manifests=manifests)))
        except BatchProviderError as error:
            log.info("The index of exports at %s could not be written: %s", self._store.uri, error)


def state_digest(batch_id: str, version: Mapping[str, Any]) -> str:
    """Return a short text that is the same for the same state of the same batch.

    :param batch_id: the batch
    :param version: what differs between its states
    """
    text = json.dumps([batch_id, version], sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def _manifest_in(name: str) -> str:
    return f"{name}/{MANIFEST_NAME}"
