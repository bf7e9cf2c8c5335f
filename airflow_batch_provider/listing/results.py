"""Reads what a batch produced: a row for each item of the batch, in the order of its own list."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
from msgspec.structs import replace

from airflow_batch_provider.apis.body import NO_STATUS
from airflow_batch_provider.apis.page import Row, Rows
from airflow_batch_provider.apis.parameter import first_missing, first_violation
from airflow_batch_provider.apis.plans import SavedFile
from airflow_batch_provider.apis.problem import Problem, ProblemKind
from airflow_batch_provider.apis.raw_json import in_one_line, without_signed_urls
from airflow_batch_provider.apis.request import Request
from airflow_batch_provider.apis.results import Batch, Item, Results
from airflow_batch_provider.apis.shard import Shard
from airflow_batch_provider.client.client import Client
from airflow_batch_provider.exceptions import (
    BatchUnfinishedError,
    IncompleteListingError,
    NotFoundError,
    RequestRefusedError,
)
from airflow_batch_provider.listing.fan_out import FanOut
from airflow_batch_provider.listing.file_sink import FileSink
from airflow_batch_provider.listing.pages import NewRows, read_pages
from airflow_batch_provider.listing.passes import OnDrift
from airflow_batch_provider.listing.plans import PlanRunner
from airflow_batch_provider.listing.seen import SeenRows

log = logging.getLogger(__name__)

LONGEST_ERROR = 1000
"""Characters of what a row says of its failure; the vendor's own words are in ``item`` or ``result`` too."""


class ResultsRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Which results to read.

    :param results: what a vendor's batches produce
    :param values: the parameters of the task, checked
    :param kinds: the names of the kinds of files to fetch
    :param takes_unfinished: whether to take what is there of a batch that is not finished
    :param shard: which share of the items to read; None for all
    :param on_drift: what to do if items may be missing
    """

    results: Results
    values: Mapping[str, Any]
    kinds: frozenset[str] = frozenset()
    takes_unfinished: bool = False
    shard: Shard | None = None
    on_drift: OnDrift = "retry"


class _Work(msgspec.Struct, frozen=True):
    """An item to read, or, without one, the end of the page."""

    page: NewRows
    index: int = -1
    row: Row | None = None
    prepared: Any = None


class _Line(msgspec.Struct, frozen=True):
    """An item that was read."""

    id: str | int
    status: str
    json: bytes
    outcome: str
    files: tuple[str, ...]


class ResultsReader:
    """Reads the results of one batch.

    :param client: where to ask
    :param request: which results
    """

    def __init__(self, client: Client, request: ResultsRequest) -> None:
        self._client = client
        self._request = request
        self._results = request.results

    def rows(
        self, files: FileSink, *, begun: datetime | None = None, position: object = None, seen: SeenRows | None = None
    ) -> Iterator[NewRows]:
        """Yield rows of results, each a JSON object with seven keys; the others are those of ``read_pages``.

        :param files: takes the files
        :raises BatchUnfinishedError: the batch is not finished, and that was not allowed
        :raises NotFoundError: there is no such batch
        :raises IncompleteListingError: the batch counts other items than it lists
        """
        runner = PlanRunner(self._client, self._request.values, files)
        try:
            batch = self._begin(runner)
            seen = SeenRows() if seen is None else seen
            listing = self._results.items
            pages = read_pages(
                self._client,
                listing,
                self._items_request(batch),
                on_drift=self._request.on_drift,
                begun=begun,
                position=position,
                seen=seen,
            )
            groups = self._groups(runner, batch, pages, seen)
            fan_out: FanOut[_Work, _Line | None] = FanOut(
                lambda work: self._read(runner, batch, work),
                self._client.settings.max_concurrency,
                lambda line: len(line.json) if line else 0,
            )
            for done in fan_out.results(groups):
                yield from self._pieces(done, runner)
        finally:
            runner.close()

    def _begin(self, runner: PlanRunner) -> Batch:
        batch = runner.run(self._results.begin(self._request.values))
        if isinstance(batch, Problem):
            raise self._error_of(batch)
        state = batch.state
        if not state.outcome.is_terminal and not self._request.takes_unfinished:
            hint = state.endless or "Wait for it with its sensor."
            raise BatchUnfinishedError(
                f"{self._results.name}: the batch {self._client.show(state)}, so not all of its results are there. "
                f"{hint} To export what is there, set unfinished='export'.",
                vendor=self._client.vendor.name,
            )
        return replace(batch, kinds=self._request.kinds, values=self._request.values)

    def _items_request(self, batch: Batch) -> Request:
        listing = self._results.items
        values = {**listing.own(self._request.values), **batch.items_at}
        if violation := first_violation(listing.parameters, values) or first_missing(listing.parameters, values):
            raise self._error_of(Problem(ProblemKind.REFUSED, f"its items cannot be listed: {violation}"))
        return listing.request(values)

    def _error_of(self, problem: Problem) -> NotFoundError | RequestRefusedError:
        error = NotFoundError if problem.kind is ProblemKind.NOT_FOUND else RequestRefusedError
        return error(
            f"{self._results.name}: {self._client.show(problem.message, LONGEST_ERROR)}",
            vendor=self._client.vendor.name,
        )

    def _groups(
        self, runner: PlanRunner, batch: Batch, pages: Iterable[NewRows], seen: SeenRows
    ) -> Iterator[Sequence[_Work]]:
        """Yield the work of each page, group by group, and at last what the count of the batch says."""
        doubt, passes = None, 1
        for page in pages:
            doubt, passes = page.doubt, page.passes
            wanted = [index for index, row in enumerate(page.rows) if self._wants(row)]
            for start in range(0, len(wanted), self._results.together):
                group = [(index, page.rows[index]) for index in wanted[start : start + self._results.together]]
                prepared = self._prepare(runner, batch, [row for _, row in group])
                yield [_Work(page, index, row, prepared) for index, row in group]
            yield [_Work(page)]
        if found := self._miscount(batch, len(seen)):
            said = found if doubt is None else f"{doubt}; {found}"
            yield [_Work(NewRows(Rows(), 0, None, passes=passes, doubt=said, pages=0))]

    def _wants(self, row: Row) -> bool:
        return self._request.shard is None or row.id in self._request.shard

    def _prepare(self, runner: PlanRunner, batch: Batch, rows: Sequence[Row]) -> Any:
        return runner.run(self._results.prepare(batch, rows)) if self._results.prepare else None

    def _miscount(self, batch: Batch, listed: int) -> str | None:
        """Return what to say if the batch counts other items than it lists, or is not finished; else None."""
        if not batch.state.outcome.is_terminal:
            return f"was read before the batch was finished: it {self._client.show(batch.state)}"
        if batch.expected is None or batch.expected == listed:
            return None
        found = f"lists {listed} items, but the batch counts {batch.expected}"
        if self._request.on_drift != "warn":
            raise IncompleteListingError(
                f"{self._client.vendor.title}: {self._results.name} {found}; "
                "set on_drift='warn' to export what it lists.",
                vendor=self._client.vendor.name,
            )
        log.warning("The results %s may lack items: the vendor %s", self._results.name, found)
        return found

    def _read(self, runner: PlanRunner, batch: Batch, work: _Work) -> _Line | None:
        if work.row is None:
            return None
        item = runner.run(self._results.item(batch, work.row, work.prepared))
        return self._line(work.row, item)

    def _line(self, row: Row, item: Item) -> _Line:
        status = row.status if item.status is None else item.status
        said = None if item.error is None else str(self._client.show(item.error, LONGEST_ERROR))
        fields = {
            "id": json.dumps(row.id),
            "status": "null" if status == NO_STATUS else json.dumps(status),
            "outcome": json.dumps(item.outcome),
            "error": json.dumps(said),
        }
        head = ",".join(f'"{name}":{value}' for name, value in fields.items()).encode()
        documents = [
            b"null" if document is None else without_signed_urls(in_one_line(document))
            for document in (row.json if item.row is None else item.row, item.result)
        ]
        files = json.dumps([_described(file) for file in item.files]).encode()
        line = b'{%b,"item":%b,"result":%b,"files":%b}' % (head, *documents, files)
        return _Line(row.id, status, line, item.outcome, tuple(file.path for file in item.files))

    def _pieces(self, done: Sequence[tuple[_Work, _Line | None]], runner: PlanRunner) -> Iterator[NewRows]:
        """Yield the rows that are done, page by page."""
        lines: list[tuple[int, _Line]] = []
        for work, line in done:
            if line is not None:
                lines.append((work.index, line))
                page = work.page
            else:
                yield self._piece(work.page, lines, runner, is_last=True)
                lines = []
        if lines:
            yield self._piece(page, lines, runner, is_last=False)

    def _piece(
        self, page: NewRows, lines: Sequence[tuple[int, _Line]], runner: PlanRunner, *, is_last: bool
    ) -> NewRows:
        read = [line for _, line in lines]
        rows = Rows(
            [line.id for line in read],
            [line.status for line in read],
            [line.json for line in read],
            [line.outcome for line in read],
            [line.files for line in read],
        )
        digests = [page.digests[index] for index, _ in lines]
        if not is_last:
            return NewRows(
                rows, 0, page.total, page.position, page.passes, digests, pages=0, requests=runner.take_requests()
            )
        left_out = [digest for digest, row in zip(page.digests, page.rows, strict=True) if not self._wants(row)]
        requests = page.pages + runner.take_requests()
        return replace(page, rows=rows, digests=digests, left_out=left_out, requests=requests)


def _described(file: SavedFile) -> dict[str, Any]:
    return {
        "kind": file.kind,
        "name": file.name,
        "path": file.path,
        "bytes": file.bytes,
        "sha256": file.sha256,
        "content_type": file.content_type,
    }
