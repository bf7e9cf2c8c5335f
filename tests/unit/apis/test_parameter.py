from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_batch_provider.apis.moment import Clock
from airflow_batch_provider.apis.parameter import (
    Choice,
    Identifier,
    Integer,
    Parameter,
    Timestamp,
    Violation,
    first_missing,
    first_violation,
)

INDIA = timezone(timedelta(hours=5, minutes=30))


@pytest.mark.parametrize("value", ["proj-1", "a/b", "?", "#", "%2e%2e", "...", " x ", "ä漢", "a+b=c", 7])
def test_identifier_takes_any_opaque_text(value: object) -> None:
    assert Identifier().encode(value) == str(value)


@pytest.mark.parametrize("value", ["", " ", "\n\t", ".", "..", "None", True, 1.5, None, ["a"], b"a"])
def test_identifier_refuses_what_would_ask_for_another_resource(value: object) -> None:
    assert Identifier().encode(value) is None


def test_identifier_refuses_text_that_has_no_utf8() -> None:
    assert Identifier().encode("\ud800") is None


@pytest.mark.parametrize(("value", "expected"), [(1, "1"), (100, "100"), ("7", "7"), (" 7 ", "7"), ("007", "7")])
def test_whole_number_takes_numbers_and_rendered_templates(value: object, expected: str) -> None:
    assert Integer(1, 100).encode(value) == expected


@pytest.mark.parametrize("value", [0, 101, -1, "0", "x", "", "1.0", 5.0, True, None, [1], "9" * 5000])
def test_whole_number_refuses_what_the_vendor_would(value: object) -> None:
    assert Integer(1, 100).encode(value) is None


def test_whole_number_without_a_maximum_is_unbounded() -> None:
    assert Integer(0).encode(10**30) == str(10**30)


def test_word_is_compared_exactly_as_the_vendor_spells_it() -> None:
    domain = Choice(("parse", "extract"))
    assert [domain.encode(value) for value in ("parse", "PARSE", "", None, 1)] == ["parse", None, None, None, None]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2026-01-31T00:00:00Z", datetime(2026, 1, 31, tzinfo=UTC)),
        ("2026-01-31", datetime(2026, 1, 31, tzinfo=UTC)),
        ("2026-01-31T10:00:00", datetime(2026, 1, 31, 10, tzinfo=UTC)),
        ("2019-12-06T15:42:36.23401+05:30", datetime(2019, 12, 6, 15, 42, 36, 234010, INDIA)),
        (datetime(2026, 1, 31), datetime(2026, 1, 31, tzinfo=UTC)),
        (datetime(2026, 1, 31, tzinfo=INDIA), datetime(2026, 1, 31, tzinfo=INDIA)),
    ],
)
def test_timestamp_keeps_the_moment_and_names_an_offset(value: object, expected: datetime) -> None:
    encoded = Timestamp().encode(value)
    assert encoded is not None
    read = datetime.fromisoformat(encoded)
    assert read == expected
    assert read.tzinfo is not None


@pytest.mark.parametrize("value", ["", " ", "yesterday", "12:30", "P1D", "2020/2021", "2026-02-30", 0, None, True])
def test_timestamp_refuses_what_is_no_moment(value: object) -> None:
    assert Timestamp().encode(value) is None


def test_timestamp_refuses_a_bare_date_object() -> None:
    assert Timestamp().encode(date(2026, 1, 31)) is None


def test_timestamp_refuses_a_word_that_means_another_moment_each_time() -> None:
    assert Timestamp().encode("now") is None


def test_timestamp_refuses_half_a_time() -> None:
    assert Timestamp().encode("4:") is None


@given(st.datetimes(timezones=st.just(UTC)))
def test_timestamp_survives_its_own_encoding(moment: datetime) -> None:
    encoded = Timestamp().encode(moment)
    assert Timestamp().encode(encoded) == encoded


PARAMETERS = (
    Parameter("batch_id", Identifier(), required=True),
    Parameter("status", Choice(("done",)), "status"),
    Parameter("limit", Integer(1, 5), "limit", default=5),
)


def test_first_complaint_names_parameter_value_and_what_is_allowed() -> None:
    violation = first_violation(PARAMETERS, {"batch_id": "b", "status": "DONE", "limit": 9})
    assert violation == Violation("status", "DONE", "one of 'done'")
    assert str(violation) == "status='DONE' is not allowed; allowed is one of 'done'"


@pytest.mark.parametrize(
    ("value", "hint"),
    [
        ("None", "a template renders to 'None' if its value is missing"),
        ({"id": "b"}, "a Run operator's batch is its .output['batch_id']"),
    ],
)
def test_what_a_task_was_probably_given_instead_is_explained(value: object, hint: str) -> None:
    assert str(first_violation(PARAMETERS, {"batch_id": value})) == (
        f"batch_id={value!r} is not allowed; allowed is a text that is not blank, '.', '..' or 'None'; {hint}"
    )


def test_none_counts_as_not_given() -> None:
    assert first_violation(PARAMETERS, {"batch_id": None, "status": None}) is None
    assert first_missing(PARAMETERS, {"batch_id": None}) is not None


def test_missing_is_only_what_is_required() -> None:
    assert first_missing(PARAMETERS, {"batch_id": "b"}) is None
    missing = first_missing(PARAMETERS, {})
    assert missing is not None
    assert str(missing).startswith("batch_id is missing; ")


IDS = Parameter("job_ids", Identifier(), "job_ids", repeated=True)


@pytest.mark.parametrize(
    ("value", "encoded"),
    [
        (["a", 7], ("a", "7")),
        (("a",), ("a",)),
        ("a", ("a",)),
        ([], None),
        (["a", " "], None),
        ({"a": 1}, None),
    ],
)
def test_a_repeated_parameter_takes_a_list(value: object, encoded: tuple[str, ...] | None) -> None:
    assert IDS.encode(value) == encoded


def test_a_wrong_element_of_a_list_is_named_with_what_is_allowed() -> None:
    assert "allowed is a list, each a text" in str(first_violation((IDS,), {"job_ids": [""]}))


@pytest.mark.parametrize(
    ("value", "encoded"),
    [("a/b", "a/b"), ("a", "a"), ("a/../b", None), ("./a", None), ("/a", None), ("a//b", None), ("a/", None)],
)
def test_an_id_that_may_contain_slashes_stays_below_its_path(value: str, encoded: str | None) -> None:
    assert Identifier(may_contain_slashes=True).encode(value) == encoded


def test_a_timestamp_may_be_sent_as_unix_seconds() -> None:
    assert Timestamp(Clock.UNIX_SECONDS).encode("2026-01-31T12:30:05Z") == "1769862605"
