"""TalkifAI's batch calling jobs, read from its "List Batch Jobs" and "Get Batch Job" pages."""

from __future__ import annotations

import html
import re
from collections import Counter
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response

from airflow_batch_provider.sandbox.faults import Handler, Refused
from airflow_batch_provider.sandbox.query import Query
from airflow_batch_provider.sandbox.talkifai_calls import CallingJob, TalkifAICalls, timestamp
from airflow_batch_provider.sandbox.world import Matches, Progress, World

STATUSES = ("pending", "scheduled", "running", "completed", "failed", "cancelled")
CONTACT_STATUSES = (
    *("pending", "queued", "dialing", "no_answer", "busy", "timeout"),
    *("completed", "failed", "blocked", "invalid_number", "carrier_error", "cancelled"),
)
# The named codes (invalid_page ...) are in no sample body, only prose is.
REFUSALS = {
    "status": "Invalid status filter value",
    "page": "Invalid page number: must be >= 1",
    "pageSize": "Invalid page size: must be between 1 and 100",
    "contactStatus": "Invalid contact status filter value",
    "contactsPage": "Invalid contacts page number: must be >= 1",
    "contactsPageSize": "Invalid contacts page size: must be between 1 and 500",
}
ROOM = re.compile(r"outbound_agent_\d_\+1555\d{3}(\d{4})_(\d{1,7})")
NAMES = {3: 'Büro "Süd", 更新', 5: "First line\nSecond line", 11: "O'Brien & Söhne, 50 % \\ résumé"}


def refused(status: int, detail: str) -> Refused:
    """Give an error in TalkifAI's form."""
    return Refused(JSONResponse({"detail": detail}, status))


def contacts_of(index: int) -> int:
    """Give the number of contacts of a job: from none to more than the largest page."""
    return {7: 0, 12: 601}.get(index % 60, index % 60 * 2 + 1)


def failed_calls(index: int, processed: int) -> range:
    """Give the contacts whose calls failed; the job is "completed" anyway, as in the sample."""
    return range(4, processed, 9) if index % 2 else range(0)


def contact_id(world: World, index: int, contact: int) -> str:
    """Return the id of a contact of a job."""
    return f"contact_{world.item_uuid('talkifai contact', index, contact)}"


def phone_number(index: int, contact: int) -> str:
    """Return a number to call; 555 is no area code."""
    return f"+1555{index % 1000:03d}{contact:04d}"


def room_name(index: int, contact: int) -> str:
    """Return the name of a call's room, which contains the number, as that of a single call does."""
    return f"outbound_agent_{index % 4}_{phone_number(index, contact)}_{index}"


class Details(NamedTuple):
    """A job with its contacts.

    :param statuses: of all contacts.
    :param contact: returns the contact at a position.
    :param ends: when the job ends, in Unix milliseconds, if it is running.
    """

    job: dict[str, Any]
    statuses: list[str]
    contact: Callable[[int], dict[str, Any]]
    ends: int | None


