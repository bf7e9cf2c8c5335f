"""What reports have in common: how they were made, and their tables."""

from __future__ import annotations

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
    found = ", ".join([f"Python {platform.python_version()}", *filter(None, map(_version, distributions))])
    return (
        f"Written by `{command}` on {datetime.now(UTC):%Y-%m-%d}: {cores},\n{found};\n"
        f"load over the last five minutes {os.getloadavg()[1]:.1f}."
    )


def _version(distribution: str) -> str:
    try:
        return f"{distribution} {version(distribution)}"
    except PackageNotFoundError:
        return ""
