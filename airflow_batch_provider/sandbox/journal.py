"""What was written to the sandbox: a bounded store of records, and counters that tests read."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from types import MappingProxyType
from typing import Any, Generic, Literal, TypeVar

T = TypeVar("T")
VendorName = Literal["playment", "llamacloud", "talkifai"]
VENDORS: tuple[VendorName, ...] = ("playment", "llamacloud", "talkifai")
Event = Literal[
    "batches",
    "directories",
    "files",
    "configurations",
    "jobs",
    "starts",
    "reschedules",
    "cancels",
    "calls",
    "refused",
    "lost",
]
MOST_RECORDS = 10_000
MOST_ITEMS = 200_000
MOST_NAMES = 10_000
NOTHING: Mapping[str, int] = MappingProxyType({})


class Kept(Generic[T]):
    """The latest records of a kind, by number; above a limit, the oldest that has ended is forgotten.

    :param ended: whether a record has ended; if none has, the oldest one is forgotten.
    :param forgotten: called with each record that is forgotten.
    :param most: how many records are kept.
    :param most_items: how many items they may have in all.
    """

    def __init__(
        self,
        ended: Callable[[T], bool] = lambda record: True,
        forgotten: Callable[[T], None] = lambda record: None,
        most: int = MOST_RECORDS,
        most_items: int = MOST_ITEMS,
    ) -> None:
        self._ended, self._forgotten, self._most, self._most_items = ended, forgotten, most, most_items
        self._records: dict[int, T] = {}
        self._items: dict[int, int] = {}
        self._total = 0
        self.count = 0  # also of those that were forgotten

    def add(self, make: Callable[[int], T], items: int = 1) -> T:
        """Keep what ``make`` returns for the number of the new record."""
        number, self.count = self.count, self.count + 1
        record = self._records[number] = make(number)
        self._items[number] = 0
        self.grow(number, items)
        return record

    def grow(self, number: int, items: int = 1) -> None:
        """Add items to a record."""
        self._items[number] += items
        self._total += items
        while len(self._records) > max(self._most, 1) or (self._total > self._most_items and len(self._records) > 1):
            self._forget(number)

    def get(self, number: int | None) -> T | None:
        """Return a record, or None if it does not exist or was forgotten."""
        return None if number is None else self._records.get(number)

    def replace(self, number: int, record: T) -> T:
        """Keep another version of a record."""
        self._records[number] = record
        return record

    def oldest_first(self) -> list[T]:
        """Return the records in the order in which they were added."""
        return list(self._records.values())

    def newest_first(self) -> list[tuple[int, T]]:
        """Return the records and their numbers, the latest first."""
        return list(self._records.items())[::-1]

    def _forget(self, latest: int) -> None:
        others = [number for number in self._records if number != latest]
        number = next((number for number in others if self._ended(self._records[number])), others[0])
        self._total -= self._items.pop(number)
        self._forgotten(self._records.pop(number))


@dataclass(frozen=True)
class Counted:
    """How often something happened, in total and by name; only the latest names are kept."""

    total: int = 0
    by_name: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class VendorJournal:
    """What was written to one vendor's API.

    :param batches: batches that were created, by name; for LlamaCloud by the name of the directory.
    :param directories: directories that were created, by name.
    :param files: files that were uploaded or attached, by directory and unique id: ``invoices/1``.
    :param configurations: configurations that were created or updated, by name.
    :param jobs: Playment's jobs by reference id; LlamaCloud's, one for each file of a batch, as ``files``.
    :param starts: TalkifAI's jobs that were started by a request, by name.
    :param reschedules: TalkifAI's jobs that were rescheduled, by name.
    :param cancels: batches that were cancelled, by name.
    :param calls: calls that have begun, by the name of TalkifAI's job.
    :param refused: creates that were refused because of ``refuse_creates``, by endpoint.
    :param lost: requests that took effect but whose answer was lost, by endpoint.
    """

    batches: Counted = field(default_factory=Counted)
    directories: Counted = field(default_factory=Counted)
    files: Counted = field(default_factory=Counted)
    configurations: Counted = field(default_factory=Counted)
    jobs: Counted = field(default_factory=Counted)
    starts: Counted = field(default_factory=Counted)
    reschedules: Counted = field(default_factory=Counted)
    cancels: Counted = field(default_factory=Counted)
    calls: Counted = field(default_factory=Counted)
    refused: Counted = field(default_factory=Counted)
    lost: Counted = field(default_factory=Counted)


@dataclass(frozen=True)
class Journal:
    """What was written to the three APIs, as a snapshot."""

    playment: VendorJournal
    llamacloud: VendorJournal
    talkifai: VendorJournal

    def as_json(self) -> dict[str, Any]:
        """Return the same as JSON has it."""

        def counts(vendor: VendorJournal) -> dict[str, Any]:
            counted = ((event.name, getattr(vendor, event.name)) for event in fields(VendorJournal))
            return {name: {"total": count.total, "by_name": dict(count.by_name)} for name, count in counted}

        return {vendor: counts(getattr(self, vendor)) for vendor in VENDORS}


class Counter:
    """Counts one kind of event by name."""

    def __init__(self) -> None:
        self._total, self._names = 0, OrderedDict[str, int]()

    def add(self, name: str, times: int = 1) -> None:
        """Count an event."""
        self._total += times
        self._names[name] = self._names.pop(name, 0) + times
        if len(self._names) > MOST_NAMES:
            self._names.popitem(last=False)

    def view(self, more: Mapping[str, int] = NOTHING) -> Counted:
        """Return the counts until now, and what is counted elsewhere."""
        names = self._names.copy()  # at once: another thread may read while the server writes
        for name, times in more.items():
            names[name] = names.get(name, 0) + times
        return Counted(self._total + sum(more.values()), MappingProxyType(dict(names)))


class Recorder:
    """Counts what is written.

    ``calls`` returns the calls of the jobs that are kept, which begin with time.
    """

    def __init__(self) -> None:
        self._counters = {vendor: {event.name: Counter() for event in fields(VendorJournal)} for vendor in VENDORS}
        self.calls: Callable[[], Mapping[str, int]] = dict

    def note(self, vendor: VendorName, event: Event, name: str, times: int = 1) -> None:
        """Count an event."""
        if times:
            self._counters[vendor][event].add(name, times)

    def view(self) -> Journal:
        """Return the journal until now."""
        calls = self.calls()
        views = {
            vendor: VendorJournal(
                **{
                    event: counter.view(calls if (vendor, event) == ("talkifai", "calls") else NOTHING)
                    for event, counter in counters.items()
                }
            )
            for vendor, counters in self._counters.items()
        }
        return Journal(**views)
