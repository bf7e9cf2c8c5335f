"""Logs what changed, and nothing if nothing did."""

from __future__ import annotations

from typing import Any, Protocol

from airflow_batch_provider.apis.batch_state import Outcome, ShownState


class Log(Protocol):
    """The logger of a task or trigger: the standard library's, or Airflow's."""

    def info(self, message: str, /, *args: Any) -> Any:
        """Log information."""

    def warning(self, message: str, /, *args: Any) -> Any:
        """Log a warning."""


def log_changes(log: Log, title: str, before: str | None, state: ShownState) -> None:
    """Log a state that differs from the one before; an undocumented status causes one warning.

    :param log: where to
    :param title: the vendor
    :param before: the mark of what was seen before, perhaps by another process; None at first
    :param state: what is seen now
    """
    mark = state.mark
    if before == mark:
        return
    if before is None or before.rpartition("|")[0] != mark.rpartition("|")[0]:  # the time alone is no news
        log.info("%s: %s", title, state)
    if state.outcome is Outcome.UNKNOWN and (before is None or not before.startswith(f"{state.status}|")):
        log.warning("%s: status %r is not documented; the wait continues", title, state.status)
