"""What goes wrong with a request: its answer is lost after it took effect, it takes effect late, or it is refused."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Any


class When(StrEnum):
    """When a request takes effect, relative to its answer."""

    NEVER = "never"
    BEFORE = "before"
    LATER = "later"


class How(StrEnum):
    """What the client gets instead of the answer."""

    CLOSE = "close"
    """The connection is closed."""
    HANG = "hang"
    """Nothing, until the client closes the connection."""
    CUT = "cut"
    """The beginning of the answer."""
    STATUS = "status"
    """Another answer."""


@dataclass(kw_only=True)
class Fault:
    """A rule for some requests of an account.

    :param on: method and route, with wildcards: ``POST /api/v2/batches``, ``POST *``
    :param effect: when they take effect
    :param how: what the client gets
    :param status: of another answer
    :param body: of another answer
    :param headers: of another answer
    :param seconds: after how many seconds of the account's clock they take effect, if later
    :param nth: at which of these requests it strikes, from 1; at every one if there are none
    :param share: at how many of these, by chance
    :param most: how often it strikes at most
    """

    on: str
    effect: When = When.BEFORE
    how: How = How.CLOSE
    status: int = 502
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    nth: Sequence[int] = ()
    share: float = 1.0
    most: int | None = None
    seen: int = 0
    struck: int = 0

    def __post_init__(self) -> None:
        self.effect, self.how = When(self.effect), How(self.how)

    def strikes(self, request: str, drawn: random.Random) -> bool:
        """Count a request and return whether the fault strikes.

        :param request: its method and route
        :param drawn: makes the choice, if there is one
        """
        if not fnmatchcase(request, self.on):
            return False
        self.seen += 1
        is_enough = self.most is not None and self.struck >= self.most
        if is_enough or (self.nth and self.seen not in self.nth) or drawn.random() >= self.share:
            return False
        self.struck += 1
        return True
