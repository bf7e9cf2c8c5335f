"""The endpoints of a vendor: what they take, and how their answers read."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar
from urllib.parse import quote

import msgspec

from airflow_batch_provider.apis.body import PageBody, Row, Rows, read_rows
from airflow_batch_provider.apis.columns import Column
from airflow_batch_provider.apis.paging import Paging
from airflow_batch_provider.apis.parameter import Parameter
from airflow_batch_provider.apis.problem import (
    LARGEST_REFUSAL,
    ErrorReader,
    Problem,
    ProblemKind,
    not_json,
    read_error_response,
    read_usual_error,
)
from airflow_batch_provider.apis.request import Request
from airflow_batch_provider.connections import Extra

T = TypeVar("T")


class Vendor(msgspec.Struct, frozen=True, kw_only=True):
    """What is the same for all endpoints of a vendor.

    :param name: also the Airflow connection type
    :param title: for people
    :param base_url: the vendor's own host, without the paths of the endpoints
    :param key_header: the request header that carries the API key
    :param key_prefix: what stands before the key in it
    :param pasted_paths: ends of a base URL that users copy from the vendor's pages though our paths hold them already
    :param extras: the extras of its connections, beside those of every connection
    :param region_urls: hosts by the value of the extra ``region``, where the vendor has several
    :param key_headers: header and prefix of the key by the value of the extra ``auth_header``, where it may be sent in
        several ways
    :param read_error: finds message and code in the body of a failure, where they are not in the usual places
    :param kinds_by_code: what the vendor's error codes mean, where they tell more than the HTTP status
    """

    name: str
    title: str
    base_url: str
    key_header: str
    key_prefix: str = ""
    pasted_paths: tuple[str, ...] = ()
    extras: Mapping[str, Extra] = msgspec.field(default_factory=dict)
    region_urls: Mapping[str, str] = msgspec.field(default_factory=dict)
    key_headers: Mapping[str, tuple[str, str]] = msgspec.field(default_factory=dict)
    read_error: ErrorReader = read_usual_error
    kinds_by_code: Mapping[str, ProblemKind] = msgspec.field(default_factory=dict)

    def refusal(self, status: int, body: bytes) -> Problem:
        """Read an answer that is known to be a failure."""
        return read_error_response(status, body, self.kinds_by_code, self.read_error)


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """A GET endpoint.

    :param vendor: whose it is
    :param name: its name in manifests and logs, ``vendor.things``
    :param path: its path with ``{parameter}`` in it
    :param parameters: what it takes
    """

    vendor: Vendor
    name: str
    path: str
    parameters: tuple[Parameter, ...]

    def given(self, values: Mapping[str, Any]) -> dict[str, str]:
        """Return the values that were given, under our names, as they go on the wire."""
        return {
            parameter.name: str(parameter.domain.encode(values[parameter.name]))
            for parameter in self.parameters
            if values.get(parameter.name) is not None
        }

    def request(self, values: Mapping[str, Any]) -> Request:
        """Return the request for values that were checked already.

        :param values: by our names; None counts as not given
        """
        encoded: dict[str, str] = {}
        query: dict[str, str] = {}
        for parameter in self.parameters:
            value = values.get(parameter.name)
            text = parameter.domain.encode(parameter.default if value is None else value)
            if text is None:
                continue
            if parameter.wire is None:
                encoded[parameter.name] = quote(text, safe="")
            else:
                query[parameter.wire] = text
        return Request(self.path.format_map(encoded), query)


class Page(msgspec.Struct, frozen=True):
    """A page of a listing.

    :param rows: its rows, in the vendor's order
    :param next_token: the cursor of the next page
    :param total: the number of rows that the vendor reports for the whole listing
    :param page_size: the page size that the vendor used
    """

    rows: Rows
    next_token: str | int | None = None
    total: int | None = None
    page_size: int | None = None


class Listing(Endpoint, frozen=True, kw_only=True):
    """An endpoint that lists objects in pages.

    :param bodies: the shapes that a page may have, the documented one first
    :param paging: how to get from page to page
    :param total_is_exact: whether fewer rows than the reported total mean that rows are missing
    :param created_field: the field that says when an object was created, where there is one
    :param columns: the documented fields of a row, in documented order
    """

    bodies: tuple[type[PageBody[Any]], ...]
    paging: Paging
    total_is_exact: bool = False
    created_field: str | None = None
    columns: tuple[Column, ...] = ()

    def page(self, body: bytes) -> Page | Problem:
        """Read a page.

        :param body: the whole body of an answer with status 200
        """
        page = read_rows(self.bodies, body)
        if isinstance(page, Problem):
            return self._refusal_in(body) or page
        facts, rows = page
        if not facts.success:
            return self.vendor.refusal(200, body)
        return Page(rows, facts.next_token, facts.total, facts.page_size)

    def existed(self, row: Row, moment: datetime) -> bool:
        """Tell whether an object was there at a moment, as far as its time of creation says; if in doubt, it was."""
        try:
            created = datetime.fromisoformat(json.loads(row.json)[self.created_field])
        except (LookupError, TypeError, ValueError):
            return True
        return (created if created.tzinfo else created.replace(tzinfo=UTC)) < moment

    def _refusal_in(self, body: bytes) -> Problem | None:
        document = read_object(body) if len(body) <= LARGEST_REFUSAL else None
        is_refusal = isinstance(document, dict) and document.get("success") is False
        return self.vendor.refusal(200, body) if is_refusal else None


class Resource(Endpoint, Generic[T], frozen=True, kw_only=True):
    """An endpoint that answers with one object.

    :param unwrap: takes the object out of the body; it raises LookupError or TypeError where it is not there
    """

    unwrap: Callable[[dict[str, Any]], T]

    def read(self, body: bytes) -> T | Problem:
        """Read the body of an answer with status 200."""
        document = read_object(body)
        if isinstance(document, Problem):
            return document
        if document.get("success") is False:
            return self.vendor.refusal(200, body)
        try:
            return self.unwrap(document)
        except (LookupError, TypeError) as error:
            return Problem(ProblemKind.WRONG_SHAPE, f"the body is not as documented: {error!r}")


def read_object(body: bytes) -> dict[str, Any] | Problem:
    """Read a body that must be a JSON object."""
    try:
        document = json.loads(body.decode())
    except (ValueError, RecursionError):
        return not_json(body)
    if not isinstance(document, dict):
        return Problem(ProblemKind.WRONG_SHAPE, f"the body is a JSON {type(document).__name__}, not an object")
    return document
