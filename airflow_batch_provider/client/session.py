"""One connection pool per client: what does not change between requests is worked out once."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Mapping
from typing import IO
from urllib.parse import urljoin, urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3 import BaseHTTPResponse, HTTPConnectionPool, Timeout

from airflow_batch_provider import __version__
from airflow_batch_provider.apis.request import Answer, Request
from airflow_batch_provider.client.bounds import bounded
from airflow_batch_provider.client.multipart import encode_body
from airflow_batch_provider.client.settings import Settings

LARGEST_BODY = 64 * 1024 * 1024
"""Bytes of a body, decompressed, beyond which it is not read: no page of any vendor comes near."""

LARGEST_FILE = 8 << 30
"""Bytes of a body that goes to a file."""

LARGEST_REST = 1024 * 1024
"""Bytes of an answer beside its body: headers, the lengths of chunks, trailers."""

LONGEST_ANSWER = 600.0
"""Seconds for an answer as a whole; the read timeout starts again with each byte."""

LONGEST_FILE = 3600.0
"""Seconds for an answer that goes to a file."""

BLOCK = 1 << 20

MOST_REDIRECTS = 10
HTTP_OK = 200
REDIRECTS = frozenset({301, 302, 303, 307, 308})
_OF_A_FILE = {"Accept": "*/*", "Accept-Encoding": "identity"}
"""A compressed body may end early without a sign of it."""
_REDIRECTS_OF_ANY_METHOD = frozenset({307, 308})
"""The others would make a GET of it."""


def _without_query(record: logging.LogRecord) -> bool:
    """Cut the queries of URLs from what urllib3 logs: they may be signed, or contain what a vendor sent."""
    if isinstance(record.args, tuple):
        record.args = tuple(
            argument.partition("?")[0] if isinstance(argument, str) else argument for argument in record.args
        )
    return True


logging.getLogger("urllib3.connectionpool").addFilter(_without_query)


class RedirectElsewhere(requests.RequestException):
    """A redirect would take the request, and the API key with it, to another origin."""


class NoCertificates(requests.RequestException):
    """The environment names a file of certificates that is not there."""


class BodyTooLarge(requests.RequestException):
    """A body is larger than any page can be."""


class Session:
    """Sends requests below one base URL.

    ``requests`` prepares them, with what the environment says of proxies and certificates, and opens the pool of
    connections; all of this once. Each request then goes to that pool as it is: to look into the environment and to
    prepare each again would be most of the cost of a page.

    :param settings: where to send them
    :param headers: headers that every request has
    :param longest: seconds for an answer as a whole
    :param file: takes the body of each successful answer, which may be larger than a page then, in place of the one
        before
    """

    def __init__(
        self,
        settings: Settings,
        headers: Mapping[str, str],
        longest: float = LONGEST_ANSWER,
        file: IO[bytes] | None = None,
    ) -> None:
        with requests.Session() as session:
            options = session.merge_environment_settings(settings.base_url, {}, True, settings.verify_tls, None)
            if isinstance(options["verify"], str) and not os.path.exists(options["verify"]):
                raise NoCertificates(options["verify"])
            session.trust_env = False  # otherwise ~/.netrc could replace the Authorization header
            prepared = session.prepare_request(
                requests.Request(
                    "GET",
                    settings.base_url,
                    headers={
                        **({"Accept": "application/json"} if file is None else _OF_A_FILE),
                        "User-Agent": f"airflow-batch-provider/{__version__}",
                        **headers,
                    },
                )
            )
        # Not blocking: exports keep to max_concurrency themselves, and a poll must not wait for one that hangs.
        self._adapter = HTTPAdapter(pool_maxsize=settings.max_concurrency)
        pool: HTTPConnectionPool = self._adapter.get_connection_with_tls_context(  # type: ignore[assignment]
            prepared, options["verify"], options["proxies"], options["cert"]
        )
        pool.ConnectionCls = bounded(
            pool.ConnectionCls,  # type: ignore[arg-type]
            seconds=longest if longest < LONGEST_ANSWER else max(longest, settings.read_timeout),
            most=(LARGEST_BODY if file is None else LARGEST_FILE) + LARGEST_REST,
        )
        self._pool = pool
        self._file = file
        self.is_closed = False
        self._headers = dict(prepared.headers)
        self._timeout = Timeout(connect=settings.connect_timeout, read=settings.read_timeout)
        self._base_url = str(prepared.url).rstrip("/")
        self._path = urlsplit(self._base_url).path
        # A proxy for plain HTTP is asked for whole URLs.
        asked = self._adapter.request_url(prepared, options["proxies"])
        self._before_path = "" if asked.startswith("/") else _origin(self._base_url)

    def send(self, request: Request, headers: Mapping[str, str], seconds: float | None = None) -> Answer:
        """Send one request and read the whole answer.

        :param request: what to send
        :param headers: the headers of this request alone
        :param seconds: the most to wait for the answer to begin, if that is less than the connection allows
        :raises requests.RequestException: the answer is not to be read
        :raises urllib3.exceptions.HTTPError: nothing answered, the body broke off or does not decompress
        """
        path = self._path + request.path
        path = self._path + request.target if request.link is None else self._within_origin(path, request.link)
        redirects = REDIRECTS if request.method == "GET" else _REDIRECTS_OF_ANY_METHOD
        ends = None if seconds is None else time.monotonic() + seconds
        for _ in range(MOST_REDIRECTS):
            answer = self._send(request, path, headers, self._timeout_until(ends))
            location = answer.headers.get("Location") if answer.status in redirects else None
            if not location or not request.is_followed:
                return answer
            path = self._within_origin(path, decode_utf8(location))
        raise requests.TooManyRedirects(f"more than {MOST_REDIRECTS} redirects")

    def _timeout_until(self, ends: float | None) -> Timeout:
        """Return the timeout of a request that has to be over at a moment of the monotonic clock."""
        if ends is None:
            return self._timeout
        left = ends - time.monotonic()
        if left <= 0:
            raise requests.Timeout("the time for the answer was used up by redirects")
        return Timeout(left, connect=self._timeout.connect_timeout, read=self._timeout.read_timeout)

    def _send(self, request: Request, path: str, headers: Mapping[str, str], timeout: Timeout) -> Answer:
        body, body_headers = encode_body(request) if request.method != "GET" else (None, {})
        response = self._pool.urlopen(
            request.method,
            self._before_path + path,
            body=body,
            headers={**self._headers, **headers, **body_headers} if headers or body_headers else self._headers,
            retries=False,
            redirect=False,
            assert_same_host=False,
            timeout=timeout,
            preload_content=False,
            decode_content=False,
        )
        try:
            content = self._read(response)
        except BaseException:
            response.close()
            raise
        response.release_conn()
        return Answer(response.status, response.headers, content)

    def _read(self, response: BaseHTTPResponse) -> bytes:
        if self._file is None or response.status != HTTP_OK:
            return _read(response)
        self._file.seek(0)
        self._file.truncate()
        size = 0
        while block := response.read(BLOCK, decode_content=True):
            size += len(block)
            if size > LARGEST_FILE:
                raise BodyTooLarge(f"more than {LARGEST_FILE} bytes")
            self._file.write(block)
        return b""

    def _within_origin(self, path: str, location: str) -> str:
        """Return the path that a redirect leads to; the key goes nowhere else."""
        origin = _origin(self._base_url)
        target = urljoin(origin + path, location)
        if _origin(target) != origin:
            raise RedirectElsewhere(_origin(target))
        parts = urlsplit(target)
        return requests.utils.requote_uri((parts.path or "/") + (f"?{parts.query}" if parts.query else ""))

    def close(self) -> None:
        """Close all connections."""
        self.is_closed = True
        self._pool.close()
        self._adapter.close()


def decode_utf8(header: str) -> str:
    """Return a header that was sent in UTF-8, which Python reads as Latin-1."""
    try:
        return header.encode("latin-1").decode()
    except ValueError:
        return header


def _origin(url: str) -> str:
    """Return scheme, host and port, without what may stand before the host."""
    parts = urlsplit(url)
    port = "" if parts.port in {None, {"http": 80, "https": 443}.get(parts.scheme)} else f":{parts.port}"
    host = parts.hostname or ""
    return f"{parts.scheme}://{f'[{host}]' if ':' in host else host}{port}"


def _read(response: BaseHTTPResponse) -> bytes:
    """Read a body, but no more than a page can have."""
    length = response.headers.get("Content-Length", "")
    if length.isdecimal() and int(length) <= LARGEST_BODY and not response.headers.get("Content-Encoding"):
        return response.read()  # in one piece, which costs half
    body = response.read(LARGEST_BODY + 1, decode_content=True)
    if len(body) > LARGEST_BODY:
        raise BodyTooLarge(f"more than {LARGEST_BODY} bytes")
    return body
