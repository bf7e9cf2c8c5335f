"""How LlamaCloud writes page tokens and times, and pages that begin with what was submitted."""

from __future__ import annotations

import base64
import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from airflow_batch_provider.sandbox.world import utc

SUBMITTED = 1 << 62  # positions from here on are of what was submitted, by number
Row = Callable[[], dict[str, Any]]


def token_of(position: int) -> str:
    """Give the page token of a row; its "+", "/" and "=" find out clients that do not encode it."""
    return base64.b64encode(b"\xfb\xef\xff" + struct.pack(">Q", position)).decode()  # ++//AAAA...=


def position_of(token: str, count: int, submitted: int = 0) -> int | None:
    """Give the row index of a page token, or None if the token is not one of this listing.

    :param count: of the seeded rows.
    :param submitted: of the rows that were submitted, whose positions are ``SUBMITTED`` and their number.
    """
    try:
        position = int.from_bytes(base64.b64decode(token, validate=True)[3:], "big")
    except ValueError:
        return None
    known = position <= count or SUBMITTED <= position < SUBMITTED + submitted
    return position if known and token_of(position) == token else None


def timestamp(milliseconds: int | None) -> str | None:
    """Give a time as LlamaCloud writes it: UTC, three digits of fraction, ``Z``."""
    return None if milliseconds is None else utc(milliseconds) + "Z"


@dataclass(frozen=True)
class Start:
    """Where a page of a listing begins that has first what was submitted, newest first, then the seeded rows.

    A token is the position of a row, so what is submitted meanwhile shifts nothing.

    :param newest: the highest number of a submitted row on this page or later ones; -1: none.
    :param seeded: the first seeded row on this page or later ones.
    """

    newest: int
    seeded: int

    @classmethod
    def of(cls, token: str | None, count: int, submitted: int) -> Start | None:
        """Read a token; None if it is not one of this listing."""
        if not token:
            return cls(submitted - 1, 0)
        position = position_of(token, count, submitted)
        if position is None:
            return None
        return cls(position - SUBMITTED, 0) if position >= SUBMITTED else cls(-1, position)


def cut(size: int, rows: Iterable[tuple[int, Row]]) -> tuple[list[dict[str, Any]], str | None]:
    """Return a page and the token of the next one.

    :param rows: the position of each row from the start of the page on, and what makes it; one more than ``size``
        will do.
    """
    taken = list(rows)[: size + 1]
    return [row() for _, row in taken[:size]], token_of(taken[size][0]) if len(taken) > size else None
