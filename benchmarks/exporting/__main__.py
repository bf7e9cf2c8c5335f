"""Measures exports and writes ``benchmarks/results.md`` and ``results.svg``.

python -m benchmarks.exporting [--only a,b] [--runs 1] [--jobs 5000] [--output folder]
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path

from benchmarks.exporting import chart, report
from benchmarks.exporting.processes import ROOT, measure, server
from benchmarks.exporting.works import OURS, WORKS


def main() -> int:
    """Measure; fail only if one of our exports failed or lost rows."""
    parser = argparse.ArgumentParser(description="Measure exports beside their peers.")
    parser.add_argument("--only", default=",".join(WORKS), help="works to measure, by their letters")
    parser.add_argument("--runs", type=int, default=3, help="rounds for each work")
    parser.add_argument("--jobs", type=int, help="rows of each listing instead of those that the goals are for")
    parser.add_argument("--output", type=Path, default=ROOT / "benchmarks", help="folder of the report")
    options = parser.parse_args()
    works = {key: WORKS[key] for key in options.only.split(",")}
    if options.jobs:
        works = {key: replace(work, jobs=options.jobs) for key, work in works.items()}
    results = {}
    with server() as url:
        for key, work in works.items():
            print(f"({key}) {work.title}, {work.jobs} jobs", flush=True)
            results[key] = measure(url, work, options.runs)
    text = report.report(works, results, options.runs)
    Path(options.output, "results.md").write_text(text)
    Path(options.output, "results.svg").write_text(chart.chart(works, results))
    print(text)
    ours = [outcome for each in results.values() for entry, outcome in each.items() if entry.contestant == OURS]
    return int(any(outcome.failure for outcome in ours))


if __name__ == "__main__":
    sys.exit(main())
