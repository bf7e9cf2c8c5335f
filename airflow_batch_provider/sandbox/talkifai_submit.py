"""Creates, starts, reschedules and cancels TalkifAI's batch calling jobs.

Read from its "Create Batch Job", "Start Batch Job", "Reschedule Batch Job", "Cancel Batch Job" and "Redis Status"
pages.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from airflow_batch_provider.sandbox.bodies import form, json_object
from airflow_batch_provider.sandbox.faults import Handler
from airflow_batch_provider.sandbox.journal import VendorName
from airflow_batch_provider.sandbox.talkifai import TalkifAI, refused
from airflow_batch_provider.sandbox.talkifai_calls import CallingJob, Contact, TalkifAICalls, timestamp
from airflow_batch_provider.sandbox.world import EPOCH

JOB = "/batch/jobs/{batch_job_id}"
PHONE_NUMBERS = ("phone_0", "phone_1")
E164 = re.compile(r"\+[1-9][0-9]{6,14}")
MOST_CONTACTS = 10_000
MOST_BYTES = 10 << 20
LENGTHS = {"name": 200, "description": 1000}
RANGES = {"concurrentCallLimit": (1, 50, 5), "maxAttempts": (1, 10, 3)}
REFUSALS = {
    402: "Insufficient credits",
    409: "A batch job with these contacts is being created",
    422: "The batch job was refused",
    429: "Rate limit exceeded",
}
SEEDED = "The sandbox changes only what was submitted to it"
DOLLARS_A_CALL = 0.07


class TalkifAISubmit:
    """The endpoints of one organization.

    :param api: the endpoints of the organization.
    :param calls: the jobs that were submitted.
    """

    vendor: VendorName = "talkifai"

    def __init__(self, api: TalkifAI, calls: TalkifAICalls) -> None:
        self._api, self._calls = api, calls

    @property
    def handlers(self) -> Mapping[str, Handler]:
        """The endpoints."""
        return {
            "POST /batch/create": self.create,
            f"POST {JOB}/start": self.start,
            f"PATCH {JOB}/reschedule": self.reschedule,
            f"POST {JOB}/cancel": self.cancel,
            f"{JOB}/redis-status": self.redis_status,
        }

    @property
    def creates(self) -> Mapping[str, bool]:
        """The one that creates jobs."""
        return {"POST /batch/create": True}

    def transient_fault(self, draw: float) -> Response:
        """Give a rate limit that is over immediately, or a server error."""
        return self._api.transient_fault(draw)

    def refusal(self, status: int) -> Response:
        """Return TalkifAI's form of a status."""
        headers = {"Retry-After": "0"} if status == 429 else None
        return JSONResponse({"detail": REFUSALS[status]}, status, headers)

    async def create(self, request: Request) -> Response:
        """Create a job of contacts in JSON or in a CSV file; numbers that are not in E.164 are left out."""
        self._api.admit(request)
        fields, rows = await _sent(request)
        texts = {name: _text(fields, name) for name in ("name", "description", "fromPhoneNumberId")}
        if not texts["name"]:
            raise refused(400, "name is required")
        for name, most in LENGTHS.items():
            if len(texts[name] or "") > most:
                raise refused(400, f"{name} must have at most {most} characters")
        if not texts["fromPhoneNumberId"]:
            raise refused(400, "fromPhoneNumberId is required")
        if texts["fromPhoneNumberId"] not in PHONE_NUMBERS:
            raise refused(404, "Phone number not found")
        numbers = {name: _integer(fields, name, *span) for name, span in RANGES.items()}
        if not rows:
            raise refused(400, "contacts or file is required")
        if len(rows) > MOST_CONTACTS:
            raise refused(400, f"A batch job has at most {MOST_CONTACTS} contacts")
        contacts = tuple(Contact(phone, row) for phone, row in rows if E164.fullmatch(phone))
        if not contacts:
            raise refused(400, "No valid contacts: phone numbers must be in E.164 format")
        now = self._calls.now()
        scheduled = self._moment(_text(fields, "scheduledStartTime"), _text(fields, "timezone"))
        job = self._calls.jobs.add(
            lambda number: CallingJob(
                number,
                self._calls.job_id(number),
                now,
                self._calls.run_milliseconds,
                str(texts["name"]),
                texts["description"],
                str(texts["fromPhoneNumberId"]),
                contacts,
                numbers["concurrentCallLimit"],
                numbers["maxAttempts"],
                scheduled,
            ),
            len(contacts) + 1,
        )
        self._calls.recorder.note("talkifai", "batches", job.name)
        minutes = max(len(contacts) // job.concurrent_calls, 1)
        return JSONResponse(
            {
                "success": True,
                "batchJobId": job.id,
                "totalContacts": len(contacts),
                "estimatedDuration": f"{minutes} minutes",
                "estimatedCost": f"${len(contacts) * DOLLARS_A_CALL:.2f}",
                "status": "scheduled" if scheduled else "pending",
                "scheduledStartTime": timestamp(scheduled),
                "message": f"Batch job created with {len(contacts)} contacts",
            }
        )

    async def start(self, request: Request) -> Response:
        """Start a job that waits."""
        job, now = self._waiting(request, "started"), self._calls.now()
        self._calls.jobs.replace(job.number, replace(job, started=now))
        self._calls.recorder.note("talkifai", "starts", job.name)
        answer = {"status": "running", "contactsEnqueued": len(job.contacts), "startedAt": timestamp(now)}
        return _done(job, "Batch job started", redisJobCancelled=job.scheduled is not None, **answer)

    async def reschedule(self, request: Request) -> Response:
        """Choose another time for a job that waits; the parameters are in the query."""
        query = self._api.admit(request)
        job = self._waiting(request, "rescheduled")
        moment = self._moment(query.text("scheduledStartTime"), query.text("timezone"))
        if moment is None:
            raise refused(400, "scheduledStartTime is required")
        self._calls.jobs.replace(job.number, replace(job, scheduled=moment))
        self._calls.recorder.note("talkifai", "reschedules", job.name)
        answer = {"scheduledStartTime": timestamp(moment), "status": "scheduled"}
        old = job.scheduled is not None
        return _done(job, "Batch job rescheduled", oldJobCancelled=old, newScheduledJobId=_redis(moment, job), **answer)

    async def cancel(self, request: Request) -> Response:
        """Cancel a job that has not ended; a call in progress ends normally."""
        self._api.admit(request)
        job, now = self._job(request), self._calls.now()
        if job.status(now) in ("completed", "failed", "cancelled"):
            raise refused(400, f"A batch job cannot be cancelled in status {job.status(now)}")
        waiting = job.run.stage(now) == "waiting"
        job = self._calls.jobs.replace(job.number, replace(job, cancelled=now))
        self._calls.recorder.note("talkifai", "cancels", job.name)
        left = len(job.contacts) - job.run.limit
        redis = waiting and job.scheduled is not None
        return _done(job, "Batch job cancelled", redisJobCancelled=redis, contactsCancelled=left)

    async def redis_status(self, request: Request) -> Response:
        """Tell what the scheduler knows about a job, for debugging."""
        self._api.admit(request)
        job, now = self._job(request), self._calls.now()
        waits = job.status(now) == "scheduled"
        return JSONResponse(
            {
                "batchJobId": job.id,
                "databaseStatus": job.status(now),
                "scheduledJobId": _redis(job.scheduled, job) if waits and job.scheduled else None,
                "scheduledStartTime": timestamp(job.scheduled),
                "redisJobInfo": {
                    "job_id": _redis(job.scheduled, job) if waits and job.scheduled else None,
                    "in_defer_queue": False,
                    "job_metadata_exists": waits,
                    "scheduled_time": timestamp(job.scheduled) if waits else None,
                    "note": "Database and Redis can disagree",
                },
            }
        )

    def _job(self, request: Request) -> CallingJob:
        job = self._calls.find(str(request.path_params["batch_job_id"]))
        if job is None:
            raise refused(400, SEEDED) if self._api.has_job(request) else refused(404, "Batch job not found")
        return job

    def _waiting(self, request: Request, participle: str) -> CallingJob:
        """Return the job in the path, or answer 400 if it does not wait any more."""
        self._api.admit(request)
        job = self._job(request)
        status = job.status(self._calls.now())
        if status == "running":
            raise refused(400, "Batch job is already running")
        if status not in ("scheduled", "pending"):
            raise refused(400, f"A batch job cannot be {participle} in status {status}")
        return job

    def _moment(self, text: str | None, zone: str | None) -> int | None:
        """Read a time without offset, or with one, in Unix milliseconds."""
        if not text:
            return None
        try:
            moment = datetime.fromisoformat(text)
            moment = moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(zone) if zone else UTC)
        except (ValueError, OSError, KeyError):  # what zoneinfo raises depends on how wrong the name is
            raise refused(400, "Invalid scheduledStartTime or timezone") from None
        milliseconds = (moment - EPOCH) // timedelta(milliseconds=1)
        if milliseconds <= self._calls.now():
            raise refused(400, "scheduledStartTime must be in the future")
        return milliseconds


