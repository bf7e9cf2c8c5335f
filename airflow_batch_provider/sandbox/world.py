"""The seeded data behind the three APIs: ids, times, and how far each batch has got.

Nothing is stored. A row is computed from its index when it is asked for, and everything that a listing can be
filtered by repeats every ``PERIOD`` rows (creation time, which only falls, excepted). So a page costs the
same in a listing of a hundred rows and of a million, filtered or not.
"""

from __future__ import annotations

import time
from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from hashlib import blake2s
from typing import Literal

from airflow_batch_provider.sandbox.settings import Settings

Stage = Literal["waiting", "running", "completed", "failed", "cancelled"]

PERIOD = 60
ROWS_OF_ITEMS = 1 << 20  # more than the settings allow
MILLISECONDS_BETWEEN_ROWS = 600_000
MINUTES = tuple(f"{minute // 60:02d}:{minute % 60:02d}" for minute in range(24 * 60))
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Life:
    """When a batch begins and ends, as shares of the duration; None: before the sandbox started."""

    begins: float | None
    ends: float | None
    outcome: Stage


LIVES = (
    *(Life(None, None, "completed"),) * 8,
    Life(None, None, "failed"),
    Life(None, None, "cancelled"),
    Life(None, 0.3, "completed"),
    Life(None, 0.6, "completed"),
    Life(None, 0.5, "failed"),
    Life(0.05, 0.5, "completed"),
    Life(0.1, 0.7, "completed"),
    Life(0.1, 0.4, "cancelled"),
    Life(0.2, 0.9, "completed"),
    Life(0.3, 1.0, "completed"),
    Life(0.4, 1.0, "completed"),
    Life(0.5, 1.0, "completed"),
)


@dataclass(frozen=True)
class Progress:
    """Where a batch stands; times are Unix milliseconds, ``done`` is the share of its items that are done."""

    stage: Stage
    done: float
    started: int | None
    ended: int | None
    updated: int

    def count(self, total: int) -> int:
        """Give how many of ``total`` items are done (exact also beyond 2**53)."""
        return total if self.done >= 1 else int(total * self.done)


@dataclass(frozen=True)
class Matches:
    """The rows of ``span`` that a filter keeps, found by arithmetic from those of its first period."""

    span: range
    offsets: tuple[int, ...]

    @classmethod
    def of(cls, span: range, keep: Callable[[int], bool]) -> Matches:
        """Filter; ``keep`` must give the same for ``index`` and ``index + PERIOD``."""
        return cls(span, tuple(offset for offset in range(PERIOD) if keep(span.start + offset)))

    def __len__(self) -> int:
        return self.total(lambda index: 1)

    def rows(self, start: int, count: int) -> list[int]:
        """Give the indexes of up to ``count`` matching rows after the first ``start``."""
        cycle = len(self.offsets)
        return [
            self.span.start + place // cycle * PERIOD + self.offsets[place % cycle]
            for place in range(start, min(start + count, len(self)))
        ]

    def total(self, value: Callable[[int], int]) -> int:
        """Add up a value of the matching rows; it must repeat every PERIOD rows."""
        full, rest = divmod(len(self.span), PERIOD)
        return sum(value(self.span.start + offset) * (full + (offset < rest)) for offset in self.offsets)


