"""What surrounds an attempt: a vendor on a real socket, a destination on a real store, and a reader of it."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import threading
import uuid
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any
from unittest import mock

from airflow_batch_provider.exceptions import BatchProviderError, ExportDamagedError, ExportReplacedError
from airflow_batch_provider.export import read_export, verify_export
from airflow_batch_provider.stores.destination import LocalStore, open_store
from tests.integration.object_servers import ObjectServer
from tests.integration.proxy import Proxy
from tests.vendor_server import Served, VendorServer, listing, serve

WHOLE = "whole"
REPLACED = "replaced while it was read"
FALSE_ALARM = "every row is there, but verify_export finds damage"

SECONDS_BETWEEN_READS = 0.05
"""So that the reader leaves the processor to the task."""

ROWS = 240
ROWS_BEFORE = 70
ROWS_PER_PART = 50
PAGE = 20
API_KEY = "key-for-tests"
SCOPES: Mapping[str, Mapping[str, Any]] = {
    "playment.batches": {"project_id": "p/1"},
    "playment.batch_jobs": {"project_id": "p/1", "batch_id": "b 1"},
    "llamacloud.batches": {"page_size": PAGE},
    "llamacloud.batch_processing_jobs": {"limit": PAGE},
    "talkifai.batch_jobs": {"organization_id": "o", "page_size": PAGE},
}
LISTINGS = tuple(SCOPES)
RESULTS = "llamacloud.batch_results"
FORMATS = ("jsonl", "csv", "parquet")


def rows(count: int, name: str) -> list[str]:
    """Return rows as a vendor sends them."""
    return [f'{{"id":"{name}{number:05d}","status":"completed"}}' for number in range(count)]


def ids(count: int, name: str) -> list[str]:
    """Return the ids of such rows."""
    return [f"{name}{number:05d}" for number in range(count)]


class Vendor:
    """One of the five listings, and how many requests it took.

    :param server: serves it
    :param name: which
    """

    def __init__(self, server: VendorServer, name: str) -> None:
        self._server = server
        self.name = name

    def hold(self, content: Sequence[str]) -> None:
        """Hold these rows from now on."""
        self._server.restart(listing(self.name, Served(content, cap=PAGE)))

    @property
    def requests(self) -> int:
        """How many came since :meth:`hold` or :meth:`forget`."""
        return len(self._server.asked)

    def forget(self) -> None:
        """Count from zero."""
        self._server.asked.clear()

    @property
    def url(self) -> str:
        """Where it answers."""
        return self._server.url

    def ids(self, count: int, name: str) -> list[str]:
        """Return the ids of what is exported after ``hold(rows(count, name))``."""
        return ids(count, name)

    @property
    def again(self) -> int:
        """How many requests for items repeated another one since :meth:`hold`: a listing has none."""
        return 0

    def torn(self, destination: Destination) -> int:
        """Return how many files beside the rows are not the vendor's: a listing has none."""
        return 0

    def connections(self) -> dict[str, str]:
        """Return the environment variables that lead there."""
        kinds = ("playment", "llamacloud", "talkifai")
        facts = {"host": self.url, "password": API_KEY}
        return {f"AIRFLOW_CONN_{kind.upper()}_DEFAULT": json.dumps({"conn_type": kind, **facts}) for kind in kinds}


@contextlib.contextmanager
def vendor(name: str) -> Iterator[Vendor]:
    """Serve a listing."""
    with serve(listing(name, Served(()))) as server:
        yield Vendor(server, name)


