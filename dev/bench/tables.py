"""Tables in Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def table(head: str, rows: Iterable[Iterable[object]]) -> str:
    """Return a table; columns after the first are numbers."""
    columns = head.split(" | ")
    line = ["---", *["---:"] * (len(columns) - 1)]
    return "\n".join(f"| {' | '.join(map(str, row))} |" for row in (columns, line, *rows))


def filled(head: str, rows: Sequence[Sequence[object]]) -> tuple[str, Sequence[Sequence[object]]]:
    """Return a table's head and rows without the columns that are empty in every row."""
    names = head.split(" | ")
    kept = [place for place in range(len(names)) if not rows or any(row[place] for row in rows)]
    return " | ".join(names[place] for place in kept), [[row[place] for place in kept] for row in rows]
