"""Maps what went wrong to our exceptions, each with a sentence that says what to fix."""

from __future__ import annotations

import re
import ssl

import requests
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NewConnectionError, ProxyError

from airflow_batch_provider.apis.problem import Problem, ProblemKind, kind_of_status
from airflow_batch_provider.apis.request import Request
from airflow_batch_provider.apis.shown import Redactor
from airflow_batch_provider.apis.vendor import Vendor
from airflow_batch_provider.client.bounds import AnswerTooLongError
from airflow_batch_provider.client.session import BodyTooLarge, NoCertificates, RedirectElsewhere
from airflow_batch_provider.client.settings import Settings
from airflow_batch_provider.exceptions import (
    AmbiguousRequestError,
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
    ProblemKind.NOT_JSON: (TransientError, "If it continues, check host of connection {connection!r}: {base_url}"),
    ProblemKind.WRONG_SHAPE: (UnexpectedResponseError, "Check host of connection {connection!r}: {base_url}"),
}


_PROXY_LOGIN = "Put login and password of the proxy into HTTPS_PROXY or HTTP_PROXY, or exempt {base_url} by NO_PROXY"
_PROXY_RULES = "Let the proxy allow {base_url}, or exempt it by NO_PROXY"
_PLAIN_HTTP = (
    "That server speaks no TLS: if this is intended, begin host of connection {connection!r} ({base_url}) with http://"
)
_PROXY_AWAY = "Check HTTPS_PROXY or HTTP_PROXY, or try again later"
PROXY_LOGIN_NEEDED = 407

# What Python reports of a proxy that refuses to connect to a server.
_TUNNEL_STATUS = re.compile(r"Tunnel connection failed: (\d{3})")


_OUR_WORDS = frozenset({ProblemKind.NOT_JSON, ProblemKind.WRONG_SHAPE})
_NO_TLS = frozenset({"WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE"})
"""How OpenSSL names an answer that is not TLS, depending on its version."""
_CODE = re.compile(r"[A-Za-z_]{1,40}")


def _without_words(problem: Problem) -> Problem:
    """Return a problem without the vendor's words, which may repeat the personal data that was sent."""
    if problem.kind in _OUR_WORDS:
        return problem
    code = problem.code if problem.code and _CODE.fullmatch(problem.code) else None
    return Problem(problem.kind, "its words are left out, since they may contain personal data", code)


