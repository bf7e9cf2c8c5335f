"""The kinds of paging that the vendors use: which request follows a page.

Each kind is a pure function of the request, the page that answered it and the number of rows read so far, so a
listing can be read one page at a time, ahead, or from any page on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from airflow_batch_provider.apis.request import Request


class PageFacts(Protocol):
    """What a page says beside its rows."""

    @property
    def next_token(self) -> str | int | None:
        """The cursor of the next page, as the vendor sent it."""
        ...

    @property
    def total(self) -> int | None:
        """How many rows the listing has, where the vendor says it."""
        ...

    @property
    def page_size(self) -> int | None:
        """The page size that the vendor used, where it says it."""
        ...


class Paging(Protocol):
    """A way from page to page."""

    def following(self, request: Request, page: PageFacts, rows: int, rows_read: int) -> Request | None:
        """Return the request of the next page, or None after the last one.

        :param request: the request that the page answered
        :param page: what the page said beside its rows
        :param rows: how many rows the page held
        :param rows_read: how many different rows were read so far, this page included
        """
        ...

    def rows_before(self, request: Request) -> int:
        """Return how many rows of the listing lie before the one that ``request`` asks for first."""
        ...


@dataclass(frozen=True)
class WholePaging:
    """No paging: one answer holds all rows."""

    def following(self, request: Request, page: PageFacts, rows: int, rows_read: int) -> Request | None:
        """See :class:`Paging`."""
        return None

    def rows_before(self, request: Request) -> int:
        """See :class:`Paging`."""
        return 0


@dataclass(frozen=True)
class CursorPaging:
    """The page names the token of the next one.

    No vendor says for sure what the last page looks like, so a token that is absent, null, empty or blank ends the
    listing. An empty page with a token does not: filters may empty a page in the middle.

    :param parameter: the query parameter that takes the token
    """

    parameter: str

    def following(self, request: Request, page: PageFacts, rows: int, rows_read: int) -> Request | None:
        """See :class:`Paging`."""
        token = "" if page.next_token is None else str(page.next_token)
        return request.asking(**{self.parameter: token}) if token.strip() else None

    def rows_before(self, request: Request) -> int:
        """See :class:`Paging`."""
        return 0


@dataclass(frozen=True)
class OffsetPaging:
    """The request says how many rows to skip; only an empty page ends the listing.

    It advances by the rows that came, not by those asked for, because a server may give fewer than ``limit``. For the
    same reason a short page is not the last one, and a total is a hint at best: LlamaCloud's own SDK trusts
    ``total_size``, which is usually null, and loses everything after page 1.

    :param parameter: the query parameter that takes the number of rows to skip
    """

    parameter: str

    def following(self, request: Request, page: PageFacts, rows: int, rows_read: int) -> Request | None:
        """See :class:`Paging`."""
        if not rows:
            return None
        return request.asking(**{self.parameter: str(self.rows_before(request) + rows)})

    def rows_before(self, request: Request) -> int:
        """See :class:`Paging`."""
        return int(request.query[self.parameter])


@dataclass(frozen=True)
class NumberPaging:
    """The request names a page by its number, from 1.

    The listing ends with an empty page, or with a short one once as many rows were read as the vendor reports. Either
    sign alone could be wrong: a server may cap the page size, and a total may be that of the page.

    :param parameter: the query parameter that takes the number of the page
    :param size_parameter: the query parameter that takes the page size
    """

    parameter: str
    size_parameter: str

    def following(self, request: Request, page: PageFacts, rows: int, rows_read: int) -> Request | None:
        """See :class:`Paging`."""
        asked = int(request.query[self.size_parameter])
        is_short = rows < min(asked, page.page_size or asked)
        if not rows or (is_short and page.total is not None and rows_read >= page.total):
            return None
        return request.asking(**{self.parameter: str(int(request.query[self.parameter]) + 1)})

    def rows_before(self, request: Request) -> int:
        """See :class:`Paging`."""
        return (int(request.query[self.parameter]) - 1) * int(request.query[self.size_parameter])
