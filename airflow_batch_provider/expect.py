"""The rules that an export must satisfy to be published."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import TypedDict

import msgspec

from airflow_batch_provider.apis.parameter import Boolean, Choice, Domain, Integer, Violation


class Expect(TypedDict, total=False):
    """Rules that an export must satisfy to be published. Each rule is optional.

    It is a dict, so ``expect={"rows_at_least": 100}`` is the same as ``expect=Expect(rows_at_least=100)``. Its values
    are templates.

    :param rows_at_least: the least number of rows
    :param fewer_rows_at_most: the largest share, from 0 to 1, of the rows of the replaced export that may be missing:
        with 0.1, at least 90 rows can replace 100; the first export of a folder always satisfies this rule
    :param item_failures_at_most: the largest share, from 0 to 1, of items that may be ``failed``, ``partial`` or
        ``missing``; for exports of results only
    :param none_missing: whether to forbid ``missing`` items; for exports of results only
    """

    rows_at_least: int | str | None
    fewer_rows_at_most: float | str | None
    item_failures_at_most: float | str | None
    none_missing: bool | str | None


class Share(msgspec.Struct, frozen=True):
    """A number from 0 to 1, or the text of one: a rendered template is always text."""

    allowed: str = "a number from 0 to 1"

    def parse(self, value: object) -> Fraction | None:
        """Return the number as it is written in decimal digits, or None if it is not allowed."""
        if isinstance(value, bool) or not isinstance(value, (int, float, str)) or "/" in str(value):
            return None
        try:
            share = Fraction(str(value))
        except ValueError:
            return None
        return share if 0 <= share <= 1 else None

    def encode(self, value: object) -> str | None:
        """Return the number as text."""
        share = self.parse(value)
        return None if share is None else f"{float(share):g}"


ROWS, SHARE, FLAG = Integer(1), Share(), Boolean()
_OF_ROWS: dict[str, Domain] = {"rows_at_least": ROWS, "fewer_rows_at_most": SHARE}
_OF_ITEMS: dict[str, Domain] = {"item_failures_at_most": SHARE, "none_missing": FLAG}


def violation_of(expect: object, *, has_items: bool) -> Violation | None:
    """Return what is wrong with the rules, None if nothing is.

    :param expect: the rules; a value that is None is not given
    :param has_items: whether it is an export of results, whose items have outcomes
    """
    known = {**_OF_ROWS, **_OF_ITEMS} if has_items else _OF_ROWS
    names = Choice(tuple(known))
    if not isinstance(expect, Mapping):
        return None if expect is None else Violation("expect", expect, f"a dict with {names.allowed}")
    for name, value in expect.items():
        if name not in known:
            reason = (
                f"{names.allowed}, and of items only for exports of results" if name in _OF_ITEMS else names.allowed
            )
            return Violation("expect", name, reason)
        if value is not None and known[name].encode(value) is None:
            return Violation(f"expect[{name!r}]", value, known[name].allowed)
    return None
