"""What the jobs of submitted files produce: it shows of which file, so a test can tell whose result it got."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_batch_provider.sandbox.content import Content, dumps, png
from airflow_batch_provider.sandbox.documents import INLINE, LONG_DECIMAL, NOT_IN_A_DOUBLE
from airflow_batch_provider.sandbox.llamacloud_submitted import File


class SubmittedDocument:
    """The results of one file: a document of two pages with an image and a PDF.

    :param file: the file.
    :param parameters: those of the configuration.
    """

    def __init__(self, file: File, parameters: Mapping[str, Any]) -> None:
        self._file, self._parameters = file, parameters
        self.page_numbers = range(1, 3)
        self.image_names = ["image_0.png"]
        self.has_failed_pages = False

    @property
    def markdown(self) -> str:
        """The document as Markdown."""
        return "\n".join(self._markdown_page(number) for number in self.page_numbers)

    @property
    def text(self) -> str:
        """The document as text."""
        return "\n".join(self._text_page(number) for number in self.page_numbers)

    def inline(self, name: str) -> dict[str, Any]:
        """Return what ``expand`` puts into a job under one of the names ``documents.INLINE``."""
        if name == "text":
            return {"pages": [{"page_number": n, "text": self._text_page(n)} for n in self.page_numbers]}
        if name == "metadata":
            pages = [{"page_number": n, "confidence": 0.97, "printed_page_number": None} for n in self.page_numbers]
            return {"pages": pages, "document": {"page_count": len(pages)}}
        return {"pages": [{"page_number": n, "success": True, **self._page(name, n)} for n in self.page_numbers]}

    def v1_pages(self) -> list[dict[str, Any]]:
        """Return the pages as the old Parse API has them."""
        image = {"name": self.image_names[0], "height": 8, "width": 4}
        return [
            {
                "page": number,
                "text": self._text_page(number),
                "md": self._markdown_page(number),
                "images": [image] if number == 1 else [],
                "items": self._page("items", number)["items"],
            }
            for number in self.page_numbers
        ]

    def file(self, name: str) -> Content | None:
        """Return one of the files of the document, or None if it does not have it."""
        if name in ("markdown", "markdown_full"):
            return Content("text/markdown; charset=utf-8", self.markdown.encode())
        if name in ("text", "text_full"):
            return Content("text/plain; charset=utf-8", self.text.encode())
        if name in INLINE:
            return Content("application/json", dumps(self.inline(name)))
        if name == "raw_words":
            return Content("application/json", dumps({"words": self.text.split()}))
        if name == "output_pdf":
            return Content("application/pdf", f"%PDF-1.7\n% {self._file.sha256}\n%%EOF\n".encode())
        return None

    def image(self, name: str) -> bytes:
        """Return an image, in a colour that depends on the file."""
        return png(*bytes.fromhex(self._file.sha256[:6]))

    @property
    def extraction_target(self) -> str:
        """Whether an extraction is per document, per page or per table row."""
        return str(self._parameters.get("extraction_target", "per_doc"))

    def extract(self) -> dict[str, Any] | list[dict[str, Any]]:
        """Return the fields of the document: one object, or one for each page or row."""
        rows = [self._fields(number) for number in self.page_numbers]
        return rows[0] if self.extraction_target == "per_doc" else rows

    def extract_metadata(self) -> dict[str, Any]:
        """Return where each field was found."""
        entry = {"citation": [{"page": 1, "matching_text": self._file.sha256}], "confidence": 0.9}
        fields = {"file_name": entry, "sha256": entry}
        kind = {"per_doc": "document_metadata", "per_page": "page_metadata"}.get(self.extraction_target, "row_metadata")
        found: Any = fields if self.extraction_target == "per_doc" else [fields for _ in self.page_numbers]
        return {"field_metadata": {kind: found}, "parse_job_id": None, "parse_tier": "agentic"}

    def _markdown_page(self, number: int) -> str:
        file = self._file
        return (
            f"# {file.display_name}, page {number}\n\n"
            f"| field | value |\n|---|---|\n| sha256 | {file.sha256} |\n| bytes | {file.size} |\n"
        )

    def _text_page(self, number: int) -> str:
        return f"{self._file.display_name}, page {number}\n{self._file.sha256}\n"

    def _page(self, name: str, number: int) -> dict[str, Any]:
        if name == "markdown":
            return {"markdown": self._markdown_page(number), "header": None, "footer": None}
        if name == "forms":
            return {"forms": []}
        heading = f"{self._file.display_name}, page {number}"
        items = [
            {"type": "heading", "level": 1, "value": heading, "md": f"# {heading}", "bbox": None},
            {"type": "text", "value": self._file.sha256, "md": self._file.sha256, "bbox": None},
        ]
        return {"items": items, "page_width": 612.0, "page_height": 792.0}

    def _fields(self, number: int) -> dict[str, Any]:
        return {
            "file_name": self._file.display_name,
            "sha256": self._file.sha256,
            "bytes": self._file.size,
            "page": number,
            "account": NOT_IN_A_DOUBLE,
            "rate": LONG_DECIMAL,
        }
