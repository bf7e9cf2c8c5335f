"""The piece of work that a task submits: its key, and what Airflow remembers of it."""

from __future__ import annotations

import hashlib
import json
import logging
import secrets
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from airflow.sdk import Context

log = logging.getLogger(__name__)

SUBMITTED_KEY = "batch_provider_submitted"
"""Where Airflow's task state store has what was submitted."""

DIGITS = 16


class PieceOfWork(msgspec.Struct, frozen=True, kw_only=True):
    """What a task submits once, however often it is tried, cleared or killed.

    :param key: what it can be found by at the vendor; another try computes the same
    :param description: which task it is, for people
    :param is_retry: whether there was a try before this one
    :param is_last_try: whether Airflow will not try again by itself
    :param began: when the run began
    """

    key: str
    description: str
    is_retry: bool = False
    is_last_try: bool = False
    began: datetime | None = None

    def named(self, key: str) -> PieceOfWork:
        """Return the same piece of work under another key."""
        return msgspec.structs.replace(self, key=key)


def piece_of_work(context: Context, submit_key: str | None) -> PieceOfWork:
    """Return the piece of work of a task.

    :param context: the task's; without a task instance, as in a unit test, each call is another piece of work
    :param submit_key: what distinguishes pieces of work of one task, or names the work where there is no task
    """
    task_instance: Any = context.get("ti")
    if task_instance is None:
        name: list[Any] = [secrets.token_hex(DIGITS) if submit_key is None else submit_key]
        return PieceOfWork(key=_digits(name), description="Airflow")
    names = [str(getattr(task_instance, name)) for name in ("dag_id", "run_id", "task_id")]
    map_index = _number(task_instance, "map_index", -1)
    place = [*names, map_index]
    tries, most_tries = _number(task_instance, "try_number", 1), _number(task_instance, "max_tries", sys.maxsize)
    run: Any = context.get("dag_run")
    began = getattr(run, "start_date", None)
    return PieceOfWork(
        key=_digits([*place, submit_key] if submit_key is not None else place),
        description="Airflow: DAG {}, run {}, task {}".format(*names)
        + (f", map index {map_index}" if map_index >= 0 else ""),
        is_retry=tries > 1,
        is_last_try=tries > most_tries,
        began=began.astimezone(UTC) if isinstance(began, datetime) else None,
    )


def _number(task_instance: Any, name: str, default: int) -> int:
    value = getattr(task_instance, name, None)
    return value if isinstance(value, int) else default


def _digits(names: list[Any]) -> str:
    return hashlib.sha256(json.dumps(names).encode()).hexdigest()[:DIGITS]


class Memory:
    """What Airflow's task state store (3.3) remembers of a piece of work. It helps, and is never the only memory.

    :param context: the task's
    :param key: the key of the piece of work
    """

    def __init__(self, context: Context, key: str) -> None:
        self._store: Any = context.get("task_state_store")
        self._key = key
        stored: Any = self._store.get(SUBMITTED_KEY) if self._store is not None else None
        self._batches: dict[str, str | None] = {}
        if isinstance(stored, dict) and stored.get("work") == key and isinstance(stored.get("batches"), dict):
            self._batches = dict(stored["batches"])

    def batch_id(self, key: str) -> str | None:
        """Return the batch that was submitted under a key."""
        return self._batches.get(key)

    def was_sent(self, key: str) -> bool | None:
        """Return whether an earlier try may have sent what costs; None if nobody knows."""
        return None if self._store is None else key in self._batches

    def note_sending(self, key: str) -> None:
        """Note that what costs is sent now. A task that Airflow has given up fails here, and sends nothing more."""
        self._note(key, self.batch_id(key))

    def note_batch(self, key: str, batch_id: str) -> None:
        """Note the batch."""
        if self.batch_id(key) != batch_id:
            self._note(key, batch_id)

    def _note(self, key: str, batch_id: str | None) -> None:
        if self._store is not None:
            self._batches[key] = batch_id
            self._store.set(SUBMITTED_KEY, {"work": self._key, "batches": dict(self._batches)})
