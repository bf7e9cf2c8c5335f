"""What the operators that submit a batch and wait for it share."""

from __future__ import annotations

import sys
import threading
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

from airflow.providers.common.compat.sdk import AirflowSensorTimeout, AirflowSkipException, AirflowTaskTimeout

from airflow_batch_provider.apis.literals import OrNone, Values
from airflow_batch_provider.apis.parameter import Boolean, Choice, Duration, Integer, Text
from airflow_batch_provider.exceptions import BatchExistsError, BatchProviderError, FatalError, InvalidParameterError
from airflow_batch_provider.hooks.checked_task import domains_of
from airflow_batch_provider.sensors.batch import BatchSensor
from airflow_batch_provider.waiting import verdict

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_batch_provider.apis.submissions import Preflight, Submission, Work
    from airflow_batch_provider.client.client import Client
    from airflow_batch_provider.submitting.rows import Rows
    from airflow_batch_provider.submitting.submit import Submitter

BATCH_ID = "batch_id"
"""The XCom that has the batch's id as soon as it is known."""

LONGEST_CANCEL = 30.0
"""Seconds that a task that is ended takes to cancel its batch."""


class _UnshownRows:
    """Rows of which Airflow shows how many they are."""

    def __init__(self, rows: Sequence[Mapping[str, Any]]) -> None:
        self.rows = rows

    def __str__(self) -> str:
        return f"{len(self.rows)} rows"


def rows_of(value: Any) -> Any:
    """Return the rows of a task, even if Airflow shows only their number."""
    return value.rows if isinstance(value, _UnshownRows) else value


