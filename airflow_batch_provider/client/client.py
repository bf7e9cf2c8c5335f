"""Sends a request until it is answered, and reads the answer."""

from __future__ import annotations

import codecs
import logging
from collections.abc import Callable
from typing import TypeVar

import requests
import tenacity
from urllib3.exceptions import HTTPError

from airflow_batch_provider import backoff
from airflow_batch_provider.apis.endpoint import Vendor
from airflow_batch_provider.apis.problem import Problem
from airflow_batch_provider.apis.request import Request
from airflow_batch_provider.client.errors import FailureMapping
from airflow_batch_provider.client.session import Session
from airflow_batch_provider.client.settings import Settings
from airflow_batch_provider.exceptions import RateLimitedError, TransientError

log = logging.getLogger(__name__)

T = TypeVar("T")


class Client:
    """A vendor's API over one connection.

    :param vendor: whose API it is
    :param settings: how to reach it
    :param rate_limiter: when requests may be sent; one of its own, by the settings, if left out
    """

    def __init__(self, vendor: Vendor, settings: Settings, rate_limiter: backoff.RateLimiter | None = None) -> None:
        self.vendor = vendor
        self.settings = settings
        self.failures = FailureMapping(vendor, settings)
        self._session = self._open_session()
        self.rate_limiter = rate_limiter or backoff.RateLimiter(settings.requests_per_minute)
        if not settings.verify_tls:
            log.warning(
                "Connection %r does not verify the certificate of %s (verify_tls is false): "
                "whoever stands in between can read the API key and change what is exported",
                settings.connection_id,
                settings.base_url,
            )

    def _open_session(self) -> Session:
        try:
            return Session(self.settings)
        except (requests.RequestException, HTTPError, ValueError) as exception:
            failure = self.failures.of_exception(exception, "/")
        raise failure  # outside the handler: what was caught may hold the key

    def get(self, request: Request, read: Callable[[bytes], T | Problem]) -> T:
        """Send a request, as often as it takes within the connection's ``max_attempts``.

        :param request: what to ask
        :param read: reads a body with status 200, or says what is wrong with it
        :raises TransientError: it may pass, but did not within the attempts
        :raises FatalError: it would not pass
        """
        try:
            return self._attempt(request, read)  # without tenacity, which would be a twentieth of what a page costs
        except TransientError as failure:
            first = [failure]

        def attempt() -> T:
            if first:
                raise first.pop()
            return self._attempt(request, read)

        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception(_may_pass_soon),
            stop=tenacity.stop_after_attempt(self.settings.max_attempts),
            wait=backoff.wait,
            sleep=backoff.pause,
            before_sleep=self._log_retry,
            reraise=True,
        )
        return retrying(attempt)

    def _attempt(self, request: Request, read: Callable[[bytes], T | Problem]) -> T:
        self.rate_limiter.wait_for_turn()
        try:
            status, headers, body = self._session.get(request.target)
        except (requests.RequestException, HTTPError) as exception:
            failure = self.failures.of_exception(exception, request.path)
        except ValueError as exception:  # a negative chunk, a Location that is no URL, a length of 5,000 digits
            failure = self.failures.of_invalid_answer(exception, request.path)
        else:
            body = body.removeprefix(codecs.BOM_UTF8)
            answer = read(body) if status == 200 else self.vendor.error_response(status, body)
            if not isinstance(answer, Problem):
                return answer
            retry_after = backoff.parse_retry_after(headers.get("Retry-After"))
            failure = self.failures.of_problem(answer, request.path, status, retry_after)
        raise failure  # outside the handler: what was caught holds the request, and so the key

    def _log_retry(self, state: tenacity.RetryCallState) -> None:
        assert state.outcome
        assert state.next_action
        log.warning(
            "Attempt %d of %d failed, the next one is in %.1f s: %s",
            state.attempt_number,
            self.settings.max_attempts,
            state.next_action.sleep,
            state.outcome.exception(),
        )

    def close(self) -> None:
        """Close all connections."""
        self._session.close()


def _may_pass_soon(error: BaseException) -> bool:
    if isinstance(error, RateLimitedError) and (error.retry_after or 0) > backoff.LONGEST_RETRY_AFTER:
        return False
    return isinstance(error, TransientError)
