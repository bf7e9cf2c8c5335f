"""What ``expand`` adds to a parse job: the document inline, and signed URLs of its files."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from starlette.requests import Request

from airflow_batch_provider.sandbox import documents
from airflow_batch_provider.sandbox.content import Content
from airflow_batch_provider.sandbox.llamacloud_jobs import Document
from airflow_batch_provider.sandbox.storage import Storage

FILES_KEPT = ("markdown", "text", "items", "metadata", "forms", "raw_words", "xlsx", "output_pdf")
FULL = ("markdown_full", "text_full")
IMAGES = "images_content_metadata"
EXPAND_PARSE = (
    *(*documents.INLINE, *FULL, "job_metadata", "usage", IMAGES),
    *(f"{name}_content_metadata" for name in (*FILES_KEPT, *FULL)),
)
KEYS = {"output_pdf": "outputPDF", "raw_words": "rawWords"}  # only outputPDF is documented


class Expansion:
    """Expands parse jobs.

    :param storage: where files are.
    :param document: returns what a job produces, by its id.
    """

    def __init__(self, storage: Storage, document: Callable[[str], Document]) -> None:
        self._storage, self._document = storage, document
        storage.add("parse", self._stored)

    def of(
        self, job_id: str, document: Document, expand: set[str], names: list[str] | None, request: Request
    ) -> dict[str, Any]:
        """Return the parts of a parsed document that ``expand`` asks for.

        :param names: of the images wanted; None: all.
        """
        body: dict[str, Any] = {name: document.inline(name) for name in documents.INLINE if name in expand}
        if "markdown_full" in expand:
            body["markdown_full"] = document.markdown
        if "text_full" in expand:
            body["text_full"] = document.text
        if "job_metadata" in expand:
            body["job_metadata"] = {"job_pages": len(document.page_numbers), "job_is_cache_hit": False}
        files = [name for name in (*FILES_KEPT, *FULL) if f"{name}_content_metadata" in expand]
        if files:
            found = {KEYS.get(name, name): self._file(job_id, document, name, request) for name in files}
            body["result_content_metadata"] = found
        if IMAGES in expand:
            images = document.image_names
            shown = [name for name in images if names is None or name in names]
            body[IMAGES] = {
                "total_count": len(images),
                "images": [self._image(job_id, images.index(name), name, request) for name in shown],
            }
        return body

    def _file(self, job_id: str, document: Document, name: str, request: Request) -> dict[str, Any]:
        content = document.file(name)
        if content is None:
            return {"size_bytes": 0, "exists": False, "presigned_url": None}
        url = self._storage.sign(request, f"parse/{job_id}/{name}")
        return {"size_bytes": content.size, "exists": True, "presigned_url": url}

    def _image(self, job_id: str, index: int, name: str, request: Request) -> dict[str, Any]:
        return {
            "index": index,
            "filename": name,
            "content_type": "image/png",
            "category": "embedded" if index == 0 else "screenshot",
            "bbox": {"x": 10, "y": 20, "w": 4, "h": 8} if index == 0 else None,
            "presigned_url": self._storage.sign(request, f"parse/{job_id}/images/{name}"),
            "size_bytes": None,  # always, as documented
        }

    def _stored(self, path: str, request: Request) -> Content | None:
        job_id, _, name = path.partition("/")
        document = self._document(job_id)
        if name.startswith("images/"):
            return Content("image/png", document.image(name.removeprefix("images/")))
        return document.file(name)
