"""The connections over which files are fetched: they know no key, and look whom they are connected to."""

from __future__ import annotations

import ipaddress
import os
import socket
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3 import BaseHTTPResponse, HTTPConnectionPool, Timeout
from urllib3.connection import HTTPConnection

from airflow_batch_provider import __version__
from airflow_batch_provider.apis.vendor import Vendor
from airflow_batch_provider.client.addresses import IPAddress, resolve
from airflow_batch_provider.client.bounds import streamed
from airflow_batch_provider.client.session import LARGEST_REST, NoCertificates
from airflow_batch_provider.client.settings import Settings
from airflow_batch_provider.client.signed_urls import SignedUrl, UrlRules

PIECE = 1 << 18
"""Bytes that are read at a time."""

SLOWEST = 1024
"""Bytes that a server has to send each second, on average over :data:`PATIENCE`."""

PATIENCE = 60.0
"""Seconds for which it may send less."""

MOST_BESIDE = LARGEST_REST + PIECE
"""Bytes before a body, between two pieces of it, and after it."""

_TARGET = "X-Target-Of-This-Request"
"""A header that is never sent: urllib3 logs the path that a pool is asked for, so the connection alone learns it."""

_HEADERS = {"Accept": "*/*", "Accept-Encoding": "identity", "User-Agent": f"airflow-batch-provider/{__version__}"}


class _FileConnection(HTTPConnection):
    check_address: Callable[[IPAddress], None] | None = None
    debuglevel = 0  # http.client would print the request

    def request(self, method: str, url: str, body: Any = None, headers: Any = None, **options: Any) -> None:
        sent = dict(headers or {})
        super().request(method, sent.pop(_TARGET, url), body, sent, **options)

    def _new_conn(self) -> socket.socket:
        if self.check_address is None:
            return super()._new_conn()
        with suppress(OSError, UnicodeError):  # what cannot be resolved has its error below
            addresses = resolve(self.host, self.port)
            for address in addresses:
                self.check_address(address)
        connected = super()._new_conn()
        try:
            # The name may have another address by now, so this alone is what counts.
            self.check_address(ipaddress.ip_address(connected.getpeername()[0]))
        except BaseException:
            connected.close()
            raise
        return connected


class FileTransport:
    """Opens the URLs of files; threads may share it.

    :param vendor: whose files they are
    :param settings: how to reach the API that names them
    """

    def __init__(self, vendor: Vendor, settings: Settings) -> None:
        self._settings = settings
        self._adapter = HTTPAdapter(pool_maxsize=settings.max_concurrency)
        self._lock = threading.Lock()
        self._timeout = Timeout(connect=settings.connect_timeout, read=settings.read_timeout)
        proxies = self._environment_of(settings.base_url)["proxies"]
        is_proxied = requests.utils.select_proxy(settings.base_url, proxies) is not None
        self._rules = UrlRules(vendor, settings.base_url, is_proxied=is_proxied)
        self.is_closed = False

    def open(self, url: SignedUrl, headers: Mapping[str, str]) -> BaseHTTPResponse:
        """Ask for a file, and return the answer with its body still to be read; redirects are not followed.

        :param url: where it is
        :param headers: headers beside those of every request
        :raises UnusableFileError: it may not be asked
        :raises requests.RequestException: it cannot be asked
        :raises urllib3.exceptions.HTTPError: nothing answered
        :raises OSError: whether it may be asked depends on a name that cannot be resolved now
        """
        self._rules.check_url(url)
        pool, is_forwarded = self._pool(url)
        before = url.origin if is_forwarded else ""
        return pool.urlopen(
            "GET",
            before + "/",
            headers={**_HEADERS, **headers, _TARGET: before + url.target},
            retries=False,
            redirect=False,
            assert_same_host=False,
            timeout=self._timeout,
            preload_content=False,
            decode_content=False,
        )

    def _pool(self, url: SignedUrl) -> tuple[HTTPConnectionPool, bool]:
        """Return the pool of an origin, and whether a proxy is asked for whole URLs there."""
        options = self._environment_of(url.origin)
        is_direct = requests.utils.select_proxy(url.origin, options["proxies"]) is None
        if isinstance(options["verify"], str) and not os.path.exists(options["verify"]):
            raise NoCertificates(options["verify"])
        prepared = requests.Request("GET", url.origin + "/").prepare()
        with self._lock:
            pool: HTTPConnectionPool = self._adapter.get_connection_with_tls_context(  # type: ignore[assignment]
                prepared, options["verify"], options["proxies"], options["cert"]
            )
            if not issubclass(pool.ConnectionCls, _FileConnection):
                pool.ConnectionCls = self._connection_class(
                    pool.ConnectionCls,  # type: ignore[arg-type]
                    is_direct=is_direct,
                )
        return pool, not self._adapter.request_url(prepared, options["proxies"]).startswith("/")

    def _connection_class(self, connection: type[HTTPConnection], *, is_direct: bool) -> type[HTTPConnection]:
        check = {"check_address": staticmethod(self._rules.check_address)} if is_direct else {}
        guarded = type(f"File{connection.__name__}", (_FileConnection, connection), check)
        seconds = max(PATIENCE, self._settings.read_timeout)
        return streamed(guarded, seconds=seconds, slowest=SLOWEST, most=MOST_BESIDE)

    def _environment_of(self, url: str) -> Any:
        """Return proxies and certificates for a URL; logins of ``~/.netrc`` are not among it."""
        with requests.Session() as session:
            return session.merge_environment_settings(url, {}, True, self._settings.verify_tls, None)

    def close(self) -> None:
        """Close all connections."""
        self.is_closed = True
        self._adapter.close()
