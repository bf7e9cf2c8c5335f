"""What was read since the last checkpoint, and when the next one is due."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec

from airflow_batch_provider.apis.body import NO_STATUS
from airflow_batch_provider.apis.page import Rows
from airflow_batch_provider.export.checkpoints import Checkpoint, Checkpoints, Saved
from airflow_batch_provider.export.files import FileWriter, StagedFile
from airflow_batch_provider.export.parts import StagedPart
from airflow_batch_provider.export.stats import Stats

SECONDS_BETWEEN_CHECKPOINTS = 30.0
MOST_BYTES = 16 << 20
"""Rows that cost a request each are written beside the parts after so many seconds or bytes: a part may take hours."""

ROWS_AT_ONCE = 100


class Journal:
    """Notes what was read, for the checkpoints of one try.

    :param checkpoints: where they are written
    :param saved: the checkpoint that the try resumes from, or one of the start
    :param files: has staged the files that rows name
    :param keeps_rows: whether a checkpoint contains rows that are not in a part yet
    :param clock: seconds that only go forward
    """

    def __init__(
        self,
        checkpoints: Checkpoints,
        saved: Saved,
        files: FileWriter,
        *,
        keeps_rows: bool,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._checkpoints = checkpoints
        self._last = saved.checkpoint
        self._staged = files
        self._keeps_rows = keeps_rows
        self._clock = clock
        self._saved_at = clock()
        self._number = 0
        self._tail = list(saved.checkpoint.tail)
        self._digests = list(saved.checkpoint.digests)
        self._lists = list(saved.checkpoint.files)
        self._new_lines: list[bytes] = []
        self._new_bytes = 0
        self._new_digests = bytearray()
        self._new_files: list[StagedFile] = []
        self.files = {file.path: file for file in saved.files}

    def add(self, rows: Rows, digests: Sequence[bytes]) -> None:
        """Note rows that were written into a part."""
        self._new_digests += b"".join(digests)
        for path in (path for paths in rows.files for path in paths):
            if path not in self.files:
                self.files[path] = staged = self._staged.staged(path)
                self._new_files.append(staged)
        if self._keeps_rows:
            self._new_lines += map(bytes, rows.lines)
            self._new_bytes += sum(map(len, rows.lines))

    def leave_out(self, digests: Sequence[bytes]) -> None:
        """Note rows that were read and are not wanted."""
        self._new_digests += b"".join(digests)

    @property
    def is_due(self) -> bool:
        """Whether a checkpoint is due although no part is finished."""
        return self.has_rows and (
            self._clock() - self._saved_at >= SECONDS_BETWEEN_CHECKPOINTS or self._new_bytes >= MOST_BYTES
        )

    @property
    def has_rows(self) -> bool:
        """Whether rows would be lost with the process."""
        return bool(self._new_lines)

    def finish_part(self) -> None:
        """Note that all rows so far are in parts."""
        self._tail, self._new_lines, self._new_bytes = [], [], 0

    def checkpoint(self, position: Any, parts: Sequence[StagedPart], stats: Stats) -> Callable[[], None]:
        """Return what writes a checkpoint of this moment; it may run in another thread, one after the other.

        :param position: where to read on; None if everything was read
        :param parts: the finished parts
        :param stats: the counts
        """
        self._number = number = self._number + 1
        lines, digests, files = self._new_lines, bytes(self._new_digests), self._new_files
        self._new_lines, self._new_bytes, self._new_digests, self._new_files = [], 0, bytearray(), []
        self._saved_at = self._clock()
        tail, parts = self._tail, tuple(parts)
        counted = dataclasses.replace(stats, statuses=dict(stats.statuses), outcomes=dict(stats.outcomes))

        def write() -> None:
            if lines:
                content = b"\n".join([*lines, b""])
                note = self._checkpoints.note(f"{number:05d}.rows", content)
                chunk = StagedPart(note.name, len(lines), len(content), note.sha256)
                tail.append(chunk)
            if digests and position is not None:
                self._digests.append(self._checkpoints.note(f"{number:05d}.ids", digests))
            if files:
                listed = b"\n".join([*map(msgspec.json.encode, files), b""])
                self._lists.append(self._checkpoints.note(f"{number:05d}.files", listed))
            self._checkpoints.save(
                Checkpoint(
                    fingerprint=self._last.fingerprint,
                    position=position,
                    parts=parts,
                    tail=tuple(tail),
                    digests=() if position is None else tuple(self._digests),
                    files=tuple(self._lists),
                    file_digits=self._last.file_digits,
                    stats=counted,
                )
            )

        return write


def rows_of(tail: bytes) -> Iterator[Rows]:
    """Yield the rows that a checkpoint contains, as they are written into a part: nothing of them is counted again."""
    lines = tail.split(b"\n")[:-1]
    for start in range(0, len(lines), ROWS_AT_ONCE):
        some = lines[start : start + ROWS_AT_ONCE]
        yield Rows([""] * len(some), [NO_STATUS] * len(some), some)
