"""What is measured: works, who does them, and the goals that ours is held to."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from benchmarks.exporting.task import Figures

PROJECT = "project"
"""The environment that the package is developed in."""


@dataclass(frozen=True)
class Contestant:
    """Who exports.

    :param title: for the report
    :param module: below ``contestants``
    :param environment: below ``.venv-bench``, or :data:`PROJECT`
    :param is_quick: whether it takes part twice in each round, because its runs are short and matter most
    """

    title: str
    module: str
    environment: str = PROJECT
    is_quick: bool = False


OURS = Contestant("ours", "ours", is_quick=True)
LIMIT = Contestant("limit: bare sockets", "socket_limit", is_quick=True)
HTTP_OPERATOR = Contestant("HttpOperator, paginated", "http_operator")
SCRIPT = Contestant("script: requests, json, gzip", "script", "plain")
TUNED_SCRIPT = Contestant("script: requests, orjson, gzip level 1", "tuned_script", "plain")
SDK = Contestant("llama-cloud SDK", "sdk", "llama-cloud")
DLT = Contestant("dlt rest_api", "dlt_pipeline", "dlt")
DLT_ARROW = Contestant("dlt, Arrow tables", "dlt_arrow", "dlt")
DLT_PARALLEL = Contestant("dlt, parallel by hand", "dlt_parallel", "dlt")


@dataclass(frozen=True)
class Entry:
    """A contestant in a work.

    :param contestant: who
    :param file_format: what it writes
    :param factor: how many times the work's jobs it exports
    """

    contestant: Contestant
    file_format: str = "jsonl"
    factor: int = 1


@dataclass(frozen=True)
class Work:
    """A listing to export.

    :param title: for the report
    :param entries: who exports it
    :param jobs: how many rows it has
    :param listing: a key of ``listings.LISTINGS``
    :param latency: milliseconds that the server adds to each answer
    :param page_size: rows asked for at once
    :param connections: how many may be open
    :param rounds: how often everybody takes part, None for as often as was asked for
    """

    title: str
    entries: Sequence[Entry]
    jobs: int
    listing: str = "llamacloud.batches"
    latency: int = 0
    page_size: int = 100
    connections: int = 1
    rounds: int | None = None


def entries(*contestants: Contestant, file_format: str = "jsonl") -> list[Entry]:
    return [Entry(contestant, file_format) for contestant in contestants]


WORKS: Mapping[str, Work] = {
    "a": Work(
        "Cursor, no latency, to JSON lines with gzip",
        entries(LIMIT, OURS, HTTP_OPERATOR, SCRIPT, TUNED_SCRIPT, SDK, DLT),
        100_000,
    ),
    "b": Work(
        "Cursor, no latency, to Parquet",
        [Entry(LIMIT), *entries(OURS, DLT, DLT_ARROW, file_format="parquet")],
        100_000,
    ),
    "c": Work(
        "Memory as listings grow",
        [
            Entry(OURS),
            Entry(OURS, factor=4),
            Entry(OURS, "parquet"),
            Entry(OURS, "parquet", factor=4),
            Entry(HTTP_OPERATOR),
        ],
        100_000,
        rounds=1,
    ),
    "d": Work(
        "Cursor, 50 ms latency, to JSON lines with gzip",
        entries(LIMIT, OURS, HTTP_OPERATOR, SCRIPT, SDK, DLT),
        20_000,
        latency=50,
    ),
    "e": Work(
        "Numbered pages, 50 ms latency, 8 connections, to JSON lines with gzip",
        entries(LIMIT, OURS, HTTP_OPERATOR, SCRIPT, DLT, DLT_PARALLEL),
        20_000,
        listing="talkifai.batch_jobs",
        latency=50,
        connections=8,
    ),
    "f": Work(
        "Offset, no latency, to JSON lines with gzip",
        entries(LIMIT, OURS, SCRIPT),
        100_000,
        listing="llamacloud.batch_processing_jobs",
        page_size=1000,
    ),
}

QUICK_WORKS: Mapping[str, Work] = {
    "cursor": Work("Cursor, no latency", entries(LIMIT, OURS, HTTP_OPERATOR), 10_000),
    "pages": Work(
        "Numbered pages, 20 ms latency, 8 connections",
        entries(LIMIT, OURS, HTTP_OPERATOR),
        2_000,
        listing="talkifai.batch_jobs",
        latency=20,
        connections=8,
        rounds=1,
    ),
}


@dataclass(frozen=True)
class Outcome:
    """What became of an entry.

    :param jobs: how many rows it was to export
    :param runs: the figures of each run
    :param failure: why a run failed, or what was wrong with its rows; None if all is well
    """

    jobs: int
    runs: Sequence[Figures]
    failure: str | None = None

    def median(self, figure: Callable[[Figures], float]) -> float:
        """Return the median of a figure."""
        return median(map(figure, self.runs))

    @property
    def wall(self) -> float:
        """Seconds."""
        return self.median(lambda run: run.wall)

    @property
    def cpu(self) -> float:
        """CPU seconds."""
        return self.median(lambda run: run.cpu)

    @property
    def waited(self) -> float:
        """Seconds in which it could have run, but something else had the core."""
        return self.median(lambda run: run.waited)

    @property
    def speed(self) -> float:
        """Jobs per second."""
        return self.jobs / self.wall

    @property
    def cpu_per_job(self) -> float:
        """CPU microseconds."""
        return self.cpu / self.jobs * 1e6

    @property
    def memory(self) -> float:
        """Megabytes above the base."""
        return self.median(lambda run: run.memory) / 1e6


Results = Mapping[str, Mapping[Entry, Outcome]]


@dataclass(frozen=True)
class Goal:
    """What ours is held to.

    :param work: the key of the work that shows it
    :param what: for the report, with the unit
    :param bound: the figure to reach
    :param is_most: whether the figure may be at most that, not at least
    :param figure: takes it from the work's outcomes; KeyError where one is missing
    """

    work: str
    what: str
    bound: float
    is_most: bool
    figure: Callable[[Mapping[Entry, Outcome]], float]

    def is_reached(self, figure: float) -> bool:
        """Say whether a figure reaches it."""
        return figure <= self.bound if self.is_most else figure >= self.bound


def _of(entry: Entry, name: str) -> Callable[[Mapping[Entry, Outcome]], float]:
    return lambda outcomes: float(getattr(outcomes[entry], name))


def _share(outcomes: Mapping[Entry, Outcome]) -> float:
    return 100 * outcomes[Entry(LIMIT)].wall / outcomes[Entry(OURS)].wall


def _growth(file_format: str) -> Callable[[Mapping[Entry, Outcome]], float]:
    few, many = Entry(OURS, file_format), Entry(OURS, file_format, 4)
    return lambda outcomes: outcomes[many].memory - outcomes[few].memory


GOALS = (
    Goal("a", "jobs/s", 85_000, False, _of(Entry(OURS), "speed")),
    Goal("a", "CPU µs per job", 11, True, _of(Entry(OURS), "cpu_per_job")),
    Goal("a", "memory above the base, MB", 10, True, _of(Entry(OURS), "memory")),
    Goal("b", "jobs/s", 50_000, False, _of(Entry(OURS, "parquet"), "speed")),
    Goal("b", "memory above the base, MB", 120, True, _of(Entry(OURS, "parquet"), "memory")),
    Goal("c", "growth for four times the jobs, JSON lines, MB", 30, True, _growth("jsonl")),
    Goal("c", "growth for four times the jobs, Parquet, MB", 30, True, _growth("parquet")),
    Goal("d", "% of the bare socket's speed", 97, False, _share),
    Goal("e", "% of eight bare sockets' speed", 80, False, _share),
)
