"""Files that are being written. None exists until it is whole, and none is left behind if it is abandoned."""

from __future__ import annotations

import contextlib
import os
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import IO

from airflow_batch_provider.stores.retry import DestinationName, run_once

BUFFER_BYTES = 1 << 20


class NewFile(ABC):
    """A file that is there when it is closed, and never if it is abandoned.

    :param file: the local file that takes what is written
    :param path: its path
    :param destination: the destination
    """

    _what = "write a file"

    def __init__(self, file: IO[bytes], path: str, destination: DestinationName) -> None:
        self._file = file
        self._path = path
        self._destination = destination
        self._is_done = False

    def write(self, data: bytes) -> None:
        """Add bytes.

        :raises TransientError: the disk is full or fails
        """
        run_once(lambda: self._file.write(data), self._what, self._destination)

    def close(self) -> None:
        """Finish: from now on the file is there, whole.

        :raises TransientError: it could not be finished for now
        :raises DestinationError: it cannot be finished
        """
        if not self._is_done:
            self._finish()
            self._is_done = True

    def abandon(self) -> None:
        """Give up: nothing is there. May be called at any time and again; after :meth:`close` it does nothing."""
        if self._is_done:
            return
        self._is_done = True
        with contextlib.suppress(OSError):  # what is left in the buffer may not fit on the disk
            self._file.close()
        self._remove()

    @abstractmethod
    def _finish(self) -> None: ...

    @abstractmethod
    def _remove(self) -> None: ...


class LocalNewFile(NewFile):
    """A file below a local folder. It grows in place, so only names that have no readers yet are written like this."""

    def _finish(self) -> None:
        run_once(self._file.close, self._what, self._destination)

    def _remove(self) -> None:
        with contextlib.suppress(OSError):
            os.remove(self._path)


class UploadedNewFile(NewFile):
    """A local temporary file that is uploaded when it is whole.

    What is written straight to a store would be committed unfinished by an exception, and leave an unfinished upload
    when the process is killed.

    :param upload: uploads a local file, and may be called again
    :param destination: the destination
    """

    def __init__(self, upload: Callable[[str], None], destination: DestinationName) -> None:
        file = tempfile.NamedTemporaryFile(  # noqa: SIM115 (it outlives this call)
            buffering=BUFFER_BYTES, prefix="airflow-batch-provider-", delete=False
        )
        path = file.name
        if os.path.exists(f"/proc/self/fd/{file.fileno()}"):
            # A file without a name goes with the process, however that ends.
            os.remove(path)
            path = f"/proc/self/fd/{file.fileno()}"
        super().__init__(file, path, destination.via_disk())
        self._what = f"write a temporary file of {os.path.dirname(file.name)!r} for an upload"
        self._upload = upload

    def _finish(self) -> None:
        run_once(self._file.flush, self._what, self._destination)
        self._upload(self._path)
        self._file.close()
        self._remove()

    def _remove(self) -> None:
        if not self._path.startswith("/proc/"):
            with contextlib.suppress(OSError):
                os.remove(self._path)
