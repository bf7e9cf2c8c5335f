"""Writes what an experiment counted as Markdown."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields
from datetime import UTC, datetime

from dev.chaos.experiment import Cell, Results, Sum
from dev.chaos.fixtures import ROWS, ROWS_BEFORE, ROWS_PER_PART
from dev.chaos.listings import RUNS, Case, Moving
from dev.chaos.results import ITEMS, ITEMS_BEFORE, SECONDS_BETWEEN_CHECKPOINTS, SECONDS_FOR_AN_ANSWER
from dev.chaos.steps import PHASES
from dev.chaos.submitting.experiment import FAITHFUL, KILLED, LATE, LONGEST_LAG, LOSSY, NOTHING, STOPPED, Submitted
from dev.chaos.trials import FAULTS
from dev.chaos.year import Year
from dev.markdown import table, versions

_DISTRIBUTIONS = ("apache-airflow", "fsspec", "s3fs", "adlfs", "pyarrow", "requests")
_STORES = {"local": "local disk", "s3": "S3 (SeaweedFS)", "azure": "Azure (Azurite)"}
_KINDS = {"leave": "leave", "join": "join", "jump": "jump to the front", "shuffle": "change their order"}

INTRODUCTION = f"""\
# How exports survive

This page is written by `make reliability` from what it counted; no number in it is typed.

**The promise.** Whenever the task is killed, what was published before stays whole and readable until the new export
is there; the next try resumes where the last one ended; no row is lost or there twice; nothing is left over in the
end.

**How it works.** Parts are written under `_staging/`, each under a name that no other try uses, and after each part a
checkpoint says where to read on. When the listing has ended, the parts get their final names, each with digits that
only this try has, so none is ever written over another, nor removed for another. Then one atomic put, which fails if
somebody else published meanwhile, makes `_MANIFEST.json` name them: from then on the new export counts. Last, what it
replaced is removed. The next try of the same task, run and parameters looks for the newest checkpoint whose files are
whole.

**How it is tried.** A real task process runs the real operator against a local HTTP server, to a real store: {ROWS}
rows in parts of {ROWS_PER_PART}, in place of an export of {ROWS_BEFORE} rows. A fault strikes at a random step:
before or after a request, an operation on the store, or a rename on the disk. Further tries finish the export, while
a reader reads it over and over, checking every digest. In the end the rows are compared with the vendor's.

* *SIGKILL, at any time*: from outside, after a random time; *while bytes are under way*: as a random piece of what is
  sent to the store passes.
* *task timeout*: Airflow's `AirflowTaskTimeout`; *SIGINT*: what Airflow's supervisor sends first to a task that it
  ends.
* *disk full*: that of the destination, or of the temporary files before an upload, which then gets room again.
* *stopped, overtaken, woken*: the process is stopped, the next try finishes, and then the first one continues.

**What is not covered.** The machine losing power: files are not forced to the disk, so the last seconds before may be
lost there. An unfinished multipart upload on S3, from 100 MB a part on. A failed task that is never run again: what
it staged stays for its next try, until another export to the same folder finds it a day old. Who reads by pattern
instead of by manifest sees both exports while one replaces the other. Whose reading lasts longer than the export
lives gets `ExportReplacedError`, and reads again.
"""


def render(results: Results, listings: Sequence[Moving], years: Sequence[Year]) -> str:
    """Return the page."""
    total = Sum()
    for cell in results.cells.values():
        for one in fields(Sum):
            setattr(total, one.name, getattr(total, one.name) + getattr(cell, one.name))
    sections = [
        INTRODUCTION,
        _summary(results, total),
        _cells(results),
        _items(results),
        submissions(results.submitted),
        _findings(results),
        _loops(results),
    ]
    sections.append(_moving(listings))
    sections.append(of_years(years))
    return "\n".join(sections)


def _summary(results: Results, total: Sum) -> str:
    return f"""\
## What came of it

{datetime.now(UTC):%Y-%m-%d}, commit {_commit()}, {versions(*_DISTRIBUTIONS)};
seed {results.seed}, {results.seconds / 60:.1f} minutes, {len(results.combinations)} combinations of listing and format.

* **{total.trials} trials**: {total.missing} rows missing, {total.twice} rows twice.
* A reader looked {total.looks} times: {total.without_export} times there was no whole export;
  {total.replaced} times it was told that the export was being replaced, and read again;
  {total.false_alarms} times every row was there but `verify_export` found damage.