class ErrorMapping:
    """Makes exceptions for one vendor and connection.

    :param vendor: whose answers they are
    :param settings: the connection to name in them
    :param redactor: makes the vendor's text harmless
    """

    def __init__(self, vendor: Vendor, settings: Settings, redactor: Redactor) -> None:
        self._vendor = vendor
        self._settings = settings
        self._clean = redactor.show

    def of_problem(
        self, problem: Problem, request: Request, status: int, retry_after: float | None = None
    ) -> BatchProviderError:
        """Return the exception for a problem that an answer reports."""
        error_class, hint = CLASSES[problem.kind]
        if status == PROXY_LOGIN_NEEDED:
            error_class, hint = ConnectionSettingsError, _PROXY_LOGIN
        if request.is_personal:
            problem = _without_words(problem)
        code = self._clean(problem.code) if problem.code else None
        facts = f"HTTP {status}" + (f", code {code}" if code else "")
        if retry_after is not None and problem.kind in {ProblemKind.RATE_LIMITED, ProblemKind.TRANSIENT}:
            error_class = RateLimitedError
            facts += f", retry after {retry_after:.0f} s"
        happened = f"answered {facts}: {self._clean(problem.message)}"
        error = self._error(error_class, happened, hint, request, status, code)
        if isinstance(error, RateLimitedError):
            error.retry_after = retry_after
        return error

    def of_exception(
        self, exception: requests.RequestException | HTTPError | ValueError, request: Request
    ) -> BatchProviderError:
        """Return the exception for a request that was not answered, or not to the end."""
        wrong_host = CLASSES[ProblemKind.WRONG_SHAPE][1]
        cause = innermost(exception)
        if isinstance(exception, RedirectElsewhere):
            happened = f"redirects to {self._clean(str(exception))}, where the API key may not go"
            error = self._error(UnexpectedResponseError, happened, wrong_host, request)
        elif isinstance(exception, NoCertificates):
            hint = "Correct REQUESTS_CA_BUNDLE or CURL_CA_BUNDLE in the environment"
            happened = f"cannot be asked: there are no certificates at {self._clean(str(exception))}"
            return self._error(ConnectionSettingsError, happened, hint, request)
        elif isinstance(exception, ProxyError):
            return self._of_proxy(cause, request)
        elif isinstance(exception, BodyTooLarge) or isinstance(cause, AnswerTooLongError):
            what = exception if isinstance(exception, BodyTooLarge) else cause
            error = self._error(UnexpectedResponseError, f"answered with {what}", wrong_host, request)
            assert isinstance(error, UnexpectedResponseError)
            error.is_too_large = True
        elif isinstance(cause, ssl.SSLCertVerificationError):
            hint = "Check host of connection {connection!r} ({base_url}) and the machine's certificates"
            happened = f"showed a certificate that does not verify: {self._clean(_describe(cause))}"
            return self._error(ConnectionSettingsError, happened, hint, request)
        elif isinstance(
            exception, (ValueError, requests.TooManyRedirects)
        ):  # requests' errors about URLs are ValueErrors
            hint = "Check host of connection {connection!r}: {base_url}"
            happened = f"cannot be asked: {self._clean(_describe(cause))}"
            return self._error(ConnectionSettingsError, happened, hint, request)
        else:
            hint = "Check host of connection {connection!r} ({base_url}) and the network, or try again later"
            if getattr(cause, "reason", None) in _NO_TLS:
                hint = _PLAIN_HTTP
            happened = f"did not answer: {self._clean(_describe(cause))}"
            error = self._error(TransientError, happened, hint, request)
        return error if request.is_repeatable or _was_not_sent(exception) else self.ambiguous(error, request)

    def _of_proxy(self, cause: BaseException, request: Request) -> BatchProviderError:
        """Return the exception for a proxy that does not let a request through; the vendor never saw it."""
        happened = f"was not reached, because of a proxy: {self._clean(_describe(cause))}"
        error_class, hint = judge_proxy(cause)
        return self._error(error_class, happened, hint, request)

    def of_invalid_answer(self, exception: ValueError, request: Request) -> BatchProviderError:
        """Return the exception for an answer that breaks the rules of HTTP."""
        happened = f"gave an answer that is no HTTP: {self._clean(_describe(exception))}"
        error = self._error(UnexpectedResponseError, happened, CLASSES[ProblemKind.WRONG_SHAPE][1], request)
        return error if request.is_repeatable else self.ambiguous(error, request)

    def ambiguous(self, error: BatchProviderError, request: Request) -> AmbiguousRequestError:
        """Return the exception for a request that is sent once, and may have taken effect although it failed.

        :param error: how it failed
        """
        return AmbiguousRequestError(
            f"{error} It may have taken effect all the same, so it was not sent again. Look at {self._vendor.title} "
            "before you start it again.",
            vendor=self._vendor.name,
            endpoint=request.address,
            status=error.status,
            code=error.code,
        )

    def _error(
        self,
        error_class: type[BatchProviderError],
        happened: str,
        hint: str,
        request: Request,
        status: int | None = None,
        code: str | None = None,
    ) -> BatchProviderError:
        hint = hint.format(connection=self._settings.connection_id, base_url=self._settings.base_url)
        ids = "".join(f", {name}={self._clean(value)}" for name, value in request.ids.items())
        message = f"{self._vendor.title} {happened} ({request.address}{ids}). {hint}."
        return error_class(message, vendor=self._vendor.name, endpoint=request.address, status=status, code=code)


def judge_proxy(refusal: BaseException | int) -> tuple[type[BatchProviderError], str]:
    """Return what it means that a proxy lets nothing through, and what to do.

    :param refusal: its status, or the innermost reason of the exception
    """
    found = _TUNNEL_STATUS.search(str(refusal))
    status = refusal if isinstance(refusal, int) else int(found[1]) if found else 0
    if status == PROXY_LOGIN_NEEDED:
        return ConnectionSettingsError, _PROXY_LOGIN
    if 400 <= status < 500 and kind_of_status(status) not in {ProblemKind.TRANSIENT, ProblemKind.RATE_LIMITED}:
        return ConnectionSettingsError, _PROXY_RULES
    return TransientError, _PROXY_AWAY


def _was_not_sent(exception: BaseException) -> bool:
    """Return whether no byte of a request can have reached the vendor: there was no connection."""
    return isinstance(exception, (ConnectTimeoutError, NewConnectionError, ProxyError))


def innermost(exception: BaseException) -> BaseException:
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


def _describe(exception: BaseException) -> str:
    name = type(exception).__name__
    return f"{name}: {exception}" if str(exception) else name
