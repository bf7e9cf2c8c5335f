"""Checks with a server that is made from the declarations: listings are read to their end, and no error has the key."""

from __future__ import annotations

import json
import traceback
from collections.abc import Mapping
from typing import Any

from airflow_batch_provider.apis.auth import Credentials, KeyHeader, is_static
from airflow_batch_provider.apis.endpoint import Listing
from airflow_batch_provider.apis.paging import CursorPaging, LinkPaging, WholePaging
from airflow_batch_provider.apis.request import Request
from airflow_batch_provider.apis.vendor import Vendor
from airflow_batch_provider.apis.windows import NumberPaging, OffsetPaging
from airflow_batch_provider.client.client import Client
from airflow_batch_provider.client.settings import Settings
from airflow_batch_provider.exceptions import BatchProviderError, IncompleteListingError
from airflow_batch_provider.listing.pages import read_pages
from airflow_batch_provider.testing.declared import Declared, NotCheckedError, fail, put
from airflow_batch_provider.testing.local_server import Asked, Said, serve

KEY = "key-of-the-contract"
_PAGE = 3
_EMPTY = "an empty page"
_COUNTS = (0, 1, _PAGE, _PAGE + 1, 3 * _PAGE)


def a_listing_is_read_to_its_end(declared: Declared, listing: Listing) -> None:
    """All rows come, each once, however many there are and however the last page ends."""
    _need_known_paging(listing)
    for count in _COUNTS:
        for last in ("absent", "null", "empty") if isinstance(listing.paging, CursorPaging) else ("absent",):
            expected = [f"id {number}" for number in range(count)]
            server = _ListingServer(listing, expected, last=last)
            found = _read(declared, listing, server)
            if found != expected:
                fail(
                    f"{listing.name}: of {count} rows in pages of {_PAGE} it reads {len(found)}. Check paging, and"
                    " where bodies say that cursor, link and total lie."
                )


def an_empty_page_is_not_the_end(declared: Declared, listing: Listing) -> None:
    """A filter may empty a page in the middle of a listing."""
    expected = [f"id {number}" for number in range(2 * _PAGE)]
    if _read(declared, listing, _ListingServer(listing, expected, has_empty_page=True)) != expected:
        fail(f"{listing.name}: it ends with an empty page, although there is another.")


def a_cursor_that_repeats_is_an_error(declared: Declared, listing: Listing) -> None:
    """A vendor that sends the same page again and again must not fill a disk."""
    rows = [f"id {number}" for number in range(3 * _PAGE)]
    try:
        found = _read(declared, listing, _ListingServer(listing, rows, repeats=True))
    except IncompleteListingError:
        return
    fail(f"{listing.name}: a server that repeats its cursor is read as a listing of {len(found)} rows.")


def no_error_has_the_key(declared: Declared) -> None:
    """A vendor may echo the request's headers in what it says of a failure."""
    vendor = declared.vendor
    if not is_static(vendor.auth):
        raise NotCheckedError("auth is a function, which may need a server of its own")
    listing = next(iter(declared.listings), None)
    if listing is None:
        raise NotCheckedError("no listing is declared")
    samples: list[Any] = [{"error": {"message": "", "code": ""}}, {"detail": ""}, {"message": ""}]
    samples += [json.loads(body) for _, body, _ in declared.errors if body.startswith(b"{")]
    for sample in samples:
        for status in (400, 401, 404):

            def echo(asked: Asked, sample: Any = sample, status: int = status) -> Said:
                return Said(json.dumps(_filled(sample, " ".join(asked.headers.values()))).encode(), status)

            with serve(echo) as url:
                request = listing.request(declared.values_for(listing))
                try:
                    list(read_pages(_client(vendor, url), listing, request))
                except BatchProviderError as error:
                    if KEY in f"{error!r} {error} {''.join(traceback.format_exception(error))}":
                        fail(f"{vendor.name}: the API key is in the message of an error: HTTP {status}, {sample}.")


def _filled(sample: Any, text: str) -> Any:
    """Return a body with another text wherever it has one."""
    if isinstance(sample, Mapping):
        return {key: _filled(value, text) for key, value in sample.items()}
    return [_filled(value, text) for value in sample] if isinstance(sample, list) else text


def _client(vendor: Vendor, url: str) -> Client:
    auth = vendor.auth if is_static(vendor.auth) else KeyHeader("Authorization", "Bearer ")
    credentials = Credentials(KEY, "login-of-the-contract")
    settings = Settings(connection_id="contract", base_url=url, auth=auth, credentials=credentials, max_attempts=2)
    return Client(vendor, settings)


