"""Where an export can be resumed after its task was killed: after each part, what that takes is written beside it."""

from __future__ import annotations

import hashlib
import logging
from typing import Annotated, Any

import msgspec

from airflow_batch_provider import codec
from airflow_batch_provider.export.documents import check_depth, check_sha256, is_intact, read_document
from airflow_batch_provider.export.files import StagedFile
from airflow_batch_provider.export.manifest import FILES
from airflow_batch_provider.export.parts import StagedPart
from airflow_batch_provider.export.staging import CHECKPOINT, SECONDS_UNTIL_ORPHANED, STAGED_NAME, Staging
from airflow_batch_provider.export.stats import LONGEST_STATUS, MOST_STATUSES, Stats
from airflow_batch_provider.listing.seen import DIGEST_SIZE
from airflow_batch_provider.stores.destination import Store

log = logging.getLogger(__name__)

_VERSION = 4
_KEPT = 2
"""Checkpoints of a try; the one before the last is there in case that the last one's files are not whole."""


class Note(msgspec.Struct, frozen=True):
    """A file that a checkpoint needs beside the parts.

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
    :param tail: the rows after those in the parts, as JSON lines
    :param digests: the files with the hashes of the rows up to there
    :param files: the lists of files beside the rows, as JSON lines
    :param file_digits: the digits of the folder that these will be published in
    :param stats: the counts up to there
    """

    version: int = _VERSION
    fingerprint: str
    position: Any
    parts: tuple[StagedPart, ...] = ()
    tail: tuple[StagedPart, ...] = ()
    digests: tuple[Note, ...] = ()
    files: tuple[Note, ...] = ()
    file_digits: Annotated[str, msgspec.Meta(pattern=r"^([0-9a-f]{12})?$", max_length=12)] = ""
    stats: Stats = msgspec.field(default_factory=Stats)

    def __post_init__(self) -> None:
        check_depth(self.position)
        _check_stats(self.stats)
        if self.stats.rows != sum(part.rows for part in (*self.parts, *self.tail)):
            raise ValueError("it counts other rows than its parts have")
        if len(set(self.names)) != len(self.names):
            raise ValueError("it names a file twice")

    @property
    def names(self) -> list[str]:
        """The names of all files that it needs."""
        parts = [part.name for part in (*self.parts, *self.tail)]
        return [*parts, *(note.name for note in (*self.digests, *self.files))]


def _check_stats(stats: Stats) -> None:
    counts = (
        *(stats.rows, stats.pages, stats.duplicates, stats.total or 0, stats.passes, stats.requests),
        *(*stats.statuses.values(), *stats.outcomes.values()),
    )
    if not all(0 <= count < 1 << 63 for count in counts):
        raise ValueError("a count is negative, or too large")
    if len(stats.statuses) > MOST_STATUSES + 1 or any(len(word) > LONGEST_STATUS for word in stats.statuses):
        raise ValueError("it has more statuses, or longer ones, than an export notes")
    if stats.started_at.tzinfo is None:
        raise ValueError("its time has no time zone")


class Saved(msgspec.Struct, frozen=True):
    """A checkpoint whose files are all there.

    :param checkpoint: the checkpoint
    :param digests: the hashes of the rows that were read
    :param tail: the rows after those in the parts, as JSON lines
    :param files: the files beside the rows
    """

    checkpoint: Checkpoint
    digests: bytes
    tail: bytes
    files: list[StagedFile]


_LISTED = msgspec.json.Decoder(StagedFile)


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
        self._has_found = False

    @property
    def are_saved(self) -> bool:
        """Whether this try has written one, or an earlier one has that is still there."""
        return bool(self._saved) or self._has_found

    def note(self, rest: str, content: bytes) -> Note:
        """Write a file that a checkpoint needs.

        :param rest: the rest of its name
        :param content: what it contains
        """
        name = self._staging.name(rest)
        self._store.put(name, content)
        return Note(name, hashlib.sha256(content).hexdigest())

    def save(self, checkpoint: Checkpoint) -> None:
        """Write a checkpoint."""
        stage = "all" if checkpoint.position is None else f"{len(checkpoint.parts):05d}"
        if checkpoint.tail:
            stage += f".{len(checkpoint.tail):05d}"
        name = self._staging.name(f"{stage}{CHECKPOINT}")
        self._store.put(name, codec.encode(checkpoint))
        self._saved.append(name)
        if len(self._saved) > _KEPT:  # each names all parts so far
            self._store.remove(self._saved.pop(0))

    def newest(self, fingerprint: str) -> Saved | None:
        """Return the newest checkpoint of any try whose files are all there, and what they contain."""
        found = []
        for name, age in self._staging.names().items():
            if STAGED_NAME.fullmatch(name) and name.endswith(CHECKPOINT) and age < SECONDS_UNTIL_ORPHANED:
                checkpoint = self._read(name)
                if checkpoint and checkpoint.fingerprint == fingerprint:
                    found.append(checkpoint)
        for checkpoint in sorted(found, key=_progress, reverse=True):
            saved = self._verified(checkpoint)
            if saved is not None:
                self._has_found = True
                return saved
            log.warning("A checkpoint at %d rows is unusable: its files are not whole", checkpoint.stats.rows)
        return None

    def _read(self, name: str) -> Checkpoint | None:
        try:
            content = read_document(self._store, name)
            checkpoint = codec.decode(content, Checkpoint, version=_VERSION) if content is not None else None
            if checkpoint and not all(file.startswith(f"{self._staging.folder}/") for file in checkpoint.names):
                raise codec.UnreadableError("it names files of another export")
        except codec.UnreadableError as error:  # of another release, what a crash left, or somebody else's
            log.warning("The checkpoint %s is ignored: %s", name, error)
            return None
        return checkpoint

    def _verified(self, checkpoint: Checkpoint) -> Saved | None:
        """Return a checkpoint and what its files contain, or None if one is missing or damaged."""
        if not all(self._whole(part) for part in checkpoint.parts):
            return None
        tail = [self._content(part.name, part.sha256) for part in checkpoint.tail]
        digests = [self._content(note.name, note.sha256) for note in checkpoint.digests]
        lists = [self._content(note.name, note.sha256) for note in checkpoint.files]
        if any(content is None for content in (*tail, *digests, *lists)):
            return None
        try:
            files = _LISTED.decode_lines(b"".join(filter(None, lists)))
        except msgspec.MsgspecError:
            return None
        there = self._staging.names() if files else {}
        if not all(file.name in there and file.path.startswith(_folder(checkpoint)) for file in files):
            return None
        joined = b"".join(filter(None, digests))
        hashes, rest = divmod(len(joined), DIGEST_SIZE)
        if rest or (checkpoint.position is not None and hashes < checkpoint.stats.rows):
            return None
        return Saved(checkpoint, joined, b"".join(filter(None, tail)), files)

    def _content(self, name: str, sha256: str) -> bytes | None:
        content = self._store.read(name)
        return content if content is not None and hashlib.sha256(content).hexdigest() == sha256 else None

    def _whole(self, part: StagedPart) -> bool:
        facts = part.name, part.bytes, part.sha256
        if facts not in self._is_whole:
            self._is_whole[facts] = is_intact(self._store, *facts)
        return self._is_whole[facts]


def _progress(checkpoint: Checkpoint) -> tuple[bool, int]:
    return checkpoint.position is None, checkpoint.stats.rows


def _folder(checkpoint: Checkpoint) -> str:
    return f"{FILES}/{checkpoint.file_digits}/"