* {total.left_over} files were left over after the last try, {total.left_for_good} of them still after the next run,
  which cleans up too.
* {total.survived} tries that were struck succeeded all the same. Of the others' next tries {total.resumed} went on
  where the one before had ended, and all next tries together saved {total.saved} of {total.usual} requests.
* {total.blocked} times the next try could not go on before the stopped one did.
* In {results.not_struck} further trials the try ended before the fault came.
"""


def _cells(results: Results) -> str:
    lines = _lines(results.cells, lambda one: (f"{one.saved} of {one.usual}", one.missing, one.twice))
    return f"## Faults\n\n{table(_head('requests saved | rows missing | rows twice'), lines, texts=3)}\n"


def _head(own: str) -> str:
    """Return the heads of a table of cells, with what it alone shows in the middle."""
    return (
        f"fault | phase | store | trials | succeeded all the same | next try resumed | {own} "
        "| left over | ... for good | looks | without an export"
    )


def _lines(cells: Mapping[Cell, Sum], own: Callable[[Sum], tuple[object, ...]]) -> Iterator[tuple[object, ...]]:
    """Yield the lines of a table of cells, in the order of faults, phases and stores."""
    order = {name: place for place, name in enumerate((*FAULTS, *PHASES, *_STORES))}
    for cell, one in sorted(cells.items(), key=lambda item: [order.get(name, -1) for name in vars(item[0]).values()]):
        where = cell.fault, cell.phase, _STORES[cell.store]
        ends = one.left_over, one.left_for_good, one.looks, one.without_export
        yield (*where, one.trials, one.survived, one.resumed, *own(one), *ends)


def _items(results: Results) -> str:
    head = _head("requests for items again, mean | most | items missing | items twice | files torn")
    lines = _lines(
        results.items,
        lambda one: (f"{one.again / one.trials:.1f}", one.most_again, one.missing, one.twice, one.torn),
    )
    sums = list(results.items.values())
    trials, again = sum(one.trials for one in sums), sum(one.again for one in sums)
    mean = f"{again / trials:.1f}" if trials else "no"
    answer = 1000 * SECONDS_FOR_AN_ANSWER
    most = max((one.most_again for one in sums), default=0)
    return f"""\
## Results of a batch

A results export sends requests for each item and stores files beside the rows. Here it exports {ITEMS} items, with two
requests and two files each, in place of an export of {ITEMS_BEFORE}. Each answer takes {answer:.0f} ms, and a
checkpoint is due every {SECONDS_BETWEEN_CHECKPOINTS} s instead of every 30 s, so that faults fall between them. In the
end every file is compared with the vendor's. {results.seconds_of_items / 60:.1f} minutes.

* **{trials} trials**: {sum(one.missing for one in sums)} items missing, {sum(one.twice for one in sums)} twice,
  {sum(one.torn for one in sums)} files torn, {sum(one.left_for_good for one in sums)} foreign files left for good.
* A reader looked {sum(one.looks for one in sums)} times: {sum(one.without_export for one in sums)} times there was no
  whole export; {sum(one.false_alarms for one in sums)} times every row was there but `verify_export` found damage.
* A fault cost {mean} requests for items that were sent again, {most} at most, of {2 * ITEMS}: what was under way, and
  what had come since the last checkpoint.

{table(head, lines, texts=3)}
"""


def submissions(found: Submitted) -> str:
    """Return what came of tasks that submit batches."""
    head = (
        "batch | the task is | the vendor | trials | tries | tries killed or stopped | answers lost or refused "
        "| batches cancelled before they ran | items twice | items missing | failed in the end"
    )
    order = {name: place for place, name in enumerate((NOTHING, KILLED, STOPPED, FAITHFUL, LATE, LOSSY))}
    cells = sorted(found.cells.items(), key=lambda item: (item[0].piece, order[item[0].task], order[item[0].vendor]))
    lines = (
        (
            f"`{cell.piece}`",
            cell.task if cell.task != NOTHING else "left alone",
            cell.vendor,
            *(getattr(one, each.name) for each in fields(one)),
        )
        for cell, one in cells
    )
    sums = list(found.cells.values())
    return f"""\
## Tasks that submit

