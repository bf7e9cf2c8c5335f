"""The form of a vendor's connections, as a provider's metadata describes it to Airflow."""

from __future__ import annotations

from typing import Any

from airflow_batch_provider.apis.extra import Extra
from airflow_batch_provider.apis.vendor import Vendor


def connection_type(vendor: Vendor) -> dict[str, Any]:
    """Return the entry of a vendor under ``connection-types`` in a provider's metadata.

    :param vendor: the vendor, with ``hook`` and ``key_hint``
    """
    return {
        "connection-type": vendor.name,
        "hook-class-name": vendor.hook,
        "hook-name": vendor.title,
        "ui-field-behaviour": {
            "hidden-fields": ["login", "extra"],
            "relabeling": {"password": "API key", "host": "Base URL", "schema": "Scheme"},
            "placeholders": {
                "password": vendor.key_hint,
                "host": f"{vendor.base_url} (if empty)",
                "schema": "https (if the base URL names none)",
                # To test a connection, Airflow 3.3's UI sends 0 for an empty port, and its API refuses the test because
                # that is not the port that was saved. A saved 0 is the same as none for everything else.
                "port": "0 (Airflow 3.3 cannot test a connection without it)",
            },
        },
        "conn-fields": {name: _field(extra) for name, extra in vendor.all_extras.items()},
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
        schema["default"] = extra.default
    return {"label": extra.label, "description": extra.help, "schema": schema}
