"""Whether reading still gets anywhere, so that requests are bounded by what there is to read."""

from __future__ import annotations

MOST_BARREN_PAGES = 100
"""Pages in a row without a new row, after which a listing is taken to be endless."""

MOST_FALLS = 3
"""How often the reader steps back from one place before it gives up."""

_BARREN_PER_PAGE = 4
"""Pages without a new row for each page that brought some: what rows that keep leaving may cost."""


class Progress:
    """Counts the requests of a pass.

    If pages may be read again, a pass over R rows takes at most 5 R + 101 requests, whatever the server does; if not,
    100 R.

    :param rereads: whether the reader may step back
    :param pages: how many pages an earlier try has read
    """

    def __init__(self, *, rereads: bool, pages: int = 0) -> None:
        self._rereads = rereads
        self._fruitful = pages
        self._barren = 0
        self._in_a_row = 0
        self._falls = 0
        self._is_falling = False

    def advance(self, fresh: int, *, is_beyond: bool) -> None:
        """Count a page that was taken.

        :param fresh: how many new rows it had
        :param is_beyond: whether the next page begins behind as many rows as were read
        """
        self._is_falling = False
        if fresh:
            self._fruitful += 1
            self._falls = self._in_a_row = 0
        else:
            self._barren += 1
            self._in_a_row += is_beyond

    def fall(self) -> None:
        """Count a page from which the reader steps back."""
        self._barren += 1
        self._falls += not self._is_falling
        self._is_falling = True

    def problem(self, read: int) -> str | None:
        """Return why to give up, as the end of a sentence on the listing, or None.

        :param read: how many rows the pass has read
        """
        if self._falls == MOST_FALLS:
            return f"returns no rows after the first {read}"
        allowed = MOST_BARREN_PAGES + _BARREN_PER_PAGE * self._fruitful
        if self._in_a_row == MOST_BARREN_PAGES or (self._rereads and self._barren > allowed):
            return f"had no new rows in {max(self._in_a_row, self._barren)} pages after {read} rows"
        return None
