"""The steps that a vendor's plan consists of: what to ask for, what is answered, and how steps are combined.

A plan is a generator that yields steps, and is sent what came of each. It sends no request itself.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Any, TypeVar

import msgspec

from airflow_batch_provider.apis.endpoint import Found, Listing, Resource, look_up, read_object
from airflow_batch_provider.apis.moment import Clock, read_moment
from airflow_batch_provider.apis.page import Row
from airflow_batch_provider.apis.problem import Problem
from airflow_batch_provider.apis.request import Answer
from airflow_batch_provider.apis.vendor import Vendor

HTTP_OK = 200

T = TypeVar("T")


class FileKind(msgspec.Struct, frozen=True, kw_only=True):
    """A kind of file that a vendor's results have.

    :param name: what users and rows call it
    :param content_type: its media type; None if each file says its own
    :param extension: how the file's name ends; empty to take what belongs to the media type
    :param starts: what its bytes may begin with; anything, if there is none
    :param is_json: whether it must be a JSON value
    """

    name: str
    content_type: str | None = None
    extension: str = ""
    starts: tuple[bytes, ...] = ()
    is_json: bool = False


class Ask(msgspec.Struct, frozen=True):
    """Ask for one object. Parameters of the task that the endpoint has too are sent as well.

    :param resource: what to ask for
    :param values: the values that this request needs beside those of the task
    :param json: the value of a JSON body
    :param form: the fields of a form instead
    :param is_needed: whether nothing can be read without it, so that the task fails if the vendor refuses it
    """

    resource: Resource
    values: Mapping[str, Any] = {}
    json: Any = None
    form: Mapping[str, str] = {}
    is_needed: bool = False


class AskAll(msgspec.Struct, frozen=True):
    """Ask for all rows of a listing; those that are kept must be few.

    :param listing: what to list
    :param values: as of :class:`Ask`
    :param is_needed: as of :class:`Ask`
    :param pick: returns what to keep of a row, None for nothing; by default each row is kept
    """

    listing: Listing
    values: Mapping[str, Any] = {}
    is_needed: bool = False
    pick: Callable[[Row], Any] | None = None


class Gather(msgspec.Struct, frozen=True):
    """Begin to ask for all rows of a listing, beside the steps that follow."""

    listing: Listing
    values: Mapping[str, Any] = {}


class Find(msgspec.Struct, frozen=True):
    """Take a row of what is gathered, as soon as it has come.

    :param gathered: what :class:`Gather` was answered with
    :param id: the row's id
    """

    gathered: Any
    id: str


class Locate(msgspec.Struct, frozen=True):
    """Ask for a file that the endpoint redirects to, without going there."""

    resource: Resource
    values: Mapping[str, Any] = {}


class Keep(msgspec.Struct, frozen=True):
    """Store content that came within an answer as a file."""

    kind: FileKind
    name: str
    content: bytes


class Fetch(msgspec.Struct, frozen=True):
    """Fetch a file, without the API key, and store it.

    :param kind: its kind
    :param name: its name, as data
    :param url: where it is
    :param size: its bytes, if the vendor says
    :param content_type: its media type, if the vendor says
    :param is_read: whether the plan needs its content too
    """

    kind: FileKind
    name: str
    url: str
    size: int | None = None
    content_type: str | None = None
    is_read: bool = False


class Pause(msgspec.Struct, frozen=True):
    """Wait, unless a moment has passed.

    :param seconds: for how long
    :param until: the moment
    """

    seconds: float
    until: datetime


Step = Any
"""One of the above, or one of :mod:`~airflow_batch_provider.apis.submissions`."""


class Refused(msgspec.Struct, frozen=True):
    """What was asked for could not be had, which concerns this item only.

    :param reason: why, for people; harmless
    :param is_missing: whether it is not there, rather than refused
    :param is_too_large: whether the answer has more bytes than are read
    :param cause: what to raise if nothing can be done without it
    """

    reason: str
    is_missing: bool = False
    is_too_large: bool = False
    cause: Any = None


class Expired(msgspec.Struct, frozen=True):
    """A signed URL is not taken any more."""


class Location(msgspec.Struct, frozen=True):
    """Where a file is, or the file itself.

    :param url: where it can be fetched without the API key
    :param content: its bytes, if the answer had them already
    """

    url: str = ""
    content: bytes | None = None


class SavedFile(msgspec.Struct, frozen=True):
    """A file that was stored.

    :param kind: its kind
    :param name: its name as the vendor gives it
    :param path: where it will be, below the destination
    :param bytes: its size
    :param sha256: the digest of its bytes
    :param content_type: its media type
    :param content: the bytes, if the plan needs them
    """

    kind: str
    name: str
    path: str
    bytes: int
    sha256: str
    content_type: str
    content: Any = None


Plan = Generator[Step, Any, T]


def ask(
    resource: Resource, *, json: Any = None, form: Mapping[str, str] | None = None, **values: Any
) -> Plan[Found | Refused]:
    """Ask for one object."""
    answer: Found | Refused = yield Ask(resource, values, json, form or {})
    return answer


def ask_all(listing: Listing, **values: Any) -> Plan[list[Row] | Refused]:
    """Ask for all rows of a listing."""
    answer: list[Row] | Refused = yield AskAll(listing, values)
    return answer


def need(resource: Resource, *, json: Any = None, form: Mapping[str, str] | None = None, **values: Any) -> Plan[Found]:
    """Ask for one object that nothing can be read without."""
    answer: Found = yield Ask(resource, values, json, form or {}, is_needed=True)
    return answer


def need_all(listing: Listing, **values: Any) -> Plan[list[Row]]:
    """Ask for all rows of a listing that nothing can be read without."""
    answer: list[Row] = yield AskAll(listing, values, is_needed=True)
    return answer


def need_some(listing: Listing, pick: Callable[[Row], T | None], **values: Any) -> Plan[list[T]]:
    """Ask for all rows of a listing that nothing can be read without, and keep something of some.

    :param pick: returns what to keep of a row, None for nothing
    """
    answer: list[T] = yield AskAll(listing, values, is_needed=True, pick=pick)
    return answer


def gather(listing: Listing, **values: Any) -> Plan[Any]:
    """Begin to ask for all rows of a listing, for :func:`find`."""
    return (yield Gather(listing, values))


def find(gathered: Any, identifier: str) -> Plan[Row | Refused | None]:
    """Return a row of what is gathered, None if the listing has no such row."""
    row: Row | Refused | None = yield Find(gathered, identifier)
    return row


def keep(kind: FileKind, name: str, content: bytes) -> Plan[SavedFile | Refused]:
    """Store content that came within an answer."""
    saved: SavedFile | Refused = yield Keep(kind, name, content)
    return saved


def locate(resource: Resource, **values: Any) -> Plan[Location | Refused]:
    """Ask where a file is."""
    located: Location | Refused = yield Locate(resource, values)
    return located


def pause(seconds: float, until: datetime) -> Plan[bool]:
    """Wait, unless a moment has passed; return whether it had not."""
    has_waited: bool = yield Pause(seconds, until)
    return has_waited


def fetch(
    kind: FileKind,
    name: str,
    where: Callable[[], Plan[Location | Refused]],
    *,
    url: str | None = None,
    size: int | None = None,
    content_type: str | None = None,
    is_read: bool = False,
) -> Plan[SavedFile | Refused]:
    """Fetch a file from a signed URL, which is asked for again once if it has expired.

    :param where: asks for the URL
    :param url: the URL, if it is known already; the others are those of :class:`Fetch`
    """
    for _ in range(2):
        location: Location | Refused = Location(url) if url else (yield from where())
        if isinstance(location, Refused):
            return location
        if location.content is not None:
            return (yield from keep(kind, name, location.content))
        saved = yield Fetch(kind, name, location.url, size, content_type, is_read)
        if not isinstance(saved, Expired):
            return saved  # type: ignore[no-any-return]
        url = None
    return Refused("its signed URL is refused, also one that was asked for again", is_missing=True)


PAUSES = (2.0, 15.0, 30.0, 60.0, 120.0, 240.0, 430.0)
"""Seconds between the times that something is asked for which comes late."""
SECONDS_UNTIL_COMPLETE = 900.0
"""From the end of what it belongs to; no vendor names a time."""

NEVER = datetime.max.replace(tzinfo=UTC)
"""Until when to wait for what is worth waiting for however long ago it was due."""


class Lack(Enum):
    """What an answer lacks: nothing, something that may never come, or something that must."""

    NOTHING = 0
    OPTIONAL = 1
    NEEDED = 2


def until_complete(read: Callable[[], Plan[T]], lack_of: Callable[[T], Lack], ended_at: object) -> Plan[T]:
    """Ask again for something as long as it lacks what comes late: for 15 minutes after the end of what it belongs to.

    What must be there is asked for once more however long ago that was.

    :param read: asks for it
    :param lack_of: says what an answer lacks
    :param ended_at: the end, as ISO 8601; anything else counts as long ago
    """
    try:
        until = read_moment(ended_at, Clock.ISO) + timedelta(seconds=SECONDS_UNTIL_COMPLETE)
    except (ValueError, OverflowError):
        until = datetime.min.replace(tzinfo=UTC)
    found = yield from read()
    for number, seconds in enumerate(PAUSES):
        lack = lack_of(found)
        if lack is Lack.NOTHING:
            break
        if not (yield from pause(seconds, NEVER if number == 0 and lack is Lack.NEEDED else until)):
            break
        found = yield from read()
    return found


def read_location(vendor: Vendor, answer: Answer) -> Location | Problem:
    """Read where a file is: a redirect, a URL in JSON, or the file itself."""
    url = answer.headers.get("Location")
    if answer.status != HTTP_OK and url:
        return Location(url)
    document = read_object(answer.body)
    if isinstance(document, Problem):
        return Location(content=answer.body)
    if document.get("success") is False:
        return vendor.error_response(answer.status, answer.body)
    url = look_up(document, "data.url")
    return Location(url) if isinstance(url, str) else Location(content=answer.body)