class World:
    """Ids, times and progress of every row: pure functions of seed, index and time since the start.

    :param settings: what to serve.
    :param clock: gives Unix seconds; tests pass one that they move by hand.
    """

    def __init__(self, settings: Settings, clock: Callable[[], float] = time.time) -> None:
        self.settings = settings
        self._clock = clock
        self.started = int(clock() * 1000)

    def now(self) -> float:
        """Return the time in Unix seconds."""
        return self._clock()

    def is_early(self, ended: int | None) -> bool:
        """Return whether late results of what ended then, in Unix milliseconds, do not exist yet; None: it runs."""
        return ended is None or self._clock() < ended / 1000 + self.settings.late

    def elapsed(self) -> float:
        """Give the seconds since the sandbox started."""
        return self._clock() - self.started / 1000

    def moment(self, share: float) -> int:
        """Give when a share of the duration is over, in Unix milliseconds."""
        return self.started + int(share * self.settings.duration * 1000)

    def digest(self, text: str) -> str:
        """Give 16 hexadecimal digits that depend on the seed and the text alone."""
        return blake2s(f"{self.settings.seed}/{text}".encode(), digest_size=8).hexdigest()

    def uuid(self, kind: str, index: int = 0) -> str:
        """Give a row's id in the form of a UUID; its last group is the index, so it can be looked up."""
        digits = self.digest(f"{kind}/{index}")
        return f"{digits[:8]}-{digits[8:12]}-4{digits[12:15]}-8{digits[15]}00-{index:012x}"

    def find(self, kind: str, uuid: str, count: int) -> int | None:
        """Give the index of the row with an id among the first ``count``, or None."""
        try:
            index = number_of(uuid)
        except ValueError:
            return None
        return index if 0 <= index < count and self.uuid(kind, index) == uuid else None

    def item_uuid(self, kind: str, index: int, item: int) -> str:
        """Return the id of an item of a row; both numbers can be read from it, the item's may be of any size."""
        return self.uuid(kind, item * ROWS_OF_ITEMS + index)

    def find_item(self, kind: str, uuid: str) -> tuple[int, int] | None:
        """Return row and item of an id, or None; whether there are that many is the caller's to check."""
        try:
            number = number_of(uuid)
        except ValueError:
            return None
        item, index = divmod(number, ROWS_OF_ITEMS)
        return (index, item) if number >= 0 and self.uuid(kind, number) == uuid else None

    def created(self, index: int) -> int:
        """Give when a row was created, in Unix milliseconds; listings are newest first."""
        return self.started - (index + 1) * MILLISECONDS_BETWEEN_ROWS + index * 137 % 1000

    def created_between(self, count: int, after: float, before: float) -> range:
        """Give which of the first ``count`` rows were created in a span of time, both ends included."""
        newest = bisect_left(range(count), -before, key=lambda index: -self.created(index))
        oldest = bisect_left(range(count), True, key=lambda index: self.created(index) < after)
        return range(newest, max(newest, oldest))

    def life(self, index: int) -> Life:
        """Give the course of a row; neighbours differ, and all courses occur in each 20 rows."""
        return LIVES[(index * 7 + self.settings.seed) % len(LIVES)]

    def stage(self, index: int, elapsed: float) -> Stage:
        """Give where a row stands so many seconds after the start; repeats every PERIOD rows."""
        life, duration = self.life(index), self.settings.duration
        if life.ends is None or elapsed >= life.ends * duration:
            return life.outcome
        return "running" if life.begins is None or elapsed >= life.begins * duration else "waiting"

    def progress(self, index: int, elapsed: float) -> Progress:
        """Give how far a row has got so many seconds after the start."""
        life, stage, created = self.life(index), self.stage(index, elapsed), self.created(index)
        if stage == "waiting":
            return Progress(stage, 0.0, None, None, created)
        limit = 1.0 if life.outcome == "completed" else 0.6
        begun = created + 30_000 if life.begins is None else self.moment(life.begins)
        if stage == "running" and life.ends is not None:
            # What ran already when the sandbox started counts as having begun half a duration before.
            begins = -0.5 if life.begins is None else life.begins
            done = limit * (elapsed / self.settings.duration - begins) / (life.ends - begins)
            return Progress(stage, done, begun, None, self.started + int(elapsed * 1000))
        ended = begun + 120_000 if life.ends is None else self.moment(life.ends)
        return Progress(stage, limit, begun, ended, ended)


def number_of(uuid: str) -> int:
    """Return the number in the last group of an id.

    :raises ValueError: if there is none.
    """
    return int(uuid.rpartition("-")[2], 16)


def item_of(uuid: str) -> tuple[int, int]:
    """Return row and item of an item's id: what it contains follows from them, see ``documents``."""
    item, index = divmod(number_of(uuid), ROWS_OF_ITEMS)
    return index, item


@lru_cache(maxsize=1024)
def _day(number: int) -> str:
    return (EPOCH + timedelta(days=number)).date().isoformat()


def utc(milliseconds: int) -> str:
    """Give a time in UTC as ``2023-11-14T22:13:20.250``, several times as fast as datetime.isoformat."""
    days, rest = divmod(milliseconds, 86_400_000)
    minute, rest = divmod(rest, 60_000)
    return f"{_day(days)}T{MINUTES[minute]}:{rest // 1000:02d}.{rest % 1000:03d}"