async def _sent(request: Request) -> tuple[dict[str, Any], list[tuple[str, dict[str, Any]]]]:
    """Return the fields of a body, and its contacts with their numbers."""
    if sent := await form(request, MOST_BYTES + 1):
        texts, uploads = sent
        if "file" not in uploads:
            return dict(texts), []
        if uploads["file"].size > MOST_BYTES:
            raise refused(400, "The file must have at most 10 MB")
        try:
            table = csv.DictReader(io.StringIO(uploads["file"].text.decode("utf-8-sig"), newline=""))
            rows = [{name or "": text or "" for name, text in row.items() if name} for row in table]
        except (UnicodeDecodeError, csv.Error):
            raise refused(400, "The file must be CSV in UTF-8") from None
        column = next((name for name in table.fieldnames or () if name.strip().lower() == "phone"), None)
        if column is None:
            raise refused(400, "The file must have a column phone")
        return dict(texts), [(row[column].strip(), row) for row in rows]
    fields = await json_object(request)
    if fields is None:
        raise refused(400, "Invalid JSON body")
    contacts = fields.get("contacts", [])
    if not isinstance(contacts, list) or not all(isinstance(contact, dict) for contact in contacts):
        raise refused(400, "contacts must be a list of objects")
    return fields, [(phone if isinstance(phone := row.get("phone"), str) else "", row) for row in contacts]


def _text(fields: Mapping[str, Any], name: str) -> str | None:
    value = fields.get(name)
    if value is not None and not isinstance(value, str):
        raise refused(400, f"{name} must be a string")
    return value


def _integer(fields: Mapping[str, Any], name: str, low: int, high: int, default: int) -> int:
    value = fields.get(name, default)
    if isinstance(value, str) and value.isascii() and value.isdigit():
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise refused(400, f"{name} must be between {low} and {high}")
    return value


def _redis(moment: int | None, job: CallingJob) -> str:
    return f"scheduled_{job.id}_{moment}"


def _done(job: CallingJob, message: str, **answer: Any) -> Response:
    return JSONResponse({"success": True, "message": message, "batchJobId": job.id, **answer})
