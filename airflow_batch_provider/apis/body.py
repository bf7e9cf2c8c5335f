"""Where things are in the body of a page, and how it is decoded: only ids and status words are looked at."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cache
from operator import attrgetter
from typing import Annotated, Any

import msgspec

from airflow_batch_provider.apis.declaration import DeclarationError, check_path
from airflow_batch_provider.apis.page import Page, Row, Rows
from airflow_batch_provider.apis.problem import Problem, ProblemKind, not_json
from airflow_batch_provider.apis.surrogates import Hidden, hide_lone_surrogates

LONGEST_TOKEN = 16_384
"""Characters of the token or URL of a next page: it must fit into a request, and no server takes longer ones."""

LARGEST_COUNT = 2**63 - 1
"""Airflow's processes send each other no larger one."""

NO_STATUS = "(none)"
"""Counted for a row whose status is absent or not a text."""

_Text = Annotated[str, msgspec.Meta(max_length=LONGEST_TOKEN)]


def whole_number(value: object) -> int | None:
    """Return a count that a vendor reports, or None if it is not one: counts are never worth failing a page."""
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= LARGEST_COUNT else None


def count_of(value: object) -> int | None:
    """Return a counter of a batch, also one that is written as a float or a text; None if it is none."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, str) and value.isascii() and value.isdecimal():
        value = int(value[:20])
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        return None
    return min(value, LARGEST_COUNT)


class Body(msgspec.Struct, frozen=True, kw_only=True):
    """Where things are in the body of a page, as dotted paths such as ``data.jobs``.

    :param rows: the list of rows; ``""`` if the body is a bare array
    :param next_token: the cursor of the next page
    :param next_link: the URL of the next page
    :param more: the boolean that says whether there are more rows
    :param total: the number of rows of the whole listing
    :param page_size: the page size that the vendor used
    :param id: the id, within a row
    :param status: the status word, within a row
    :param null_is_empty: whether a list of rows that is null has no rows
    :param is_lines: whether the body is JSON lines: one row per line, and nothing else
    """

    rows: str = ""
    next_token: str | None = None
    next_link: str | None = None
    more: str | None = None
    total: str | None = None
    page_size: str | None = None
    id: str = "id"
    status: str = "status"
    null_is_empty: bool = False
    is_lines: bool = False

    def __post_init__(self) -> None:
        facts = [path for path in (self.next_token, self.next_link, self.more, self.total, self.page_size) if path]
        for path in (*facts, self.id, self.status, *filter(None, [self.rows])):
            check_path("Body", path)
        for path in facts:
            if path == self.rows or path.startswith(f"{self.rows}.") or self.rows.startswith(f"{path}."):
                raise DeclarationError(f"Body: {path!r} and the rows ({self.rows!r}) cannot both lie there")
        if not self.rows and facts:
            raise DeclarationError(f"Body: {facts[0]!r} lies nowhere, because the body is only rows; set rows")
        if self.is_lines and self.rows:
            raise DeclarationError("Body: JSON lines are rows and nothing else; leave out rows")


def read_page(bodies: Sequence[Body], content: bytes) -> Page | Problem:
    """Read a page.

    :param bodies: the shapes that the listing's page may have, the documented one first
    :param content: the whole body
    :return: the page, or what is wrong with it
    """
    try:
        if not content.isascii():
            content.decode()  # msgspec skips over text in raw rows without checking its encoding
        return _read_page(bodies, content)
    except msgspec.ValidationError as error:
        return Problem(ProblemKind.WRONG_SHAPE, f"the body is not as documented: {error}")
    except RecursionError:
        return Problem(ProblemKind.WRONG_SHAPE, "the body is nested too deeply to be read")
    except (msgspec.DecodeError, ValueError):  # before msgspec 0.21 the one is not the other
        return not_json(content)


def _read_page(bodies: Sequence[Body], content: bytes) -> Page | Problem:
    try:
        page = _decode(bodies, content)
    except msgspec.ValidationError:
        raise
    except msgspec.DecodeError:
        hidden = hide_lone_surrogates(content)
        if hidden is None:
            raise
        page = _decode(bodies, hidden.body)
        page = msgspec.structs.replace(page, rows=Rows.of([_restore(hidden, row) for row in page.rows]))
        if hidden.marker in f"{page.next_token} {page.next_link}":
            return Problem(ProblemKind.WRONG_SHAPE, "the token of the next page is no text that can be sent back")
    if not page.success:
        return Problem(ProblemKind.WRONG_SHAPE, 'the body says "success": false')
    if not all(map(str.strip, map(str, page.rows.ids))):
        return Problem(ProblemKind.WRONG_SHAPE, "a row of the page has a blank id")
    return page


def _decode(bodies: Sequence[Body], content: bytes) -> Page:
    """Decode a body twice: reading it whole is cheaper than starting a decoder for each row."""
    documented, *others = bodies
    decoders = _decoders(documented)
    try:
        keys = decoders.decode_keys(content)  # first: if these are not rows, it fails before memory fills
    except msgspec.ValidationError:
        for other in others:
            with suppress(msgspec.ValidationError):
                return _decode([other], content)
        raise
    raw = decoders.decode_raw(content)
    found, lines = decoders.rows(keys) or (), decoders.rows(raw) or ()
    if not documented.is_lines and (b"\n" in content or b"\r" in content):
        # They can only stand between tokens: within a text they must be escaped, and msgspec insists on that.
        lines = [_in_one_line(bytes(line)) for line in lines]
    statuses = list(map(decoders.status, found))
    if set(map(type, statuses)) != {str}:
        statuses = [status if isinstance(status, str) else NO_STATUS for status in statuses]
    return Page(
        Rows(list(map(decoders.id, found)), statuses, lines),
        next_token=decoders.next_token(raw),
        total=whole_number(decoders.total(raw)),
        page_size=whole_number(decoders.page_size(raw)),
        next_link=decoders.next_link(raw),
        more=decoders.more(raw),
        success=decoders.success(raw) is not False,
    )


def _in_one_line(json: bytes) -> bytes:
    return msgspec.json.format(json, indent=-1) if b"\n" in json or b"\r" in json else json


def _restore(hidden: Hidden, row: Row) -> Row:
    identifier = hidden.restore_text(row.id) if isinstance(row.id, str) else row.id
    return Row(identifier, hidden.restore_text(row.status), hidden.restore_json(row.json))


Getter = Callable[[Any], Any]


class _Field(msgspec.Struct, frozen=True):
    """A value in a body: its path, its type, and whether the body may lack it."""

    path: str | None
    type: Any
    optional: bool = True


class _Decoders(msgspec.Struct, frozen=True):
    decode_keys: Callable[[bytes], Any]
    decode_raw: Callable[[bytes], Any]
    rows: Getter
    id: Getter
    status: Getter
    next_token: Getter
    next_link: Getter
    more: Getter
    total: Getter
    page_size: Getter
    success: Getter


@cache
def _decoders(body: Body) -> _Decoders:
    row_id, row_status = _Field(body.id, str | int, optional=False), _Field(body.status, Any)
    key = _define("row", (row_id, row_status))
    facts = {
        "next_token": _Field(body.next_token, _Text | int | None),
        "next_link": _Field(body.next_link, _Text | None),
        "more": _Field(body.more, bool | None),
        "total": _Field(body.total, Any),
        "page_size": _Field(body.page_size, Any),
        "success": _Field("success" if body.rows else None, bool | None),
    }

    def decoder(row: Any) -> msgspec.json.Decoder[Any]:
        if not body.rows:
            return msgspec.json.Decoder(row if body.is_lines else list[row])
        rows = _Field(body.rows, list[row] | None if body.null_is_empty else list[row], optional=False)
        return msgspec.json.Decoder(_define("page", (rows, *facts.values())))

    keys, raws = decoder(key), decoder(msgspec.Raw)
    return _Decoders(
        keys.decode_lines if body.is_lines else keys.decode,
        raws.decode_lines if body.is_lines else raws.decode,
        rows=_getter(body.rows) if body.rows else lambda rows: rows,
        id=_getter(body.id),
        status=_getter(body.status),
        **{name: _getter(field.path) for name, field in facts.items()},
    )


def _attribute(key: str) -> str:
    """Return the attribute for a key of the JSON: any key makes a name that does not clash with Python's."""
    return "k_" + key.encode().hex()


