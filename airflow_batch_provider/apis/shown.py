"""The one door for a vendor's text: text that goes anywhere but into an export's rows is made harmless here.

An event with a lone surrogate kills Airflow's triggerer, PostgreSQL takes no NUL, and a vendor may repeat the API key
in any spelling. So events, XComs, summaries, logs, exceptions and counts take :data:`Shown` text only.
"""

from __future__ import annotations

import html
import re
import sys
import unicodedata
from base64 import b64encode
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from itertools import product
from typing import NewType
from urllib.parse import quote

Shown = NewType("Shown", str)
"""Text without lone surrogates, control characters or secrets, on one line, and cut to a length."""

Show = Callable[[object], Shown]
"""Makes text harmless, as :meth:`Redactor.show` does."""

LONGEST_SHOWN = 300
"""Characters kept of a vendor's text: enough for a sentence, too little for a page of customer data."""

LONGEST_READ = 10_000
"""Characters of a vendor's text that are processed: nobody reads more, and a status word may be megabytes long."""

MASK = "***"

MOST_SECRETS = 8
"""Secrets beside the connection's own that are remembered: a callable auth may make new headers for each request."""

LONGEST_SPELLING = 10
"""Characters that one of a secret may take: ``\\U00000041``."""

MOST_ENCODINGS = 4
"""How often a secret may have been encoded on its way, one encoding around the other."""

_JOINERS = "\u200c\u200d"  # scripts and emoji need them, and they do no harm

# What one character may be written as: percent-encoded, escaped as JSON, C or Python do it, escaped as HTML, or in
# quoted-printable; and what breaks a line in each of them.
_FAMILIES = (
    r"%(?P<percent>[0-9a-f]{2})",
    r"\\[ux]\{?(?P<unicode>[0-9a-f]{1,8})\}?|\\(?P<octal>[0-7]{3})|(?P<c_break>\\\r?\n|\\[nrtfb])|\\(?P<escaped>.)",
    r"(?P<quoted_break>=\r?\n)|=(?P<quoted>[0-9a-f]{2})",
    r"(?P<html_break><br\s?/?>)|&#(?P<decimal>0{0,20}[0-9]{1,7});?|&#x(?P<hexadecimal>0{0,20}[0-9a-f]{1,6});?"
    r"|(?P<entity>&\w{1,8};)",
    r"(?P<quotation_break>\n>)",
)
_ENCODINGS = tuple(re.compile(family, re.IGNORECASE) for family in (*_FAMILIES, "|".join(_FAMILIES)))
"""Each family alone, and all together: what one family wrote may look like another, as ``=00`` in a percent-encoded
secret looks like quoted-printable."""
_BASES = {"percent": 16, "unicode": 16, "octal": 8, "quoted": 16, "decimal": 10, "hexadecimal": 16}
_PLAIN = re.compile(r"[\w.:/+|,;()*@~^!-]{1,1000}", re.ASCII)
"""Texts without blanks and without a character that begins an encoded one."""

_BLANK_LETTERS = "\u2800\u3164\uffa0\u115f\u1160"
_URL_SAFE = str.maketrans("-_", "+/")  # the two alphabets of base64


def harmless(text: object, longest: int = LONGEST_SHOWN) -> Shown:
    """Return a text as it can be stored, sent and printed anywhere; what is not printable is escaped.

    :param text: any value
    :param longest: the most characters to return
    """
    line = " ".join(redact_urls(_written_out(text)[: longest + LONGEST_READ]).split())
    if not line.isprintable():
        line = "".join(map(_printable, line))
    return Shown(line if len(line) <= longest else line[: longest - 3] + "...")


def redact_urls(text: str) -> str:
    """Return a text without logins in URLs, without queries of URLs, which may be signed, and without ``token=...``."""
    if "://" in text:
        text = _QUERY.sub(r"\1?***", _LOGIN.sub(MASK, text))
    return _CREDENTIAL.sub(r"\1=***", text) if "=" in text else text


def has_login(url: str) -> bool:
    """Return whether a URL contains a login, also if there is a slash or an at sign in its password."""
    return _LOGIN.search(url) is not None


# A connection's id before the bucket of a destination is no login.
# The repeats are bounded, because hostile text would make them take time that grows with its square.
_LOGIN = re.compile(
    r"(?<=://)[^\s/@:]{0,200}:\S{0,500}(?=@)|(?<=http://)[^\s/@]{1,500}(?=@)|(?<=https://)[^\s/@]{1,500}(?=@)"
)
_QUERY = re.compile(r"""(https?://[^\s?'"<>]{1,1200})\?[^\s'"<>)]+""")
_CREDENTIAL = re.compile(
    r"(?i)\b(sig|signature|token|secret|password|account_?key|shared_?access_?(?:key|signature)|sas_token)=[^&\s;,'\"]+"
)


def _printable(character: str) -> str:
    if character.isprintable() or character in _JOINERS:
        return character
    return character.encode("unicode_escape").decode()


