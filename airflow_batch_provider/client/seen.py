"""The rows that a reading has met, by hashes of their ids."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

from airflow_batch_provider.apis.page import Row

DIGEST_SIZE = 16
"""Bytes kept of each id: with a hundred million rows, two share a hash once in 10^22 exports."""


def digests_of(rows: Iterable[Row]) -> list[bytes]:
    """Return the hashes of rows' ids; a number and the text of it are two ids."""
    return [hashlib.blake2b(repr(row.id).encode(), digest_size=DIGEST_SIZE).digest() for row in rows]


class SeenRows:
    """Which rows were read, and in which pass last.

    :param digests: the hashes of rows that were read in the first pass already, one after the other
    """

    def __init__(self, digests: bytes = b"") -> None:
        starts = range(0, len(digests), DIGEST_SIZE)
        self._passes = {digests[start : start + DIGEST_SIZE]: 1 for start in starts}

    def __len__(self) -> int:
        return len(self._passes)

    def in_pass(self, digests: Sequence[bytes], number: int) -> list[bool]:
        """Tell of each row whether it was read in a pass already."""
        passes = self._passes
        return [passes.get(digest) == number for digest in digests]

    def add(self, digests: Sequence[bytes], number: int) -> tuple[int, list[int]]:
        """Note that rows were read in a pass.

        :return: how many of them were not read in it before, and the places of those that were never read
        """
        passes = self._passes
        fresh, new = 0, []
        for place, digest in enumerate(digests):
            known = passes.get(digest)
            if known != number:
                fresh += 1
                passes[digest] = number
                if known is None:
                    new.append(place)
        return fresh, new
