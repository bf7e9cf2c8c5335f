"""What LlamaCloud's seeded jobs produce: everything follows from a job's id, so a test can compute it.

The position of an item in its batch decides what is odd about it (``ODD``), the same in each 20 items.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Literal

from airflow_batch_provider.sandbox.content import Content, dumps, filled, png, zipped
from airflow_batch_provider.sandbox.world import PERIOD, item_of

Kind = Literal["plain", "failed", "failed_pages", "cancelled", "expired", "large", "unlisted", "late"]
ODD: dict[int, Kind] = {
    3: "failed",
    5: "failed_pages",
    7: "cancelled",
    9: "expired",
    11: "large",
    13: "unlisted",
    15: "late",
}
EVERY = 20
FAILED_PAGE = 2
ERROR = "Page could not be parsed"
TARGETS = ("per_doc", "per_page", "per_table_row")
NOT_IN_A_DOUBLE = 9_007_199_254_740_993
LONG_DECIMAL = Decimal("0.12345678901234567890")
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
INLINE = ("markdown", "text", "items", "metadata", "forms")


def kind_of(job_id: str) -> Kind:
    """Return what is odd about a job's item; a batch's first item may have no job at all, which is not decided here."""
    return ODD.get(item_of(job_id)[1] % EVERY, "plain")


def files_of(index: int, files: int) -> int:
    """Return how many files a v2 batch has: all that there can be, fewer, none."""
    return (index * 37 + 59) % PERIOD * files // (PERIOD - 1)


def page_numbers(job_id: str) -> range:
    """Return the numbers of a document's pages; ``FAILED_PAGE`` fails in documents with failed pages."""
    return range(1, 4 if kind_of(job_id) == "failed_pages" else 2 + item_of(job_id)[1] % 3)


def good_pages(job_id: str) -> list[int]:
    """Return the numbers of the pages that did not fail."""
    failed = FAILED_PAGE if kind_of(job_id) == "failed_pages" else None
    return [number for number in page_numbers(job_id) if number != failed]


def markdown_page(job_id: str, number: int) -> str:
    """Return a page."""
    return (
        f"# Report {job_id[-6:]}, page {number}\n\nStraße, 東京 \U0001f642 & <b>\n\n"
        f"| item | amount |\n|---|---|\n| {number} | {number * 10}.50 |\n"
    )


def text_page(job_id: str, number: int) -> str:
    """Return a page without markup; the text of a failed page is empty."""
    return f"Report {job_id[-6:]}, page {number}\n東京\n" if number in good_pages(job_id) else ""


def markdown_of(job_id: str) -> str:
    """Return a document as Markdown, without its failed pages."""
    return "\n".join(markdown_page(job_id, number) for number in good_pages(job_id))


def text_of(job_id: str) -> str:
    """Return a document as text."""
    return "\n".join(text_page(job_id, number) for number in page_numbers(job_id))


def inline_of(job_id: str, name: str) -> dict[str, Any]:
    """Return what ``expand`` puts into a job under one of the names ``INLINE``."""
    good = good_pages(job_id)
    if name == "text":
        return {"pages": [{"page_number": n, "text": text_page(job_id, n)} for n in page_numbers(job_id)]}
    if name == "metadata":
        pages = [{"page_number": n, "confidence": 0.97, "printed_page_number": None} for n in page_numbers(job_id)]
        return {"pages": pages, "document": {"page_count": len(pages)}}
    return {
        "pages": [
            {"page_number": n, "success": True, **_page(job_id, name, n)}
            if n in good
            else {"page_number": n, "success": False, "error": ERROR}
            for n in page_numbers(job_id)
        ]
    }


def _page(job_id: str, name: str, number: int) -> dict[str, Any]:
    if name == "markdown":
        return {"markdown": markdown_page(job_id, number), "header": None, "footer": None}
    if name == "forms":
        return {"forms": []}
    heading = f"Report {job_id[-6:]}, page {number}"
    items = [
        {"type": "heading", "level": 1, "value": heading, "md": f"# {heading}", "bbox": None},
        {"type": "text", "value": "東京", "md": "東京", "bbox": [{"x": 1.5, "y": 2, "w": 100, "h": 12}]},
    ]
    return {"items": items, "page_width": 612.0, "page_height": 792.0}


def v1_pages_of(job_id: str) -> list[dict[str, Any]]:
    """Return the pages as the old Parse API has them; failed pages are left out."""
    images = [{"name": name, "height": 8, "width": 4} for name in image_names(job_id)]
    return [
        {
            "page": number,
            "text": text_page(job_id, number),
            "md": markdown_page(job_id, number),
            "images": images if number == 1 else [],
            "items": _page(job_id, "items", number)["items"],
        }
        for number in good_pages(job_id)
    ]


