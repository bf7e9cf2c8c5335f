"""TELUS International (Playment, GT Studio): annotation projects, their batches and jobs.

Sources: the vendor's pages "Get project details", "Get batch jobs", "Get job results" and "Error codes"
(annotationdocs.telusinternational.com), and the official SDK ``playment`` 1.0.5, read in November 2026.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec.structs import replace

from airflow_batch_provider.apis.auth import KeyHeader
from airflow_batch_provider.apis.batch_state import ALL, BatchKind, BatchState, Outcome, StateFields
from airflow_batch_provider.apis.body import Body
from airflow_batch_provider.apis.columns import BOOLEAN, INTEGER, TEXT, TIMESTAMP, columns
from airflow_batch_provider.apis.endpoint import Listing, Resource
from airflow_batch_provider.apis.extra import Extra
from airflow_batch_provider.apis.paging import CursorPaging, WholePaging
from airflow_batch_provider.apis.parameter import Identifier, Integer, JsonObject, Parameter, Text
from airflow_batch_provider.apis.problem import ProblemKind
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
    extras={
        "project_id": Extra("Project ID", "Used by tasks that name no project. Required unless every task sets it."),
    },
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

PROJECT_ID = Parameter("project_id", Identifier(), required=True)
BATCH_ID = Parameter("batch_id", Identifier(), required=True)
_JOB = Parameter("job_id", Identifier(), required=True)


BATCHES = Listing(
    vendor=VENDOR,
    name="playment.batches",
    path="/v1/projects/{project_id}/details",
    parameters=(PROJECT_ID,),
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
    parameters=(PROJECT_ID, BATCH_ID),
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
    parameters=(PROJECT_ID,),
    at=("data",),
    id=None,
)

JOB_RESULT = Resource(
    vendor=VENDOR,
    name="playment.job_result",
    path="/v1/projects/{project_id}/jobs/{job_id}",
    parameters=(PROJECT_ID, _JOB),
    at=("data",),
    id=None,
)


CREATE_BATCH = Resource(
    vendor=VENDOR,
    name="playment.create_batch",
    path="/v1/projects/{project_id}/batch",
    method="POST",
    parameters=(
        PROJECT_ID,
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
        PROJECT_ID,
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
