"""TELUS International (Playment, GT Studio): annotation projects, their batches and jobs.

Sources: the vendor's pages "Get project details", "Get batch jobs", "Get job results" and "Error codes"
(annotationdocs.telusinternational.com), and the official SDK ``playment`` 1.0.5, read in November 2026.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any
from urllib.parse import parse_qs, urlsplit

from msgspec.structs import replace

from airflow_batch_provider.apis.auth import KeyHeader
from airflow_batch_provider.apis.batch_state import ALL, BatchKind, BatchState, Outcome, StateFields
from airflow_batch_provider.apis.body import Body, count_of
from airflow_batch_provider.apis.columns import BOOLEAN, INTEGER, TEXT, TIMESTAMP, columns, result_columns, struct
from airflow_batch_provider.apis.endpoint import Listing, Resource, look_up
from airflow_batch_provider.apis.extra import Extra
from airflow_batch_provider.apis.page import Row
from airflow_batch_provider.apis.paging import CursorPaging, WholePaging
from airflow_batch_provider.apis.parameter import Identifier, Integer, JsonObject, Parameter, Text
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
from airflow_batch_provider.apis.vendor import Vendor

VENDOR = Vendor(
    name="playment",
    title="TELUS/Playment",
    base_url="https://api.playment.io",
    auth=KeyHeader("x-api-key"),
    pasted_paths=("/v1",),
    key_hint="GT Studio: Settings > API Keys",
    docs_url="https://annotationdocs.telusinternational.com",
    hook="airflow_batch_provider.hooks.playment.PlaymentHook",
    extras={"project_id": Extra("Project id", "Used where a task names no project.")},
    # Every failure is documented as HTTP 400, a bad key and the vendor's own passing faults included.
    kinds_by_code={
        "auth-failure": ProblemKind.AUTHENTICATION,
        "core.webutil.token_auth": ProblemKind.AUTHENTICATION,
        "core.webutil.auther": ProblemKind.AUTHENTICATION,
        "unauthorized": ProblemKind.AUTHENTICATION,
        "unauthorized_request": ProblemKind.AUTHENTICATION,
        "FS_0000": ProblemKind.TRANSIENT,
        "FS_0008": ProblemKind.TRANSIENT,
        "api_error": ProblemKind.TRANSIENT,
        "FS_0006": ProblemKind.NOT_FOUND,
        "resource_error": ProblemKind.NOT_FOUND,
    },
)

_PROJECT = Parameter("project_id", Identifier(), required=True)
_BATCH = Parameter("batch_id", Identifier(), required=True)
_JOB = Parameter("job_id", Identifier(), required=True)


BATCHES = Listing(
    vendor=VENDOR,
    name="playment.batches",
    path="/v1/projects/{project_id}/details",
    parameters=(_PROJECT,),
    bodies=(Body(rows="data.batches", null_is_empty=True),),  # the vendor writes an empty list as null
    paging=WholePaging(),
    created_field="created_at",
    columns=columns(
        id=TEXT,
        name=TEXT,
        description=TEXT,
        is_default=BOOLEAN,
        total_jobs=INTEGER,
        completed_jobs=INTEGER,
        total_frames=INTEGER,
        completed_frames=INTEGER,
        annotations=INTEGER,
        created_at=TIMESTAMP,
        status=TEXT,
    ),
)

# The vendor fixes the page size (100); the token goes into the query, although its page lists it under "path".
BATCH_JOBS = Listing(
    vendor=VENDOR,
    name="playment.batch_jobs",
    path="/v1/projects/{project_id}/batch/{batch_id}",
    parameters=(_PROJECT, _BATCH),
    bodies=(Body(rows="data.jobs", next_token="data.next_page_token", null_is_empty=True),),
    paging=CursorPaging("page_token"),
    columns=columns(
        id=TEXT,
        reference_id=TEXT,
        status=TEXT,
        frames=INTEGER,
        annotations=INTEGER,
        # Only on the vendor's page of the API before, "Fetch Batch Details" (v0).
        priority_weight=INTEGER,
        tag=TEXT,
        viewer_url=TEXT,
    ),
)


PROJECT = Resource(
    vendor=VENDOR,
    name="playment.project",
    path="/v1/projects/{project_id}/details",
    parameters=(_PROJECT,),
    at=("data",),
    id=None,
)

JOB_RESULT = Resource(
    vendor=VENDOR,
    name="playment.job_result",
    path="/v1/projects/{project_id}/jobs/{job_id}",
    parameters=(_PROJECT, _JOB),
    at=("data",),
    id=None,
)


CREATE_BATCH = Resource(
    vendor=VENDOR,
    name="playment.create_batch",
    path="/v1/projects/{project_id}/batch",
    method="POST",
    parameters=(
        _PROJECT,
        Parameter("name", Text(), "name", required=True, in_body=True),
        Parameter("description", Text(), "description", in_body=True),
    ),
    at=("data",),
    id="batch_id",
    is_repeatable=False,
)
NAME_IS_TAKEN = "BATCH_CREATION"

# The vendor refuses a second job with the same reference_id, "so that you are not charged twice".
CREATE_JOB = Resource(
    vendor=VENDOR,
    name="playment.create_job",
    path="/v1/projects/{project_id}/jobs",
    method="POST",
    parameters=(
        _PROJECT,
        Parameter("reference_id", Identifier(), "reference_id", required=True, in_body=True),
        Parameter("work_flow_id", Identifier(), "work_flow_id", required=True, in_body=True),
        Parameter("data", JsonObject(), "data", required=True, in_body=True),
        Parameter("batch_id", Identifier(), "batch_id", in_body=True),
        Parameter("priority_weight", Integer(1, 9), "priority_weight", in_body=True),
    ),
    at=("data",),
    id="job_id",
    is_repeatable=False,
)
REFERENCE_IS_TAKEN = "FS_0001"


# It redirects to the file's signed URL; status and life time of that are not documented.
ATTACHMENT = Resource(
    vendor=VENDOR,
    name="playment.attachment",
    path="/v1/attachments",
    parameters=(Parameter("url", Identifier(), "url", required=True),),
    id=None,
)


BATCH_OUTCOMES = {
    "Complete": Outcome.SUCCEEDED,
    "completed": Outcome.SUCCEEDED,
    "In Progress": Outcome.RUNNING,
}
"""``Complete`` is the only word that is documented; jobs say ``completed``, so that is taken too. ``In Progress`` was
seen on running batches."""

# The status alone counts: by its counters an empty batch would be complete.
_state_fields = StateFields(
    BATCH_OUTCOMES, counts=("total_jobs", "completed_jobs", "total_frames", "completed_frames", "annotations")
)


def _batch_state(batch: Mapping[str, Any]) -> BatchState:
    state = _state_fields(batch)
    if batch.get("is_default") is not True:
        return state
    return replace(
        state,
        endless="It is the project's default batch, which takes the jobs that name no batch and is never closed; "
        "create the jobs in a batch of their own and wait for that, or wait for the project.",
    )


def project_state(batches: Sequence[Mapping[str, Any]]) -> BatchState:
    """Return the state of a project: finished once it has batches, and each but the default one is.

    The default batch takes the jobs that name no batch, so it is never closed.

    :param batches: the batches of the project
    """
    states = [_batch_state(batch) for batch in batches if batch.get("is_default") is not True]
    finished = sum(state.outcome.is_terminal for state in states)
    counts = {"batches": len(states), "finished": finished}
    for state in states:
        for name, count in state.counts.items():
            counts[name] = counts.get(name, 0) + count
    is_over = bool(states) and finished == len(states)
    return BatchState(
        ALL,
        "Complete" if is_over else "In Progress",
        Outcome.SUCCEEDED if is_over else Outcome.RUNNING,
        counts,
    )


BATCH_KIND = BatchKind(
    name="playment.batch", listing=BATCHES, scope=("project_id",), state=_batch_state, together=project_state
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
            return Batch(state=_batch_state(batch), expected=count_of(batch.get("total_jobs")))
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
    parameters=(_PROJECT, _BATCH),
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
