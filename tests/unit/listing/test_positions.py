"""A position comes from a file that anybody may have written: it leads to pages of the same listing, or nowhere."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from airflow_batch_provider.apis.endpoint import Listing
from airflow_batch_provider.codec import UnreadableError
from airflow_batch_provider.listing.pages import read_pages
from airflow_batch_provider.listing.positions import Bookmark
from tests.listings import LISTINGS, VALUES
from tests.unit.connected import Connect

EACH = pytest.mark.parametrize("listing", LISTINGS.values(), ids=LISTINGS)
FORGED: dict[str, dict[str, Any]] = {
    "another method": {"method": "DELETE"},
    "another path": {"path": "/api/v1/keys"},
    "a path above": {"path": "/../admin"},
    "a link": {"link": "/api/v1/keys"},
    "a link elsewhere": {"link": "https://elsewhere.invalid/"},
    "a body": {"json": {"a": 1}, "method": "POST"},
    "another parameter": {"query": {"organizationId": "another", "project_id": "another"}},
    "parts": {"parts": [{"name": "a"}]},
    "a path of a lone surrogate": {"path": "/\ud800"},
}


def position_of(listing: Listing, **changes: Any) -> Any:
    step = listing.paging.first(listing.request(VALUES))
    position = json.loads(json.dumps(msgspec.to_builtins(Bookmark(step))))
    request = position["step"]["request"]
    position["step"]["request"] = {
        **request,
        **changes,
        "query": {**request.get("query", {}), **changes.get("query", {})},
    }
    return position


@EACH
@pytest.mark.parametrize("forged", FORGED)
def test_a_forged_position_is_refused_before_anything_is_sent(listing: Listing, forged: str, connect: Connect) -> None:
    client = connect(listing.vendor, "http://127.0.0.1:9")
    with pytest.raises(UnreadableError):
        read_pages(client, listing, listing.request(VALUES), position=position_of(listing, **FORGED[forged]))


@EACH
def test_a_position_further_on_is_taken(listing: Listing, connect: Connect) -> None:
    client = connect(listing.vendor, "http://127.0.0.1:9")
    moved = dict.fromkeys(listing.paging.moves, "7")
    assert read_pages(client, listing, listing.request(VALUES), position=position_of(listing, query=moved))
