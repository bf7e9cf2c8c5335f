"""How the body of a page reads: rows stay the bytes that the vendor sent, only id and status are looked at."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Annotated, Any, Generic, NamedTuple, TypeVar

import msgspec

from airflow_batch_provider.apis.problem import Kind, Problem, not_json
from airflow_batch_provider.apis.surrogates import Hidden, hide_lone_surrogates

T = TypeVar("T")

LONGEST_TOKEN = 16_384
"""Characters of the token of a next page: it must fit into a request, and no server takes longer ones."""

Token = Annotated[str, msgspec.Meta(max_length=LONGEST_TOKEN)] | int | None
"""The token of the next page, as the vendors send it."""

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

    id: str | int
    status: str
    json: bytes


class _Key(msgspec.Struct):
    id: str | int
    status: Any = None


def read_rows(shapes: Sequence[type[PageBody[Any]]], body: bytes) -> tuple[PageBody[Any], list[Row]] | Problem:
    """Read a page.

    :param shapes: the generic shapes that the listing's page may have, the documented one first
    :param body: the whole body
    :return: the page and its rows, or what is wrong with it
    """
    try:
        if not body.isascii():
            body.decode()  # msgspec skips over text in raw rows without looking at its encoding
        return _read_rows(shapes, body)
    except msgspec.ValidationError as error:
        return Problem(Kind.WRONG_SHAPE, f"the body is not as documented: {error}")
    except RecursionError:
        return Problem(Kind.WRONG_SHAPE, "the body is nested too deeply to be read")
    except ValueError:
        return not_json(body)


def _read_rows(shapes: Sequence[type[PageBody[Any]]], body: bytes) -> tuple[PageBody[Any], list[Row]] | Problem:
    try:
        page = _decode(shapes, body)
        rows = [_row(bytes(raw)) for raw in page.rows]
    except msgspec.ValidationError:
        raise
    except msgspec.DecodeError:
        hidden = hide_lone_surrogates(body)
        if hidden is None:
            raise
        page = _decode(shapes, hidden.body)
        rows = [_restore(hidden, _row(bytes(raw))) for raw in page.rows]
        if hidden.marker in str(page.next_token):
            return Problem(Kind.WRONG_SHAPE, "the token of the next page is no text that can be sent back")
    for number, row in enumerate(rows):
        if not str(row.id).strip():
            return Problem(Kind.WRONG_SHAPE, f"row {number} of the page has a blank id")
    return page, rows


def _decode(shapes: Sequence[type[PageBody[Any]]], body: bytes) -> PageBody[Any]:
    documented, *others = shapes
    try:
        page: PageBody[Any] = msgspec.json.decode(body, type=documented[msgspec.Raw])  # type: ignore[index]
    except msgspec.ValidationError:
        for shape in others:
            with suppress(msgspec.ValidationError):
                return _decode([shape], body)
        raise
    return page


def _row(raw: bytes) -> Row:
    # Line breaks can only stand between tokens: inside a text they must be escaped, and msgspec insists on that.
    line = msgspec.json.format(raw, indent=-1) if b"\n" in raw or b"\r" in raw else raw
    key = msgspec.json.decode(line, type=_Key)
    return Row(key.id, key.status if isinstance(key.status, str) else NO_STATUS, line)


def _restore(hidden: Hidden, row: Row) -> Row:
    identifier = hidden.restore_text(row.id) if isinstance(row.id, str) else row.id
    return Row(identifier, hidden.restore_text(row.status), hidden.restore_json(row.json))
