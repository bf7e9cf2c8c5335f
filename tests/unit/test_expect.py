"""The values of ``expect=``: what is allowed, and what is named."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest

from airflow_batch_provider.expect import Expect, Share, violation_of


def violation(expect: object, *, has_items: bool = True) -> str | None:
    found = violation_of(expect, has_items=has_items)
    return None if found is None else str(found)


ALLOWED: list[Any] = [
    None,
    {},
    Expect(),
    Expect(rows_at_least=1, fewer_rows_at_most=0.1, item_failures_at_most=0, none_missing=True),
    {"rows_at_least": "100", "fewer_rows_at_most": "0.1", "item_failures_at_most": "1", "none_missing": "False"},
    {"rows_at_least": None, "fewer_rows_at_most": None, "none_missing": None},
    {"fewer_rows_at_most": 1e-05},
]


@pytest.mark.parametrize("expect", ALLOWED, ids=str)
def test_allowed(expect: Any) -> None:
    assert violation(expect) is None


REFUSED: list[tuple[Any, str]] = [
    ({"rows_at_least": 0}, "expect['rows_at_least']=0 is not allowed; allowed is a whole number from 1 up"),
    ({"rows_at_least": True}, "expect['rows_at_least']=True is not allowed"),
    ({"rows_at_least": 1.5}, "expect['rows_at_least']=1.5 is not allowed"),
    ({"rows_at_least": ""}, "expect['rows_at_least']='' is not allowed"),
    ({"rows_at_least": [1]}, "expect['rows_at_least']=[1] is not allowed"),
    *(
        ({"fewer_rows_at_most": value}, f"expect['fewer_rows_at_most']={value!r} is not allowed; allowed is a number")
        for value in (10, 1.01, -0.1, "10%", "1/2", "", True, float("nan"), float("inf"), [0.1])
    ),
    ({"item_failures_at_most": 2}, "expect['item_failures_at_most']=2 is not allowed; allowed is a number from 0 to 1"),
    ({"none_missing": "maybe"}, "expect['none_missing']='maybe' is not allowed; allowed is true or false"),
    ({"rows": 1}, "expect='rows' is not allowed; allowed is one of 'rows_at_least', 'fewer_rows_at_most', 'item_"),
    ({1: 1}, "expect=1 is not allowed"),
    (100, "expect=100 is not allowed; allowed is a dict with one of 'rows_at_least'"),
    ("rows_at_least", "expect='rows_at_least' is not allowed; allowed is a dict"),
    ([], "expect=[] is not allowed"),
]


@pytest.mark.parametrize(("expect", "message"), REFUSED, ids=str)
def test_refused(expect: Any, message: str) -> None:
    assert message in str(violation(expect))


@pytest.mark.parametrize("name", ["item_failures_at_most", "none_missing"])
def test_rules_of_items_are_refused_for_exports_that_have_none(name: str) -> None:
    assert "only for exports of results" in str(violation({name: 1}, has_items=False))


def test_an_unknown_rule_is_refused_whatever_its_value() -> None:
    assert violation({"rows": None}) is not None


def test_a_share_is_what_is_written_and_not_the_nearest_double() -> None:
    assert Share().parse(0.29) == Share().parse("0.29") == Fraction(29, 100)
