"""Reads answers in which something cannot be read: a wait needs its own batch's id and status, not all of a page.

An export must not lose a row or a digit, so it fails there. A wait must not fail for what is in another batch's row, so
what no parser takes becomes null, and a row without an id gets one of ours: it still counts.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from msgspec.structs import replace

from airflow_batch_provider.apis.body import Body
from airflow_batch_provider.apis.endpoint import Listing, look_up
from airflow_batch_provider.apis.page import Page
from airflow_batch_provider.apis.problem import Problem, ProblemKind
from airflow_batch_provider.apis.request import Answer

T = TypeVar("T")

MOST_NESTING = 100
"""Levels of arrays and objects that are read; Python's parser takes about 1,000."""

LONGEST_INTEGER = 4_300
"""Digits of an integer that are read, as Python's own limit is."""

NO_ID = "(no id "
"""How the ids begin that rows without one get."""

_BRACKETS = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|[\[{]|[\]}]', re.DOTALL)


def load(text: str | bytes) -> Any:
    """Parse JSON; numbers that are too long or too large, and what is nested too deeply, become null.

    :raises ValueError: it is not JSON even then
    """
    text = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    try:
        return _DECODER.decode(text)
    except RecursionError:
        return _DECODER.decode(_cut_nesting(text))


def _integer(digits: str) -> int | None:
    return int(digits) if len(digits) <= LONGEST_INTEGER else None


def _number(digits: str) -> float | None:
    number = float(digits)
    return number if math.isfinite(number) else None


_DECODER = json.JSONDecoder(parse_int=_integer, parse_float=_number, parse_constant=lambda name: None)


def _cut_nesting(text: str) -> str:
    kept: list[str] = []
    depth = reached = 0
    for token in _BRACKETS.finditer(text):
        if token[0] in "[{":
            depth += 1
            if depth == MOST_NESTING + 1:
                kept += [text[reached : token.start()], "null"]
        elif token[0] in "]}":
            if depth == MOST_NESTING + 1:
                reached = token.end()
            depth -= 1
    return "".join(kept) + text[reached:]


def forgiving(
    read: Callable[[Answer], T | Problem], repair: Callable[[bytes], bytes | None]
) -> Callable[[Answer], T | Problem]:
    """Return a reader of answers that repairs what cannot be read, if that helps.

    :param read: reads an answer, or returns what is wrong with it
    :param repair: returns a body that it may take, or None
    """

    def read_repaired(answer: Answer) -> T | Problem:
        found = read(answer)
        if not isinstance(found, Problem) or found.kind not in {ProblemKind.NOT_JSON, ProblemKind.WRONG_SHAPE}:
            return found
        body = repair(answer.body)
        again = found if body is None else read(replace(answer, body=body))
        return found if isinstance(again, Problem) else again

    return read_repaired


def repair_object(body: bytes) -> bytes | None:
    """Return the body of one object with what can be read of it, None if nothing can."""
    try:
        return json.dumps(load(body)).encode()
    except (ValueError, RecursionError):
        return None


def repair_page(shapes: Sequence[Body], body: bytes) -> bytes | None:
    """Return the body of a page with each row as far as it can be read, None if there are none to be found.

    :param shapes: the shapes that the page may have
    """
    for shape in shapes:
        if shape.is_lines:
            rows = _identified(list(map(_load_line, filter(bytes.strip, body.splitlines()))), shape)
            return b"\n".join(json.dumps(row).encode() for row in rows)
        try:
            document = load(body)
        except (ValueError, RecursionError):
            return None
        rows = look_up(document, shape.rows)
        if isinstance(rows, list):
            rows[:] = _identified(rows, shape)
            return json.dumps(document).encode()
    return None


def _load_line(line: bytes) -> Any:
    try:
        return load(line)
    except (ValueError, RecursionError):
        return None


def _identified(rows: Sequence[Any], shape: Body) -> list[Any]:
    """Return rows that each have an id, be it one that they got here."""
    return [row if _has_id(row, shape) else _with_id(row, number, shape) for number, row in enumerate(rows)]


def _with_id(row: Any, number: int, shape: Body) -> dict[str, Any]:
    digest = hashlib.blake2b(json.dumps(row).encode(), digest_size=6).hexdigest()
    found: dict[str, Any] = dict(row) if isinstance(row, dict) else {}
    *parents, last = shape.id.split(".")
    place = found
    for key in parents:
        below = place.get(key)
        place[key] = place = dict(below) if isinstance(below, dict) else {}
    place[last] = f"{NO_ID}{number}-{digest})"
    return found


def _has_id(row: Any, shape: Body) -> bool:
    found = look_up(row, shape.id)
    return isinstance(found, (str, int)) and not isinstance(found, bool) and bool(str(found).strip())


class ForgivingListing(Listing, frozen=True, kw_only=True):
    """A listing whose pages are repaired if they cannot be read.

    :param strict: the listing as it is declared
    """

    strict: Listing

    @classmethod
    def of(cls, listing: Listing) -> ForgivingListing:
        """Return a listing that is read like this."""
        return cls(strict=listing, **{name: getattr(listing, name) for name in Listing.__struct_fields__})

    def page(self, answer: Answer) -> Page | Problem:
        """Read a page, or what can be read of it."""
        return forgiving(self.strict.page, lambda body: repair_page(self.bodies, body))(answer)
