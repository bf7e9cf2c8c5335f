"""The position at which a listing is resumed, as it is kept beside an export."""

from __future__ import annotations

import msgspec
from msgspec.structs import replace

from airflow_batch_provider.apis.endpoint import Listing
from airflow_batch_provider.apis.paging import Step
from airflow_batch_provider.apis.request import Request
from airflow_batch_provider.codec import UnreadableError
from airflow_batch_provider.listing.passes import Pass


class Bookmark(msgspec.Struct, frozen=True):
    """Where a listing can be resumed, given the rows that were read before; JSON by its fields.

    :param step: the step whose page comes next
    :param current: the pass that it belongs to
    :param first_page: the ids of the first page, as hashes
    """

    step: Step
    current: Pass = msgspec.field(default_factory=Pass)
    first_page: bytes = b""


def read_position(position: object, listing: Listing, first: Request) -> Bookmark | None:
    """Read the position at which a listing is resumed, None for its start.

    :param position: a bookmark, or JSON made of it, which anybody may have written
    :param listing: what is read
    :param first: its first request
    :raises UnreadableError: it is of another release, damaged, or of another request
    """
    if position is None or isinstance(position, Bookmark):
        return position
    try:
        bookmark = msgspec.convert(position, Bookmark)
    except (msgspec.ValidationError, UnicodeError) as error:
        raise UnreadableError(f"the position in the listing cannot be read: {error}") from None
    if not _is_of(bookmark.step.request, listing, first):
        raise UnreadableError("the position in the listing is that of another request")
    return bookmark


def _is_of(request: Request, listing: Listing, first: Request) -> bool:
    """Return whether a request is for a page of the listing that another begins: a position may be forged.

    The client follows a link within the vendor's origin only.
    """
    query = {**request.query, **{name: first.query.get(name) for name in listing.paging.moves}}
    same = {name: value for name, value in query.items() if value is not None}
    is_linked = request.link is not None and listing.paging.follows_links
    own = replace(request, query=same, link=None if is_linked else request.link)
    return own == first
