"""Where an export can go on after its task was killed: after each part, what it takes is written beside it."""

from __future__ import annotations

import hashlib
import json
import logging
from dataclasses import dataclass, field

import msgspec

from airflow_batch_provider.export.manifest import Part
from airflow_batch_provider.export.parts import StagedPart
from airflow_batch_provider.export.staging import CHECKPOINT, SECONDS_UNTIL_NOBODYS, Staging
from airflow_batch_provider.export.stats import Stats
from airflow_batch_provider.listing.pages import Bookmark
from airflow_batch_provider.stores.destination import Store

log = logging.getLogger(__name__)

_PIECE = 1 << 20
_KEPT = 2
"""Checkpoints of a try; the one before the last is there in case that the last one's files are not whole."""


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """What it takes to go on.

    :param fingerprint: of the work that it belongs to
    :param bookmark: where to read on: the page that holds the first row which is in no part; None where all was read
    :param parts: what was finished
    :param digests: the files with the hashes of the rows in the parts, one for each part
    :param stats: what was met up to there
    """

    fingerprint: str
    bookmark: Bookmark | None
    parts: tuple[StagedPart, ...]
    digests: tuple[Part, ...]
    stats: Stats = field(default_factory=Stats)

    def to_json(self) -> bytes:
        """Return the file's bytes."""
        return json.dumps(msgspec.to_builtins(self)).encode()


class Checkpoints:
    """The checkpoints of one piece of work.

    :param store: the destination
    :param staging: the place in it for this try
    """

    def __init__(self, store: Store, staging: Staging) -> None:
        self._store = store
        self._staging = staging
        self._is_whole: dict[str, bool] = {}
        self._saved: list[str] = []

    def save_digests(self, number: int, digests: bytes) -> Part:
        """Write the hashes of the rows of a part."""
        name = self._staging.name(f"{number:05d}.ids")
        self._store.put(name, digests)
        return Part(name, 0, len(digests), hashlib.sha256(digests).hexdigest())

    def save(self, checkpoint: Checkpoint) -> None:
        """Write a checkpoint."""
        stage = f"{len(checkpoint.parts):05d}" if checkpoint.bookmark else "all"
        name = self._staging.name(f"{stage}{CHECKPOINT}")
        self._store.put(name, checkpoint.to_json())
        self._saved.append(name)
        if len(self._saved) > _KEPT:  # each names all parts so far
            self._store.remove(self._saved.pop(0))

    def newest(self, fingerprint: str) -> tuple[Checkpoint, bytes] | None:
        """Return the newest checkpoint of any try whose files are all there, and the hashes of its rows."""
        found = []
        for name, age in self._staging.names().items():
            content = self._store.read(name) if name.endswith(CHECKPOINT) and age < SECONDS_UNTIL_NOBODYS else None
            checkpoint = _read(content) if content else None
            if checkpoint and checkpoint.fingerprint == fingerprint:
                found.append(checkpoint)
        for checkpoint in sorted(found, key=_progress, reverse=True):
            digests = self._verified(checkpoint)
            if digests is not None:
                return checkpoint, digests
            log.warning("A checkpoint at %d rows is of no use: its files are not whole", checkpoint.stats.rows)
        return None

    def _verified(self, checkpoint: Checkpoint) -> bytes | None:
        wholes = [self._whole(staged.name, staged.part.sha256) for staged in checkpoint.parts]
        if not all(wholes):
            return None
        contents = [self._store.read(file.path) for file in checkpoint.digests]
        if any(
            content is None or hashlib.sha256(content).hexdigest() != file.sha256
            for content, file in zip(contents, checkpoint.digests, strict=True)
        ):
            return None
        return b"".join(content for content in contents if content)

    def _whole(self, name: str, sha256: str) -> bool:
        if name not in self._is_whole:
            digest = hashlib.sha256()
            try:
                with self._store.open(name) as file:
                    while piece := file.read(_PIECE):
                        digest.update(piece)
            except FileNotFoundError:
                return False
            self._is_whole[name] = digest.hexdigest() == sha256
        return self._is_whole[name]


def _progress(checkpoint: Checkpoint) -> tuple[bool, int]:
    return checkpoint.bookmark is None, checkpoint.stats.rows


def _read(content: bytes) -> Checkpoint | None:
    try:
        return msgspec.convert(json.loads(content), Checkpoint)
    except (ValueError, msgspec.ValidationError):  # of another version, or what a crash left
        return None
