"""What the sensors of all vendors share."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.providers.common.compat.sdk import (
    AirflowSensorTimeout,
    AirflowSkipException,
    BaseHook,
    BaseSensorOperator,
    PokeReturnValue,
    conf,
)

from airflow_batch_provider.apis.batch_state import ALL, BatchKind, ShownState
from airflow_batch_provider.apis.literals import OrNone, Values, violation_of
from airflow_batch_provider.apis.parameter import Boolean, Duration, Identifier, Integer
from airflow_batch_provider.client.rate_limit import LONGEST_HOLD
from airflow_batch_provider.exceptions import (
    BatchTimeoutError,
    FatalError,
    InvalidParameterError,
    RateLimitedError,
    TransientError,
)
from airflow_batch_provider.hooks.base import BatchApiHook
from airflow_batch_provider.hooks.checked_task import CheckedTask, domains_of
from airflow_batch_provider.hooks.template_fields import check_template_fields
from airflow_batch_provider.links.batch_page import BatchPageLink
from airflow_batch_provider.waiting import verdict
from airflow_batch_provider.waiting.kinds import hook_named, kind_named
from airflow_batch_provider.waiting.watch import MAX_POLL_FAILURES, Watch

if TYPE_CHECKING:
    from airflow.sdk import Context

WATCH_KEY = "batch_provider_watch"
WAIT_KEY = "batch_provider_wait"
"""The XCom that says what is waited for and until when, which Airflow's API shows of no deferred task."""

TRIGGER_HEAD_START = 60
"""Seconds that Airflow waits longer than the trigger, whose time-out reports the last state of the batch."""

SHORTEST_POLL = 5.0
"""Seconds that a poll may take on a worker, however little of ``timeout`` is left."""

LAST_POLL = 30.0
"""Seconds for the poll of a wait whose time is up."""

_CLIENT_PARTS = ("connect", "get_conn", "_client", "use_connection", "listing_scope", "fill")
"""What the triggerer calls of a hook. One that changes none of them and no vendor need not be importable there."""


