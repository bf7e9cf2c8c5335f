"""What a vendor allows in a parameter, checked before a request is sent."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

import msgspec


class Domain(Protocol):
    """The values that a parameter may take."""

    @property
    def allowed(self) -> str:
        """What is allowed, in words that complete "allowed is ..."."""
        ...

    def encode(self, value: object) -> str | None:
        """Return the value as it goes on the wire, or None where it is not allowed."""
        ...


class Identifier(msgspec.Struct, frozen=True):
    """An opaque id. The vendors mix forms and prefixes, so nothing but emptiness is refused."""

    allowed: str = "a text that is not blank, nor '.' or '..'"

    def encode(self, value: object) -> str | None:
        """See :class:`Domain`."""
        if isinstance(value, bool) or not isinstance(value, (str, int)):
            return None
        text = str(value)
        if not text.isascii() and text != text.encode("utf-8", "ignore").decode():
            return None  # a lone surrogate, which has no place in a URL
        # A path segment of dots would be resolved by clients and proxies into another resource's path.
        return None if not text.strip() or text in {".", ".."} else text


class Choice(msgspec.Struct, frozen=True):
    """One of the words that the vendor documents."""

    words: tuple[str, ...]

    @property
    def allowed(self) -> str:
        """See :class:`Domain`."""
        return "one of " + ", ".join(map(repr, self.words))

    def encode(self, value: object) -> str | None:
        """See :class:`Domain`."""
        return value if isinstance(value, str) and value in self.words else None


class Integer(msgspec.Struct, frozen=True):
    """A whole number, or the text of one: a rendered template is always text."""

    minimum: int
    maximum: int | None = None

    @property
    def allowed(self) -> str:
        """See :class:`Domain`."""
        if self.maximum is None:
            return f"a whole number from {self.minimum} up"
        return f"a whole number from {self.minimum} to {self.maximum}"

    def parse(self, value: object) -> int | None:
        """Return the number, or None where it is not allowed."""
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
        """See :class:`Domain`."""
        number = self.parse(value)
        return None if number is None else str(number)


class Timestamp(msgspec.Struct, frozen=True):
    """A moment: a datetime, or ISO 8601 text. One without an offset is taken as UTC."""

    allowed: str = "a datetime, or ISO 8601 text such as '2026-01-31T00:00:00Z'"

    def encode(self, value: object) -> str | None:
        """See :class:`Domain`."""
        if isinstance(value, str):
            try:
                value = datetime.fromisoformat(value)
            except ValueError:
                return None
        if not isinstance(value, datetime):
            return None
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).isoformat()


class Boolean(msgspec.Struct, frozen=True):
    """True or false, or the text of it."""

    allowed: str = "true or false"

    def encode(self, value: object) -> str | None:
        """See :class:`Domain`."""
        text = str(value).casefold()
        return text if text in {"true", "false"} else None


class Duration(msgspec.Struct, frozen=True):
    """A positive number of seconds, the text of one, or a timedelta."""

    allowed: str = "a positive number of seconds, or a timedelta"

    def encode(self, value: object) -> str | None:
        """See :class:`Domain`."""
        try:
            seconds = value.total_seconds() if isinstance(value, timedelta) else float(str(value))
        except ValueError:
            return None
        return str(seconds) if 0 < seconds < float("inf") else None


class Parameter(msgspec.Struct, frozen=True):
    """A parameter of an endpoint.

    :param name: its name in our methods and operators
    :param domain: what it may be
    :param wire: its name in the query; None for a part of the path
    :param required: whether the vendor needs it
    :param default: what is asked for where the caller says nothing
    """

    name: str
    domain: Domain
    wire: str | None = None
    required: bool = False
    default: object = None


class Violation(msgspec.Struct, frozen=True):
    """A parameter that may not be sent, and what would be."""

    parameter: str
    value: object
    allowed: str

    def __str__(self) -> str:
        if self.value is None:
            return f"{self.parameter} is missing; allowed is {self.allowed}"
        return f"{self.parameter}={self.value!r} is not allowed; allowed is {self.allowed}"


def first_violation(parameters: tuple[Parameter, ...], values: Mapping[str, Any]) -> Violation | None:
    """Check the values given, not whether any is missing.

    :param parameters: what the endpoint takes
    :param values: by name; None counts as not given
    """
    for parameter in parameters:
        value = values.get(parameter.name)
        if value is not None and parameter.domain.encode(value) is None:
            return Violation(parameter.name, value, parameter.domain.allowed)
    return None


def first_missing(parameters: tuple[Parameter, ...], values: Mapping[str, Any]) -> Violation | None:
    """Return the first required parameter without a value."""
    for parameter in parameters:
        if parameter.required and values.get(parameter.name) is None:
            return Violation(parameter.name, None, parameter.domain.allowed)
    return None
