"""Where the URLs of files may lead: what a vendor names must not make a worker ask its own network.

A URL is a secret, since it is signed. So it is taken apart where it comes in, shows only its origin from then on, and
nothing that is raised here has seen it: the errors of the libraries quote it.
"""

from __future__ import annotations

import re
from urllib.parse import quote, urljoin, urlsplit

import msgspec
import requests
from urllib3.exceptions import HTTPError

from airflow_batch_provider.apis.vendor import Vendor
from airflow_batch_provider.client.addresses import (
    IPAddress,
    is_link_local,
    is_local_name,
    is_public,
    parse_address,
    resolve,
)
from airflow_batch_provider.client.download_errors import UnusableFileError

LONGEST_URL = 16_384
"""Characters of a URL; a signature with a session token takes some 2,000."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_LEGAL = "!#$%&'()*+,/:;=?@[]~"
_PORTS = {"https": 443, "http": 80}


class SignedUrl(msgspec.Struct, frozen=True):
    """A URL, taken apart.

    :param scheme: ``https`` or ``http``
    :param host: in lower case, an IPv6 address in brackets
    :param port: also if the URL names none
    :param target: path and query, as they are sent
    """

    scheme: str
    host: str
    port: int
    target: str

    @property
    def origin(self) -> str:
        """Scheme, host and port."""
        port = "" if self.port == _PORTS[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{self.host}{port}"

    def __repr__(self) -> str:
        return f"SignedUrl({self.origin!r})"


def parse_url(url: str, base: SignedUrl | None = None) -> SignedUrl | UnusableFileError:
    """Take a URL apart, or return what is wrong with it; to raise it is for the caller, who can forget the URL first.

    :param url: as the vendor names it
    :param base: where it was found, if it may be relative
    """
    parsed = _parse(url, base)
    return UnusableFileError(parsed) if isinstance(parsed, str) else parsed


def _parse(url: object, base: SignedUrl | None) -> SignedUrl | str:
    """Return a URL taken apart, or what is wrong with it."""
    if not isinstance(url, str) or not url.strip():
        return "its URL is no URL"
    if len(url) > LONGEST_URL:
        return f"its URL is longer than {LONGEST_URL} characters"
    if _CONTROL.search(url):
        return "its URL contains control characters"
    try:
        parts = urlsplit(urljoin(base.origin + base.target, url) if base else url)
        if parts.scheme not in _PORTS:
            return "its URL is neither https nor http"
        if "@" in parts.netloc:
            return "its URL contains a login"
        # As requests reads it, because that is the host which is asked.
        origin = urlsplit(requests.Request("GET", f"{parts.scheme}://{parts.netloc}/").prepare().url or "")
        host, port = origin.hostname or "", parts.port
        host.encode("idna")
        path = quote(parts.path or "/", safe=_LEGAL)
        query = quote(parts.query, safe=_LEGAL)
    except (ValueError, HTTPError):  # those of requests about URLs are ValueErrors
        return "its URL is no URL"
    is_quoted = "%" in host and ":" not in host  # what older requests make of a blank; an IPv6 zone has it rightly
    if not host or is_quoted or port == 0 or origin.path != "/" or origin.query:
        return "its URL is no URL"
    target = f"{path}?{query}" if query else path
    bracketed = f"[{host}]" if ":" in host else host
    return SignedUrl(parts.scheme, bracketed, port or _PORTS[parts.scheme], target)


class UrlRules:
    """Where files of one connection may come from: the public Internet by https, or where its API itself is.

    :param vendor: its own hosts are public, whatever a name server says
    :param base_url: the API of the connection
    :param is_proxied: whether that is reached through a proxy, so that its address is not known here
    """

    def __init__(self, vendor: Vendor, base_url: str, *, is_proxied: bool) -> None:
        api = _parse(base_url, None)
        self._api = api if isinstance(api, SignedUrl) else None
        self._may_be_local = self._api is not None and self._api.host not in _hosts(vendor)
        self._is_proxied = is_proxied
        self._found: list[IPAddress] | None = None

    def check_url(self, url: SignedUrl) -> None:
        """Check what can be said without a connection.

        :raises UnusableFileError: it may not be asked
        :raises OSError: it depends on the API's address, which cannot be resolved now
        """
        is_own_origin = self._api is not None and url.origin == self._api.origin
        if url.scheme != "https" and not is_own_origin and not self._local_addresses():
            raise UnusableFileError("its URL is not https")
        address = parse_address(url.host)
        if address is not None:
            self.check_address(address)
        elif is_local_name(url.host) and not self._local_addresses():
            raise UnusableFileError("its URL leads to an address that is not public")

    def check_address(self, address: IPAddress) -> None:
        """Check an address that a URL leads to.

        :raises UnusableFileError: it may not be asked
        :raises OSError: it depends on the API's address, which cannot be resolved now
        """
        if is_public(address):
            return
        api = self._local_addresses()
        if not api or (is_link_local(address) and not any(map(is_link_local, api))):
            raise UnusableFileError("its URL leads to an address that is not public")

    def _local_addresses(self) -> list[IPAddress]:
        """Return the addresses of the API if none of them is public, else nothing."""
        if self._found is None:
            self._found = self._resolve_api()
        return self._found

    def _resolve_api(self) -> list[IPAddress]:
        if self._api is None or not self._may_be_local:
            return []
        literal = parse_address(self._api.host)
        if literal is None and self._is_proxied:
            return []
        addresses = [literal] if literal is not None else resolve(self._api.host, self._api.port)
        return [] if any(map(is_public, addresses)) else addresses


def _hosts(vendor: Vendor) -> set[str]:
    return {urlsplit(url).hostname or "" for url in (vendor.base_url, *vendor.region_urls.values())}
