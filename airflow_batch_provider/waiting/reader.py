"""Reads the states of batches over a client, one by one or many at once."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import msgspec
from msgspec.structs import replace

from airflow_batch_provider.apis.batch_state import ALL, BatchKind, BatchState
from airflow_batch_provider.apis.page import Rows
from airflow_batch_provider.apis.parameter import first_missing
from airflow_batch_provider.client.client import Client
from airflow_batch_provider.exceptions import IncompleteListingError, NotFoundError
from airflow_batch_provider.listing.pages import documents, read_pages


class ListedStates(msgspec.Struct, frozen=True):
    """What a listing showed.

    :param states: the states found, by id
    :param requests: how many requests it took
    """

    states: Mapping[str, BatchState] = msgspec.field(default_factory=dict)
    requests: int = 0


class StateReader:
    """Reads states of one kind of batch within one scope.

    :param client: where to ask
    :param kind: what to ask for
    :param scope: the values of ``kind.scope``, checked already
    """

    def __init__(self, client: Client, kind: BatchKind, scope: Mapping[str, str]) -> None:
        self.client = client
        self.kind = kind
        self.scope = scope
        self._known: dict[str, tuple[bytes, BatchState]] = {}

    @property
    def can_list(self) -> bool:
        """Whether the scope says all that the listing needs; one batch may be read without."""
        return first_missing(self.kind.listing.parameters, self.scope) is None

    def read_one(self, batch_id: str) -> BatchState:
        """Read one batch.

        :param batch_id: its id, or :data:`~airflow_batch_provider.apis.batch_state.ALL`
        :raises NotFoundError: there is no such batch
        """
        if self.kind.single is None:
            return self.pick(batch_id, self.read_all().states)
        values = {**self.scope, **self.kind.single_values, self.kind.id_parameter: batch_id}
        return self.kind.state(self.client.send(self.kind.single.request(values), self.kind.single.read))

    def pick(self, batch_id: str, states: Mapping[str, BatchState]) -> BatchState:
        """Return a batch's state out of those of a listing with all batches."""
        state = states.get(batch_id)
        if state is None:
            raise NotFoundError(
                f"{self.client.vendor.title}: there is no batch {batch_id!r} in {self.kind.listing.name} of "
                f"{dict(self.scope)}. Check the ids of the task.",
                vendor=self.client.vendor.name,
                endpoint=self.kind.listing.address,
            )
        return state

    def read_all(self) -> ListedStates:
        """Read the whole listing."""
        rows: list[dict[str, Any]] = []
        requests = 0
        for page in read_pages(self.client, self.kind.listing, self.kind.listing.request(self.scope)):
            requests += 1
            rows += documents(page.rows)
        states = {state.id: state for state in map(self.kind.state, rows)}
        if self.kind.together is not None:
            states[ALL] = replace(self.kind.together(rows), id="/".join(self.scope.values()))
        return ListedStates(states, requests)

    def read_finished(self) -> list[BatchState]:
        """Read the whole listing and return those that will not change any more."""
        return [state for id_, state in self.read_all().states.items() if id_ != ALL and state.outcome.is_terminal]

    def read_unfinished(self, wanted: set[str]) -> ListedStates:
        """Read the unfinished batches until all wanted ones are found, at no more requests than one for each.

        :param wanted: the ids to look for
        """
        found: dict[str, BatchState] = {}
        requests = 0
        for word in self.kind.unfinished:
            if len(found) == len(wanted) or requests >= len(wanted):
                break
            request = self.kind.listing.request({**self.scope, "status": word})
            # A listing that moves may seem incomplete; a batch that is not found is read singly anyway.
            with suppress(IncompleteListingError):
                for page in read_pages(self.client, self.kind.listing, request, on_drift="warn", most_passes=1):
                    requests += 1
                    found.update(self._unfinished_in(page.rows, wanted))
                    if len(found) == len(wanted) or requests >= len(wanted):
                        break
        self._known = {batch_id: known for batch_id, known in self._known.items() if batch_id in wanted}
        return ListedStates(found, requests)

    def _unfinished_in(self, rows: Rows, wanted: set[str]) -> dict[str, BatchState]:
        states = {str(row.id): self._state(str(row.id), row.json) for row in rows if str(row.id) in wanted}
        # A finished one is read singly, which shows more of it.
        return {batch_id: state for batch_id, state in states.items() if not state.outcome.is_terminal}

    def _state(self, batch_id: str, line: bytes) -> BatchState:
        """Return the state in a row; the same object as the last time if the row is the same."""
        known = self._known.get(batch_id)
        if known is None or known[0] != line:
            known = self._known[batch_id] = (line, self.kind.state(json.loads(line)))
        return known[1]
