"""The endpoints of a vendor: what they take, and how their answers read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from string import Formatter
from typing import Any
from urllib.parse import quote

import msgspec

from airflow_batch_provider.apis.body import Body, read_page
from airflow_batch_provider.apis.columns import Column
from airflow_batch_provider.apis.declaration import DeclarationError, check_known, check_path, check_unique
from airflow_batch_provider.apis.moment import Clock, read_moment
from airflow_batch_provider.apis.page import Page, Row
from airflow_batch_provider.apis.paging import Paging, WholePaging, reads_token
from airflow_batch_provider.apis.parameter import Parameter, given
from airflow_batch_provider.apis.problem import LARGEST_ERROR_BODY, Problem, ProblemKind, not_json
from airflow_batch_provider.apis.raw_json import in_one_line, is_json, raw_at, read_json
from airflow_batch_provider.apis.request import Answer, Part, Request, next_link
from airflow_batch_provider.apis.vendor import Vendor


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """An endpoint of a vendor.

    :param vendor: whose endpoint it is
    :param name: its name in manifests and logs, ``vendor.things``
    :param path: its path with ``{parameter}`` in it
    :param parameters: its parameters
    :param method: its HTTP method
    :param is_repeatable: whether a request may be sent again after a failure that leaves open whether it took effect
    :param is_personal: whether a request contains personal data, so that the vendor's words on a failure, which may
        repeat them, are not shown
    :param sends_json: whether a request has a JSON body even if there is nothing to say
    """

    vendor: Vendor
    name: str
    path: str
    parameters: tuple[Parameter, ...] = ()
    method: str = "GET"
    is_repeatable: bool = True
    is_personal: bool = False
    sends_json: bool = False

    def __post_init__(self) -> None:
        check_unique(self.name, "parameter", [parameter.name for parameter in self.parameters])
        check_unique(self.name, "query key", [parameter.wire for parameter in self.parameters if parameter.wire])
        in_path = [name for _, name, _, _ in Formatter().parse(self.path) if name is not None]
        own = [parameter.name for parameter in self.parameters if parameter.wire is None]
        check_known(self.name, "parameter of the path", in_path, own)
        check_known(self.name, "place in the path for parameter", own, in_path)
        if not self.path.startswith("/") or not self.name.startswith(f"{self.vendor.name}."):
            raise DeclarationError(
                f"{self.name}: a path starts with '/', and a name with the vendor's: '{self.vendor.name}.things'"
            )

    def given(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return the values that were given, under our names, as they are sent: texts, or lists of texts."""
        return given(self.parameters, values)

    def own(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return those of some values that are of its parameters."""
        names = {parameter.name for parameter in self.parameters}
        return {name: value for name, value in values.items() if name in names}

    @property
    def address(self) -> str:
        """Method and path with its parameters' names: for errors."""
        return f"{self.method} {self.path}"

    def request(self, values: Mapping[str, Any], *, json: Any = None, parts: tuple[Part, ...] = ()) -> Request:
        """Return the request for values that were checked already.

        :param values: by our names; None counts as not given
        :param json: the value of a JSON body; an object gets the parameters that are sent in the body too
        :param parts: the parts of a multipart body
        """
        in_path: dict[str, str] = {}
        query: dict[str, str | tuple[str, ...]] = {}
        body: dict[str, Any] = {}
        for parameter in self.parameters:
            value = values.get(parameter.name)
            encoded = parameter.encode(parameter.default if value is None else value)
            if encoded is None:
                continue
            if parameter.in_body:
                _put(body, parameter, encoded)
            elif parameter.wire is not None:
                query[parameter.wire] = encoded
            elif isinstance(encoded, str):
                in_path[parameter.name] = quote(encoded, safe="/" if parameter.keeps_slashes else "")
        path = self.path.format_map(in_path)
        return Request(
            path,
            query,
            self.method,
            json={**body, **(json or {})} if body or (self.sends_json and json is None) else json,
            parts=parts,
            is_repeatable=self.is_repeatable,
            is_personal=self.is_personal,
        )


def _put(body: dict[str, Any], parameter: Parameter, encoded: Any) -> None:
    *outer, last = str(parameter.wire).split(".")
    for key in outer:
        body = body.setdefault(key, {})
    body[last] = read_json(encoded) if parameter.is_json else encoded


class Listing(Endpoint, frozen=True, kw_only=True):
    """An endpoint that lists objects in pages.

    :param bodies: the shapes that a page may have, the documented one first
    :param paging: how to get from page to page
    :param total_is_exact: whether fewer rows than the reported total mean that rows are missing
    :param created_field: the field that says when an object was created, if there is one
    :param created_clock: how that field is written
    :param columns: the documented fields of a row, in documented order
    """

    bodies: tuple[Body, ...]
    paging: Paging
    total_is_exact: bool = False
    created_field: str | None = None
    created_clock: Clock = Clock.ISO
    columns: tuple[Column, ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.bodies:
            raise DeclarationError(f"{self.name}: bodies is empty; declare where the rows lie")
        if reads_token(self.paging) and not any(body.next_token for body in self.bodies):
            raise DeclarationError(
                f"{self.name}: set next_token in bodies to where a page has the cursor of the next one"
            )
        wires = {parameter.wire: parameter for parameter in self.parameters}
        check_known(self.name, "query key of the paging", self.paging.needs, [wire for wire in wires if wire])
        for wire in self.paging.needs:
            if wires[wire].default is None:
                raise DeclarationError(
                    f"{self.name}: {wires[wire].name} needs a default, because the paging counts by it"
                )
        columns = [column.name for column in self.columns]
        check_unique(self.name, "column", columns)
        if self.created_field and columns:
            check_known(self.name, "column", [self.created_field], columns)

    @property
    def is_stream(self) -> bool:
        """Whether one body of JSON lines has all rows: it may be larger than any page, and is read line by line."""
        return isinstance(self.paging, WholePaging) and all(body.is_lines for body in self.bodies)

    def page(self, answer: Answer) -> Page | Problem:
        """Read a page.

        :param answer: a successful answer
        """
        page = read_page(self.bodies, answer.body)
        if isinstance(page, Problem):
            return self._error_in(answer.body) or page
        if self.paging.follows_links and page.next_link is None:
            page = msgspec.structs.replace(page, next_link=next_link(answer.headers))
        if page.more is False:
            return msgspec.structs.replace(page, next_token=None, next_link=None)
        if page.more and not self.paging.continues(page):
            return Problem(ProblemKind.WRONG_SHAPE, "it says that there are more rows, but not how to get to them")
        return page

    def existed(self, row: Row, moment: datetime) -> bool:
        """Return whether an object existed at a moment, by its time of creation; in doubt, it did."""
        try:
            created = self.created(json.loads(row.json))
        except ValueError:
            return True
        return created is None or created < moment

    def created(self, document: Any) -> datetime | None:
        """Return when an object was created, None if it does not say."""
        try:
            return read_moment(document[self.created_field], self.created_clock)
        except (LookupError, TypeError, ValueError):
            return None

    def _error_in(self, body: bytes) -> Problem | None:
        document = read_object(body) if len(body) <= LARGEST_ERROR_BODY else None
        is_error = isinstance(document, dict) and document.get("success") is False
        return self.vendor.error_response(200, body) if is_error else None


class Resource(Endpoint, frozen=True, kw_only=True):
    """An endpoint that answers with one object.

    :param at: dotted paths of the object in the body, the documented one first; ``""`` is the body itself
    :param id: the dotted path of the object's id in it, which must be there; None if it has none
    :param may_be_empty: whether the answer may have no body
    """

    at: tuple[str, ...] = ("",)
    id: str | None = "id"
    may_be_empty: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        for path in (*filter(None, self.at), *filter(None, [self.id])):
            check_path(self.name, path)

    def read(self, answer: Answer) -> dict[str, Any] | Problem:
        """Read a successful answer."""
        found = self._find(answer)
        return found if isinstance(found, Problem) else found[0]

    def find(self, answer: Answer) -> Found | Problem:
        """Read a successful answer, and keep the object as it was written."""
        found = self._find(answer)
        if isinstance(found, Problem):
            return found
        if not answer.body.strip():
            return Found(found[0], b"{}")
        raw = raw_at(answer.body, found[1]) if is_json(answer.body) else None
        return not_json(answer.body) if raw is None else Found(found[0], in_one_line(raw))

    def _find(self, answer: Answer) -> tuple[dict[str, Any], str] | Problem:
        document = {} if self.may_be_empty and not answer.body.strip() else read_object(answer.body)
        if isinstance(document, Problem):
            return document
        if document.get("success") is False:
            return self.vendor.error_response(answer.status, answer.body)
        for path in self.at:
            found = look_up(document, path)
            if isinstance(found, dict) and (self.id is None or look_up(found, self.id) is not None):
                return found, path
        where = " or ".join(f"in {path!r}" if path else "at the top" for path in self.at)
        what = f"an object with {self.id!r}" if self.id else "an object"
        return Problem(ProblemKind.WRONG_SHAPE, f"the body is not as documented: {what} is expected {where}")


class Found(msgspec.Struct, frozen=True):
    """An object that a vendor answered with.

    :param document: its values, for Python
    :param json: the same as one line of JSON, exactly as the vendor sent it
    """

    document: dict[str, Any]
    json: bytes


def look_up(document: Any, path: str) -> Any:
    """Return the value at a dotted path, None if there is none; ``""`` is the document itself.

    A number in the path is a place in a list, such as ``errors.0.message``.
    """
    for key in path.split(".") if path else ():
        if isinstance(document, list) and key.isdecimal():
            document = document[int(key)] if int(key) < len(document) else None
        elif isinstance(document, Mapping):
            document = document.get(key)
        else:
            return None
    return document


def read_object(body: bytes) -> dict[str, Any] | Problem:
    """Read a body that must be a JSON object."""
    try:
        document = read_json(body.decode())
    except (ValueError, RecursionError):
        return not_json(body)
    if not isinstance(document, dict):
        return Problem(ProblemKind.WRONG_SHAPE, f"the body is a JSON {type(document).__name__}, not an object")
    return document
