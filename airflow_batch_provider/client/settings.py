"""How to reach a vendor, as an Airflow connection says it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How to reach a vendor.

    :param connection_id: the Airflow connection it comes from, named in errors
    :param base_url: scheme, host and an optional path, without a slash at the end
    :param api_key: the secret
    :param key_header: the request header that carries the key
    :param key_prefix: what stands before the key in it
    :param requests_per_minute: the most requests to send per minute, None for no limit
    :param max_concurrency: the most connections to open
    :param connect_timeout: seconds to wait for a connection
    :param read_timeout: seconds to wait for data
    :param max_attempts: how often a request is sent before it fails
    :param verify_tls: whether to check the vendor's certificate
    """

    connection_id: str
    base_url: str
    api_key: str = field(repr=False)
    key_header: str
    key_prefix: str = ""
    requests_per_minute: int | None = None
    max_concurrency: int = 8
    connect_timeout: float = 10.0
    read_timeout: float = 60.0
    max_attempts: int = 6
    verify_tls: bool = True

    @property
    def source(self) -> str:
        """Tells where and as whom is read, without giving the key away: a cursor means nothing elsewhere."""
        return hashlib.blake2b(f"{self.base_url} {self.api_key}".encode(), digest_size=16).hexdigest()

    @property
    def headers(self) -> dict[str, str]:
        """The header with the key."""
        return {self.key_header: self.key_prefix + self.api_key}
