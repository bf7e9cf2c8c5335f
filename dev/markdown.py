"""What reports have in common: how they were made, and their tables."""

from __future__ import annotations

import contextlib
import os
import platform
from collections.abc import Iterable
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version


def table(head: str, rows: Iterable[Iterable[object]], texts: int = 1) -> str:
    """Return a table in Markdown.

    :param head: the titles of its columns, with `` | `` between
    :param rows: its cells
    :param texts: how many columns contain text; the others contain numbers
    """
    columns = [column.strip() for column in head.split("|")]
    line = [*["---"] * texts, *["---:"] * (len(columns) - texts)]
    return "\n".join(f"| {' | '.join(map(str, row))} |" for row in (columns, line, *rows))


def provenance(command: str, *distributions: str) -> str:
    """Return what a report was made by, when and on what.

    :param command: what made it
    :param distributions: whose versions it depends on
    """
    cores = f"{len(os.sched_getaffinity(0))} cores, Linux {platform.release().split('-')[0]}"
    return (
        f"Written by `{command}` on {datetime.now(UTC):%Y-%m-%d}: {cores},\n{versions(*distributions)};\n"
        f"load over the last five minutes {os.getloadavg()[1]:.1f}."
    )


def versions(*distributions: str) -> str:
    """Return the versions of Python and of the distributions that are installed."""
    found = [f"Python {platform.python_version()}"]
    for name in distributions:
        with contextlib.suppress(PackageNotFoundError):
            found.append(f"{name} {version(name)}")
    return ", ".join(found)
