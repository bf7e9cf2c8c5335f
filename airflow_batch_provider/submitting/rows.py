"""The rows that a task submits: a list of mappings, or a file of JSON Lines or CSV."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from typing import IO, TYPE_CHECKING, Any

from airflow_batch_provider.exceptions import BatchProviderError, InvalidParameterError
from airflow_batch_provider.submitting.compressed import ENDINGS, decompressed
from airflow_batch_provider.submitting.row_files import BadHeader, BadRow, ReadRows, csv_rows, json_rows
from airflow_batch_provider.submitting.sources import RENDERED, Sources, StoredFile, is_path

if TYPE_CHECKING:
    from airflow.sdk import ObjectStoragePath

READERS: dict[str, ReadRows] = {".jsonl": json_rows, ".ndjson": json_rows, ".csv": csv_rows}
"""By the end of a file's name; another may follow that says how the file is compressed."""

Numbered = Iterator[tuple[int, dict[str, Any]]]


class Rows:
    """The rows that a task submits. Each iteration reads them again from the source, one at a time.

    An iteration yields the number of each row, from 1, and the row. Integers in JSON are exact, values in CSV are text
    as it is written: leading zeros and plus signs stay. Errors name the row's number, never what it contains.

    :param source: a list of mappings, or a file: a URI, an absolute local path, or an ``ObjectStoragePath``. Its name
        ends with ``.jsonl``, ``.ndjson`` or ``.csv``, and perhaps with ``.gz`` or ``.zst`` after that (which needs the
        extra ``zstd``). Files are in UTF-8, with or without a byte order mark.
    :param conn_id: the Airflow connection for a URI that names none
    :param name: the parameter that is read, for errors
    :raises InvalidParameterError: the source is something else
    """

    def __init__(
        self,
        source: Iterable[Mapping[str, Any]] | str | os.PathLike[str] | ObjectStoragePath,
        conn_id: str | None = None,
        *,
        name: str,
    ) -> None:
        self._name = name
        self._rows: Iterable[Mapping[str, Any]] | None = None
        self._conn_id = conn_id
        if is_path(source):
            self._path: Any = source
            self._read, self._compression = _kind_of(str(source), name)
        elif isinstance(source, (Mapping, bytes, bytearray)) or not isinstance(source, Iterable):
            raise InvalidParameterError(f"{name} must be a list of mappings, or the path or URI of a file of rows.")
        else:
            # An iterator can be read once only.
            self._rows = list(source) if isinstance(source, Iterator) else source  # type: ignore[assignment]

    def __iter__(self) -> Numbered:
        """Yield the number of each row, and the row.

        :raises InvalidParameterError: the file is not there, or a row cannot be read
        :raises TransientError: the store cannot be read for now
        """
        return self._of_file() if self._rows is None else self._of_list(self._rows)

    def _of_list(self, rows: Iterable[Mapping[str, Any]]) -> Numbered:
        for number, row in enumerate(rows, 1):
            if not isinstance(row, Mapping) or not all(isinstance(key, str) for key in row):
                raise InvalidParameterError(f"{self._name}: row {number} is no mapping with text as keys.")
            yield number, dict(row)

    def _of_file(self) -> Numbered:
        file = Sources(self._name, self._conn_id).find(self._path)
        with file.open() as raw:
            yield from self._numbered(file, decompressed(raw, self._compression, self._name))

    def _numbered(self, file: StoredFile, content: IO[bytes]) -> Numbered:
        rows = self._read(content)
        number = 0
        while True:
            try:
                row = next(rows, None)
            except BadHeader as error:
                raise InvalidParameterError(f"{self._name}: the header of {file.uri} {error}.") from None
            except BadRow as error:
                raise InvalidParameterError(f"{self._name}: row {number + 1} of {file.uri} {error}.") from None
            except BatchProviderError:
                raise  # of the store
            except Exception as error:  # each library that decompresses has errors of its own
                reason = f"cannot be read: {type(error).__name__}"
                raise InvalidParameterError(f"{self._name}: row {number + 1} of {file.uri} {reason}.") from error
            if row is None:
                return
            number += 1
            yield number, row


def _kind_of(path: str, name: str) -> tuple[ReadRows, str]:
    """Return what reads a file, and how it is compressed."""
    if path.lstrip().startswith(RENDERED):
        return json_rows, ""  # which has an error of its own
    ending = path.strip().lower()
    compression = next((known for known in ENDINGS if ending.endswith(known)), "")
    ending = ending.removesuffix(compression)
    for known, read in READERS.items():
        if ending.endswith(known):
            return read, compression
    # Without the text, which may be anything.
    raise InvalidParameterError(
        f"{name} must be a list of mappings, or a file whose name ends with one of {', '.join(READERS)}, "
        f"and perhaps with one of {', '.join(ENDINGS)} after that."
    )
