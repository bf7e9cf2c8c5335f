"""What is measured: cases, and who exports in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median
from typing import NamedTuple

from dev.bench import batch
from dev.bench.batch import Batch
from dev.bench.measured import Figures
from dev.bench.server import CURSOR, NUMBERED, Listing


class Peer(NamedTuple):
    """Who exports."""

    title: str
    module: str  # in ``peers``
    environment: str = ""  # in ``.venv-bench``; that of the project if empty
    rounds: int = 3  # in which it takes part at most
    twice: bool = False  # whether it exports twice in each round, because its runs are short and matter most


OURS = Peer("**ours**", "ours", twice=True)
LIMIT = Peer("limit: bare sockets", "bare_sockets", twice=True)
LIBRARIES = Peer("the libraries alone, nothing checked", "libraries", twice=True)
HTTP_OPERATOR = Peer("HttpOperator, paginated", "http_operator")
SCRIPT = Peer("script: requests, json, gzip", "plain_script", "plain")
SDK = Peer("llama-cloud SDK", "llama_cloud_sdk", "llama-cloud", rounds=2)
DLT = Peer("dlt rest_api", "dlt_rest_api", "dlt", rounds=2)


class Entry(NamedTuple):
    """A peer in a case."""

    peer: Peer
    file_format: str = "jsonl"
    factor: float = 1  # how many times the case's jobs it exports

    @property
    def title(self) -> str:
        """What it is called in the report."""
        return self.peer.title + (", Parquet" if self.file_format == "parquet" else "")


class Case(NamedTuple):
    """A listing to export."""

    title: str
    entries: Sequence[Entry]
    jobs: int
    latency: int = 0  # milliseconds that the server adds to each answer
    listing: Listing | Batch = CURSOR
    connections: int = 1

    def runs(self, peer: Peer, number: int) -> int:
        """Return how often a peer exports in a round; if latency decides and not chance, one round is enough."""
        if peer.twice:
            return 1 if self.listing.kind else 2  # results take long enough as it is
        return int(number < (1 if self.latency else peer.rounds))


def entries(*peers: Peer, file_format: str = "jsonl") -> list[Entry]:
    return [Entry(peer, file_format) for peer in peers]


GROWTH = [*(Entry(OURS, "jsonl", factor) for factor in (1, 10, 100)), *(Entry(OURS, "parquet", n) for n in (10, 40))]
PARQUET = [Entry(LIMIT), *entries(LIBRARIES, OURS, DLT, file_format="parquet")]
NUMBERS = entries(LIMIT, OURS, HTTP_OPERATOR, SCRIPT, DLT)
ONE_BY_ONE = Entry(SCRIPT, factor=0.1)  # it takes eight times as long
RESULTS = [*entries(LIMIT, OURS), ONE_BY_ONE, Entry(SDK)]
CASES: Mapping[str, Case] = {
    "cursor": Case("to JSON lines", entries(LIMIT, LIBRARIES, OURS, HTTP_OPERATOR, SCRIPT, SDK, DLT), 100_000),
    "parquet": Case("cursor, to Parquet", PARQUET, 100_000),
    "growth": Case("cursor, to JSON lines and to Parquet", GROWTH, 10_000),
    "cursor-50ms": Case("to JSON lines", entries(LIMIT, OURS, HTTP_OPERATOR, SCRIPT, SDK, DLT), 20_000, 50),
    "pages-50ms": Case("numbered pages, to JSON lines", NUMBERS, 20_000, 50, NUMBERED, 8),
    "results-50ms": Case("what a batch produced, to JSON lines", RESULTS, 5_000, 50, batch.MARKDOWN, 8),
    "results-1gb": Case("a file of 1 GB", [Entry(OURS)], 1, 0, batch.PDF, 8),
}
QUICK: Mapping[str, Case] = {
    "cursor": Case("to JSON lines", entries(LIMIT, LIBRARIES, OURS, HTTP_OPERATOR), 20_000),
    "pages": Case("numbered pages, to JSON lines", entries(LIMIT, OURS, HTTP_OPERATOR), 2_000, 20, NUMBERED, 8),
}


class Outcome(NamedTuple):
    """What became of an entry."""

    jobs: int
    runs: Sequence[Figures]
    failure: str = ""  # why a run failed, or what was wrong with its rows

    def median(self, figure: str) -> float:
        """Return the median of a figure."""
        return float(median(getattr(run, figure) for run in self.runs))

    @property
    def speed(self) -> float:
        """Jobs per second."""
        return self.jobs / self.median("wall")

    @property
    def cpu(self) -> float:
        """Microseconds of CPU per job."""
        return self.median("cpu") / self.jobs * 1e6

    @property
    def memory(self) -> float:
        """Megabytes above the base."""
        return self.median("memory") / 1e6


Outcomes = Mapping[Entry, Outcome]
