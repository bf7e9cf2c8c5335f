"""The rows that a reading has met, by hashes of their ids."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b

DIGEST_SIZE = 16
"""Bytes kept of each id: with a hundred million rows, two share a hash once in 10^22 exports."""

_BUCKETS = 1 << 16


def digests_of(ids: Sequence[str | int]) -> list[bytes]:
    """Return the hashes of ids; a number and the text of it are two."""
    return [blake2b(f"{identifier!r}".encode(), digest_size=DIGEST_SIZE).digest() for identifier in ids]


class SeenRows:
    """Which rows were read.

    The hashes lie one after the other in buckets, by their first two bytes: a third of what a set of them takes. That
    a hash is found across two others by chance is as likely as that two ids share one.

    :param digests: the hashes of rows that were read already, one after the other
    """

    def __init__(self, digests: bytes = b"") -> None:
        self._buckets = [b""] * _BUCKETS
        self._rows = 0
        self.add([digests[start : start + DIGEST_SIZE] for start in range(0, len(digests), DIGEST_SIZE)])

    def __len__(self) -> int:
        return self._rows

    def any(self, digests: Sequence[bytes]) -> bool:
        """Tell whether one of some rows was read."""
        return any(digest in self._buckets[_bucket(digest)] for digest in digests)

    def add(self, digests: Sequence[bytes]) -> list[int]:
        """Note that rows were read, and return the places of those that had not been."""
        buckets, new = self._buckets, []
        numbers = memoryview(b"".join(digests)).cast("H")[:: DIGEST_SIZE // 2].tolist()
        for place, (number, digest) in enumerate(zip(numbers, digests, strict=True)):
            bucket = buckets[number]
            if digest not in bucket:
                buckets[number] = bucket + digest
                new.append(place)
        self._rows += len(new)
        return new


def _bucket(digest: bytes) -> int:
    return memoryview(digest).cast("H")[0]
