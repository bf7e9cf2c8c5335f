"""LlamaCloud: the content of a parse job, which comes within an answer, or by signed URLs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import msgspec

from airflow_batch_provider.apis.batch_state import Outcome, outcome_of
from airflow_batch_provider.apis.body import NO_STATUS, count_of
from airflow_batch_provider.apis.endpoint import Found, look_up
from airflow_batch_provider.apis.plans import (
    FileKind,
    Lack,
    Location,
    Plan,
    Refused,
    SavedFile,
    ask,
    fetch,
    keep,
    until_complete,
)
from airflow_batch_provider.apis.raw_json import raw_at, raw_fields, raw_object
from airflow_batch_provider.apis.results import Batch, Item, ItemOutcome, collected, without_result
from airflow_batch_provider.vendors.llamacloud import BATCH_OUTCOMES, PARSE_JOB

_ZIP = b"PK\x03\x04"
MARKDOWN = FileKind(name="markdown", content_type="text/markdown", extension="md")
TEXT_FILE = FileKind(name="text", content_type="text/plain", extension="txt")
ITEMS = FileKind(name="items", content_type="application/json", extension="json", is_json=True)
METADATA = FileKind(name="metadata", content_type="application/json", extension="json", is_json=True)
FORMS = FileKind(name="forms", content_type="application/json", extension="json", is_json=True)
IMAGES = FileKind(name="images")
XLSX = FileKind(
    name="xlsx",
    content_type="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    extension="xlsx",
    starts=(_ZIP,),
)
PDF = FileKind(name="pdf", content_type="application/pdf", extension="pdf", starts=(b"%PDF",))

KINDS = (MARKDOWN, TEXT_FILE, ITEMS, METADATA, FORMS, IMAGES, XLSX, PDF)


class _Inline(msgspec.Struct, frozen=True):
    """A kind of file that comes within the answer of a parse job, if it is not too large.

    :param kind: the kind
    :param expand: what to ask for
    :param whole: where all of it is as one text
    :param pages: else the field of each page that it is joined of; None if it is the JSON itself
    """

    kind: FileKind
    expand: tuple[str, ...]
    whole: str
    pages: str | None = None


_INLINE = (
    _Inline(MARKDOWN, ("markdown", "markdown_full"), "markdown_full", "markdown"),
    _Inline(TEXT_FILE, ("text", "text_full"), "text_full", "text"),
    _Inline(ITEMS, ("items",), "items"),
    _Inline(METADATA, ("metadata",), "metadata"),
    _Inline(FORMS, ("forms",), "forms"),
)
_SIGNED = {"xlsx": "xlsx_content_metadata", "pdf": "output_pdf_content_metadata"}
"""What to ask for, by kind, where the file comes by a signed URL alone."""

_CONTENT = frozenset({"markdown", "markdown_full", "text", "text_full", "items", "metadata", "forms", "raw_words"})
"""What of an answer becomes a file, and is left out of the row."""


def is_completed(status: str) -> bool:
    """Return whether a job of this status has a result."""
    return outcome_of(status, BATCH_OUTCOMES) is Outcome.SUCCEEDED


def status_of(job: Mapping[str, Any]) -> str:
    """Return the status word of a job."""
    status = job.get("status")
    return status if isinstance(status, str) else NO_STATUS


def without_content(job: Mapping[str, Any], result: bytes) -> Item:
    """Return what became of a job that is not completed."""
    status = status_of(job)
    outcome = outcome_of(status, BATCH_OUTCOMES)
    if outcome in (Outcome.FAILED, Outcome.CANCELLED):
        error = job.get("error_message") or f"its job is {status}"
        return Item(outcome=ItemOutcome.FAILED, error=str(error), status=status, result=result)
    error = f"its job is not completed: its status is {status}"
    return Item(outcome=ItemOutcome.MISSING, error=error, status=status, result=result)


def read_parse_job(batch: Batch, job_id: str) -> Plan[Item]:
    """Read a parse job and the kinds of its content that are wanted."""
    inline = [content for content in _INLINE if content.kind.name in batch.kinds]
    others = ["usage", *(expand for kind, expand in _SIGNED.items() if kind in batch.kinds)]
    if IMAGES.name in batch.kinds:
        others.append("images_content_metadata")
    found = yield from until_complete(
        partial(_ask_for_content, job_id, inline, others), lack_of_job, batch.state.updated_at
    )
    if isinstance(found, Refused):
        return without_result(found)
    status = status_of(found.document["job"])
    result = raw_object({name: raw for name, raw in raw_fields(found.json).items() if name not in _CONTENT})
    if not is_completed(status):
        return without_content(found.document["job"], result)
    files: list[SavedFile | Refused] = []
    for content in inline:
        files.append((yield from _save_inline(job_id, content, found)))
    for kind in (XLSX, PDF):
        if kind.name in batch.kinds:
            files.append((yield from _fetch_signed(job_id, kind, _SIGNED[kind.name], found)))
    if IMAGES.name in batch.kinds:
        files += yield from _fetch_images(job_id, found)
    failed, pages = _failed_pages(found.document)
    problems = [f"{failed} of {pages} pages failed"] if failed else []
    return collected(files, problems, status=status, result=result)


def lack_of_job(found: Found | Refused) -> Lack:
    """Return whether a job is still to come to its end: a batch is completed once each of its files has a job."""
    if isinstance(found, Refused):
        return Lack.NOTHING
    job = found.document.get("job", found.document)
    return Lack.NOTHING if outcome_of(job.get("status"), BATCH_OUTCOMES).is_terminal else Lack.NEEDED


def _ask_for_content(job_id: str, inline: Sequence[_Inline], others: Sequence[str]) -> Plan[Found | Refused]:
    """Ask for a job with its content; in another way if the vendor does not give it like that."""
    whole = [name for content in inline for name in content.expand]
    found = yield from ask(PARSE_JOB, job_id=job_id, expand=[*others, *whole])
    if isinstance(found, Refused) and found.is_too_large:
        by_url = [f"{content.kind.name}_content_metadata" for content in inline]
        return (yield from ask(PARSE_JOB, job_id=job_id, expand=[*others, *by_url]))
    if isinstance(found, Refused) and not found.is_missing and inline:
        # The vendor's guide has markdown_full and text_full, its OpenAPI document has not.
        documented = [name for name in whole if not name.endswith("_full")]
        again = yield from ask(PARSE_JOB, job_id=job_id, expand=[*others, *documented])
        if not isinstance(again, Refused) or again.is_missing:
            return again
        # One kind that the job's tier does not have must not cost the others: each is asked for on its own.
        alone = yield from ask(PARSE_JOB, job_id=job_id, expand=["usage"])
        return again if isinstance(alone, Refused) else alone
    return found


def _failed_pages(document: Mapping[str, Any]) -> tuple[int, int]:
    """Return how many pages of a completed job failed, and how many there are, as far as the answer shows it."""
    for name in ("markdown", "items"):
        pages = look_up(document, f"{name}.pages")
        if isinstance(pages, list):
            return sum(isinstance(page, dict) and page.get("success") is False for page in pages), len(pages)
    return 0, 0


def _save_inline(job_id: str, content: _Inline, found: Found) -> Plan[SavedFile | Refused]:
    kind, name = content.kind, f"{job_id}.{content.kind.extension}"
    whole = found.document.get(content.whole)
    if content.pages is None and whole is not None:
        return (yield from keep(kind, name, raw_at(found.json, content.whole) or b"null"))
    if content.pages is not None:
        text = whole if isinstance(whole, str) else _joined(found.document.get(content.pages), content.pages)
        if text is not None:
            return (yield from keep(kind, name, text.encode("utf-8", "surrogatepass")))
    return (yield from _fetch_signed(job_id, kind, f"{kind.name}_content_metadata", found))


def _joined(pages: Any, field: str) -> str | None:
    listed = look_up(pages, "pages")
    if not isinstance(listed, list):
        return None
    texts = [page.get(field) for page in listed if isinstance(page, dict)]
    return "\n\n".join(text for text in texts if isinstance(text, str))


def _fetch_signed(job_id: str, kind: FileKind, expand: str, found: Found) -> Plan[SavedFile | Refused]:
    """Fetch a file that the vendor gives by a signed URL."""

    def where() -> Plan[Location | Refused]:
        again = yield from ask(PARSE_JOB, job_id=job_id, expand=[expand])
        if isinstance(again, Refused):
            return again
        url = _content_of(again.document, kind).get("presigned_url")
        if isinstance(url, str) and url:
            return Location(url)
        return Refused(f"the job has produced no {kind.name} file", is_missing=True)

    content = _content_of(found.document, kind)
    url, size = content.get("presigned_url"), content.get("size_bytes")
    is_there = isinstance(url, str) and bool(url)
    if content.get("exists") is False:
        return Refused(f"the job has produced no {kind.name} file", is_missing=True)
    return (
        yield from fetch(
            kind,
            f"{job_id}.{kind.extension}",
            where,
            url=url if is_there else None,
            size=count_of(size) if is_there else None,
        )
    )


def _content_of(document: Mapping[str, Any], kind: FileKind) -> Mapping[str, Any]:
    """Return what is said of a kind of file; of the keys only ``outputPDF`` is documented, so any spelling will do."""
    listed = document.get("result_content_metadata")
    wanted = {kind.name, f"{kind.name}full", f"output{kind.name}"}
    for key, content in (listed or {}).items() if isinstance(listed, dict) else ():
        name = key.casefold().replace("_", "").removesuffix("contentmetadata")
        if name in wanted and isinstance(content, dict):
            return content
    return {}


def _fetch_images(job_id: str, found: Found) -> Plan[list[SavedFile | Refused]]:
    saved: list[SavedFile | Refused] = []
    listed, counted = len(_images_of(found)), count_of(look_up(found.document, "images_content_metadata.total_count"))
    if counted is not None and listed < counted:
        saved.append(Refused(f"the job lists {listed} of {counted} images"))
    for image in _images_of(found):
        filename = image.get("filename") or None
        name = str(filename or image.get("index") or "")

        def where(image: Mapping[str, Any] = image, filename: object = filename) -> Plan[Location | Refused]:
            again = yield from ask(
                PARSE_JOB, job_id=job_id, expand=["images_content_metadata"], image_filenames=filename
            )
            if isinstance(again, Refused):
                return again
            key = "filename" if filename else "index"
            urls = [other.get("presigned_url") for other in _images_of(again) if other.get(key) == image.get(key)]
            if urls and isinstance(urls[0], str):
                return Location(urls[0])
            return Refused("an image has no URL", is_missing=True)

        url, content_type = image.get("presigned_url"), image.get("content_type")
        saved.append(
            (
                yield from fetch(
                    IMAGES,
                    name,
                    where,
                    url=url if isinstance(url, str) else None,
                    content_type=content_type if isinstance(content_type, str) else None,
                )
            )
        )
    return saved


def _images_of(found: Found) -> list[Mapping[str, Any]]:
    images = look_up(found.document, "images_content_metadata.images")
    return [image for image in images if isinstance(image, dict)] if isinstance(images, list) else []
