"""What an Airflow connection of ours holds: the one table behind the form, its validation, and the documentation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec


class Extra(msgspec.Struct, frozen=True):
    """An extra of a connection.

    :param label: its label in the form
    :param description: the help below the field
    :param type: the JSON type of its value
    :param choices: the values allowed, where they are few
    :param minimum: the least number allowed
    :param maximum: the greatest number allowed
    """

    label: str
    description: str
    type: str = "string"
    choices: tuple[str, ...] = ()
    minimum: float | None = None
    maximum: float | None = None


COMMON_EXTRAS: Mapping[str, Extra] = {
    "requests_per_minute": Extra(
        "Requests per minute",
        "The most requests a process sends per minute; empty for no limit.",
        "integer",
        minimum=1,
        maximum=1_000_000,
    ),
    "max_concurrency": Extra(
        "Connections at once",
        "The most connections a process opens to the vendor; 8 if empty.",
        "integer",
        minimum=1,
        maximum=100,
    ),
    "connect_timeout": Extra(
        "Connect timeout", "Seconds to wait for a connection; 10 if empty.", "number", minimum=0.1, maximum=600
    ),
    "read_timeout": Extra(
        "Read timeout", "Seconds to wait for data; 60 if empty.", "number", minimum=0.1, maximum=3600
    ),
    "max_attempts": Extra(
        "Attempts", "How often a request is sent before it fails; 6 if empty.", "integer", minimum=1, maximum=100
    ),
    "verify_tls": Extra("Verify TLS", "Check the vendor's certificate. Leave it on.", "boolean"),
}
"""The extras of every connection, whoever the vendor is."""

EXTRAS: Mapping[str, Mapping[str, Extra]] = {
    "playment": {
        "project_id": Extra("Project id", "Used where a task names no project."),
        **COMMON_EXTRAS,
    },
    "llamacloud": {
        "region": Extra("Region", "Keys belong to one region; us if empty.", choices=("us", "eu")),
        "project_id": Extra("Project id", "Used where a task names no project; the key's default project if empty."),
        "organization_id": Extra("Organization id", "Used where a task names no organization."),
        **COMMON_EXTRAS,
    },
    "talkifai": {
        "organization_id": Extra("Organization id", "Used where a task names no organization."),
        "auth_header": Extra(
            "API key header",
            "How the key is sent: as a Bearer token (the default), or in x-api-key.",
            choices=("bearer", "x-api-key"),
        ),
        **COMMON_EXTRAS,
    },
}
"""The extras of each connection type of this package. One called like a parameter stands in where a task has none."""


def connection_type(
    name: str, *, hook: str, title: str, base_url: str, key: str, extras: Mapping[str, Extra]
) -> dict[str, Any]:
    """Return an entry of ``connection-types`` in a provider's metadata; Airflow draws the form from it.

    :param name: the connection type
    :param hook: the import path of the hook
    :param title: the vendor, for people
    :param base_url: the vendor's own host
    :param key: what an API key looks like, or where to get one
    :param extras: the vendor's extras; those of every connection are added
    """
    return {
        "connection-type": name,
        "hook-class-name": hook,
        "hook-name": title,
        "ui-field-behaviour": {
            "hidden-fields": ["login", "extra"],
            "relabeling": {"password": "API key", "host": "Base URL", "schema": "Scheme"},
            "placeholders": {
                "password": key,
                "host": f"{base_url} (if empty)",
                "schema": "https (if the base URL names none)",
                "port": "443 (if the base URL names none)",
            },
        },
        "conn-fields": {name: _field(extra) for name, extra in {**extras, **COMMON_EXTRAS}.items()},
    }


def _field(extra: Extra) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": [extra.type, "null"]}
    if extra.choices:
        schema["enum"] = list(extra.choices)
    if extra.minimum is not None:
        schema["minimum"] = extra.minimum
    if extra.maximum is not None:
        schema["maximum"] = extra.maximum
    if extra.type == "boolean":
        schema["default"] = True
    return {"label": extra.label, "description": extra.description, "schema": schema}
