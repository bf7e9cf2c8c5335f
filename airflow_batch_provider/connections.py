"""What an Airflow connection of ours holds: the one table behind the form, its validation, and the documentation."""

from __future__ import annotations

from collections.abc import Mapping

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
