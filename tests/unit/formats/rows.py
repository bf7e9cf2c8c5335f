"""Rows as vendors document them and rows as they should not be, and how to encode them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from hypothesis import strategies as st

from airflow_batch_provider.apis.columns import (
    BOOLEAN,
    FLOAT,
    INTEGER,
    JSON,
    TEXT,
    TIMESTAMP,
    UNIX_MILLISECONDS,
    UNIX_SECONDS,
    Column,
    ColumnType,
    ListOf,
    Scalar,
    Struct,
    columns,
    result_columns,
    struct,
)
from airflow_batch_provider.formats.format import Format
from tests.listings import LISTINGS

RESULTS = result_columns(
    item=columns(
        id=TEXT,
        priority=INTEGER,
        is_test=BOOLEAN,
        created_at=TIMESTAMP,
        started=UNIX_SECONDS,
        attempts=ListOf(struct(at=TIMESTAMP, ended=UNIX_MILLISECONDS, times=ListOf(TIMESTAMP), words=ListOf(TEXT))),
    ),
    result=struct(
        id=TEXT,
        usage=struct(credits=FLOAT, pages=INTEGER),
        extract_result=JSON,
        fields=ListOf(struct(page=INTEGER, confidence=FLOAT, value=JSON, seen_at=TIMESTAMP)),
        scores=ListOf(FLOAT),
        others=ListOf(JSON),
    ),
)
SCHEMAS = {
    **{name: listing.columns for name, listing in LISTINGS.items()},
    "results": RESULTS,
    "results of any shape": result_columns(columns(id=TEXT, at=TIMESTAMP), JSON),
}
"""The columns of every listing, and of results."""

# Good texts first; surrogates only if a test asks for them.
TEXTS = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
    st.sampled_from(["", '"', '""', "a,b", "a\r\nb", "\n", "\\", "=1+1", "-1", "null", "NULL", "ä\u2028東京😀\x00"]),
)
FOREIGN_TEXTS = st.one_of(TEXTS, st.sampled_from(["\ud800", "a\udc00b", "\udc00\ud800", "\\ud800"]))
TIMES = st.one_of(
    st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30)).map(lambda time: time.isoformat() + "Z"),
    st.sampled_from(
        [
            *("2019-08-23T17:55:13.203229+05:30", "2019-12-06T15:42:36.23401+05:30", "2019-12-27T18:11:19.117Z"),
            *("2025-02-28T14:00:00Z", "2025-02-28T14:00:00", "2025-02-28 14:00:00.5", "0001-01-01T00:00:00Z"),
        ]
    ),
)
BROKEN_TIMES = st.sampled_from(
    [
        *("", "soon", "2019-02-29T00:00:00Z", "2019-12-27", "2019-12-27T24:00:00Z", "2019-12-27T18:11:60Z"),
        *("2019-12-27T18:11:19.1234567Z", "2019-12-27T18:11:19+05:60", "0000-01-01T00:00:00Z", "20191227T181119Z"),
        *("0001-01-01T00:00:00+05:30", "9999-12-31T23:59:59-01:00", "2019-12-27T18:11:19 Z", "\ud800"),
    ]
)
INTEGERS = st.integers(-(2**63), 2**63 - 1)
FLOATS = st.one_of(
    st.integers(-(2**53), 2**53),
    st.floats(-1e15, 1e15).filter(lambda number: number == 0 or abs(number) > 1e-300),
    st.sampled_from([0.1, 1.5, 0.30000000000000004, 1e-7, -0.0]),
)
UNIX_TIMES = st.integers(-(10**9), 2 * 10**9)
JSON_VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.just(10**30), st.floats(allow_nan=False), TEXTS).filter(
        lambda value: value not in (float("inf"), float("-inf"))
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=5,
)


def values(column_type: ColumnType) -> st.SearchStrategy[Any]:
    """Give values as documented, null among them."""
    match column_type:
        case Struct():
            fields = {field.name: values(field.type) for field in column_type.fields}
            return st.none() | st.fixed_dictionaries({}, optional=fields)
        case ListOf():
            return st.none() | st.lists(values(column_type.element), max_size=3)
    scalars = {
        Scalar.TEXT: TEXTS,
        Scalar.INTEGER: INTEGERS,
        Scalar.FLOAT: FLOATS,
        Scalar.BOOLEAN: st.booleans(),
        Scalar.TIMESTAMP: TIMES,
        Scalar.UNIX_SECONDS: UNIX_TIMES,
        Scalar.UNIX_MILLISECONDS: UNIX_TIMES,
        Scalar.JSON: JSON_VALUES,
    }
    return st.none() | scalars[column_type]


def documented(columns: Sequence[Column]) -> st.SearchStrategy[dict[str, Any]]:
    """Give rows as documented, fields absent or null among them."""
    return st.fixed_dictionaries({}, optional={column.name: values(column.type) for column in columns})


ANYTHING = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.just(10**30),
        st.just(-(2**63) - 1),
        st.floats(allow_nan=False, allow_infinity=False),
        FOREIGN_TEXTS,
        TIMES,
        BROKEN_TIMES,
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(FOREIGN_TEXTS, inner, max_size=3),
    max_leaves=6,
)


def foreign_values(column_type: ColumnType) -> st.SearchStrategy[Any]:
    """Give values of which some are not as documented, at any depth."""
    match column_type:
        case Struct(fields=fields):
            known = st.fixed_dictionaries({}, optional={field.name: foreign_values(field.type) for field in fields})
            added = st.dictionaries(FOREIGN_TEXTS, ANYTHING, max_size=1)
            return values(column_type) | ANYTHING | st.builds(lambda one, other: {**one, **other}, known, added)
        case ListOf(element=element):
            return values(column_type) | ANYTHING | st.lists(foreign_values(element), max_size=3)
    return values(column_type) | ANYTHING


@st.composite
def foreign(draw: st.DrawFn, columns: Sequence[Column]) -> dict[str, Any]:
    """Give rows of which some fields are not as documented, in any order."""
    row = draw(documented(columns))
    for column in draw(st.lists(st.sampled_from(list(columns)), max_size=3)):
        row[column.name] = draw(foreign_values(column.type))
    row.update(draw(st.dictionaries(st.one_of(FOREIGN_TEXTS, st.just("_extra")), ANYTHING, max_size=2)))
    return dict(draw(st.permutations(list(row.items()))))


def lines_of(rows: Sequence[dict[str, Any]], *, ascii_only: bool = True) -> list[bytes]:
    """Return rows as a vendor sends them."""
    return [json.dumps(row, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass") for row in rows]


def encode(file_format: Format, lines: Sequence[bytes], cuts: Sequence[int] = ()) -> bytes:
    """Return a file, the rows handed over in pieces of these sizes and the rest."""
    encoder = file_format.new_part()
    content, rest = [], list(lines)
    for cut in cuts:
        content.append(encoder.add(rest[:cut]))
        rest = rest[cut:]
    content.append(encoder.add(rest))
    content.append(encoder.finish())
    return b"".join(content)


def is_text(value: str) -> bool:
    """Whether UTF-8 can encode it."""
    return not any("\ud800" <= character <= "\udfff" for character in value)


def time_of(text: str) -> datetime | None:
    """Read a time with Python's parser, after a check for the digits that it would drop."""
    _, _, rest = text.partition(".")
    fraction = rest[: len(rest) - len(rest.lstrip("0123456789"))]
    if len(fraction.rstrip("0")) > 6 or text[10:11] not in {"T", " "} or text[-3:] == ":60" or " Z" in text:
        return None
    try:
        time = datetime.fromisoformat(text)
        return (time if time.tzinfo else time.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
