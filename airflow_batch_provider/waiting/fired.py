"""Which finished batches a watcher has fired for, kept in Airflow's asset state store."""

from __future__ import annotations

import hashlib
import logging
from base64 import b64decode, b64encode
from collections.abc import Collection
from typing import Any

log = logging.getLogger(__name__)

DIGEST_SIZE = 8

MOST_KEPT = 100_000
"""Batches that are kept although they are not listed as finished: a listing may lack some for a moment."""

MOST_RECENT = 256
"""Batches that are kept beside the others, so that an event costs a small write and not one of them all."""


class FiredBatches:
    """Remembers batches by the hashes of their ids.

    What the store cannot take now is written with what comes next: its faults pass, and no event waits for it.

    :param store: Airflow's asset state store; None before Airflow 3.3, where nothing outlives this process
    :param key: the watcher's own key in it
    """

    def __init__(self, store: Any, key: str) -> None:
        self._store = store
        self._key = key
        self._digests: set[bytes] = set()
        self._recent: set[bytes] = set()
        self._is_written = True
        self.is_known = False

    async def load(self, finished: Collection[str]) -> None:
        """Read what is kept. The first time ever, what is finished already counts as fired.

        ``is_known`` stays false if the store does not answer; nothing may be fired then.

        :param finished: the ids of the finished batches
        """
        try:
            kept = None if self._store is None else await self._store.aget(self._key)
            recent = None if self._store is None else await self._store.aget(self._recent_key)
        except Exception as error:  # noqa: BLE001 - whatever the store raises; the next poll tries again
            log.warning("The record of fired batches cannot be read now, so no event fires: %s", error)
            return
        self.is_known = True
        known = None if kept is None else _unpack(kept)
        if known is None:
            self._digests = set(map(digest_of, finished))
            await self._write_all()
        else:
            self._recent = _unpack(recent) or set()
            self._digests = known | self._recent

    def has(self, batch_id: str) -> bool:
        """Return whether a batch has fired."""
        return digest_of(batch_id) in self._digests

    async def add(self, batch_id: str) -> None:
        """Note that a batch has fired."""
        self._digests.add(digest_of(batch_id))
        self._recent.add(digest_of(batch_id))
        if len(self._recent) > MOST_RECENT:
            await self._write_all()
        else:
            self._is_written = await self._write(self._recent_key, self._recent)

    async def settle(self, finished: Collection[str]) -> None:
        """Write what was not written, and forget what is no longer listed once there is too much.

        :param finished: the ids of the finished batches
        """
        if len(self._digests) > MOST_KEPT + len(finished):
            self._digests = set(map(digest_of, finished))
            await self._write_all()
        elif not self._is_written:
            await self._write_all()

    @property
    def _recent_key(self) -> str:
        return f"{self._key}-recent"

    async def _write_all(self) -> None:
        # In this order: killed in between, some are kept twice.
        self._is_written = await self._write(self._key, self._digests)
        if self._is_written:
            self._recent = set()
            self._is_written = await self._write(self._recent_key, self._recent)

    async def _write(self, key: str, digests: set[bytes]) -> bool:
        if self._store is None:
            return True
        try:
            await self._store.aset(key, b64encode(b"".join(sorted(digests))).decode())
        except Exception as error:  # noqa: BLE001 - whatever the store raises; it is written again later
            log.warning("The record of fired batches cannot be stored now: %s", error)
            return False
        return True


def digest_of(text: str) -> bytes:
    """Return the hash by which a batch is remembered."""
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=DIGEST_SIZE).digest()


def _unpack(kept: object) -> set[bytes] | None:
    """Read what is kept; release 0.1.0 kept a list of hexadecimal digits. None if it cannot be read."""
    try:
        if isinstance(kept, list):
            return set(map(bytes.fromhex, kept))
        packed = b64decode(kept, validate=True) if isinstance(kept, str) else None
    except (TypeError, ValueError):
        return None
    if packed is None or len(packed) % DIGEST_SIZE:
        return None
    return {packed[start : start + DIGEST_SIZE] for start in range(0, len(packed), DIGEST_SIZE)}
