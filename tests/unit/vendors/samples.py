"""Answers of the three vendors as their pages document them, with every documented field, and their error responses."""

from __future__ import annotations

from typing import Any

from airflow_batch_provider.exceptions import (
    AuthenticationError,
    NotFoundError,
    PaymentRequiredError,
    RateLimitedError,
    RequestRefusedError,
    TransientError,
)

TIME = "2026-02-28T23:59:59.017203Z"


def _playment(**data: Any) -> dict[str, Any]:
    return {"data": data, "success": True}


_PLAYMENT_BATCH = {
    "id": "f28f8813",
    "name": 'Straßenszenen "Nacht" 東京',
    "description": "first line\nsecond line",
    "is_default": False,
    "total_jobs": 12,
    "completed_jobs": 6,
    "total_frames": 12,
    "completed_frames": 6,
    "annotations": 28,
    "created_at": "2026-02-28T00:15:17.23401+05:30",
    "status": "In Progress",
}
_COMPLETE_BATCH = {**_PLAYMENT_BATCH, "id": "e26f03f9", "completed_jobs": 12, "status": "Complete"}
_PLAYMENT_JOB = {
    "id": "b2a0bcef",
    "reference_id": "001",
    "status": "completed",
    "frames": 1,
    "annotations": 0,
    "priority_weight": 5,
    "tag": "night",
    "viewer_url": "https://viewer.example/1",
}
_BATCH = {
    "id": "bat-1",
    "config": {"job": {"configuration_id": "cfg-1", "type": "parse_v2"}},
    "project_id": "prj-1",
    "source_directory_id": "dir-1",
    "status": "COMPLETED",
    "created_at": TIME,
    "results": None,
    "updated_at": TIME,
}
_FILES = [
    {"source_directory_file_id": "dfl-1", "error_message": "lost", "job_reference": None},
    {"source_directory_file_id": "dfl-2", "error_message": None, "job_reference": {"id": "pjb-2", "type": "parse_v2"}},
]
_PROCESSING_JOB = {
    "id": "bjb-1",
    "job_type": "parse",
    "project_id": "prj-1",
    "status": "running",
    "total_items": 3,
    "completed_at": None,
    "created_at": TIME,
    "directory_id": "dir-1",
    "effective_at": TIME,
    "error_message": None,
    "failed_items": 1,
    "job_record_id": "rec-1",
    "processed_items": 2,
    "skipped_items": 0,
    "started_at": TIME,
    "updated_at": TIME,
    "workflow_id": "wf-1",
}
_ITEM = {
    "item_id": "itm-1",
    "item_name": "scan 0.pdf",
    "status": "completed",
    "completed_at": TIME,
    "effective_at": TIME,
    "error_message": None,
    "job_id": "2b79d9aa",
    "job_record_id": "rec-1-0",
    "skip_reason": None,
    "started_at": TIME,
}
_CALLS = {
    "id": "batch_1",
    "name": "Campaign 1",
    "description": None,
    "status": "running",
    "organizationId": "org_1",
    "agentId": "agent_1",
    "fromPhoneNumberId": "phone_1",
    "totalContacts": 9,
    "contactsProcessed": 5,
    "successfulCalls": 4,
    "failedCalls": 1,
    "scheduledStartTime": None,
    "actualStartTime": "2026-02-28T17:05:47Z",
    "completedAt": None,
    "createdAt": "2026-02-28T17:05:17Z",
    "concurrentCallLimit": 5,
    "retryPolicy": {"maxAttempts": 3, "retryableStatuses": ["no_answer", "busy"]},
}
_CONTACT = {
    "id": "contact_1",
    "phoneNumber": "+15550090000",
    "contactData": {"name": "N"},
    "status": "failed",
    "errorCode": "486",
    "attemptCount": 1,
    "maxAttempts": 3,
    "lastAttemptAt": "2026-02-28T17:07:47Z",
    "nextRetryAt": None,
    "completedAt": "2026-02-28T17:07:47Z",
    "roomName": "outbound_1",
    "failureReason": "busy",
    "callDuration": 30,
}

