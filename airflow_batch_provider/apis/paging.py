"""The kinds of paging that the vendors use: which request follows a page.

Each is a pure function of the position and of what the page had, so a listing can be read page by page, with prefetch
over many connections, or from any page on. Listings whose pages shift while they are read (by offset
or by page number) are read in overlapping windows: see :mod:`.windows`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Protocol

import msgspec
from msgspec.structs import replace

from airflow_batch_provider.apis.page import Page
from airflow_batch_provider.apis.request import Request


class Step(msgspec.Struct, frozen=True):
    """The position in a listing: the next request, and what is known of the rows before it.

    :param request: the request
    :param origin: the position of the first row that is wanted
    :param reached: the position after the last row that was read
    :param size: the most rows that a page seems to have
    :param repeats: pages in a row that began behind all rows, and had only known ones
    """

    request: Request
    origin: int = 0
    reached: int = 0
    size: int = 0
    repeats: int = 0


class Taken(msgspec.Struct, frozen=True):
    """A page that was taken into the listing.

    :param facts: the page
    :param rows: how many rows it had
    :param fresh: how many of them no page before it held
    :param read: how many different rows were read so far, this page included
    """

    facts: Page
    rows: int
    fresh: int
    read: int


class Paging(Protocol):
    """A way from page to page."""

    @property
    def needs(self) -> tuple[str, ...]:
        """The query keys that it counts by, which the listing must declare with a default."""
        ...

    @property
    def moves(self) -> tuple[str, ...]:
        """The query keys that differ from page to page."""
        ...

    @property
    def follows_links(self) -> bool:
        """Whether a ``Link`` header of the answer names the next page."""
        ...

    def continues(self, page: Page) -> bool:
        """Return whether a page leads to the next one."""
        ...

    @property
    def shifts(self) -> bool:
        """Whether rows move from page to page when others come or go, so that pages must overlap."""
        ...

    def first(self, request: Request) -> Step:
        """Return the first step."""
        ...

    def takes(self, step: Step, rows: int, known: bool) -> bool:
        """Return whether a page continues what was read; if it does not, rows may be between: go :meth:`back`.

        :param step: the step that it answers
        :param rows: how many rows it has
        :param known: whether one of them was read before
        """
        ...

    def overlap(self, step: Step, facts: Page) -> int:
        """Return how many rows of a page were read before, if nothing moved."""
        ...

    def following(self, step: Step, taken: Taken) -> Step | None:
        """Return the step after a page that was taken, None after the last one."""
        ...

    def back(self, step: Step) -> Step:
        """Return the step to make after a page that does not continue what was read."""
        ...

    def upcoming(self, step: Step, facts: Page) -> Iterator[Step]:
        """Yield the steps that will follow if nothing moves, as far as that is known.

        :param step: a step
        :param facts: its page
        """
        ...


class InOrder(msgspec.Struct, frozen=True):
    """Paging that does not shift: every page continues the one before."""

    shifts = False
    follows_links = False
    needs: ClassVar[tuple[str, ...]] = ()

    @property
    def moves(self) -> tuple[str, ...]:
        return ()

    def first(self, request: Request) -> Step:
        return Step(request)

    def takes(self, step: Step, rows: int, known: bool) -> bool:
        return True

    def overlap(self, step: Step, facts: Page) -> int:
        return 0

    def back(self, step: Step) -> Step:
        return step


class WholePaging(InOrder, frozen=True):
    """No paging: one answer has all rows."""

    def continues(self, page: Page) -> bool:
        return False

    def following(self, step: Step, taken: Taken) -> Step | None:
        return None

    def upcoming(self, step: Step, facts: Page) -> Iterator[Step]:
        return iter(())


class CursorPaging(InOrder, frozen=True):
    """Each page has the token of the next one.

    No vendor documents the last page reliably, so a token that is absent, null, empty or blank ends the
    listing. An empty page with a token does not: filters may empty a page in the middle.

    :param parameter: the query parameter that takes the token
    """

    parameter: str

    @property
    def moves(self) -> tuple[str, ...]:
        return (self.parameter,)

    def token(self, page: Page) -> str:
        """Return the token of the page after this one, an empty text if there is none."""
        token = "" if page.next_token is None else str(page.next_token)
        return token if token.strip() else ""

    def continues(self, page: Page) -> bool:
        return bool(self.token(page))

    def following(self, step: Step, taken: Taken) -> Step | None:
        return next(self.upcoming(step, taken.facts), None)

    def upcoming(self, step: Step, facts: Page) -> Iterator[Step]:
        if token := self.token(facts):
            yield Step(step.request.asking(**{self.parameter: token}))


class LastIdPaging(CursorPaging, frozen=True):
    """Each page begins behind a row that the request names: the last one of the page before.

    The listing ends with a page that says so at ``Body.more``, or with an empty one.
    """

    def token(self, page: Page) -> str:
        """Return the id of the page's last row, an empty text behind the last page."""
        return "" if page.more is False or not len(page.rows) else str(page.rows.ids[-1])


def reads_token(paging: Paging) -> bool:
    """Return whether pages name the cursor of the next one, so that a body must have it."""
    return isinstance(paging, CursorPaging) and type(paging).token is CursorPaging.token


class LinkPaging(InOrder, frozen=True):
    """Each page has the URL of the next one: in a ``Link`` header with ``rel="next"``, or in the body, at
    ``Body.next_link``.

    It may be absolute or relative. It is followed only on the API's own origin.
    """

    follows_links = True

    def continues(self, page: Page) -> bool:
        return bool((page.next_link or "").strip())

    def following(self, step: Step, taken: Taken) -> Step | None:
        return next(self.upcoming(step, taken.facts), None)

    def upcoming(self, step: Step, facts: Page) -> Iterator[Step]:
        if self.continues(facts):
            yield replace(step, request=replace(step.request, link=facts.next_link))
