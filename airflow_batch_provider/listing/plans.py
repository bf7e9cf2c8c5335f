"""Runs a vendor's plans: sends what they ask for, stores the files, and keeps an item's failure to the item."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar
from urllib.parse import urljoin

from msgspec.structs import replace

from airflow_batch_provider import backoff
from airflow_batch_provider.apis.page import Row
from airflow_batch_provider.apis.parameter import first_missing, first_violation
from airflow_batch_provider.apis.plans import (
    NEVER,
    SECONDS_UNTIL_COMPLETE,
    Ask,
    AskAll,
    Expired,
    Fetch,
    FileKind,
    Find,
    Gather,
    Keep,
    Locate,
    Location,
    Pause,
    Plan,
    Refused,
    SavedFile,
    Step,
    read_location,
)
from airflow_batch_provider.apis.request import Part, Request
from airflow_batch_provider.client.client import Client
from airflow_batch_provider.client.download import Downloader, ExpiredUrlError, UnusableFileError
from airflow_batch_provider.exceptions import (
    BatchProviderError,
    NotFoundError,
    RequestRefusedError,
    UnexpectedResponseError,
)
from airflow_batch_provider.listing.file_sink import (
    LARGEST_CHECKED,
    LARGEST_READ,
    CheckedFile,
    FileSink,
    extension_of,
)
from airflow_batch_provider.listing.gathered import Gathered
from airflow_batch_provider.listing.pages import NewRows, read_pages

T = TypeVar("T")

LONGEST_SLEEP = 1.0
"""Seconds."""

LONGEST_WAIT = timedelta(seconds=SECONDS_UNTIL_COMPLETE)
"""After the export began, for whatever comes late."""


class PlanRunner:
    """Runs plans, from any thread.

    :param client: where to ask
    :param values: the parameters of the task, which endpoints are sent where they have them
    :param files: where files go
    """

    def __init__(self, client: Client, values: Mapping[str, Any], files: FileSink) -> None:
        self._client = client
        self._values = values
        self._files = files
        self._downloader = Downloader(client.vendor, client.settings)
        self._lock = threading.Lock()
        self._requests = 0
        self._is_closed = False
        self._began = datetime.now(UTC)
        self._clients: dict[str, Client] = {}
        self._gathered: list[Gathered] = []
        self._connections = threading.Semaphore(client.settings.max_concurrency)

    def run(self, plan: Plan[T]) -> T:
        """Run a plan to its end and return what it does."""
        try:
            step = next(plan)
            while True:
                step = plan.send(self._take(step))
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]

    def take_requests(self) -> int:
        """Return how many requests were sent since this was last called."""
        with self._lock:
            requests, self._requests = self._requests, 0
        return requests

    def close(self) -> None:
        """Close the connections that the client does not close itself; plans that still run end at their next step."""
        self._is_closed = True
        with self._lock:  # plans that still run may add to them
            all_gathered, clients = list(self._gathered), list(self._clients.values())
        for gathered in all_gathered:
            gathered.close()
        self._downloader.close()
        for client in clients:
            if client is not self._client:
                client.close()

    def _check_open(self) -> None:
        if self._is_closed:
            raise RuntimeError("the task has ended")

    def _take(self, step: Step) -> Any:
        self._check_open()
        match step:
            case Keep():
                return self._keep(step)
            case Fetch():
                return self._fetch(step)
            case Pause():
                return self._pause(step)
            case Find():
                return self._found(lambda: step.gathered.find(step.id), step)
        endpoint = step.listing if isinstance(step, (AskAll, Gather)) else step.resource
        values = {**endpoint.own(self._values), **step.values}
        if violation := first_violation(endpoint.parameters, values) or first_missing(endpoint.parameters, values):
            return Refused(self._client.show(f"it cannot be asked for: {violation}"))
        return self._found(lambda: self._ask(step, endpoint.request(values)), step)

    def _found(self, ask: Callable[[], Any], step: Step) -> Any:
        """Return an answer, or what says that it could not be had; what concerns more than an item is raised."""
        try:
            return ask()
        except (NotFoundError, RequestRefusedError, UnexpectedResponseError) as error:
            # An answer that is JSON of another shape is the item's; without a status, none of the API was read.
            is_the_connections = isinstance(error, UnexpectedResponseError) and error.status is None
            if _is_needed(step) or (is_the_connections and not _is_too_large(error)):
                raise
            return Refused(
                self._reason(error),
                is_missing=isinstance(error, NotFoundError),
                is_too_large=_is_too_large(error),
                cause=error,
            )

    def _ask(self, step: Ask | AskAll | Gather | Locate, request: Request) -> Any:
        if isinstance(step, Gather):
            return self._gather(step, request)
        if isinstance(step, AskAll):
            return self._ask_all(step.pick or _whole, read_pages(self._client, step.listing, request))
        self._count()
        if isinstance(step, Ask):
            parts = tuple(Part(name, text.encode()) for name, text in step.form.items())
            client = self._client_for(step.resource.name)
            with self._connections:
                return client.send(replace(request, json=step.json, parts=parts), step.resource.find)
        with self._connections:
            located: Location = self._client.send(
                replace(request, is_followed=False), lambda answer: read_location(self._client.vendor, answer)
            )
        return Location(urljoin(self._client.settings.base_url + request.target, located.url), located.content)

    def _ask_all(self, pick: Callable[[Row], Any], pages: Iterator[NewRows]) -> list[Any]:
        found: list[Any] = []
        while page := self._next_page(pages):
            found.extend(picked for row in page.rows if (picked := pick(row)) is not None)
        return found

    def _pause(self, step: Pause) -> bool:
        # A vendor's clock may be ahead; nothing of a batch that has ended comes long after its export began.
        latest = step.until if step.until == NEVER else min(step.until, self._began + LONGEST_WAIT)
        if datetime.now(UTC) >= latest:
            return False
        left = step.seconds
        while left > 0 and not self._is_closed:  # a process does not end before its threads do
            backoff.pause(min(left, LONGEST_SLEEP))
            left -= LONGEST_SLEEP
        return True

    def _gather(self, step: Gather, request: Request) -> Gathered:
        gathered = Gathered(read_pages(self._client, step.listing, request), self._next_page)
        with self._lock:
            self._gathered.append(gathered)
        return gathered

    def _next_page(self, pages: Iterator[NewRows]) -> NewRows | None:
        with self._connections:
            page = next(pages, None)
        if page is not None:
            self._count(page.requests)
        return page

    def _client_for(self, endpoint: str) -> Client:
        with self._lock:
            if endpoint not in self._clients:
                self._clients[endpoint] = self._client.for_endpoint(endpoint)
            return self._clients[endpoint]

    def _count(self, requests: int = 1) -> None:
        with self._lock:
            self._requests += requests

    def _reason(self, error: BatchProviderError) -> str:
        status = f"HTTP {error.status}" if error.status else "no answer that can be read"
        if error.status and isinstance(error, UnexpectedResponseError):
            status += ", but not as documented"
        return self._client.show(f"{error.endpoint}: {status}" + (f", code {error.code}" if error.code else ""))

    def _keep(self, step: Keep) -> SavedFile | Refused:
        file = CheckedFile(self._files.new_file(), most_kept=0)
        try:
            file.write(step.content)
            return self._finish(file, step.kind, step.name, None, content=step.content)
        finally:
            file.abandon()

    def _fetch(self, step: Fetch) -> SavedFile | Refused | Expired:
        most_kept = LARGEST_READ if step.is_read else LARGEST_CHECKED if step.kind.is_json else 0
        file = CheckedFile(self._files.new_file(), most_kept=most_kept)
        self._count()
        try:
            downloaded = self._downloader.download(step.url, file, size=step.size)
            if downloaded.content_type == "text/html" and step.kind.content_type != "text/html" and file.is_html:
                return Refused(f"its {step.kind.name} file is a web page, not the file")
            content_type = step.content_type or downloaded.content_type
            return self._finish(file, step.kind, step.name, content_type, is_read=step.is_read)
        except ExpiredUrlError:
            return Expired()
        except UnusableFileError as error:
            return Refused(f"its {step.kind.name} file cannot be fetched: {error}")
        finally:
            file.abandon()

    def _finish(
        self,
        file: CheckedFile,
        kind: FileKind,
        name: str,
        content_type: str | None,
        *,
        content: bytes | None = None,
        is_read: bool = False,
    ) -> SavedFile | Refused:
        if problem := file.problem(kind, content):
            return Refused(f"its {kind.name} file {problem}")
        media_type = self._client.show(kind.content_type or content_type or "application/octet-stream")
        stored = file.finish(kind.extension or extension_of(media_type))
        return SavedFile(
            kind.name,
            name,
            stored.path,
            stored.bytes,
            stored.sha256,
            media_type,
            file.content if is_read else None,
        )


def _whole(row: Row) -> Row:
    return row


def _is_too_large(error: BatchProviderError) -> bool:
    return isinstance(error, UnexpectedResponseError) and error.is_too_large


def _is_needed(step: Step) -> bool:
    return isinstance(step, (Ask, AskAll)) and step.is_needed
