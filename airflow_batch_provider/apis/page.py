"""A page of a listing and its rows, as values: rows stay the bytes that the vendor sent."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple, overload

import msgspec

Line = bytes | msgspec.Raw
"""An object as one line of JSON: bytes, or a slice of the page's body."""


class Row(NamedTuple):
    """One object of a listing.

    :param id: the vendor's id
    :param status: the vendor's status word, as it came
    :param json: the object as one line of JSON, exactly as the vendor sent it
    """

    id: str | int
    status: str
    json: bytes


class Rows(msgspec.Struct, frozen=True):
    """The rows of a page, field by field: an object per row would cost more than all other work on it.

    :param ids: the vendor's ids
    :param statuses: the vendor's status words
    :param lines: the objects as lines of JSON; if they are not copies, they keep the body of the page in memory
    :param outcomes: what became of the items, if the rows are results; else empty
    :param files: the paths of the files of each, likewise
    """

    ids: Sequence[str | int] = ()
    statuses: Sequence[str] = ()
    lines: Sequence[Line] = ()
    outcomes: Sequence[str] = ()
    files: Sequence[tuple[str, ...]] = ()

    @classmethod
    def of(cls, rows: Sequence[Row]) -> Rows:
        """Collect single rows."""
        return cls([row.id for row in rows], [row.status for row in rows], [row.json for row in rows])

    def __len__(self) -> int:
        return len(self.ids)

    def __iter__(self) -> Iterator[Row]:
        return map(Row, self.ids, self.statuses, map(bytes, self.lines))

    @overload
    def __getitem__(self, index: int) -> Row: ...

    @overload
    def __getitem__(self, index: slice) -> Rows: ...

    def __getitem__(self, index: int | slice) -> Row | Rows:
        if isinstance(index, slice):
            return Rows(
                self.ids[index], self.statuses[index], self.lines[index], self.outcomes[index], self.files[index]
            )
        return Row(self.ids[index], self.statuses[index], bytes(self.lines[index]))

    def at(self, indexes: Sequence[int]) -> Rows:
        """Return the rows at these indexes."""
        if len(indexes) == len(self):
            return self
        ids, statuses, lines = self.ids, self.statuses, self.lines
        return Rows([ids[i] for i in indexes], [statuses[i] for i in indexes], [lines[i] for i in indexes])


class Page(msgspec.Struct, frozen=True):
    """A page of a listing.

    :param rows: its rows, in the vendor's order
    :param next_token: the cursor of the next page
    :param next_link: the URL of the next page
    :param more: whether the vendor says that there are more rows; None if it does not say
    :param success: false if the body itself says that the request failed
    :param total: the number of rows that the vendor reports for the whole listing
    :param page_size: the page size that the vendor used
    """

    rows: Rows
    next_token: str | int | None = None
    total: int | None = None
    page_size: int | None = None
    next_link: str | None = None
    more: bool | None = None
    success: bool = True
