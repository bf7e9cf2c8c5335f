"""Reads ``multipart/form-data``, to the byte."""

from __future__ import annotations

import re
from dataclasses import dataclass

from dev.chaos.counting.account import Asked

_NAME = re.compile(rb'[;\s]name="([^"]*)"')
_FILE_NAME = re.compile(rb'filename="([^"]*)"')


@dataclass(frozen=True)
class Part:
    """A part of a form.

    :param content: its bytes
    :param file_name: of a file
    """

    content: bytes
    file_name: str = ""


def parts_of(asked: Asked) -> dict[str, Part]:
    """Return the parts of a form by name; none if the body is no form."""
    found = re.search(r'boundary="?([^";]+)"?', asked.headers.get("content-type", ""))
    if not found:
        return {}
    parts = {}
    for piece in (b"\r\n" + asked.body).split(b"\r\n--" + found.group(1).encode())[1:-1]:
        head, _, content = piece.partition(b"\r\n\r\n")
        if name := _NAME.search(head):
            file_name = _FILE_NAME.search(head)
            parts[name.group(1).decode()] = Part(content, file_name.group(1).decode() if file_name else "")
    return parts
