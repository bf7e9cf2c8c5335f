"""What the report says beside the tables of works."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from itertools import pairwise

from dev.bench.distance import ROUND_TRIP
from dev.bench.goals import BESIDE, IN_TURN, LOCAL, hidden, memory_per_million
from dev.bench.imports import ALL, GOAL, PROCESSES, Costs, cpu_of, wall_of
from dev.bench.processes import ROOT
from dev.bench.tables import table
from dev.bench.works import Entry, Outcome

WAITING = ROOT / "dev" / "bench" / "waiting.md"


def scale(outcomes: Mapping[Entry, Outcome]) -> str:
    """Return what more jobs cost, and what a task costs before the first of them."""
    sizes = sorted((each for each in outcomes.values() if not each.failure), key=lambda each: each.jobs)
    if len(sizes) < 2:
        return ""
    rows = []
    for few, many in pairwise(sizes):
        per_job = (many.cpu - few.cpu) / (many.jobs - few.jobs)
        rows.append(
            (
                f"{few.jobs:,} to {many.jobs:,}",
                f"{1e6 * per_job:.1f}",
                f"{1000 * (few.cpu - few.jobs * per_job):.0f}",
                f"{memory_per_million(few, many):.0f}",
            )
        )
    head = "from, to | CPU µs for each job more | fixed CPU of a task, ms | MB for a million ids more"
    return (
        f"{table(head, rows)}\n\nThe fixed part is what is left of the smaller export's CPU when each of its jobs "
        "costs what those in between cost; it is part of the smaller export's CPU per job above. An export keeps 16 "
        "bytes of each id, and the page that it works on."
    )


def upload(outcomes: Mapping[Entry, Outcome]) -> str:
    """Return how much of what S3 adds takes no time."""
    found = [outcomes.get(entry) for entry in (LOCAL, BESIDE, IN_TURN)]
    local, beside, in_turn = (each if each and not each.failure else None for each in found)
    if not (local and beside and in_turn):
        return ""
    in_turn_adds, adds = in_turn.wall - local.wall, beside.wall - local.wall
    is_clear = 0 < in_turn_adds > adds
    share = f"{hidden(outcomes):.0f} % of it is hidden" if is_clear else "too little to say how much is hidden"
    return (
        f"SeaweedFS runs on the core of the server, behind a relay that adds {ROUND_TRIP} ms to each round trip. The "
        f"last row is the same export, made to wait for each upload before it reads on. S3 adds {in_turn_adds:.2f} s "
        f"so, and {adds:.2f} s where a part is uploaded while the next one is read: {share}. What cannot be hidden is "
        "the last part and publishing, which begin when all is read, and "
        f"{beside.cpu - local.cpu:.2f} s of CPU on one core."
    )


REMARKS: Mapping[str, Callable[[Mapping[Entry, Outcome]], str]] = {"g": scale, "h": upload}


def imports(costs: Costs) -> str:
    """Return the section on what imports take."""
    rows = [(name, f"{wall_of(each):.1f}", f"{cpu_of(each):.1f}") for name, each in costs.items()]
    return f"""## Imports

What a module adds to a process that has run `from airflow.sdk import DAG, BaseHook, BaseOperator, BaseSensorOperator`;
medians of {PROCESSES} processes, each module in a fork of its own.

{table("module | wall ms | CPU ms", rows)}"""


def goal_of_imports(costs: Costs | None) -> tuple[object, ...]:
    """Return the row of the goal for imports."""
    what, bound = "imports of all hooks, operators and sensors, ms", f"≤ {GOAL}"
    if not costs:
        return what, bound, "", "**not measured**"
    wall, cpu = wall_of(costs[ALL]), cpu_of(costs[ALL])
    busy = ", on a busy machine" if wall > 1.25 * cpu else ""
    return what, bound, f"{wall:.1f}", ("reached" if wall <= GOAL else "**missed**") + busy


def waiting() -> str:
    """Return the section that quotes the report on waiting."""
    text = WAITING.read_text()
    written = re.search(r"^Written by .*$", text, re.MULTILINE)
    tables = [
        block for block in text.split("\n\n") if block.startswith("| ") and block.partition("\n")[0].endswith("goal |")
    ]
    said = "\n\n".join(tables)
    return f"""## Waiting

Quoted from [`waiting.md`](waiting.md), which `make bench-waiting` writes. {written[0] if written else ""}

{said}"""
