"""TELUS/Playment: what the jobs of a batch produced: annotations, and the masks of segmentations."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any
from urllib.parse import parse_qs, urlsplit

from airflow_batch_provider.apis.body import count_of
from airflow_batch_provider.apis.columns import INTEGER, TEXT, result_columns, struct
from airflow_batch_provider.apis.endpoint import look_up
from airflow_batch_provider.apis.page import Row
from airflow_batch_provider.apis.plans import FileKind, Plan, Refused, SavedFile, ask, fetch, locate, need_all
from airflow_batch_provider.apis.problem import Problem, ProblemKind
from airflow_batch_provider.apis.raw_json import read_json
from airflow_batch_provider.apis.results import (
    Batch,
    Item,
    ItemOutcome,
    Results,
    Unrepeatable,
    collected,
    without_result,
)
from airflow_batch_provider.vendors.playment import (
    ATTACHMENT,
    BATCH_ID,
    BATCH_JOBS,
    BATCH_KIND,
    BATCHES,
    JOB_RESULT,
    PROJECT_ID,
    VENDOR,
)

RESULT = FileKind(name="result", content_type="application/json", extension="json", is_json=True)
MASKS = FileKind(name="masks", content_type="image/png", extension="png", starts=(b"\x89PNG\r\n\x1a\n",))

_ANNOTATIONS = ("annotations", "annotation_data.annotations", "annotations_data.annotations")
"""Where a result has its annotations: the pages of images, videos and segmentations each say another place."""

_MOST_DEPTH = 20


def _begin_batch(values: Mapping[str, Any]) -> Plan[Batch | Problem]:
    batch_id = str(values["batch_id"])
    for row in (yield from need_all(BATCHES)):
        if str(row.id) == batch_id:
            batch = read_json(row.json)
            return Batch(state=BATCH_KIND.state(batch), expected=count_of(batch.get("total_jobs")))
    return Problem(
        ProblemKind.NOT_FOUND,
        f"project {values['project_id']} has no batch {batch_id}; check both ids, and whose project the key may see",
    )


def _read_job(batch: Batch, job: Row, _: None) -> Plan[Item]:
    if job.status.casefold() == "failed":
        return Item(outcome=ItemOutcome.FAILED, error="the vendor says that the job has failed")
    if job.status.casefold() != "completed":
        return Item(outcome=ItemOutcome.MISSING, error=f"the job is not completed: its status is {job.status!r}")
    found = yield from ask(JOB_RESULT, job_id=job.id)
    if isinstance(found, Refused):
        return without_result(found)
    url = found.document.get("result")
    if not isinstance(url, str) or not url.strip():
        error = "the job is completed, but the vendor names no result"
        return Item(outcome=ItemOutcome.MISSING, error=error, result=found.json)
    if not batch.kinds:
        return Item(outcome=ItemOutcome.OK, result=found.json)
    result = yield from _fetch_attached(RESULT, f"{job.id}.json", url, is_read=MASKS.name in batch.kinds)
    if isinstance(result, Refused):
        return without_result(result, is_partial=not result.is_missing, result=found.json)
    masks = (yield from _fetch_masks(result.content)) if MASKS.name in batch.kinds else []
    return collected([result] * (RESULT.name in batch.kinds) + masks, result=found.json)


def _fetch_attached(kind: FileKind, name: str, url: str, *, is_read: bool = False) -> Plan[SavedFile | Refused]:
    """Fetch a file by the signed URL of its attachment.

    Results of before 2021 are named by their own address, which may be public. If it is not, the file is an attachment
    like any other.
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        return Refused("its URL is no URL")
    attached = parse_qs(parts.query).get("url") if parts.path.endswith("/attachments") else None
    where = partial(locate, ATTACHMENT, url=attached[0] if attached else url)
    return (yield from fetch(kind, name, where, url=None if attached else url, is_read=is_read))


def _fetch_masks(result: bytes | None) -> Plan[list[SavedFile | Refused]]:
    if result is None:
        return [Refused("its masks were not fetched, because its result is too large to be searched")]
    try:
        document = read_json(result)
    except (ValueError, RecursionError):  # endless nesting
        return [Refused("its masks were not fetched, because its result cannot be searched")]
    masks = []
    for name, url in _masks_in(document):
        masks.append((yield from _fetch_attached(MASKS, name, url)))
    return masks


def _masks_in(result: Any) -> list[tuple[str, str]]:
    """Return the masks of a segmentation: the id of the annotation, and the URL."""
    data = result.get("data", result) if isinstance(result, dict) else None
    found: dict[str, str] = {}
    for path in _ANNOTATIONS:
        annotations = look_up(data, path)
        if isinstance(annotations, list):
            for annotation in annotations:
                name = annotation.get("_id", "") if isinstance(annotation, dict) else ""
                for url in _urls_in(annotation, _MOST_DEPTH):
                    found.setdefault(url, str(name))
    return [(name, url) for url, name in found.items()]


def _urls_in(value: Any, depth: int) -> Iterator[str]:
    if depth and isinstance(value, dict):
        for key, inner in value.items():
            if key == "url" and isinstance(inner, str) and inner:
                yield inner
            else:
                yield from _urls_in(inner, depth - 1)
    elif depth and isinstance(value, list):
        for inner in value:
            yield from _urls_in(inner, depth - 1)


def _reference_of(row: Mapping[str, Any]) -> str | Unrepeatable:
    """Return a job's reference id: its data is not listed, and the vendor refuses a second job of the same id."""
    job = row.get("item")
    reference = job.get("reference_id") if isinstance(job, dict) else None
    return reference if isinstance(reference, str) and reference else Unrepeatable("it has no reference_id")


JOB_RESULTS = Results(
    vendor=VENDOR,
    name="playment.job_results",
    batch="batch_id",
    parameters=(PROJECT_ID, BATCH_ID),
    items=BATCH_JOBS,
    kinds=(RESULT, MASKS),
    usual=("result",),
    begin=_begin_batch,
    item=_read_job,
    columns=result_columns(
        BATCH_JOBS.columns,
        struct(
            project_id=TEXT,
            reference_id=TEXT,
            job_id=TEXT,
            batch_id=TEXT,
            status=TEXT,
            work_flow_id=TEXT,
            priority_weight=INTEGER,
            tag=TEXT,
            result=TEXT,
        ),
    ),
    again=_reference_of,
)
