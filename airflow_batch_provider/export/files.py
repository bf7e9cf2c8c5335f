"""Files beside the rows of an export: named by their content, stored once, published before the manifest."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterable
from concurrent.futures import Future, wait

import msgspec

from airflow_batch_provider.export.documents import Count, check_sha256
from airflow_batch_provider.export.manifest import FILE_NAME, FILES
from airflow_batch_provider.export.staging import STAGED_NAME, Staging
from airflow_batch_provider.listing.file_sink import StoredFile
from airflow_batch_provider.stores.destination import Store
from airflow_batch_provider.stores.new_file import NewFile

_MOST_AT_ONCE = 100
"""Files that are finished on a local disk at the same time: as many as there are connections."""


class StagedFile(msgspec.Struct, frozen=True, gc=False):
    """A file beside the rows that is not published yet.

    :param name: where it is staged
    :param path: its name in the destination once it is published
    :param bytes: its size
    :param sha256: the digest of its bytes
    """

    name: str
    path: str
    bytes: Count
    sha256: str

    def __post_init__(self) -> None:
        if not STAGED_NAME.fullmatch(self.name) or not FILE_NAME.fullmatch(self.path):
            raise ValueError("it names a file that is not one beside the rows of an export")
        check_sha256(self.sha256)


class FileWriter:
    """Stages files, from any thread; equal ones once.

    :param store: the destination
    :param staging: the place in it for this try
    :param digits: the 12 digits of the folder that the files are published in
    :param staged: those that an earlier try has staged
    """

    def __init__(self, store: Store, staging: Staging, digits: str, staged: Iterable[StagedFile] = ()) -> None:
        self._store = store
        self._staging = staging
        self.digits = digits
        self._lock = threading.Lock()
        self._at_once = threading.Semaphore(_MOST_AT_ONCE if store.on_disk else store.operations_at_once)
        self._saved = {file.path: file for file in staged}
        self._saving: dict[str, Future[StagedFile]] = {}
        self._is_closed = False

    @property
    def folder(self) -> str:
        """The folder that the files are published in."""
        return f"{FILES}/{self.digits}"

    def new_file(self) -> _OpenFile:
        """Begin a file."""
        return _OpenFile(self)

    def staged(self, path: str) -> StagedFile:
        """Return the staged file that will be published under a name."""
        return self._saved[path]

    def close(self) -> None:
        """Take no more: threads that still write end with an error. What is being finished is, first."""
        with self._lock:
            self._is_closed = True
            under_way = list(self._saving.values())
        wait(under_way)

    def _open(self) -> tuple[str, NewFile]:
        self._check_open()
        name = self._staging.new_name("file")
        return name, self._store.create(name)

    def _check_open(self) -> None:
        if self._is_closed:
            raise RuntimeError("the export has ended")

    def _save(self, file: NewFile, staged: StagedFile) -> None:
        """Finish a staged file; of equal ones that are finished at the same time, one."""
        mine: Future[StagedFile] = Future()
        with self._lock:
            self._check_open()
            is_saved = staged.path in self._saved
            first = mine if is_saved else self._saving.setdefault(staged.path, mine)
        if is_saved or first is not mine:
            file.abandon()
            if not is_saved:
                first.result()
            return
        try:
            with self._at_once:
                file.close()
            with self._lock:
                self._saved[staged.path] = staged
            mine.set_result(staged)
        except BaseException as error:
            mine.set_exception(error)
            raise
        finally:
            with self._lock:
                del self._saving[staged.path]


class _OpenFile:
    """A file that is being written."""

    def __init__(self, writer: FileWriter) -> None:
        self._writer = writer
        self._begin()

    def _begin(self) -> None:
        self._name, self._file = self._writer._open()
        self._digest, self._size = hashlib.sha256(), 0

    def write(self, data: bytes) -> None:
        """Add bytes."""
        self._writer._check_open()
        self._file.write(data)
        self._digest.update(data)
        self._size += len(data)

    def restart(self) -> None:
        """Forget what was written."""
        if self._size:
            self._file.abandon()
            self._begin()

    def finish(self, extension: str) -> StoredFile:
        """Store it, unless the same bytes are stored already."""
        sha256 = self._digest.hexdigest()
        staged = StagedFile(self._name, f"{self._writer.folder}/{sha256}.{extension}", self._size, sha256)
        self._writer._save(self._file, staged)
        return StoredFile(staged.path, self._size, sha256)

    def abandon(self) -> None:
        """Give up; after :meth:`finish` it does nothing."""
        self._file.abandon()
