"""Writes what is computed and measured into ``docs/performance.md``.

python -m dev.bench.guide
"""

from __future__ import annotations

import re

from dev.bench.expected import expected
from dev.bench.processes import ROOT

GUIDE = ROOT / "docs" / "performance.md"
RESULTS = ROOT / "dev" / "bench" / "results.md"
NOT_MEASURED = "(Not measured yet: `make bench` writes the figures here.)"


def with_block(text: str, name: str, block: str) -> str:
    """Return a document with what stands between two markers replaced.

    :param text: the document
    :param name: of the markers, ``<!-- name: begin -->`` and ``<!-- name: end -->``
    :param block: what is to stand between
    """
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    before, marker, rest = text.partition(begin)
    _, other, after = rest.partition(end)
    if not (marker and other):
        raise ValueError(f"the document lacks the markers of {name}")
    return f"{before}{begin}\n\n{block}\n\n{end}{after}"


def measured(results: str) -> str:
    """Return the table of goals of a report, and when it was written."""
    found = re.search(r"^## Goals\n\n((?:\|.*\n)+)", results, re.MULTILINE)
    written = re.search(r"^Written by `make bench` on ([0-9-]+)", results, re.MULTILINE)
    if not (found and written):
        raise ValueError("the report lacks its goals or its date")
    return f"{found[1]}\nMeasured on {written[1]}."


def guide(text: str, results: str | None) -> str:
    """Return the guide with today's table and figures.

    :param text: the guide as it is
    :param results: the report, None where there is none yet
    """
    text = with_block(text, "expected", expected())
    return with_block(text, "measured", measured(results) if results else NOT_MEASURED)


def main() -> None:
    """Write the guide anew."""
    results = RESULTS.read_text() if RESULTS.exists() else None
    GUIDE.write_text(guide(GUIDE.read_text(), results))


if __name__ == "__main__":
    main()
