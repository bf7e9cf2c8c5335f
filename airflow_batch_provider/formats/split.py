"""Splits rows into what their columns contain, and the rest."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec

from airflow_batch_provider.apis.columns import Column, ColumnType, ListOf, Struct
from airflow_batch_provider.apis.page import Line
from airflow_batch_provider.apis.raw_json import raw_elements, raw_fields
from airflow_batch_provider.formats.fields import NULL, extra
from airflow_batch_provider.formats.type_check import TypeMismatchError

Split = Callable[[bytes], tuple[Any, bytes | None]]
"""Takes a JSON value and returns what its column contains and the JSON of the rest, None if there is none."""


class SplitRows(msgspec.Struct, frozen=True):
    """What was split.

    :param values: for each row the values of its columns, without those that are absent
    :param extras: for each row a JSON object of all else, or None if there is nothing else
    :param mismatches: the field of each value that is not of its type
    """

    values: list[dict[str, Any]]
    extras: list[str | None]
    mismatches: list[str]


class Splitter:
    """Splits rows.

    :param columns: the documented fields
    :param parse: returns a value other than null as its column contains it, or raises :class:`.TypeMismatchError`
    :param stays_raw: whether values of a type are taken as the vendor wrote them, unparsed
    """

    def __init__(
        self,
        columns: Sequence[Column],
        parse: Callable[[bytes, Any], Any],
        stays_raw: Callable[[ColumnType], bool] = lambda column_type: False,
    ) -> None:
        self._parse = parse
        self._stays_raw = stays_raw
        self._mismatches: list[str] = []
        self._split_row = self._struct(columns, "")

    def split(self, lines: Iterable[Line]) -> SplitRows:
        """Return rows, split."""
        self._mismatches = []
        split = SplitRows([], [], self._mismatches)
        for line in lines:
            values, rest = self._split_row(bytes(line))
            split.values.append(values)
            split.extras.append(None if rest is None else rest.decode())
        return split

    def _struct(self, columns: Sequence[Column], path: str) -> Split:
        raw_names = [column.name for column in columns if self._stays_raw(column.type)]
        splits = [
            (column.name, path + column.name, self._value(column.type, path + column.name))
            for column in columns
            if not self._stays_raw(column.type)
        ]

        def split(raw: bytes) -> tuple[dict[str, Any], bytes | None]:
            values: dict[str, Any] = {}
            rest = raw_fields(raw)
            for name in raw_names:
                if name in rest:
                    values[name] = msgspec.Raw(rest.pop(name))
            for name, field, split_value in splits:
                value = rest.get(name, NULL)
                if value == NULL:
                    rest.pop(name, None)
                    continue
                counted = len(self._mismatches)
                try:
                    values[name], left = split_value(value)
                except TypeMismatchError:
                    # The value is left out whole, so what was found inside it before counts no more.
                    self._mismatches[counted:] = [field]
                    continue
                if left is None:
                    del rest[name]
                else:
                    rest[name] = left
            return values, extra(rest, rest)

        return split

    def _list(self, element: ColumnType, path: str) -> Split:
        split_element = self._value(element, path)

        def split(raw: bytes) -> tuple[list[Any], bytes | None]:
            parts = [(None, None) if value == NULL else split_element(value) for value in raw_elements(raw)]
            is_whole = all(rest is None for _, rest in parts)
            return [value for value, _ in parts], None if is_whole else raw

        return split

    def _value(self, column_type: ColumnType, path: str) -> Split:
        match column_type:
            case Struct(fields=fields):
                return _starting_with(b"{", self._struct(fields, f"{path}."))
            case ListOf(element=element):
                return _starting_with(b"[", self._list(element, path))
        return lambda raw: (self._parse(raw, column_type), None)


def _starting_with(start: bytes, split: Split) -> Split:
    def checked(raw: bytes) -> tuple[Any, bytes | None]:
        if not raw.startswith(start):
            raise TypeMismatchError
        return split(raw)

    return checked
