"""The file formats of an export: what is known of each without importing it. Parsing a DAG imports this module."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

from airflow_batch_provider.exceptions import InvalidParameterError
from airflow_batch_provider.formats.compression import COMPRESSIONS, Compression
from airflow_batch_provider.libraries import Library

if TYPE_CHECKING:
    from airflow_batch_provider.formats.encoder import FormatModule

DEFAULT = "default"
"""Stands for the default compression of a format; None is no compression."""


class FileFormat(msgspec.Struct, frozen=True, kw_only=True):
    """A file format.

    :param module: imports the format's module
    :param compressed_inside: the compression inside the file, if its readers expect none around it
    :param has_columns: whether it has a column for each documented field
    :param has_types: whether a file says itself of what types its columns are
    :param can_escape_formulas: whether ``escape_formulas`` makes a difference
    :param library: the library that it needs, if an extra installs it
    """

    module: Callable[[], FormatModule]
    compressed_inside: str | None = None
    has_columns: bool = True
    has_types: bool = False
    can_escape_formulas: bool = False
    library: Library | None = None

    @property
    def compressions(self) -> tuple[str | None, ...]:
        """The names of the compressions that it may have, the default one first."""
        return (self.compressed_inside,) if self.compressed_inside else tuple(COMPRESSIONS)

    def around(self, compression: str | None) -> Compression:
        """Return how a whole file is compressed in an export with this compression."""
        return COMPRESSIONS[None if self.compressed_inside else compression]


def _jsonl() -> FormatModule:
    from airflow_batch_provider.formats import jsonl

    return jsonl


def _csv() -> FormatModule:
    from airflow_batch_provider.formats import csv

    return csv


def _parquet() -> FormatModule:
    from airflow_batch_provider.formats import parquet

    return parquet


FORMATS: dict[str, FileFormat] = {
    "jsonl": FileFormat(module=_jsonl, has_columns=False),
    "csv": FileFormat(module=_csv, can_escape_formulas=True),
    "parquet": FileFormat(
        module=_parquet, compressed_inside="zstd", has_types=True, library=Library("pyarrow", "parquet")
    ),
}
"""By name, which is also how a file's name ends."""

COMPRESSION_NAMES = (DEFAULT, *dict.fromkeys(name for known in FORMATS.values() for name in known.compressions if name))
"""What a user may ask for beside None; not every format has each."""


def compression_of(format_name: str, compression: str | None) -> str | None:
    """Return the compression of an export, None for none.

    :param format_name: the format
    :param compression: what was asked for
    :raises InvalidParameterError: the format does not have it, or a library is not installed
    """
    allowed = FORMATS[format_name].compressions
    found = allowed[0] if compression == DEFAULT else compression
    if found not in allowed:
        raise InvalidParameterError(
            f"compression={compression!r} is not allowed for {format_name}; "
            f"allowed is one of {', '.join(map(repr, (DEFAULT, *allowed)))}."
        )
    require_library(format_name, found)
    return found


def require_library(format_name: str, compression: str | None) -> None:
    """Check that the libraries are installed that write and read a kind of file; unknown kinds need none.

    :param format_name: the format of an export
    :param compression: its compression
    :raises InvalidParameterError: one is not installed; says how to install it
    """
    file_format = FORMATS.get(format_name)
    if file_format is None or compression not in file_format.compressions:
        return
    if file_format.library:
        file_format.library.require(f"file_format={format_name!r}")
    if library := file_format.around(compression).library:
        library.require(f"compression={compression!r}")
