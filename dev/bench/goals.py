"""The goals that ours is held to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from dev.bench.works import LIMIT, OURS, OURS_IN_TURN, Entry, Outcome

LOCAL, BESIDE, IN_TURN = Entry(OURS), Entry(OURS, to_s3=True), Entry(OURS_IN_TURN, to_s3=True)


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


def _of_scale(figure: Callable[[Outcome, Outcome], float]) -> Callable[[Mapping[Entry, Outcome]], float]:
    return lambda outcomes: figure(outcomes[Entry(OURS)], outcomes[Entry(OURS, factor=100)])


def growth_of_cost(few: Outcome, many: Outcome) -> float:
    """Return by how many per cent a job costs more CPU where there are many."""
    return 100 * (many.cpu_per_job / few.cpu_per_job - 1)


def memory_per_million(few: Outcome, many: Outcome) -> float:
    """Return the megabytes that a million jobs more take."""
    return (many.memory - few.memory) / (many.jobs - few.jobs) * 1e6


def hidden(outcomes: Mapping[Entry, Outcome]) -> float:
    """Return the share of what S3 adds in turn, in per cent, that takes no time where parts are uploaded beside."""
    local, beside, in_turn = outcomes[LOCAL].wall, outcomes[BESIDE].wall, outcomes[IN_TURN].wall
    return 100 * (in_turn - beside) / (in_turn - local)


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
    Goal("g", "growth of CPU per job for a hundred times the jobs, %", 10, True, _of_scale(growth_of_cost)),
    Goal("g", "memory per million ids kept, MB", 48, True, _of_scale(memory_per_million)),
)
