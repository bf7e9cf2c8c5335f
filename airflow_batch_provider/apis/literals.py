"""What a DAG file says about a parameter, as far as it is known before the task runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import msgspec

from airflow_batch_provider.apis.parameter import Violation

LATER: Any = object()
"""Stands for a value that is known only when the task runs."""

_MARKS = ("{{", "{%", "{#")


class Values(Protocol):
    """Which values are allowed: a domain, or a parameter of an endpoint."""

    @property
    def allowed(self) -> str:
        """What is allowed, in words that complete "allowed is ..."."""
        ...

    def encode(self, value: object) -> Any:
        """Return the value as text, or None if it is not allowed."""
        ...


class OrNone(msgspec.Struct, frozen=True):
    """A value that may be left out.

    :param values: what else it may be
    :param may_be_blank: whether an empty text counts as None, as a template renders it
    """

    values: Values
    may_be_blank: bool = False

    @property
    def allowed(self) -> str:
        return self.values.allowed

    def encode(self, value: object) -> Any:
        is_left_out = value is None or (self.may_be_blank and value == "")
        return "" if is_left_out else self.values.encode(value)


class Several(msgspec.Struct, frozen=True):
    """A list of values, or a text with commas between them.

    :param each: what each may be
    :param least: how many there must be
    """

    each: Values
    least: int = 0

    @property
    def allowed(self) -> str:
        return f"a list, each {self.each.allowed}"

    def items(self, value: object) -> list[object]:
        """Return the values, without blank ones: a template may render to nothing."""
        listed = value.split(",") if isinstance(value, str) else value
        if not isinstance(listed, (list, tuple)):
            listed = [] if listed is None else [listed]
        stripped = [item.strip() if isinstance(item, str) else item for item in listed]
        return [item for item in stripped if item != ""]

    def encode(self, value: object) -> str | None:
        items = self.items(value)
        texts = [text for item in items if (text := self.each.encode(item)) is not None]
        return ",".join(map(str, texts)) if self.least <= len(items) == len(texts) else None


def literal_of(value: object) -> Any:
    """Return a value without what is known only when the task runs.

    That is templates, the outputs of other tasks, and functions that Airflow calls. A list loses such elements, and a
    mapping has None for them.

    :param value: what a DAG file says
    :return: the rest of it; :data:`LATER` if nothing is left
    """
    if isinstance(value, str):
        return LATER if any(mark in value for mark in _MARKS) else value
    if isinstance(value, Mapping):
        known = {key: literal_of(item) for key, item in value.items()}
        return {key: None if item is LATER else item for key, item in known.items()}
    if isinstance(value, (list, tuple)):
        items = [item for item in map(literal_of, value) if item is not LATER]
        return items if items or not value else LATER
    return LATER if hasattr(value, "iter_references") or callable(value) else value


def violation_of(name: str, value: object, values: Values) -> Violation | None:
    """Return what is wrong with a value, None if nothing is; of several values, the one that is wrong.

    :param name: the parameter
    :param value: its value
    :param values: what it may be
    """
    if values.encode(value) is not None:
        return None
    if isinstance(values, Several):
        wrong = [item for item in values.items(value) if values.each.encode(item) is None]
        return Violation(name, wrong[0] if wrong else value, values.each.allowed)
    return Violation(name, value, values.allowed)