def has_files(job_id: str) -> bool:
    """Return whether a document also has images, a spreadsheet and a PDF; the large one has a PDF anyway."""
    return item_of(job_id)[1] % 4 == 1


def image_names(job_id: str) -> list[str]:
    """Return the names of a document's images."""
    return ["image_0.png", "page 1, ü.png"] if has_files(job_id) else []


def image_of(job_id: str, name: str) -> bytes:
    """Return an image."""
    return png(image_names(job_id).index(name), item_of(job_id)[1] % 256, item_of(job_id)[0] % 256)


def xlsx_of(job_id: str) -> bytes:
    """Return a workbook with one sheet of one cell."""
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    package = "http://schemas.openxmlformats.org/package/2006"
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    relations = f'<Relationships xmlns="{package}/relationships"><Relationship Id="r1" Type="{office}/'
    cell = f'<c r="A1" t="inlineStr"><is><t>{job_id[-6:]}</t></is></c>'
    return zipped(
        {
            "[Content_Types].xml": f'<Types xmlns="{package}/content-types"><Default Extension="rels" ContentType='
            '"application/vnd.openxmlformats-package.relationships+xml"/><Default Extension="xml" ContentType='
            f'"{XLSX}.main+xml"/><Override PartName="/xl/s1.xml" ContentType="{XLSX[:-5]}worksheet+xml"/></Types>',
            "_rels/.rels": f'{relations}officeDocument" Target="xl/workbook.xml"/></Relationships>',
            "xl/workbook.xml": f'<workbook xmlns="{main}" xmlns:r="{office}"><sheets>'
            '<sheet name="Tables" sheetId="1" r:id="r1"/></sheets></workbook>',
            "xl/_rels/workbook.xml.rels": f'{relations}worksheet" Target="s1.xml"/></Relationships>',
            "xl/s1.xml": f'<worksheet xmlns="{main}"><sheetData><row r="1">{cell}</row></sheetData></worksheet>',
        }
    )


def pdf_of(job_id: str, large_bytes: int = 0) -> Content:
    """Return a document as PDF.

    :param large_bytes: size of a large document, see :class:`~airflow_batch_provider.sandbox.Settings`.
    """
    head = f"%PDF-1.7\n% {job_id}\n".encode()
    return filled("application/pdf", head, b"\n%%EOF\n", large_bytes if kind_of(job_id) == "large" else 0)


def file_of(job_id: str, name: str, large_bytes: int = 0) -> Content | None:
    """Return one of the files of a document, or None if it does not have it.

    :param name: ``markdown``, ``text``, ``items``, ``metadata``, ``forms``, ``raw_words``, ``xlsx``, ``output_pdf``.
    """
    if name in ("markdown", "markdown_full"):
        return Content("text/markdown; charset=utf-8", markdown_of(job_id).encode())
    if name in ("text", "text_full"):
        return Content("text/plain; charset=utf-8", text_of(job_id).encode())
    if name in INLINE:
        return Content("application/json", dumps(inline_of(job_id, name)))
    if name == "raw_words":
        return Content("application/json", dumps({"words": text_of(job_id).split()}))
    if name == "output_pdf" and (has_files(job_id) or kind_of(job_id) == "large"):
        return pdf_of(job_id, large_bytes)
    return Content(XLSX, xlsx_of(job_id)) if name == "xlsx" and has_files(job_id) else None


def target_of(job_id: str) -> str:
    """Return whether an extraction is per document, per page or per table row."""
    return TARGETS[item_of(job_id)[0] // 3 % 3]


def extract_of(job_id: str) -> dict[str, Any] | list[dict[str, Any]]:
    """Return the fields of a document: one object, or one for each page or row."""
    rows = [_fields(job_id, number) for number in page_numbers(job_id)]
    return rows[0] if target_of(job_id) == "per_doc" else rows


def _fields(job_id: str, number: int) -> dict[str, Any]:
    return {
        "invoice": f"R-{job_id[-6:]}/{number}",
        "account": NOT_IN_A_DOUBLE + number - 1,
        "rate": LONG_DECIMAL,
        "pages": number,
        "vendor": {"name": "Müller & 東京", "vat": None},
        "lines": [{"text": "first\nsecond", "amount": 10, "paid": True}],
    }


def extract_metadata_of(job_id: str) -> dict[str, Any]:
    """Return where each field was found."""
    entry = {"citation": [{"page": 1, "matching_text": "R-"}], "confidence": 0.9}
    fields = {"invoice": entry, "account": entry, "lines": [{"text": entry, "amount": entry, "paid": entry}]}
    name = {"per_doc": "document_metadata", "per_page": "page_metadata", "per_table_row": "row_metadata"}
    found: Any = fields if target_of(job_id) == "per_doc" else [fields for _ in page_numbers(job_id)]
    return {"field_metadata": {name[target_of(job_id)]: found}, "parse_job_id": None, "parse_tier": "agentic"}
