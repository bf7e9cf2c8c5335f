"""A vendor's listing that an export reads page by page, as a client does, without a network."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, cast

from airflow_batch_provider.apis.request import Answer, Request
from airflow_batch_provider.client.client import Client
from airflow_batch_provider.export.export import PageSource
from airflow_batch_provider.listing.pages import read_pages
from tests.listings import LISTINGS, VALUES
from tests.vendor_server import PAGES, Served


@dataclass
class VendorOf:
    """Serves rows.

    :param name: the listing
    :param rows: its rows, each a JSON text
    :param cap: the most rows in a page
    :param before: called before each request
    """

    name: str
    rows: Sequence[str]
    cap: int = 10
    before: Callable[[], None] = lambda: None
    asked: list[Request] = field(default_factory=list)

    @property
    def vendor(self) -> Any:
        """Who it is, for messages."""
        return LISTINGS[self.name].vendor

    def send(self, request: Request, read: Callable[[Answer], Any]) -> Any:
        """Answer as a client does."""
        self.before()
        self.asked.append(request)
        return read(Answer(200, {}, PAGES[self.name](Served(self.rows, cap=self.cap), dict(request.query)).body))

    def source(self, **options: Any) -> PageSource:
        """Return what an export needs to read this."""
        listing = LISTINGS[self.name]
        sizes = {"llamacloud.batch_processing_jobs": "limit", "talkifai.batch_jobs": "page_size"}
        values = {**VALUES, **({sizes[self.name]: self.cap} if self.name in sizes else {})}
        return partial(read_pages, cast(Client, self), listing, listing.request(values), **options)


def rows(count: int, **fields: Any) -> list[str]:
    """Return rows as the vendor sends them, with numbers for ids."""
    return [json.dumps({"id": number, "status": "done", **fields}) for number in range(count)]
