"""A vendor: what all its endpoints share."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from airflow_batch_provider.apis.auth import Auth
from airflow_batch_provider.apis.declaration import check_known, check_unique
from airflow_batch_provider.apis.extra import COMMON_EXTRAS, Extra
from airflow_batch_provider.apis.problem import (
    ErrorReader,
    Problem,
    ProblemKind,
    read_error_response,
    read_usual_error,
)


class Vendor(msgspec.Struct, frozen=True, kw_only=True):
    """What all endpoints of a vendor share.

    :param name: also the Airflow connection type
    :param title: for people
    :param base_url: the vendor's own host, without the paths of the endpoints
    :param auth: how requests are authenticated
    :param headers: headers that every request has
    :param pasted_paths: ends of a base URL that users copy from the vendor's pages, although our paths contain them
    :param key_hint: what an API key looks like or where to get one, shown in the connection form
    :param docs_url: the vendor's documentation
    :param hook: the import path of its hook, which makes the client of a connection everywhere
    :param extras: the extras of its connections, beside those of every connection
    :param region_urls: hosts by the value of the extra ``region``, if the vendor has several
    :param auths: how requests are authenticated, by the value of the extra ``auth_header``, if the key may be sent in
        several ways
    :param auths_of: the extra, by the name of the endpoint, that says how requests to that one are authenticated
    :param read_error: finds message and code in the body of an error response, if they are not in the usual places
    :param kinds_by_code: what the vendor's error codes mean, if they are more precise than the HTTP status
    """

    name: str
    title: str
    base_url: str
    auth: Auth
    headers: Mapping[str, str] = msgspec.field(default_factory=dict)
    pasted_paths: tuple[str, ...] = ()
    key_hint: str = ""
    docs_url: str = ""
    hook: str = ""
    extras: Mapping[str, Extra] = msgspec.field(default_factory=dict)
    region_urls: Mapping[str, str] = msgspec.field(default_factory=dict)
    auths: Mapping[str, Auth] = msgspec.field(default_factory=dict)
    auths_of: Mapping[str, str] = msgspec.field(default_factory=dict)
    read_error: ErrorReader = read_usual_error
    kinds_by_code: Mapping[str, ProblemKind] = msgspec.field(default_factory=dict)

    def __post_init__(self) -> None:
        check_unique(self.name, "extra", [*self.extras, *COMMON_EXTRAS])
        for extra, values in (("region", self.region_urls), ("auth_header", self.auths)):
            choices = self.extras[extra].choices if extra in self.extras else ()
            check_known(self.name, f"value of the extra {extra}", values, choices)

    @property
    def all_extras(self) -> Mapping[str, Extra]:
        """The extras of its connections, with those of every connection."""
        return {**self.extras, **COMMON_EXTRAS}

    def error_response(self, status: int, body: bytes) -> Problem:
        """Read an error response."""
        return read_error_response(status, body, self.kinds_by_code, self.read_error)
