"""A row that was read back from a format with columns, as the vendor's object that it was made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from airflow_batch_provider.apis.columns import Column, ColumnType, ListOf, Scalar, Struct
from airflow_batch_provider.apis.raw_json import read_json
from airflow_batch_provider.formats.fields import EXTRA


def object_of(row: Mapping[str, Any], columns: Sequence[Column]) -> dict[str, Any]:
    """Return the object of a row. A field that it did not have is null; times are as the format reads them.

    :param row: the row, with ``_extra``
    :param columns: the documented fields
    """
    extra = row.get(EXTRA)
    fields = {column.name: _value(row.get(column.name), column.type) for column in columns}
    return _joined(fields, read_json(extra)) if extra else fields


def _value(value: Any, column_type: ColumnType) -> Any:
    if isinstance(value, str):  # CSV has structs and lists as JSON too
        return read_json(value) if column_type is Scalar.JSON or not isinstance(column_type, Scalar) else value
    if isinstance(column_type, Struct) and isinstance(value, Mapping):
        return {field.name: _value(value.get(field.name), field.type) for field in column_type.fields}
    if isinstance(column_type, ListOf) and isinstance(value, list):
        return [_value(element, column_type.element) for element in value]
    return value


def _joined(fields: Mapping[str, Any], extra: Mapping[str, Any]) -> dict[str, Any]:
    """Return an object of two parts; a field of both is an object of two parts, or of another type than documented."""
    joined = dict(fields)
    for name, value in extra.items():
        known = joined.get(name)
        is_object = isinstance(known, Mapping) and isinstance(value, Mapping)
        joined[name] = _joined(known, value) if is_object else value  # type: ignore[arg-type]
    return joined
