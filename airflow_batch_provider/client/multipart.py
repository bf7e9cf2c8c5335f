"""The body of a request: JSON, or a multipart form that is streamed from its parts."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import IO

from urllib3.fields import RequestField
from urllib3.filepost import choose_boundary

from airflow_batch_provider.apis.request import Part, Request

BLOCK = 256 * 1024


def encode_body(request: Request) -> tuple[bytes | Iterator[bytes] | None, Mapping[str, str]]:
    """Return the body of a request and the headers that describe it, for one attempt."""
    if request.parts:
        boundary = choose_boundary()
        sections = [_section(part, boundary) for part in request.parts]
        end = f"--{boundary}--\r\n".encode()
        size = sum(len(head) + part_size + len(b"\r\n") for head, part_size in sections) + len(end)
        return _stream([head for head, _ in sections], request.parts, end), {
            "Content-Type": f"multipart/form-data; boundary={boundary}",
            "Content-Length": str(size),
        }
    if request.json is None:
        return None, {}
    return json.dumps(request.json).encode(), {"Content-Type": "application/json"}


def _section(part: Part, boundary: str) -> tuple[bytes, int]:
    """Return what comes before the content of a part, and the size of the content."""
    field = RequestField(part.name, b"", filename=part.filename)
    field.make_multipart(content_type=part.content_type)
    head = f"--{boundary}\r\n{field.render_headers()}".encode()
    return head, len(part.content) if part.size is None else part.size


def _stream(heads: Sequence[bytes], parts: Sequence[Part], end: bytes) -> Iterator[bytes]:
    for head, part in zip(heads, parts, strict=True):
        yield head
        with part.open() if part.open else io.BytesIO(part.content) as stream:
            yield from _blocks(stream, part)
        yield b"\r\n"
    yield end


def _blocks(stream: IO[bytes], part: Part) -> Iterator[bytes]:
    """Yield a stream in blocks; one that is shorter or longer than declared would garble the whole body.

    :raises OSError: it is
    """
    left = part.size
    while block := stream.read(BLOCK):
        if left is not None:
            left -= len(block)
            if left < 0:
                break
        yield block
    if left:
        raise OSError(f"part {part.name!r} has another size than the {part.size} bytes declared: it changed meanwhile")