class TalkifAI:
    """The endpoints of one organization.

    :param world: the seeded data.
    :param calls: the jobs that were submitted, which listings have first.
    """

    def __init__(self, world: World, calls: TalkifAICalls) -> None:
        self._world, self._calls = world, calls
        self._rows = world.settings.jobs
        self.api_key = f"talkifai-sandbox-{world.digest('talkifai key')}"
        self.organization_id = calls.organization_id

    @property
    def handlers(self) -> Mapping[str, Handler]:
        """The endpoints."""
        return {"/batch/jobs": self.list_jobs, "/batch/jobs/{batch_job_id}": self.get_job}

    def transient_fault(self, draw: float) -> Response:
        """Give a rate limit that is over immediately, or a server error."""
        if draw < 0.5:
            limits = {"Retry-After": "0", "X-RateLimit-Limit": "60", "X-RateLimit-Remaining": "0"}
            return JSONResponse({"detail": "Rate limit exceeded"}, 429, limits)
        return JSONResponse({"detail": "Failed to list batch jobs"}, 500)

    async def list_jobs(self, request: Request) -> Response:
        """List the batch jobs of an organization by page."""
        query = self.admit(request)
        if not query.text("organizationId"):
            raise refused(400, "organizationId is required")
        status, page = query.choice("status", STATUSES), query.integer("page", 1, 1)
        size = query.integer("pageSize", 20, 1, 100)
        self._check(query)
        if query.text("organizationId") != self.organization_id:
            raise refused(403, "You do not have access to this organization")
        elapsed = self._world.elapsed()
        found = Matches.of(range(self._rows), lambda index: status in (None, self._status(index, elapsed)))
        ours, start = self._calls.listed(status), (page - 1) * size
        jobs = [self._calls.row(job) for job in ours[start : start + size]]
        seeded = found.rows(max(start - len(ours), 0), size - len(jobs))
        jobs += [self._job(index, elapsed) for index in seeded]
        return JSONResponse({"batchJobs": jobs, "total": len(ours) + len(found), "page": page, "pageSize": size})

    async def get_job(self, request: Request) -> Response:
        """Give one batch job and a page of its contacts."""
        query = self.admit(request)
        status, page = query.choice("contactStatus", CONTACT_STATUSES), query.integer("contactsPage", 1, 1)
        size = query.integer("contactsPageSize", 50, 1, 500)
        self._check(query)
        details = self._submitted_details(request) or self._seeded_details(request)
        chosen = [contact for contact, word in enumerate(details.statuses) if status in (None, word)]
        start = (page - 1) * size
        return JSONResponse(
            {
                **details.job,
                "statusBreakdown": Counter(details.statuses),
                "estimatedCompletionTime": timestamp(details.ends),
                "contacts": [details.contact(contact) for contact in chosen[start : start + size]],
                "contactsTotal": len(chosen),
                "contactsPage": page,
                "contactsPageSize": size,
                "contactsHasMore": start + size < len(chosen),
            }
        )

    def _submitted_details(self, request: Request) -> Details | None:
        job, now = self._submitted(request), self._calls.now()
        if job is None:
            return None
        statuses = [job.state(contact, now).status for contact in range(len(job.contacts))]
        ends = job.run.over if job.status(now) == "running" else None
        return Details(self._calls.row(job), statuses, partial(self._calls.contact_row, job), ends)

    def _seeded_details(self, request: Request) -> Details:
        index = self._index(request)
        if index is None:
            raise refused(404, "Batch job not found")
        elapsed = self._world.elapsed()
        progress, ends = self._world.progress(index, elapsed), self._world.life(index).ends
        statuses = [self._contact_status(index, contact, progress) for contact in range(contacts_of(index))]
        last, running = timestamp(progress.updated), progress.stage == "running" and ends is not None
        return Details(
            self._job(index, elapsed),
            statuses,
            lambda contact: self._contact(index, contact, statuses[contact], last),
            self._world.moment(ends or 0) if running else None,
        )

    def has_job(self, request: Request) -> bool:
        """Return whether the job in the path is a seeded one."""
        return self._index(request) is not None

    def contact_of_room(self, room: str) -> dict[str, Any] | None:
        """Return the contact of a call that is over, or None."""
        if not (found := ROOM.fullmatch(room)):
            return None
        contact, index = int(found[1]), int(found[2])
        if index >= self._rows or contact >= contacts_of(index) or room != room_name(index, contact):
            return None
        progress = self._world.progress(index, self._world.elapsed())
        status = self._contact_status(index, contact, progress)
        return self._contact(index, contact, status, timestamp(progress.updated))

    async def studio(self, request: Request) -> Response:
        """Imitate Studio's page of a job, at the path that the page "Batch Calling" gives; without its log-in."""
        index, ours = self._index(request), self._submitted(request)
        if index is None and ours is None:
            return HTMLResponse("<h1>Batch not found</h1>", 404)
        shown = self._calls.row(ours) if ours else self._job(index or 0, self._world.elapsed())
        job = {name: html.escape(str(value)) for name, value in shown.items()}
        rows = "".join(f"<tr><th>{name}</th><td>{value}</td></tr>" for name, value in job.items())
        return HTMLResponse(f"<title>{job['name']}</title><h1>{job['name']}</h1><table>{rows}</table>")

    def _submitted(self, request: Request) -> CallingJob | None:
        return self._calls.find(str(request.path_params["batch_job_id"]))

    def _index(self, request: Request) -> int | None:
        text = str(request.path_params["batch_job_id"])
        return self._world.find("talkifai job", text[6:], self._rows) if text.startswith("batch_") else None

    def admit(self, request: Request) -> Query:
        """Check the key."""
        # The endpoint pages say Bearer, the authentication page says x-api-key.
        scheme, _, bearer = request.headers.get("authorization", "").partition(" ")
        key = bearer.strip() if scheme.lower() == "bearer" else request.headers.get("x-api-key")
        if key != self.api_key:
            raise refused(401, "Invalid or missing API key")
        return Query(request)

    def _check(self, query: Query) -> None:
        for problem in query.problems:
            raise refused(400, REFUSALS[problem["loc"][-1]])

    def _status(self, index: int, elapsed: float) -> str:
        stage = self._world.stage(index, elapsed)
        return ("scheduled" if index % 3 == 0 else "pending") if stage == "waiting" else stage

    def _job(self, index: int, elapsed: float) -> dict[str, Any]:
        progress, begins = self._world.progress(index, elapsed), self._world.life(index).begins
        total = contacts_of(index)
        processed = progress.count(total)
        failed = len(failed_calls(index, processed))
        scheduled = None if begins is None or index % 3 else self._world.moment(begins)
        return {
            "id": f"batch_{self._world.uuid('talkifai job', index)}",
            "name": NAMES.get(index % 60, f"Campaign {index + 1}"),
            "description": "Follow up on expiring subscriptions" if index % 2 else None,
            "status": self._status(index, elapsed),
            "organizationId": self.organization_id,
            "agentId": f"agent_{index % 4}",
            "fromPhoneNumberId": f"phone_{index % 2}",
            "totalContacts": total,
            "contactsProcessed": processed,
            "successfulCalls": processed - failed,
            "failedCalls": failed,
            "scheduledStartTime": timestamp(scheduled),
            "actualStartTime": timestamp(progress.started),
            "completedAt": timestamp(progress.ended),
            "createdAt": timestamp(self._world.created(index)),
            "concurrentCallLimit": 5,
            "retryPolicy": {"maxAttempts": 3, "retryableStatuses": ["no_answer", "busy", "timeout"]},
        }

    def _contact_status(self, index: int, contact: int, progress: Progress) -> str:
        processed = progress.count(contacts_of(index))
        if contact < processed:
            return "failed" if contact in failed_calls(index, processed) else "completed"
        if progress.stage == "cancelled":
            return "cancelled"
        return "dialing" if progress.stage == "running" and contact == processed else "pending"

    def _contact(self, index: int, contact: int, status: str, last: str | None) -> dict[str, Any]:
        final, failed = status in ("completed", "failed"), status == "failed"
        return {
            "id": contact_id(self._world, index, contact),
            "phoneNumber": phone_number(index, contact),
            # The row as it was submitted, with columns of the customer's own.
            "contactData": {"name": f"Contact {contact + 1}", "plan": 'Süd "plus"', "row": str(contact)},
            "status": status,
            "errorCode": "480" if failed else None,
            "attemptCount": 3 if failed else int(final or status == "dialing"),
            "maxAttempts": 3,
            "lastAttemptAt": last if final else None,
            "nextRetryAt": None,
            "completedAt": last if final else None,
            "roomName": room_name(index, contact) if final else None,
            "failureReason": "Temporarily unavailable" if failed else None,
            "callDuration": 30 + contact % 90 if status == "completed" else None,
        }
