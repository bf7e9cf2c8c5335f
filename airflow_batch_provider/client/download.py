"""Fetches files from signed URLs, without the API key: streamed, resumed where they broke off, checked for their size.

A signed URL is a secret. It is not logged, by urllib3 neither, and no exception that leaves here has seen it: errors
are raised outside the handlers of what the libraries raise.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Protocol

import msgspec
from urllib3 import BaseHTTPResponse

from airflow_batch_provider import backoff
from airflow_batch_provider.apis.vendor import Vendor
from airflow_batch_provider.client import retry
from airflow_batch_provider.client.download_errors import DownloadErrors, ExpiredUrlError, UnusableFileError
from airflow_batch_provider.client.file_answers import (
    BREAKS,
    UNKNOWN,
    length_of,
    media_type_of,
    part_of,
    read_leftover,
    validator_of,
)
from airflow_batch_provider.client.file_transport import PIECE, FileTransport
from airflow_batch_provider.client.session import REDIRECTS, decode_utf8
from airflow_batch_provider.client.settings import Settings
from airflow_batch_provider.client.signed_urls import SignedUrl, parse_url
from airflow_batch_provider.exceptions import TransientError

if TYPE_CHECKING:
    from tenacity import Retrying

__all__ = ["Downloaded", "Downloader", "ExpiredUrlError", "FileTarget", "UnusableFileError"]

log = logging.getLogger(__name__)

LARGEST_FILE = 5 * 1024**4
"""Bytes of a file; S3 has no larger objects."""

MOST_REDIRECTS = 5

MOST_ATTEMPTS = 50
"""How often a file is asked for, even if each attempt brings a part of it."""

_EXPIRED_TOKEN = b"ExpiredToken"
"""The code with which Google Cloud Storage, and S3 for temporary credentials, answer HTTP 400 for an old URL."""


class FileTarget(Protocol):
    """Takes the bytes of one file."""

    def write(self, data: bytes) -> None:
        """Take the next bytes, at most 1 MiB."""

    def restart(self) -> None:
        """Forget what was written: the file begins again."""


class Downloaded(msgspec.Struct, frozen=True):
    """A file that was downloaded.

    :param size: its bytes
    :param content_type: its media type, in lower case and without parameters, if the server says a valid one
    """

    size: int
    content_type: str | None


class Downloader:
    """Fetches the files that a vendor's API names; threads may share it.

    :param vendor: whose files they are
    :param settings: how to reach the API that names them
    """

    def __init__(self, vendor: Vendor, settings: Settings) -> None:
        self._settings = settings
        self._transport = FileTransport(vendor, settings)
        self._errors = DownloadErrors(vendor, settings)

    def download(self, url: str, target: FileTarget, *, size: int | None = None) -> Downloaded:
        """Fetch a file, in as many attempts as the connection's ``max_attempts``, not counting those that got further.

        :param url: where it is; it is neither logged nor part of any exception
        :param target: takes its bytes. It is restarted at the beginning, so it may have been used before; after an
            exception, it does not have the file.
        :param size: its bytes, if the vendor announced them
        :raises ExpiredUrlError: the URL is not valid; ask the API for a new one
        :raises UnusableFileError: it cannot be had, and a retry would not help
        :raises TransientError: it may pass, but did not within the attempts
        :raises ConnectionSettingsError: a proxy or a certificate is in the way
        """
        parsed = parse_url(url)
        del url  # a traceback may show variables
        if isinstance(parsed, UnusableFileError):
            raise parsed
        target.restart()
        file = _File(self._transport, self._errors, parsed, target, size)
        try:
            return file.attempt()  # without tenacity, which takes 50 µs
        except TransientError as error:
            first = [error]

        def attempt() -> Downloaded:
            if first:
                raise first.pop()
            return file.attempt()

        return self._retrying(file)(attempt)

    def _retrying(self, file: _File) -> Retrying:
        most = self._settings.max_attempts

        def may_pass(error: BaseException) -> bool:
            return (
                error is not file.target_error
                and file.failures < most
                and not self._transport.is_closed
                and retry.may_pass_soon(error)
            )

        def log_retry(attempt: int, seconds: float, error: BaseException) -> None:
            log.warning("Attempt %d of %d failed, the next one is in %.1f s: %s", file.failures, most, seconds, error)

        return backoff.retrying(
            attempts=MOST_ATTEMPTS,
            may_pass=may_pass,
            wait=lambda attempt, error: retry.wait(file.failures, error),
            log=log_retry,
        )

    def close(self) -> None:
        """Close all connections; what fails after that is not tried again."""
        self._transport.close()


class _File:
    """One file, and how much of it has come in the attempts so far.

    :param failures: attempts that failed since one brought bytes that had not come before, that one included
    :param target_error: what the target raised, which is not the network's fault
    """

    def __init__(
        self, transport: FileTransport, errors: DownloadErrors, url: SignedUrl, target: FileTarget, size: int | None
    ) -> None:
        self._transport = transport
        self._errors = errors
        self._url = url
        self._target = target
        self._size = size
        self._host = url.host
        self._written = 0
        self._furthest = 0
        self._total: int | None = None
        self._validator: str | None = None
        self._content_type: str | None = None
        self.failures = 0
        self.target_error: BaseException | None = None

    def attempt(self) -> Downloaded:
        """Ask for the file, or for what is left of it, and write it."""
        try:
            return self._attempt()
        except TransientError:
            self.failures = 1 if self._written > self._furthest else self.failures + 1
            self._furthest = max(self._furthest, self._written)
            raise

    def _attempt(self) -> Downloaded:
        response = self._follow()
        try:
            left = self._begin(response)
            self._copy(response, left)
        except BaseException:
            response.close()
            raise
        response.release_conn()
        expected = self._total if self._size is None else self._size
        if self._total is not None and self._written < self._total:
            raise self._errors.broken_off("the file broke off", self._host)
        if expected is not None and self._written != expected:
            raise UnusableFileError(f"it has {self._written} bytes, not the {expected} that were announced")
        return Downloaded(self._written, self._content_type)

    def _follow(self) -> BaseHTTPResponse:
        """Ask, and follow redirects; each is checked as if it had been the URL."""
        url = self._url
        for _ in range(MOST_REDIRECTS + 1):
            self._host = url.host
            response = self._ask(url)
            if response.status not in REDIRECTS or not response.headers.get("Location"):
                return response
            read_leftover(response)
            leads_to = parse_url(decode_utf8(response.headers["Location"]), url)
            if isinstance(leads_to, UnusableFileError):
                raise leads_to
            url = leads_to
        raise UnusableFileError(f"its URL leads on more than {MOST_REDIRECTS} times")

    def _ask(self, url: SignedUrl) -> BaseHTTPResponse:
        headers = {}
        if self._written and self._validator:
            headers = {"Range": f"bytes={self._written}-", "If-Range": self._validator}
        try:
            return self._transport.open(url, headers)
        except UnusableFileError as refused:
            error: Exception = refused.with_traceback(None)  # which leads through frames that hold the URL
        except BREAKS as exception:
            error = self._errors.of_exception(exception, self._host)
        raise error

    def _begin(self, response: BaseHTTPResponse) -> int | None:
        """Judge an answer by its headers, and return how many bytes follow; None if they come in chunks."""
        is_part = self._written > 0 and self._validator is not None
        if is_part and (response.status == 416 or (response.status == 206 and not self._continues(response))):
            self._restart()
            raise self._errors.broken_off("it no longer has the rest of the file", self._host)
        if not (response.status == 200 or (is_part and response.status == 206)):
            raise self._refusal(response)
        if response.headers.get("Content-Encoding", "identity").strip().lower() not in {"", "identity"}:
            raise UnusableFileError("its server compresses it, although it was asked not to")
        left = length_of(response)
        if left == UNKNOWN:
            raise UnusableFileError("its server does not say how long it is, so it may be cut")
        if response.status == 200:
            if self._written:
                self._restart()
            self._total = left
            self._validator = validator_of(response)
            self._content_type = self._errors.harmless_or_none(media_type_of(response))
            self._check_size(left or 0, is_whole=left is not None)
        return left

    def _continues(self, response: BaseHTTPResponse) -> bool:
        """Return whether a part is what follows of the same file."""
        part = part_of(response)
        if part is None or part.first != self._written or self._total not in {None, part.total}:
            return False
        self._total = part.total
        return part.etag in {None, self._validator} or not str(self._validator).startswith('"')

    def _refusal(self, response: BaseHTTPResponse) -> Exception:
        body = read_leftover(response)
        if response.status == 400 and _EXPIRED_TOKEN in body:
            return ExpiredUrlError(400)
        return self._errors.of_status(response.status, response.headers, self._host)

    def _copy(self, response: BaseHTTPResponse, left: int | None) -> None:
        if left == 0:
            self._read(response, 1)  # its end, without which the connection cannot be used again
        while left is None or left > 0:
            piece = self._read(response, PIECE if left is None else min(left, PIECE))
            if not piece:
                return
            left = None if left is None else left - len(piece)
            self._check_size(self._written + len(piece), is_whole=False)
            self._write(piece)

    def _read(self, response: BaseHTTPResponse, most: int) -> bytes:
        try:
            return response.read1(most)
        except BREAKS as exception:
            error = self._errors.of_exception(exception, self._host)
        raise error

    def _write(self, piece: bytes) -> None:
        try:
            self._target.write(piece)
        except BaseException as error:
            self.target_error = error
            raise
        self._written += len(piece)

    def _restart(self) -> None:
        self._written = 0
        self._total = None
        self._validator = None
        try:
            self._target.restart()
        except BaseException as error:
            self.target_error = error
            raise

    def _check_size(self, reached: int, *, is_whole: bool) -> None:
        if reached > LARGEST_FILE:
            raise UnusableFileError(f"it has more than {LARGEST_FILE} bytes")
        if self._size is not None and (reached > self._size or (is_whole and reached != self._size)):
            has = reached if is_whole else f"more than {self._size}"
            raise UnusableFileError(f"it has {has} bytes, not the {self._size} that were announced")
