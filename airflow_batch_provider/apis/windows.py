"""Paging by position, in windows that overlap.

A job that leaves such a listing pulls the rows behind it over a page boundary, past the reader; when another joins
meanwhile, total and first page look as before. So every window begins one row before the end of what was read, and
must have a row that was read: if it does not, rows may be between, and the reader steps back, further each time.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
from msgspec.structs import replace

from airflow_batch_provider.apis.page import Page
from airflow_batch_provider.apis.paging import Step, Taken
from airflow_batch_provider.apis.request import Request

MOST_REPEATS = 3
"""Pages in a row behind all rows, with known ones that others pushed there, after which the listing is at its end."""


def _number(request: Request, key: str) -> int:
    return int(str(request.query[key]))


def _target_back(step: Step, start: int) -> int:
    """Return where to begin after a window from ``start`` on that did not join: twice as far back."""
    behind = step.reached - start
    return max(step.origin, step.reached - (2 * behind if behind > 0 else 1))


class OffsetPaging(msgspec.Struct, frozen=True):
    """The request has the number of rows to skip.

    It advances by the rows that came, not by those asked for, because a server may give fewer than ``limit``. For the
    same reason a short page is not the last one, and a total is a hint at best: LlamaCloud's own SDK trusts
    ``total_size``, which is usually null, and loses everything after page 1. What ends the listing is an empty page
    right behind a short one, or some that show only rows which others pushed there.

    :param parameter: the query parameter that takes the number of rows to skip
    :param size_parameter: the query parameter that takes the page size
    """

    parameter: str
    size_parameter: str
    shifts = True
    follows_links = False

    @property
    def needs(self) -> tuple[str, ...]:
        return (self.parameter, self.size_parameter)

    @property
    def moves(self) -> tuple[str, ...]:
        return self.needs

    def continues(self, page: Page) -> bool:
        return len(page.rows) > 0

    def first(self, request: Request) -> Step:
        start = _number(request, self.parameter)
        return Step(request, start, start, _number(request, self.size_parameter))

    def takes(self, step: Step, rows: int, known: bool) -> bool:
        start = self._start(step)
        if start <= step.origin or (rows and known):
            return True
        # Pages of one row cannot overlap and still advance.
        return start >= step.reached and (not rows or step.size == 1)

    def overlap(self, step: Step, facts: Page) -> int:
        return max(0, step.reached - self._start(step))

    def following(self, step: Step, taken: Taken) -> Step | None:
        if not taken.rows:
            return None
        reached = self._start(step) + taken.rows
        is_short = taken.rows < step.size
        if is_short and not taken.fresh and self._start(step) >= step.reached > step.origin:
            step = replace(step, reached=reached, repeats=step.repeats + 1)
            return self._at(step, reached) if step.repeats < MOST_REPEATS else None
        step = replace(step, reached=reached, size=taken.rows, repeats=0)
        # A short page is the end, or the server gives fewer rows: the next row shows which.
        return self._at(step, reached - (not is_short and step.size > 1))

    def back(self, step: Step) -> Step:
        return self._at(step, _target_back(step, self._start(step)))

    def upcoming(self, step: Step, facts: Page) -> Iterator[Step]:
        return iter(())

    def _start(self, step: Step) -> int:
        return _number(step.request, self.parameter)

    def _at(self, step: Step, start: int) -> Step:
        return replace(step, request=step.request.asking(**{self.parameter: str(start)}))


class NumberPaging(msgspec.Struct, frozen=True):
    """The request names a page by its number and its size.

    There is no offset, but windows of different page sizes overlap: (page, size) = (1, 100), (2, 99), (3, 98) ... Of
    those that begin within what was read, the one that reaches furthest is asked for, at 14 % more requests. Sizes
    below about ten leave no such window in places; there plain pages are read.

    The listing ends with a page that is short and either reaches the reported total or brings nothing new. One sign
    alone could be wrong: a server may cap the page size, and a total may be that of the page.

    :param parameter: the query parameter that takes the number of the page
    :param size_parameter: the query parameter that takes the page size
    :param first_number: the number of the first page
    """

    parameter: str
    size_parameter: str
    first_number: int = 1
    shifts = True
    follows_links = False

    @property
    def needs(self) -> tuple[str, ...]:
        return (self.parameter, self.size_parameter)

    @property
    def moves(self) -> tuple[str, ...]:
        return self.needs

    def continues(self, page: Page) -> bool:
        return len(page.rows) > 0

    def first(self, request: Request) -> Step:
        size = _number(request, self.size_parameter)
        start = (_number(request, self.parameter) - self.first_number) * size
        return Step(request, start, start, size)

    def takes(self, step: Step, rows: int, known: bool) -> bool:
        start = self._start(step, self._asked(step))
        return start <= step.origin or bool(rows and known) or start >= step.reached

    def overlap(self, step: Step, facts: Page) -> int:
        return max(0, step.reached - self._start(step, self._used(step, facts, len(facts.rows))))

    def following(self, step: Step, taken: Taken) -> Step | None:
        used, total = self._used(step, taken.facts, taken.rows), taken.facts.total
        is_short = taken.rows < used
        is_whole = total is not None and taken.read >= total - step.origin
        # Where neither size nor total are told, a short page may be a capped one, which begins earlier.
        is_unplaced = is_short and total is None and not taken.facts.page_size
        if not taken.rows or (is_short and (is_whole or not (taken.fresh or is_unplaced))):
            return None
        size = taken.rows if is_short else used
        if size < self._asked(step):  # more is not to be had
            step = replace(step, size=min(step.size, size))
        if is_unplaced:
            step = replace(step, reached=step.reached + taken.fresh)
            return self._window(step) if taken.fresh else self._behind(step)
        reached = self._start(step, used) + taken.rows
        if used < self._asked(step):  # it begins earlier than was asked for
            reached = max(reached, step.reached)
        return self._window(replace(step, reached=reached))

    def back(self, step: Step) -> Step:
        page = _target_back(step, self._start(step, self._asked(step))) // step.size
        return self._at(step, page, step.size)

    def upcoming(self, step: Step, facts: Page) -> Iterator[Step]:
        size = self._asked(step)
        while (reached := self._start(step, size) + size) < (facts.total or 0):
            step = self._window(replace(step, reached=reached))
            size = self._asked(step)
            yield step

    def _asked(self, step: Step) -> int:
        return _number(step.request, self.size_parameter)

    def _start(self, step: Step, size: int) -> int:
        return (_number(step.request, self.parameter) - self.first_number) * size

    def _used(self, step: Step, facts: Page, rows: int) -> int:
        """Return the page size that the server used: it may cap what was asked for, or take no notice of it."""
        asked = self._asked(step)
        if facts.page_size:  # zero makes no sense
            used = min(asked, facts.page_size)
        else:  # a short page is the last one, or the server gives no more rows than this
            is_capped = 0 < rows < asked and facts.total not in (None, self._start(step, asked) + rows)
            used = rows if is_capped else asked
        return max(used, rows)

    def _at(self, step: Step, pages: int, size: int) -> Step:
        """Return the step to the page behind so many pages of a size."""
        numbers = {self.parameter: str(pages + self.first_number), self.size_parameter: str(size)}
        return replace(step, request=step.request.asking(**numbers))

    def _window(self, step: Step) -> Step:
        last = step.reached - 1
        size = max(range(1, step.size + 1), key=lambda size: (last // size + 1) * size)
        reaches_further = (last // size + 1) * size > step.reached
        return self._at(step, last // size, size) if reaches_further else self._behind(step)

    def _behind(self, step: Step) -> Step:
        """Return the largest window that begins right behind what was read."""
        size = next(size for size in range(step.size, 0, -1) if step.reached % size == 0)
        return self._at(step, step.reached // size, size)
