"""Checks of the sample answers: they are read as the vendor documents them, and come back from files unchanged."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from typing import Any

from airflow_batch_provider.apis.columns import Column
from airflow_batch_provider.apis.endpoint import Listing, Resource
from airflow_batch_provider.apis.page import Page
from airflow_batch_provider.apis.paging import CursorPaging
from airflow_batch_provider.apis.problem import Problem
from airflow_batch_provider.apis.raw_json import read_json
from airflow_batch_provider.apis.request import Answer
from airflow_batch_provider.client.errors import CLASSES
from airflow_batch_provider.exceptions import InvalidParameterError
from airflow_batch_provider.formats.fields import EXTRA
from airflow_batch_provider.formats.format import Format
from airflow_batch_provider.formats.reader import iter_rows, read_table
from airflow_batch_provider.formats.registry import FORMATS
from airflow_batch_provider.libraries import is_installed
from airflow_batch_provider.testing.declared import Declared, NotCheckedError, fail

_HOSTILE = {"id": "=1+1\r\n\"',;\ud800\0\x1b[31m", "status": "\u2028", "next": {"id": [10**40, 1.10, -0.0, {}]}}


def samples_belong_to_endpoints(declared: Declared) -> None:
    """Each sample answer is of an endpoint, by its name."""
    names = sorted(endpoint.name for endpoint in declared.endpoints)
    for name in declared.answers:
        if name not in names:
            fail(f"answers has {name!r}, which is no endpoint; endpoints are {', '.join(names)}.")


def sample_pages_are_read(declared: Declared, listing: Listing) -> None:
    """Rows, ids, the time of creation and the way to the next page are found where the vendor documents them."""
    pages = []
    for body in _samples(declared, listing):
        page = listing.page(Answer(200, {}, body))
        if isinstance(page, Problem):
            fail(f"{listing.name}: the sample answer cannot be read: {page.message}.")
        pages.append(page)
    rows = [(page.rows[index], page) for page in pages for index in range(len(page.rows))]
    if not rows:
        fail(f"{listing.name}: no sample answer has a row.")
    for row, _ in rows:
        document = read_json(row.json.decode())
        if listing.created_field and document.get(listing.created_field) and listing.created(document) is None:
            fail(
                f"{listing.name}: {listing.created_field} of {row.id} is no time of the clock {listing.created_clock}."
            )
    if isinstance(listing.paging, CursorPaging) and not any(_leads_on(listing, page) for page in pages):
        fail(f"{listing.name}: no sample answer leads to another page; add one that does, or correct next_token.")


def sample_objects_are_read(declared: Declared, resource: Resource) -> None:
    """The object and its id are found where the vendor documents them."""
    for body in _samples(declared, resource):
        found = resource.read(Answer(200, {}, body))
        if isinstance(found, Problem):
            fail(f"{resource.name}: the sample answer cannot be read: {found.message}.")


def columns_are_those_of_the_rows(declared: Declared, listing: Listing) -> None:
    """Every documented column is in a sample, and its values are of its type."""
    lines = _lines(declared, listing)
    there = {name for line in lines for name in read_json(line.decode())}
    if missing := [column.name for column in listing.columns if column.name not in there]:
        fail(
            f"{listing.name}: no sample has the columns {', '.join(missing)}; correct them, or add a sample that does."
        )
    if wrong := wrong_types(listing.columns, lines):
        fail(f"{listing.name}: these columns are not of the declared type: {', '.join(wrong)}.")


def rows_come_back_from_files(declared: Declared, listing: Listing) -> None:
    """JSON lines are the vendor's rows, unchanged; CSV and Parquet have all of it, in columns or in ``_extra``."""
    lines = [*_lines(declared, listing), json.dumps(_HOSTILE).encode()]
    for name in FORMATS:
        file_format = _format(name, listing.columns)
        part = file_format.new_part()
        content = part.add(lines) + part.finish()
        if name == "jsonl":
            back = [json.dumps(row) for row in iter_rows(io.BytesIO(content), name, file_format.compression)]
            if back != [json.dumps(json.loads(line)) for line in lines]:
                fail(f"{listing.name}: a row is not the same in {name}.")
            continue
        if not is_installed("pyarrow"):
            raise NotCheckedError("CSV and Parquet are read by pyarrow; pip install 'airflow-batch-provider[parquet]'")
        table = read_table(io.BytesIO(content), name, file_format.compression, listing.columns).to_pylist()
        for line, row in zip(lines, table, strict=True):
            document, rest = json.loads(line), json.loads(row[EXTRA] or "{}")
            if lost := [key for key, value in document.items() if value is not None and not _has(row, rest, key)]:
                fail(f"{listing.name}: {', '.join(lost)} of a row is not in the {name} file.")


def sample_errors_are_classified(declared: Declared) -> None:
    """Each sample of an error response becomes its exception, with the vendor's words."""
    if not declared.errors:
        raise NotCheckedError("there are no errors to read; pass errors=[(401, body, AuthenticationError), ...]")
    codes = set()
    for status, body, expected in declared.errors:
        problem = declared.vendor.error_response(status, body)
        codes.add(problem.code)
        error, _ = CLASSES[problem.kind]
        if error is not expected:
            fail(f"HTTP {status} with {body.decode()} is {error.__name__}, not {expected.__name__}.")
        if problem.message == "no message":
            fail(f"HTTP {status} with {body.decode()}: the vendor's words are not found; correct read_error.")
    if unseen := [code for code in declared.vendor.kinds_by_code if code not in codes]:
        fail(f"kinds_by_code has {', '.join(unseen)}, which no sample error has; correct it, or add a sample.")


def _samples(declared: Declared, endpoint: Listing | Resource) -> list[bytes]:
    if endpoint.name not in declared.answers:
        raise NotCheckedError(f"answers has none of {endpoint.name}")
    return list(declared.answers[endpoint.name])


def _lines(declared: Declared, listing: Listing) -> list[bytes]:
    _samples(declared, listing)
    return [bytes(line) for rows in declared.rows_of(listing) for line in rows.lines]


def _leads_on(listing: Listing, page: Page) -> bool:
    return listing.paging.continues(page)


def wrong_types(columns: Sequence[Column], lines: Sequence[bytes]) -> list[str]:
    """Return the columns with values that are of another type than declared, in any format."""
    wrong: set[str] = set()
    for name in FORMATS:
        part = _format(name, columns).new_part()
        part.add(lines)
        part.finish()
        wrong.update(part.mismatches)
    return sorted(wrong)


def _format(name: str, columns: Sequence[Column]) -> Format:
    try:
        return Format(name, columns=columns)
    except InvalidParameterError as error:  # its library is not installed
        raise NotCheckedError(str(error)) from None


def _has(row: dict[str, Any], rest: dict[str, Any], key: str) -> bool:
    return row.get(key) is not None or key in rest
