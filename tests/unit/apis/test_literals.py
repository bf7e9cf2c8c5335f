"""What of a value is known when a DAG is parsed, and what may be left out or given several times."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from airflow_batch_provider.apis.literals import LATER, OrNone, Several, literal_of, violation_of
from airflow_batch_provider.apis.parameter import Choice, Integer


class Output:
    """Of another task, as Airflow's are."""

    def iter_references(self) -> Any: ...


TEMPLATE = "{{ params.x }}"


@pytest.mark.parametrize(
    ("value", "known"),
    [
        *((value, LATER) for value in (TEMPLATE, "a{% if x %}b{% endif %}", "{# none #}", Output(), lambda: 1)),
        *((value, value) for value in ("csv", "", "{x}", 0, None, True, Path("/tmp"), [], {}, [1, "a"], {"a": [1]})),
        ([TEMPLATE, "pdfs", Output()], ["pdfs"]),
        (("pdfs",), ["pdfs"]),
        ([TEMPLATE], LATER),
        ({"a": TEMPLATE, "b": 1}, {"a": None, "b": 1}),
        ({"a": TEMPLATE}, {"a": None}),
        ({"a": {"b": [Output(), 1]}}, {"a": {"b": [1]}}),
    ],
)
def test_a_literal_is_what_no_template_can_change(value: Any, known: Any) -> None:
    assert literal_of(value) is LATER if known is LATER else literal_of(value) == known


WORDS = Choice(("a", "b"))


@pytest.mark.parametrize(
    ("values", "value", "wrong"),
    [
        *((Several(WORDS), value, None) for value in (None, "", [], "a", "a, b", ["a", " b "], ("a", ""), ["a", "a"])),
        *((Several(WORDS), value, "c") for value in ("c", "a,c", ["a", "c"])),
        (Several(WORDS), ["a", 1], 1),
        (Several(WORDS), 1, 1),
        *((Several(WORDS, least=1), value, value) for value in (None, [], "", ",")),
        (OrNone(WORDS), None, None),
        (OrNone(WORDS), "", ""),
        (OrNone(WORDS, may_be_blank=True), "", None),
        (OrNone(WORDS, may_be_blank=True), " ", " "),
        (OrNone(Integer(1)), 0, 0),
    ],
    ids=repr,
)
def test_the_value_that_is_wrong_is_named(values: Any, value: Any, wrong: Any) -> None:
    violation = violation_of("files", value, values)
    if wrong is None and values.encode(value) is not None:
        assert violation is None
    else:
        assert violation is not None
        assert (violation.parameter, violation.value) == ("files", wrong)
