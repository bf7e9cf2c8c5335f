"""An account at a vendor: its objects, its clock, what its listings show, and what it counts."""

from __future__ import annotations

import json
import random
import re
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from time import time
from typing import Any, ClassVar
from urllib.parse import unquote

from dev.chaos.counting.faults import Fault

_MOST_SURPRISES = 100


@dataclass(frozen=True)
class Asked:
    """A request, as it came.

    :param method: its method
    :param path: its path, without the query
    :param query: its query, each parameter with all its values
    :param headers: its headers, their names in lower case
    :param body: its body
    """

    method: str
    path: str
    query: Mapping[str, Sequence[str]]
    headers: Mapping[str, str]
    body: bytes

    def one(self, name: str, default: str | None = None) -> str | None:
        """Return the last value of a query parameter."""
        return self.query.get(name, [default])[-1]


@dataclass(frozen=True)
class Answer:
    """An answer: a status and what becomes JSON; no body at all for None."""

    status: int
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(kw_only=True)
class Knobs:
    """How an account behaves.

    :param lag: after how many seconds a new object shows in listings; reading it by its id works immediately
    :param start_after: after how many seconds a batch begins to work
    :param run_seconds: how long it works
    :param page: the most rows of a page
    :param newest_first: the order of listings
    :param seconds_per_request: by how much each request advances the clock
    :param real_time: whether the clock goes on by itself; without, only requests and :meth:`Account.advance` move it
    :param seed: of what happens by chance
    :param faults: what goes wrong; the first rule that strikes counts
    """

    lag: float = 0.0
    start_after: float = 0.0
    run_seconds: float = 0.0
    page: int = 100
    newest_first: bool = True
    seconds_per_request: float = 0.0
    real_time: bool = True
    seed: int = 1
    faults: Sequence[Fault] = ()

    def __post_init__(self) -> None:
        self.faults = [one if isinstance(one, Fault) else Fault(**one) for one in self.faults]


Handler = Callable[..., Answer]


def route(method: str, path: str) -> Callable[[Handler], Handler]:
    """Mark a method as the answer to requests; ``{}`` in the path stands for an id, which it gets."""

    def mark(handler: Handler) -> Handler:
        handler.route = method, path  # type: ignore[attr-defined]
        return handler

    return mark


class Account(ABC):
    """A vendor with its state. All of it is used under one lock.

    :param key: the API key that leads here
    :param knobs: how it behaves
    """

    knobs_type: ClassVar[type[Knobs]] = Knobs
    routes: ClassVar[Sequence[tuple[str, str, re.Pattern[str], str]]] = ()
    key_header: ClassVar[tuple[str, str]] = "authorization", "Bearer "

    def __init_subclass__(cls) -> None:
        found = [
            (name, each.route) for name in dir(cls) if (each := getattr(cls, name, None)) and hasattr(each, "route")
        ]
        cls.routes = [
            (method, path, re.compile(re.escape(path).replace(r"\{\}", "([^/]+)")), name)
            for name, (method, path) in found
        ]

    def __init__(self, key: str, knobs: Knobs) -> None:
        self.key = key
        self.knobs = knobs
        self.drawn = random.Random(knobs.seed)
        self.requests: Counter[str] = Counter()
        self.log: list[dict[str, Any]] = []
        self.surprises: list[str] = []
        self._offset = 0.0
        self._fixed = time()
        self._due: list[tuple[float, Callable[[], object]]] = []
        self._ids: Counter[str] = Counter()

    @classmethod
    def key_of(cls, headers: Mapping[str, str]) -> str | None:
        """Return the API key of a request."""
        name, prefix = cls.key_header
        value = headers.get(name) or ""
        return value.removeprefix(prefix) if value.startswith(prefix) else None

    @classmethod
    def find(cls, method: str, path: str) -> tuple[str, str, Sequence[str]] | None:
        """Return route, handler and ids of a path, if it is one of this vendor's."""
        for known, text, pattern, name in cls.routes:
            if known == method and (found := pattern.fullmatch(path)):
                return text, name, [unquote(one) for one in found.groups()]
        return None

    def change(self, **changes: Any) -> None:
        """Turn knobs; new faults count from zero."""
        unknown = set(changes) - {one.name for one in fields(self.knobs)}
        assert not unknown, unknown
        for name, value in changes.items():
            setattr(self.knobs, name, value)
        self.knobs.__post_init__()

    # The clock ------------------------------------------------------------------------------------------------------

    def now(self) -> float:
        """Return the account's time, in seconds since 1970."""
        return (time() if self.knobs.real_time else self._fixed) + self._offset

    def advance(self, seconds: float) -> float:
        """Let time pass, and return what it is then."""
        self._offset += seconds
        self.settle_all()
        return self.now()

    def later(self, seconds: float, happens: Callable[[], object]) -> None:
        """Let something happen when the clock gets there."""
        self._due.append((self.now() + seconds, happens))

    def settle_all(self) -> None:
        """Bring everything to the present."""
        for one in sorted((one for one in self._due if one[0] <= self.now()), key=lambda one: one[0]):
            self._due.remove(one)
            one[1]()
        self.settle()

    # What listings show ---------------------------------------------------------------------------------------------

    def new_id(self, prefix: str) -> str:
        """Return an id that no other object has."""
        self._ids[prefix] += 1
        return f"{prefix}-{self._ids[prefix]:06d}"

    def listed(self, objects: Iterator[Any]) -> list[Any]:
        """Return what a listing shows of objects that have a time of creation in ``created``, in its order."""
        shown = [one for one in objects if one.created + self.knobs.lag <= self.now()]
        return sorted(shown, key=lambda one: (one.created, one.id), reverse=self.knobs.newest_first)

    # What is counted ------------------------------------------------------------------------------------------------

    def surprise(self, what: str) -> None:
        """Note something that the vendor's documents do not allow."""
        if len(self.surprises) < _MOST_SURPRISES:
            self.surprises.append(what)

    def check_names(
        self, asked: Asked, *known: str, where: str = "query", given: Mapping[str, Any] | None = None
    ) -> None:
        """Note names that the vendor's documents do not have.

        :param asked: the request
        :param known: those that they have
        :param where: query or body
        :param given: what has the names, if not the query
        """
        for name in (asked.query if given is None else given).keys() - set(known):
            self.surprise(f"{asked.method} {asked.path}: {where} has {name}")

    def counts(self) -> dict[str, Any]:
        """Return what was counted; each vendor adds its own."""
        self.settle_all()
        return {
            "requests": dict(self.requests),
            "surprises": self.surprises,
            "now": self.now(),
            "struck": [one.struck for one in self.knobs.faults],
            **self.counted(),
        }

    @abstractmethod
    def settle(self) -> None:
        """Let batches begin and end whose time has come."""

    @abstractmethod
    def counted(self) -> dict[str, Any]:
        """Return the batches that were created, cancelled before they ran, and ran, as ids, and what they did."""

    @abstractmethod
    def refuse(self, status: int, message: str) -> Answer:
        """Return an error in the vendor's form."""


def json_of(asked: Asked) -> Any:
    """Return the body of a request, or None if it is not a JSON object."""
    try:
        found = json.loads(asked.body)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def iso(seconds: float | None) -> str | None:
    """Return a time as vendors write it."""
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")


def seconds_of(text: str) -> float:
    """Return the time that a text with or without an offset names; UTC without.

    :raises ValueError: it names none
    """
    found = datetime.fromisoformat(text)
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
