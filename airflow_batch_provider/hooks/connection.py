"""Reads an Airflow connection into the client's settings, and says what is wrong with it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from airflow.providers.common.compat.sdk import AirflowNotFoundException

from airflow_batch_provider.apis.auth import Credentials
from airflow_batch_provider.apis.extra import COMMON_EXTRAS, Extra
from airflow_batch_provider.apis.vendor import Vendor
from airflow_batch_provider.exceptions import ConnectionNotFoundError, ConnectionSettingsError, TransientError

if TYPE_CHECKING:
    from airflow.sdk import Connection

    from airflow_batch_provider.client.settings import Settings

LONGEST_SHOWN = 16

_TYPES = {"boolean": "true or false", "integer": "a whole number", "number": "a number", "string": "a text"}
_TRUTH = {"true": True, "false": False, "1": True, "0": False}


def lookup_error(vendor: Vendor, connection_id: str, error: Exception) -> TransientError:
    """Return the error of a look-up of a connection that failed. It may pass.

    :param vendor: whose connection it is
    :param connection_id: its id
    :param error: what Airflow raised
    """
    if not isinstance(error, AirflowNotFoundException):  # its API is away, or a secrets backend raises one of its own
        return TransientError(f"Connection {connection_id!r} cannot be read now: {error!r}", vendor=vendor.name)
    # Airflow reports the same if a secrets backend failed, or if the variable is there and is no JSON.
    return ConnectionNotFoundError(
        f"There is no connection {connection_id!r}. Create it in Airflow's UI (Admin > Connections, type "
        f"{vendor.title}), or set AIRFLOW_CONN_{connection_id.upper()}"
        f'=\'{{"conn_type": "{vendor.name}", "password": "<API key>"}}\' for every worker and triggerer. '
        "If it is there, check its JSON and that the secrets backend answers.",
        vendor=vendor.name,
    )


def check_connection(vendor: Vendor, connection: Connection, conn_type: str) -> None:
    """Check that a connection is the vendor's, and that its extras can be read: Airflow itself ignores those it cannot.

    :param vendor: whose it must be
    :param connection: the Airflow connection
    :param conn_type: the type that the hook is registered for
    :raises ConnectionSettingsError: it is of another type, or its extra is no JSON object
    """
    if connection.conn_type and connection.conn_type != conn_type:
        raise ConnectionSettingsError(
            f"Connection {connection.conn_id!r} is of type {connection.conn_type!r}, not {conn_type!r}. Give the task "
            f"the id of a connection of type {vendor.title} ({conn_type!r}), or change the type of this one.",
            vendor=vendor.name,
        )
    saved = connection.extra
    if not saved or not saved.strip():
        return
    try:
        extras = json.loads(saved)
    except (ValueError, RecursionError):
        extras = None
    if not isinstance(extras, dict):
        raise ConnectionSettingsError(
            f"The extra of connection {connection.conn_id!r} is not a JSON object, so none of it can be used; "
            'write it like {"requests_per_minute": 60}.',
            vendor=vendor.name,
        )


def read_extras(vendor: Vendor, connection_id: str, extras: Mapping[str, Any]) -> dict[str, Any]:
    """Return the extras that are filled in, each of its type.

    :param vendor: whose connection it is
    :param connection_id: its id
    :param extras: its extras as they were saved
    :raises ConnectionSettingsError: an extra is unknown, or not of its type
    """
    known = vendor.all_extras
    unknown = sorted(set(extras) - set(known))
    if unknown:
        raise ConnectionSettingsError(
            f"Connection {connection_id!r} has an unknown extra {unknown[0]!r}; "
            f"a connection of type {vendor.title} takes {', '.join(sorted(known))}.",
            vendor=vendor.name,
        )
    return {
        name: _read_extra(known[name], name, value, connection_id)
        for name, value in extras.items()
        if value is not None and value != ""  # what the form stores for a field left empty
    }


def _read_extra(extra: Extra, name: str, value: object, connection_id: str) -> object:
    parsed: object = None
    if extra.type == "boolean":
        parsed = _TRUTH.get(str(value).casefold())
    elif extra.type in {"integer", "number"}:
        parsed = _number(extra, value)
    elif isinstance(value, (str, int)) and (not extra.choices or value in extra.choices):
        parsed = str(value)
    if parsed is None:
        raise ConnectionSettingsError(
            f"Extra {name!r} of connection {connection_id!r} is {_shown(value)}; allowed is {_allowed(extra)}."
        )
    return parsed


def _number(extra: Extra, value: object) -> float | int | None:
    try:
        number = (int if extra.type == "integer" else float)(str(value))
    except ValueError:
        return None
    too_small = extra.minimum is not None and number < extra.minimum
    too_large = extra.maximum is not None and number > extra.maximum
    return None if too_small or too_large or number != number else number


def _shown(value: object) -> str:
    # What is longer than any sensible value may be a key that was pasted into the wrong field.
    text = repr(value)
    return text if len(text) <= LONGEST_SHOWN else f"a value of {len(text)} characters"


def _allowed(extra: Extra) -> str:
    if extra.choices:
        return "one of " + ", ".join(map(repr, extra.choices))
    bounds = f" from {extra.minimum}" if extra.minimum is not None else ""
    return _TYPES[extra.type] + bounds + (f" to {extra.maximum}" if extra.maximum is not None else "")


def read_settings(vendor: Vendor, connection: Connection, extras: Mapping[str, Any]) -> Settings:
    """Return how to reach the vendor.

    :param vendor: whose connection it is
    :param connection: the Airflow connection
    :param extras: its extras, as :func:`read_extras` returns them
    :raises ConnectionSettingsError: there is no key, or the host makes no URL
    """
    from airflow_batch_provider.client.settings import Settings

    common = {name: extras[name] for name in COMMON_EXTRAS if name in extras}
    if unknown := sorted(common.keys() - {field.name for field in fields(Settings)}):
        raise ConnectionSettingsError(
            f"Extra {unknown[0]!r} of connection {connection.conn_id!r} is declared for every connection, "
            "but client/settings.py has no field for it.",
            vendor=vendor.name,
        )
    return Settings(
        connection_id=str(connection.conn_id),
        base_url=_base_url(vendor, connection, extras),
        auth=vendor.auths.get(extras.get("auth_header", ""), vendor.auth),
        auths={endpoint: vendor.auths[extras[extra]] for endpoint, extra in vendor.auths_of.items() if extra in extras},
        credentials=Credentials(_api_key(vendor, connection), connection.login or ""),
        **common,
    )


def _api_key(vendor: Vendor, connection: Connection) -> str:
    key = (connection.password or "").strip()
    if not key:
        raise ConnectionSettingsError(
            f"Connection {connection.conn_id!r} has no API key. Set API key (password) to the {vendor.title} key.",
            vendor=vendor.name,
        )
    if not re.fullmatch(r"[\x21-\x7e]+", key):
        # The HTTP library would refuse it too, with the key in its message.
        raise ConnectionSettingsError(
            f"The API key (password) of connection {connection.conn_id!r} contains spaces or other characters "
            "that no key has; was more than the key pasted?",
            vendor=vendor.name,
        )
    return key


def _base_url(vendor: Vendor, connection: Connection, extras: Mapping[str, Any]) -> str:
    host = (connection.host or "").strip()
    if not host:
        return vendor.region_urls.get(extras.get("region", ""), vendor.base_url)
    url = host if "://" in host else f"{connection.schema or 'https'}://{host}"
    try:
        parts = urlsplit(url)
        port = parts.port or connection.port
    except ValueError:
        parts, port = urlsplit(""), None
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
        raise ConnectionSettingsError(
            f"Host of connection {connection.conn_id!r} is not a base URL. "
            f"Leave it empty for {vendor.base_url}, or write one like it.",
            vendor=vendor.name,
        )
    if "@" in parts.netloc:
        raise ConnectionSettingsError(
            f"Host of connection {connection.conn_id!r} contains credentials; the API key belongs in the password.",
            vendor=vendor.name,
        )
    path = parts.path.rstrip("/")
    for pasted in vendor.pasted_paths:
        if path.endswith(pasted):
            path = path.removesuffix(pasted)
            break
    name = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{parts.scheme}://{name}" + (f":{port}" if port else "") + path
