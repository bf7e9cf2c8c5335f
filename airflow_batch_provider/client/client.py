"""Sends a request until it is answered, and reads the answer."""

from __future__ import annotations

import codecs
import copy
import dataclasses
import logging
import time
from collections.abc import Callable, Iterable, Mapping
from typing import IO, TypeVar

import requests
from msgspec.structs import replace
from urllib3.exceptions import HTTPError

from airflow_batch_provider import backoff
from airflow_batch_provider.apis.auth import is_static
from airflow_batch_provider.apis.problem import Problem
from airflow_batch_provider.apis.request import Answer, Request
from airflow_batch_provider.apis.shown import Redactor
from airflow_batch_provider.apis.vendor import Vendor
from airflow_batch_provider.client import retry
from airflow_batch_provider.client.errors import ErrorMapping
from airflow_batch_provider.client.rate_limit import RateLimiter, shared_rate_limiter
from airflow_batch_provider.client.session import LONGEST_ANSWER, LONGEST_FILE, REDIRECTS, Session
from airflow_batch_provider.client.settings import Settings
from airflow_batch_provider.exceptions import BatchProviderError, TransientError

log = logging.getLogger(__name__)

T = TypeVar("T")

UNAUTHORIZED = 401


class Client:
    """A vendor's API over one connection.

    :param vendor: whose API it is
    :param settings: how to reach it
    :param rate_limiter: when requests may be sent; by default the one that the process has for the connection
    """

    def __init__(self, vendor: Vendor, settings: Settings, rate_limiter: RateLimiter | None = None) -> None:
        self.vendor = vendor
        self.settings = settings
        self._redactor = Redactor([settings.credentials.secret])
        self.show = self._redactor.show
        self.errors = ErrorMapping(vendor, settings, self._redactor)
        self._renews = not is_static(settings.auth)
        self._may_pass_soon = retry.may_pass_soon
        self._deadline: float | None = None
        self._session = self._open_session()
        self.rate_limiter = rate_limiter or shared_rate_limiter(settings.connection_id, settings.requests_per_minute)
        if not settings.verify_tls:
            log.warning(
                "Connection %r does not verify the certificate of %s (verify_tls is false): "
                "anyone in between can read the API key and change what is exported",
                settings.connection_id,
                settings.base_url,
            )

    def _open_session(self, longest: float = LONGEST_ANSWER, file: IO[bytes] | None = None) -> Session:
        headers = self.vendor.headers
        if not self._renews:
            headers = {**headers, **self.settings.auth(Request("/"), self.settings.credentials, False)}
        try:
            return Session(self.settings, headers, longest, file)
        except (requests.RequestException, HTTPError, ValueError) as exception:
            error = self.errors.of_exception(exception, Request("/"))
        raise error  # outside the handler: what was caught may contain the key

    def send(self, request: Request, read: Callable[[Answer], T | Problem]) -> T:
        """Send a request, as often as it takes within the connection's ``max_attempts``.

        A request that is not repeatable is sent again only if it certainly took no effect.

        :param request: what to send
        :param read: reads a successful answer, or returns what is wrong with it
        :raises AmbiguousRequestError: a request that is not repeatable may have taken effect, or not
        :raises TransientError: it may pass, but did not within the attempts
        :raises FatalError: it would fail again
        """
        try:
            return self._attempt(request, read)  # without tenacity, which would take a twentieth of a page's time
        except TransientError as error:
            first = [error]

        def attempt() -> T:
            if first:
                raise first.pop()
            return self._attempt(request, read)

        return backoff.retrying(
            attempts=self.settings.max_attempts, may_pass=self._may_pass, wait=retry.wait, log=self._log_retry
        )(attempt)

    def send_into(self, request: Request, file: IO[bytes], check: Callable[[], Problem | None]) -> None:
        """Send a request, as :meth:`send` does, and write the body of the answer to a file: it may be large.

        :param request: what to send
        :param file: what takes the body, from its start
        :param check: returns what is wrong with the body in the file
        """
        large = copy.copy(self)
        large._session = large._open_session(LONGEST_FILE, file)
        try:
            large.send(request, lambda answer: check())
        finally:
            large._session.close()

    def _attempt(self, request: Request, read: Callable[[Answer], T | Problem]) -> T:
        try:
            answer = self._exchange(request)
        except (requests.RequestException, HTTPError) as exception:
            error = self.errors.of_exception(exception, request)
        except ValueError as exception:  # a negative chunk, a Location that is no URL, a length of 5,000 digits
            error = self.errors.of_invalid_answer(exception, request)
        else:
            if answer.body.startswith(codecs.BOM_UTF8):
                answer = replace(answer, body=answer.body.removeprefix(codecs.BOM_UTF8))
            found = (
                read(answer) if _is_success(request, answer) else self.vendor.error_response(answer.status, answer.body)
            )
            if not isinstance(found, Problem):
                return found
            error = self._error_of(found, request, answer)
        raise error  # outside the handler: what was caught contains the request, and so the key

    def _exchange(self, request: Request) -> Answer:
        """Send a request once; if the vendor answers 401, once more with headers that were renewed."""
        self.rate_limiter.wait_for_turn()
        if not self._renews:
            return self._session.send(request, {}, self._seconds_left(request))
        answer = self._session.send(request, self._auth_headers(request, renew=False), self._seconds_left(request))
        if answer.status != UNAUTHORIZED:
            return answer
        self.rate_limiter.wait_for_turn()
        return self._session.send(request, self._auth_headers(request, renew=True), self._seconds_left(request))

    def _auth_headers(self, request: Request, *, renew: bool) -> Mapping[str, str]:
        try:
            headers = self.settings.auth(request, self.settings.credentials, renew)
        except BatchProviderError:
            raise
        except Exception as error:  # noqa: BLE001 - of a function that asks somebody else for a token
            reason = self.show(repr(error))
        else:
            self._redactor.hide(headers.values())
            return headers
        raise TransientError(
            f"{self.vendor.title} was not asked, because the authentication failed: {reason}",
            vendor=self.vendor.name,
            endpoint=request.address,
        )

    def _error_of(self, problem: Problem, request: Request, answer: Answer) -> BatchProviderError:
        retry_after = retry.parse_retry_after(answer.headers.get("Retry-After"), answer.headers.get("Date"))
        error = self.errors.of_problem(problem, request, answer.status, retry_after)
        is_definite = request.is_repeatable or 300 <= answer.status < 500
        return error if is_definite else self.errors.ambiguous(error, request)

    def _may_pass(self, error: BaseException) -> bool:
        return self._may_pass_soon(error) and not self._session.is_closed

    def _log_retry(self, attempt: int, seconds: float, error: BaseException) -> None:
        log.warning(
            "Attempt %d of %d failed, the next one is in %.1f s: %s",
            attempt,
            self.settings.max_attempts,
            seconds,
            error,
        )

    def hide(self, secrets: Iterable[str]) -> None:
        """Keep secrets of before out of what is shown, too."""
        self._redactor.hide(secrets)

    def for_polling(self, attempts: int = 1) -> Client:
        """Return this client as those use it who ask again at the next poll anyway.

        :param attempts: how often a request is sent; only once if the vendor asks to come back later
        """
        polling = copy.copy(self)
        polling.settings = dataclasses.replace(self.settings, max_attempts=min(attempts, self.settings.max_attempts))
        polling._may_pass_soon = retry.may_pass_at_once
        return polling

    def for_endpoint(self, name: str) -> Client:
        """Return this client as it asks one endpoint, which the connection may authenticate in another way."""
        if name not in self.settings.auths:
            return self
        other = copy.copy(self)
        other.settings = dataclasses.replace(self.settings, auth=self.settings.auths[name])
        other._renews = not is_static(other.settings.auth)
        other._session = other._open_session()
        return other

    def within(self, seconds: float) -> Client:
        """Return this client, but one that sends nothing after so many seconds and waits no longer for answers.

        :param seconds: from now on
        """
        bounded = copy.copy(self)
        bounded._deadline = time.monotonic() + seconds
        bounded._session = bounded._open_session(seconds)
        return bounded

    def _seconds_left(self, request: Request) -> float | None:
        if self._deadline is None:
            return None
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TransientError(
                f"{self.vendor.title} did not answer within the rest of timeout.",
                vendor=self.vendor.name,
                endpoint=request.address,
            )
        return left

    def close(self) -> None:
        """Close all connections."""
        self._session.close()


def _is_success(request: Request, answer: Answer) -> bool:
    if not request.is_followed and answer.status in REDIRECTS and answer.headers.get("Location"):
        return True
    return answer.status == 200 or (request.method != "GET" and 200 <= answer.status < 300)
