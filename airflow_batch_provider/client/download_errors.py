"""Why a file cannot be had, in words that may be shown: of a signed URL they contain the host and nothing else."""

from __future__ import annotations

import http.client
import os
import socket
import ssl
from collections.abc import Mapping

from urllib3.exceptions import HTTPError, InvalidHeader, ProxyError
from urllib3.exceptions import TimeoutError as HTTPTimeoutError

from airflow_batch_provider.apis.problem import ProblemKind, kind_of_status
from airflow_batch_provider.apis.shown import Redactor
from airflow_batch_provider.apis.vendor import Vendor
from airflow_batch_provider.client.bounds import AnswerTooLongError, AnswerTooSlowError
from airflow_batch_provider.client.errors import PROXY_LOGIN_NEEDED, innermost, judge_proxy
from airflow_batch_provider.client.retry import parse_retry_after
from airflow_batch_provider.client.session import NoCertificates
from airflow_batch_provider.client.settings import Settings
from airflow_batch_provider.exceptions import (
    BatchProviderError,
    ConnectionSettingsError,
    RateLimitedError,
    TransientError,
)

EXPIRED = frozenset({401, 403, 404, 410})
"""What storage answers for a signed URL that is no longer valid."""


class ExpiredUrlError(Exception):
    """A signed URL is not valid, or not any more; the vendor's API may give a new one.

    :param status: the HTTP status
    """

    def __init__(self, status: int) -> None:
        self.status = status
        self.reason = f"its URL answered HTTP {status}"
        super().__init__(self.reason)


class UnusableFileError(Exception):
    """A file cannot be downloaded, and will not be on the next try either.

    :param reason: why, as it may be shown and stored
    """

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


class DownloadErrors:
    """Makes exceptions for the files of one connection.

    What servers say of themselves is left out, since they may repeat the URL that they were asked for.

    :param vendor: whose files they are
    :param settings: the connection to name in them
    """

    def __init__(self, vendor: Vendor, settings: Settings) -> None:
        self._vendor = vendor
        self._settings = settings
        self._clean = Redactor([settings.credentials.secret]).show

    def of_status(self, status: int, headers: Mapping[str, str], host: str) -> Exception:
        """Return the exception for an answer that is no file."""
        if status in EXPIRED:
            return ExpiredUrlError(status)
        happened = f"it answered HTTP {status}"
        if status == PROXY_LOGIN_NEEDED:
            error_class, hint = judge_proxy(status)
            return self._error(error_class, happened, hint, host, status)
        kind = kind_of_status(status)
        if kind not in {ProblemKind.TRANSIENT, ProblemKind.RATE_LIMITED}:
            return UnusableFileError(f"its URL answered HTTP {status}")
        retry_after = parse_retry_after(headers.get("Retry-After"), headers.get("Date"))
        hint = "The server is busy or faulty, which may pass; try again later"
        if retry_after is None and kind is ProblemKind.TRANSIENT:
            return self._error(TransientError, happened, hint, host, status)
        if retry_after is not None:
            happened += f", retry after {retry_after:.0f} s"
        error = self._error(RateLimitedError, happened, hint, host, status)
        assert isinstance(error, RateLimitedError)
        error.retry_after = retry_after
        return error

    def of_exception(self, exception: Exception, host: str) -> BatchProviderError | UnusableFileError:
        """Return the exception for a file that did not come, or not to the end."""
        cause = innermost(exception)
        if isinstance(exception, NoCertificates):
            happened = f"there are no certificates at {self._clean(str(exception))}"
            hint = "Correct REQUESTS_CA_BUNDLE or CURL_CA_BUNDLE in the environment"
            return self._error(ConnectionSettingsError, happened, hint, host)
        if isinstance(exception, ProxyError):
            error_class, hint = judge_proxy(cause)
            return self._error(error_class, "a proxy stands in the way", hint, host)
        # Python raises this base class at its own limits, which differ between versions.
        if isinstance(cause, AnswerTooLongError) or type(cause) is http.client.HTTPException:
            return UnusableFileError("its server sends more beside the file than any answer has")
        if isinstance(cause, ssl.SSLCertVerificationError):
            happened = f"it showed a certificate that does not verify: {self._clean(cause.verify_message)}"
            hint = "Install the certificate authority that signed it on the workers (REQUESTS_CA_BUNDLE)"
            return self._error(ConnectionSettingsError, happened, hint, host)
        is_invalid = isinstance(exception, ValueError) and not isinstance(exception, (HTTPError, OSError))
        if is_invalid or isinstance(cause, InvalidHeader):
            return UnusableFileError("its server gave an answer that is no HTTP")
        return self.broken_off(_describe(cause), host)

    def broken_off(self, happened: str, host: str) -> TransientError:
        """Return the exception for a file of which a part is still to come.

        :param happened: why, in our own words
        """
        hint = "Check that the workers' network reaches {host}, or try again later"
        error = self._error(TransientError, happened, hint, host)
        assert isinstance(error, TransientError)
        return error

    def harmless_or_none(self, text: str | None) -> str | None:
        """Return a text of the server's as it is, if it may be shown."""
        return text if text is not None and self._clean(text) == text else None

    def _error(
        self, error_class: type[BatchProviderError], happened: str, hint: str, host: str, status: int | None = None
    ) -> BatchProviderError:
        shown = self._clean(host)
        hint = hint.format(host=shown, base_url=shown, connection=self._settings.connection_id)
        message = f"{self._vendor.title}: a file could not be downloaded from {shown}: {happened}. {hint}."
        return error_class(message, vendor=self._vendor.name, status=status)


def _describe(cause: BaseException) -> str:
    """Return what happened, without a word of the server's."""
    if isinstance(cause, AnswerTooSlowError):
        return f"it sends too slowly: {cause}"
    if isinstance(cause, http.client.IncompleteRead):
        return "the file broke off"
    if isinstance(cause, (TimeoutError, HTTPTimeoutError)):
        return "it did not answer in time"
    if isinstance(cause, socket.gaierror):
        return "its name cannot be resolved"
    if isinstance(cause, ssl.SSLError):
        return f"TLS failed ({cause.reason or type(cause).__name__})"
    if isinstance(cause, OSError) and cause.errno:
        return os.strerror(cause.errno)
    return type(cause).__name__
