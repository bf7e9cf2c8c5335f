"""The label of a mapped task in Airflow's UI, in place of its number."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from airflow.sdk import Context

LONGEST = 200
"""Airflow's database has room for 250 characters."""


def label_mapped_task(context: Context, ids: Iterable[object]) -> None:
    """Label a mapped task by ids, unless the DAG has a ``map_index_template``.

    Airflow renders the template in the context when the task ends, however it ends.

    :param context: the task's context
    :param ids: what distinguishes it; what is None or empty is left out
    """
    given = [str(value) for value in ids if value]
    values = cast("dict[str, Any]", context)
    if not given or getattr(values.get("ti"), "map_index", -1) < 0 or values.get("map_index_template"):
        return
    text = "".join(character if character.isprintable() else "?" for character in " / ".join(given))
    values["map_index_label"] = text if len(text) <= LONGEST else f"{text[:LONGEST]}..."
    values["map_index_template"] = "{{ map_index_label }}"
