"""Checks of whole tasks against the vendor's fake server: submitted once, and every item accounted for."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
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
"""Requests that are lost in turn: the first ones, and the last one."""


def a_piece_of_work_is_submitted_once(declared: Declared, run: Callable[[], Any]) -> None:
    """A second try of the task adopts the batch of the first."""
    with _server(declared) as proxy:
        first = _submit(run)
        sent = proxy.accepted
        if not sent:
            fail(f"{first.submission.name}: it sent no request that creates; is_repeatable=False marks those.")
        second = _submit(run, 2)
        if proxy.accepted > sent:
            fail(f"{first.submission.name}: a second try created it again; find must look it up by the key.")
        if second.submitted_id != first.submitted_id:
            fail(f"{first.submission.name}: a second try has the batch {second.submitted_id}, not that of the first.")


def a_lost_answer_submits_nothing_twice(declared: Declared, run: Callable[[], Any]) -> None:
    """What was created is found and adopted, however its answer was lost; it is never sent again blindly."""
    _check_lost(declared, run, "answer")


def a_lost_request_is_submitted_by_another_try(declared: Declared, run: Callable[[], Any]) -> None:
    """What never arrived is submitted in the end, and everything else once."""
    _check_lost(declared, run, "request")


def _check_lost(declared: Declared, run: Callable[[], Any], loses: Literal["answer", "request"]) -> None:
    with _server(declared) as proxy:
        _submit(run)
        whole = proxy.accepted
    for at in sorted({*range(1, min(whole, _MOST_LOST) + 1), whole}):
        with _server(declared) as proxy:
            proxy.loses, proxy.at = loses, at
            operator = None
            what = f"the {loses} of the creating request number {at} was lost"
            name = run().submission.name
            for try_number in range(1, _TRIES + 1):
                try:
                    operator = _submit(run, try_number)
                    break
                except TransientError:
                    continue
                except BatchProviderError as error:
                    fail(f"{name}: {what}, and the task failed for good: {error}")
            if operator is None:
                fail(f"{name}: {what}, and {_TRIES} tries of the task did not submit the batch.")
            if proxy.accepted > whole:
                fail(f"{name}: {what}, and it was created twice: {proxy.accepted} requests instead of {whole}.")
            if proxy.accepted < whole:
                fail(f"{name}: {what}, and only {proxy.accepted} of {whole} things were created.")


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


def _submit(run: Callable[[], Any], try_number: int = 1) -> Any:
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
    """Return what tells the requests that create: those of endpoints that may be sent once."""
    known = [
        (endpoint.method, re.compile(r"[^/]+".join(map(re.escape, re.split(r"\{[^}]*\}", endpoint.path)))))
        for endpoint in declared.endpoints
        if isinstance(endpoint, Resource) and not endpoint.is_repeatable
    ]
    return lambda asked: any(method == asked.method and path.fullmatch(asked.path) for method, path in known)
