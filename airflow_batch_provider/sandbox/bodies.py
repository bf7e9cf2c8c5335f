"""Reads what is written to the APIs: JSON objects and forms with files, checked as FastAPI does."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request

T = TypeVar("T")
CHUNK = 1 << 16


@dataclass(frozen=True)
class Upload:
    """What is kept of a file: not its bytes.

    :param name: the name that it was sent with.
    :param size: number of bytes.
    :param sha256: of its bytes, hexadecimal.
    :param text: its bytes, if they were asked for.
    """

    name: str
    size: int
    sha256: str
    text: bytes = b""


class Body:
    """The fields of a body; ``problems`` collects what is wrong with them, in FastAPI's form.

    :param fields: what was sent.
    :param at: where these fields are in the body.
    """

    def __init__(self, fields: Mapping[str, Any], at: tuple[str, ...] = ("body",)) -> None:
        self.fields, self._at = fields, at
        self.problems: list[dict[str, Any]] = []

    def text(self, name: str, required: bool = False, most: int | None = None) -> str | None:
        """Return a text; one that is required has at least one character."""
        value = self.fields.get(name)
        if value is None and not required:
            return None
        if name not in self.fields:
            return self.refuse(name, "missing", "Field required", None)
        if not isinstance(value, str):
            return self.refuse(name, "string_type", "Input should be a valid string", None)
        if required and not value:
            return self.refuse(name, "string_too_short", "String should have at least 1 character", None)
        if most is not None and len(value) > most:
            return self.refuse(name, "string_too_long", f"String should have at most {most} characters", None)
        return value

    def choice(self, name: str, allowed: tuple[str, ...], required: bool = False) -> str | None:
        """Return one of some words."""
        value = self.text(name, required)
        if value is None or value in allowed:
            return value
        return self.refuse(name, "enum", f"Input should be one of {', '.join(map(repr, allowed))}", None)

    def mapping(self, name: str, required: bool = False) -> dict[str, Any] | None:
        """Return an object."""
        value = self.fields.get(name)
        if value is None and not required:
            return None
        if name not in self.fields:
            return self.refuse(name, "missing", "Field required", None)
        if not isinstance(value, dict):
            return self.refuse(name, "dict_type", "Input should be a valid dictionary", None)
        return value

    def part(self, name: str) -> Body:
        """Return the fields of an object in the body; it is required. What is wrong there is collected here."""
        part = Body(self.mapping(name, required=True) or {}, (*self._at, name))
        part.problems = self.problems
        return part

    def refuse(self, name: str, kind: str, message: str, instead: T) -> T:
        """Note what is wrong with a field; returns ``instead``."""
        value = self.fields.get(name)
        self.problems.append({"type": kind, "loc": [*self._at, name], "msg": message, "input": value})
        return instead


async def json_object(request: Request) -> dict[str, Any] | None:
    """Return the object that a body consists of, or None if it is anything else, or cannot be written again."""
    body = await request.body()
    try:
        value = json.loads(body, parse_constant=_refuse)
        if b"\\ud" in body.lower():
            json.dumps(value, ensure_ascii=False).encode()  # half of a surrogate pair is no text
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


async def form(request: Request, keep: int = 0) -> tuple[dict[str, str], dict[str, Upload]] | None:
    """Return the texts and the files of a multipart form, or None if the body is none.

    :param keep: how many bytes of each file are kept.
    """
    if not request.headers.get("content-type", "").startswith("multipart/form-data"):
        return None
    texts: dict[str, str] = {}
    uploads: dict[str, Upload] = {}
    try:
        async with request.form() as parts:
            for name, value in parts.multi_items():
                if isinstance(value, UploadFile):
                    uploads[name] = await _upload(value, keep)
                else:
                    texts[name] = value
    except HTTPException:
        return None
    return texts, uploads


async def _upload(file: UploadFile, keep: int) -> Upload:
    digest, size, kept = hashlib.sha256(), 0, b""
    while chunk := await file.read(CHUNK):
        digest.update(chunk)
        kept += chunk[: keep - len(kept)]
        size += len(chunk)
    return Upload(file.filename or "", size, digest.hexdigest(), kept)
