"""How the body of a page reads: rows stay the bytes that the vendor sent, only id and status are looked at."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import cache
from typing import Annotated, Any, ClassVar, Generic, NamedTuple, TypeVar, overload

import msgspec

from airflow_batch_provider.apis.problem import Problem, ProblemKind, not_json
from airflow_batch_provider.apis.surrogates import Hidden, hide_lone_surrogates

T = TypeVar("T")

LONGEST_TOKEN = 16_384
"""Characters of the token of a next page: it must fit into a request, and no server takes longer ones."""

Token = Annotated[str, msgspec.Meta(max_length=LONGEST_TOKEN)] | int | None
"""The token of the next page, as the vendors send it."""

Line = bytes | msgspec.Raw
"""An object as one line of JSON: bytes, or where they lie in the body of a page."""

NO_STATUS = "(none)"
"""Counted for a row whose status is absent or not a text."""


def whole_number(value: object) -> int | None:
    """Return a count that a vendor reports, or None where it is none: counts are never worth failing a page."""
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


class RowKey(msgspec.Struct, gc=False):
    """What is looked at of a row; a vendor that calls it otherwise declares a subclass."""

    id: str | int
    status: Any = None


class PageBody(msgspec.Struct, Generic[T]):
    """The body of a page; each listing declares its own shape and says here where things lie in it.

    The type parameter is the type of a row: raw bytes, or any object. What is a field of the body itself is declared as
    one (``rows: list[T]``), under the vendor's name by ``msgspec.field(name=...)``; what lies deeper, as a property.
    """

    row_key: ClassVar[type[RowKey]] = RowKey
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


class Rows(msgspec.Struct, frozen=True):
    """The rows of a page, field by field: an object for each row would cost more than all else that is done with it.

    :param ids: the vendor's ids
    :param statuses: the vendor's status words
    :param lines: the objects, as lines of JSON; where they are no copies, they hold the body of the page
    """

    ids: Sequence[str | int] = ()
    statuses: Sequence[str] = ()
    lines: Sequence[Line] = ()

    @classmethod
    def of(cls, rows: Sequence[Row]) -> Rows:
        """Make them of rows one by one."""
        return cls([row.id for row in rows], [row.status for row in rows], [row.json for row in rows])

    def __len__(self) -> int:
        return len(self.ids)

    def __iter__(self) -> Iterator[Row]:
        return map(Row, self.ids, self.statuses, map(bytes, self.lines))

    @overload
    def __getitem__(self, place: int) -> Row: ...

    @overload
    def __getitem__(self, place: slice) -> Rows: ...

    def __getitem__(self, place: int | slice) -> Row | Rows:
        if isinstance(place, slice):
            return Rows(self.ids[place], self.statuses[place], self.lines[place])
        return Row(self.ids[place], self.statuses[place], bytes(self.lines[place]))

    def at(self, places: Sequence[int]) -> Rows:
        """Return the rows at some places."""
        if len(places) == len(self):
            return self
        ids, statuses, lines = self.ids, self.statuses, self.lines
        return Rows([ids[i] for i in places], [statuses[i] for i in places], [lines[i] for i in places])


def read_rows(shapes: Sequence[type[PageBody[Any]]], body: bytes) -> tuple[PageBody[Any], Rows] | Problem:
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
        return Problem(ProblemKind.WRONG_SHAPE, f"the body is not as documented: {error}")
    except RecursionError:
        return Problem(ProblemKind.WRONG_SHAPE, "the body is nested too deeply to be read")
    except (msgspec.DecodeError, ValueError):  # before msgspec 0.21 the one is not the other
        return not_json(body)


def _read_rows(shapes: Sequence[type[PageBody[Any]]], body: bytes) -> tuple[PageBody[Any], Rows] | Problem:
    try:
        page, rows = _decode(shapes, body)
    except msgspec.ValidationError:
        raise
    except msgspec.DecodeError:
        hidden = hide_lone_surrogates(body)
        if hidden is None:
            raise
        page, rows = _decode(shapes, hidden.body)
        rows = Rows.of([_restore(hidden, row) for row in rows])
        if hidden.marker in str(page.next_token):
            return Problem(ProblemKind.WRONG_SHAPE, "the token of the next page is no text that can be sent back")
    if not all(map(str.strip, map(str, rows.ids))):
        return Problem(ProblemKind.WRONG_SHAPE, "a row of the page has a blank id")
    return page, rows


@cache
def _decoders(shape: Any) -> tuple[msgspec.json.Decoder[PageBody[msgspec.Raw]], msgspec.json.Decoder[PageBody[RowKey]]]:
    return msgspec.json.Decoder(shape[msgspec.Raw]), msgspec.json.Decoder(shape[shape.row_key])


def _decode(shapes: Sequence[type[PageBody[Any]]], body: bytes) -> tuple[PageBody[Any], Rows]:
    """Decode a body twice: reading it whole is cheaper than beginning anew for each row."""
    documented, *others = shapes
    raws, keys = _decoders(documented)
    try:
        found = keys.decode(body).rows  # first: a page of what are no rows ends here, before it fills the memory
    except msgspec.ValidationError:
        for shape in others:
            with suppress(msgspec.ValidationError):
                return _decode([shape], body)
        raise
    page = raws.decode(body)
    lines: Sequence[Line] = page.rows
    if b"\n" in body or b"\r" in body:
        # They can only stand between tokens: inside a text they must be escaped, and msgspec insists on that.
        lines = [_in_one_line(bytes(raw)) for raw in page.rows]
    statuses = [key.status for key in found]
    if set(map(type, statuses)) != {str}:
        statuses = [status if isinstance(status, str) else NO_STATUS for status in statuses]
    return page, Rows([key.id for key in found], statuses, lines)


def _in_one_line(json: bytes) -> bytes:
    return msgspec.json.format(json, indent=-1) if b"\n" in json or b"\r" in json else json


def _restore(hidden: Hidden, row: Row) -> Row:
    identifier = hidden.restore_text(row.id) if isinstance(row.id, str) else row.id
    return Row(identifier, hidden.restore_text(row.status), hidden.restore_json(row.json))
