"""How the body of a page reads: rows stay the bytes that the vendor sent, only id and status are looked at."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Generic, NamedTuple, NoReturn, TypeVar

import msgspec

from airflow_batch_provider.apis.problem import Kind, Problem, not_json

T = TypeVar("T")

NO_STATUS = "(none)"
"""Counted for a row whose status is absent or not a text."""


def whole_number(value: object) -> int | None:
    """Return a count that a vendor reports, or None where it is none: counts are never worth failing a page."""
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


class PageBody(msgspec.Struct, Generic[T]):
    """The body of a page; each listing declares its own shape and says here where things lie in it.

    The type parameter is the type of a row: raw bytes, or any object.
    """

    success: bool = True

    @property
    def rows(self) -> Sequence[T]:
        """The rows."""
        raise TypeError(f"{type(self).__name__} does not say where its rows are")

    @property
    def next_token(self) -> str | int | None:
        """The cursor of the next page."""
        return None

    @property
    def total(self) -> int | None:
        """How many rows the listing has."""
        return None

    @property
    def page_size(self) -> int | None:
        """The page size that the vendor used."""
        return None


class Row(NamedTuple):
    """One object of a listing.

    :param id: the vendor's id
    :param status: the vendor's status word, as it came
    :param json: the object as one line of JSON, to the value as the vendor sent it
    """

    id: str
    status: str
    json: bytes


class _Key(msgspec.Struct):
    id: str | int
    status: Any = None


def read_rows(shape: type[PageBody[Any]], body: bytes) -> tuple[PageBody[Any], list[Row]] | Problem:
    """Read a page.

    :param shape: the generic shape of the listing's page
    :param body: the whole body
    :return: the page and its rows, or what is wrong with it
    """
    try:
        if not body.isascii():
            body.decode()  # msgspec skips over text in raw rows without looking at its encoding
        page, lines, keys = _decode(shape, body)
    except msgspec.ValidationError as error:
        return Problem(Kind.WRONG_SHAPE, f"the body is not as documented: {error}")
    except RecursionError:
        return Problem(Kind.WRONG_SHAPE, "the body is nested too deeply to be read")
    except ValueError:
        return not_json(body)
    rows = []
    for number, (line, key) in enumerate(zip(lines, keys, strict=True)):
        identifier = str(key.id)
        if not identifier.strip():
            return Problem(Kind.WRONG_SHAPE, f"row {number} of the page has a blank id")
        rows.append(Row(identifier, key.status if isinstance(key.status, str) else NO_STATUS, line))
    return page, rows


def _decode(shape: type[PageBody[Any]], body: bytes) -> tuple[PageBody[Any], list[bytes], list[_Key]]:
    try:
        page = msgspec.json.decode(body, type=shape[msgspec.Raw])  # type: ignore[index]
        lines = [_one_line(bytes(raw)) for raw in page.rows]
        return page, lines, [msgspec.json.decode(line, type=_Key) for line in lines]
    except msgspec.ValidationError:
        raise
    except msgspec.DecodeError:
        # msgspec refuses a lone surrogate escape ("\ud800"), which JSON allows and Python's parser takes.
        document = json.loads(body, parse_constant=_refuse_constant)
        page = msgspec.convert(document, type=shape[Any])  # type: ignore[index]
        lines = [json.dumps(row, separators=(",", ":"), allow_nan=False).encode() for row in page.rows]
        return page, lines, [msgspec.convert(row, type=_Key) for row in page.rows]


def _one_line(row: bytes) -> bytes:
    # Line breaks can only stand between tokens: inside a text they must be escaped, and msgspec insists on that.
    return msgspec.json.format(row, indent=-1) if b"\n" in row or b"\r" in row else row


def _refuse_constant(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")
