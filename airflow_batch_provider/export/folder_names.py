"""Folder names that are safe to make from a vendor's ids."""

from __future__ import annotations

import hashlib
import re

LONGEST_NAME = 100
"""Characters of a name, all of them ASCII."""

_PLAIN = re.compile(rf"[a-z0-9](?:[a-z0-9_.-]{{0,{LONGEST_NAME - 2}}}[a-z0-9])?")
_OURS = re.compile(r"files|part-.*|.*\.\..*|.*\.[0-9a-f]{32}")
"""Plain, but names of our own files, parent folders to some tools, or names that this module makes of other ids."""

_LONGEST_PREFIX = 60
_OTHERS = re.compile(r"[^a-z0-9_.]+|\.{2,}")


def folder_name(identifier: str) -> str:
    """Return a folder name for an id. Different ids have different names.

    An id of lower-case letters, digits, hyphens, underscores and inner dots is used as it is. Any other id, or a longer
    one, becomes a readable beginning and 32 digits of its SHA-256: ``Batch 7`` becomes ``batch-7.b66f...``. So names
    differ even if a file system ignores case or normalises Unicode. They contain no separator, and do not begin with an
    underscore or a dot, as the names of our own files do.

    :param identifier: the vendor's id
    """
    if _PLAIN.fullmatch(identifier) and not _OURS.fullmatch(identifier):
        return identifier
    digest = hashlib.sha256(identifier.encode("utf-8", "surrogatepass")).hexdigest()[:32]
    readable = _OTHERS.sub("-", identifier[:_LONGEST_PREFIX].lower())[:_LONGEST_PREFIX].strip("-_.")
    if not readable or readable.startswith("part-"):
        readable = f"id-{readable}".strip("-")
    return f"{readable}.{digest}"
