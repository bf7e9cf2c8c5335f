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
_KINDS = {"leave": "disappear", "join": "appear", "jump": "jump to the front", "shuffle": "change their order"}

INTRODUCTION = f"""\
# Reliability

`make reliability` writes this page, and counts every number in it. It kills processes at random and checks what is
left. What is promised: [Exports](exports.md#what-you-can-rely-on), [Submitting](submitting.md).

**How it works.** An export writes its parts below `_staging/`, under names that no other try uses. After each part, a
checkpoint stores where to continue. When the listing has ended, the parts get their final names, with digits that
only this try has, so no part overwrites another, and none is removed for another. Then one atomic write replaces
`_MANIFEST.json`, on condition that no other task has published in the meantime. From then on the new export counts.
Finally the replaced files are removed. The next try of the same task, run and parameters continues from the newest
checkpoint whose files are complete.

**How it is tested.** A real task process runs the operator against a local HTTP server and a real store: {ROWS} rows
in parts of {ROWS_PER_PART}, replacing an export of {ROWS_BEFORE} rows. A fault occurs at a random step: before or
after a request, an operation on the store, or a rename on the disk. Further tries finish the export, while a reader
reads it again and again and checks every digest. Finally the rows are compared with the vendor's.

* *SIGKILL, at any time*: from outside, after a random time. *While bytes are in transit*: when a random piece of an
  upload has been sent.
* *task timeout*: Airflow's `AirflowTaskTimeout`. *SIGINT*: the first signal of Airflow's supervisor to a task that it
  ends.
* *disk full*: the destination's disk, or the one with the temporary files before an upload; later it has room again.
* *paused, overtaken, resumed*: the process is stopped, the next try finishes, and then the first one continues.

**What is not covered.**

* A machine that loses power: files are not flushed to the disk, so the last seconds may be lost.
* An unfinished multipart upload on S3, for parts of 100 MB or more.
* A failed task that never runs again: its staged files stay until another export to the same folder finds them a day
  old.
* Readers that glob: they see both exports while one replaces the other.
* Readers that take longer than the export exists: they get `ExportReplacedError`, and have to read again.
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
## Outcome

{datetime.now(UTC):%Y-%m-%d}, commit {_commit()}, {versions(*_DISTRIBUTIONS)};
seed {results.seed}, {results.seconds / 60:.1f} minutes, {len(results.combinations)} combinations of listing and format.

* **{total.trials} trials**: {total.missing} rows missing, {total.twice} rows twice.
* A reader read the export {total.looks} times: {total.without_export} times there was no complete export;
  {total.replaced} times it was being replaced, and was read again;
  {total.false_alarms} times every row was there but `verify_export` found damage.
* {total.left_over} files were left over after the last try, {total.left_for_good} of them also after the next run,
  which cleans up too.
* {total.survived} faulted tries succeeded anyway. After the others, {total.resumed} next tries resumed where the try
  before had ended. All next tries together saved {total.saved} of {total.usual} requests.
* {total.blocked} times the next try had to wait for the paused one.
* In {results.not_struck} further trials the try ended before the fault occurred.
"""


def _cells(results: Results) -> str:
    lines = _lines(results.cells, lambda one: (f"{one.saved} of {one.usual}", one.missing, one.twice))
    return f"## Faults\n\n{table(_head('requests saved | rows missing | rows twice'), lines, texts=3)}\n"


