"""Where an export can be resumed after its task was killed: after each part, what that takes is written beside it."""

from __future__ import annotations

import hashlib
import logging
from typing import Any

import msgspec

from airflow_batch_provider import codec
from airflow_batch_provider.export.parts import StagedPart
from airflow_batch_provider.export.staging import CHECKPOINT, SECONDS_UNTIL_ORPHANED, STAGED_NAME, Staging
from airflow_batch_provider.export.stats import Stats
from airflow_batch_provider.stores.destination import Store

log = logging.getLogger(__name__)

_VERSION = 2
_KEPT = 2
"""Checkpoints of a try; the one before the last is there in case that the last one's files are not whole."""


class DigestFile(msgspec.Struct, frozen=True):
    """A file with the hashes of the rows of a part.

    :param name: where it is staged
    :param sha256: the digest of its bytes
    """

    name: str
    sha256: str

    def __post_init__(self) -> None:
        if not STAGED_NAME.fullmatch(self.name):
            raise ValueError(f"{self.name[:100]!r} is not the name of a staged file")


class Checkpoint(msgspec.Struct, frozen=True, kw_only=True):
    """What it takes to resume.

    :param fingerprint: of the piece of work that it belongs to
    :param position: where to read on, as JSON that only the page source understands; None if everything was read
    :param parts: the finished parts
    :param digests: the files with the hashes of the rows in the parts, one for each part
    :param stats: the counts up to there
    """

    version: int = _VERSION
    fingerprint: str
    position: Any
    parts: tuple[StagedPart, ...] = ()
    digests: tuple[DigestFile, ...] = ()
    stats: Stats = msgspec.field(default_factory=Stats)


class Checkpoints:
    """The checkpoints of one piece of work.

    :param store: the destination
    :param staging: the staged files of this try
    """

    def __init__(self, store: Store, staging: Staging) -> None:
        self._store = store
        self._staging = staging
        self._is_whole: dict[str, bool] = {}
        self._saved: list[str] = []

    def save_digests(self, number: int, digests: bytes) -> DigestFile:
        """Write the hashes of the rows of a part."""
        name = self._staging.name(f"{number:05d}.ids")
        self._store.put(name, digests)
        return DigestFile(name, hashlib.sha256(digests).hexdigest())

    def save(self, checkpoint: Checkpoint) -> None:
        """Write a checkpoint."""
        stage = "all" if checkpoint.position is None else f"{len(checkpoint.parts):05d}"
        name = self._staging.name(f"{stage}{CHECKPOINT}")
        self._store.put(name, codec.encode(checkpoint))
        self._saved.append(name)
        if len(self._saved) > _KEPT:  # each names all parts so far
            self._store.remove(self._saved.pop(0))

    def newest(self, fingerprint: str) -> tuple[Checkpoint, bytes] | None:
        """Return the newest checkpoint of any try whose files are all there, and the hashes of its rows."""
        found = []
        for name, age in self._staging.names().items():
            content = self._store.read(name) if name.endswith(CHECKPOINT) and age < SECONDS_UNTIL_ORPHANED else None
            checkpoint = _read(content) if content else None
            if checkpoint and checkpoint.fingerprint == fingerprint:
                found.append(checkpoint)
        for checkpoint in sorted(found, key=_progress, reverse=True):
            digests = self._verified(checkpoint)
            if digests is not None:
                return checkpoint, digests
            log.warning("A checkpoint at %d rows is unusable: its files are not whole", checkpoint.stats.rows)
        return None

    def _verified(self, checkpoint: Checkpoint) -> bytes | None:
        """Return the hashes of a checkpoint's rows, or None if one of its files is missing or damaged."""
        if not all(self._whole(part.name, part.sha256) for part in checkpoint.parts):
            return None
        contents = []
        for file in checkpoint.digests:
            content = self._store.read(file.name)
            if content is None or hashlib.sha256(content).hexdigest() != file.sha256:
                return None
            contents.append(content)
        return b"".join(contents)

    def _whole(self, name: str, sha256: str) -> bool:
        if name not in self._is_whole:
            try:
                with self._store.open(name) as file:
                    self._is_whole[name] = hashlib.file_digest(file, "sha256").hexdigest() == sha256
            except FileNotFoundError:
                return False
        return self._is_whole[name]


def _progress(checkpoint: Checkpoint) -> tuple[bool, int]:
    return checkpoint.position is None, checkpoint.stats.rows


def _read(content: bytes) -> Checkpoint | None:
    try:
        return codec.decode(content, Checkpoint, version=_VERSION)
    except codec.UnreadableError:  # of another release, or what a crash left
        return None
