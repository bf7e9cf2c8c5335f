"""The documented fields of a row and their types: the columns of CSV and Parquet files."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

import msgspec

from airflow_batch_provider.apis.declaration import DeclarationError


class Scalar(StrEnum):
    """The type of a value that contains no other columns."""

    TEXT = "text"
    INTEGER = "integer"
    FLOAT = "float"
    BOOLEAN = "boolean"
    TIMESTAMP = "timestamp"
    UNIX_SECONDS = "unix_seconds"
    UNIX_MILLISECONDS = "unix_milliseconds"
    JSON = "json"


TEXT = Scalar.TEXT
INTEGER = Scalar.INTEGER
FLOAT = Scalar.FLOAT
"""A number that a double gives back as it was, such as 5 or 0.1; one with more digits is a type mismatch."""
BOOLEAN = Scalar.BOOLEAN
TIMESTAMP = Scalar.TIMESTAMP
"""A text in ISO 8601, in UTC if it has no offset."""
UNIX_SECONDS = Scalar.UNIX_SECONDS
UNIX_MILLISECONDS = Scalar.UNIX_MILLISECONDS
"""Whole numbers since 1970. Parquet has timestamps for them, CSV the numbers."""
JSON = Scalar.JSON
"""Any value, for fields whose shape is not documented. Files contain its JSON text, exactly as the vendor wrote it."""


class ListOf(msgspec.Struct, frozen=True):
    """A JSON array.

    :param element: the type of each element
    """

    element: ColumnType

    def __str__(self) -> str:
        return f"list<{self.element}>"


class Struct(msgspec.Struct, frozen=True):
    """A JSON object with documented fields.

    :param fields: the fields, in documented order
    """

    fields: tuple[Column, ...]

    def __post_init__(self) -> None:
        if not self.fields:
            raise DeclarationError("a struct has no fields, which Parquet cannot store; use JSON for any object")

    def __str__(self) -> str:
        return f"struct<{','.join(map(str, self.fields))}>"


class Column(msgspec.Struct, frozen=True):
    """A documented field. Any may be absent or null: the vendors say little about that, and change it.

    :param name: the vendor's name
    :param type: the type of its value
    :param value: a text that is the column's in every row of an export, and that no row contains; None if rows do
    """

    name: str
    type: ColumnType
    value: str | None = None

    def __str__(self) -> str:
        return f"{self.name}:{self.type}" + ("" if self.value is None else f"={self.value!r}")


ColumnType = Scalar | ListOf | Struct


def columns(**types: ColumnType) -> tuple[Column, ...]:
    """Return columns, by name, in the order given."""
    return tuple(Column(name, column_type) for name, column_type in types.items())


def struct(**types: ColumnType) -> Struct:
    """Return a struct, its fields by name, in the order given."""
    return Struct(columns(**types))


def result_columns(item: Sequence[Column], result: ColumnType) -> tuple[Column, ...]:
    """Return the columns of a results export, which has a row for each item of a batch.

    :param item: the columns of the listing that contains the items
    :param result: the type of the vendor's result object: a struct of its documented fields, or JSON
    """
    return columns(
        id=TEXT,
        status=TEXT,
        outcome=TEXT,
        error=TEXT,
        item=Struct(tuple(item)),
        result=result,
        files=ListOf(struct(kind=TEXT, name=TEXT, path=TEXT, bytes=INTEGER, sha256=TEXT, content_type=TEXT)),
    )
