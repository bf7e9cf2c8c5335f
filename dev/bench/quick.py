"""Measures few exports, and warns where ours has lost ground to its peers since ``dev/bench/quick.json``.

    python -m dev.bench.quick [--write]

Ratios within one run are compared, because absolute figures say more about the machine. Noise must not fail anybody's
build: only an export that failed or lost rows does.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path

from dev.bench.processes import ROOT, measure, servers
from dev.bench.works import HTTP_OPERATOR, LIMIT, OURS, QUICK_WORKS, Entry, Outcome, Results

COMMITTED = ROOT / "dev" / "bench" / "quick.json"
ROUNDS = 2
TOLERANCE = 0.7
"""A ratio is taken to have fallen below this share of the committed one; less is noise on a shared machine."""


def ratios(results: Results) -> dict[str, float]:
    """Return what is compared: more is better for ours."""
    found = {}
    for key, outcomes in results.items():
        sound = {entry.contestant: each for entry, each in outcomes.items() if not each.failure}
        if OURS not in sound:
            continue
        ours = sound[OURS]
        if LIMIT in sound:
            found[f"{key}: share of the limit"] = round(ours.speed / sound[LIMIT].speed, 3)
        if HTTP_OPERATOR in sound:
            found[f"{key}: speed, ours to HttpOperator"] = round(ours.speed / sound[HTTP_OPERATOR].speed, 2)
            found[f"{key}: CPU, HttpOperator to ours"] = round(sound[HTTP_OPERATOR].cpu / ours.cpu, 2)
    return found


def verdicts(now: Mapping[str, float], committed: Mapping[str, float]) -> list[str]:
    """Return a line for each ratio; those that fell begin with ``WARNING``."""
    lines = []
    for name, ratio in now.items():
        before = committed.get(name)
        fell = before is not None and ratio < TOLERANCE * before
        lines.append(f"{'WARNING: ' if fell else ''}{name} {ratio} (committed: {before})")
    return lines


def failures(outcomes: Mapping[Entry, Outcome]) -> list[str]:
    """Return why exports failed."""
    return [f"{entry.contestant.title}: {each.failure}" for entry, each in outcomes.items() if each.failure]


def main() -> int:
    """Measure and compare."""
    parser = argparse.ArgumentParser(description="Measure a few exports.")
    parser.add_argument("--write", action="store_true", help="make today's ratios the committed ones")
    write = parser.parse_args().write
    results = {}
    with servers() as to:
        for key, work in QUICK_WORKS.items():
            print(f"{work.title}, {work.jobs} jobs", flush=True)
            results[key] = measure(to, work, ROUNDS)
    now = ratios(results)
    if write:
        COMMITTED.write_text(json.dumps(now, indent=1) + "\n")
    print("\n".join(verdicts(now, read(COMMITTED))))
    failed = [line for outcomes in results.values() for line in failures(outcomes)]
    print("".join(f"FAILED {line}\n" for line in failed), end="")
    return int(bool(failed))


def read(path: Path) -> dict[str, float]:
    """Return the committed ratios; none where there is no file yet."""
    if not path.exists():
        return {}
    committed: dict[str, float] = json.loads(path.read_text())
    return committed


if __name__ == "__main__":
    sys.exit(main())
