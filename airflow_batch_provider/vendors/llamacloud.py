"""LlamaCloud: v2 batches, and the batch processing jobs of the v1 beta.

Sources: the vendor's pages "List Batches" and "List Batch Jobs", its OpenAPI document of August 2026, and the
official SDK ``llama-cloud`` (v1 beta: 1.0.0 to 2.13.0, v2: 2.8.0 on), read in November 2026.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_batch_provider.apis.auth import KeyHeader
from airflow_batch_provider.apis.batch_state import BatchKind, BatchState, Outcome, StateFields, outcome_of
from airflow_batch_provider.apis.body import Body
from airflow_batch_provider.apis.columns import INTEGER, TEXT, TIMESTAMP, ListOf, columns, struct
from airflow_batch_provider.apis.endpoint import Listing, Resource
from airflow_batch_provider.apis.extra import Extra
from airflow_batch_provider.apis.paging import CursorPaging, WholePaging
from airflow_batch_provider.apis.parameter import Boolean, Choice, Identifier, Integer, JsonObject, Parameter, Timestamp
from airflow_batch_provider.apis.vendor import Vendor
from airflow_batch_provider.apis.windows import OffsetPaging

REGION_URLS = {
    "us": "https://api.cloud.llamaindex.ai",
    "eu": "https://api.cloud.eu.llamaindex.ai",
}

VENDOR = Vendor(
    name="llamacloud",
    title="LlamaCloud",
    base_url=REGION_URLS["us"],
    auth=KeyHeader("Authorization", "Bearer "),
    pasted_paths=("/api/v1", "/api/v2", "/api"),
    key_hint="llx-...",
    docs_url="https://developers.llamaindex.ai",
    hook="airflow_batch_provider.hooks.llamacloud.LlamaCloudHook",
    extras={
        "region": Extra("Region", "The region of the API key; us if empty.", choices=tuple(REGION_URLS)),
        "project_id": Extra(
            "Project ID", "Used by tasks that name no project; the default project of the key if empty."
        ),
        "organization_id": Extra(
            "Organization ID", "Used by tasks that name no organization; the default one of the key if empty."
        ),
    },
    region_urls=REGION_URLS,
)

BATCH_OUTCOMES = {
    "PENDING": Outcome.PENDING,
    "THROTTLED": Outcome.PENDING,
    "RUNNING": Outcome.RUNNING,
    "COMPLETED": Outcome.SUCCEEDED,
    "FAILED": Outcome.FAILED,
    "CANCELLED": Outcome.CANCELLED,
}
BATCH_PROCESSING_OUTCOMES = {
    "pending": Outcome.PENDING,
    "running": Outcome.RUNNING,
    "dispatched": Outcome.RUNNING,
    "completed": Outcome.SUCCEEDED,
    "failed": Outcome.FAILED,
    "cancelled": Outcome.CANCELLED,
}
# In lower case on the wire, although the vendor's description prints them in upper case.
JOB_TYPES = ("parse", "extract", "classify")

PROJECT = Parameter("project_id", Identifier(), "project_id")
ORGANIZATION = Parameter("organization_id", Identifier(), "organization_id")


# No maximum of page_size is declared; its siblings in the same API declare 1 to 100.
BATCHES = Listing(
    vendor=VENDOR,
    name="llamacloud.batches",
    path="/api/v2/batches",
    parameters=(
        Parameter("page_size", Integer(1, 100), "page_size", default=100),
        Parameter("status", Choice(tuple(BATCH_OUTCOMES)), "status"),
        Parameter("source_directory_id", Identifier(), "source_directory_id"),
        Parameter("created_at_on_or_after", Timestamp(), "created_at_on_or_after"),
        Parameter("created_at_on_or_before", Timestamp(), "created_at_on_or_before"),
        PROJECT,
        ORGANIZATION,
    ),
    bodies=(Body(rows="items", next_token="next_page_token", total="total_size"),),
    paging=CursorPaging("page_token"),
    created_field="created_at",
    columns=columns(
        id=TEXT,
        config=struct(job=struct(configuration_id=TEXT, type=TEXT)),
        project_id=TEXT,
        source_directory_id=TEXT,
        status=TEXT,
        created_at=TIMESTAMP,
        results=ListOf(
            struct(source_directory_file_id=TEXT, error_message=TEXT, job_reference=struct(id=TEXT, type=TEXT))
        ),
        updated_at=TIMESTAMP,
    ),
)

BATCH_PROCESSING_JOBS = Listing(
    vendor=VENDOR,
    name="llamacloud.batch_processing_jobs",
    path="/api/v1/beta/batch-processing",
    parameters=(
        Parameter("limit", Integer(1, 1000), "limit", default=1000),
        Parameter("offset", Integer(0), "offset", default=0),
        Parameter("directory_id", Identifier(), "directory_id"),
        Parameter("job_type", Choice(JOB_TYPES), "job_type"),
        Parameter("status", Choice(tuple(BATCH_PROCESSING_OUTCOMES)), "status"),
        PROJECT,
        ORGANIZATION,
    ),
    # There is a next_page_token too, but no parameter that takes it.
    bodies=(Body(rows="items", total="total_size"),),
    paging=OffsetPaging("offset", "limit"),
    created_field="created_at",
    columns=columns(
        id=TEXT,
        job_type=TEXT,
        project_id=TEXT,
        status=TEXT,
        total_items=INTEGER,
        completed_at=TIMESTAMP,
        created_at=TIMESTAMP,
        directory_id=TEXT,
        effective_at=TIMESTAMP,
        error_message=TEXT,
        failed_items=INTEGER,
        job_record_id=TEXT,
        processed_items=INTEGER,
        skipped_items=INTEGER,
        started_at=TIMESTAMP,
        updated_at=TIMESTAMP,
        workflow_id=TEXT,
    ),
)


BATCH = Resource(
    vendor=VENDOR,
    name="llamacloud.batch",
    path="/api/v2/batches/{batch_id}",
    parameters=(
        Parameter("batch_id", Identifier(), required=True),
        Parameter("expand", Choice(("results",)), "expand"),
        PROJECT,
        ORGANIZATION,
    ),
)

BATCH_PROCESSING_JOB = Resource(
    vendor=VENDOR,
    name="llamacloud.batch_processing_job",
    path="/api/v1/beta/batch-processing/{job_id}",
    parameters=(Parameter("job_id", Identifier(), required=True), PROJECT, ORGANIZATION),
    id="job.id",  # nested beside progress_percentage, unlike the list and the answer to a creation
)


BATCH_JOB_TYPES = ("parse_v2", "extract_v2")

# It begins to run immediately: there is no draft.
CREATE_BATCH = Resource(
    vendor=VENDOR,
    name="llamacloud.create_batch",
    path="/api/v2/batches",
    method="POST",
    parameters=(
        Parameter("source_directory_id", Identifier(), "source_directory_id", required=True, in_body=True),
        Parameter("job_type", Choice(BATCH_JOB_TYPES), "config.job.type", required=True, in_body=True),
        Parameter("configuration_id", Identifier(), "config.job.configuration_id", required=True, in_body=True),
        PROJECT,
        ORGANIZATION,
    ),
    is_repeatable=False,
)

CANCEL_BATCH = Resource(
    vendor=VENDOR,
    name="llamacloud.cancel_batch",
    path="/api/v2/batches/{batch_id}/cancel",
    method="POST",
    parameters=(Parameter("batch_id", Identifier(), required=True), PROJECT, ORGANIZATION),
)

# With a list of items instead of a directory, a job could not be found again after a lost answer.
CREATE_BATCH_PROCESSING_JOB = Resource(
    vendor=VENDOR,
    name="llamacloud.create_batch_processing_job",
    path="/api/v1/beta/batch-processing",
    method="POST",
    parameters=(
        Parameter("job_config", JsonObject(), "job_config", required=True, in_body=True),
        Parameter("directory_id", Identifier(), "directory_id", required=True, in_body=True),
        PROJECT,
        ORGANIZATION,
    ),
    is_repeatable=False,
)

CANCEL_BATCH_PROCESSING_JOB = Resource(
    vendor=VENDOR,
    name="llamacloud.cancel_batch_processing_job",
    path="/api/v1/beta/batch-processing/{job_id}/cancel",
    method="POST",
    parameters=(Parameter("job_id", Identifier(), required=True), PROJECT, ORGANIZATION),
    id="job_id",
    sends_json=True,  # a body is required, though nothing in it
)


def _batch_state(batch: Mapping[str, Any]) -> BatchState:
    # COMPLETED says that every file got a job or an error, not that none failed.
    status, counts = batch.get("status"), {}
    outcome = outcome_of(status, BATCH_OUTCOMES)
    results = batch.get("results")
    if isinstance(results, list) and outcome.is_terminal:  # before, only a batch that is read alone may show them
        failed = sum(isinstance(result, dict) and bool(result.get("error_message")) for result in results)
        counts = {"files": len(results), "failed_files": failed}
    return BatchState(
        str(batch["id"]),
        str(status),
        outcome,
        counts,
        failed_items=counts.get("failed_files", 0),
        updated_at=batch.get("updated_at"),
    )


_job_fields = StateFields(
    BATCH_PROCESSING_OUTCOMES,
    counts=("total_items", "processed_items", "failed_items", "skipped_items"),
    failed_items="failed_items",
    reason="error_message",
    updated_at="updated_at",
)


def _job_state(job: Mapping[str, Any]) -> BatchState:
    return _job_fields(job.get("job", job))  # nested in the answer to a single read


BATCH_KIND = BatchKind(
    name="llamacloud.batch",
    listing=BATCHES,
    scope=("project_id", "organization_id"),
    unfinished=("PENDING", "THROTTLED", "RUNNING"),
    single=BATCH,
    id_parameter="batch_id",
    single_values={"expand": "results"},
    state=_batch_state,
    cancel=CANCEL_BATCH,
    lists_counts=False,  # they come with the results, which a listing need not have
)

BATCH_PROCESSING_JOB_KIND = BatchKind(
    name="llamacloud.batch_processing_job",
    listing=BATCH_PROCESSING_JOBS,
    scope=("project_id", "organization_id"),
    unfinished=("pending", "running", "dispatched"),
    single=BATCH_PROCESSING_JOB,
    id_parameter="job_id",
    state=_job_state,
    cancel=CANCEL_BATCH_PROCESSING_JOB,
)


_PAGE = Parameter("page_size", Integer(1, 100), "page_size", default=100)
_IDS = Parameter("job_ids", Identifier(), "job_ids", repeated=True)

DIRECTORY_FILES = Listing(
    vendor=VENDOR,
    name="llamacloud.directory_files",
    path="/api/v1/beta/directories/{directory_id}/files",
    parameters=(
        Parameter("directory_id", Identifier(), required=True),
        Parameter("include_deleted", Boolean(), "include_deleted"),
        Parameter("unique_id", Identifier(), "unique_id"),
        _PAGE,
        PROJECT,
        ORGANIZATION,
    ),
    bodies=(Body(rows="items", next_token="next_page_token", total="total_size"),),
    paging=CursorPaging("page_token"),
)

BATCH_FILES = Listing(
    vendor=VENDOR,
    name="llamacloud.batch_files",
    path="/api/v2/batches/{batch_id}",
    parameters=(
        Parameter("batch_id", Identifier(), required=True),
        Parameter("expand", Choice(("results",)), "expand", default="results"),
        PROJECT,
        ORGANIZATION,
    ),
    bodies=(Body(rows="results", id="source_directory_file_id", null_is_empty=True),),
    paging=WholePaging(),
)

PARSE_JOBS = Listing(
    vendor=VENDOR,
    name="llamacloud.parse_jobs",
    path="/api/v2/parse",
    parameters=(_IDS, _PAGE, PROJECT, ORGANIZATION),
    bodies=(Body(rows="items", next_token="next_page_token", total="total_size"),),
    paging=CursorPaging("page_token"),
)

EXTRACT_JOBS = Listing(
    vendor=VENDOR,
    name="llamacloud.extract_jobs",
    path="/api/v2/extract",
    parameters=(
        _IDS,
        Parameter("expand", Choice(("extract_metadata", "usage")), "expand", repeated=True),
        _PAGE,
        PROJECT,
        ORGANIZATION,
    ),
    bodies=(Body(rows="items", next_token="next_page_token", total="total_size"),),
    paging=CursorPaging("page_token"),
)

_EXPAND = Parameter("expand", Identifier(), "expand", repeated=True)

PARSE_JOB = Resource(
    vendor=VENDOR,
    name="llamacloud.parse_job",
    path="/api/v2/parse/{job_id}",
    parameters=(
        Parameter("job_id", Identifier(), required=True),
        _EXPAND,
        Parameter("image_filenames", Identifier(), "image_filenames"),
        PROJECT,
        ORGANIZATION,
    ),
    id="job.id",
)

EXTRACT_JOB = Resource(
    vendor=VENDOR,
    name="llamacloud.extract_job",
    path="/api/v2/extract/{job_id}",
    parameters=(Parameter("job_id", Identifier(), required=True), _EXPAND, PROJECT, ORGANIZATION),
)

CANCEL_PARSE_JOB = Resource(
    vendor=VENDOR,
    name="llamacloud.cancel_parse_job",
    path="/api/v2/parse/{job_id}/cancel",
    method="POST",
    parameters=(Parameter("job_id", Identifier(), required=True), PROJECT, ORGANIZATION),
    id=None,
)

CANCEL_EXTRACT_JOB = Resource(
    vendor=VENDOR,
    name="llamacloud.cancel_extract_job",
    path="/api/v2/extract/{job_id}/cancel",
    method="POST",
    parameters=(Parameter("job_id", Identifier(), required=True), PROJECT, ORGANIZATION),
    id=None,
)

BATCH_PROCESSING_ITEMS = Listing(
    vendor=VENDOR,
    name="llamacloud.batch_processing_items",
    path="/api/v1/beta/batch-processing/{job_id}/items",
    parameters=(
        Parameter("job_id", Identifier(), required=True),
        Parameter("limit", Integer(1, 1000), "limit", default=1000),
        Parameter("offset", Integer(0), "offset", default=0),
        PROJECT,
        ORGANIZATION,
    ),
    bodies=(Body(rows="items", id="item_id", total="total_size"),),
    paging=OffsetPaging("offset", "limit"),
    columns=columns(
        item_id=TEXT,
        item_name=TEXT,
        status=TEXT,
        job_id=TEXT,
        job_record_id=TEXT,
        error_message=TEXT,
        skip_reason=TEXT,
        started_at=TIMESTAMP,
        completed_at=TIMESTAMP,
        effective_at=TIMESTAMP,
    ),
)

PROCESSING_RESULTS = Resource(
    vendor=VENDOR,
    name="llamacloud.processing_results",
    path="/api/v1/beta/batch-processing/items/{item_id}/processing-results",
    parameters=(Parameter("item_id", Identifier(), required=True), PROJECT, ORGANIZATION),
    id="item_id",
)

PARSING_RESULT = Resource(
    vendor=VENDOR,
    name="llamacloud.parsing_result",
    path="/api/v1/parsing/job/{job_id}/result/{result_type}",
    parameters=(
        Parameter("job_id", Identifier(), required=True),
        Parameter("result_type", Choice(("markdown", "text", "json", "xlsx", "pdf")), required=True),
        PROJECT,
        ORGANIZATION,
    ),
    id=None,
)
