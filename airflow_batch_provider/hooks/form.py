"""The connection form as Airflow 3.1 asks a hook for it; from 3.2 on it reads the provider's metadata instead."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_batch_provider.apis.extra import Extra
from airflow_batch_provider.connection_form import connection_type

if TYPE_CHECKING:
    from airflow_batch_provider.hooks.base import BatchApiHook


def form_fields(hook: type[BatchApiHook]) -> dict[str, Any]:
    """Return a field for every extra of the hook's connections."""
    return {name: _field(extra) for name, extra in hook.vendor.all_extras.items()}


def _field(extra: Extra) -> Any:
    # Airflow replaces this library with a stub if it is not installed.
    from wtforms import BooleanField, IntegerField, StringField
    from wtforms.validators import any_of

    kind = {"boolean": BooleanField, "integer": IntegerField}.get(extra.type, StringField)
    return kind(
        extra.label,
        validators=[any_of(list(extra.choices))] if extra.choices else None,
        description=extra.help,
        default=extra.default if extra.type == "boolean" else None,
    )


def form_labels(hook: type[BatchApiHook]) -> dict[str, Any]:
    """Return how the fields that all connections have are hidden, named and explained."""
    behaviour = connection_type(hook.vendor)["ui-field-behaviour"]
    return {name.replace("-", "_"): value for name, value in behaviour.items()}
