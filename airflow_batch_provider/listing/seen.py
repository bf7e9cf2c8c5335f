"""The rows that a reading has met, by hashes of their ids."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count

from xxhash import xxh3_128_digest

DIGEST_SIZE = 16
"""Bytes kept of each id: with a hundred million rows, two share a hash once in 10^22 exports."""

_BUCKETS = 1 << 16


def digests_of(ids: Sequence[str | int]) -> list[bytes]:
    """Return the hashes of ids; a number and the text of it are two.

    The hash is one that mixes well and costs a tenth of a cryptographic one: ids are made by the vendor.
    """
    return [
        xxh3_128_digest(identifier.encode("utf-8", "surrogatepass"))
        if isinstance(identifier, str)
        else xxh3_128_digest(b"%d" % identifier, seed=1)
        for identifier in ids
    ]


class SeenRows:
    """Which rows were read.

    The hashes are one after the other in buckets, by their first two bytes: a third of what a set of them takes. That
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

    def add(self, digests: Sequence[bytes]) -> Sequence[int]:
        """Note that rows were read, and return the places of those that had not been."""
        buckets, known = self._buckets, set()
        numbers = memoryview(b"".join(digests)).cast("H")[:: DIGEST_SIZE // 2].tolist()
        for place, number, digest in zip(count(), numbers, digests):
            bucket = buckets[number]
            if digest in bucket:
                known.add(place)
            else:
                buckets[number] = bucket + digest
        self._rows += len(digests) - len(known)
        places = range(len(digests))
        return [place for place in places if place not in known] if known else places


def _bucket(digest: bytes) -> int:
    return memoryview(digest).cast("H")[0]
