"""A vendor whose batches a test changes by hand, and short ways to wait for them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any
from unittest import mock

from airflow_batch_provider.apis.batch_state import BatchState
from airflow_batch_provider.triggers.batch import BatchStatusTrigger
from airflow_batch_provider.waiting.kinds import KINDS
from airflow_batch_provider.waiting.poller import Poller
from airflow_batch_provider.waiting.pollers import poller_for
from tests.vendor_server import PAGES, PATHS, Answer, Asked, Served, VendorServer, serve

TALKIFAI = "talkifai.batch_job"
BATCH = "llamacloud.batch"
PROCESSING_JOB = "llamacloud.batch_processing_job"
PLAYMENT = "playment.batch"
LISTED = (TALKIFAI, BATCH, PROCESSING_JOB)
"""The kinds with a filtered listing and single reads."""

SCOPES: Mapping[str, Mapping[str, str]] = {
    TALKIFAI: {"organization_id": "org"},
    BATCH: {},
    PROCESSING_JOB: {},
    PLAYMENT: {"project_id": "p/1"},
}
WORDS: Mapping[str, tuple[str, str, str, str]] = {
    TALKIFAI: ("running", "completed", "failed", "cancelled"),
    BATCH: ("RUNNING", "COMPLETED", "FAILED", "CANCELLED"),
    PROCESSING_JOB: ("running", "completed", "failed", "cancelled"),
    PLAYMENT: ("In Progress", "Complete", "", ""),
}
"""The words for running, success, failure and cancellation."""

PATIENCE = 60  # seconds, for a machine that is busy with other things
"""Seconds after which what was waited for is taken not to come; nothing takes that long."""

Fault = Callable[[str, Mapping[str, str]], Answer | None]


@dataclass
class FakeVendor:
    """Answers listing and single reads of one kind from ``batches``.

    :param kind: a key of KINDS
    :param batches: the vendor's objects by id
    :param cap: the most rows of a page
    :param fault: looks at each request first; what it returns is the answer
    :param after_page: called after each page of a listing that is not empty
    """

    kind: str = TALKIFAI
    batches: dict[str, dict[str, Any]] = field(default_factory=dict)
    cap: int = 100
    fault: Fault | None = None
    after_page: Callable[[], None] = lambda: None
    server: VendorServer = field(init=False)

    def add(self, *ids: str, **facts: Any) -> None:
        """Begin batches."""
        for id_ in ids:
            self.batches[id_] = {"id": id_, "status": WORDS[self.kind][0], **facts}

    def finish(self, *ids: str, **facts: Any) -> None:
        """Complete batches."""
        for id_ in ids:
            self.batches[id_] |= {"status": WORDS[self.kind][1], **facts}

    def __call__(self, method: str, path: str, query: dict[str, str], headers: Mapping[str, str]) -> Answer:
        assert method == "GET"
        answer = self.fault(path, query) if self.fault else None
        if answer:
            return answer
        name = KINDS[self.kind].listing.name
        if path == PATHS[name]:
            rows = [row for row in list(self.batches.values()) if query.get("status") in (None, row["status"])]
            total: Any = "exact" if self.kind == TALKIFAI else None
            page = PAGES[name](Served([json.dumps(row) for row in rows], cap=self.cap, total=total), query)
            if rows:
                self.after_page()
            return page
        batch = self.batches.get(path.rpartition("/")[2])
        if batch is None:
            return said(404, "not found")
        return Answer(body=json.dumps({"job": batch} if self.kind == PROCESSING_JOB else batch).encode())

    @property
    def singles(self) -> list[str]:
        """The ids that were read alone, in the order of the requests."""
        listing = PATHS[KINDS[self.kind].listing.name]
        return [asked.path.rpartition("/")[2] for asked in self.server.asked if asked.path != listing]

    @property
    def listings(self) -> list[Asked]:
        """The requests for pages of the listing."""
        listing = PATHS[KINDS[self.kind].listing.name]
        return [asked for asked in self.server.asked if asked.path == listing]


def said(status: int, detail: str = "refused", **headers: str) -> Answer:
    """Return a failure."""
    return Answer(status, json.dumps({"detail": detail}).encode(), {k.replace("_", "-"): v for k, v in headers.items()})


def is_listing(kind: str, path: str) -> bool:
    """Return whether a request is for the listing of a kind."""
    return path == PATHS[KINDS[kind].listing.name]


@contextmanager
def serving(kind: str = TALKIFAI, *ids: str, **facts: Any) -> Iterator[FakeVendor]:
    """Serve a vendor with running batches, the default connection leading to it."""
    vendor = FakeVendor(kind)
    vendor.add(*ids, **facts)
    with serve(vendor) as vendor.server, connected(kind.partition(".")[0], vendor.server.url):
        yield vendor


@contextmanager
def connected(name: str, url: str) -> Iterator[None]:
    """Let a vendor's connection lead to a URL."""
    connection = {"conn_type": name, "host": url, "password": "the-secret-key"}
    with mock.patch.dict("os.environ", {f"AIRFLOW_CONN_{name.upper()}_DEFAULT": json.dumps(connection)}):
        yield


def poller(kind: str = TALKIFAI, scope: Mapping[str, str] | None = None) -> Poller:
    """Return the poller of the default connection."""
    return poller_for(KINDS[kind], f"{kind.partition('.')[0]}_default", SCOPES[kind] if scope is None else scope)


def trigger(batch_id: str, kind: str = TALKIFAI, **parameters: Any) -> BatchStatusTrigger:
    """Return a trigger on the default connection that polls often."""
    facts = {"connection_id": f"{kind.partition('.')[0]}_default", "scope": SCOPES[kind], "poll_interval": 0.02}
    return BatchStatusTrigger(kind=kind, batch_id=batch_id, **{**facts, **parameters})


async def event_of(waiting: BatchStatusTrigger) -> dict[str, Any]:
    """Return the payload of the one event that a trigger fires."""
    async with asyncio.timeout(PATIENCE):
        events = [event.payload async for event in waiting.run()]
    assert len(events) == 1
    return events[0]


async def until(condition: Callable[[], Any]) -> None:
    """Return once a condition holds."""
    async with asyncio.timeout(PATIENCE):
        while not condition():
            await asyncio.sleep(0.005)


async def until_quiet() -> None:
    """Return once no other task is left in this event loop."""
    await until(lambda: asyncio.all_tasks() == {asyncio.current_task()})


class Place:
    """A place at a poller whose wait never ends, to see each look."""

    def __init__(self) -> None:
        self.seen: asyncio.Queue[BatchState | Exception] = asyncio.Queue()

    async def next(self) -> BatchState:
        """Return the next state, or raise what the poll failed with."""
        seen = await self.seen.get()
        if isinstance(seen, Exception):
            raise seen
        return seen


@contextmanager
def joined(shared: Poller, batch_id: str, interval: float = 0.02) -> Iterator[Place]:
    """Take part in the polls of a poller."""
    place = Place()
    with shared.join(batch_id, interval, place.seen.put_nowait):
        yield place


async def states(of: Poller, batch_id: str, count: int = 1, interval: float = 0.02) -> list[BatchState]:
    """Wait for some looks at a batch."""
    async with asyncio.timeout(PATIENCE):
        with joined(of, batch_id, interval) as place:
            return [await place.next() for _ in range(count)]


@asynccontextmanager
async def background(*work: Any) -> AsyncIterator[list[asyncio.Task[Any]]]:
    """Run coroutines as long as the block."""
    tasks = [asyncio.create_task(one) for one in work]
    try:
        yield tasks
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
