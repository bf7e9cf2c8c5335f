"""Measures exports and imports.

Writes ``dev/bench/results.md`` and ``results.svg``, and what it found into ``docs/performance.md``.

python -m dev.bench [--only a,imports] [--runs 1] [--jobs 5000] [--gzip] [--output folder]
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from dev.bench import chart, guide, imports, report
from dev.bench.processes import ROOT, measure, render, servers
from dev.bench.works import OURS, WORKS, Results, Work

IMPORTS = "imports"
BENCHMARKS = ROOT / "dev" / "bench"


def main() -> int:
    """Measure; fail only if one of our exports failed or lost rows."""
    parser = argparse.ArgumentParser(description="Measure exports beside their peers.")
    parser.add_argument("--only", default=",".join([*WORKS, IMPORTS]), help="works to measure, by their letters")
    parser.add_argument("--runs", type=int, default=3, help="rounds for each work that does not say it itself")
    parser.add_argument("--jobs", type=int, help="rows of each listing instead of those that the goals are for")
    parser.add_argument("--gzip", action="store_true", help="let the server compress")
    parser.add_argument("--output", type=Path, default=BENCHMARKS, help="folder of the report")
    options = parser.parse_args()
    only = options.only.split(",")
    works = {
        key: replace(work, jobs=options.jobs or work.jobs, gzip=options.gzip)
        for key, work in WORKS.items()
        if key in only
    }
    results = _export(works, options.runs)
    costs = imports.measure() if IMPORTS in only else None
    text = report.report(works, results, costs)
    Path(options.output, "results.md").write_text(text)
    Path(options.output, "results.svg").write_text(chart.chart(works, results))
    if options.output == BENCHMARKS:
        guide.main()
    print(text)
    ours = [outcome for each in results.values() for entry, outcome in each.items() if entry.contestant == OURS]
    return int(any(outcome.failure for outcome in ours))


def _export(works: Mapping[str, Work], rounds: int) -> Results:
    results = {}
    with servers(with_s3=any(entry.to_s3 for work in works.values() for entry in work.entries)) as to:
        for listing, jobs in _largest(works).items():
            render(to.url, listing, jobs)
        for key, work in works.items():
            print(f"({key}) {work.title}, {work.jobs} jobs", flush=True)
            results[key] = measure(to, work, rounds)
    return results


def _largest(works: Mapping[str, Work]) -> Mapping[str, int]:
    """Return the most jobs that each listing is to have."""
    largest: dict[str, int] = {}
    for work in works.values():
        jobs = work.jobs * max(entry.factor for entry in work.entries)
        largest[work.listing] = max(jobs, largest.get(work.listing, 0))
    return largest


if __name__ == "__main__":
    sys.exit(main())
