"""What a batch produced, declared by its vendor: for each item, what to ask for and what the answers mean.

Nothing here sends a request. A vendor writes *plans*: generators that yield steps, and are sent what came of each.
Whoever runs them sends the requests, in parallel and within the limits of the connection, and stores the files.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from enum import Enum, StrEnum
from typing import Any, TypeVar

import msgspec

from airflow_batch_provider.apis.batch_state import BatchState
from airflow_batch_provider.apis.columns import Column
from airflow_batch_provider.apis.declaration import DeclarationError, check_known, check_unique
from airflow_batch_provider.apis.endpoint import Found, Listing, Resource, look_up, read_object
from airflow_batch_provider.apis.moment import Clock, read_moment
from airflow_batch_provider.apis.page import Row
from airflow_batch_provider.apis.parameter import Parameter, given
from airflow_batch_provider.apis.problem import Problem
from airflow_batch_provider.apis.request import Answer
from airflow_batch_provider.apis.vendor import Vendor

HTTP_OK = 200

T = TypeVar("T")


class ItemOutcome(StrEnum):
    """What became of an item of a batch.

    ``OK``: everything is there. ``PARTIAL``: pages failed, or a file that was asked for is not there. ``FAILED``: the
    vendor says so. ``MISSING``: it should be there and is not. ``SKIPPED``: the vendor skipped it.
    """

    OK = "ok"
    PARTIAL = "partial"
    FAILED = "failed"
    MISSING = "missing"
    SKIPPED = "skipped"


FAILURES = (ItemOutcome.PARTIAL, ItemOutcome.FAILED, ItemOutcome.MISSING)
"""The outcomes that ``fail_on_item_failures`` counts."""


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
    :param is_needed: whether nothing can be read without it, so that a refusal is the task's failure
    """

    resource: Resource
    values: Mapping[str, Any] = {}
    json: Any = None
    form: Mapping[str, str] = {}
    is_needed: bool = False


class AskAll(msgspec.Struct, frozen=True):
    """Ask for all rows of a listing, which must be few; fields as of :class:`Ask`."""

    listing: Listing
    values: Mapping[str, Any] = {}
    is_needed: bool = False


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


Step = Ask | AskAll | Gather | Find | Locate | Keep | Fetch | Pause


class Refused(msgspec.Struct, frozen=True):
    """What was asked for could not be had, which concerns this item only.

    :param reason: why, for people; harmless
    :param is_missing: whether it is not there, rather than refused
    :param is_too_large: whether the answer has more bytes than are read
    """

    reason: str
    is_missing: bool = False
    is_too_large: bool = False


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

_NEVER = datetime.max.replace(tzinfo=UTC)


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
        if not (yield from pause(seconds, _NEVER if number == 0 and lack is Lack.NEEDED else until)):
            break
        found = yield from read()
    return found


class Batch(msgspec.Struct, frozen=True, kw_only=True):
    """A batch whose results are read.

    :param state: its state when reading begins
    :param expected: how many items it counts, None if it does not count them
    :param facts: what the plans of its items need to know
    :param kinds: the names of the kinds of files that are wanted; filled in by who runs the plans
    :param values: the parameters of the task; filled in likewise
    """

    state: BatchState
    expected: int | None = None
    facts: Any = None
    kinds: frozenset[str] = frozenset()
    values: Mapping[str, Any] = {}


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """What became of an item.

    :param outcome: in our words
    :param error: why it is not ``ok``, in a sentence
    :param status: the vendor's status word, if it is not that of the row
    :param row: the row of the batch's own list as JSON, if the plan adds something to it
    :param result: the vendor's result object as JSON
    :param files: its files
    """

    outcome: ItemOutcome
    error: str | None = None
    status: str | None = None
    row: bytes | None = None
    result: bytes | None = None
    files: tuple[SavedFile, ...] = ()


def collected(
    files: Sequence[SavedFile | Refused], problems: Sequence[str] = (), *, kinds: Sequence[str] = (), **facts: Any
) -> Item:
    """Return an item whose result is there: ``ok``, or ``partial`` if something of it is not.

    :param files: what came of each file
    :param problems: what else is not as it should be
    :param facts: other fields of the item
    """
    said = [*problems, *(file.reason for file in files if isinstance(file, Refused))]
    return Item(
        outcome=ItemOutcome.PARTIAL if said else ItemOutcome.OK,
        error="; ".join(said) or None,
        files=tuple(file for file in files if isinstance(file, SavedFile)),
        **facts,
    )


def without_result(refused: Refused, *, is_partial: bool = False, **facts: Any) -> Item:
    """Return an item whose result could not be had: ``missing`` if it is not there, else ``failed``.

    :param is_partial: whether something of it is there, so that it is ``partial``
    :param facts: other fields of the item
    """
    outcome = ItemOutcome.MISSING if refused.is_missing else ItemOutcome.FAILED
    reason = f"{refused.reason}; {_WHY_MISSING}" if refused.is_missing else refused.reason
    return Item(outcome=ItemOutcome.PARTIAL if is_partial else outcome, error=reason, **facts)


_WHY_MISSING = "it has expired, was deleted, or belongs to another project"


class Results(msgspec.Struct, frozen=True, kw_only=True):
    """What the batches of a vendor produce, and how to get at it.

    :param vendor: whose batches they are
    :param name: its name in manifests and logs, ``vendor.things``
    :param batch: the name of the parameter with the batch's id
    :param parameters: what a task says
    :param items: lists the items of the batch
    :param kinds: the kinds of files, those that are fetched where a task does not say first
    :param usual: the names of these
    :param begin: reads the batch
    :param prepare: asks for what several items share, before their own plans; gets up to ``together`` rows
    :param together: how many items ``prepare`` gets
    :param item: asks for what belongs to one item; gets the batch, the item's row, and what ``prepare`` returned
    :param columns: the columns of a row
    """

    vendor: Vendor
    name: str
    batch: str
    parameters: tuple[Parameter, ...]
    items: Listing
    kinds: tuple[FileKind, ...] = ()
    usual: tuple[str, ...] = ()
    begin: Callable[[Mapping[str, Any]], Plan[Batch | Problem]]
    prepare: Callable[[Batch, Sequence[Row]], Plan[Any]] | None = None
    together: int = 50
    item: Callable[[Batch, Row, Any], Plan[Item]]
    columns: tuple[Column, ...]

    def __post_init__(self) -> None:
        check_unique(self.name, "parameter", [parameter.name for parameter in self.parameters])
        check_unique(self.name, "kind of file", [kind.name for kind in self.kinds])
        check_known(self.name, "usual kind of file", self.usual, [kind.name for kind in self.kinds])
        check_known(self.name, "parameter", [self.batch], [parameter.name for parameter in self.parameters])
        if not self.name.startswith(f"{self.vendor.name}."):
            raise DeclarationError(f"{self.name}: a name starts with the vendor's: '{self.vendor.name}.things'")

    def given(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return the values that were given, as they are sent: texts, or lists of texts."""
        return given(self.parameters, values)


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