class RunBatchOperator(BatchSensor):
    """Submits a batch, once, and waits until it is finished.

    A task (DAG, run, task and map index) submits its batch once, even if it is killed, retried or cleared: the next try
    finds the batch and adopts it. If the vendor does not show whether a batch was created, the task fails, names what
    to look at, and submits nothing more in that try. The input is checked before the first request.

    It waits and returns like the vendor's sensor, and pushes the XCom ``batch_id`` as soon as the id is known. All
    parameters except Airflow's own are template fields.

    :param wait_for_completion: whether to wait until the batch is finished; default: true
    :param deferrable: whether to wait in the triggerer, where all waits on a connection share their polls; default:
        ``[operators] default_deferrable``
    :param poll_interval: seconds between two polls; default: 60
    :param timeout: the most seconds to wait after the batch is submitted; default: ``[sensors] default_timeout``
    :param stalled_after: seconds without any change of the batch after which the task fails; default: None, never
    :param fail_on_item_failures: whether to fail if the batch finished but some of its items failed; default: false
    :param max_poll_failures: the number of failed polls in a row after which the task fails; default: 10
    :param cancel_on_kill: whether to cancel the batch, if the vendor can, when the task is marked as failed or cleared,
        or its worker process is stopped; default: true. For a deferred task this needs Airflow 3.3. The restart of a
        triggerer and the loss of a worker cancel nothing.
    :param cancel_on_timeout: whether to cancel the batch after ``timeout`` or ``execution_timeout``; default: false
    :param on_existing: what to do if the task has submitted a batch already: wait for it (``adopt``, default),
        ``fail``, or submit a ``new`` one if that batch has ended
    :param if_empty: what to do if there is nothing to submit: ``fail`` (default), or ``skip`` the task
    :param max_items: the largest number of files, contacts or jobs to submit; default: None, no limit
    :param submit_key: a text that makes it another piece of work, so that another batch is submitted. You need it if
        two Airflows with the same DAGs and runs share an account.
    :param continues: the id of the batch whose failed items are submitted again; people see it at the vendor
    :raises InvalidParameterError: the input is not allowed; nothing was submitted
    :raises SubmissionConflictError: the vendor has a batch of this task that differs from the input
    :raises SubmissionUnclearError: the vendor does not list yet what was submitted
    :raises AmbiguousRequestError: an answer was lost, so the batch may or may not exist
    :raises BatchExistsError: the task has submitted a batch already, and ``on_existing`` is ``fail``
    """

    submission: ClassVar[Submission]
    id_field = "submitted_id"
    rows_field: ClassVar[str | None] = None
    """The parameter that may be a list of rows, which are personal data or contain signed URLs."""
    template_fields: Sequence[str] = (
        *BatchSensor.template_fields,
        "wait_for_completion",
        "cancel_on_kill",
        "cancel_on_timeout",
        "on_existing",
        "if_empty",
        "max_items",
        "submit_key",
        "continues",
    )
    ui_color = "#e8f7e4"

    def __init_subclass__(cls, **kwargs: Any) -> None:
        if "submission" in vars(cls):
            cls.kind = cls.submission.kind
        super().__init_subclass__(**kwargs)

    @classmethod
    def _needed_fields(cls) -> Sequence[str]:
        return [parameter.name for parameter in cls.submission.parameters]

    @classmethod
    def domains(cls) -> dict[str, Values]:
        """Return what parameters may be, by their names."""
        return {
            **super().domains(),
            **domains_of(cls.submission.parameters, cls._needed_fields(), cls.kind.listing.vendor),
            **dict.fromkeys(("wait_for_completion", "cancel_on_kill", "cancel_on_timeout"), Boolean()),
            "poll_interval": Duration(),
            "on_existing": Choice(("adopt", "fail", "new")),
            "if_empty": Choice(("fail", "skip")),
            "max_items": OrNone(Integer(1)),
            "submit_key": OrNone(Text()),
            "continues": OrNone(Text()),
        }

    def __init__(
        self,
        *,
        wait_for_completion: bool | str = True,
        poll_interval: float | timedelta = 60.0,
        timeout: float | timedelta | None = None,
        cancel_on_kill: bool | str = True,
        cancel_on_timeout: bool | str = False,
        on_existing: str = "adopt",
        if_empty: str = "fail",
        max_items: int | str | None = None,
        submit_key: str | None = None,
        continues: str | None = None,
        **kwargs: Any,
    ) -> None:
        for name in ("mode", "poke_interval", "exponential_backoff"):
            if name in kwargs:
                raise InvalidParameterError(
                    f"{type(self).__name__} takes no {name}; set poll_interval and deferrable instead."
                )
        self.check_literals({"poll_interval": poll_interval})  # before Airflow does, under another name
        super().__init__(poke_interval=poll_interval, timeout=timeout, **kwargs)
        self.wait_for_completion = wait_for_completion
        self.cancel_on_kill = cancel_on_kill
        self.cancel_on_timeout = cancel_on_timeout
        self.on_existing = on_existing
        self.if_empty = if_empty
        self.max_items = max_items
        self.submit_key = submit_key
        self.continues = continues
        self.submitted_id: str | None = None
        self._submitter: Submitter | None = None
        self._client: Client | None = None
        self._stored_id: str | None = None
        self._is_last_try = False
        self._is_killed = False

    @property
    def poll_interval(self) -> float:
        """Seconds between two polls."""
        return float(self.poke_interval)

    @abstractmethod
    def items(self) -> Any:
        """Return the items to submit, or None if the vendor has them already; sends nothing."""

    def rows(self) -> Rows:
        """Return the rows of the parameter that :attr:`rows_field` names, each with its number; each time read again.

        A file without a connection in its URI is read with that of the parameter ``<rows_field>_conn_id``.
        """
        from airflow_batch_provider.submitting.rows import Rows

        assert self.rows_field
        conn_id = getattr(self, f"{self.rows_field}_conn_id", None)
        return Rows(rows_of(getattr(self, self.rows_field)), conn_id, name=self.rows_field)

    def _do_render_template_fields(self, parent: Any, *args: Any, **kwargs: Any) -> None:
        """Render, and keep rows out of the rendered fields that Airflow stores; a mapped task comes here too."""
        super()._do_render_template_fields(parent, *args, **kwargs)
        if parent is self and self.rows_field and isinstance(rows := getattr(self, self.rows_field), (list, tuple)):
            setattr(self, self.rows_field, _UnshownRows(rows))

    def execute(self, context: Context) -> Any:
        """Submit the batch unless it was submitted before, and wait for it."""
        self.check_parameters()
        self._submit(context)
        if not self._is_set("wait_for_completion"):
            self._link_batch(context)
            state = self._state_now()
            return {**verdict.summary(state), "message": f"{self.kind.listing.vendor.title}: {state}."}
        with self._cancelling_on_timeout():
            return self._finished(super().execute(context))

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """Resume, knowing the batch."""
        kwargs = dict(next_kwargs or {})
        if (kept := kwargs.pop("submitted", None)) is None:
            return super().resume_execution(next_method, kwargs, context)
        self.submitted_id = kept[BATCH_ID]
        self._open(context, kept["key"])
        with self._cancelling_on_timeout():
            return self._finished(super().resume_execution(next_method, kwargs, context))

    def on_kill(self) -> None:
        """Cancel the batch, unless ``cancel_on_kill`` is off."""
        self._is_killed = True
        if self._submitter is None:
            return
        self._submitter.stop()
        is_timeout = isinstance(sys.exception(), AirflowTaskTimeout)
        if self._is_set("cancel_on_timeout" if is_timeout else "cancel_on_kill"):
            # In a thread: this may be the handler of a signal, and the main thread in the middle of a request.
            thread = threading.Thread(target=self.cancel_quietly, name="cancel-batch", daemon=True)
            thread.start()
            thread.join(LONGEST_CANCEL)

    def cancel_quietly(self) -> None:
        """Cancel the batch; log an error instead of raising it."""
        if self._submitter is None or self._client is None:
            return
        try:
            self._submitter.cancel(self._client.within(LONGEST_CANCEL), self.submitted_id)
        except BatchProviderError as error:
            self.log.warning("The batch could not be cancelled: %s", error)

    def _is_set(self, name: str) -> bool:
        return self.encoded(name) == "true"

    @property
    def _cancels_on_kill(self) -> bool:  # type: ignore[override]
        return self._is_set("cancel_on_kill") and self.kind.cancel is not None

    def _submit(self, context: Context) -> None:
        from airflow_batch_provider.submitting.submit import inspect

        submitter = self._open(context)
        most = None if self.max_items is None else int(self.max_items)
        found = inspect(self.submission, submitter.work, most)
        if found.items == 0 and submitter.work.items is not None:
            self._end_empty()
        self.log.info("%s: to submit: %s", self.submission.name, _words(found, self.submission.what))
        try:
            self._know(context, submitter.submit())
        except BaseException as error:
            self._clear_up(error)
            raise

    def _end_empty(self) -> NoReturn:
        sentence = f"{self.submission.name}: there are no {self.submission.what} to submit."
        if self.if_empty == "skip":
            raise AirflowSkipException(sentence)
        raise InvalidParameterError(f"{sentence} To skip the task then, set if_empty='skip'.")

    def _open(self, context: Context, key: str | None = None) -> Submitter:
        """Return what submits, or has submitted, the piece of work of this task.

        :param key: the key under which it was submitted, if it was
        """
        from airflow_batch_provider.submitting.piece_of_work import Memory, piece_of_work
        from airflow_batch_provider.submitting.submit import Submitter, work_of

        piece = piece_of_work(context, self.submit_key)
        hook = self.hook_class(self._connection_id)
        values = hook.fill(self.submission, {name: getattr(self, name) for name in self._needed_fields()})
        self._client = hook.connect()
        self._is_last_try = piece.is_last_try
        work: Work = work_of(
            piece if key is None else piece.named(key),
            values,
            self.items() if key is None else (),
            continues=self.continues,
        )
        self._submitter = Submitter(
            self._client,
            self.submission,
            work,
            memory=Memory(context, piece.key),
            on_existing=self.on_existing,
            know=lambda batch_id: self._know(context, batch_id),
        )
        if self._is_killed:  # before there was anything to stop
            self.on_kill()
        return self._submitter

    def _know(self, context: Context, batch_id: str) -> None:
        """Store the batch's id where people, downstream tasks and the wait find it."""
        self.submitted_id = batch_id
        if batch_id == self._stored_id:
            return
        self.log.info("%s: the batch is %s", self.submission.name, batch_id)
        task_instance: Any = context.get("ti")
        if task_instance is not None:
            task_instance.xcom_push(BATCH_ID, batch_id)
        self._stored_id = batch_id

    def _clear_up(self, error: BaseException) -> None:
        """Cancel what must not continue by itself after a submission that failed."""
        assert self._submitter
        if self._is_killed:
            if self._is_set("cancel_on_kill"):
                self.cancel_quietly()  # what was being sent when the task was ended
        elif isinstance(error, BatchExistsError):
            return  # it is not this try's
        elif self._is_last_try or isinstance(error, FatalError):
            try:
                self._submitter.cancel_waiting()
            except BatchProviderError as failed:
                self.log.warning(
                    "A batch that was created and not started could not be cancelled, so it may start by itself: %s",
                    failed,
                )

    def _kept_while_deferred(self) -> dict[str, Any]:
        assert self._submitter
        return {"submitted": {BATCH_ID: self.submitted_id, "key": self._submitter.work.key}}

    @contextmanager
    def _cancelling_on_timeout(self) -> Iterator[None]:
        try:
            yield
        except AirflowSensorTimeout:
            if self._is_set("cancel_on_timeout"):
                self.cancel_quietly()
            raise

    def _state_now(self) -> Any:
        self._ends = float("inf")
        return self._read_state()

    def _finished(self, result: Any) -> Any:
        if self._submitter is not None and self.submitted_id is not None:
            self._submitter.cancel_waiting(kept=self.submitted_id)
        return result


def _words(found: Preflight, what: str) -> str:
    numbers = {what: found.items, **found.facts} if found.items else found.facts
    return ", ".join(
        f"{fact} {name.replace('_', ' ')}" if isinstance(fact, int) else f"{name} {fact}"
        for name, fact in numbers.items()
    )
