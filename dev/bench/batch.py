"""A batch of LlamaCloud whose files were parsed: all of it is computed from the number of a file, and of any size.

``/5000/50/api/v2/batches/<id>`` is a batch of 5,000 files with 50 ms of latency. Its documents come as Markdown within
the answer of their job, or as PDF by a signed URL; that of a batch of one file has a gigabyte.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from hashlib import blake2b, sha256
from typing import Any, NamedTuple
from urllib.parse import parse_qs
from uuid import UUID

BATCH_ID = "bat-7c1f0a52-93d8-4b6e-8f51-2a4d9be07c36"
DIRECTORY_ID = "dir-1d2f7c3a-6b0e-4d59-a7c4-90e3b1f8a265"
PATH = f"/api/v2/batches/{BATCH_ID}"
DIRECTORY = f"/api/v1/beta/directories/{DIRECTORY_ID}/files"
JOBS = "/api/v2/parse"
FILES = "/files/"
PAGE_SIZE = 100
TOGETHER = 50  # jobs that ours asks for in one request

PAGES_OF_A_DOCUMENT = 2
LARGE, SMALL = 1 << 30, 4 << 10
BLOCK = b"%PDF-1.7\n".ljust(1 << 20, b"0")
"""What each block of a PDF is: nobody reads it."""


class File(NamedTuple):
    """A body of blocks that are all the same."""

    size: int

    @property
    def blocks(self) -> Iterable[memoryview]:
        """Return the blocks."""
        block = memoryview(BLOCK)
        return (block[: self.size - start] for start in range(0, self.size, len(BLOCK)))


def number_of(identifier: str) -> int:
    """Return the number of the file that an identifier contains."""
    return int(identifier[4:12], 16)


def identifier(prefix: str, number: int) -> str:
    """Return an identifier that contains the number of a file."""
    digest = blake2b(f"{prefix}/{number}".encode(), digest_size=12).digest()
    return f"{prefix}-{UUID(bytes=number.to_bytes(4, 'big') + digest, version=4)}"


def page_of(number: int, page: int) -> str:
    """Return the Markdown of a page, of 2 kB."""
    lines = "".join(
        f"| {line} | {sha256(f'{number}/{page}/{line}'.encode()).hexdigest()} | {line}.50 |\n" for line in range(24)
    )
    return f"# Report {number}, page {page}\n\n| item | reference | amount |\n|---|---|---|\n{lines}"


def markdown(number: int) -> str:
    """Return the Markdown of a document."""
    return "\n".join(page_of(number, page) for page in range(1, PAGES_OF_A_DOCUMENT + 1))


def pdf(jobs: int) -> File:
    """Return the PDF of any document."""
    return File(LARGE if jobs == 1 else SMALL)


@lru_cache
def _digest_of_pdf(jobs: int) -> str:
    digest = sha256()
    for block in pdf(jobs).blocks:
        digest.update(block)
    return digest.hexdigest()


class Batch(NamedTuple):
    """The results of the batch, as cases name them."""

    kind: str  # of the files that are fetched
    name: str = "llamacloud.batch_results"
    path: str = PATH

    @property
    def described(self) -> str:
        """How it is read, for the report."""
        return f"one batch, a request for each of its files, whose {self.kind} is stored beside the rows"

    def ids(self, jobs: int) -> Iterable[str]:
        """Return the id of every row with the digest of its file."""
        for number in range(jobs):
            content = sha256(markdown(number).encode()).hexdigest() if self.kind == "markdown" else _digest_of_pdf(jobs)
            yield f"{identifier('dfl', number)} {content}"


MARKDOWN, PDF = Batch("markdown"), Batch("pdf")


def job(number: int) -> dict[str, Any]:
    """Return a parse job."""
    return {
        "id": identifier("pjb", number),
        "project_id": "prj-5d1c43f2-7a0e-4c1b-9f27-3b6f0f2a9d10",
        "status": "COMPLETED",
        "error_message": None,
        "name": f"scan {number}.pdf",
        "tier": "agentic",
        "created_at": "2026-11-20T12:00:00.000Z",
        "updated_at": "2026-11-20T12:00:41.000Z",
        "user_metadata": None,
    }


def _batch(jobs: int) -> Any:
    return {
        "id": BATCH_ID,
        "config": {"job": {"configuration_id": "cfg-0b9e7c58-1f44-4e0a-8a63-c2d17be0f9a4", "type": "parse_v2"}},
        "project_id": "prj-5d1c43f2-7a0e-4c1b-9f27-3b6f0f2a9d10",
        "source_directory_id": DIRECTORY_ID,
        "status": "COMPLETED",
        "created_at": "2026-11-20T12:00:00.000Z",
        "updated_at": "2026-11-20T12:11:00.000Z",
        "results": [
            {
                "source_directory_file_id": identifier("dfl", number),
                "error_message": None,
                "job_reference": {"id": identifier("pjb", number), "type": "parse_v2"},
            }
            for number in range(jobs)
        ],
    }


def _directory_page(query: Mapping[str, Sequence[str]], jobs: int) -> Any:
    size, start = min(int(query.get("page_size", ["50"])[0]), PAGE_SIZE), int(query.get("page_token", ["0"])[0])
    stop = min(start + size, jobs)
    items = [
        {
            "id": identifier("dfl", number),
            "directory_id": DIRECTORY_ID,
            "display_name": f"scan {number}.pdf",
            "project_id": "prj-5d1c43f2-7a0e-4c1b-9f27-3b6f0f2a9d10",
            "unique_id": f"customer-{number}",
            "file_id": identifier("fil", number),
            "metadata": {"source": "scanner 3"},
            "created_at": "2026-11-20T11:00:00.000Z",
            "updated_at": "2026-11-20T11:00:00.000Z",
            "deleted_at": None,
            "download_url": None,
        }
        for number in range(start, stop)
    ]
    return {"items": items, "next_page_token": str(stop) if stop < jobs else None, "total_size": None}


def _parsed(number: int, expand: Sequence[str], jobs: int, origin: str) -> Any:
    body: dict[str, Any] = {"job": {**job(number), "usage": {"credits": 2.0}}}
    if "markdown" in expand:
        pages = range(1, PAGES_OF_A_DOCUMENT + 1)
        body["markdown"] = {
            "pages": [{"page_number": page, "success": True, "markdown": page_of(number, page)} for page in pages]
        }
    if "markdown_full" in expand:
        body["markdown_full"] = markdown(number)
    if "output_pdf_content_metadata" in expand:
        url = f"{origin}{FILES}{identifier('pjb', number)}.pdf?X-Amz-Expires=300&X-Amz-Signature=0f3a"
        content = {"size_bytes": pdf(jobs).size, "exists": True, "presigned_url": url}
        body["result_content_metadata"] = {"outputPDF": content}
    return body


@lru_cache(maxsize=4)
def _rendered_batch(jobs: int) -> bytes:
    return _json(_batch(jobs))


def answer(path: str, query: str, jobs: int, origin: str) -> bytes | File | None:
    """Return what answers a request, or None if there is no such path.

    :param origin: where the paths of this batch begin
    """
    if path == PATH:
        return _rendered_batch(jobs)
    values = parse_qs(query)
    if path == DIRECTORY:
        return _json(_directory_page(values, jobs))
    if path == JOBS:
        found = [job(number_of(identifier)) for identifier in values.get("job_ids", ())]
        return _json({"items": found, "next_page_token": None, "total_size": len(found)})
    if path.startswith(f"{JOBS}/"):
        return _json(_parsed(number_of(path.removeprefix(f"{JOBS}/")), values.get("expand", ()), jobs, origin))
    return pdf(jobs) if path.startswith(FILES) else None


def _json(document: Any) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode()
