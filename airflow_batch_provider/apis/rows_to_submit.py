"""What is checked of rows before any of them is submitted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from airflow_batch_provider.apis.parameter import Parameter, first_missing, first_violation
from airflow_batch_provider.apis.submissions import Preflight, Stopped


def check_rows(
    rows: Iterable[tuple[int, Mapping[str, Any]]],
    fields: tuple[Parameter, ...],
    *,
    unique: str,
    most: int,
    what: str,
    shared: Mapping[str, Any] | None = None,
) -> Preflight | Stopped:
    """Return how many rows there are, or why they would be refused; it names rows, and nothing that they contain.

    :param rows: the rows with their numbers
    :param fields: the fields that a row may have
    :param unique: the field in which no two rows may be the same
    :param most: rows at most
    :param what: what the rows are called
    :param shared: the values of fields that a row does not have
    """
    known = [field.name for field in fields]
    seen: set[str] = set()
    for number, row in rows:
        where = f"Row {number} of {what}"
        values = {**(shared or {}), **row}
        if unknown := sorted(set(row) - set(known)):
            return Stopped(f"{where} has an unknown field {unknown[0]!r}; known are {', '.join(known)}.")
        if problem := first_violation(fields, values):
            return Stopped(f"{where}: {problem.parameter} is not allowed; allowed is {problem.allowed}.")
        if problem := first_missing(fields, values):
            return Stopped(f"{where}: {problem.parameter} is missing; allowed is {problem.allowed}.")
        if str(row[unique]) in seen:
            return Stopped(f"{where} has the {unique} {str(row[unique])!r} of a row before it.")
        seen.add(str(row[unique]))
    if len(seen) > most:
        return Stopped(f"There are {len(seen)} {what}; allowed is 1 to {most}.")
    return Preflight(items=len(seen))
