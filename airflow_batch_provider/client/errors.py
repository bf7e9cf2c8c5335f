"""The one place where what went wrong becomes an exception of ours, with a sentence that says what to mend."""

from __future__ import annotations

import re
import ssl
from urllib.parse import quote

import requests
from urllib3.exceptions import HTTPError

from airflow_batch_provider.apis.endpoint import Vendor
from airflow_batch_provider.apis.problem import Problem, ProblemKind
from airflow_batch_provider.client.bounds import AnswerTooLongError
from airflow_batch_provider.client.session import BodyTooLarge, RedirectElsewhere
from airflow_batch_provider.client.settings import Settings
from airflow_batch_provider.exceptions import (
    AuthenticationError,
    BatchProviderError,
    ConnectionSettingsError,
    NotFoundError,
    PaymentRequiredError,
    RateLimitedError,
    RequestRefusedError,
    TransientError,
    UnexpectedResponseError,
)

LONGEST_MESSAGE = 300
"""Characters kept of a vendor's message: enough for a sentence, too little for a page of customer data."""

CLASSES: dict[ProblemKind, tuple[type[BatchProviderError], str]] = {
    ProblemKind.AUTHENTICATION: (
        AuthenticationError,
        "Check that the API key (password) of connection {connection!r} is right and may see this",
    ),
    ProblemKind.PAYMENT: (
        PaymentRequiredError,
        "Check plan and credits of the account behind connection {connection!r}",
    ),
    ProblemKind.NOT_FOUND: (
        NotFoundError,
        "Check the ids of the task, and that the key of connection {connection!r} belongs to their account",
    ),
    ProblemKind.REFUSED: (RequestRefusedError, "Check the parameters of the task"),
    ProblemKind.RATE_LIMITED: (
        RateLimitedError,
        "Set requests_per_minute in connection {connection!r} to what the plan allows",
    ),
    ProblemKind.TRANSIENT: (TransientError, "The fault is the vendor's and may pass; try again later"),
    ProblemKind.NOT_JSON: (TransientError, "If it stays so, check host of connection {connection!r}: {base_url}"),
    ProblemKind.WRONG_SHAPE: (UnexpectedResponseError, "Check host of connection {connection!r}: {base_url}"),
}


class FailureMapping:
    """Makes exceptions for one vendor and connection. The key never appears in one, even if a vendor repeats it.

    :param vendor: whose answers they are
    :param settings: the connection to name in them
    """

    def __init__(self, vendor: Vendor, settings: Settings) -> None:
        self._vendor = vendor
        self._settings = settings
        written = (settings.api_key, quote(settings.api_key, safe=""))
        self._key = re.compile("|".join(map(re.escape, written)), re.IGNORECASE)  # hosts come in lower case

    def of_problem(
        self, problem: Problem, path: str, status: int, retry_after: float | None = None
    ) -> BatchProviderError:
        """Return the exception for what an answer says."""
        error_class, hint = CLASSES[problem.kind]
        code = self._tell(problem.code) if problem.code else None
        facts = f"HTTP {status}" + (f", code {code}" if code else "")
        if retry_after is not None and problem.kind in {ProblemKind.RATE_LIMITED, ProblemKind.TRANSIENT}:
            error_class = RateLimitedError
            facts += f", to be asked again in {retry_after:.0f} s"
        error = self._error(error_class, f"answered {facts}: {self._tell(problem.message)}", hint, path, status, code)
        if isinstance(error, RateLimitedError):
            error.retry_after = retry_after
        return error

    def of_exception(
        self, exception: requests.RequestException | HTTPError | ValueError, path: str
    ) -> BatchProviderError:
        """Return the exception for a request that was not answered, or not to the end."""
        if isinstance(exception, RedirectElsewhere):
            happened = f"redirects to {self._tell(str(exception))}, where the API key may not go"
            return self._error(UnexpectedResponseError, happened, CLASSES[ProblemKind.WRONG_SHAPE][1], path)
        if isinstance(exception, BodyTooLarge):
            happened = f"answered with {exception}"
            return self._error(UnexpectedResponseError, happened, CLASSES[ProblemKind.WRONG_SHAPE][1], path)
        cause = _innermost(exception)
        if isinstance(cause, AnswerTooLongError):
            return self._error(
                UnexpectedResponseError, f"answered with {cause}", CLASSES[ProblemKind.WRONG_SHAPE][1], path
            )
        if isinstance(cause, ssl.SSLCertVerificationError):
            hint = "Check host of connection {connection!r} ({base_url}) and the machine's certificates"
            return self._error(
                ConnectionSettingsError,
                f"showed a certificate that does not verify: {self._tell(_say(cause))}",
                hint,
                path,
            )
        # What requests raises about a URL is a ValueError too.
        if isinstance(exception, (ValueError, requests.TooManyRedirects)):
            hint = "Check host of connection {connection!r}: {base_url}"
            return self._error(ConnectionSettingsError, f"cannot be asked: {self._tell(_say(cause))}", hint, path)
        hint = "Check host of connection {connection!r} ({base_url}) and the network; it may also pass"
        return self._error(TransientError, f"did not answer: {self._tell(_say(cause))}", hint, path)

    def of_invalid_answer(self, exception: ValueError, path: str) -> BatchProviderError:
        """Return the exception for an answer that breaks the rules of HTTP so that the library stumbles."""
        happened = f"gave an answer that is no HTTP: {self._tell(_say(exception))}"
        return self._error(UnexpectedResponseError, happened, CLASSES[ProblemKind.WRONG_SHAPE][1], path)

    def _tell(self, text: str) -> str:
        """Return what a vendor says so that it can be told: without the key, printable, and short."""
        line = " ".join(self._key.sub("***", text).encode("utf-8", "backslashreplace").decode().split())
        return line if len(line) <= LONGEST_MESSAGE else line[: LONGEST_MESSAGE - 3] + "..."

    def _error(
        self,
        error_class: type[BatchProviderError],
        happened: str,
        hint: str,
        path: str,
        status: int | None = None,
        code: str | None = None,
    ) -> BatchProviderError:
        endpoint = f"GET {path}"
        hint = hint.format(connection=self._settings.connection_id, base_url=self._settings.base_url)
        message = f"{self._vendor.title} {happened} ({endpoint}). {hint}."
        return error_class(
            message,
            vendor=self._vendor.name,
            endpoint=endpoint,
            status=status,
            code=code,
        )


def _innermost(exception: BaseException) -> BaseException:
    """Return the reason behind all others: the outer ones repeat object addresses and the whole URL."""
    seen: list[BaseException] = []
    current: object = exception
    while isinstance(current, BaseException) and current not in seen:
        seen.append(current)
        wrapped = [argument for argument in current.args if isinstance(argument, BaseException)]
        current = next(
            filter(None, [getattr(current, "reason", None), *wrapped, current.__cause__, current.__context__]), None
        )
    return seen[-1]


def _say(exception: BaseException) -> str:
    name = type(exception).__name__
    return f"{name}: {exception}" if str(exception) else name