ANSWERS: dict[str, dict[str, list[Any]]] = {
    "playment": {
        "playment.batches": [
            _playment(name="P", base="IMAGE", batches=[_PLAYMENT_BATCH, _COMPLETE_BATCH]),
            _playment(batches=None),
        ],
        "playment.batch_jobs": [_playment(name="B", jobs=[_PLAYMENT_JOB], next_page_token="x==")],
        "playment.project": [_playment(name="P", base="IMAGE", batches=[])],
        "playment.job_result": [_playment(job_id="b2a0bcef", result="https://files.example/1")],
        "playment.create_batch": [_playment(batch_id="f28f8813")],
        "playment.create_job": [_playment(job_id="b2a0bcef")],
    },
    "llamacloud": {
        "llamacloud.batches": [{"items": [_BATCH], "next_page_token": "x==", "total_size": None}],
        "llamacloud.batch": [{**_BATCH, "results": _FILES}],
        "llamacloud.batch_files": [{**_BATCH, "results": _FILES}, _BATCH],
        "llamacloud.batch_processing_jobs": [{"items": [_PROCESSING_JOB], "next_page_token": "x", "total_size": 4}],
        "llamacloud.batch_processing_job": [{"job": _PROCESSING_JOB, "progress_percentage": 66.7}],
        "llamacloud.batch_processing_items": [{"items": [_ITEM], "next_page_token": None, "total_size": 1}],
        "llamacloud.cancel_batch_processing_job": [{"job_id": "bjb-1", "status": "cancelled", "message": "done"}],
    },
    "talkifai": {
        "talkifai.batch_jobs": [
            {"batchJobs": [_CALLS], "total": 1, "page": 1, "pageSize": 100},
            {"success": True, "data": {"batchJobs": [{**_CALLS, "id": "batch_2"}], "total": 1}},
        ],
        "talkifai.batch_job": [
            {**_CALLS, "contacts": [_CONTACT], "contactsTotal": 9},
            {"success": True, "data": {**_CALLS, "id": "batch_2"}},
        ],
        "talkifai.contacts": [{**_CALLS, "contacts": [_CONTACT], "contactsTotal": 9, "contactsPage": 1}],
        "talkifai.create_batch_job": [{"batchJobId": "batch_1", "status": "pending"}],
    },
}


def _error(code: str) -> dict[str, Any]:
    return {"error": {"code": code, "message": "refused"}, "success": False}


_PLAYMENT_CODES: dict[type[Exception], tuple[str, ...]] = {
    AuthenticationError: (
        *("auth-failure", "core.webutil.token_auth", "core.webutil.auther"),
        *("unauthorized", "unauthorized_request"),
    ),
    TransientError: ("FS_0000", "FS_0008", "api_error"),
    NotFoundError: ("FS_0006", "resource_error"),
    RequestRefusedError: ("invalid_request_error",),
}
ERRORS: dict[str, list[tuple[int, Any, type[Exception]]]] = {
    "playment": [(400, _error(code), error) for error, codes in _PLAYMENT_CODES.items() for code in codes],
    "llamacloud": [
        (401, {"detail": "Invalid API Key"}, AuthenticationError),
        (402, {"detail": "No credits are left"}, PaymentRequiredError),
        (404, {"detail": "Batch not found"}, NotFoundError),
        (422, {"detail": [{"loc": ["query", "status"], "msg": "Input should be as documented"}]}, RequestRefusedError),
        (429, {"detail": "Too many requests"}, RateLimitedError),
    ],
    "talkifai": [
        (401, {"error": "Invalid API key", "code": "UNAUTHORIZED"}, AuthenticationError),
        (400, {"detail": "organizationId is required"}, RequestRefusedError),
        (404, {"detail": "Batch job not found"}, NotFoundError),
        (500, {"error": "Internal error", "code": "INTERNAL"}, TransientError),
    ],
}
