"""Where files go that results have, and how each is checked while it is written."""

from __future__ import annotations

import mimetypes
import re
from typing import Protocol

import msgspec

from airflow_batch_provider.apis.plans import FileKind
from airflow_batch_provider.apis.raw_json import is_json

LARGEST_CHECKED = 16 << 20
"""Bytes of a file that are kept in memory to be checked; of a larger one, both ends are looked at."""
LARGEST_READ = 64 << 20
"""Bytes of a file that are kept in memory because a plan reads them."""

_MEDIA_TYPES = mimetypes.MimeTypes()
"""Python's own table: that of a machine would give the same file other names elsewhere."""
for _content_type, _ending in {"audio/wav": "wav", "audio/ogg": "ogg", "audio/mp4": "m4a", "audio/mp3": "mp3"}.items():
    _MEDIA_TYPES.add_type(_content_type, f".{_ending}", strict=False)

_EXTENSION = re.compile(r"[a-z0-9]{1,8}")
_EDGE = 64
_HTML = (b"<!doctype html", b"<html")


class StoredFile(msgspec.Struct, frozen=True):
    """A file that is stored.

    :param path: where it will be, below the destination
    :param bytes: its size
    :param sha256: the digest of its bytes
    """

    path: str
    bytes: int
    sha256: str


class NewStoredFile(Protocol):
    """A file that is being stored."""

    def write(self, data: bytes) -> None:
        """Add bytes."""
        ...

    def restart(self) -> None:
        """Forget what was written."""
        ...

    def finish(self, extension: str) -> StoredFile:
        """Store it, unless the same bytes are stored already."""
        ...

    def abandon(self) -> None:
        """Give up: nothing is there. After :meth:`finish` it does nothing."""
        ...


class FileSink(Protocol):
    """Takes files, from any thread."""

    def new_file(self) -> NewStoredFile:
        """Begin a file."""
        ...


class NoFiles:
    """Takes no files: for plans that are not to fetch any."""

    def new_file(self) -> NewStoredFile:
        """Fail."""
        raise AssertionError("a file is to be stored, but none was asked for")


class CheckedFile:
    """A file that is looked at while it is written: an error page is no image.

    :param file: takes its bytes
    :param most_kept: how many bytes are kept in memory at most
    """

    def __init__(self, file: NewStoredFile, *, most_kept: int) -> None:
        self._file = file
        self._most_kept = most_kept
        self._head = b""
        self._tail = b""
        self._pieces: list[bytes] | None = []
        self._size = 0

    def write(self, data: bytes) -> None:
        """Add bytes."""
        self._file.write(data)
        self._size += len(data)
        if len(self._head) < _EDGE:
            self._head += data[: _EDGE - len(self._head)]
        self._tail = (self._tail + data[-_EDGE:])[-_EDGE:]
        if self._size > self._most_kept:
            self._pieces = None
        elif self._pieces is not None:
            self._pieces.append(data)

    def restart(self) -> None:
        """Forget what was written."""
        self._file.restart()
        self._head = self._tail = b""
        self._pieces, self._size = [], 0

    def finish(self, extension: str) -> StoredFile:
        """Store it."""
        return self._file.finish(extension)

    def abandon(self) -> None:
        """Give up; after :meth:`finish` it does nothing."""
        self._file.abandon()

    @property
    def content(self) -> bytes | None:
        """All of it, None if it is too large to be kept."""
        return None if self._pieces is None else b"".join(self._pieces)

    def problem(self, kind: FileKind, content: bytes | None) -> str | None:
        """Return why it is no file of its kind, as the end of a sentence, or None.

        :param content: its bytes, if they are at hand
        """
        if kind.starts and not self._head.startswith(kind.starts):
            return f"does not begin as {kind.content_type or 'such a file'} does"
        if kind.is_json:
            content = self.content if content is None else content
            if content is None:  # too large: both ends have to do
                is_whole = self._head.lstrip()[:1] in (b"{", b"[") and self._tail.rstrip()[-1:] in (b"}", b"]")
            else:
                is_whole = is_json(content)
            return None if is_whole else "is no JSON, or ends early"
        if kind.extension not in ("md", "txt", "html") and self.is_html:
            return "is a web page, not the file"
        return None

    @property
    def is_html(self) -> bool:
        """Whether it begins as a web page does; the text of a document may do so too."""
        return self._head.lstrip().lower().startswith(_HTML)


def extension_of(content_type: str) -> str:
    """Return how the name of a file ends: nothing of what a vendor calls it goes into the name."""
    guessed = (_MEDIA_TYPES.guess_extension(content_type, strict=False) or "").removeprefix(".")
    return guessed if _EXTENSION.fullmatch(guessed) else "bin"