class Redactor:
    """Makes text harmless for one connection, whose secrets it knows.

    :param secrets: what may not be shown; blank ones are ignored
    """

    def __init__(self, secrets: Iterable[str]) -> None:
        self._own = tuple(secrets)
        self._hidden: deque[str] = deque(maxlen=MOST_SECRETS)
        self._compile()

    def hide(self, secrets: Iterable[str]) -> None:
        """Keep more secrets out of what is shown from now on."""
        new = [secret for secret in secrets if secret.strip() and secret not in self._hidden]
        if new:
            self._hidden.extend(new)
            self._compile()

    def _compile(self) -> None:
        # Of "Bearer <token>" the token alone is a secret too.
        secrets = {*self._own, *self._hidden, *(value.split()[-1] for value in self._hidden)}
        spellings = {spelling for secret in secrets if secret.strip() for spelling in _spellings(secret)}
        written = sorted(spellings, key=len, reverse=True)
        self._spellings = written
        self._pattern = re.compile("|".join(map(re.escape, written)) or r"(?!)")
        self._shortest = min(map(len, written), default=sys.maxsize)
        self._longest = min(max(map(len, written), default=0) * LONGEST_SPELLING, LONGEST_READ - LONGEST_SHOWN)

    def show(self, text: object, longest: int = LONGEST_SHOWN) -> Shown:
        """Return a vendor's text as it may be shown.

        :param text: what the vendor sent; anything but a text is written out
        :param longest: the most characters to return
        """
        whole = _written_out(text)
        if len(whole) < self._shortest or self._is_plainly_without(whole):
            return harmless(whole, longest)
        # What was cut in two is no longer recognized, so the end of what was read is not shown.
        return harmless(self._redact(whole[:LONGEST_READ], min(len(whole), LONGEST_READ - self._longest)), longest)

    def _is_plainly_without(self, text: str) -> bool:
        """Return whether a text contains neither a secret nor an encoded character, as most ids do not."""
        if not _PLAIN.fullmatch(text):
            return False
        canonical = _canonical(text)
        return not any(spelling in canonical for spelling in self._spellings)

    def _redact(self, text: str, end: int) -> str:
        hidden: list[tuple[int, int]] = []
        for layer in _layers(text):
            canonical = _canonical("".join(character for character, _, _ in layer))
            for found in self._pattern.finditer(canonical):
                hidden.append((layer[found.start()][1], layer[found.end() - 1][2]))
        shown, reached = [], 0
        for first, behind in sorted(hidden):
            if reached <= first < end:
                shown += [text[reached:first], MASK]
            reached = max(reached, behind)
        return "".join(shown) + text[reached:end]


_Piece = tuple[str, int, int]
"""A character, and where what it was written as begins and ends in the text."""


def _layers(text: str) -> Iterator[list[_Piece]]:
    """Yield a text without blanks as it is, and then with one encoding after the other taken off."""
    pieces: list[_Piece] = [(character, index, index + 1) for index, character in enumerate(text)]
    yield _without_blanks(pieces)
    for encoding in _ENCODINGS:
        layer = pieces
        for _ in range(MOST_ENCODINGS):
            decoded = list(_decoded(layer, encoding))
            if len(decoded) == len(layer):
                break
            layer = decoded
            yield _without_blanks(layer)


def _without_blanks(pieces: list[_Piece]) -> list[_Piece]:
    return [piece for piece in pieces if not _is_blank(piece[0])]


def _decoded(pieces: list[_Piece], encoding: re.Pattern[str]) -> Iterator[_Piece]:
    text, reached = "".join(character for character, _, _ in pieces), 0
    for found in encoding.finditer(text):
        yield from pieces[reached : found.start()]
        reached = found.end()
        characters = _decode(found)
        if len(characters) != 1:
            yield from pieces[found.start() : reached]
        else:
            yield characters, pieces[found.start()][1], pieces[reached - 1][2]
    yield from pieces[reached:]


def _decode(found: re.Match[str]) -> str:
    kind = str(found.lastgroup)
    written = found[kind]
    if base := _BASES.get(kind):
        code = int(written, base)
        return chr(code) if code < sys.maxunicode else ""
    if kind == "entity":
        return html.unescape(written)
    return written if kind == "escaped" else "\n"


def _is_blank(character: str) -> bool:
    """Return whether a character shows nothing, so that a secret remains one with it in between."""
    return (
        character.isspace()
        or unicodedata.category(character) in {"Cc", "Cf", "Cs", "Mn", "Me"}
        or character in _BLANK_LETTERS
    )


def _canonical(text: str) -> str:
    # Character by character, for positions to stay: some have several in their plain form.
    return (text.lower() if text.isascii() else "".join(map(_plain, text))).translate(_URL_SAFE)


def _plain(character: str) -> str:
    """Return a character in its usual width, and small."""
    plain = unicodedata.normalize("NFKC", character).lower()
    return plain if len(plain) == 1 else character


def _spellings(secret: str) -> Iterator[str]:
    """Yield a secret as it is, in hexadecimal digits, and in base64 wherever it begins in what is encoded."""
    content = secret.encode("utf-8", "surrogatepass")
    yield _canonical("".join(character for character in secret if not _is_blank(character)))
    if len(content) < 4:  # two or three digits of something else would look the same
        return
    yield content.hex()
    yield content.hex(":")
    for written in (content, quote(content, safe="").encode(), b64encode(content), *_in_utf_16(secret)):
        yield from _in_base64(written)


def _in_utf_16(secret: str) -> Iterator[bytes]:
    for encoding in ("utf-16-le", "utf-16-be"):
        yield secret.encode(encoding, "surrogatepass")


def _in_base64(content: bytes) -> Iterator[str]:
    for before, after in product(range(3), range(3)):
        encoded = b64encode(bytes(before) + content + bytes(after)).decode().rstrip("=")
        first = (before * 8 + 5) // 6
        last = (before + len(content)) * 8 // 6
        yield _canonical(encoded[first:last])


def _written_out(value: object) -> str:
    if isinstance(value, str):
        return value
    try:
        return str(value)
    except (ValueError, RecursionError):  # more digits, or more nesting, than the interpreter writes
        return f"({type(value).__name__})"
