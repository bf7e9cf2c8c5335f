"""Submits a piece of work: adopts what there is of it, or makes it, once."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from itertools import count
from typing import Any

from msgspec.structs import replace

from airflow_batch_provider import backoff
from airflow_batch_provider.apis.batch_state import BatchKind, Outcome, ShownState, show_state
from airflow_batch_provider.apis.plans import Plan, ask
from airflow_batch_provider.apis.submissions import (
    Copy,
    Existing,
    Preflight,
    Stopped,
    Submission,
    Work,
    cancel,
    kept_first,
)
from airflow_batch_provider.client.client import Client
from airflow_batch_provider.exceptions import (
    BatchExistsError,
    InvalidParameterError,
    RequestRefusedError,
)
from airflow_batch_provider.submitting.piece_of_work import Memory, PieceOfWork
from airflow_batch_provider.submitting.runner import SubmissionRunner
from airflow_batch_provider.vendors import talkifai, talkifai_submission

log = logging.getLogger(__name__)

ON_EXISTING = ("adopt", "fail", "new")


def work_of(piece: PieceOfWork, values: Mapping[str, Any], items: Any = None, *, continues: str | None = None) -> Work:
    """Return what a vendor's plans need to know of a piece of work.

    :param piece: the piece of work
    :param values: the parameters of the task, checked
    :param items: what it consists of
    :param continues: the batch whose failed items it consists of
    """
    return Work(
        key=piece.key,
        description=piece.description,
        values=values,
        items=items,
        is_retry=piece.is_retry,
        began=piece.began,
        now=datetime.now(UTC),
        continues=continues,
    )


def inspect(submission: Submission, work: Work, most_items: int | None = None) -> Preflight:
    """Check a piece of work without a request, and return what it would cost.

    :param submission: how it is submitted
    :param work: the piece of work
    :param most_items: how many items are allowed
    :raises InvalidParameterError: it would be refused, or has too many items
    """
    found = submission.inspect(work)
    if isinstance(found, Stopped):
        raise InvalidParameterError(f"{submission.name}: {found.reason}", vendor=submission.vendor.name)
    if most_items is not None and found.items > most_items:
        raise InvalidParameterError(
            f"{submission.name}: there are {found.items} {submission.what}, more than the max_items={most_items} that "
            "are allowed. Nothing was submitted.",
            vendor=submission.vendor.name,
        )
    return found


PAUSES_OF_CANCEL = (3.0, 7.0)
"""Seconds between the times that a task which is ended looks for what it may have sent: Airflow gives it a minute."""


class Submitter:
    """Submits a piece of work.

    :param client: where to submit it
    :param submission: how
    :param work: what
    :param memory: what Airflow remembers of it
    :param on_existing: what to do if it was submitted already
    :param know: called with the batch's id as soon as it is known
    """

    def __init__(
        self,
        client: Client,
        submission: Submission,
        work: Work,
        *,
        memory: Memory,
        on_existing: str,
        know: Callable[[str], None],
    ) -> None:
        self._client = client
        self._submission = submission
        self._work = work
        self._memory = memory
        self._on_existing = on_existing
        self._know = know
        self._runner: SubmissionRunner | None = None
        self._is_stopped = False
        self._is_sent = False

    @property
    def work(self) -> Work:
        """The piece of work, with the key under which it was submitted."""
        return self._work

    def submit(self) -> str:
        """Return the batch, which was made now or before.

        :raises BatchExistsError: it was made before, and that is not allowed
        :raises BatchProviderError: it could not be made; says what is there and how to continue
        """
        existing = self._find()
        if existing.batches:
            kept = kept_first(existing.batches)[0]
            if self._on_existing == "fail":
                raise BatchExistsError(
                    self._client.show(
                        f"{self._submission.name}: {kept.id} was submitted for this piece of work already. Nothing was "
                        "submitted now; to wait for it, set on_existing='adopt'."
                    ),
                    vendor=self._submission.vendor.name,
                )
            log.info("Adopting %s, which was submitted for this piece of work before", self._client.show(kept.id))
        runner = self._new_runner()
        batch = runner.finish(self._submission.submit(self._work, existing))
        return batch.id

    def _find(self) -> Existing:
        """Look up what there is; with ``on_existing="new"``, what has ended counts no more."""
        key = self._work.key
        for number in count(1):
            own_key = key if number == 1 else f"{key}.{number}"
            self._work = replace(self._work, key=own_key, was_sent=self._memory.was_sent(own_key))
            existing = self._with_remembered(self._new_runner().finish(self._submission.find(self._work)))
            batches = kept_first(existing.batches)
            if not batches or self._on_existing != "new" or not batches[0].outcome.is_terminal:
                return existing
        raise AssertionError

    def _with_remembered(self, existing: Existing) -> Existing:
        """Add the batch that Airflow remembers, which the listing may not show, or not any more."""
        kind, batch_id = self._submission.kind, self._memory.batch_id(self._work.key)
        if batch_id is None or kind.single is None or any(copy.id == batch_id for copy in existing.batches):
            return existing
        found = self._new_runner().finish(_read(kind, batch_id))
        if found is None:
            return existing
        state = kind.state(found)
        if self._submission.is_void(found):
            return existing
        return replace(existing, batches=[*existing.batches, Copy(id=batch_id, document=found, state=state)])

    def stop(self) -> None:
        """Send nothing more; what is being sent cannot be called back."""
        self._is_stopped = True
        if self._runner is not None:
            self._runner.close()

    def cancel(self, client: Client, batch_id: str | None) -> None:
        """Cancel the batch, or, where it is not known, whatever there is of this piece of work.

        :param client: where to cancel it
        :param batch_id: the batch, if it is known
        """
        kind = self._submission.kind
        if kind.cancel is None:
            log.warning("%s: it continues, since the vendor has no way to cancel it by API", self._submission.name)
            return
        for each in [batch_id] if batch_id else self._find_sent(client):
            cancel_batch(client, kind, each, self._work.values)

    def _find_sent(self, client: Client) -> list[str]:
        """Look up what there is of this piece of work; what was perhaps sent a moment ago, more than once."""
        found = self._open_copies(client)
        for seconds in PAUSES_OF_CANCEL if self._is_sent else ():
            if found:
                break
            backoff.pause(seconds)
            found = self._open_copies(client)
        return [copy.id for copy in found]

    def cancel_waiting(self, kept: str | None = None) -> None:
        """Cancel what was made and not started, where that would start by itself.

        :param kept: the batch to leave alone
        """
        if self._submission.find_waiting is None:
            return
        for copy in self._new_runner().finish(self._submission.find_waiting(self._work)):
            if copy.id != kept:
                cancel_batch(self._client, self._submission.kind, copy.id, self._work.values)

    def _open_copies(self, client: Client) -> list[Copy]:
        existing = SubmissionRunner(client, self._work.values).finish(self._submission.find(self._work))
        return [copy for copy in existing.batches if not copy.outcome.is_terminal]

    def _new_runner(self) -> SubmissionRunner:
        key = self._work.key

        def know(batch_id: str) -> None:
            try:
                self._know(batch_id)
                self._memory.note_batch(key, batch_id)
            except Exception as error:  # noqa: BLE001 - whatever Airflow says to a try that it has given up
                # What was made must still be compared with what another try has made, and a second copy cancelled.
                log.warning("The id of %s could not be stored: %s", self._client.show(batch_id), error)

        def note_sending() -> None:
            self._memory.note_sending(key)
            self._is_sent = True

        self._runner = SubmissionRunner(self._client, self._work.values, note_sending=note_sending, know=know)
        if self._is_stopped:  # perhaps by a signal that came between two runners
            self._runner.close()
        return self._runner


def cancel_batch(client: Client, kind: BatchKind, batch_id: str, values: Mapping[str, Any]) -> ShownState:
    """Cancel a batch and return its state; one that has ended already stays as it is.

    :param client: where to cancel it
    :param kind: its kind
    :param batch_id: the batch
    :param values: the parameters that the requests share
    :raises RequestRefusedError: the vendor has no way to cancel it
    """
    if kind.cancel is None:
        raise RequestRefusedError(
            f"{kind.listing.vendor.title} has no way to cancel a batch by API.", vendor=kind.listing.vendor.name
        )
    state = show_state(SubmissionRunner(client, values).finish(cancel(kind, batch_id)), client.show)
    if state.outcome in {Outcome.SUCCEEDED, Outcome.FAILED}:
        log.info("%s: it had ended before it could be cancelled: %s", kind.name, state)
    else:
        log.info("%s: cancelled: %s", kind.name, state)
    return state


def start_batch_job(client: Client, batch_job_id: str) -> ShownState:
    """Start a batch calling job of TalkifAI, and return its state; one that has started is left alone.

    :param client: where to start it
    :param batch_job_id: the job
    """
    kind, runner = talkifai.BATCH_JOB_KIND, SubmissionRunner(client, {})
    runner.finish(talkifai_submission.start(batch_job_id))
    job = runner.finish(_read(kind, batch_job_id))
    assert job is not None
    return show_state(kind.state(job), client.show)


def _read(kind: BatchKind, batch_id: str) -> Plan[dict[str, Any] | None]:
    assert kind.single
    found = yield from ask(kind.single, **{kind.id_parameter: batch_id, **kind.single_values})
    return getattr(found, "document", None)
