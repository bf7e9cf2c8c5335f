"""What was submitted to TalkifAI: batch calling jobs, and what has become of their calls by now."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from typing import Any

from airflow_batch_provider.sandbox.journal import Kept, Recorder
from airflow_batch_provider.sandbox.runs import Run
from airflow_batch_provider.sandbox.world import World, utc

CONTACTS_OF_A_JOB = 16_384  # more than a job can have
IDS = 1 << 48
ROOM = re.compile(r"outbound_agent_\d_\+\d+_s(\d{1,9})-(\d{1,5})-(\d{1,2})")
# Of what becomes of a number: what its contact says about it.
FAILURES = {"no_answer": ("480", "Temporarily unavailable"), "invalid_number": ("404", "Number does not exist")}


def timestamp(milliseconds: int | None) -> str | None:
    """Give a time as TalkifAI writes it: UTC, whole seconds, ``Z``."""
    return None if milliseconds is None else f"{utc(milliseconds)[:-4]}Z"


@dataclass(frozen=True)
class Contact:
    """Someone to call.

    :param phone: the number; its last digits decide what becomes of the call.
    :param data: the row as it was submitted.
    """

    phone: str
    data: dict[str, Any]

    @property
    def outcome(self) -> str:
        """``no_answer``, ``invalid_number`` or ``completed``."""
        if self.phone.endswith("7"):
            return "no_answer"
        return "invalid_number" if self.phone.endswith("13") else "completed"


@dataclass(frozen=True)
class State:
    """Where a contact stands; times are Unix milliseconds."""

    status: str
    attempts: int = 0
    last_attempt: int | None = None
    next_retry: int | None = None
    completed: int | None = None


@dataclass(frozen=True)
class CallingJob:
    """A batch calling job: its contacts are called one after the other.

    :param scheduled: when it begins; None: soon after its creation.
    :param started: when it was started by a request, if it was.
    """

    number: int
    id: str
    created: int
    run_milliseconds: int
    name: str
    description: str | None
    phone_number_id: str
    contacts: tuple[Contact, ...]
    concurrent_calls: int
    max_attempts: int
    scheduled: int | None
    started: int | None = None
    cancelled: int | None = None

    @property
    def agent_id(self) -> str:
        """The agent of the phone number."""
        return f"agent_{self.phone_number_id[-1]}"

    @property
    def run(self) -> Run:
        """How it proceeds."""
        begins = self.started or self.scheduled or self.created + self.run_milliseconds // 10
        return Run(begins, begins + self.run_milliseconds, len(self.contacts), self.cancelled)

    def status(self, now: float) -> str:
        """Return the status of the job."""
        stage = self.run.stage(now)
        if self.cancelled is not None and now >= self.cancelled:
            return "cancelled"
        return ("scheduled" if self.scheduled else "pending") if stage == "waiting" else stage

    def planned(self, contact: int) -> int:
        """Return how many calls a contact takes."""
        return self.max_attempts if self.contacts[contact].outcome == "no_answer" else 1

    def state(self, contact: int, now: float) -> State:
        """Return where a contact stands."""
        stage, outcome, planned = self.run.item_stage(contact, now), self.contacts[contact].outcome, 1
        if stage in ("waiting", "cancelled"):
            return State("cancelled" if stage == "cancelled" else "pending")
        planned = self.planned(contact)
        begins, ends = self.run.window(contact)
        edges = [begins + (ends - begins) * attempt // planned for attempt in range(planned + 1)]
        until = now if self.cancelled is None else min(now, self.cancelled)
        made = max(sum(edge <= until for edge in edges[:-1]), 1)
        last = edges[made - 1]
        if stage == "completed":
            return State(outcome if made == planned else "cancelled", made, last, completed=ends)
        # Between two attempts nobody is called.
        if made < planned and self.cancelled is None and now >= (last + edges[made]) / 2:
            return State("no_answer", made, last, next_retry=edges[made])
        return State("dialing", made, last)

    def calls(self, now: float) -> int:
        """Return how many calls have begun."""
        done = self.run.done(now)
        busy = done < self.run.limit and now >= self.run.begins
        # The last one that was worked off may have been cut short by a cancel.
        whole = done - 1 if done and done == self.run.limit else done
        rest = range(whole, done + busy)
        return self._calls[whole] + sum(self.state(contact, now).attempts for contact in rest)

    def counts(self, now: float) -> tuple[int, int]:
        """Return how many contacts were processed, and how many of them were reached."""
        done = self.run.done(now)
        cut = bool(done) and done == self.run.limit and self.state(done - 1, now).status == "cancelled"
        return done - cut, self._reached[done]

    @cached_property
    def _calls(self) -> tuple[int, ...]:
        return tuple(accumulate((self.planned(contact) for contact in range(len(self.contacts))), initial=0))

    @cached_property
    def _reached(self) -> tuple[int, ...]:
        return tuple(accumulate((contact.outcome == "completed" for contact in self.contacts), initial=0))


class TalkifAICalls:
    """The jobs that were submitted, the latest of them.

    :param world: seed and clock.
    :param recorder: counts what is written.
    """

    def __init__(self, world: World, recorder: Recorder) -> None:
        self._world, self.recorder = world, recorder
        self.organization_id = f"org_{world.digest('talkifai organization')}"
        self.run_milliseconds = int(world.settings.run_seconds * 1000)
        self.jobs: Kept[CallingJob] = Kept(lambda job: self.now() >= job.run.over, self._forget)
        recorder.calls = self._calls

    def now(self) -> int:
        """Return the time in Unix milliseconds."""
        return int(self._world.now() * 1000)

    def job_id(self, number: int) -> str:
        """Return the id of a job."""
        return f"batch_{self._world.uuid('talkifai submitted job', number)}"

    def find(self, job_id: str) -> CallingJob | None:
        """Return the job with an id, or None."""
        number = self._world.find("talkifai submitted job", job_id.removeprefix("batch_"), self.jobs.count)
        return self.jobs.get(number) if job_id.startswith("batch_") else None

    def listed(self, status: str | None) -> list[CallingJob]:
        """Return the jobs that listings show, newest first.

        :param status: of those wanted; None: all.
        """
        now, late = self.now(), self._world.settings.late_listing * 1000
        return [
            job
            for _, job in self.jobs.newest_first()
            if now >= job.created + late and status in (None, job.status(now))
        ]

    def row(self, job: CallingJob) -> dict[str, Any]:
        """Return a job as answers have it."""
        now, run = self.now(), job.run
        processed, reached = job.counts(now)
        return {
            "id": job.id,
            "name": job.name,
            "description": job.description,
            "status": job.status(now),
            "organizationId": self.organization_id,
            "agentId": job.agent_id,
            "fromPhoneNumberId": job.phone_number_id,
            "totalContacts": len(job.contacts),
            "contactsProcessed": processed,
            "successfulCalls": reached,
            "failedCalls": processed - reached,
            "scheduledStartTime": timestamp(job.scheduled),
            "actualStartTime": timestamp(run.begins) if job.calls(now) else None,
            "completedAt": timestamp(run.over) if now >= run.over else None,
            "createdAt": timestamp(job.created),
            "concurrentCallLimit": job.concurrent_calls,
            "retryPolicy": {
                "maxAttempts": job.max_attempts,
                "retryableStatuses": ["no_answer", "busy", "timeout"],
            },
        }

    def contact_row(self, job: CallingJob, contact: int) -> dict[str, Any]:
        """Return a contact as answers have it."""
        state, whom = job.state(contact, self.now()), job.contacts[contact]
        code, reason = FAILURES.get(state.status, (None, None))
        called = state.completed is not None and state.status != "invalid_number"
        return {
            "id": f"contact_{self._world.uuid('talkifai submitted contact', job.number * CONTACTS_OF_A_JOB + contact)}",
            "phoneNumber": whom.phone,
            "contactData": whom.data,
            "status": state.status,
            "errorCode": code,
            "attemptCount": state.attempts,
            "maxAttempts": job.max_attempts,
            "lastAttemptAt": timestamp(state.last_attempt),
            "nextRetryAt": timestamp(state.next_retry),
            "completedAt": timestamp(state.completed),
            "roomName": _room(job, contact, state.attempts) if called else None,
            "failureReason": reason,
            "callDuration": 30 + contact % 90 if state.status == "completed" else None,
        }

    def find_contact(self, contact_id: str) -> tuple[CallingJob, int] | None:
        """Return the job of a contact and its position there, or None."""
        number = self._world.find("talkifai submitted contact", contact_id.removeprefix("contact_"), IDS)
        if number is None:
            return None
        job, contact = self.jobs.get(number // CONTACTS_OF_A_JOB), number % CONTACTS_OF_A_JOB
        return (job, contact) if job and contact < len(job.contacts) else None

    def of_room(self, room: str) -> tuple[CallingJob, int] | None:
        """Return the job and the position of the contact of the call in a room, or None."""
        found = ROOM.fullmatch(room)
        if not found or not (job := self.jobs.get(int(found[1]))) or int(found[2]) >= len(job.contacts):
            return None
        contact = int(found[2])
        return (job, contact) if self.contact_row(job, contact)["roomName"] == room else None

    def _calls(self) -> Counter[str]:
        calls, now = Counter[str](), self.now()
        for job in self.jobs.oldest_first():
            calls[job.name] += job.calls(now)
        return +calls

    def _forget(self, job: CallingJob) -> None:
        self.recorder.note("talkifai", "calls", job.name, job.calls(self.now()))


def _room(job: CallingJob, contact: int, attempt: int) -> str:
    return f"outbound_{job.agent_id}_{job.contacts[contact].phone}_s{job.number}-{contact}-{attempt}"