@dataclass(frozen=True)
class Destination:
    """Where exports go to.

    :param kind: the store
    :param uri: as the task names it
    :param environment: the connections that this takes
    :param reader_uri: as a reader names it, who is never cut off
    :param proxy: what cuts the task off
    :param server: the server, where there is one
    """

    kind: str
    uri: str
    reader_uri: str
    environment: Mapping[str, str] = field(default_factory=dict)
    proxy: Proxy | None = None
    server: ObjectServer | None = None

    def files(self) -> set[str]:
        """Return everything that lies there, empty folders too."""
        store = open_store(self.reader_uri)
        if isinstance(store, LocalStore):
            root = Path(store.root)
            return {path.relative_to(root).as_posix() for path in root.rglob("*")}
        return set(store.names_below())

    def left_over(self) -> set[str]:
        """Return what lies there and belongs to no export."""
        manifest = verify_export(self.reader_uri)
        found = self.files() - {"_MANIFEST.json", *(part.path for part in manifest.parts)}
        if manifest.files.count:
            named = {file["path"] for row in read_export(self.reader_uri) for file in row["files"]}
            found -= named | {folder.as_posix() for name in named for folder in PurePosixPath(name).parents}
        if self.server and self.server.unfinished_uploads():
            found.add("an unfinished upload")
        return found


def local(folder: Path) -> Destination:
    """Return a new local folder."""
    path = folder / uuid.uuid4().hex
    return Destination("local", path.as_uri(), path.as_uri())


def on_server(server: ObjectServer) -> Destination:
    """Return a new folder on an object store."""
    connections = server.connections()
    around = connections["store_test"].replace(server.proxy.url, server.url)
    environment = {"AIRFLOW_CONN_STORE_TEST": connections["store_test"], "AIRFLOW_CONN_STORE_READER": around}
    folder = f"raw/{uuid.uuid4().hex}"
    return Destination(
        server.name,
        f"{server.scheme}://store_test@{folder}",
        f"{server.scheme}://store_reader@{folder}",
        environment,
        server.proxy,
        server,
    )


@contextlib.contextmanager
def readable(destination: Destination) -> Iterator[None]:
    """Let this process read a destination."""
    stores: dict[str, object] = {}
    with (
        mock.patch.dict(os.environ, destination.environment),
        mock.patch("airflow.sdk.io.store._STORE_CACHE", stores),
    ):
        yield


def rows_of(destination: Destination) -> list[str]:
    """Read an export, checked, and return the ids of its rows."""
    verify_export(destination.reader_uri)
    return [str(row["id"]) for row in read_export(destination.reader_uri)]


class Reader:
    """Reads an export over and over while it is replaced.

    :param destination: what it reads
    :param allowed: the exports that may be there, as the ids of their rows
    """

    def __init__(self, destination: Destination, allowed: Sequence[Sequence[str]]) -> None:
        self._destination = destination
        self._allowed = [list(one) for one in allowed]
        self._is_enough = threading.Event()
        self._thread = threading.Thread(target=self._read)
        self.saw: Counter[str] = Counter()

    def look(self) -> str:
        """Read once and return what was there."""
        try:
            found = [str(row["id"]) for row in read_export(self._destination.reader_uri)]
        except ExportReplacedError:
            return REPLACED
        except ExportDamagedError as error:
            return f"broken: {error}"
        except BatchProviderError as error:
            return f"unreadable: {error}"
        if found not in self._allowed:
            return f"a mixture of {len(found)} rows"
        try:
            verify_export(self._destination.reader_uri)
        except ExportReplacedError:
            return REPLACED
        except ExportDamagedError as error:
            return f"{FALSE_ALARM}: {error}"
        return WHOLE

    def _read(self) -> None:
        while not self._is_enough.wait(SECONDS_BETWEEN_READS):
            self.saw[self.look()] += 1

    def __enter__(self) -> Reader:
        self._thread.start()
        return self

    def __exit__(self, *args: object) -> None:
        self._is_enough.set()
        self._thread.join()
        self.saw[self.look()] += 1


@contextlib.contextmanager
def small_disk(folder: Path, kilobytes: int) -> Iterator[Path]:
    """Mount a file system of a size, for as long as it is needed; only root can.

    :raises OSError: this process may not
    """
    folder.mkdir()
    options = ["-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs"]
    mounted = subprocess.run(["mount", *options, str(folder)], capture_output=True, check=False)
    if mounted.returncode:
        raise OSError(mounted.stderr.decode())
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
        shutil.rmtree(folder, ignore_errors=True)
