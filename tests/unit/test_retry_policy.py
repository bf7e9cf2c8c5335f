"""The ready retry policy: what it decides about each of our exceptions, and when."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import timedelta

import pytest
from airflow.sdk import DAG, RetryAction
from airflow.sdk.exceptions import AirflowFailException, AirflowSensorTimeout
from hypothesis import given
from hypothesis import strategies as st

from airflow_batch_provider import exceptions
from airflow_batch_provider.exceptions import BatchProviderError, RateLimitedError, TransientError
from airflow_batch_provider.operators.talkifai import TalkifAIExportBatchJobsOperator
from airflow_batch_provider.retry_policy import LONGEST_RETRY_AFTER, BatchRetryPolicy

OURS = [
    found for found in vars(exceptions).values() if isinstance(found, type) and issubclass(found, BatchProviderError)
]
RETRIED = {
    exceptions.TransientError,
    exceptions.RateLimitedError,
    exceptions.AmbiguousRequestError,
    exceptions.ConnectionNotFoundError,
    exceptions.SubmissionUnclearError,
    exceptions.IncompleteListingError,
    exceptions.BatchUnfinishedError,
    exceptions.ExpectationError,
    exceptions.ExportReplacedError,
}
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


def rate_limited(retry_after: float | None) -> RateLimitedError:
    error = RateLimitedError("too many requests")
    error.retry_after = retry_after
    return error


@pytest.mark.parametrize("error_class", OURS)
def test_each_of_our_exceptions_is_retried_or_fails(error_class: type[BatchProviderError]) -> None:
    decision = BatchRetryPolicy().evaluate(error_class("happened"), 1, 3)
    expected = RetryAction.RETRY if error_class in RETRIED else RetryAction.FAIL
    assert decision.action is expected
    assert decision.reason


@pytest.mark.parametrize("error_class", OURS)
def test_what_airflow_never_retries_is_what_the_policy_fails(error_class: type[BatchProviderError]) -> None:
    fails_anyway = issubclass(error_class, (AirflowFailException, AirflowSensorTimeout))
    assert fails_anyway is (error_class not in RETRIED and error_class is not BatchProviderError)


@pytest.mark.parametrize("error", [ValueError("bug"), ConnectionError(), KeyboardInterrupt()])
def test_what_is_not_ours_is_left_to_the_tasks_own_settings(error: BaseException) -> None:
    decision = BatchRetryPolicy().evaluate(error, 1, 3)
    assert (decision.action, decision.retry_delay) == (RetryAction.DEFAULT, None)


@given(st.floats(min_value=0.001, max_value=86_400), st.integers(1, 1000))
def test_a_rate_limited_task_comes_back_when_the_vendor_said(seconds: float, try_number: int) -> None:
    decision = BatchRetryPolicy().evaluate(rate_limited(seconds), try_number, 3)
    assert decision.retry_delay == timedelta(seconds=seconds)


@pytest.mark.parametrize("seconds", [1e6, 1e300, float("inf")])
def test_what_no_vendor_means_is_bounded(seconds: float) -> None:
    assert BatchRetryPolicy().evaluate(rate_limited(seconds), 1, 3).retry_delay == LONGEST_RETRY_AFTER


@pytest.mark.parametrize("said", [None, 0.0])
def test_a_vendor_that_does_not_say_when_is_given_a_pause(said: float | None) -> None:
    delay = BatchRetryPolicy().evaluate(rate_limited(said), 1, 3).retry_delay
    assert delay is not None
    assert MINUTE / 2 <= delay <= MINUTE


@given(st.integers(1, 10_000))
def test_pauses_double_up_to_the_longest_and_half_of_them_is_chance(try_number: int) -> None:
    delay = BatchRetryPolicy().evaluate(TransientError("happened"), try_number, 3).retry_delay
    full = MINUTE * 2 ** (try_number - 1) if try_number <= 6 else HOUR
    assert delay is not None
    assert full / 2 <= delay <= full


def test_tasks_that_failed_together_do_not_come_back_together() -> None:
    policy, error = BatchRetryPolicy(), TransientError("happened")
    assert len({policy.evaluate(error, 1, 3).retry_delay for _ in range(20)}) > 1


def test_pauses_are_as_the_user_wants_them() -> None:
    policy = BatchRetryPolicy(first_delay=timedelta(seconds=10), longest_delay=timedelta(seconds=15))
    first, second = (policy.evaluate(TransientError("happened"), number, 3).retry_delay for number in (1, 2))
    assert first is not None
    assert second is not None
    assert timedelta(seconds=5) <= first <= timedelta(seconds=10)
    assert timedelta(seconds=7.5) <= second <= timedelta(seconds=15)


@pytest.mark.parametrize(("first", "longest"), [(0, 1), (-1, 1), (2, 1)])
def test_pauses_that_make_no_sense_are_refused(first: int, longest: int) -> None:
    with pytest.raises(ValueError, match="first_delay="):
        BatchRetryPolicy(first_delay=timedelta(seconds=first), longest_delay=timedelta(seconds=longest))


def test_the_reason_says_what_happened_and_when_it_goes_on_but_not_what_the_vendor_said() -> None:
    reason = BatchRetryPolicy().evaluate(rate_limited(90), 1, 3).reason
    assert reason == "RateLimitedError: the vendor asks to come back later; again in 90 s"


def test_it_may_be_set_for_all_tasks_of_a_dag() -> None:
    policy = BatchRetryPolicy()
    with DAG("nightly", default_args={"retry_policy": policy}):
        task = TalkifAIExportBatchJobsOperator(task_id="export", destination="file:///exports")
    assert task.retry_policy is policy


def test_it_survives_serialization() -> None:
    policy = BatchRetryPolicy(first_delay=timedelta(seconds=7), longest_delay=timedelta(seconds=70))
    copy = BatchRetryPolicy.deserialize(json.loads(json.dumps(policy.serialize())))
    assert (copy.first_delay, copy.longest_delay) == (policy.first_delay, policy.longest_delay)


ON_AN_OLDER_AIRFLOW = """
import airflow.sdk
del airflow.sdk.__lazy_imports["ExceptionRetryPolicy"]
import airflow_batch_provider.retry_policy
"""


def test_an_older_airflow_is_told_what_is_needed() -> None:
    done = subprocess.run([sys.executable, "-c", ON_AN_OLDER_AIRFLOW], capture_output=True, text=True, check=False)
    assert done.stderr.splitlines()[-1].startswith("ImportError: airflow_batch_provider.retry_policy needs Airflow 3.3")