def _define(name: str, fields: Sequence[_Field]) -> type[msgspec.Struct]:
    """Return a struct with these values in it, nested as their paths say.

    An object on the way is optional if all values below it are.
    """
    below: dict[str, list[_Field]] = {}
    for field in fields:
        if field.path:
            key, _, rest = field.path.partition(".")
            below.setdefault(key, []).append(msgspec.structs.replace(field, path=rest))
    members: list[tuple[str, Any] | tuple[str, Any, Any]] = []
    for key, inner in below.items():
        type_ = inner[0].type if not inner[0].path else _define(key, inner)
        if all(field.optional for field in inner):
            members.append((_attribute(key), type_ if type_ is Any else type_ | None, None))
        else:
            members.append((_attribute(key), type_))
    return msgspec.defstruct(
        name, members, rename={_attribute(key): key for key in below}, kw_only=True, gc=False, frozen=True
    )


def _getter(path: str | None) -> Getter:
    """Return a function that finds a value; a missing object has no values."""
    if path is None:
        return lambda found: None
    names = [_attribute(key) for key in path.split(".")]
    if len(names) == 1:
        return attrgetter(names[0])

    def get(found: Any) -> Any:
        for name in names:
            if found is None:
                return None
            found = getattr(found, name)
        return found

    return get
