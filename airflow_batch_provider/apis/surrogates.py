r"""Lone surrogate escapes in JSON, such as ``"\ud800"``.

JSON allows them and Python's parser takes them, msgspec's does not. They are hidden from it behind a random
marker, and put back into what was read: so there is one parser, and nothing else of a value changes.
"""

from __future__ import annotations

import re
import secrets

import msgspec

# A pair, which is fine, or a lone surrogate, or any other escape, so that an escaped backslash is not misread.
_ESCAPES = rb"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\u([dD][89a-fA-F][0-9a-fA-F]{2})|\\."

MOST_SURROGATES = 100_000
"""Lone surrogates in a page, beyond which it is no page: each takes many times its size while it is hidden."""


class Hidden(msgspec.Struct, frozen=True):
    r"""A body without lone surrogates.

    :param body: the body, with the marker in place of their ``\u``
    :param marker: the marker
    """

    body: bytes
    marker: str

    def restore_json(self, text: bytes) -> bytes:
        """Put the escapes back into a piece of the body."""
        return text.replace(self.marker.encode(), rb"\u")

    def restore_text(self, text: str) -> str:
        """Put the surrogates back into a text that was decoded."""
        return re.sub(re.escape(self.marker) + "([0-9a-fA-F]{4})", lambda found: chr(int(found[1], 16)), text)


def hide_lone_surrogates(body: bytes) -> Hidden | None:
    """Return the body without lone surrogates, or None if it has none.

    :raises ValueError: it has more than any page
    """
    marker = f"lone-surrogate-{secrets.token_hex(8)}-"
    found = 0

    def replace(escape: re.Match[bytes]) -> bytes:
        nonlocal found
        if escape[1] is None:
            return escape[0]
        found += 1
        if found > MOST_SURROGATES:
            raise ValueError(f"more than {MOST_SURROGATES} lone surrogates")
        return marker.encode() + escape[1]

    hidden = re.sub(_ESCAPES, replace, body)
    return Hidden(hidden, marker) if found else None
