"""Reads the states of batches over a client, one by one or many in one request."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from datetime import datetime
from functools import partial
from typing import Any

import msgspec
from msgspec.structs import replace

from airflow_batch_provider.apis.batch_state import ALL, BatchKind, BatchState, ShownState, show_state
from airflow_batch_provider.apis.page import Rows
from airflow_batch_provider.apis.parameter import first_missing
from airflow_batch_provider.client.client import Client
from airflow_batch_provider.exceptions import (
    IncompleteListingError,
    InvalidParameterError,
    NotFoundError,
    TransientError,
    UnexpectedResponseError,
)
from airflow_batch_provider.listing.pages import read_pages
from airflow_batch_provider.waiting.forgiving import NO_ID, ForgivingListing, forgiving, load, repair_object

log = logging.getLogger(__name__)

_UUID = re.compile(r"(?:[a-z]+[-_])?[0-9a-f]{8}(?:-?[0-9a-f]{4}){3}-?[0-9a-f]{12}", re.IGNORECASE)

ATTEMPTS_PER_PAGE = 3
"""One failed page of many must not cost all waits a poll."""


class ListedStates(msgspec.Struct, frozen=True):
    """What a listing showed.

    :param states: the states found, by id
    :param requests: how many requests it took
    :param failure: what ended the reading early
    """

    states: Mapping[str, ShownState] = msgspec.field(default_factory=dict)
    requests: int = 0
    failure: TransientError | None = None


class ListedBatch(msgspec.Struct, frozen=True):
    """A batch as its listing shows it.

    :param state: its state
    :param created: when it was created, if the vendor says so
    """

    state: ShownState
    created: datetime | None


class StateReader:
    """Reads states of one kind of batch within one scope. What is wrong with one batch is said of that one alone.

    :param client: where to ask; each request is sent once, but for what ``is_patient`` says
    :param kind: what to ask for
    :param scope: the values of ``kind.scope``, checked already
    :param is_patient: whether a request that fails is sent again as often as the connection says
    """

    def __init__(self, client: Client, kind: BatchKind, scope: Mapping[str, str], *, is_patient: bool = False) -> None:
        self.client = client if is_patient else client.for_polling()
        self.kind = kind
        self.scope = scope
        self._listing = ForgivingListing.of(kind.listing)
        self._listing_client = client if is_patient else client.for_polling(attempts=ATTEMPTS_PER_PAGE)
        self._known: dict[str, tuple[bytes, ShownState]] = {}
        self._unreadable: set[str] = set()
        self.pages_read = 0

    @property
    def can_list(self) -> bool:
        """Whether the scope says all that the listing needs; one batch may be read without."""
        return first_missing(self.kind.listing.parameters, self.scope) is None

    def read_one(self, batch_id: str) -> ShownState:
        """Read one batch.

        :param batch_id: its id, or :data:`~airflow_batch_provider.apis.batch_state.ALL`
        :raises NotFoundError: there is no such batch
        :raises UnexpectedResponseError: the answer is about another one, or cannot be read
        """
        if self.kind.single is None:
            return self.pick(batch_id, self.read_all())
        values = {**self.scope, **self.kind.single_values, self.kind.id_parameter: batch_id}
        read = forgiving(self.kind.single.read, repair_object)
        document = self.client.send(self.kind.single.request(values), read)

        def state() -> BatchState:
            found = self.kind.state(document)
            if not _is_same(found.id, batch_id):
                raise ValueError(f"the answer is about {found.id!r}")
            return found

        return self._shown(batch_id, state)

    def pick(self, batch_id: str, states: Mapping[str, ShownState | UnexpectedResponseError]) -> ShownState:
        """Return a batch's state out of those of a listing with all batches.

        :raises NotFoundError: the listing does not have it
        :raises UnexpectedResponseError: its row cannot be read
        """
        state = states.get(batch_id)
        if state is None:
            raise NotFoundError(
                f"{self.client.vendor.title}: there is no batch {batch_id!r} in {self.kind.listing.name} of "
                f"{dict(self.scope)}. Check the ids of the task.",
                vendor=self.client.vendor.name,
                endpoint=self.kind.listing.address,
            )
        if isinstance(state, UnexpectedResponseError):
            raise state
        return state

    def read_all(self) -> dict[str, ShownState | UnexpectedResponseError]:
        """Read the whole listing: each batch's state, or why it has none.

        :raises InvalidParameterError: the scope lacks something that the listing needs
        """
        if missing := first_missing(self.kind.listing.parameters, self.scope):
            raise InvalidParameterError(f"{self.kind.listing.name}: {missing}.", vendor=self.client.vendor.name)
        states: dict[str, ShownState | UnexpectedResponseError] = {}
        documents: list[Any] = []
        for page in read_pages(self._listing_client, self._listing, self._listing.request(self.scope)):
            for row in page.rows:
                batch_id = str(row.id)
                try:
                    states[batch_id] = self._state(batch_id, row.json)
                except UnexpectedResponseError as error:
                    states[batch_id] = error
                if self.kind.together is not None:
                    documents.append(load(row.json))
        self._known = {batch_id: known for batch_id, known in self._known.items() if batch_id in states}
        if self.kind.together is not None:
            name, together = "/".join(self.scope.values()), self.kind.together
            try:
                states[ALL] = self._shown(name, lambda: replace(together(documents), id=name))
            except UnexpectedResponseError as error:
                states[ALL] = error
        return states

    def read_finished(self) -> list[tuple[str, ShownState]]:
        """Read the whole listing and return those that will not change any more; what cannot be read is logged.

        :return: ids as the vendor has them, and states
        """
        finished = []
        for batch_id, state in self.read_all().items():
            if isinstance(state, UnexpectedResponseError):
                if batch_id not in self._unreadable:
                    log.warning("A batch is left out: %s", state)
                    self._unreadable.add(batch_id)
            elif batch_id != ALL and state.outcome.is_terminal and not batch_id.startswith(NO_ID):
                finished.append((batch_id, state))
        return finished

    def iter_listed(self) -> Iterator[ListedBatch]:
        """Yield the batches of the listing as its pages are read; what cannot be read is logged and left out.

        A listing that moves may lack some, which the log says.
        """
        for page in read_pages(
            self._listing_client, self._listing, self._listing.request(self.scope), on_drift="warn", prefetch=True
        ):
            for row in page.rows:
                batch_id, document = str(row.id), load(row.json)
                try:
                    state = self._shown(batch_id, partial(self.kind.state, document))
                except UnexpectedResponseError as error:
                    log.warning("A batch is left out: %s", error)
                    continue
                if state.id == batch_id and not batch_id.startswith(NO_ID):
                    yield ListedBatch(state, self.kind.listing.created(document))
                else:
                    log.warning("A batch is left out: its id cannot be passed on, it would be shown as %r", state.id)

    def read_unfinished(self, wanted: set[str]) -> ListedStates:
        """Read the unfinished batches until all wanted ones are found, at no more requests than one for each.

        :param wanted: the ids to look for
        """
        found: dict[str, ShownState] = {}
        requests, failure = 0, None
        for word in self.kind.unfinished:
            if len(found) == len(wanted) or requests >= len(wanted) or failure:
                break
            request = self._listing.request({**self.scope, "status": word})
            pages = read_pages(self._listing_client, self._listing, request, on_drift="ignore", most_passes=1)
            # A listing that moves may seem incomplete; a batch that is not found is read singly anyway.
            with suppress(IncompleteListingError):
                try:
                    for page in pages:
                        requests += 1
                        self.pages_read += 1
                        found.update(self._unfinished_in(page.rows, wanted))
                        if len(found) == len(wanted) or requests >= len(wanted):
                            break
                except IncompleteListingError:
                    raise
                except TransientError as error:
                    failure = error
        self._known = {batch_id: known for batch_id, known in self._known.items() if batch_id in wanted}
        return ListedStates(found, requests, failure)

    def _unfinished_in(self, rows: Rows, wanted: set[str]) -> dict[str, ShownState]:
        states: dict[str, ShownState] = {}
        for row_id, line in zip(rows.ids, rows.lines, strict=True):
            batch_id = str(row_id)
            if batch_id not in wanted:
                continue
            try:
                state = self._state(batch_id, bytes(line))
            except UnexpectedResponseError:
                continue  # as a finished one, it is read singly, which shows more of it
            if not state.outcome.is_terminal:
                states[batch_id] = state
        return states

    def _state(self, batch_id: str, line: bytes) -> ShownState:
        """Return the state in a row; the same object as the last time if the row is the same."""
        known = self._known.get(batch_id)
        if known is None or known[0] != line:
            state = self._shown(batch_id, lambda: self.kind.state(load(line)))
            known = self._known[batch_id] = (line, state)
        return known[1]

    def _shown(self, batch_id: str, read: Callable[[], BatchState]) -> ShownState:
        """Return a state as it may be shown.

        :param read: reads it as the vendor is declared, which may fail in any way
        :raises UnexpectedResponseError: it cannot be read
        """
        try:
            return show_state(read(), self.client.show)
        except Exception as error:  # noqa: BLE001 - of another package's code, for an answer that it did not expect
            reason = f"{type(error).__name__}: {error}"
        raise UnexpectedResponseError(
            f"{self.client.vendor.title}: batch {self.client.show(batch_id)!r} cannot be read: "
            f"{self.client.show(reason)}.",
            vendor=self.client.vendor.name,
            endpoint=(self.kind.single or self.kind.listing).address,
        )


def _is_same(one: str, other: str) -> bool:
    """Return whether two ids are the same; the digits of a UUID may be in capitals."""
    return one == other or (bool(_UUID.fullmatch(one)) and one.lower() == other.lower())
