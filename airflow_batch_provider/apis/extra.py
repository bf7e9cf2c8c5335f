"""The extras of a connection, declared once for the form, the checks and the documentation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec


class Extra(msgspec.Struct, frozen=True):
    """An extra of a connection.

    :param label: its label in the form
    :param description: the help below the field; ``{default}`` is replaced by the default
    :param type: the JSON type of its value
    :param choices: the allowed values, if they are few
    :param minimum: the smallest allowed number
    :param maximum: the largest allowed number
    :param default: the value of an empty field
    """

    label: str
    description: str
    type: str = "string"
    choices: tuple[str, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    default: Any = None

    @property
    def help(self) -> str:
        """The help below the field."""
        return self.description.replace("{default}", str(self.default))


COMMON_EXTRAS: Mapping[str, Extra] = {
    "requests_per_minute": Extra(
        "Requests per minute",
        "The most requests that a process sends per minute; no limit if empty.",
        "integer",
        minimum=1,
        maximum=1_000_000,
    ),
    "max_concurrency": Extra(
        "Concurrent connections",
        "The most connections that a process keeps open to the vendor; {default} if empty.",
        "integer",
        minimum=1,
        maximum=100,
        default=8,
    ),
    "connect_timeout": Extra(
        "Connect timeout",
        "Seconds to wait until a connection is open; {default} if empty.",
        "number",
        minimum=0.1,
        maximum=600,
        default=10,
    ),
    "read_timeout": Extra(
        "Read timeout",
        "Seconds to wait for the next data; {default} if empty.",
        "number",
        minimum=0.1,
        maximum=3600,
        default=60,
    ),
    "max_attempts": Extra(
        "Maximum attempts",
        "How many times a request is sent before it fails; {default} if empty.",
        "integer",
        minimum=1,
        maximum=100,
        default=6,
    ),
    "verify_tls": Extra("Verify TLS", "Check the vendor's certificate. Leave it on.", "boolean", default=True),
}
"""The extras of every connection, for all vendors."""
