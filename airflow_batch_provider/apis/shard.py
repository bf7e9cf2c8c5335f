"""A share of the items of a batch, so that several tasks can export one batch."""

from __future__ import annotations

import hashlib
import re

import msgspec

_SHARD = re.compile(r"([0-9]{1,6})/([0-9]{1,6})")


class Shard(msgspec.Struct, frozen=True):
    """The items whose ids a hash puts into one of so many shares; an id is in the same share wherever it is read.

    :param number: which share, from 1
    :param of: how many shares there are
    """

    number: int
    of: int

    def __contains__(self, identifier: object) -> bool:
        """Return whether an item belongs to this share."""
        digest = hashlib.sha256(str(identifier).encode("utf-8", "surrogatepass")).digest()
        return int.from_bytes(digest[:8], "big") % self.of == self.number % self.of

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"


class Shards(msgspec.Struct, frozen=True):
    """The values of ``shard``: texts such as ``3/16``."""

    allowed: str = "a text such as '3/16', from '1/16' to '16/16'"

    def encode(self, value: object) -> str | None:
        shard = read_shard(value)
        return None if shard is None else str(shard)


def read_shard(value: object) -> Shard | None:
    """Read a text such as ``3/16``; None if it is none. ``0/16`` is ``16/16``, for those who count from 0."""
    found = _SHARD.fullmatch(value) if isinstance(value, str) else None
    if not found:
        return None
    number, of = int(found[1]), int(found[2])
    return Shard(number or of, of) if number <= of and of else None
