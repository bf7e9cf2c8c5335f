"""Reads what is at a destination as what it is: bytes that anybody may have written."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Annotated, Any

import msgspec

from airflow_batch_provider.codec import UnreadableError

if TYPE_CHECKING:
    from airflow_batch_provider.stores.destination import Store

MOST_BYTES = 32 << 20
"""Of a manifest or a checkpoint: enough for a hundred thousand parts."""
DEEPEST = 50
"""Levels of values that have no type of ours."""

Count = Annotated[int, msgspec.Meta(ge=0, le=(1 << 63) - 1)]

_PIECE = 1 << 20
_SHA256 = re.compile(r"[0-9a-f]{64}")


def read_document(store: Store, name: str) -> bytes | None:
    """Return the content of a manifest or a checkpoint, or None if there is none.

    :raises UnreadableError: it is too large to be one of ours
    """
    size = store.size(name)
    if size is not None and size > MOST_BYTES:
        raise UnreadableError(f"it has {size} bytes, more than the {MOST_BYTES} that one has")
    return None if size is None else store.read(name)


def check_sha256(value: str) -> None:
    """Check that a text is a SHA-256.

    :raises ValueError: it is not
    """
    if not _SHA256.fullmatch(value):
        raise ValueError(f"{value[:100]!r} is not a SHA-256")


def check_depth(value: Any, most: int = DEEPEST) -> None:
    """Check that a value is not nested too deeply.

    :raises ValueError: it is
    """
    if most < 0:
        raise ValueError("it is nested too deeply")
    if isinstance(value, (dict, list)):
        for inner in value.values() if isinstance(value, dict) else value:
            check_depth(inner, most - 1)


def is_intact(store: Store, name: str, size: int, sha256: str) -> bool:
    """Return whether a file has the size and the digest that it should have."""
    digest, left = hashlib.sha256(), size
    try:
        with store.open(name) as file:
            while left >= 0 and (piece := file.read(_PIECE)):
                digest.update(piece)
                left -= len(piece)
    except FileNotFoundError:
        return False
    return left == 0 and digest.hexdigest() == sha256
