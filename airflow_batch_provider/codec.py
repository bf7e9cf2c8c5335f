"""The one codec for what is stored or sent: manifests, checkpoints, events, kept watches.

Each is a msgspec struct with a ``version``. The version is checked first, because a value of another version may have
another shape; then every field is checked against its type, strictly. Unknown fields are ignored, so that a later
release may add some, and a missing field takes its default.
"""

from __future__ import annotations

import json
from typing import Any, TypeVar

import msgspec

T = TypeVar("T", bound=msgspec.Struct)


class UnreadableError(ValueError):
    """The content is not what this package stores or sends: another version, another shape, or not JSON at all."""


class _Versioned(msgspec.Struct):
    version: int


def encode(value: msgspec.Struct, *, indent: int | None = None) -> bytes:
    """Return a value as ASCII JSON; Python's encoder takes lone surrogates, which a vendor may send."""
    return json.dumps(msgspec.to_builtins(value), indent=indent).encode()


def decode(content: bytes, into: type[T], *, version: int, unversioned: int | None = None) -> T:
    """Read stored JSON.

    :param content: the whole content
    :param into: the type of the value
    :param version: the only version that this release reads
    :param unversioned: the version of a value that has none, if earlier releases wrote such
    :raises UnreadableError: it is anything else
    """
    try:
        value = json.loads(content)
    except RecursionError:
        raise UnreadableError("it is nested too deeply") from None
    except ValueError as error:
        raise UnreadableError(f"it is not JSON: {error}") from None
    return convert(value, into, version=version, unversioned=unversioned)


def convert(value: Any, into: type[T], *, version: int, unversioned: int | None = None) -> T:
    """Read a value that is decoded already, such as the payload of an event; otherwise as :func:`decode`."""
    if unversioned is not None and isinstance(value, dict):
        value = {"version": unversioned, **value}
    try:
        found = msgspec.convert(value, _Versioned).version
        if found != version:
            raise UnreadableError(f"it has version {found}; this release reads version {version}")
        return msgspec.convert(value, into)
    except RecursionError:
        raise UnreadableError("it is nested too deeply") from None
    except UnreadableError:
        raise
    # ValueError is text with a lone surrogate; before msgspec 0.21, its own errors do not derive from it.
    except (ValueError, msgspec.MsgspecError) as error:
        raise UnreadableError(str(error)) from None
