"""Measures exports and imports, and writes ``dev/bench/results.md`` if everything was measured.

    python -m dev.bench [--only cursor,imports] [--runs 1] [--jobs 5000] [--output file]
    python -m dev.bench --quick [--write]

The quick form compares ratios with ``quick.json`` and warns about those that fell, as absolute figures depend on the
machine. Only an export that failed or lost rows makes it fail.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path

from dev.bench.cases import CASES, HTTP_OPERATOR, LIBRARIES, LIMIT, OURS, QUICK, Entry, Outcomes
from dev.bench.report import ratio, report
from dev.bench.runs import imports, measure
from dev.bench.server import server

RESULTS, COMMITTED = (Path(__file__).with_name(name) for name in ("results.md", "quick.json"))
TOLERANCE = 0.7  # a ratio has fallen if it is below this share of the committed one; less is noise


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m dev.bench", description="Compare exports with their peers.")
    parser.add_argument("--only", help="cases to measure, and imports: a list with commas between")
    parser.add_argument("--runs", type=int, default=3, help="rounds of each case")
    parser.add_argument("--jobs", type=int, help="rows of each listing instead of those that the goals are for")
    parser.add_argument("--output", type=Path, help="where to write the report")
    parser.add_argument("--quick", action="store_true", help="compare a few ratios with the committed ones")
    parser.add_argument("--write", action="store_true", help="commit the ratios")
    options = parser.parse_args()
    only = options.only.split(",") if options.only else [*CASES, "imports"]
    cases = {key: case._replace(jobs=options.jobs or case.jobs) for key, case in CASES.items() if key in only}
    with server() as url:
        results = measure(url, QUICK, 1) if options.quick else measure(url, cases, options.runs)
    if options.quick:
        compare(results, options.write)
    else:
        text = report(cases, results, imports() if "imports" in only else None)
        print(text)
        if options.output or not (options.only or options.jobs):
            (options.output or RESULTS).write_text(text)
    failed = [entry for outcomes in results.values() for entry, each in outcomes.items() if each.failure]
    return int(any(options.quick or entry.peer == OURS for entry in failed))


def compare(results: Mapping[str, Outcomes], write: bool) -> None:
    """Print the ratios beside the committed ones, or commit them."""
    committed: dict[str, float] = json.loads(COMMITTED.read_text())
    now = {}
    for key, outcomes in results.items():
        sound = {entry: each for entry, each in outcomes.items() if not each.failure}
        for peer in (LIMIT, LIBRARIES, HTTP_OPERATOR):
            if {Entry(OURS), Entry(peer)} <= sound.keys():
                now[f"{key}: speed, ours to {peer.title}"] = round(ratio(peer)(sound), 3)
    for name, figure in now.items():
        fell = figure < TOLERANCE * committed.get(name, 0)
        print(f"{'WARNING: ' if fell else ''}{name} {figure} (committed: {committed.get(name)})")
    if write:
        COMMITTED.write_text(json.dumps(now, indent=1) + "\n")


if __name__ == "__main__":
    sys.exit(main())
