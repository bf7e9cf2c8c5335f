"""The compressions of an export's files. The same bytes give the same file, however they are split over calls."""

from __future__ import annotations

from collections.abc import Callable
from io import BufferedReader
from typing import IO, Protocol, cast

import msgspec

from airflow_batch_provider.libraries import Library

GZIP_LEVEL = 1
"""ISA-L's level 1: an eleventh of zlib's level 6 in CPU, 3 % larger on LlamaCloud's rows."""

ZSTD_LEVEL = 1
"""A third of level 3 in CPU, and smaller on LlamaCloud's rows."""

BLOCK = 256 * 1024

_GZIP_WINDOW = 31


class Compressor(Protocol):
    """Compresses a stream of bytes."""

    def compress(self, data: bytes | memoryview, /) -> bytes:
        """Take bytes, and return what is ready."""
        ...

    def flush(self) -> bytes:
        """Return the rest."""
        ...


class Compression(msgspec.Struct, frozen=True):
    """A way to compress a whole file. Both callables import their library, which parsing a DAG must not cost.

    :param ending: the end of a file's name
    :param compressor: makes the compressor of a file
    :param decompress: opens a compressed file to read what was compressed
    :param library: the library that it needs, if an extra installs it
    """

    ending: str
    compressor: Callable[[], Compressor]
    decompress: Callable[[IO[bytes]], IO[bytes]]
    library: Library | None = None


class InBlocks:
    """Passes bytes on in blocks of one size: where ISA-L ends a deflate block depends on how its input is split.

    :param compressor: takes the blocks
    """

    def __init__(self, compressor: Compressor) -> None:
        self._compressor = compressor
        self._waiting: list[bytes | memoryview] = []
        self._size = 0

    def compress(self, data: bytes | memoryview, /) -> bytes:
        """Take bytes, and return what is ready."""
        self._waiting.append(data)
        self._size += len(data)
        if self._size < BLOCK:
            return b""
        waiting = b"".join(self._waiting)
        whole = self._size // BLOCK * BLOCK
        self._waiting, self._size = [waiting[whole:]], self._size - whole
        blocks = memoryview(waiting)[:whole]
        return b"".join([self._compressor.compress(blocks[start : start + BLOCK]) for start in range(0, whole, BLOCK)])

    def flush(self) -> bytes:
        """Return the rest."""
        return self._compressor.compress(b"".join(self._waiting)) + self._compressor.flush()


def _gzip() -> Compressor:
    from isal import isal_zlib

    # Writes no time and no name into the header.
    return InBlocks(isal_zlib.compressobj(GZIP_LEVEL, wbits=_GZIP_WINDOW))


def _gunzip(file: IO[bytes]) -> IO[bytes]:
    from isal import igzip

    return cast(IO[bytes], igzip.open(file, "rb"))  # type: ignore[no-untyped-call]


def _zstd() -> Compressor:
    from zstandard import ZstdCompressor

    return InBlocks(ZstdCompressor(level=ZSTD_LEVEL).compressobj())


def _unzstd(file: IO[bytes]) -> IO[bytes]:
    from zstandard import ZstdDecompressor

    return BufferedReader(ZstdDecompressor().stream_reader(file, closefd=False))


class _Uncompressed:
    def compress(self, data: bytes | memoryview, /) -> bytes:
        return bytes(data)

    def flush(self) -> bytes:
        return b""


COMPRESSIONS: dict[str | None, Compression] = {
    "gzip": Compression(".gz", _gzip, _gunzip),
    "zstd": Compression(".zst", _zstd, _unzstd, Library("zstandard", "zstd")),
    None: Compression("", _Uncompressed, lambda file: file),
}
"""By name, the default one first."""
