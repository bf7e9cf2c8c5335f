"""Pages as values that can be bent: JSON objects that may repeat a name, and text that stands as it is."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from tests.listings import LISTINGS
from tests.unit.formats.rows import FOREIGN_TEXTS, documented, foreign


@dataclass
class Text:
    """A piece of JSON, or of what is none."""

    text: str


Pairs = list[tuple[str, Any]]


@dataclass
class Object:
    """A JSON object; a name may come twice."""

    pairs: Pairs


def bendable(value: Any) -> Any:
    """Return a JSON value in a form that can be bent."""
    if isinstance(value, dict):
        return Object([(name, bendable(inner)) for name, inner in value.items()])
    return [bendable(inner) for inner in value] if isinstance(value, list) else value


def dump(node: Any, indent: str = "") -> str:
    """Return the JSON text of a bent value.

    :param indent: what stands between tokens
    """
    match node:
        case Text():
            return node.text
        case Object():
            return f"{{{indent}{f',{indent}'.join(f'{json.dumps(k)}:{dump(v, indent)}' for k, v in node.pairs)}}}"
        case list():
            return f"[{indent}{f',{indent}'.join(dump(inner, indent) for inner in node)}]"
    return json.dumps(node)


def _deep(depth: int, left: str, right: str) -> Text:
    return Text(left * depth + "1" + right * depth)


# Between 900 and what is refused lies what one stack can read and a fuller one cannot: test_depth.py.
DEPTHS = (2, 50, 200, 2_000, 20_000)

ODD = st.one_of(
    st.sampled_from(
        [
            *map(Text, ("NaN", "-Infinity", "1e999", "-1e-999", "1E400", "0.1" + "0" * 400, "-0", "-0.0", "01", "+1")),
            *map(Text, ("9" * 30, "-" + "9" * 400, "9" * 5000, "9223372036854775808", "1.0", "1e2", "tru", "", "'a'")),
            *map(Text, ('"\\u0000"', '"\\ud800"', '"\\udfff\\ud800"', '"\\q"', '"\x01"', '"\\u00"', '"a\nb"')),
            *map(Text, ('{"a":1,"a":2}', '{"maxAttempts":1,"maxAttempts":"2"}', '{"":{"":[]}}', "[[],[[]],{}]")),
            *(_deep(depth, left, right) for depth in DEPTHS for left, right in (("[", "]"), ('{"a":', "}"))),
            *(None, True, False, 0, -1, 2**63, 0.5, "", " ", "\x00", "../" * 100, "a" * 5000, "\ufeff", "\u2028"),
            *("2026-02-30T00:00:00Z", "=1+1", "http://x.invalid/?sig=a", "NaN", "1"),
        ]
    ),
    st.integers(),
    FOREIGN_TEXTS,
)


@st.composite
def rows(draw: st.DrawFn, name: str) -> list[dict[str, Any]]:
    """Give rows with ids, most of them as documented."""
    columns = LISTINGS[name].columns
    row = st.one_of(documented(columns), documented(columns), foreign(columns))
    drawn = draw(st.lists(row, min_size=1, max_size=4))
    ids = st.one_of(st.integers(0, 5), st.text(max_size=5).filter(str.strip), st.just("../" * 5 + "etc/passwd"))
    return [{**fields, "id": draw(ids)} for fields in drawn]


def page(name: str, rows: list[dict[str, Any]], token: str | None, *, wrapped: bool) -> dict[str, Any]:
    """Return the page of a listing, as the vendor documents it."""
    if name == "playment.batches":
        return {"data": {"name": "P", "base": "IMAGE", "batches": rows}, "success": True}
    if name == "playment.batch_jobs":
        return {"data": {"id": "", "name": "B", "jobs": rows, "next_page_token": token}, "success": True}
    if name == "talkifai.batch_jobs":
        plain = {"batchJobs": rows, "total": len(rows), "page": 1, "pageSize": 100}
        return {"success": True, "data": plain} if wrapped else plain
    return {"items": rows, "next_page_token": token, "total_size": len(rows)}
