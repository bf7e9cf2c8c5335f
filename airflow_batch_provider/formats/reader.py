"""Reads the files of an export back, whatever their format and compression."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import IO, TYPE_CHECKING, Any

from airflow_batch_provider.apis.columns import Column
from airflow_batch_provider.formats.encoder import FormatModule
from airflow_batch_provider.formats.registry import FORMATS

if TYPE_CHECKING:
    import pyarrow as pa


def iter_rows(file: IO[bytes], format_name: str, compression: str | None) -> Iterator[dict[str, Any]]:
    """Return the rows of a file.

    :param file: its bytes, from the beginning, seekable
    :param format_name: the format, as in the manifest
    :param compression: the compression, as in the manifest
    :raises ValueError: this version knows no such format or compression
    """
    module, content = _open(file, format_name, compression)
    return module.iter_rows(content)


def count_rows(file: IO[bytes], format_name: str, compression: str | None) -> int:
    """Return how many rows a file contains. Parameters and errors are those of :func:`iter_rows`."""
    module, content = _open(file, format_name, compression)
    return module.count_rows(content)


def read_table(file: IO[bytes], format_name: str, compression: str | None, columns: Sequence[Column]) -> pa.Table:
    """Return a file as an Arrow table. Errors are those of :func:`iter_rows`.

    :param file: its bytes, from the beginning, seekable
    :param format_name: the format, as in the manifest
    :param compression: the compression, as in the manifest
    :param columns: the documented fields
    """
    module, content = _open(file, format_name, compression)
    return module.read_table(content, columns)


def _open(file: IO[bytes], format_name: str, compression: str | None) -> tuple[FormatModule, IO[bytes]]:
    file_format = FORMATS.get(format_name)
    if file_format is None or compression not in file_format.compressions:
        raise ValueError(f"{format_name} with {compression} is not known to this version")
    return file_format.module(), file_format.around(compression).decompress(file)
