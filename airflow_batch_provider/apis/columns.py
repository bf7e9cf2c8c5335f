"""The documented fields of a listing's objects and their types: the columns of CSV and Parquet files."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class Scalar(StrEnum):
    """The type of a value that contains no others."""

    TEXT = "text"
    INTEGER = "integer"
    BOOLEAN = "boolean"
    TIMESTAMP = "timestamp"
    UNIX_SECONDS = "unix_seconds"
    UNIX_MILLISECONDS = "unix_milliseconds"


TEXT = Scalar.TEXT
INTEGER = Scalar.INTEGER
BOOLEAN = Scalar.BOOLEAN
TIMESTAMP = Scalar.TIMESTAMP
"""A text in ISO 8601, in UTC if it has no offset. Only as a column of its own: no vendor nests one."""
UNIX_SECONDS = Scalar.UNIX_SECONDS
UNIX_MILLISECONDS = Scalar.UNIX_MILLISECONDS
"""Whole numbers since 1970; columns of their own only. Parquet has timestamps for them, CSV the numbers."""


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
