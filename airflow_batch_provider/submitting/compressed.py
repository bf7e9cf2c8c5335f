"""Opens a file that may be compressed, as its name says; one that was cut is an error, not a shorter file."""

from __future__ import annotations

import io
from typing import IO, Any, cast

from airflow_batch_provider.formats.compression import COMPRESSIONS

GZIP, ZSTD = ".gz", ".zst"
ENDINGS = (GZIP, ZSTD)

_PIECE = 1024
"""Compressed bytes that are read in one piece: 1 KiB of Zstandard can be 32 MiB of zeros."""


def decompressed(file: IO[bytes], ending: str, name: str) -> IO[bytes]:
    """Return what a file contains.

    :param file: the file
    :param ending: the end of its name, empty for a file that is not compressed
    :param name: the parameter, for the error
    :raises InvalidParameterError: the library that it needs is not installed
    """
    if ending == GZIP:
        return COMPRESSIONS["gzip"].decompress(file)
    if ending == ZSTD:
        if library := COMPRESSIONS["zstd"].library:
            library.require(f"{name} with a {ZSTD} file")
        return cast(IO[bytes], io.BufferedReader(_Frames(file)))
    return file


class _Frames(io.RawIOBase):
    """Reads the frames of a Zstandard file. The library's own reader takes a file that was cut for a whole one.

    :param file: the file
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._frame: Any = None
        self._unread = b""
        self._ready = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._ready and self._read_piece():
            pass
        piece, self._ready = self._ready[: len(buffer)], self._ready[len(buffer) :]
        buffer[: len(piece)] = piece
        return len(piece)

    def _read_piece(self) -> bool:
        from zstandard import ZstdDecompressor

        piece = self._unread or self._file.read(_PIECE)
        if not piece:
            if self._frame is not None:
                raise EOFError("the file ends within a frame")
            return False
        frame = self._frame or ZstdDecompressor().decompressobj()
        self._ready = frame.decompress(piece)
        self._unread = frame.unused_data if frame.eof else b""
        self._frame = None if frame.eof else frame
        return True
