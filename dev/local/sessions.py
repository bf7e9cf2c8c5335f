"""The processes of a session: Airflow gives each task a process group of its own, but none a session."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path


def members(session: int) -> Iterator[int]:
    """Yield the processes of a session that have not ended, where the system tells."""
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            # After the name, which may hold anything: state, parent, group, session.
            state, _, _, number = (entry / "stat").read_text().rpartition(")")[2].split()[:4]
            if int(number) == session and state != "Z":
                yield int(entry.name)
