"""A vendor's text that is shown holds no secret in any spelling, and nothing that cannot be stored or printed."""

from __future__ import annotations

import base64
import html
import json
import string
from collections.abc import Callable
from urllib.parse import quote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from airflow_batch_provider.apis.shown import LONGEST_READ, LONGEST_SHOWN, MASK, Redactor, harmless

KEY = "llx-Ab9/+z&<'\"Q_secret-KEY42%"
SPELLINGS: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "in capitals": str.upper,
    "as JSON": lambda key: json.dumps(key)[1:-1],
    "as JSON with slashes escaped": lambda key: json.dumps(key)[1:-1].replace("/", "\\/"),
    "as JSON in JSON": lambda key: json.dumps(json.dumps(key)),
    "as code points": lambda key: "".join(f"\\u{ord(character):04x}" for character in key),
    "as HTML": html.escape,
    "as HTML in HTML": lambda key: html.escape(html.escape(key)),
    "as HTML code points": lambda key: "".join(f"&#{ord(character)};" for character in key),
    "percent-encoded": lambda key: quote(key, safe=""),
    "percent-encoded twice": lambda key: quote(quote(key, safe=""), safe=""),
    "percent-encoded to the last character": lambda key: "".join(f"%{byte:02X}" for byte in key.encode()),
    "in base64": lambda key: base64.b64encode(key.encode()).decode(),
    "in base64 after a login": lambda key: base64.b64encode(f"login:{key}".encode()).decode(),
    "in base64 between other things": lambda key: base64.urlsafe_b64encode(f"ab{key}cde".encode()).decode(),
    "in base64 over lines": lambda key: base64.encodebytes((key * 3).encode()).decode(),
    "in hexadecimal digits": lambda key: key.encode().hex(),
    "over two lines": lambda key: f"{key[:9]}\r\n\t{key[9:]}",
    "over two lines, as JSON": lambda key: f"{key[:9]}\\n{key[9:]}",
    "with what shows nothing": "\u200b".join,
    "with combining marks": "\u0301".join,
    "with a blank letter": "\u2800".join,
    "over lines, as C does it": "\\\n".join,
    "over lines, as quoted-printable": "=\r\n".join,
    "over lines, as HTML": "<br>".join,
    "over lines, as a quotation": "\n> ".join,
    "as HTML without semicolons": lambda key: "".join(f"&#{ord(character)}" for character in key),
    "as HTML with many zeros": lambda key: "".join(f"&#0000000{ord(character)};" for character in key),
    "as HTML in hexadecimal digits": lambda key: "".join(f"&#x{ord(character):X};" for character in key),
    "as long code points": lambda key: "".join(f"\\U{ord(character):08x}" for character in key),
    "as code points in braces": lambda key: "".join(f"\\u{{{ord(character):x}}}" for character in key),
    "in octal": lambda key: "".join(f"\\{ord(character):03o}" for character in key),
    "as quoted-printable": lambda key: "".join(f"={ord(character):02X}" for character in key),
    "percent-encoded four times": lambda key: quote(quote(quote(quote(key, safe=""), safe=""), safe=""), safe=""),
    "in base64 twice": lambda key: base64.b64encode(base64.b64encode(key.encode())).decode(),
    "in base64, percent-encoded before": lambda key: base64.b64encode(quote(key, safe="").encode()).decode(),
    "in base64 of UTF-16": lambda key: base64.b64encode(key.encode("utf-16-le")).decode(),
    "in hexadecimal digits with colons": lambda key: key.encode().hex(":"),
    "in full width": lambda key: "".join(chr(ord(character) + 0xFEE0) for character in key),
}
secrets = st.text(string.ascii_letters + string.digits + "-_/+.~&'\"%<=", min_size=8, max_size=60)
texts = st.text(max_size=30)


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_secret_is_masked_in_every_spelling(spelling: str) -> None:
    written = SPELLINGS[spelling](KEY)
    shown = Redactor([KEY]).show(f"The key {written} is wrong")
    assert shown.startswith("The key ")
    assert shown.endswith(" is wrong")
    assert MASK in shown
    assert not any(written[start : start + 12] in shown for start in range(len(written) - 12))


@given(secrets, st.sampled_from(sorted(SPELLINGS)), texts, texts)
@example("000000=0", "over lines, as a quotation", "", "")
@example("abc\\defgh", "over lines, as HTML", "", "")
@example("0000=00<", "as HTML", "", "")
def test_any_secret_is_masked_wherever_it_stands(secret: str, spelling: str, before: str, after: str) -> None:
    written = SPELLINGS[spelling](secret)
    assert MASK in Redactor([secret]).show(f"{before} {written} {after}")


@given(st.text() | st.integers() | st.none() | st.lists(st.text()))
@example("a\ud83d\x00\u202e\x7f\u2028b")
@example("x" * 10**6)
@example(10**5000)
def test_what_is_shown_can_be_stored_and_printed(text: object) -> None:
    for shown in (Redactor(["secret"]).show(text), harmless(text)):
        assert len(shown) <= LONGEST_SHOWN
        shown.encode()
        assert "\n" not in shown
        assert not any(character in shown for character in map(chr, [*range(32), *range(0x7F, 0xA0)]))


@given(st.text(string.ascii_letters + string.punctuation + "äß東 ", max_size=200))
def test_an_ordinary_text_is_shown_as_it_is(text: str) -> None:
    assert Redactor(["a-key-that-is-not-in-it"]).show(text) == " ".join(text.split())


@pytest.mark.parametrize("before", [LONGEST_READ - 5, LONGEST_READ - len(KEY) + 1, LONGEST_SHOWN - 10])
def test_a_secret_that_is_cut_in_two_does_not_show_its_first_half(before: int) -> None:
    shown = Redactor([KEY]).show(" " * before + KEY * 400)
    assert KEY[:6].casefold() not in shown.casefold()


def test_secrets_may_be_added_and_the_token_behind_a_scheme_is_one() -> None:
    redactor = Redactor(["first-secret"])
    redactor.hide(["Bearer a-later-token", " "])
    assert redactor.show("first-secret, a-later-token and bearer") == f"{MASK}, {MASK} and bearer"


def test_no_secret_masks_nothing() -> None:
    assert Redactor(["", " "]).show("a text with blanks") == "a text with blanks"


def test_joiners_that_scripts_need_stay() -> None:
    assert harmless("👩\u200d🔬") == "👩\u200d🔬"
