"""A retry policy that decides by the error whether and when Airflow retries a task. It needs Airflow 3.3.

.. code-block:: python

    TalkifAIExportBatchJobsOperator(task_id="export", destination="...", retries=5, retry_policy=BatchRetryPolicy())
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow_batch_provider.backoff import delay
from airflow_batch_provider.exceptions import BatchProviderError, RateLimitedError, TransientError

try:
    from airflow.sdk import ExceptionRetryPolicy, RetryAction, RetryDecision, RetryRule
except ImportError as error:
    raise ImportError(
        "airflow_batch_provider.retry_policy needs Airflow 3.3 or newer. Before it, leave retry_policy out: "
        "what would fail again is not retried there either, and retry_delay says when the rest is."
    ) from error

if TYPE_CHECKING:
    from airflow.sdk import Context

LONGEST_RETRY_AFTER = timedelta(days=1)
"""What a vendor asks for is bounded by this: a year would be a fault of its own."""


class BatchRetryPolicy(ExceptionRetryPolicy):
    """Retries a task after the vendor's ``Retry-After`` or a growing pause, and not at all if it would fail again.

    ==================================  ==============================================================================
    ``RateLimitedError``                retried after the vendor's ``Retry-After``; without one like ``TransientError``
    ``TransientError``                  retried after a pause that doubles with each try, minus up to half at random
    other errors of this package        not retried
    other errors                        decided by the task's ``retry_delay``
    ==================================  ==============================================================================

    The task's ``retries`` limits the number of tries in any case.

    :param first_delay: the longest pause before the second try; default: a minute
    :param longest_delay: the longest pause before any try; default: an hour; ``Retry-After`` may be longer
    """

    def __init__(
        self, *, first_delay: timedelta = timedelta(minutes=1), longest_delay: timedelta = timedelta(hours=1)
    ) -> None:
        if not timedelta(0) < first_delay <= longest_delay:
            raise ValueError(f"first_delay={first_delay} must be more than 0, and not more than {longest_delay=!s}")
        super().__init__(
            rules=[
                RetryRule(RateLimitedError, RetryAction.RETRY, reason="the vendor asks to come back later"),
                RetryRule(TransientError, RetryAction.RETRY, reason="it may pass"),
                RetryRule(BatchProviderError, RetryAction.FAIL, reason="it would fail again"),
            ]
        )
        self.first_delay = first_delay
        self.longest_delay = longest_delay

    def evaluate(
        self, exception: BaseException, try_number: int, max_tries: int, context: Context | None = None
    ) -> RetryDecision:
        """Decide about a failed try.

        :param exception: why it failed
        :param try_number: which it was, from 1 on
        :param max_tries: how many there may be
        :param context: the task's
        """
        decision = super().evaluate(exception, try_number, max_tries, context)
        if decision.action is not RetryAction.RETRY:
            return decision
        delay = _asked_for(exception) or self._pause(try_number)
        reason = f"{type(exception).__name__}: {decision.reason}; again in {delay.total_seconds():.0f} s"
        return replace(decision, retry_delay=delay, reason=reason)

    def _pause(self, try_number: int) -> timedelta:
        # With jitter, tasks that failed together do not come back together.
        return timedelta(
            seconds=delay(try_number, self.first_delay.total_seconds(), self.longest_delay.total_seconds())
        )

    def serialize(self) -> dict[str, Any]:
        """Return the policy as JSON."""
        return {
            "__type": type(self).__name__,
            "first_delay": self.first_delay.total_seconds(),
            "longest_delay": self.longest_delay.total_seconds(),
        }

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> BatchRetryPolicy:
        """Read what :meth:`serialize` returned."""
        return cls(
            first_delay=timedelta(seconds=data["first_delay"]), longest_delay=timedelta(seconds=data["longest_delay"])
        )


def _asked_for(exception: BaseException) -> timedelta | None:
    """Return what the vendor asked for; 0 asks for nothing."""
    seconds = exception.retry_after if isinstance(exception, RateLimitedError) else None
    return timedelta(seconds=min(seconds, LONGEST_RETRY_AFTER.total_seconds())) if seconds else None
