"""Checks of whole tasks against the vendor's fake server: submitted once, and every item accounted for."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from tempfile import TemporaryDirectory
from typing import Any, Literal
from unittest import mock

from airflow_batch_provider.apis.endpoint import Resource, look_up
from airflow_batch_provider.apis.results import ItemOutcome
from airflow_batch_provider.exceptions import BatchProviderError, InvalidParameterError, TransientError
from airflow_batch_provider.operators.results import ResultsExportOperator
from airflow_batch_provider.testing.check_answers import wrong_types
from airflow_batch_provider.testing.declared import Declared, NotCheckedError, fail, hook_of
from airflow_batch_provider.testing.local_server import Asked, LosingProxy, serve

_TRIES = 4
_MOST_LOST = 4
"""The first requests are lost in turn, this many of them, and the last one."""


def a_piece_of_work_is_submitted_once(declared: Declared, run: Callable[[], Any]) -> None:
    """A second try of the task adopts the batch of the first, or fails if the vendor cannot show whose it is."""
    with _server(declared) as proxy:
        first = _submit(run, 1)
        sent = proxy.accepted
        name = first.submission.name
        if not sent:
            fail(f"{name}: it sent no request that creates; is_repeatable=False marks those.")
        try:
            second = _submit(run, 2)
        except BatchProviderError:
            second = first
        if proxy.accepted > sent:
            fail(f"{name}: a second try created it again; find must look it up by the key.")
        if second.submitted_id != first.submitted_id:
            fail(f"{name}: a second try has the batch {second.submitted_id}, not that of the first.")


def a_lost_answer_submits_nothing_twice(declared: Declared, run: Callable[[], Any]) -> None:
    """What was created is found and adopted, or the task fails for good; it is never sent again blindly."""
    for lost in _each_lost(declared, run, "answer"):
        if lost.accepted > lost.whole:
            fail(f"{lost}, and it was created twice: {lost.accepted} requests were accepted instead of {lost.whole}.")
        if lost.error is None and lost.accepted < lost.whole:
            fail(f"{lost}, and only {lost.accepted} of {lost.whole} requests were made.")
        if isinstance(lost.error, TransientError):
            fail(f"{lost}, and {_TRIES} tries of the task did not submit the batch: {lost.error}")


def a_lost_request_is_submitted_by_another_try(declared: Declared, run: Callable[[], Any]) -> None:
    """What never arrived is submitted in the end, and everything else once."""
    for lost in _each_lost(declared, run, "request"):
        if lost.error is not None:
            fail(f"{lost}, and {_TRIES} tries of the task did not submit the batch: {lost.error}")
        if lost.accepted != lost.whole:
            fail(f"{lost}, and {lost.accepted} requests were accepted instead of {lost.whole}.")


@dataclass(frozen=True)
class _Lost:
    """What came of a submission of which something was lost.

    :param what: what was lost
    :param whole: how many requests create the whole
    :param accepted: how many the vendor took this time
    :param error: how the last try failed, if it did
    """

    what: str
    whole: int
    accepted: int
    error: BatchProviderError | None

    def __str__(self) -> str:
        return self.what


def _each_lost(declared: Declared, run: Callable[[], Any], loses: Literal["answer", "request"]) -> Iterator[_Lost]:
    """Submit with one request that creates lost after the other, each time with a new server."""
    with _server(declared) as proxy:
        _submit(run, 1)
        whole = proxy.accepted
    for at in sorted({*range(1, min(whole, _MOST_LOST) + 1), whole}):
        with _server(declared) as proxy:
            proxy.loses, proxy.at = loses, at
            error = _try_until_submitted(run)
            what = f"{run().submission.name}: the {loses} of the creating request number {at} was lost"
            yield _Lost(what, whole, proxy.accepted, error)


def _try_until_submitted(run: Callable[[], Any]) -> BatchProviderError | None:
    """Run a task as Airflow retries it, and return the error of its last try."""
    error: BatchProviderError | None = None
    for number in range(1, _TRIES + 1):
        try:
            _submit(run, number)
        except TransientError as passing:
            error = passing
        except BatchProviderError as permanent:
            return permanent
        else:
            return None
    return error


def an_export_accounts_for_every_item(declared: Declared, export: Callable[[str], Any]) -> None:
    """Every item that the batch lists is a row, outcomes add up, and values are of the types of their columns."""
    with _server(declared), TemporaryDirectory() as folder:
        from airflow_batch_provider.export import read_export, verify_export

        operator = export(folder)
        name = operator._exports.name
        try:
            summary = operator.execute({})
        except BatchProviderError as error:
            fail(f"{name}: the export failed: {error}")
        verify_export(folder)
        rows = list(read_export(folder))
        if not rows:
            fail(f"{name}: the export has no rows; name a batch that has some.")
        if isinstance(operator, ResultsExportOperator):
            _check_items(declared, operator, rows, summary)
        if wrong := wrong_types(operator._exports.columns, [json.dumps(row).encode() for row in rows]):
            fail(f"{name}: these columns are not of the declared type: {', '.join(wrong)}.")


def _check_items(
    declared: Declared, operator: ResultsExportOperator, rows: list[dict[str, Any]], summary: Mapping[str, Any]
) -> None:
    results = operator.results
    values = {parameter.name: getattr(operator, parameter.name, None) for parameter in results.items.parameters}
    body = results.items.bodies[0]
    try:
        items = hook_of(declared.vendor)().iter_listing(results.items, **values)
    except InvalidParameterError:
        items = None  # only the batch says where its items are
    listed = Counter(str(look_up(item, body.id)) for item in items or ())
    if items is not None and Counter(str(row["id"]) for row in rows) != listed:
        fail(f"{results.name}: the batch lists {listed.total()} items, but the export has {len(rows)} rows.")
    outcomes = Counter(row["outcome"] for row in rows)
    if outcomes != Counter(summary["outcomes"]) or not set(outcomes) <= set(ItemOutcome):
        fail(f"{results.name}: the outcomes {dict(outcomes)} are not those of the manifest: {summary['outcomes']}.")
    for row in rows:
        if (row["outcome"] == ItemOutcome.OK) is (row["error"] is not None):
            fail(f"{results.name}: {row['id']} is {row['outcome']}, and its error is {row['error']!r}.")


class _Try:
    """A try of a task, in an Airflow without a task state store: what was submitted is known to the vendor only."""

    dag_id, run_id, task_id, map_index = "contract", "contract", "contract", -1
    max_tries = _TRIES

    def __init__(self, number: int) -> None:
        self.try_number = number

    def xcom_push(self, key: str, value: Any) -> None:
        """Forget it."""


def _submit(run: Callable[[], Any], try_number: int) -> Any:
    operator = run()
    operator.wait_for_completion = False
    operator.execute({"ti": _Try(try_number)})
    return operator


@contextmanager
def _server(declared: Declared) -> Iterator[LosingProxy]:
    """Run the vendor's fake server behind a proxy, which the default connection leads to."""
    if declared.serve is None:
        raise NotCheckedError("pass serve=..., which runs a fake server of the vendor")
    hook = hook_of(declared.vendor)
    with declared.serve() as connection:
        proxy = LosingProxy(str(connection["host"]), _creates(declared))
        with serve(proxy) as url:
            facts = {"conn_type": declared.vendor.name, **connection, "host": url}
            name = f"AIRFLOW_CONN_{hook.default_conn_name.upper()}"
            with mock.patch.dict("os.environ", {name: json.dumps(facts)}):
                yield proxy


def _creates(declared: Declared) -> Callable[[Asked], bool]:
    """Return the check for requests that create: those of endpoints that may be sent once."""
    known = [
        (endpoint.method, re.compile(r"[^/]+".join(map(re.escape, re.split(r"\{[^}]*\}", endpoint.path)))))
        for endpoint in declared.endpoints
        if isinstance(endpoint, Resource) and not endpoint.is_repeatable
    ]
    return lambda asked: any(method == asked.method and path.fullmatch(asked.path) for method, path in known)
