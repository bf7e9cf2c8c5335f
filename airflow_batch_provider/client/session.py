"""One connection pool per client: what does not change between requests is worked out once."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urljoin, urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3 import BaseHTTPResponse, HTTPConnectionPool, Timeout

from airflow_batch_provider import __version__
from airflow_batch_provider.client.bounds import bounded
from airflow_batch_provider.client.settings import Settings

LARGEST_BODY = 64 * 1024 * 1024
"""Bytes of a body, decompressed, beyond which it is not read: no page of any vendor comes near."""

LARGEST_REST = 1024 * 1024
"""Bytes of an answer beside its body: headers, the lengths of chunks, trailers."""

LONGEST_ANSWER = 600.0
"""Seconds for an answer as a whole; the read timeout begins anew with each byte."""

MOST_REDIRECTS = 10


class RedirectElsewhere(requests.RequestException):
    """A redirect would take the request, and the API key with it, to another origin."""


class BodyTooLarge(requests.RequestException):
    """A body is larger than any page can be."""


class Session:
    """Sends GET requests below one base URL.

    ``requests`` prepares them, with what the environment says of proxies and certificates, and opens the pool of
    connections; all of this once. Each request then goes to that pool as it is: to look into the environment and to
    prepare anew for each would be most of the cost of a page.

    :param settings: where to send them, and with which key
    """

    def __init__(self, settings: Settings) -> None:
        with requests.Session() as session:
            options = session.merge_environment_settings(settings.base_url, {}, True, settings.verify_tls, None)
            session.trust_env = False  # otherwise ~/.netrc could replace the Authorization header
            prepared = session.prepare_request(
                requests.Request(
                    "GET",
                    settings.base_url,
                    headers={
                        "Accept": "application/json",
                        "User-Agent": f"airflow-batch-provider/{__version__}",
                        **settings.headers,
                    },
                )
            )
        self._adapter = HTTPAdapter(pool_maxsize=settings.max_concurrency, pool_block=True)
        pool: HTTPConnectionPool = self._adapter.get_connection_with_tls_context(  # type: ignore[assignment]
            prepared, options["verify"], options["proxies"], options["cert"]
        )
        pool.ConnectionCls = bounded(
            pool.ConnectionCls,  # type: ignore[arg-type]
            seconds=max(LONGEST_ANSWER, settings.read_timeout),
            most=LARGEST_BODY + LARGEST_REST,
        )
        self._pool = pool
        self._headers = dict(prepared.headers)
        self._timeout = Timeout(connect=settings.connect_timeout, read=settings.read_timeout)
        self._base_url = str(prepared.url).rstrip("/")
        self._path = urlsplit(self._base_url).path
        # A proxy for plain HTTP is asked for whole URLs.
        asked = self._adapter.request_url(prepared, options["proxies"])
        self._before_path = "" if asked.startswith("/") else _origin(self._base_url)

    def get(self, target: str) -> tuple[int, Mapping[str, str], bytes]:
        """Send one request and read the whole answer.

        :param target: path and query, encoded
        :return: status, headers, body
        :raises requests.RequestException: the answer is not to be read
        :raises urllib3.exceptions.HTTPError: nothing answered, the body broke off or does not decompress
        """
        path = self._path + target
        for _ in range(MOST_REDIRECTS):
            status, headers, body = self._send(path)
            location = headers.get("Location") if status in {301, 302, 303, 307, 308} else None
            if not location:
                return status, headers, body
            path = self._within_origin(path, location)
        raise requests.TooManyRedirects(f"more than {MOST_REDIRECTS} redirects")

    def _send(self, path: str) -> tuple[int, Mapping[str, str], bytes]:
        response = self._pool.urlopen(
            "GET",
            self._before_path + path,
            headers=self._headers,
            retries=False,
            redirect=False,
            assert_same_host=False,
            timeout=self._timeout,
            preload_content=False,
            decode_content=False,
        )
        try:
            body = _read(response)
        except BaseException:
            response.close()
            raise
        response.release_conn()
        return response.status, response.headers, body

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
        self._pool.close()
        self._adapter.close()


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
