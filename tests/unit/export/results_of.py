"""The results of a batch, read from a vendor that a test invents: a client without a network, and plans with files."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from airflow_batch_provider.apis.auth import Credentials
from airflow_batch_provider.apis.batch_state import BatchState, Outcome
from airflow_batch_provider.apis.body import Body
from airflow_batch_provider.apis.columns import JSON, TEXT, columns, result_columns
from airflow_batch_provider.apis.endpoint import Listing, Resource
from airflow_batch_provider.apis.page import Row
from airflow_batch_provider.apis.paging import CursorPaging
from airflow_batch_provider.apis.parameter import Identifier, Parameter
from airflow_batch_provider.apis.plans import FileKind, Plan, Refused, ask, keep
from airflow_batch_provider.apis.problem import Problem
from airflow_batch_provider.apis.request import Answer, Request
from airflow_batch_provider.apis.results import Batch, Item, ItemOutcome, Results, collected
from airflow_batch_provider.apis.shown import harmless
from airflow_batch_provider.client.client import Client
from airflow_batch_provider.client.settings import Settings
from airflow_batch_provider.exceptions import NotFoundError
from airflow_batch_provider.export import export as exporting
from airflow_batch_provider.export.export import ResultsSource
from airflow_batch_provider.export.manifest import Manifest, TaskRun
from airflow_batch_provider.export.spec import ExportSpec
from airflow_batch_provider.formats.format import Format
from airflow_batch_provider.listing.results import ResultsReader, ResultsRequest
from airflow_batch_provider.stores.destination import Store
from airflow_batch_provider.vendors import playment
from tests.unit.export.exported import TASK_RUN

VENDOR = playment.VENDOR
ITEMS = Listing(
    vendor=VENDOR,
    name="playment.invented_items",
    path="/items",
    bodies=(Body(rows="items", next_token="next", total="total"),),
    paging=CursorPaging("token"),
)
RESULT = Resource(
    vendor=VENDOR,
    name="playment.invented_result",
    path="/items/{id}",
    parameters=(Parameter("id", Identifier(), required=True),),
)
NOTE = FileKind(name="note", content_type="text/plain", extension="txt")
PER_PAGE = 7


def _begin(values: Mapping[str, Any]) -> Plan[Batch | Problem]:
    state = BatchState("b", "done", Outcome(values.get("outcome", "succeeded")))
    return Batch(state=state, expected=values.get("expected"))
    yield


def _read(batch: Batch, row: Row, _: object) -> Plan[Item]:
    found = yield from ask(RESULT, id=row.id)
    if isinstance(found, Refused):
        return Item(outcome=ItemOutcome.MISSING, error=found.reason)
    notes = []
    for text in found.document["notes"] if NOTE.name in batch.kinds else ():
        notes.append((yield from keep(NOTE, f"note of {row.id}", text.encode())))
    return collected(notes, result=found.json)


RESULTS = Results(
    vendor=VENDOR,
    name="playment.invented_results",
    batch="id",
    parameters=(Parameter("id", Identifier()),),
    items=ITEMS,
    kinds=(NOTE,),
    begin=_begin,
    item=_read,
    columns=result_columns(columns(id=TEXT, status=TEXT), JSON),
)


def notes_of(number: int) -> list[str]:
    """Return the notes of an item: none, one of its own, or one that others have too and an empty one."""
    return [[], [f"note {number}\n"], ["shared", ""]][number % 3]


@dataclass
class BatchOf:
    """Serves a batch of so many items, each with the result that belongs to it.

    :param count: the items
    :param before: called before each request, from any thread
    :param gone: items whose results are not there
    :param run: is part of each result, so that two runs differ
    """

    count: int
    before: Callable[[], None] = lambda: None
    gone: Sequence[int] = ()
    run: str = ""
    workers: int = 1
    asked: list[str] = field(default_factory=list)

    vendor = VENDOR

    def __post_init__(self) -> None:
        credentials = Credentials("key")
        self.settings = Settings(
            connection_id="c",
            base_url="http://127.0.0.1:9",
            auth=VENDOR.auth,
            credentials=credentials,
            max_concurrency=self.workers,
        )
        self.show = harmless

    def for_endpoint(self, name: str) -> BatchOf:
        return self

    def close(self) -> None: ...

    def send(self, request: Request, read: Callable[[Answer], Any]) -> Any:
        """Answer as a client does."""
        self.before()
        self.asked.append(request.target)
        if request.path == "/items":
            return read(Answer(200, {}, self._page(int(str(request.query.get("token", 0))))))
        number = int(request.path.rpartition("/")[2])
        if number in self.gone:
            raise NotFoundError("it is not there", endpoint="GET /items/{id}", status=404)
        result = {"id": number, "run": self.run, "notes": notes_of(number), "big": 2**70 + number}
        return read(Answer(200, {}, json.dumps(result, indent=1).encode()))

    def _page(self, start: int) -> bytes:
        end = min(start + PER_PAGE, self.count)
        items = [{"id": str(number), "status": "done" if number % 2 else "late"} for number in range(start, end)]
        return json.dumps({"items": items, "total": self.count, "next": end if end < self.count else None}).encode()

    @property
    def results_asked(self) -> list[str]:
        """The requests for results."""
        return [target for target in self.asked if not target.startswith("/items?") and target != "/items"]

    def source(self, **options: Any) -> ResultsSource:
        """Return what an export needs to read this."""
        values = {name: options.pop(name) for name in ("expected", "outcome") if name in options}
        request = ResultsRequest(results=RESULTS, values=values, kinds=frozenset({"note"}), **options)
        return ResultsReader(cast(Client, self), request).rows


def work(
    rows_per_part: int = 15,
    task_run: TaskRun = TASK_RUN,
    file_format: str = "jsonl",
    *,
    fails_on_items: bool = False,
    **params: str,
) -> ExportSpec:
    """Return a piece of work."""
    return ExportSpec(
        show=harmless,
        listing=RESULTS.name,
        params=params,
        file_format=Format(file_format, "default", RESULTS.columns),
        rows_per_part=rows_per_part,
        task_run=task_run,
        is_results=True,
        fails_on_items=fails_on_items,
    )


def export(vendor: BatchOf, store: Store, spec: ExportSpec | None = None, **options: Any) -> Manifest:
    """Export the results of a batch."""
    exporting_options = {name: options.pop(name) for name in ("resume", "if_exists", "may_be_empty") if name in options}
    return exporting.export(vendor.source(**options), store, spec or work(), **exporting_options)
