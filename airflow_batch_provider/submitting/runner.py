"""Runs a vendor's plans of submission: sends what creates once, many at a time where a plan says so."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from airflow_batch_provider.apis.parameter import first_missing, first_violation
from airflow_batch_provider.apis.plans import Plan, Refused, Step
from airflow_batch_provider.apis.request import Request
from airflow_batch_provider.apis.submissions import Ambiguous, Create, Each, Know, Standing, Stopped, Tell
from airflow_batch_provider.client.client import Client
from airflow_batch_provider.exceptions import (
    AmbiguousRequestError,
    BatchProviderError,
    NotFoundError,
    RequestRefusedError,
    SubmissionConflictError,
    SubmissionUnclearError,
    UnexpectedResponseError,
)
from airflow_batch_provider.listing.fan_out import FanOut
from airflow_batch_provider.listing.file_sink import NoFiles
from airflow_batch_provider.listing.plans import PlanRunner

log = logging.getLogger(__name__)

T = TypeVar("T")

GROUP = 100
"""Plans that are made at a time."""

LONGEST_SENTENCES = 2000
"""Characters of what a plan says; its end says how to continue, so that it must not be cut off."""


class SubmissionRunner(PlanRunner):
    """Runs the plans of a submission.

    :param client: where to send
    :param values: the parameters of the task
    :param note_sending: called once, before what costs is sent
    :param know: called with the batch's id as soon as it is known
    """

    def __init__(
        self,
        client: Client,
        values: Mapping[str, Any],
        *,
        note_sending: Callable[[], None] = lambda: None,
        know: Callable[[str], None] = lambda batch_id: None,
    ) -> None:
        super().__init__(client, values, NoFiles())
        self._note_sending = note_sending
        self._know = know
        self._is_noted = False
        self._noting = threading.Lock()
        self._standing = ""

    def finish(self, plan: Plan[T | Stopped]) -> T:
        """Run a plan to its end and return what it does; an error says what is there by then.

        :raises BatchProviderError: the vendor refused something, or the plan stopped
        """
        try:
            end = self.run(plan)
        except BatchProviderError as error:
            if not self._standing:
                raise
            raise self._with_words(error, self._standing) from error
        if not isinstance(end, Stopped):
            return end
        words = f"{end.reason} {self._standing}".strip()
        if isinstance(end.cause, BatchProviderError):
            if not words:
                raise end.cause
            raise self._with_words(end.cause, words) from end.cause
        kind = SubmissionUnclearError if end.may_pass else SubmissionConflictError
        raise kind(self._client.show(words, LONGEST_SENTENCES), vendor=self._client.vendor.name)

    def _with_words(self, error: BatchProviderError, words: str) -> BatchProviderError:
        """Return another error of the same kind, with what else there is to say."""
        message = f"{error} {self._client.show(words, LONGEST_SENTENCES)}"
        same = type(error)(message, vendor=error.vendor, endpoint=error.endpoint, status=error.status, code=error.code)
        vars(same).update({name: value for name, value in vars(error).items() if name not in vars(same)})
        return same

    def _take(self, step: Step) -> Any:
        match step:
            case Create():
                self._check_open()
                return self._create(step)
            case Each():
                self._check_open()
                return self._run_each(step)
            case Know():  # also for a task that was ended meanwhile, which then cancels it
                return self._know(self._usable(step.batch_id))
            case Standing():
                self._standing = step.sentence
            case Tell():
                log.info("%s", self._client.show(step.sentence, LONGEST_SENTENCES))
            case _:
                return super()._take(step)
        return None

    def _usable(self, batch_id: str) -> str:
        """Return an id that can be stored and logged as it is."""
        if self._client.show(batch_id) != batch_id:
            raise UnexpectedResponseError(
                f"{self._client.vendor.title} gave the batch an id that cannot be used: {self._client.show(batch_id)}.",
                vendor=self._client.vendor.name,
            )
        return batch_id

    def _create(self, step: Create) -> Any:
        endpoint = step.resource
        values = {**endpoint.own(self._values), **step.values}
        if violation := first_violation(endpoint.parameters, values) or first_missing(endpoint.parameters, values):
            raise SubmissionConflictError(
                self._client.show(
                    f"{endpoint.name}: {violation.parameter} is not allowed; allowed is {violation.allowed}."
                ),
                vendor=self._client.vendor.name,
            )
        request = endpoint.request(values, json=step.json, parts=step.parts)
        if step.is_paid:
            self._note_once()
        try:
            return self._send(step, request)
        except AmbiguousRequestError as error:
            return Ambiguous(error)
        except (NotFoundError, RequestRefusedError, UnexpectedResponseError) as error:
            if not {str(error.status), error.code} & {*step.clashes}:
                raise
            return Refused(self._reason(error), is_missing=isinstance(error, NotFoundError), cause=error)

    def _send(self, step: Create, request: Request) -> Any:
        self._count()
        with self._connections:
            return self._client_for(step.resource.name).send(request, step.resource.find)

    def _note_once(self) -> None:
        with self._noting:
            if not self._is_noted:
                self._note_sending()
                self._is_noted = True

    def _run_each(self, step: Each) -> list[Any]:
        workers = min(step.most, self._client.settings.max_concurrency)
        fan_out: FanOut[Callable[[], Plan[Any]], Any] = FanOut(lambda make: self.run(make()), workers, lambda result: 0)
        found = (result for done in fan_out.results(_groups(step)) for _, result in done)
        return [result for result in found if result is not None]


def _groups(step: Each) -> Iterator[Sequence[Callable[[], Plan[Any]]]]:
    group = []
    for make in step.plans:
        group.append(make)
        if len(group) == GROUP:
            yield group
            group = []
    if group:
        yield group