A task submits a batch and waits for it, on a worker or deferred, with and without Airflow's task state store. It is
killed at a random point or at any time in its first tries, or in the triggerer, or stopped there until its successor
has submitted or has finished. The vendor loses answers of requests that took effect before, never or later, refuses
some, and shows in its listings what was made up to {LONGEST_LAG:.0f} s later; its clock is ahead by the pauses that the
package makes, so that none takes time. Tries follow after 0, 60 or 300 s until one is a success. A vendor of its own,
written from the vendors' documentation alone, counts what it was made to do; the task must return what the vendor's
sensor returns. {found.seconds / 60:.1f} minutes.

* **{sum(one.trials for one in sums)} trials**, {sum(one.tries for one in sums)} tries,
  {sum(one.struck for one in sums)} of them killed or stopped, {sum(one.lost for one in sums)} answers lost or refused:
  {sum(one.twice for one in sums)} items processed twice, {sum(one.missing for one in sums)} not at all.
* {sum(one.copies for one in sums)} times a second batch was made, and cancelled before it ran.

What no vendor lets anybody know is left out: what a listing shows later than all look-ups of a try and its successor,
and a try at LlamaCloud that is stopped between its last look-up and the request that creates, and continues when its
successor's batch is there: its copy is cancelled, and costs nothing only if it has not begun by then.

{table(head, lines, texts=3)}
"""


def _findings(results: Results) -> str:
    findings = results.findings + results.submitted.findings
    if not findings:
        return "## What should not have been\n\nNothing.\n"
    lines = ((what, count) for what, count in sorted(findings.items()))
    return f"## What should not have been\n\n{table('what | trials', lines, texts=1)}\n"


def _loops(results: Results) -> str:
    head = (
        "store | rounds | exports | failed | looks | replaced while it was read | part missing or damaged "
        "| false alarms | files left over"
    )
    lines = (
        (_STORES[one.store], *(getattr(one, each.name) for each in fields(one) if each.name != "store"))
        for one in results.loops
    )
    return f"""\
## Three writers at once

Three tasks export to one folder at the same time, over and over, in processes of their own; two of them the same rows,
so that what is replaced is published again. A reader looks all the while, and each round is searched for files that
belong to no export.

{table(head, lines)}
"""


def of_years(years: Sequence[Year]) -> str:
    """Return what simulated years of exporting only what is new came to."""
    head = (
        "days | batches | opened again or changed | removed | runs | killed | beside another | cleared "
        "| index lost or put back | states exported | exported twice | missed | rows of another state"
    )
    lines = (
        (
            *(one.days, one.batches, one.reopened, one.removed, one.runs, one.killed, one.overlapping, one.cleared),
            *(one.indexes_lost, one.exported, one.twice, one.missed, one.wrong),
        )
        for one in years
    )
    return f"""\
## Only what is new

Simulated years of a DAG that finds finished batches and exports them, with a real server as the vendor: batches start,
finish late, are opened again, change, and are removed. Runs are killed at a random operation on the store, which then
takes nothing more from them, run beside each other, and are cleared later. The index is removed, cut, or replaced by an
older one. Each finished state must be exported once; a run that nothing disturbs must find what is due and nothing
else; after the last run nothing may be due.

{table(head, lines, texts=0)}
"""


def _moving(listings: Sequence[Moving]) -> str:
    head = (
        "listing | its jobs | rows a page | plain pages: lost a job | ours: lost a job | ours: gave up and said so "
        "| requests: plain | requests: ours"
    )
    lines = (
        (
            f"`{one.case.name}`",
            ", ".join(_KINDS[kind] for kind in one.case.kinds),
            _lengths(one.case),
            f"{one.lost_by_plain} of {RUNS}",
            f"{one.lost_by_ours} of {RUNS}",
            one.refused_by_ours,
            f"{one.requests_of_plain:.1f}",
            f"{one.requests_of_ours:.1f}",
        )
        for one in listings
    )
    return f"""\
## Listings that move while they are read

Two of the listings are paged by offset or page number, so a job that leaves pulls those behind it over a page
boundary, past the reader. Simulated, {RUNS} runs a case, each read both ways: at usual pages 300 jobs with four moves
at random moments and places; at pages that cannot always overlap, because they are small or because the server changes
their length from page to page, 40 and 60 jobs that move at one request in a hundred, in ten, or in two. Lost is a job
that was there all the time and is not in what was read without an error.

{table(head, lines, texts=3)}
"""


def _lengths(case: Case) -> str:
    asked = " or ".join(map(str, case.pages))
    return f"{asked}, but {', '.join(map(str, case.lengths))} at most" if case.lengths else asked


def _commit() -> str:
    found = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    return found.stdout.strip() or "unknown"
