"""The results of a batch on a real socket: each item takes requests of its own, and has files beside its row."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from airflow_batch_provider.export import read_export
from airflow_batch_provider.stores.destination import open_store
from dev.bench import batch
from dev.chaos.attempts import ForkServer
from dev.chaos.fixtures import RESULTS, Destination, Vendor
from dev.chaos.trials import Trial

ITEMS, ITEMS_BEFORE = 80, 20
SECONDS_FOR_AN_ANSWER = 0.01
SECONDS_BETWEEN_CHECKPOINTS = 0.1
"""Instead of half a minute, which no trial lasts."""


class _Server(ThreadingHTTPServer):
    """Serves a batch of so many files, and counts the requests, and those for each item."""

    def __init__(self, seconds: float) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.seconds = seconds
        self.items = 0
        self.requests = 0
        self.fetched: Counter[str] = Counter()
        self.lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, request: object, client_address: object) -> None:
        """Log nothing: a process that is killed closes its connections."""

    def note(self, path: str) -> None:
        with self.lock:
            self.requests += 1
            if path.startswith((f"{batch.JOBS}/", batch.FILES)):
                self.fetched[path] += 1


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def do_GET(self) -> None:
        path, _, query = self.path.partition("?")
        self.server.note(path)
        time.sleep(self.server.seconds)
        if path.startswith(batch.FILES):
            kind, body = "application/pdf", pdf(batch.number_of(path.removeprefix(batch.FILES)))
        else:
            answer = batch.answer(path, query, self.server.items, self.server.url)
            assert isinstance(answer, bytes), self.path
            kind, body = "application/json", answer
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Stay quiet."""


class ResultsVendor(Vendor):
    """The results of a batch, as a trial exports them."""

    def __init__(self, server: _Server) -> None:
        self._batch = server
        self.name = RESULTS

    @property
    def url(self) -> str:
        """Where it answers."""
        return self._batch.url

    def hold(self, content: Sequence[str]) -> None:
        """Hold as many items from now on."""
        self._batch.items = len(content)
        self._batch.fetched.clear()
        self.forget()

    @property
    def requests(self) -> int:
        """How many came since :meth:`hold` or :meth:`forget`."""
        return self._batch.requests

    def forget(self) -> None:
        """Count from zero."""
        self._batch.requests = 0

    def ids(self, count: int, name: str) -> list[str]:
        """Return the ids of so many items; those of before are the first of those of now."""
        return [batch.identifier("dfl", number) for number in range(count)]

    @property
    def again(self) -> int:
        """How many requests for items repeated another one since :meth:`hold`."""
        return sum(count - 1 for count in self._batch.fetched.values())

    def torn(self, destination: Destination) -> int:
        """Return how many files beside the rows have other content than the vendor's, or none."""
        store, torn = open_store(destination.reader_uri), 0
        for row in read_export(destination.reader_uri):
            number = batch.number_of(str(row["id"]))
            expected = {"markdown": batch.markdown(number).encode(), "pdf": pdf(number)}
            found = {file["kind"]: store.read(file["path"]) for file in files_of(row)}
            torn += sum(found.get(kind) != content for kind, content in expected.items())
        return torn


def pdf(number: int) -> bytes:
    """Return the PDF of a file."""
    return f"%PDF-1.7\n{number}\n".encode().ljust(batch.SMALL, b"0")


def files_of(row: Any) -> Sequence[Any]:
    """Return what a row says of its files."""
    files: Sequence[Any] = row["files"]
    return files


@contextlib.contextmanager
def results_vendor(seconds: float = SECONDS_FOR_AN_ANSWER) -> Iterator[ResultsVendor]:
    """Serve results.

    :param seconds: how long each answer takes
    """
    with _Server(seconds) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.005,), daemon=True)
        thread.start()
        try:
            yield ResultsVendor(server)
        finally:
            server.shutdown()
            thread.join()


def trial_of_results(
    attempts: ForkServer, source: ResultsVendor, destination: Destination, file_format: str = "jsonl"
) -> Trial:
    """Return a trial that exports results, with a file of each kind that comes inline, or by a signed URL."""
    environment = {"SECONDS_BETWEEN_CHECKPOINTS": str(SECONDS_BETWEEN_CHECKPOINTS)}
    return Trial(
        attempts,
        source,
        replace(destination, environment={**destination.environment, **environment}),
        file_format,
        parameters={"batch_id": batch.BATCH_ID, "files": ["markdown", "pdf"]},
        rows=ITEMS,
        rows_before=ITEMS_BEFORE,
    )
