"""A listing that is read beside other work, and whose rows are waited for one by one."""

from __future__ import annotations

import contextvars
import tempfile
import threading
from collections.abc import Callable, Iterator

from airflow_batch_provider.apis.page import Row
from airflow_batch_provider.listing.pages import NewRows

MOST_IN_MEMORY = 16 << 20
"""Bytes of rows; more of them go to a temporary file."""


class Gathered:
    """Reads a listing in a thread of its own, and keeps its rows.

    :param pages: the listing
    :param get: gets the next page, None at the end
    """

    def __init__(self, pages: Iterator[NewRows], get: Callable[[Iterator[NewRows]], NewRows | None]) -> None:
        self._pages = pages
        self._get = get
        self._rows: dict[str, tuple[str | int, str, int, int]] = {}
        """By the id as text: id, status, and where the row lies in the file."""
        self._file = tempfile.SpooledTemporaryFile(MOST_IN_MEMORY)  # noqa: SIM115 - it closes with this object
        self._end = 0
        self._changed = threading.Condition()
        self._is_over = False
        self._error: Exception | None = None
        context = contextvars.copy_context()
        threading.Thread(target=context.run, args=(self._read,), name="gather", daemon=True).start()

    def find(self, identifier: str) -> Row | None:
        """Return a row as soon as it has come, None if the listing has none of this id.

        :raises Exception: the listing could not be read
        """
        with self._changed:
            self._changed.wait_for(lambda: identifier in self._rows or self._is_over)
            if identifier not in self._rows:
                if self._error:
                    raise self._error
                return None
            row_id, status, start, size = self._rows[identifier]
            self._file.seek(start)
            return Row(row_id, status, self._file.read(size))

    def close(self) -> None:
        """Let nobody wait any more."""
        with self._changed:
            self._is_over = True
            self._changed.notify_all()

    def _read(self) -> None:
        try:
            while not self._is_over and (page := self._get(self._pages)):
                with self._changed:
                    self._keep(page)
                    self._changed.notify_all()
        except Exception as error:  # noqa: BLE001 - who waits for a row is told
            self._error = error
        self.close()

    def _keep(self, page: NewRows) -> None:
        self._file.seek(self._end)
        for row in page.rows:
            self._rows[str(row.id)] = row.id, row.status, self._end, len(row.json)
            self._end += self._file.write(row.json)
