"""What is stored or sent is read back strictly, its version first."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from airflow_batch_provider import codec


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    version: int = 1
    rows: int
    names: tuple[str, ...] = ()


BROKEN: dict[str, tuple[bytes, str]] = {
    "another version": (b'{"version":99,"rows":1}', "version 99; this release reads version 1"),
    "another version of another shape": (b'{"version":2,"lines":[]}', "version 2; this release reads version 1"),
    "no version": (b'{"rows":1}', "missing required field `version`"),
    "a version as text": (b'{"version":"1","rows":1}', "Expected `int`, got `str`"),
    "a number as text": (b'{"version":1,"rows":"1"}', r"Expected `int`, got `str` - at `\$.rows`"),
    "a number in a list of texts": (b'{"version":1,"rows":1,"names":[5]}', r"at `\$\.names\[0\]`"),
    "a missing field": (b'{"version":1}', "missing required field `rows`"),
    "no object": (b"[]", "Expected `object`, got `array`"),
    "no JSON": (b"{", "not JSON"),
    "nothing": (b"", "not JSON"),
    "invalid UTF-8": (b'{"version":1,"rows":1,"names":["\xff"]}', "UTF-8|utf-8"),
    "deep nesting": (b'{"version":1,"rows":1,"more":' + b"[" * 10_000 + b"]" * 10_000 + b"}", "nested too deeply"),
    "an integer of 5,000 digits": (b'{"version":1,"rows":' + b"9" * 5000 + b"}", "."),
}


@pytest.mark.parametrize("case", BROKEN)
def test_broken_content_is_one_clear_error(case: str) -> None:
    content, message = BROKEN[case]
    with pytest.raises(codec.UnreadableError, match=message):
        codec.decode(content, Kept, version=1)


DECODED: dict[str, Any] = {
    "none": None,
    "a list": [],
    "another version": {"version": 2, "rows": 1},
    "a boolean as version": {"version": True, "rows": 1},
    "a text for a number": {"version": 1, "rows": "1"},
    "a missing field": {"version": 1},
}


@pytest.mark.parametrize("case", DECODED)
def test_a_broken_payload_is_one_clear_error(case: str) -> None:
    with pytest.raises(codec.UnreadableError):
        codec.convert(DECODED[case], Kept, version=1)


def test_a_value_survives_the_round_trip() -> None:
    value = Kept(rows=2**63, names=("a", "\u2028", "\ud83d"))
    assert codec.decode(codec.encode(value), Kept, version=1) == value
    assert codec.convert(json.loads(codec.encode(value)), Kept, version=1) == value


def test_a_field_that_a_later_release_adds_is_ignored() -> None:
    assert codec.decode(b'{"version":1,"rows":1,"later":{}}', Kept, version=1) == Kept(rows=1)
