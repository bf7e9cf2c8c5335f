"""TalkifAI: batch calling jobs.

Source: the vendor's pages "List Batch Jobs", "Get Batch Job" and "Introduction" (docs.talkifai.dev), read in November
2026. They contradict each other on host, path prefix, authentication and envelope; what stands here follows the
endpoint pages, and the connection can say otherwise.
"""

from __future__ import annotations

from msgspec.structs import replace

from airflow_batch_provider.apis.auth import KeyHeader
from airflow_batch_provider.apis.batch_state import BatchKind, Outcome, StateFields
from airflow_batch_provider.apis.body import Body
from airflow_batch_provider.apis.columns import INTEGER, TEXT, TIMESTAMP, ListOf, columns, struct
from airflow_batch_provider.apis.endpoint import Listing, Resource
from airflow_batch_provider.apis.extra import Extra
from airflow_batch_provider.apis.moment import Clock
from airflow_batch_provider.apis.parameter import Choice, Identifier, Integer, JsonArray, Parameter, Text, Timestamp
from airflow_batch_provider.apis.vendor import Vendor
from airflow_batch_provider.apis.windows import NumberPaging

AUTHS = {"bearer": KeyHeader("Authorization", "Bearer "), "x-api-key": KeyHeader("x-api-key")}
"""The endpoint pages document Bearer, the authentication page documents x-api-key."""

EXPORT_PATHS = ("api/export/conversation/json", "export/conversation", "api/export/conversation")
"""The page "Export Conversation" documents the first and the last, the generated block on it the second. The last takes
a form, the others JSON."""

VENDOR = Vendor(
    name="talkifai",
    title="TalkifAI",
    base_url="https://api.talkifai.dev",
    auth=AUTHS["bearer"],
    key_hint="Studio: Settings > API Keys",
    docs_url="https://docs.talkifai.dev",
    hook="airflow_batch_provider.hooks.talkifai.TalkifAIHook",
    extras={
        "organization_id": Extra(
            "Organization ID", "Used by tasks that name no organization. Required unless every task sets it."
        ),
        "auth_header": Extra(
            "API key header",
            "The header that the key is sent in: Authorization (bearer, the default) or x-api-key.",
            choices=tuple(AUTHS),
        ),
        "export_path": Extra(
            "Conversation export path",
            "Where conversations are exported. The vendor documents three paths; {default} if empty.",
            choices=EXPORT_PATHS,
            default=EXPORT_PATHS[0],
        ),
        "export_auth": Extra(
            "API key header for the conversation export",
            "Set it if the conversation export needs another header; the same as above if empty.",
            choices=tuple(AUTHS),
        ),
    },
    auths=AUTHS,
    auths_of={"talkifai.conversation": "export_auth"},
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


MOST_CONTACTS = 10_000
MOST_NAME = 200
MOST_DESCRIPTION = 1000
"""Contacts of a job and characters of its name and description at most (page "Create Batch Job")."""

# The page's sample has no offset, and the time zone stands beside it.
_START = Parameter("scheduled_start_time", Timestamp(Clock.ISO_WITHOUT_OFFSET), "scheduledStartTime", in_body=True)
_TIMEZONE = Parameter("timezone", Choice(("UTC",)), "timezone", default="UTC", in_body=True)

# The answer's status is not documented, so any success is taken. An agent and its organization belong to the number.
CREATE_BATCH_JOB = Resource(
    vendor=VENDOR,
    name="talkifai.create_batch_job",
    path="/batch/create",
    method="POST",
    parameters=(
        Parameter("name", Text(MOST_NAME), "name", required=True, in_body=True),
        Parameter("from_phone_number_id", Identifier(), "fromPhoneNumberId", required=True, in_body=True),
        Parameter("contacts", JsonArray(MOST_CONTACTS), "contacts", required=True, in_body=True),
        Parameter("description", Text(MOST_DESCRIPTION), "description", in_body=True),
        Parameter("concurrent_call_limit", Integer(1, 50), "concurrentCallLimit", in_body=True),
        Parameter("max_attempts", Integer(1, 10), "maxAttempts", in_body=True),
        _START,
        _TIMEZONE,
    ),
    at=("", "data"),
    id="batchJobId",
    is_repeatable=False,
    is_personal=True,
)

_JOB = Parameter("batch_job_id", Identifier(), required=True)

# A second start is refused, so it may be sent again.
START_BATCH_JOB = Resource(
    vendor=VENDOR,
    name="talkifai.start_batch_job",
    path="/batch/jobs/{batch_job_id}/start",
    method="POST",
    parameters=(_JOB,),
    id=None,
)

RESCHEDULE_BATCH_JOB = Resource(
    vendor=VENDOR,
    name="talkifai.reschedule_batch_job",
    path="/batch/jobs/{batch_job_id}/reschedule",
    method="PATCH",
    parameters=(
        _JOB,
        replace(_START, in_body=False, required=True),
        replace(_TIMEZONE, in_body=False),
    ),
    id=None,
)

CANCEL_BATCH_JOB = Resource(
    vendor=VENDOR,
    name="talkifai.cancel_batch_job",
    path="/batch/jobs/{batch_job_id}/cancel",
    method="POST",
    parameters=(_JOB,),
    id=None,
)


EXPORT_PATH = Parameter("export_path", Choice(EXPORT_PATHS, may_contain_slashes=True), default=EXPORT_PATHS[0])

# It exports what is there already, so it may be asked for as often as one likes.
CONVERSATION = Resource(
    vendor=VENDOR,
    name="talkifai.conversation",
    path="/{export_path}",
    method="POST",
    parameters=(EXPORT_PATH,),
    id=None,
    is_personal=True,  # the room's name contains the number that was called
)


BATCH_JOB_KIND = BatchKind(
    name="talkifai.batch_job",
    listing=BATCH_JOBS,
    scope=("organization_id",),
    unfinished=("pending", "scheduled", "running"),
    single=BATCH_JOB,
    id_parameter="batch_job_id",
    cancel=CANCEL_BATCH_JOB,
    # "completed" jobs of the vendor's own samples have failed calls.
    state=StateFields(
        OUTCOMES,
        counts=("totalContacts", "contactsProcessed", "successfulCalls", "failedCalls"),
        failed_items="failedCalls",
    ),
)


ROW_KEY = "af_row"
"""The key of our own among the fields of a contact that is submitted."""

PERSONAL_FIELDS = ("phoneNumber", "contactData", "roomName")
"""Of a contact: the room's name contains the number, and contactData is whatever was submitted."""
