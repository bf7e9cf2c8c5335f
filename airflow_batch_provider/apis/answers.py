"""Results that are lines of files, by declaration: a line for each item, or lines that answer those of another file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from airflow_batch_provider.apis.batch_state import BatchKind, Outcome
from airflow_batch_provider.apis.body import count_of
from airflow_batch_provider.apis.columns import JSON, ColumnType, result_columns
from airflow_batch_provider.apis.declaration import DeclarationError, check_known, check_path
from airflow_batch_provider.apis.endpoint import Listing, look_up
from airflow_batch_provider.apis.page import Row
from airflow_batch_provider.apis.plans import Plan, Refused, find, gather, need
from airflow_batch_provider.apis.problem import Problem
from airflow_batch_provider.apis.raw_json import raw_fields, raw_object
from airflow_batch_provider.apis.results import Batch, Item, ItemFields, ItemOutcome, Results, without_result

Places = Mapping[str, str]
"""Where the batch has the values of an endpoint's parameters: dotted paths by the parameters' names."""


def results(
    kind: BatchKind,
    *,
    name: str,
    items: Listing,
    fields: ItemFields,
    items_at: Places | None = None,
    answers: Listing | None = None,
    answers_at: Sequence[Places] = (),
    counts: Sequence[str] = (),
    result: ColumnType = JSON,
    **others: Any,
) -> Results:
    """Return what a batch produced, if it lies in listings that belong to the batch as a whole.

    Without ``answers``, the rows of ``items`` say themselves what became of them. With it, ``items`` are what was
    submitted, and each has its answer in one of the listings ``answers``, by the same id.

    :param kind: the kind of batch; it has ``single``
    :param name: its name in manifests and logs, ``vendor.things``
    :param items: lists the items of the batch
    :param fields: reads what became of an item from its row, or from the row of its answer
    :param items_at: the parameters of ``items`` that the batch has
    :param answers: lists the answers
    :param answers_at: the parameters of ``answers`` that the batch has, for each listing; what is not there is left out
    :param counts: the counters of the batch that add up to its items; none if it does not count them
    :param result: the type of a result, for CSV and Parquet
    :param others: other fields of :class:`~airflow_batch_provider.apis.results.Results`
    """
    if kind.single is None:
        raise DeclarationError(f"{name}: the kind of batch has no single, which reads the batch")
    for places, listing in ((items_at or {}, items), *((places, answers or items) for places in answers_at)):
        check_known(name, "parameter", places, [parameter.name for parameter in listing.parameters])
    for path in counts:
        check_path(name, path)
    begin = partial(_begin, kind, items_at or {}, answers, answers_at, counts)
    return Results(
        vendor=kind.listing.vendor,
        name=name,
        batch=kind.id_parameter,
        parameters=kind.single.parameters,
        items=items,
        begin=begin,
        item=partial(_find_answer, fields) if answers else partial(_read_row, fields),
        columns=result_columns(items.columns, result),
        **others,
    )


def _begin(
    kind: BatchKind,
    items_at: Places,
    answers: Listing | None,
    answers_at: Sequence[Places],
    counts: Sequence[str],
    values: Mapping[str, Any],
) -> Plan[Batch | Problem]:
    assert kind.single
    batch = (yield from need(kind.single)).document
    gathered = []
    for places in answers_at if answers else ():
        asked = _values(batch, places)
        if None not in asked.values():
            gathered.append((yield from gather(answers, **asked)))  # type: ignore[arg-type]
    numbers = [count_of(look_up(batch, path)) for path in counts]
    expected = sum(number for number in numbers if number is not None) or None
    return Batch(state=kind.state(batch), expected=expected, items_at=_values(batch, items_at), facts=gathered)


def _values(batch: Mapping[str, Any], places: Places) -> dict[str, Any]:
    return {name: look_up(batch, path) for name, path in places.items()}


def _read_row(fields: ItemFields, batch: Batch, row: Row, _: None) -> Plan[Item]:
    """Read a row that says itself what became of it; its result is not kept twice."""
    place = fields.result.partition(".")[0]
    others = {name: raw for name, raw in raw_fields(row.json).items() if name != place}
    return fields(row.json, row=raw_object(others))
    yield


def _find_answer(fields: ItemFields, batch: Batch, row: Row, _: None) -> Plan[Item]:
    for answers in batch.facts:
        found = yield from find(answers, str(row.id))
        if isinstance(found, Refused):
            return without_result(found)
        if found:
            return fields(found.json)
    if batch.state.outcome is Outcome.CANCELLED:
        return Item(outcome=ItemOutcome.SKIPPED, error="the batch was cancelled before this item was processed")
    return Item(outcome=ItemOutcome.MISSING, error="the batch has no answer to this item")
