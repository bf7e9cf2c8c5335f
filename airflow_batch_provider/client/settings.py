"""How to reach a vendor, as an Airflow connection says it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from airflow_batch_provider.apis.auth import Auth, Credentials
from airflow_batch_provider.apis.extra import COMMON_EXTRAS


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How to reach a vendor. The common extras of a connection are fields of the same names, with the same defaults.

    :param connection_id: the Airflow connection it comes from, named in errors
    :param base_url: scheme, host and an optional path, without a slash at the end
    :param auth: how requests are authenticated
    :param credentials: the login and the secret for that
    :param auths: how requests to single endpoints are authenticated, by the endpoint's name
    :param requests_per_minute: the most requests to send per minute, None for no limit
    :param max_concurrency: the most connections to open
    :param connect_timeout: seconds to wait for a connection
    :param read_timeout: seconds to wait for data
    :param max_attempts: how often a request is sent before it fails
    :param verify_tls: whether to check the vendor's certificate
    """

    connection_id: str
    base_url: str
    auth: Auth
    credentials: Credentials
    auths: Mapping[str, Auth] = field(default_factory=dict)
    requests_per_minute: int | None = COMMON_EXTRAS["requests_per_minute"].default
    max_concurrency: int = COMMON_EXTRAS["max_concurrency"].default
    connect_timeout: float = COMMON_EXTRAS["connect_timeout"].default
    read_timeout: float = COMMON_EXTRAS["read_timeout"].default
    max_attempts: int = COMMON_EXTRAS["max_attempts"].default
    verify_tls: bool = COMMON_EXTRAS["verify_tls"].default

    @property
    def source(self) -> str:
        """A hash of where and as whom is read, which does not reveal the key: a cursor means nothing elsewhere."""
        return hashlib.blake2b(f"{self.base_url} {self.credentials.secret}".encode(), digest_size=16).hexdigest()
