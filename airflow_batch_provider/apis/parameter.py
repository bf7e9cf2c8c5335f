"""What a vendor allows in a parameter, checked before a request is sent."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Protocol

import msgspec

from airflow_batch_provider.apis.declaration import DeclarationError
from airflow_batch_provider.apis.moment import Clock, write_moment


class Domain(Protocol):
    """The values that a parameter may take."""

    @property
    def allowed(self) -> str:
        """What is allowed, in words that complete "allowed is ..."."""
        ...

    def encode(self, value: object) -> str | None:
        """Return the value as it is sent, or None if it is not allowed."""
        ...


class Identifier(msgspec.Struct, frozen=True):
    """An opaque id. The vendors mix forms and prefixes, so only what cannot be an id is refused.

    :param may_contain_slashes: whether the vendor's ids are paths, whose slashes are sent as they are
    """

    may_contain_slashes: bool = False
    allowed: str = "a text that is not blank, '.', '..' or 'None'"

    def encode(self, value: object) -> str | None:
        if isinstance(value, bool) or not isinstance(value, (str, int)):
            return None
        text = str(value)
        if not text.isascii() and text != text.encode("utf-8", "ignore").decode():
            return None  # a lone surrogate, which has no place in a URL
        # A path segment of dots would be resolved by clients and proxies into another resource's path.
        segments = text.split("/") if self.may_contain_slashes else [text]
        return None if not text.strip() or text == "None" or not {"", ".", ".."}.isdisjoint(segments) else text


class Choice(msgspec.Struct, frozen=True):
    """One of the words that the vendor documents.

    :param may_contain_slashes: whether the words are paths, whose slashes are sent as they are
    """

    words: tuple[str, ...]
    may_contain_slashes: bool = False

    @property
    def allowed(self) -> str:
        return "one of " + ", ".join(map(repr, self.words))

    def encode(self, value: object) -> str | None:
        return value if isinstance(value, str) and value in self.words else None


class Integer(msgspec.Struct, frozen=True):
    """A whole number, or the text of one: a rendered template is always text."""

    minimum: int
    maximum: int | None = None

    @property
    def allowed(self) -> str:
        if self.maximum is None:
            return f"a whole number from {self.minimum} up"
        return f"a whole number from {self.minimum} to {self.maximum}"

    def parse(self, value: object) -> int | None:
        """Return the number, or None if it is not allowed."""
        if isinstance(value, bool) or not isinstance(value, (int, str)):
            return None
        try:
            number = int(value)
        except ValueError:
            return None
        if number < self.minimum or (self.maximum is not None and number > self.maximum):
            return None
        return number

    def encode(self, value: object) -> str | None:
        number = self.parse(value)
        return None if number is None else str(number)


class Timestamp(msgspec.Struct, frozen=True):
    """A moment: a datetime, or ISO 8601 text. One without an offset is taken as UTC.

    :param clock: how the vendor takes it
    """

    clock: Clock = Clock.ISO
    allowed: str = "a datetime, or ISO 8601 text such as '2026-01-31T00:00:00Z'"

    def encode(self, value: object) -> str | None:
        if isinstance(value, str):
            try:
                value = datetime.fromisoformat(value)
            except ValueError:
                return None
        if not isinstance(value, datetime):
            return None
        return write_moment(value, self.clock)


class Boolean(msgspec.Struct, frozen=True):
    """True or false, or the text of it."""

    allowed: str = "true or false"

    def encode(self, value: object) -> str | None:
        text = str(value).casefold()
        return text if text in {"true", "false"} else None


class Text(msgspec.Struct, frozen=True):
    """A text for people, of a length that the vendor takes.

    :param most: characters at most
    """

    most: int | None = None

    @property
    def allowed(self) -> str:
        return "a text that is not blank" + (f", of {self.most} characters at most" if self.most else "")

    def encode(self, value: object) -> str | None:
        if not isinstance(value, str) or not value.strip() or value != value.encode("utf-8", "ignore").decode():
            return None
        return value if self.most is None or len(value) <= self.most else None


class JsonObject(msgspec.Struct, frozen=True):
    """A JSON object."""

    allowed: str = "a JSON object: a dict of what JSON knows"

    def encode(self, value: object) -> str | None:
        return _json(value) if isinstance(value, Mapping) else None


class JsonArray(msgspec.Struct, frozen=True):
    """A JSON array.

    :param most: items at most; there must be one
    """

    most: int

    @property
    def allowed(self) -> str:
        return f"a list of 1 to {self.most} values of what JSON knows"

    def encode(self, value: object) -> str | None:
        is_list = isinstance(value, Sequence) and not isinstance(value, (str, bytes))
        return _json(value) if is_list and 1 <= len(value) <= self.most else None  # type: ignore[arg-type]


def _json(value: object) -> str | None:
    try:
        return json.dumps(value, allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        return None


class Duration(msgspec.Struct, frozen=True):
    """A positive number of seconds, the text of one, or a timedelta."""

    allowed: str = "a positive number of seconds, or a timedelta"

    def encode(self, value: object) -> str | None:
        try:
            seconds = value.total_seconds() if isinstance(value, timedelta) else float(str(value))
        except ValueError:
            return None
        return str(seconds) if 0 < seconds < float("inf") else None


class Parameter(msgspec.Struct, frozen=True):
    """A parameter of an endpoint.

    :param name: its name in our methods and operators
    :param domain: the values that it may have
    :param wire: its query key, or its dotted path in a JSON body; None for a part of the path
    :param required: whether the vendor needs it
    :param default: what is sent if the caller gives none
    :param repeated: whether it takes a list, for which the query key is repeated; one value is a list of one
    :param in_body: whether it is sent in a JSON body
    """

    name: str
    domain: Domain
    wire: str | None = None
    required: bool = False
    default: object = None
    repeated: bool = False
    in_body: bool = False

    def __post_init__(self) -> None:
        if not self.name.isidentifier():
            raise DeclarationError(f"parameter {self.name!r} is not a Python name")
        if self.default is not None and self.encode(self.default) is None:
            raise DeclarationError(f"parameter {self.name}: its default is not allowed; allowed is {self.allowed}")
        if self.repeated and (self.wire is None or self.in_body):
            raise DeclarationError(f"parameter {self.name}: only a query key can be repeated")
        if self.in_body and not self.wire:
            raise DeclarationError(f"parameter {self.name}: in_body needs wire, its place in the body")

    @property
    def allowed(self) -> str:
        """What is allowed, in words that complete "allowed is ..."."""
        return f"a list, each {self.domain.allowed}" if self.repeated else self.domain.allowed

    @property
    def is_json(self) -> bool:
        """Whether an encoded value is JSON, rather than a text in it."""
        return isinstance(self.domain, (Integer, Boolean, JsonObject, JsonArray))

    @property
    def keeps_slashes(self) -> bool:
        """Whether slashes in the value are part of the path."""
        return isinstance(self.domain, (Identifier, Choice)) and self.domain.may_contain_slashes

    def encode(self, value: object) -> str | tuple[str, ...] | None:
        """Return a value as it is sent, a tuple for a repeated query key, or None if it is not allowed."""
        if not self.repeated:
            return self.domain.encode(value)
        values = value if isinstance(value, (list, tuple)) else [value]
        texts = tuple(text for each in values if (text := self.domain.encode(each)) is not None)
        return texts if texts and len(texts) == len(values) else None


class Violation(msgspec.Struct, frozen=True):
    """A parameter that may not be sent, and what would be."""

    parameter: str
    value: object
    allowed: str

    def __str__(self) -> str:
        if self.value is None:
            return f"{self.parameter} is missing; allowed is {self.allowed}"
        return f"{self.parameter}={self.value!r} is not allowed; allowed is {self.allowed}{self._hint}"

    @property
    def _hint(self) -> str:
        """What a task was probably given instead of a value."""
        if self.value == "None":
            return "; a template renders to 'None' if its value is missing"
        if isinstance(self.value, Mapping) and self.parameter.endswith("_id"):
            return "; a Run operator's batch is its .output['batch_id']"
        return ""


def first_violation(parameters: tuple[Parameter, ...], values: Mapping[str, Any]) -> Violation | None:
    """Check the values given, not whether any is missing.

    :param parameters: what the endpoint takes
    :param values: by name; None counts as not given
    """
    for parameter in parameters:
        value = values.get(parameter.name)
        if value is not None and parameter.encode(value) is None:
            return Violation(parameter.name, value, parameter.allowed)
    return None


def first_missing(parameters: tuple[Parameter, ...], values: Mapping[str, Any]) -> Violation | None:
    """Return the first required parameter without a value."""
    for parameter in parameters:
        if parameter.required and values.get(parameter.name) is None:
            return Violation(parameter.name, None, parameter.allowed)
    return None


def given(parameters: tuple[Parameter, ...], values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values that were given, under our names, as they are sent: texts, or lists of texts."""
    encoded = {
        parameter.name: parameter.encode(values[parameter.name])
        for parameter in parameters
        if values.get(parameter.name) is not None
    }
    return {name: list(value) if isinstance(value, tuple) else str(value) for name, value in encoded.items()}
