"""Writes the results as Markdown."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from dev.bench import remarks
from dev.bench.goals import GOALS, Goal
from dev.bench.imports import Costs
from dev.bench.processes import versions
from dev.bench.tables import filled, table
from dev.bench.works import LIMIT, OURS, PROJECT, WORKS, Entry, Outcome, Results, Work

BUSY = 0.1
"""The share of its time that ours waited for its core, beyond which speeds say more about the neighbours."""

DISTRIBUTIONS = {
    PROJECT: (
        "airflow-batch-provider",
        "apache-airflow",
        "apache-airflow-providers-http",
        "isal",
        "msgspec",
        "pyarrow",
        "requests",
        "urllib3",
        "uvloop",
    ),
    "plain": ("orjson", "requests", "urllib3"),
    "llama-cloud": ("httpx", "llama_cloud", "pydantic"),
    "dlt": ("dlt", "orjson", "pyarrow", "requests"),
}


def name_of(entry: Entry) -> str:
    """Return what an entry is called in its work."""
    return entry.contestant.title + (", Parquet" if entry.file_format == "parquet" else "") + ", S3" * entry.to_s3


def ours_in(outcomes: Mapping[Entry, Outcome]) -> Outcome | None:
    """Return the outcome of our export, if it succeeded."""
    return next((each for entry, each in outcomes.items() if entry.contestant == OURS and not each.failure), None)


def results_of(outcomes: Mapping[Entry, Outcome]) -> str:
    """Return the table of a work."""
    ours = ours_in(outcomes)
    limit = next((each for entry, each in outcomes.items() if entry.contestant == LIMIT), None)
    rows = []
    for entry, each in outcomes.items():
        if each.failure:
            continue
        walls = [run.wall for run in each.runs]
        compared = ours if entry.contestant.is_peer else None
        rows.append(
            (
                f"**{name_of(entry)}**" if entry.contestant == OURS else name_of(entry),
                f"{each.jobs:,}",
                str(len(walls)),
                f"{each.wall:.2f}",
                f"{min(walls):.2f} to {max(walls):.2f}",
                f"{each.cpu:.2f}",
                f"{each.waited:.2f}",
                f"{each.speed:,.0f}",
                f"{each.cpu_per_job:.1f}",
                f"{each.memory:.0f}",
                f"{100 * each.speed / limit.speed:.1f} %" if limit and not limit.failure else "",
                f"{compared.speed / each.speed:.1f} : 1" if compared else "",
                f"{each.cpu_per_job / compared.cpu_per_job:.1f} : 1" if compared else "",
            )
        )
    head = "who | jobs | runs | wall s | over runs | CPU s | waited s | jobs/s | CPU µs/job | memory MB | of the limit"
    failures = [
        f"{name_of(entry)} failed: {each.failure.rstrip('.')}." for entry, each in outcomes.items() if each.failure
    ]
    return "\n\n".join([table(*filled(f"{head} | ours, speed | ours, CPU", rows)), *failures])


def judged(goal: Goal, works: Mapping[str, Work], results: Results) -> tuple[object, ...]:
    """Return a goal's row."""
    bound = f"{'≤' if goal.is_most else '≥'} {goal.bound:,}"
    outcomes = {entry: each for entry, each in results.get(goal.work, {}).items() if not each.failure}
    if goal.work in works and works[goal.work] != WORKS[goal.work]:
        asked = f"{WORKS[goal.work].jobs:,} jobs" + ", not compressed by the server" * works[goal.work].gzip
        return f"({goal.work}) {goal.what}", bound, "", f"not judged: it is for {asked}"
    try:
        figure = goal.figure(outcomes)
    except KeyError:
        return f"({goal.work}) {goal.what}", bound, "", "**not measured**"
    busy = any(each.waited > BUSY * each.wall for entry, each in outcomes.items() if entry.contestant == OURS)
    verdict = ("reached" if goal.is_reached(figure) else "**missed**") + (", on a busy machine" if busy else "")
    shown = f"{figure:,.0f}" if abs(figure) >= 1000 else f"{figure:.1f}"
    return f"({goal.work}) {goal.what}", bound, shown, verdict


def machine() -> str:
    """Return what the measurements ran on."""
    cpu = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    return f"{cpu}, {len(os.sched_getaffinity(0))} cores, Linux {platform.release().split('-')[0]}"


def section(key: str, work: Work, outcomes: Mapping[Entry, Outcome]) -> str:
    """Return what the report says of a work."""
    connections = f"{work.connections} connection{'s' if work.connections > 1 else ''}"
    gzip = ", pages compressed by the server for those who take it" * work.gzip
    said = [
        f"## ({key}) {work.title}",
        f"{work.listing}, {work.page_size} jobs per page, {connections}{gzip}.",
        results_of(outcomes),
        remarks.REMARKS[key](outcomes) if key in remarks.REMARKS else "",
    ]
    return "\n\n".join(filter(None, said))


def report(works: Mapping[str, Work], results: Results, costs: Costs | None = None) -> str:
    """Return the report.

    :param works: what was measured
    :param results: the outcomes, by the keys of the works
    :param costs: what imports take, if that was measured
    """
    installed = [
        f"- {environment}: " + ", ".join(f"{name} {version}" for name, version in versions(environment, names).items())
        for environment, names in DISTRIBUTIONS.items()
    ]
    sections = [section(key, works[key], outcomes) for key, outcomes in results.items()]
    if costs:
        sections.append(remarks.imports(costs))
    sections.append(remarks.waiting())
    goals = [judged(goal, works, results) for goal in GOALS] + [remarks.goal_of_imports(costs)]
    newline = "\n"
    return f"""# Exports beside what else one could use

Written by `make bench` on {datetime.now(UTC):%Y-%m-%d}: {machine()}, Python {platform.python_version()}; load over the
last five minutes {os.getloadavg()[1]:.1f}. Medians are shown. Ours and the limit take part twice in each round; peers
take part in one round only where the server's latency decides how long they take, and the slowest in two.

![Jobs per second](results.svg)

Each contestant runs in a process of its own on one core, against a server on the other one (plain HTTP on the loopback,
pages rendered before). It exports a small listing first; imports and that are not measured. Every export is read again
and must hold every id once. The limit is what bare sockets take for the same pages, thrown away; it includes the
server's own time. "The libraries alone" are those under ours (urllib3, msgspec, ISA-L, Arrow) in a loop that checks
nothing: no id is looked at, nothing is hashed, staged or resumed. They show what this machine gives; the goals for (a)
and (b) come from such a loop that reached 91,000 and 51,000 jobs/s on another day. CPU is that of the contestant's
process with its threads and children. "Waited" is how long it could have run, but something else had its core: if that
is much, the machine was not quiet, wall times are too long, and CPU times too (caches are shared). Memory is how far
its peak was above what it held before the export began. "Ours" in a peer's row says how many times as fast, and how
many times cheaper in CPU, our operator was.

Where a peer needs code around it to write a file, that is `json` and gzip at level 6. TLS, real networks and stores
that are far away are not part of this.

## Goals

{table("goal | to reach | measured | verdict", goals)}

{f"{newline}{newline}".join(sections)}

## Versions

{newline.join(installed)}
"""
