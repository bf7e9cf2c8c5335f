"""TalkifAI as it counts: batch jobs that call people.

A job calls at its scheduled time, or as soon as it is started, or at once if it has no time. Each number that is
dialled is counted.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from dev.chaos.counting.account import Account, Answer, Asked, Knobs, iso, json_of, route

ORGANIZATION = "org-of-the-key"
PHONE = "phone-1"
"""The one phone number that calls can come from."""

_E164 = re.compile(r"\+[1-9]\d{6,14}")
_MOST_CONTACTS = 10_000
_FINAL = {"completed", "failed", "cancelled"}


@dataclass(kw_only=True)
class TalkifAIKnobs(Knobs):
    """How an account at TalkifAI behaves.

    :param seconds_per_call: from one call of a job to the next
    :param created: the status of an answer that creates
    :param envelope: whether errors have the form of the introduction page, instead of that of the endpoints' pages
    """

    seconds_per_call: float = 0.0
    created: int = 200
    envelope: bool = False


@dataclass(kw_only=True)
class _Contact:
    id: str
    phone: str
    data: Any
    status: str = "pending"
    dialled: float | None = None


@dataclass(kw_only=True)
class _Job:
    id: str
    name: str
    description: str | None
    contacts: Sequence[_Contact]
    created: float
    scheduled: float | None
    limit: int
    attempts: int
    status: str
    starts: float
    began: float | None = None
    ended: float | None = None


class TalkifAI(Account):
    """An account at TalkifAI."""

    knobs_type = TalkifAIKnobs
    knobs: TalkifAIKnobs

    def __init__(self, key: str, knobs: Knobs) -> None:
        super().__init__(key, knobs)
        self.jobs: dict[str, _Job] = {}
        self.calls: Counter[str] = Counter()

    def refuse(self, status: int, message: str, code: str = "error") -> Answer:
        """Return an error."""
        if self.knobs.envelope:
            return Answer(status, {"success": False, "error": message, "code": code})
        return Answer(status, {"detail": message})

    @route("POST", "/batch/create")
    def create(self, asked: Asked) -> Answer:
        self.check_names(asked)
        body = json_of(asked)
        if body is None:
            return self.refuse(400, "The body is not JSON", "invalid_body")
        known = ("contacts", "fromPhoneNumberId", "name", "description", "concurrentCallLimit", "maxAttempts")
        self.check_names(asked, *known, "scheduledStartTime", "timezone", where="body", given=body)
        if wrong := self._wrong(body):
            return self.refuse(400, wrong, "validation_error")
        if body["fromPhoneNumberId"] != PHONE:
            return self.refuse(404, "Phone number not found", "phone_number_not_found")
        text, zone = body.get("scheduledStartTime"), body.get("timezone") or "UTC"
        scheduled = self._time(text, zone) if text is not None else None
        rows = [row for row in body["contacts"] if _E164.fullmatch(str(row.get("phone")))]
        job = _Job(
            id=self.new_id("job"),
            name=body["name"],
            description=body.get("description"),
            contacts=[_Contact(id=self.new_id("contact"), phone=row["phone"], data=row) for row in rows],
            created=self.now(),
            scheduled=scheduled,
            limit=body.get("concurrentCallLimit") or 5,
            attempts=body.get("maxAttempts") or 3,
            status="pending" if scheduled is None else "scheduled",
            starts=self.now() + self.knobs.start_after if scheduled is None else scheduled,
        )
        self.jobs[job.id] = job
        answer = {
            "success": True,
            "batchJobId": job.id,
            "totalContacts": len(job.contacts),
            "estimatedDuration": "1 minute",
            "estimatedCost": "$3.50",
            "status": job.status,
            "scheduledStartTime": iso(scheduled),
            "message": "Batch job created",
        }
        return Answer(self.knobs.created, answer)

    @staticmethod
    def _wrong(body: Any) -> str:
        """Return what is wrong with the fields of a job, if anything is."""
        name, contacts = body.get("name"), body.get("contacts")
        if not isinstance(name, str) or not 1 <= len(name) <= 200:
            return "name must have 1 to 200 characters"
        if not isinstance(body.get("fromPhoneNumberId"), str):
            return "fromPhoneNumberId is required"
        if not isinstance(contacts, list) or not 1 <= len(contacts) <= _MOST_CONTACTS:
            return "contacts must have 1 to 10000 rows"
        if len(body.get("description") or "") > 1000:
            return "description must have 1000 characters at most"
        if not 1 <= (body.get("concurrentCallLimit") or 5) <= 50 or not 1 <= (body.get("maxAttempts") or 3) <= 10:
            return "concurrentCallLimit must be 1 to 50, and maxAttempts 1 to 10"
        return ""

    def _time(self, text: str, zone: str) -> float:
        """Return the time that a text means, in a time zone; a job that is late calls at once."""
        found = datetime.fromisoformat(text)
        moment = (found if found.tzinfo else found.replace(tzinfo=ZoneInfo(zone))).timestamp()
        if moment <= self.now():
            self.surprise("A job is scheduled for a time that has passed")
        return moment

    # The calls ------------------------------------------------------------------------------------------------------

    def settle(self) -> None:
        """Let jobs call whose time has come."""
        for job in self.jobs.values():
            if job.status in {"pending", "scheduled"} and job.starts <= self.now():
                self._begin(job, job.starts)
            if job.status == "running" and job.began is not None:
                self._call(job, job.began)

    def _begin(self, job: _Job, at: float) -> None:
        job.status, job.began = "running", at

    def _call(self, job: _Job, began: float) -> None:
        """Dial whose turn it is, and end the job when the last call has ended."""
        for place, contact in enumerate(job.contacts):
            turn = began + place * self.knobs.seconds_per_call
            if contact.dialled is None and contact.status == "pending" and turn <= self.now():
                contact.dialled, contact.status = turn, "completed"
                self.calls[contact.phone] += 1
        last = began + len(job.contacts) * self.knobs.seconds_per_call + self.knobs.run_seconds
        if last <= self.now():
            job.status, job.ended = "completed", last

    @route("POST", "/batch/jobs/{}/start")
    def start(self, asked: Asked, identifier: str) -> Answer:
        job = self.jobs.get(identifier)
        if job is None:
            return self.refuse(404, "Batch job not found", "job_not_found")
        if job.status == "running":
            return self.refuse(400, "Batch job is already running", "already_running")
        if job.status in _FINAL:
            return self.refuse(400, f"Batch job is {job.status}", "invalid_status")
        self._begin(job, self.now())
        answer = {
            "success": True,
            "message": "Batch job started",
            "batchJobId": job.id,
            "status": "running",
            "contactsEnqueued": len(job.contacts),
            "redisJobCancelled": True,
            "startedAt": iso(job.began),
        }
        return Answer(200, answer)

    @route("PATCH", "/batch/jobs/{}/reschedule")
    def reschedule(self, asked: Asked, identifier: str) -> Answer:
        self.check_names(asked, "scheduledStartTime", "timezone")
        job = self.jobs.get(identifier)
        if job is None:
            return self.refuse(404, "Batch job not found", "job_not_found")
        if job.status not in {"pending", "scheduled"}:
            return self.refuse(400, f"Batch job is {job.status}", "invalid_status")
        job.scheduled = self._time(asked.one("scheduledStartTime") or "", asked.one("timezone") or "UTC")
        job.starts, job.status = job.scheduled, "scheduled"
        answer = {
            "success": True,
            "message": "Batch job rescheduled",
            "batchJobId": job.id,
            "scheduledStartTime": iso(job.scheduled),
            "status": job.status,
            "oldJobCancelled": True,
            "newScheduledJobId": self.new_id("redis"),
        }
        return Answer(200, answer)

    @route("POST", "/batch/jobs/{}/cancel")
    def cancel(self, asked: Asked, identifier: str) -> Answer:
        job = self.jobs.get(identifier)
        if job is None:
            return self.refuse(404, "Batch job not found", "job_not_found")
        if job.status in _FINAL:
            return self.refuse(400, f"Batch job is already {job.status}", "invalid_status")
        waiting = [one for one in job.contacts if one.dialled is None]
        for one in waiting:
            one.status = "cancelled"
        job.status, job.ended = "cancelled", self.now()
        answer = {"success": True, "message": "Batch job cancelled", "batchJobId": job.id}
        return Answer(200, {**answer, "redisJobCancelled": True, "contactsCancelled": len(waiting)})

    # Reading --------------------------------------------------------------------------------------------------------

    @route("GET", "/batch/jobs")
    def list_jobs(self, asked: Asked) -> Answer:
        self.check_names(asked, "organizationId", "status", "page", "pageSize")
        page, size = int(asked.one("page", "1") or 0), int(asked.one("pageSize", "20") or 0)
        if asked.one("organizationId") is None or page < 1 or not 1 <= size <= 100:
            return self.refuse(400, "Invalid request", "invalid_page")
        is_ours = asked.one("organizationId") == ORGANIZATION
        found = self.listed(iter(self.jobs.values())) if is_ours else []
        found = [one for one in found if asked.one("status") in {None, one.status}]
        size = min(size, self.knobs.page)
        rows = [self._row(one) for one in found[(page - 1) * size : page * size]]
        return Answer(200, {"batchJobs": rows, "total": len(found), "page": page, "pageSize": size})

    @route("GET", "/batch/jobs/{}")
    def get_job(self, asked: Asked, identifier: str) -> Answer:
        self.check_names(asked, "contactStatus", "contactsPage", "contactsPageSize")
        job = self.jobs.get(identifier)
        if job is None:
            return self.refuse(404, "Batch job not found", "job_not_found")
        page, size = int(asked.one("contactsPage", "1") or 0), int(asked.one("contactsPageSize", "50") or 0)
        if page < 1 or not 1 <= size <= 500:
            return self.refuse(400, "Invalid page", "invalid_page")
        found = [one for one in job.contacts if asked.one("contactStatus") in {None, one.status}]
        details = {
            "statusBreakdown": dict(Counter(one.status for one in job.contacts)),
            "estimatedCompletionTime": None,
            "contacts": [_contact_row(one, job) for one in found[(page - 1) * size : page * size]],
            "contactsTotal": len(found),
            "contactsPage": page,
            "contactsPageSize": size,
            "contactsHasMore": page * size < len(found),
        }
        return Answer(200, {**self._row(job), **details})

    @route("GET", "/batch/jobs/{}/redis-status")
    def redis_status(self, asked: Asked, identifier: str) -> Answer:
        job = self.jobs.get(identifier)
        if job is None:
            return self.refuse(404, "Batch job not found", "job_not_found")
        return Answer(200, {"batchJobId": job.id, "databaseStatus": job.status, "redisJobInfo": {}})

    @staticmethod
    def _row(job: _Job) -> dict[str, Any]:
        dialled = sum(one.dialled is not None for one in job.contacts)
        return {
            "id": job.id,
            "name": job.name,
            "description": job.description,
            "status": job.status,
            "totalContacts": len(job.contacts),
            "contactsProcessed": dialled,
            "successfulCalls": dialled,
            "failedCalls": 0,
            "scheduledStartTime": iso(job.scheduled),
            "actualStartTime": iso(job.began),
            "completedAt": iso(job.ended),
            "createdAt": iso(job.created),
            "organizationId": ORGANIZATION,
            "fromPhoneNumberId": PHONE,
            "concurrentCallLimit": job.limit,
            "retryPolicy": {"maxAttempts": job.attempts, "retryableStatuses": ["busy", "no_answer"]},
        }

    def counted(self) -> dict[str, Any]:
        """Return the jobs, which ran if they dialled a number, and how often each number was dialled."""
        jobs = sorted(self.jobs.values(), key=lambda one: one.created)
        ran = {one.id for one in jobs if any(contact.dialled is not None for contact in one.contacts)}
        return {
            "created": [one.id for one in jobs],
            "ran": [one.id for one in jobs if one.id in ran],
            "cancelled_before_run": [one.id for one in jobs if one.status == "cancelled" and one.id not in ran],
            "handles": {one.id: one.name for one in jobs},
            "starts": {one.id: one.starts for one in jobs},
            "status": {one.id: one.status for one in jobs},
            "calls": dict(self.calls),
        }


def _contact_row(contact: _Contact, job: _Job) -> dict[str, Any]:
    return {
        "id": contact.id,
        "phoneNumber": contact.phone,
        "contactData": contact.data,
        "status": contact.status,
        "errorCode": None,
        "attemptCount": int(contact.dialled is not None),
        "maxAttempts": job.attempts,
        "lastAttemptAt": iso(contact.dialled),
        "nextRetryAt": None,
        "completedAt": iso(contact.dialled),
        "roomName": f"room-of-{contact.id}" if contact.dialled is not None else None,
        "failureReason": None,
        "callDuration": 30 if contact.dialled is not None else None,
    }
