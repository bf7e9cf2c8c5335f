"""The goals of the benchmark, and its report in Markdown."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from dev.bench.cases import (
    CASES,
    HTTP_OPERATOR,
    LIBRARIES,
    LIMIT,
    ONE_BY_ONE,
    OURS,
    SCRIPT,
    SDK,
    Case,
    Entry,
    Outcome,
    Outcomes,
    Peer,
)
from dev.markdown import provenance, table

INTRODUCTION = """\
Each export runs in its own process on one core, against a server on another core (plain HTTP on the loopback, with
pages rendered in advance). A small export runs first; it and the imports are not measured. Every export is read back,
and must contain each id once. JSON lines are compressed with gzip. Peers that need code to write a file use `json` and
gzip at level 6.

* *limit: bare sockets*: the time to receive the same pages and discard them, including the server's time.
* *the libraries alone*: those that ours uses (urllib3, msgspec, ISA-L, Arrow), in a loop that compares no ids, and
  hashes, stages and resumes nothing. It shows what this machine can do.
* *ours, speed* and *ours, CPU*: how many times as fast ours is as the peer in this row, and how many times as much CPU
  time the peer takes.

In the cases with results, the files are read back too and compared with their rows. The bare sockets send the same
requests as ours, but know all of them in advance, while ours has to read the batch and its directory first. The script
requests one job after the other, and only a tenth of them. The SDK's asynchronous client requests as many at the same
time as there are connections. Neither requests the names of the files.

CPU time is that of the process with its threads and children. Memory is the difference between its peak and its use
before the export. TLS, real networks and remote stores are not measured. The versions of other peers are in
`requirements-*.txt`. The tables show medians. Waits: [`waiting.md`](waiting.md)."""
LIBRARIES_UNDER_OURS = ("isal", "msgspec", "pyarrow", "requests", "urllib3")
HEAD = "who | jobs | runs | wall s | range | CPU s | jobs/s | CPU µs/job | MB | of the limit | ours, speed | ours, CPU"


def ratio(peer: Peer, file_format: str = "jsonl", factor: float = 1) -> Callable[[Outcomes], float]:
    """Return the computation of how many times as fast as a peer ours is."""
    ours, other = Entry(OURS, file_format), Entry(peer, file_format, factor)
    return lambda outcomes: outcomes[ours].speed / outcomes[other].speed


SMALL, LARGE, PARQUET = Entry(OURS), Entry(OURS, factor=100), Entry(OURS, "parquet")
GOALS: tuple[tuple[str, str, str, Callable[[Outcomes], float]], ...] = (
    ("cursor", "speed, of the libraries alone", "≥ 0.65", ratio(LIBRARIES)),
    ("cursor", "speed, times that of HttpOperator", "≥ 9", ratio(HTTP_OPERATOR)),
    ("cursor", "memory above the base, MB", "≤ 10", lambda of: of[SMALL].memory),
    ("parquet", "speed, of the libraries alone", "≥ 0.65", ratio(LIBRARIES, "parquet")),
    ("parquet", "memory above the base, MB", "≤ 120", lambda of: of[PARQUET].memory),
    ("growth", "MB for 990,000 jobs more", "≤ 48", lambda of: of[LARGE].memory - of[SMALL].memory),
    ("growth", "CPU per job, times that of 1 % of the jobs", "≤ 1.1", lambda of: of[LARGE].cpu / of[SMALL].cpu),
    ("cursor-50ms", "speed, of a bare socket", "≥ 0.97", ratio(LIMIT)),
    ("pages-50ms", "speed, of 8 bare sockets", "≥ 0.78", ratio(LIMIT)),
    ("results-50ms", "speed, of 8 bare sockets", "≥ 0.9", ratio(LIMIT)),
    ("results-50ms", "speed, times that of a script", "≥ 6", ratio(SCRIPT, factor=ONE_BY_ONE.factor)),
    ("results-50ms", "speed, times that of the SDK, 8 in parallel", "≥ 1", ratio(SDK)),
    ("results-50ms", "memory above the base, MB", "≤ 40", lambda of: of[SMALL].memory),
    ("results-1gb", "memory above the base, MB", "≤ 60", lambda of: of[SMALL].memory),
)


def judged(figure: float, bound: str) -> tuple[str, str, str]:
    sign, _, number = bound.partition(" ")
    reached = figure >= float(number) if sign == "≥" else figure <= float(number)
    return bound, f"{figure:.2f}", "reached" if reached else "**missed**"


def goals(results: Mapping[str, Outcomes]) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    for case, what, bound, figure in GOALS:
        sound = {entry: each for entry, each in results.get(case, {}).items() if not each.failure}
        try:
            rows.append((f"{case}: {what}", *judged(figure(sound), bound)))
        except KeyError:
            rows.append((f"{case}: {what}", bound, "", "**not measured**"))
    return rows


def section(key: str, case: Case, outcomes: Outcomes) -> str:
    ours, limit = (outcomes.get(entry) for entry in (Entry(OURS, case.entries[-1].file_format), Entry(LIMIT)))
    rows = [_row(entry, each, ours, limit) for entry, each in outcomes.items() if not each.failure]
    failures = [f"{entry.title} failed: {each.failure}." for entry, each in outcomes.items() if each.failure]
    connections = f"{case.connections} connection{'s' if case.connections > 1 else ''}"
    listing = f"{case.listing.name}, {case.listing.described}, {connections}, {case.latency} ms of latency."
    return "\n\n".join([f"## {key}: {case.title}", listing, table(HEAD, rows), *failures])


def _row(entry: Entry, each: Outcome, ours: Outcome | None, limit: Outcome | None) -> tuple[str, ...]:
    walls = [run.wall for run in each.runs]
    compared = None if entry.peer in (OURS, LIMIT) or not ours or ours.failure else ours
    return (
        entry.title,
        f"{each.jobs:,}",
        str(len(walls)),
        f"{each.median('wall'):.2f}",
        f"{min(walls):.2f} to {max(walls):.2f}",
        f"{each.median('cpu'):.2f}",
        f"{each.speed:,.0f}",
        f"{each.cpu:.1f}",
        f"{each.memory:.0f}",
        f"{100 * each.speed / limit.speed:.1f} %" if limit and not limit.failure else "",
        f"{compared.speed / each.speed:.1f} : 1" if compared else "",
        f"{each.cpu / compared.cpu:.1f} : 1" if compared else "",
    )


def report(cases: Mapping[str, Case], results: Mapping[str, Outcomes], imports: float | None) -> str:
    rows = goals({key: each for key, each in results.items() if cases[key] == CASES[key]})  # not of fewer jobs
    if imports:
        rows.append(("imports of all hooks, operators and sensors, ms", *judged(imports, "≤ 30")))
    sections = [section(key, cases[key], outcomes) for key, outcomes in results.items()]
    written = provenance("make bench", "apache-airflow", "apache-airflow-providers-http", *LIBRARIES_UNDER_OURS)
    title = "# Exports compared with alternatives"
    goal_table = table("goal | required | measured | verdict", rows)
    return "\n\n".join([title, written, INTRODUCTION, f"## Goals\n\n{goal_table}", *sections]) + "\n"
