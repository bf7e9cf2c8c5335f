"""Ways to bend a page: where it is a document, and where it is bytes."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from typing import Any

from hypothesis import strategies as st

from tests.fuzz.documents import ODD, Object, bendable, dump, page, rows

NAMES = st.sampled_from(["id", "status", "items", "data", "success", "next_page_token", "total", "new", "_extra", ""])
TOKENS = st.sampled_from([None, "", " ", "next", "../" * 50, "?a=b&c=d#e", "\x00\r\nX: y", "http://x.invalid/"])

PIECES = st.one_of(
    st.binary(min_size=1, max_size=4),
    st.sampled_from(
        [
            *(b"\x00", b"\xff", b"\xed\xa0\x80", b"\xef\xbb\xbf", b"\xc0\xaf", b"\xf4\x90\x80\x80", b"\xe2\x80\xa8"),
            *(b"\\ud800", b"\\", b'"', b"'", b",", b":", b"{", b"}", b"[", b"]", b"\n", b"\r", b"\t", b" ", b"\x0b"),
            *(b"NaN", b"1e999", b"-", b"0", b".", b"null", b'"id":', b'"id":{},', b'{"id":1},', b"//x\n", b"/**/"),
        ]
    ),
)
CODECS = ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-8-sig", "latin-1", "utf-7"]


def _objects(node: Any) -> Iterator[Object]:
    if isinstance(node, Object):
        yield node
        for _, inner in node.pairs:
            yield from _objects(inner)
    elif isinstance(node, list):
        for inner in node:
            yield from _objects(inner)


@st.composite
def bend(draw: st.DrawFn, document: Any) -> None:
    """Change one object somewhere in a document."""
    target = draw(st.sampled_from([found for found in _objects(document) if found.pairs] or [Object([("", 0)])]))
    place = draw(st.integers(0, len(target.pairs) - 1))
    name, value = target.pairs[place]
    match draw(st.sampled_from(["delete", "repeat", "swap", "rename", "value", "value", "add", "list", "elements"])):
        case "delete":
            del target.pairs[place]
        case "repeat":
            again = draw(st.one_of(st.just(value), ODD))
            target.pairs.insert(draw(st.integers(0, len(target.pairs))), (name, again))
        case "swap":
            other = draw(st.integers(0, len(target.pairs) - 1))
            target.pairs[place], target.pairs[other] = target.pairs[other], target.pairs[place]
        case "rename":
            target.pairs[place] = (draw(NAMES), value)
        case "value":
            target.pairs[place] = (name, draw(ODD))
        case "add":
            target.pairs.insert(place, (draw(NAMES), draw(ODD)))
        case "list":
            target.pairs[place] = (name, [value])
        case "elements" if isinstance(value, list) and value:
            value.insert(draw(st.integers(0, len(value))), draw(st.one_of(ODD, st.just(value[0]))))


@st.composite
def broken(draw: st.DrawFn, body: bytes) -> bytes:
    """Change bytes."""
    start = draw(st.integers(0, len(body)))
    end = min(len(body), start + draw(st.sampled_from([0, 1, 2, 10, 100])))
    match draw(st.sampled_from(["truncate", "insert", "insert", "replace", "delete", "repeat", "recode", "wrap"])):
        case "truncate":
            return body[:start]
        case "insert":
            return body[:start] + draw(PIECES) + body[start:]
        case "replace":
            return body[:start] + draw(PIECES) + body[end:]
        case "delete":
            return body[:start] + body[end:]
        case "repeat":
            return body[:end] + body[start:]
        case "recode":
            return body.decode("utf-8", "replace").encode(draw(st.sampled_from(CODECS)), "replace")
    return draw(st.sampled_from([b"\xef\xbb\xbf" + body, gzip.compress(body, mtime=0), body + b"\x00", body + body]))


@st.composite
def pages(draw: st.DrawFn, name: str) -> tuple[bytes, bool]:
    """Give the body of a page, and whether it is as the vendor documents it."""
    drawn = draw(rows(name))
    document = bendable(page(name, drawn, draw(TOKENS), wrapped=draw(st.booleans())))
    bends, breaks = draw(st.sampled_from([(0, 0), (1, 0), (1, 0), (2, 0), (4, 0), (0, 1), (0, 1), (0, 3), (1, 1)]))
    for _ in range(bends):
        draw(bend(document))
    body = dump(document, draw(st.sampled_from(["", "", "\n  ", "\r\n"]))).encode("utf-8", "surrogatepass")
    for _ in range(breaks):
        body = draw(broken(body))
    is_good = not bends and not breaks and len({repr(row["id"]) for row in drawn}) == len(drawn)
    return body, is_good
