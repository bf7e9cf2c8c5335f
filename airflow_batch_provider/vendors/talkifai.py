"""TalkifAI: batch calling jobs.

Source: the vendor's pages "List Batch Jobs", "Get Batch Job" and "Introduction" (docs.talkifai.dev), read in November
2026. They contradict each other on host, path prefix, authentication and envelope; what stands here follows the
endpoint pages, and the connection can say otherwise.
"""

from __future__ import annotations

from airflow_batch_provider.apis.auth import KeyHeader
from airflow_batch_provider.apis.batch_state import BatchKind, Outcome, StateFields
from airflow_batch_provider.apis.body import Body
from airflow_batch_provider.apis.columns import INTEGER, TEXT, TIMESTAMP, ListOf, columns, struct
from airflow_batch_provider.apis.endpoint import Listing, Resource
from airflow_batch_provider.apis.extra import Extra
from airflow_batch_provider.apis.parameter import Choice, Identifier, Integer, Parameter
from airflow_batch_provider.apis.vendor import Vendor
from airflow_batch_provider.apis.windows import NumberPaging

AUTHS = {"bearer": KeyHeader("Authorization", "Bearer "), "x-api-key": KeyHeader("x-api-key")}
"""The endpoint pages document Bearer, the authentication page documents x-api-key."""

VENDOR = Vendor(
    name="talkifai",
    title="TalkifAI",
    base_url="https://api.talkifai.dev",
    auth=AUTHS["bearer"],
    key_hint="Studio: Settings > API Keys",
    docs_url="https://docs.talkifai.dev",
    hook="airflow_batch_provider.hooks.talkifai.TalkifAIHook",
    extras={
        "organization_id": Extra("Organization id", "Used where a task names no organization."),
        "auth_header": Extra(
            "API key header",
            "How the key is sent: as a Bearer token (the default), or in x-api-key.",
            choices=tuple(AUTHS),
        ),
    },
    auths=AUTHS,
)

OUTCOMES = {
    "pending": Outcome.PENDING,
    "scheduled": Outcome.PENDING,
    "running": Outcome.RUNNING,
    "completed": Outcome.SUCCEEDED,
    "failed": Outcome.FAILED,
    "cancelled": Outcome.CANCELLED,
}


BATCH_JOBS = Listing(
    vendor=VENDOR,
    name="talkifai.batch_jobs",
    path="/batch/jobs",
    parameters=(
        Parameter("organization_id", Identifier(), "organizationId", required=True),
        Parameter("status", Choice(tuple(OUTCOMES)), "status"),
        Parameter("page", Integer(1), "page", default=1),
        Parameter("page_size", Integer(1, 100), "pageSize", default=100),
    ),
    bodies=(
        Body(rows="batchJobs", total="total", page_size="pageSize"),
        # The vendor's introduction wraps every answer in {"success", "data"}; the endpoint pages do not.
        Body(rows="data.batchJobs", total="data.total", page_size="data.pageSize"),
    ),
    paging=NumberPaging("page", "pageSize"),
    total_is_exact=True,
    created_field="createdAt",
    # As in the page's longer sample; its table of fields lacks organizationId, agentId, fromPhoneNumberId,
    # concurrentCallLimit and retryPolicy.
    columns=columns(
        id=TEXT,
        name=TEXT,
        description=TEXT,
        status=TEXT,
        organizationId=TEXT,
        agentId=TEXT,
        fromPhoneNumberId=TEXT,
        totalContacts=INTEGER,
        contactsProcessed=INTEGER,
        successfulCalls=INTEGER,
        failedCalls=INTEGER,
        scheduledStartTime=TIMESTAMP,
        actualStartTime=TIMESTAMP,
        completedAt=TIMESTAMP,
        createdAt=TIMESTAMP,
        concurrentCallLimit=INTEGER,
        retryPolicy=struct(maxAttempts=INTEGER, retryableStatuses=ListOf(TEXT)),
    ),
)


CONTACT_STATUSES = (
    *("pending", "queued", "dialing", "no_answer", "busy", "timeout"),
    *("completed", "failed", "blocked", "invalid_number", "carrier_error", "cancelled"),
)
"""The first six may change; the others are final (pages "Get Batch Job" and "Start Batch Job")."""

# The job's own answer has its contacts, page by page. They change their status while the job runs, so that a listing
# of one status shifts. No field has the time when a contact was made: they come with the job.
CONTACTS = Listing(
    vendor=VENDOR,
    name="talkifai.contacts",
    path="/batch/jobs/{batch_job_id}",
    parameters=(
        Parameter("batch_job_id", Identifier(), required=True),
        Parameter("contact_status", Choice(CONTACT_STATUSES), "contactStatus"),
        Parameter("page", Integer(1), "contactsPage", default=1),
        Parameter("page_size", Integer(1, 500), "contactsPageSize", default=500),
    ),
    bodies=(
        Body(rows="contacts", total="contactsTotal", page_size="contactsPageSize"),
        Body(rows="data.contacts", total="data.contactsTotal", page_size="data.contactsPageSize"),
    ),
    paging=NumberPaging("contactsPage", "contactsPageSize"),
    total_is_exact=True,
    # contactData, the row that was submitted, has no documented shape.
    columns=columns(
        id=TEXT,
        phoneNumber=TEXT,
        status=TEXT,
        errorCode=TEXT,
        attemptCount=INTEGER,
        maxAttempts=INTEGER,
        lastAttemptAt=TIMESTAMP,
        nextRetryAt=TIMESTAMP,
        completedAt=TIMESTAMP,
        roomName=TEXT,
        failureReason=TEXT,
        callDuration=INTEGER,
    ),
)


# One contact, the least that can be asked for: contacts are personal data, and come by the thousand.
BATCH_JOB = Resource(
    vendor=VENDOR,
    name="talkifai.batch_job",
    path="/batch/jobs/{batch_job_id}",
    parameters=(
        Parameter("batch_job_id", Identifier(), required=True),
        Parameter("contacts_page_size", Integer(1, 500), "contactsPageSize", default=1),
    ),
    at=("", "data"),
)


BATCH_JOB_KIND = BatchKind(
    name="talkifai.batch_job",
    listing=BATCH_JOBS,
    scope=("organization_id",),
    unfinished=("pending", "scheduled", "running"),
    single=BATCH_JOB,
    id_parameter="batch_job_id",
    # "completed" jobs of the vendor's own samples have failed calls.
    state=StateFields(
        OUTCOMES,
        counts=("totalContacts", "contactsProcessed", "successfulCalls", "failedCalls"),
        failed_items="failedCalls",
    ),
)