def _read(declared: Declared, listing: Listing, server: _ListingServer) -> list[str]:
    request = listing.request(declared.values_for(listing))
    if isinstance(listing.paging, (OffsetPaging, NumberPaging)):
        request = request.asking(**{listing.paging.size_parameter: str(_PAGE)})
    server.expected = request
    with serve(server) as server.url:
        pages = read_pages(_client(declared.vendor, server.url), listing, request)
        try:
            return [str(identifier) for page in pages for identifier in page.rows.ids]
        except IncompleteListingError:
            if server.repeats:
                raise
            return []
        except BatchProviderError as error:
            fail(f"{listing.name}: a page of its own declaration cannot be read: {error}")


def _need_known_paging(listing: Listing) -> None:
    known = (WholePaging, CursorPaging, LinkPaging, OffsetPaging, NumberPaging)
    if not isinstance(listing.paging, known):
        raise NotCheckedError(f"{listing.name} has a paging of its own")


class _ListingServer:
    """A listing as its declaration describes it.

    :param listing: the listing
    :param ids: the ids of its rows
    :param last: what the last page has for a cursor: ``absent``, ``null`` or ``empty``
    :param has_empty_page: whether there is an empty page in the middle
    :param repeats: whether each page leads to the first one
    """

    def __init__(
        self,
        listing: Listing,
        ids: list[str],
        *,
        last: str = "absent",
        has_empty_page: bool = False,
        repeats: bool = False,
    ) -> None:
        self._listing = listing
        self._ids = ids
        self._last = last
        self._has_empty_page = has_empty_page
        self.repeats = repeats
        self.url = ""
        self.expected = Request("/")

    def __call__(self, asked: Asked) -> Said:
        if asked.path != self.expected.path or asked.method != self.expected.method:
            return Said(b'{"message":"another path"}', 404)
        start, size, following = self._window(asked.query)
        ids = self._ids[start : start + size]
        body = self._listing.bodies[0]
        rows = []
        for identifier in ids:
            row: dict[str, Any] = {}
            put(row, body.id, identifier)
            rows.append(row)
        if not body.rows:
            lines = "\n".join(map(json.dumps, rows))
            return Said((lines if body.is_lines else json.dumps(rows)).encode(), headers=self._link(following))
        document: dict[str, Any] = {}
        put(document, body.rows, rows)
        facts = {body.total: len(self._ids), body.page_size: size, body.more: following is not None}
        for path, fact in facts.items():
            if path:
                put(document, path, fact)
        self._lead_on(document, following)
        headers = {} if body.next_link else self._link(following)
        return Said(json.dumps(document).encode(), headers=headers)

    def _window(self, query: Mapping[str, str]) -> tuple[int, int, str | None]:
        """Return where a page begins, how many rows it has at most, and what leads to the next one."""
        paging = self._listing.paging
        if isinstance(paging, OffsetPaging):
            start, size = int(query[paging.parameter]), int(query[paging.size_parameter])
        elif isinstance(paging, NumberPaging):
            number, size = int(query[paging.parameter]), int(query[paging.size_parameter])
            if number < paging.first_number:
                return len(self._ids), size, None
            start = (number - paging.first_number) * size
        elif isinstance(paging, WholePaging):
            return 0, len(self._ids), None
        else:
            return self._window_behind(query.get(self._cursor, ""))
        end = start + size
        return start, size, str(end) if end < len(self._ids) else None

    def _window_behind(self, cursor: str) -> tuple[int, int, str | None]:
        """Return the window behind a cursor, which is the id of the row before it."""
        if cursor == _EMPTY:
            return _PAGE, 0, self._ids[_PAGE - 1]
        start = 0 if self.repeats or cursor not in self._ids else self._ids.index(cursor) + 1
        end = start + _PAGE
        if self._has_empty_page and start == 0:
            return start, _PAGE, _EMPTY
        return start, _PAGE, self._ids[end - 1] if end < len(self._ids) else None

    @property
    def _cursor(self) -> str:
        paging = self._listing.paging
        return paging.parameter if isinstance(paging, CursorPaging) else "contract_cursor"

    def _lead_on(self, document: dict[str, Any], following: str | None) -> None:
        body = self._listing.bodies[0]
        if body.next_token and (following is not None or self._last != "absent"):
            put(document, body.next_token, following or (None if self._last == "null" else ""))
        if body.next_link and following is not None:
            put(document, body.next_link, self._url_of(following))

    def _link(self, following: str | None) -> dict[str, str]:
        if following is None or not isinstance(self._listing.paging, LinkPaging):
            return {}
        return {"Link": f'<{self._url_of(following)}>; rel="next"'}

    def _url_of(self, following: str) -> str:
        return self.url + self.expected.asking(**{self._cursor: following}).target
