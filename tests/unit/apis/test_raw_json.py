"""JSON is taken apart and put together again to the character; only signed URLs leave it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from airflow_batch_provider.apis.raw_json import (
    in_one_line,
    is_json,
    is_signed,
    raw_at,
    raw_elements,
    raw_fields,
    raw_object,
    without_signed_urls,
)

SIGNED = "https://bucket.s3.amazonaws.com/a%20b.pdf?X-Amz-Algorithm=AWS4&X-Amz-Signature=abc&x=1"
EXACT = {
    "an integer beyond 2^53": b"9007199254740993",
    "an integer beyond 2^64": b"-36893488147419103233",
    "a decimal of 20 digits": b"0.12345678901234567890",
    "an exponent": b"1E+400",
    "a zero below": b"-0.0",
    "a lone surrogate": b'"\\ud83d"',
    "a pair of surrogates": b'"\\ud83d\\ude42"',
    "an escaped slash": b'"a\\/b\\u0041"',
    "text beyond ASCII": '"東京 🙂"'.encode(),
    "escaped line breaks": b'"a\\r\\n\\u2028"',
    "repeated keys": b'{"a":1,"a":2}',
    "a repeated key with a lone surrogate": b'{"\\udc00":1,"\\udc00":9007199254740993}',
    "deep nesting": b"[" * 200 + b"]" * 200,
    "an empty object": b"{}",
    "a key like a URL": json.dumps({SIGNED: 1}, separators=(",", ":")).encode(),
    "a URL that is not signed": b'"https://example.com/?page=2#sig=1"',
    "a text with a quote and a backslash": b'"\\"https://x/?sig=1\\\\"',
}
RAW = pytest.mark.parametrize("raw", EXACT.values(), ids=EXACT)

LONE = st.characters(min_codepoint=0xD800, max_codepoint=0xDFFF)
TEXTS = st.one_of(
    st.text(max_size=12), st.text(alphabet=LONE, max_size=2), st.sampled_from(["?", "http://x/?a=b", '"'])
)
NUMBERS = st.one_of(
    st.integers(),
    st.integers(-(2**70), 2**70),
    st.decimals(allow_nan=False, allow_infinity=False, places=20).map(float),
)


def documents(texts: st.SearchStrategy[str]) -> st.SearchStrategy[Any]:
    leaves = st.one_of(st.none(), st.booleans(), NUMBERS, texts)
    return st.recursive(
        leaves,
        lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(TEXTS, inner, max_size=3)),
        max_leaves=8,
    )


WRITTEN = st.tuples(
    documents(TEXTS), st.booleans(), st.sampled_from([None, 2, "\t"]), st.sampled_from([(",", ":"), (" , ", " : ")])
).map(lambda how: json.dumps(how[0], ensure_ascii=how[1], indent=how[2], separators=how[3]))


def utf8(text: str) -> bytes:
    """Return JSON as bytes, a lone surrogate as an escape: UTF-8 has none."""
    return "".join(f"\\u{ord(c):04x}" if 0xD800 <= ord(c) < 0xE000 else c for c in text).encode()


def same(one: bytes, other: bytes) -> bool:
    """Return whether two texts are the same JSON, numbers to the digit and fields in their order."""

    def exact(raw: bytes) -> Any:
        return json.loads(raw, parse_int=str, parse_float=str, object_pairs_hook=list)

    return bool(exact(one) == exact(other))


@RAW
def test_what_is_exact_stays_so_wherever_it_is(raw: bytes) -> None:
    document = b'{\n  "data": {"first": 1, "result" :\t' + raw + b' , "last": null}\r\n}'
    assert is_json(document)
    assert raw_at(document, "data.result") == raw
    assert raw_fields(raw_at(document, "data") or b"")["result"] == raw
    assert raw_elements(b"[1, " + raw + b"]") == [b"1", raw]
    assert raw_fields(raw_object({"a": raw, "\ud800 b": b"1"})) == {"a": raw, "\ud800 b": b"1"}
    assert without_signed_urls(raw) == raw
    assert in_one_line(b"[\n" + raw + b"\r\n]") == b"[" + raw + b"]"


@given(text=WRITTEN)
def test_one_line_is_the_same_json(text: str) -> None:
    line = in_one_line(utf8(text))
    assert b"\n" not in line
    assert b"\r" not in line
    assert same(line, utf8(text))


@given(text=WRITTEN)
def test_what_has_no_signed_url_stays_to_the_byte(text: str) -> None:
    assert without_signed_urls(utf8(text)) == utf8(text)


SIGNED_URLS = st.tuples(
    st.sampled_from(["https://", "http://", "HTTPS://"]),
    st.sampled_from(["X-Amz-Signature", "sig", "Signature", "X-Goog-Signature", "AWSAccessKeyId", "token"]),
    st.text(alphabet="abc%20/+=", max_size=8),
).map(lambda url: f"{url[0]}host/path?a=1&{url[1]}={url[2]}")
MIXED = st.one_of(st.text(max_size=12), SIGNED_URLS)


def nulled(document: Any) -> Any:
    if isinstance(document, dict):
        return {key: nulled(value) for key, value in document.items()}
    if isinstance(document, list):
        return [nulled(value) for value in document]
    return None if isinstance(document, str) and is_signed(document) else document


@given(document=documents(MIXED), ascii_only=st.booleans(), indent=st.sampled_from([None, 1]))
@example(document={"a": SIGNED, "b": [SIGNED, {"url": SIGNED}], SIGNED: SIGNED}, ascii_only=True, indent=None)
def test_signed_urls_become_null_and_nothing_else_changes(document: Any, ascii_only: bool, indent: int | None) -> None:
    def written(value: Any) -> bytes:
        return utf8(json.dumps(value, ensure_ascii=ascii_only, indent=indent))

    assert without_signed_urls(written(document)) == written(nulled(document))


@pytest.mark.parametrize(
    "spelling",
    [
        SIGNED,
        SIGNED.replace("https", "HTTPS"),
        "https://account.blob.core.windows.net/c/b?sv=2024&se=2026&sig=a%2Fb%3D",
        "https://storage.googleapis.com/b/o?X-Goog-Signature=0a",
        "https://storage.googleapis.com/b/o?GoogleAccessId=x&Expires=1&Signature=y",
        "https://d1.cloudfront.net/o?Policy=p&Key-Pair-Id=k",
        "https://cdn.example/o?access_token=t",
        "https://cdn.example/o?%73ig=t",
        "https://cdn.example/o?sig",
    ],
)
def test_these_are_signed(spelling: str) -> None:
    assert is_signed(spelling)


@pytest.mark.parametrize(
    "spelling",
    ["", "sig=1", "/o?sig=1", "ftp://x/?sig=1", "https://x/sig=1", "https://x/#?sig=1", "https://[x/?sig=1",
     "see https://x/?sig=1", "https://x/?signed=1&mysig=2"],
)  # fmt: skip
def test_these_are_not(spelling: str) -> None:
    assert not is_signed(spelling)


@pytest.mark.parametrize(
    "written",
    [
        json.dumps(SIGNED),
        json.dumps(SIGNED).replace("/", "\\/"),
        json.dumps(SIGNED).replace("?", "\\u003f").replace("&", "\\u0026"),
        json.dumps(SIGNED).replace("?", "\\u003F").replace("h", "\\u0068"),
    ],
)
def test_an_escaped_url_is_found_too(written: str) -> None:
    assert json.loads(written) == SIGNED
    assert without_signed_urls(b'{"a":[' + written.encode() + b",1.50]}") == b'{"a":[null,1.50]}'


@pytest.mark.parametrize(
    "content",
    [b"", b" ", b"{", b'{"a":1', b'{"a":1}x', b"NaN", b"[Infinity]", b"{'a':1}", b'"\xff"', b'"a\nb"', b"<html>",
     b"\x89PNG", b"1 2", b"[1,]"],
)  # fmt: skip
def test_these_are_no_json(content: bytes) -> None:
    assert not is_json(content)


def test_a_value_that_is_nested_without_end_is_no_json() -> None:
    assert not is_json(b"[" * 1_000_000)
    assert not is_json(b"[" * 1_000_000 + b"]" * 1_000_000)


@pytest.mark.parametrize("path", ["b", "a.b", "a.x", "a.0", "a.b.c"])
def test_where_nothing_is_there_is_none(path: str) -> None:
    assert raw_at(b'{"a": [1]}', path) is None


def test_the_last_of_a_repeated_field_counts_as_for_python() -> None:
    raw = b'{"a": 1, "b": 2, "a": 3}'
    assert {name: json.loads(value) for name, value in raw_fields(raw).items()} == json.loads(raw)


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        (b'{"presigned_url":"https://f.example/a?hash=1"}', b'{"presigned_url":null}'),
        (b'{"presigned_url" : "https://f.example/secret/a"}', b'{"presigned_url" : null}'),
        (b'{"presigned_url":"http:\\/\\/f.example\\/a"}', b'{"presigned_url":null}'),
        (b'{"presigned_url":"none"}', b'{"presigned_url":"none"}'),
        (b'[{"presigned_url":null},"https://f.example/a"]', b'[{"presigned_url":null},"https://f.example/a"]'),
        (b'[{"presigned_url":"https://f.example/a"},"https://f.example/a"]', b'[{"presigned_url":null},"https://f.example/a"]'),
        (b'{"presigned_url":{"url":"https://f.example/a"}}', b'{"presigned_url":{"url":"https://f.example/a"}}'),
    ],
)  # fmt: skip
def test_a_url_that_its_key_calls_signed_becomes_null_however_it_is_signed(written: bytes, kept: bytes) -> None:
    assert without_signed_urls(written) == kept
