"""Where an export can be resumed after its task was killed: after each part, what that takes is written beside it."""

from __future__ import annotations

import hashlib
import logging
from typing import Any

import msgspec

from airflow_batch_provider import codec
from airflow_batch_provider.export.documents import check_depth, check_sha256, is_intact, read_document
from airflow_batch_provider.export.parts import StagedPart
from airflow_batch_provider.export.staging import CHECKPOINT, SECONDS_UNTIL_ORPHANED, STAGED_NAME, Staging
from airflow_batch_provider.export.stats import LONGEST_STATUS, MOST_STATUSES, Stats
from airflow_batch_provider.listing.seen import DIGEST_SIZE
from airflow_batch_provider.stores.destination import Store

log = logging.getLogger(__name__)

_VERSION = 3
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
        check_sha256(self.sha256)


class Checkpoint(msgspec.Struct, frozen=True, kw_only=True):
    """What it takes to resume. It is read strictly: anybody may have written it.

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

    def __post_init__(self) -> None:
        check_depth(self.position)
        _check_stats(self.stats)
        if self.stats.rows != sum(part.rows for part in self.parts):
            raise ValueError("it counts other rows than its parts have")
        if self.position is not None and len(self.digests) != len(self.parts):
            raise ValueError("it has not a file of hashes for each part")
        if len(set(self.files)) != len(self.files):
            raise ValueError("it names a file twice")

    @property
    def files(self) -> list[str]:
        """The names of all files that it needs."""
        return [*(part.name for part in self.parts), *(file.name for file in self.digests)]


def _check_stats(stats: Stats) -> None:
    counts = (stats.rows, stats.pages, stats.duplicates, stats.total or 0, stats.passes, *stats.statuses.values())
    if not all(0 <= count < 1 << 63 for count in counts):
        raise ValueError("a count is negative, or too large")
    if len(stats.statuses) > MOST_STATUSES + 1 or any(len(word) > LONGEST_STATUS for word in stats.statuses):
        raise ValueError("it has more statuses, or longer ones, than an export notes")
    if stats.started_at.tzinfo is None:
        raise ValueError("its time has no time zone")


class Checkpoints:
    """The checkpoints of one piece of work.

    :param store: the destination
    :param staging: the staged files of this try
    """

    def __init__(self, store: Store, staging: Staging) -> None:
        self._store = store
        self._staging = staging
        self._is_whole: dict[tuple[str, int, str], bool] = {}
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
            if STAGED_NAME.fullmatch(name) and name.endswith(CHECKPOINT) and age < SECONDS_UNTIL_ORPHANED:
                checkpoint = self._read(name)
                if checkpoint and checkpoint.fingerprint == fingerprint:
                    found.append(checkpoint)
        for checkpoint in sorted(found, key=_progress, reverse=True):
            digests = self._verified(checkpoint)
            if digests is not None:
                return checkpoint, digests
            log.warning("A checkpoint at %d rows is unusable: its files are not whole", checkpoint.stats.rows)
        return None

    def _read(self, name: str) -> Checkpoint | None:
        try:
            content = read_document(self._store, name)
            checkpoint = codec.decode(content, Checkpoint, version=_VERSION) if content is not None else None
            if checkpoint and not all(file.startswith(f"{self._staging.folder}/") for file in checkpoint.files):
                raise codec.UnreadableError("it names files of another export")
        except codec.UnreadableError as error:  # of another release, what a crash left, or somebody else's
            log.warning("The checkpoint %s is ignored: %s", name, error)
            return None
        return checkpoint

    def _verified(self, checkpoint: Checkpoint) -> bytes | None:
        """Return the hashes of a checkpoint's rows, or None if one of its files is missing or damaged."""
        if not all(self._whole(part) for part in checkpoint.parts):
            return None
        contents = []
        for file, part in zip(checkpoint.digests, checkpoint.parts, strict=False):
            if self._store.size(file.name) != part.rows * DIGEST_SIZE:
                return None
            content = self._store.read(file.name)
            if content is None or hashlib.sha256(content).hexdigest() != file.sha256:
                return None
            contents.append(content)
        return b"".join(contents)

    def _whole(self, part: StagedPart) -> bool:
        facts = part.name, part.bytes, part.sha256
        if facts not in self._is_whole:
            self._is_whole[facts] = is_intact(self._store, *facts)
        return self._is_whole[facts]


def _progress(checkpoint: Checkpoint) -> tuple[bool, int]:
    return checkpoint.position is None, checkpoint.stats.rows
