"""One requests session per client: what does not change between requests is worked out once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter

from airflow_batch_provider import __version__
from airflow_batch_provider.client.settings import Settings

LARGEST_BODY = 256 * 1024 * 1024
"""Bytes of a body, decompressed, beyond which it is not read: no page of any vendor comes near."""


class RedirectElsewhere(requests.RequestException):
    """A redirect would take the request, and the API key with it, to another origin."""


class BodyTooLarge(requests.RequestException):
    """A body is larger than any page can be."""


class _SameOriginSession(requests.Session):
    """Requests drops only ``Authorization`` on the way to another host; ``x-api-key`` would go along."""

    def rebuild_auth(self, prepared_request: requests.PreparedRequest, response: requests.Response) -> None:
        if self.should_strip_auth(response.request.url, prepared_request.url):  # type: ignore[no-untyped-call]
            target = urlsplit(str(prepared_request.url))
            raise RedirectElsewhere(f"{target.scheme}://{target.netloc.rpartition('@')[2]}")
        super().rebuild_auth(prepared_request, response)  # type: ignore[no-untyped-call]


class Session:
    """Sends GET requests below one base URL.

    The environment (proxies, certificates) is read once; each request reuses one prepared request, with its URL set
    as it is: ``requests`` would look into the environment and requote the URL for each, at most of a page's cost.

    :param settings: where to send them, and with which key
    """

    def __init__(self, settings: Settings) -> None:
        self._session = _SameOriginSession()
        adapter = HTTPAdapter(pool_maxsize=settings.max_concurrency, pool_block=True)
        self._session.mount("https://", adapter)
        self._session.mount("http://", adapter)
        self._options: Mapping[str, Any] = {
            **self._session.merge_environment_settings(settings.base_url, {}, True, settings.verify_tls, None),
            "timeout": (settings.connect_timeout, settings.read_timeout),
        }
        # Otherwise ~/.netrc could replace the Authorization header.
        self._session.trust_env = False
        self._prepared = self._session.prepare_request(
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
        self._base_url = str(self._prepared.url).rstrip("/")

    def get(self, target: str) -> tuple[int, Mapping[str, str], bytes]:
        """Send one request and read the whole answer.

        :param target: path and query, encoded
        :return: status, headers, body
        :raises requests.RequestException: nothing answered, or the answer is not to be read
        :raises urllib3.exceptions.HTTPError: the body broke off or does not decompress
        """
        prepared = self._prepared.copy()
        prepared.url = self._base_url + target
        response = self._session.send(prepared, **self._options)
        try:
            body: bytes = response.raw.read(LARGEST_BODY + 1, decode_content=True)
        except BaseException:
            response.raw.close()
            raise
        if len(body) > LARGEST_BODY:
            response.raw.close()
            raise BodyTooLarge(f"more than {LARGEST_BODY} bytes")
        response.raw.release_conn()
        return response.status_code, response.headers, body

    def close(self) -> None:
        """Close all connections."""
        self._session.close()