def _head(own: str) -> str:
    """Return the heads of a table of cells, with what it alone shows in the middle."""
    return (
        f"fault | phase | store | trials | succeeded anyway | next try resumed | {own} "
        "| files left over | ... for good | reads | without an export"
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
requests and two files each, and replaces an export of {ITEMS_BEFORE}. Each answer takes {answer:.0f} ms. A checkpoint
is written every {SECONDS_BETWEEN_CHECKPOINTS} s instead of every 30 s, so that faults occur between them. Finally every
file is compared with the vendor's. {results.seconds_of_items / 60:.1f} minutes.

* **{trials} trials**: {sum(one.missing for one in sums)} items missing, {sum(one.twice for one in sums)} twice,
  {sum(one.torn for one in sums)} files torn, {sum(one.left_for_good for one in sums)} foreign files left for good.
* A reader read the export {sum(one.looks for one in sums)} times: {sum(one.without_export for one in sums)} times there
  was no complete export;
  {sum(one.false_alarms for one in sums)} times every row was there but `verify_export` found damage.
* After a fault, {mean} requests for items were sent again, {most} at most, of {2 * ITEMS}: those in transit, and those
  since the last checkpoint.

{table(head, lines, texts=3)}
"""


def submissions(found: Submitted) -> str:
    """Return the section on tasks that submit batches."""
    head = (
        "batch | the task is | the vendor | trials | tries | tries killed or paused | answers lost or refused "
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

A task submits a batch and waits for it, on a worker or deferred, with and without Airflow's task state store. Its
first tries are killed at a random point or at any time, on the worker or in the triggerer, or paused there until the
next try has submitted or finished. The vendor loses answers to requests that took effect, did not, or do so later. It
refuses some requests, and lists new batches up to {LONGEST_LAG:.0f} s late. Its clock skips the package's pauses, so
that they take no time. Tries follow after 0, 60 or 300 s until one succeeds. The vendor is a separate server, written
only from the vendors' documentation, that counts what it was asked to do. The task must return what the vendor's
sensor returns. {found.seconds / 60:.1f} minutes.

* **{sum(one.trials for one in sums)} trials**, {sum(one.tries for one in sums)} tries,
  {sum(one.struck for one in sums)} of them killed or paused, {sum(one.lost for one in sums)} answers lost or refused:
  {sum(one.twice for one in sums)} items processed twice, {sum(one.missing for one in sums)} not at all.
* {sum(one.copies for one in sums)} times a second batch was created, and cancelled before it ran.

Two cases are left out, because no vendor's API can resolve them:

* a listing that shows a new batch only after all look-ups of a try and of the next one;
* a try at LlamaCloud that is paused between its last look-up and the request that creates, and continues when the
  next try has created its batch. Its copy is cancelled, but may cost something if it has begun by then.

{table(head, lines, texts=3)}
"""


def _findings(results: Results) -> str:
    findings = results.findings + results.submitted.findings
    if not findings:
        return "## Unexpected outcomes\n\nNone.\n"
    lines = ((what, count) for what, count in sorted(findings.items()))
    return f"## Unexpected outcomes\n\n{table('what | trials', lines, texts=1)}\n"


def _loops(results: Results) -> str:
    head = (
        "store | rounds | exports | failed | reads | replaced while it was read | part missing or damaged "
        "| false alarms | files left over"
    )
    lines = (
        (_STORES[one.store], *(getattr(one, each.name) for each in fields(one) if each.name != "store"))
        for one in results.loops
    )
    return f"""\
## Three concurrent writers

Three processes export to one folder at the same time, again and again. Two of them export the same rows, so that
replaced files are published again. A reader reads all the time, and after each round the folder is searched for
orphaned files.

{table(head, lines)}
"""


def of_years(years: Sequence[Year]) -> str:
    """Return the section on simulated years of exporting only what is new."""
    head = (
        "days | batches | reopened or changed | removed | runs | killed | overlapping | cleared "
        "| index removed or replaced | states exported | exported twice | missed | rows of another state"
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

Simulated years of a DAG that [finds and exports finished batches](only-new.md), with a real server as the vendor.
Batches start, finish late, are reopened, change, and are removed. Runs are killed at a random operation on the store,
overlap, and are cleared later. The index is removed, cut, or replaced by an older one. Each finished state must be
exported once, an undisturbed run must find exactly the batches that are due, and none may be due after the last run.

{table(head, lines, texts=0)}
"""


def _moving(listings: Sequence[Moving]) -> str:
    head = (
        "listing | its jobs | rows per page | plain paging: lost a job | ours: lost a job | ours: failed with an error "
        "| requests: plain paging | requests: ours"
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
## Listings that change while they are read

Two of the listings are paged by offset or page number, so a job that disappears moves later jobs over a page
boundary, past the reader ([why](performance.md#why-listings-paged-by-offset-or-number-take-more-requests)). These are
simulations, {RUNS} runs per case, each read with plain paging and with ours. With usual pages, 300 jobs change four
times at random moments and places. With pages that cannot always overlap, because they are small or the server
changes their length, 40 and 60 jobs change at one request in a hundred, in ten, or in two. A job is lost if it was
there all the time, and is missing from rows that were read without an error.

{table(head, lines, texts=3)}
"""


def _lengths(case: Case) -> str:
    asked = " or ".join(map(str, case.pages))
    return f"{asked}, but {', '.join(map(str, case.lengths))} at most" if case.lengths else asked


def _commit() -> str:
    found = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    return found.stdout.strip() or "unknown"