class BatchSensor(CheckedTask, BaseSensorOperator):
    """Waits until a batch is finished. Waiting never cancels a batch.

    It succeeds only if the batch has the status that the vendor documents as success, and returns its id, status,
    counters and a message. The task fails immediately if the batch failed, was cancelled or does not exist, or if the
    key is refused. It continues to wait after transient faults and while the status is not documented.

    It also takes all parameters of Airflow's sensors. ``timeout``, ``soft_fail`` and ``retries`` mean the same in each
    mode.

    :param deferrable: whether to wait in the triggerer, where all waits on a connection share their polls; default:
        ``[operators] default_deferrable``
    :param fail_on_item_failures: whether to fail if the batch finished but some of its items failed; default: false,
        which logs a warning
    :param stalled_after: seconds without a change of status, counters and time of change after which the task fails;
        default: None, never. In ``reschedule`` mode it needs Airflow 3.3.
    :param max_poll_failures: the number of failed polls in a row after which the task fails; default: 10
    :raises BatchFailedError: the batch failed
    :raises BatchCancelledError: the batch was cancelled
    :raises BatchItemsFailedError: items failed, and ``fail_on_item_failures`` is set
    :raises BatchStalledError: the batch has not changed for ``stalled_after``
    :raises BatchTimeoutError: the batch was not finished within ``timeout``
    """

    kind: ClassVar[BatchKind]
    id_field: ClassVar[str | None]
    hook_class: ClassVar[type[BatchApiHook]]
    template_fields: Sequence[str] = ("fail_on_item_failures", "stalled_after", "max_poll_failures")
    operator_extra_links = (BatchPageLink(),)
    _cancels_on_kill = False

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if not cls.__name__.startswith("_") and hasattr(cls, "kind"):
            check_template_fields(cls, [*cls._needed_fields(), cls.hook_class.conn_name_attr])

    @classmethod
    def _needed_fields(cls) -> Sequence[str]:
        """Return the parameters that must be template fields."""
        return [*([cls.id_field] if cls.id_field else []), *cls.kind.scope]

    @classmethod
    def domains(cls) -> dict[str, Values]:
        """Return what parameters may be, by their names."""
        listing = cls.kind.listing
        id_field = cls.id_field if cls.id_field in cls.template_fields else None
        return {
            **domains_of(listing.parameters, set(cls.kind.scope) & set(cls.template_fields), listing.vendor),
            **({id_field: Identifier()} if id_field else {}),
            "fail_on_item_failures": Boolean(),
            "stalled_after": OrNone(Duration()),
            "max_poll_failures": Integer(1),
        }

    def __init__(
        self,
        *,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        fail_on_item_failures: bool | str = False,
        stalled_after: float | timedelta | str | None = None,
        max_poll_failures: int | str = MAX_POLL_FAILURES,
        **kwargs: Any,
    ) -> None:
        if "timeout" in kwargs and kwargs["timeout"] is None:  # which the sensors of Airflow 3.1 do not take
            kwargs["timeout"] = conf.getfloat("sensors", "default_timeout")
        super().__init__(**kwargs)
        if deferrable and self.exponential_backoff:
            raise InvalidParameterError(
                f"{type(self).__name__}: exponential_backoff has no effect with deferrable=True, where waits share "
                "their polls; leave it out and set poke_interval, or set deferrable=False."
            )
        self.deferrable = deferrable
        self.fail_on_item_failures = fail_on_item_failures
        self.stalled_after = stalled_after
        self.max_poll_failures = max_poll_failures
        self._watch: Watch | None = None
        self._scope: dict[str, str] = {}
        self._ends = 0.0
        self._not_before = 0.0

    def execute(self, context: Context) -> Any:
        """Wait; a timeout reports the last state."""
        waited = self._seconds_waited(context)
        self._ends = time.monotonic() + self.timeout - waited
        self._announce(context, waited, self._link_batch(context))
        try:
            return super().execute(context)
        except AirflowSensorTimeout as timeout:
            state = self._watch.state if self._watch else None
            verdict.of_timeout(self.kind.listing.vendor.title, state, self.timeout).result()
            raise timeout

    def poke(self, context: Context) -> bool | PokeReturnValue:
        """Poll the batch once; in deferrable mode, hand over to the triggerer if it is not finished."""
        options = self._options()
        if time.monotonic() < self._not_before:
            return False
        watch = self._watch = self._watch or self._new_watch(context, options)
        now = time.time()
        try:
            end = watch.see(self._read_state(), now)
        except TransientError as error:
            if watch.miss(error):
                raise
            self.log.warning("This poll failed, the next one may succeed: %s", error)
            self._keep(context, watch)
            self._hold(error)
            if self.deferrable:
                self._defer(options, watch.movement, now)
            return False
        if end:
            return PokeReturnValue(is_done=True, xcom_value=self._result(end))
        self._keep(context, watch)
        if self.deferrable:
            self._defer(options, watch.movement, now)
        return False

    def _seconds_waited(self, context: Context) -> float:
        """Return how long this try has waited already, if each poll is a process."""
        task_instance: Any = context.get("ti")
        began = task_instance.get_first_reschedule_date(context) if self.reschedule and task_instance else None
        return (datetime.now(UTC) - began).total_seconds() if began else 0.0

    def _read_state(self) -> ShownState:
        """Read the batch's state, in the time that the wait has left."""
        from airflow_batch_provider.waiting.reader import StateReader

        batch_id = self._batch_id()
        hook = self.hook_class(self._connection_id)
        client = hook.connect().within(max(self._ends - time.monotonic(), SHORTEST_POLL))
        self._scope = hook.listing_scope(self.kind, self._named_scope())
        return StateReader(client, self.kind, self._scope).read_one(batch_id)

    def _named_scope(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.kind.scope if getattr(self, name) is not None}

    def _hold(self, error: TransientError) -> None:
        """Ask no more for as long as the vendor wants it."""
        if not isinstance(error, RateLimitedError) or not error.retry_after:
            return
        self._not_before = time.monotonic() + min(error.retry_after, LONGEST_HOLD)

    def _get_next_poke_interval(self, *args: Any, **kwargs: Any) -> float:
        """Return Airflow's own interval, or what a vendor wants, if the next poll is another process's."""
        interval = float(super()._get_next_poke_interval(*args, **kwargs))
        return max(interval, self._not_before - time.monotonic()) if self.reschedule else interval

    def _link_batch(self, context: Context) -> str | None:
        """Store the link now: Airflow does so when a task ends, but users want it while the task waits.

        :return: the batch's page at the vendor, None if none is known
        """
        task_instance: Any = context.get("ti")
        if task_instance is None:
            return None
        found = None
        for link in self.operator_extra_links:
            page = link.get_link(self, ti_key=task_instance)
            if page:
                task_instance.xcom_push(link.xcom_key, page)
            if isinstance(link, BatchPageLink):
                found = page or None
        return found

    def _announce(self, context: Context, waited: float, page: str | None) -> None:
        """Store what is waited for, for the page "Batches".

        :param waited: seconds that this try has waited already
        :param page: the batch's page at the vendor
        """
        task_instance: Any = context.get("ti")
        if task_instance is None:
            return
        since = datetime.now(UTC) - timedelta(seconds=waited)
        task_instance.xcom_push(
            WAIT_KEY,
            {
                "vendor": self.kind.listing.vendor.title,
                "kind": self.kind.name,
                "batch_id": ALL if self.id_field is None else Identifier().encode(getattr(self, self.id_field)),
                "page": page,
                "since": since.isoformat(timespec="seconds"),
                "deadline": (since + timedelta(seconds=self.timeout)).isoformat(timespec="seconds"),
            },
        )

    @property
    def _connection_id(self) -> str:
        return str(getattr(self, self.hook_class.conn_name_attr))

    def _batch_id(self) -> str:
        if self.id_field is None:
            return ALL
        batch_id = getattr(self, self.id_field)
        if violation := violation_of(self.id_field, batch_id, Identifier()):
            raise InvalidParameterError(f"{type(self).__name__}: {violation}.")
        if batch_id == ALL:
            raise InvalidParameterError(f"{type(self).__name__}: {self.id_field}={ALL!r} names no batch.")
        return str(batch_id)

    def _options(self) -> dict[str, Any]:
        """Return what ends a wait beside the batch's own end, for the watch here and the trigger."""
        return {
            "fail_on_item_failures": self.encoded("fail_on_item_failures") == "true",
            "stalled_after": float(stalled_after) if (stalled_after := self.encoded("stalled_after")) else None,
            "max_poll_failures": int(self.encoded("max_poll_failures") or MAX_POLL_FAILURES),
        }

    def _own_hook(self) -> str | None:
        """Return the import path of the hook for the trigger; None if the vendor's own hook makes the same client.

        :raises InvalidParameterError: the triggerer could not import it
        """
        path = f"{self.hook_class.__module__}.{self.hook_class.__qualname__}"
        if self.hook_class.get_connection.__func__ is not BaseHook.get_connection.__func__:  # type: ignore[attr-defined]
            raise InvalidParameterError(
                f"{path} overrides get_connection, which the triggerer does not call, since it would block there; "
                "override use_connection or get_conn instead, or set deferrable=False."
            )
        vendor = self.kind.listing.vendor
        usual = hook_named(vendor.hook) if vendor.hook else BatchApiHook
        is_usual = all(getattr(self.hook_class, name) is getattr(usual, name) for name in _CLIENT_PARTS)
        if is_usual and self.hook_class.vendor == vendor:
            return None
        hook_named(path)  # fails here rather than in the triggerer
        return path

    def _defer(self, options: Mapping[str, Any], movement: verdict.Movement | None, now: float) -> None:
        from airflow_batch_provider.triggers.batch import (
            BatchStatusTrigger,  # with Airflow's triggers, which parsing need not pay
        )

        held = self._not_before - time.monotonic()
        self.defer(
            trigger=BatchStatusTrigger(
                kind=kind_named(self.kind.name).name,  # fails here rather than in the triggerer
                connection_id=self._connection_id,
                batch_id=self._batch_id(),
                scope=self._scope or {name: str(value) for name, value in self._named_scope().items()},
                poll_interval=self.poke_interval,
                end_time=now + self.timeout,
                timeout=self.timeout,
                mark=movement.mark if movement else "",
                moved_at=movement.since if movement else None,
                hook=self._own_hook(),
                not_before=time.time() + held if held > 0 else None,
                cancel_on_kill=self._cancels_on_kill,
                **options,
            ),
            method_name="execute_complete",
            kwargs=self._kept_while_deferred(),
            timeout=timedelta(seconds=self.timeout + TRIGGER_HEAD_START),
        )

    def _kept_while_deferred(self) -> dict[str, Any] | None:
        """Return what the task needs to know again when it is resumed."""
        return None

    def execute_complete(self, context: Context, event: Any = None) -> dict[str, Any]:
        """Return the result of the wait in the triggerer, or raise its error."""
        return self._result(verdict.read_event(event))

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """Resume; with ``soft_fail``, a fault that may pass is not skipped, as it is not in the other modes either.

        If Airflow ended the wait because no triggerer did so in time, the batch is polled once more.
        """
        try:
            return super().resume_execution(next_method, next_kwargs, context)
        except (AirflowSensorTimeout, AirflowSkipException) as ended:
            cause = ended.__cause__ if isinstance(ended, AirflowSkipException) else ended
            if isinstance(cause, TransientError) and not self.never_fail:
                raise cause from None
            if not isinstance(cause, AirflowSensorTimeout) or isinstance(cause, BatchTimeoutError):
                raise
        event = self._last_poll().to_event()
        return self.resume_execution("execute_complete", {"event": event}, context)

    def _last_poll(self) -> verdict.Verdict:
        """Poll once although the time is up: the batch may have finished while no triggerer ran."""
        title = self.kind.listing.vendor.title
        self._ends = time.monotonic() + LAST_POLL
        try:
            state = self._read_state()
        except TransientError as error:
            self.log.warning("The last poll failed: %s", error)
            return verdict.of_timeout(title, None, self.timeout, was_seen=True)
        except FatalError as error:
            return verdict.of_permanent(error)
        fails = self._options()["fail_on_item_failures"]
        return verdict.of_state(title, state, fail_on_item_failures=fails) or verdict.of_timeout(
            title, state, self.timeout
        )

    def _result(self, end: verdict.Verdict) -> dict[str, Any]:
        result = end.result()
        if result.get("failed_items"):
            self.log.warning("Finished, but %s items failed. %s", result["failed_items"], end.message)
        return result

    def _new_watch(self, context: Context, options: Mapping[str, Any]) -> Watch:
        store = self._store(context)
        watch = Watch(self.kind.listing.vendor.title, self.log, **options)
        if store is not None:
            watch.resume(store.get(WATCH_KEY), _try_number(context))
        return watch

    def _store(self, context: Context) -> Any:
        """Return what outlives a poke in reschedule mode, in which each poke is a process: Airflow 3.3 has it."""
        return context.get("task_state_store") if self.reschedule and not self.deferrable else None

    def _keep(self, context: Context, watch: Watch) -> None:
        store = self._store(context)
        if store is not None:
            store.set(WATCH_KEY, watch.keep(_try_number(context)))


def _try_number(context: Context) -> int | None:
    task_instance: Any = context.get("ti")
    return getattr(task_instance, "try_number", None)
