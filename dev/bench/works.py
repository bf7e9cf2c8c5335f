"""What is measured: works, and who does them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from dev.bench.task import Figures

PROJECT = "project"
"""The environment that the package is developed in."""


@dataclass(frozen=True)
class Contestant:
    """Who exports.

    :param title: for the report
    :param module: below ``contestants``
    :param environment: below ``.venv-bench``, or :data:`PROJECT`
    :param is_quick: whether it takes part twice in each round, because its runs are short and matter most
    :param is_peer: whether it is what users could pick instead of ours
    :param is_slow: whether two rounds are enough, because it is so far behind that chance does not matter
    """

    title: str
    module: str
    environment: str = PROJECT
    is_quick: bool = False
    is_peer: bool = True
    is_slow: bool = False


OURS = Contestant("ours", "ours", is_quick=True, is_peer=False)
OURS_IN_TURN = Contestant("ours, made to upload in turn", "ours_in_turn", is_quick=True, is_peer=False)
LIMIT = Contestant("limit: bare sockets", "socket_limit", is_quick=True, is_peer=False)
LIBRARIES = Contestant("the libraries alone, nothing checked", "libraries", is_quick=True, is_peer=False)
HTTP_OPERATOR = Contestant("HttpOperator, paginated", "http_operator")
SCRIPT = Contestant("script: requests, json, gzip", "script", "plain")
TUNED_SCRIPT = Contestant("script: requests, orjson, gzip level 1", "tuned_script", "plain")
SDK = Contestant("llama-cloud SDK", "sdk", "llama-cloud", is_slow=True)
DLT = Contestant("dlt rest_api", "dlt_pipeline", "dlt", is_slow=True)
DLT_ARROW = Contestant("dlt, Arrow tables", "dlt_arrow", "dlt")
DLT_PARALLEL = Contestant("dlt, parallel by hand", "dlt_parallel", "dlt", is_slow=True)


@dataclass(frozen=True)
class Entry:
    """A contestant in a work.

    :param contestant: who
    :param file_format: what it writes
    :param factor: how many times the work's jobs it exports
    :param to_s3: whether it exports to the S3 server, not to a local folder
    """

    contestant: Contestant
    file_format: str = "jsonl"
    factor: int = 1
    to_s3: bool = False


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
    :param rounds: how often everybody takes part, None for as often as was asked for; where there is latency, that
        decides and not chance, and once is enough for peers
    :param rows_per_part: rows in each file that ours writes
    :param gzip: whether the server compresses for those who take it
    """

    title: str
    entries: Sequence[Entry]
    jobs: int
    listing: str = "llamacloud.batches"
    latency: int = 0
    page_size: int = 100
    connections: int = 1
    rounds: int | None = None
    rows_per_part: int = 100_000
    gzip: bool = False

    def rounds_of(self, contestant: Contestant, asked: int) -> int:
        """Return in how many rounds somebody takes part.

        :param contestant: who
        :param asked: the rounds that were asked for
        """
        rounds = self.rounds or asked
        if self.latency and contestant.is_peer:
            return 1
        return min(rounds, 2) if contestant.is_slow else rounds


def entries(*contestants: Contestant, file_format: str = "jsonl") -> list[Entry]:
    return [Entry(contestant, file_format) for contestant in contestants]


WORKS: Mapping[str, Work] = {
    "a": Work(
        "Cursor, no latency, to JSON lines with gzip",
        entries(LIMIT, LIBRARIES, OURS, HTTP_OPERATOR, SCRIPT, TUNED_SCRIPT, SDK, DLT),
        100_000,
    ),
    "b": Work(
        "Cursor, no latency, to Parquet",
        [Entry(LIMIT), *entries(LIBRARIES, OURS, DLT, DLT_ARROW, file_format="parquet")],
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
    "g": Work(
        "Scale: cursor, no latency, to JSON lines with gzip",
        [Entry(OURS, factor=factor) for factor in (1, 10, 100)],
        10_000,
        rounds=2,
    ),
    "h": Work(
        "Upload: cursor, no latency, to JSON lines with gzip on S3 at 50 ms",
        [Entry(OURS), Entry(OURS, to_s3=True), Entry(OURS_IN_TURN, to_s3=True)],
        200_000,
        rows_per_part=20_000,
        rounds=2,
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
